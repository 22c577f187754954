//! Each type of the tensor core, by `mma.sync` and by `nvcuda::wmma`.

use cudarc::driver::{DeviceRepr, ValidAsZeroBits};
use half::{bf16, f16};

use super::{fraction, product};
use crate::support::{Program, random};

/// An element of a type of the tensor core: its bits, and what they stand for.
type Element = (u32, f64);

fn values(elements: &[Element]) -> Vec<f64> {
    elements.iter().map(|&(_, value)| value).collect()
}

/// The words that elements of so many bits fill, the first in the lowest.
fn words(elements: &[Element], bits: usize) -> Vec<u32> {
    let word = |chunk: &[Element]| chunk.iter().enumerate().fold(0, |word, (i, &(e, _))| word | e << (bits * i));
    elements.chunks(32 / bits).map(word).collect()
}

/// Runs `matmul_name` over three steps and gives C, and what it is exactly.
fn tile<C>(
    program: &Program,
    name: &str,
    bits: usize,
    a: impl Fn(u64) -> Element,
    b: impl Fn(u64) -> Element,
) -> (Vec<f64>, Vec<f64>)
where
    C: DeviceRepr + ValidAsZeroBits + Default + Copy + Into<f64>,
{
    let (steps, k) = (3, 3 * 8 * (32 / bits));
    let (a, b) = (random(1, 16 * k, a), random(2, 8 * k, b));
    let device_a = program.stream.clone_htod(&words(&a, bits)).unwrap();
    let device_b = program.stream.clone_htod(&words(&b, bits)).unwrap();
    let mut c = program.stream.alloc_zeros::<C>(16 * 8).unwrap();
    launch!(program, &format!("matmul_{name}"), 1, 32; &device_a, &device_b, &mut c, &steps);
    let c = program.stream.clone_dtoh(&c).unwrap().into_iter().map(Into::into).collect();
    (c, product(&values(&a), &values(&b), 16, 8))
}

#[test]
fn fragments() {
    let program = Program::load("matmul/fragments");
    let narrow = |word| bf16::from_f64(fraction(word, 7));
    let half = |word| f16::from_f64(fraction(word, 8));
    let bf16 = |word| (u32::from(narrow(word).to_bits()), narrow(word).to_f64());
    let f16 = |word| (u32::from(half(word).to_bits()), half(word).to_f64());
    let tf32 = |word| ((fraction(word, 9) as f32).to_bits(), fraction(word, 9));
    let s8 = |word: u64| (word as u32 & 0xff, f64::from(word as i8));
    let u8 = |word: u64| (word as u32 & 0xff, f64::from(word as u8));
    let s4 = |word: u64| (word as u32 & 0xf, f64::from((word as i8) << 4 >> 4));
    let exact = |name, (got, expected): (Vec<f64>, Vec<f64>)| assert_eq!(got, expected, "{name}");
    let u4 = |word: u64| (word as u32 & 0xf, f64::from(word as u8 & 0xf));
    exact("bf16", tile::<f32>(&program, "bf16", 16, bf16, bf16));
    exact("f16", tile::<f32>(&program, "f16", 16, f16, f16));
    exact("tf32", tile::<f32>(&program, "tf32", 32, tf32, tf32));
    exact("s8", tile::<i32>(&program, "s8", 8, s8, s8));
    exact("s8_saturated", tile::<i32>(&program, "s8_saturated", 8, s8, s8));
    exact("u8", tile::<i32>(&program, "u8", 8, u8, u8));
    exact("u8_s8", tile::<i32>(&program, "u8_s8", 8, u8, s8));
    exact("s4", tile::<i32>(&program, "s4", 4, s4, s4));
    exact("u4", tile::<i32>(&program, "u4", 4, u4, u4));

    let k = 12;
    let (a, b) = (random(3, 8 * k, |w| fraction(w, 20)), random(4, 8 * k, |w| fraction(w, 20)));
    let (device_a, device_b) = (program.stream.clone_htod(&a).unwrap(), program.stream.clone_htod(&b).unwrap());
    let mut c = program.stream.alloc_zeros::<f64>(64).unwrap();
    launch!(program, "matmul_f64", 1, 32; &device_a, &device_b, &mut c, &(k as i32 / 4));
    assert_eq!(program.stream.clone_dtoh(&c).unwrap(), product(&a, &b, 8, 8)); // 40 bits and 4 of the sum: exact
}

/// As the operand pair of `wmma_name`, tile shape m, n, k; `to` gives an element and what it stands for.
fn wmma<E, C>(program: &Program, name: &str, [m, n, k]: [usize; 3], to: impl Fn(u64) -> (E, f64), sum: fn(f64) -> C)
where
    E: DeviceRepr + Copy,
    C: DeviceRepr + ValidAsZeroBits + Default + Copy + PartialEq + std::fmt::Debug,
{
    let (rows, columns, depth) = (2 * m, 3 * n, 3 * k);
    let (a, b) = (random(5, rows * depth, &to), random(6, columns * depth, &to));
    let c = random(7, rows * columns, |w| (w % 8) as f64);
    let elements = |of: &[(E, f64)]| of.iter().map(|&(element, _)| element).collect::<Vec<E>>();
    let numbers = |of: &[(E, f64)]| of.iter().map(|&(_, number)| number).collect::<Vec<f64>>();
    let device_a = program.stream.clone_htod(&elements(&a)).unwrap();
    let device_b = program.stream.clone_htod(&elements(&b)).unwrap();
    let device_c = program.stream.clone_htod(&c.iter().map(|&c| sum(c)).collect::<Vec<C>>()).unwrap();
    let mut d = program.stream.alloc_zeros::<C>(rows * columns).unwrap();
    launch!(
        program, &format!("wmma_{name}"), (3, 2), 32;
        &device_a, &device_b, &device_c, &mut d, &(columns as i32), &(depth as i32)
    );
    let products = product(&numbers(&a), &numbers(&b), rows, columns);
    let expected: Vec<C> = products.iter().zip(&c).map(|(&ab, &c)| sum(2.0 * (ab + c))).collect();
    assert_eq!(program.stream.clone_dtoh(&d).unwrap(), expected, "{name}");
}

#[test]
fn wmma_of_each_type() {
    let program = Program::load("matmul/wmma");
    let half = |bits| move |word| (f16::from_f64(fraction(word, bits)), fraction(word, bits));
    let f32 = |sum: f64| sum as f32;
    wmma(&program, "bf16", [16, 16, 16], |w| (bf16::from_f64(fraction(w, 7)), fraction(w, 7)), f32);
    wmma(&program, "f16", [16, 16, 16], half(8), f32);
    wmma(&program, "f16_wide", [8, 32, 16], half(8), f32);
    wmma(&program, "f16_sum16", [16, 16, 16], half(1), f16::from_f64); // multiples of 1/4 below 2^7
    wmma(&program, "tf32", [16, 16, 8], |w| (fraction(w, 9) as f32, fraction(w, 9)), f32);
    wmma(&program, "s8", [16, 16, 16], |w| (w as i8, f64::from(w as i8)), |sum| sum as i32);
    wmma(&program, "u8_tall", [32, 8, 16], |w| (w as u8, f64::from(w as u8)), |sum| sum as i32);
    wmma(&program, "f64", [8, 8, 4], |w| (fraction(w, 20), fraction(w, 20)), |sum| sum);
}

/// The value of an 8-bit float with so many bits of mantissa, for finite ones.
fn fp8(bits: u8, mantissa: i32, bias: i32) -> f64 {
    let (exponent, fraction) = (i32::from(bits & 0x7f) >> mantissa, i32::from(bits) & ((1 << mantissa) - 1));
    let (scaled, power) = if exponent == 0 { (fraction, 1) } else { (fraction | 1 << mantissa, exponent) };
    let magnitude = f64::from(scaled) * 2f64.powi(power - bias - mantissa);
    if bits & 0x80 == 0 { magnitude } else { -magnitude }
}

#[test]
fn fp8_products() {
    let Some(program) = Program::load_for("matmul/fp8", 89, "matmul::tensor_core::fp8_products") else { return };
    let e4m3 = |word: u64| {
        let bits = (word as u8 & 0x80) | ((word >> 8) as u8 % 0x7f); // all but NaN
        (u32::from(bits), fp8(bits, 3, 7))
    };
    let e5m2 = |word: u64| {
        let bits = (word as u8 & 0x80) | ((word >> 8) as u8 % 0x7c); // all finite ones
        (u32::from(bits), fp8(bits, 2, 15))
    };
    for (name, (got, expected)) in [
        ("e4m3", tile::<f32>(&program, "e4m3", 8, e4m3, e4m3)),
        ("e5m2", tile::<f32>(&program, "e5m2", 8, e5m2, e5m2)),
        ("e4m3_e5m2", tile::<f32>(&program, "e4m3_e5m2", 8, e4m3, e5m2)),
    ] {
        // Cards keep as few as 13 bits below the largest term of a step; no sum is larger than 96 of the largest product.
        let largest = expected.iter().copied().map(f64::abs).fold(0.0, f64::max);
        for (got, expected) in got.iter().zip(&expected) {
            assert!((got - expected).abs() <= 96.0 * 2f64.powi(-13) * largest, "{name}: {got} {expected}");
        }
    }
}
