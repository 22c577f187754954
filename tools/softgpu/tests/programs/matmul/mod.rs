//! Matrix products: each type of the tensor core, and the tilings of libraries.

mod tensor_core;

use half::bf16;

use crate::support::{Program, Record, random, unit};

/// Multiples of 2^-bits in [-1, 1): products of two, and short sums of those, are exact in f32.
fn fraction(word: u64, bits: u32) -> f64 {
    ((word >> 13) % (2 << bits)) as f64 / f64::from(1 << bits) - 1.0
}

/// C = A B' for A \[m, k\] and B \[n, k\].
fn product(a: &[f64], b: &[f64], m: usize, n: usize) -> Vec<f64> {
    let k = a.len() / m;
    let dot = |i: usize, j: usize| (0..k).map(|l| a[i * k + l] * b[j * k + l]).sum();
    (0..m * n).map(|at| dot(at / n, at % n)).collect()
}

#[test]
fn three_stages() {
    let program = Program::load("matmul/three_stages");
    for (m, n, k) in [(128, 256, 32), (256, 128, 160)] {
        let a = random(8, m * k, |w| bf16::from_f64(fraction(w, 7)));
        let b = random(9, n * k, |w| bf16::from_f64(fraction(w, 7)));
        let (device_a, device_b) = (program.stream.clone_htod(&a).unwrap(), program.stream.clone_htod(&b).unwrap());
        let mut c = program.stream.alloc_zeros::<f32>(m * n).unwrap();
        let grid = (n as u32 / 128, m as u32 / 128);
        let record: Record = launch!(
            program, "three_stages", grid, 256; &device_a, &device_b, &mut c, &(n as i32), &(k as i32)
        );
        let numbers = |of: &[bf16]| of.iter().map(|x| x.to_f64()).collect::<Vec<f64>>();
        let expected = product(&numbers(&a), &numbers(&b), m, n);
        let c = program.stream.clone_dtoh(&c).unwrap();
        for (at, (&got, expected)) in c.iter().zip(expected).enumerate() {
            assert_eq!(f64::from(got), expected, "row {}, column {}", at / n, at % n);
        }
        let counters = &record.launches[0].counters;
        assert_eq!(counters.tensor["m16n8k16.bf16"], (m * n * k / (16 * 8 * 16)) as u64);
        assert_eq!(counters.shared.conflicts, 0); // what the swizzle is for
        assert_eq!(counters.global_loads.moved_bytes(), 2 * (m * n / 128 * k * 2) as u64); // each tile by its block
    }
}

#[test]
fn split_k() {
    let program = Program::load("matmul/split_k");
    let (m, n, k, parts) = (37usize, 21usize, 500usize, 7u32);
    let (a, b) = (random(10, m * k, unit), random(11, k * n, unit));
    let (device_a, device_b) = (program.stream.clone_htod(&a).unwrap(), program.stream.clone_htod(&b).unwrap());
    let grid = [n.div_ceil(16) as u32, m.div_ceil(16) as u32, parts];
    let mut partials = program.stream.alloc_zeros::<f32>(parts as usize * m * n).unwrap();
    let mut arrived = program.stream.alloc_zeros::<u32>((grid[0] * grid[1]) as usize).unwrap();
    let mut c = program.stream.alloc_zeros::<f32>(m * n).unwrap();
    launch!(
        program, "split_k", grid, (16, 16);
        &device_a, &device_b, &mut partials, &mut arrived, &mut c, &(m as i32), &(n as i32), &(k as i32)
    );
    let c = program.stream.clone_dtoh(&c).unwrap();
    let length = k.div_ceil(parts as usize);
    for i in 0..m {
        for j in 0..n {
            let chain = |part: usize| {
                let range = part * length..((part + 1) * length).min(k);
                range.fold(0f32, |sum, l| a[i * k + l].mul_add(b[l * n + j], sum))
            };
            let expected = (0..parts as usize).fold(0f32, |sum, part| sum + chain(part));
            assert_eq!(c[i * n + j].to_bits(), expected.to_bits(), "row {i}, column {j}");
        }
    }
}
