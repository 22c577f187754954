//! Programs about memory: widths of access, constant memory and module variables, atomics.

use cudarc::driver::{DeviceRepr, ValidAsZeroBits};

use crate::support::{Program, random};

#[test]
fn vector_access() {
    fn copied<T: DeviceRepr + ValidAsZeroBits + Copy + PartialEq + std::fmt::Debug>(
        program: &Program,
        kernel: &str,
        lanes: usize,
        value: impl FnMut(u64) -> T,
    ) {
        let n = 67;
        let x = random(1, n * lanes, value);
        let device_x = program.stream.clone_htod(&x).unwrap();
        let mut y = program.stream.alloc_zeros::<T>(x.len()).unwrap();
        launch!(program, kernel, 2, 48; &device_x, &mut y, &(n as u32));
        let expected: Vec<T> = x.chunks(lanes).rev().flatten().copied().collect();
        assert_eq!(program.stream.clone_dtoh(&y).unwrap(), expected, "{kernel}");
    }
    let program = Program::load("memory/vector_access");
    copied(&program, "copy_u8", 1, |w| w as u8);
    copied(&program, "copy_u8x2", 2, |w| w as u8);
    copied(&program, "copy_u8x4", 4, |w| w as u8);
    copied(&program, "copy_u16", 1, |w| w as u16);
    copied(&program, "copy_u16x2", 2, |w| w as u16);
    copied(&program, "copy_u16x4", 4, |w| w as u16);
    copied(&program, "copy_u32", 1, |w| w as u32);
    copied(&program, "copy_u32x2", 2, |w| w as u32);
    copied(&program, "copy_u32x4", 4, |w| w as u32);
    copied(&program, "copy_f32x4", 4, |w| w as f32);
    copied(&program, "copy_u64", 1, |w| w);
    copied(&program, "copy_u64x2", 2, |w| w);
    copied(&program, "copy_f64x2", 2, |w| w as f64);
}

#[test]
fn crc32() {
    fn step(mut c: u32) -> u32 {
        for _ in 0..8 {
            c = if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 };
        }
        c
    }
    let program = Program::load("memory/crc32");
    let table: Vec<u8> = (0..256).flat_map(|i| step(i).to_le_bytes()).collect();
    let mut symbol = program.module.get_global("table", &program.stream).unwrap();
    assert_eq!(symbol.len(), 1024);
    program.stream.memcpy_htod(&table, &mut symbol).unwrap();
    let messages = ["123456789", "", "a longer message, of no importance", "x"];
    let text: Vec<u8> = messages.concat().into_bytes();
    let mut offsets = vec![0u32];
    for m in &messages {
        offsets.push(offsets[offsets.len() - 1] + m.len() as u32);
    }
    let device_text = program.stream.clone_htod(&text).unwrap();
    let device_offsets = program.stream.clone_htod(&offsets).unwrap();
    let mut crc = program.stream.alloc_zeros::<u32>(4).unwrap();
    launch!(program, "crc32", 1, 4; &device_text, &device_offsets, &mut crc);
    let expected: Vec<u32> =
        messages.iter().map(|m| !m.bytes().fold(!0, |c, b| step((c ^ u32::from(b)) & 255) ^ (c >> 8))).collect();
    assert_eq!(expected[0], 0xcbf4_3926, "the check value of CRC-32");
    assert_eq!(program.stream.clone_dtoh(&crc).unwrap(), expected);
    let count = program.module.get_global("messages", &program.stream).unwrap();
    assert_eq!(program.stream.clone_dtoh(&count).unwrap(), 9u32.to_le_bytes());
}

#[test]
fn atomics() {
    let program = Program::load("memory/atomics");
    let n = 6 * 50u32;
    let mut words = program.stream.clone_htod(&[0u32, 99, 0, 0, 5, !0, 0, 0, 0, 1 << 30, 0]).unwrap();
    let mut longs = program.stream.clone_htod(&[1u64, 0]).unwrap();
    let mut signs = program.stream.clone_htod(&[0i32, i32::MIN]).unwrap();
    let mut f = program.stream.clone_htod(&[0.5f32]).unwrap();
    let mut d = program.stream.clone_htod(&[1f64]).unwrap();
    launch!(program, "atomics", 6, 50; &mut words, &mut longs, &mut signs, &mut f, &mut d);
    let words = program.stream.clone_dtoh(&words).unwrap();
    let sum: u32 = (0..n).sum();
    let odd = (0..n).fold(0, |x, i| x ^ i);
    let count_up = n % 10; // atomicInc wraps to 0 past 9
    let count_down = (0..n).fold(5u32, |x, _| if x == 0 || x > 9 { 9 } else { x - 1 });
    assert_eq!(words[..9], [sum, 3, n - 1, count_up, count_down, !0xffff, 0xffff, odd, 0u32.wrapping_sub(n)]);
    assert!(words[9] < n, "the last exchange");
    assert_eq!(words[10], 0);
    assert_eq!(program.stream.clone_dtoh(&longs).unwrap(), [1 + (u64::from(n) << 33), u64::from(n - 1) << 32]);
    assert_eq!(program.stream.clone_dtoh(&signs).unwrap(), [1 - n as i32, n as i32 - 1001]);
    assert_eq!(program.stream.clone_dtoh(&f).unwrap(), [0.5 + n as f32]);
    assert_eq!(program.stream.clone_dtoh(&d).unwrap(), [1.0 + 0.5 * f64::from(n)]);
}
