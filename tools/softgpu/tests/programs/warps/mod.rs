//! Programs of one warp's lanes: shuffles, votes, matches, reductions, the tensor core.

use crate::support::{Program, random, unit};
use half::bf16;

#[test]
fn warp_reduce() {
    let program = Program::load("warps/warp_reduce");
    let x = random(1, 150, unit);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut sums = program.stream.alloc_zeros::<f32>(5).unwrap();
    let mut maxima = program.stream.alloc_zeros::<f32>(5).unwrap();
    launch!(program, "warp_reduce", 2, 96; &device_x, &mut sums, &mut maxima, &(x.len() as u32));
    let expected: Vec<f32> = x.chunks(32).map(|warp| warp.iter().sum()).collect(); // exact, so in any order
    assert_eq!(program.stream.clone_dtoh(&sums).unwrap(), expected);
    let expected: Vec<f32> = x.chunks(32).map(|warp| warp.iter().copied().fold(f32::MIN, f32::max)).collect();
    assert_eq!(program.stream.clone_dtoh(&maxima).unwrap(), expected);
}

#[test]
fn scan_warp() {
    let program = Program::load("warps/scan_warp");
    let x = random(2, 64, |w| (w % 100) as i32);
    let device_x = program.stream.clone_htod(&x).unwrap();
    for width in [2usize, 8, 16, 32] {
        let mut y = program.stream.alloc_zeros::<i32>(64).unwrap();
        launch!(program, "scan_warp", 1, 64; &device_x, &mut y, &(width as i32));
        let expected: Vec<i32> = (0..64).map(|i| x[i / width * width..i].iter().sum()).collect();
        assert_eq!(program.stream.clone_dtoh(&y).unwrap(), expected, "width {width}");
    }
}

#[test]
fn shuffles() {
    let program = Program::load("warps/shuffles");
    let x = random(3, 32, |w| w as i32);
    let lanes = random(4, 32, |w| (w % 64) as i32 - 16);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let device_lanes = program.stream.clone_htod(&lanes).unwrap();
    let mut out = program.stream.alloc_zeros::<i32>(9 * 32).unwrap();
    launch!(program, "shuffles", 1, 32; &device_x, &device_lanes, &mut out);
    let out = program.stream.clone_dtoh(&out).unwrap();
    // From whom lane t takes, as the CUDA guide has it: within its segment of `width` lanes, else from itself.
    let index = |t: usize, lane: i32, width: usize| t / width * width + (lane as usize & (width - 1));
    let within = |t: usize, from: isize, width: usize| {
        let first = (t / width * width) as isize;
        if (first..first + width as isize).contains(&from) { from as usize } else { t }
    };
    for t in 0..32usize {
        let at = t as isize;
        let from = [
            index(t, lanes[t], 32),
            index(t, lanes[t], 8),
            within(t, at - 3, 32),
            within(t, at - 5, 16),
            within(t, at + 7, 32),
            within(t, at + 2, 8),
            t ^ 0x15,
            t ^ 9,
        ];
        for (kind, &from) in from.iter().enumerate() {
            assert_eq!(out[kind * 32 + t], x[from], "kind {kind}, lane {t}");
        }
        assert_eq!(out[8 * 32 + t], if t % 2 == 1 { x[(t + 2) % 32] } else { -1 }, "lane {t}");
    }
}

#[test]
fn match_aggregate() {
    let program = Program::load("warps/match_aggregate");
    let keys = random(5, 1000, |w| (w % 9) as u32);
    let device_keys = program.stream.clone_htod(&keys).unwrap();
    let mut counts = program.stream.alloc_zeros::<u32>(9).unwrap();
    launch!(program, "match_aggregate", 8, 128; &device_keys, &mut counts, &(keys.len() as u32));
    let expected: Vec<u32> = (0..9).map(|k| keys.iter().filter(|&&key| key == k).count() as u32).collect();
    assert_eq!(program.stream.clone_dtoh(&counts).unwrap(), expected);
}

#[test]
fn warp_redux() {
    let program = Program::load("warps/warp_redux");
    let x = random(6, 32, |w| w as u32);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut out = program.stream.alloc_zeros::<u32>(9).unwrap();
    launch!(program, "warp_redux", 1, 32; &device_x, &mut out);
    let low = &x[..20];
    let expected = [
        low.iter().fold(0u32, |sum, &v| sum.wrapping_add(v)),
        *low.iter().min().unwrap(),
        *low.iter().max().unwrap(),
        low.iter().fold(!0, |all, v| all & v),
        low.iter().fold(0, |any, v| any | v),
        low.iter().fold(0, |odd, v| odd ^ v),
        low.iter().map(|&v| v as i32).max().unwrap() as u32,
        u32::from(low.iter().all(|&v| v != 0)),
        1,
    ];
    assert_eq!(program.stream.clone_dtoh(&out).unwrap(), expected);
}

#[test]
fn compact() {
    let program = Program::load("warps/compact");
    let x = random(7, 777, |w| (w % 10_000) as i32);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut kept = program.stream.alloc_zeros::<i32>(x.len()).unwrap();
    let mut count = program.stream.alloc_zeros::<u32>(1).unwrap();
    launch!(program, "compact", 7, 128; &device_x, &mut kept, &mut count, &(x.len() as u32));
    let count = program.stream.clone_dtoh(&count).unwrap()[0] as usize;
    let mut kept = program.stream.clone_dtoh(&kept).unwrap()[..count].to_vec();
    let mut expected: Vec<i32> = x.into_iter().filter(|v| v % 3 == 0).collect();
    kept.sort_unstable(); // the order of the warps' tickets is free
    expected.sort_unstable();
    assert_eq!(kept, expected);
}

#[test]
fn matmul_mma() {
    let program = Program::load("warps/matmul_mma");
    let k = 48;
    let a = random(8, 16 * k, |w| bf16::from_f32(unit(w)));
    let b = random(9, 8 * k, |w| bf16::from_f32(unit(w)));
    let device_a = program.stream.clone_htod(&a).unwrap();
    let device_b = program.stream.clone_htod(&b).unwrap();
    let mut c = program.stream.alloc_zeros::<f32>(16 * 8).unwrap();
    launch!(program, "matmul_mma", 1, 32; &device_a, &device_b, &mut c, &(k as i32));
    let c = program.stream.clone_dtoh(&c).unwrap();
    for i in 0..16 {
        for j in 0..8 {
            let terms = (0..k).map(|l| a[i * k + l].to_f64() * b[j * k + l].to_f64());
            let (sum, magnitude) = terms.fold((0.0, 0.0), |(sum, m), t| (sum + t, m + f64::abs(t)));
            // The ISA promises no more than truncation to f32 once for each block of products; 6 blocks of 8 here.
            assert!((f64::from(c[i * 8 + j]) - sum).abs() <= 6.0 * 2f64.powi(-22) * magnitude, "row {i}, column {j}");
        }
    }
}
