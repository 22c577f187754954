//! Programs of one block's threads: shared memory, barriers, tiles.

use crate::support::{Program, random, unit};

#[test]
fn reduce_sum() {
    let program = Program::load("blocks/reduce_sum");
    let x = random(1, 10_007, |w| w as i32);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut partials = program.stream.alloc_zeros::<i64>(7).unwrap();
    launch!(program, "reduce_sum", 7, 128; &device_x, &mut partials, &(x.len() as u32));
    let sum: i64 = program.stream.clone_dtoh(&partials).unwrap().iter().sum();
    assert_eq!(sum, x.iter().map(|&v| i64::from(v)).sum::<i64>());
}

#[test]
fn scan_block() {
    let program = Program::load("blocks/scan_block");
    let x = random(2, 3 * 256, |w| w as u32);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<u32>(x.len()).unwrap();
    launch!(program, "scan_block", 3, 256; &device_x, &mut y);
    let expected: Vec<u32> = x
        .chunks(256)
        .flat_map(|block| {
            block.iter().scan(0u32, |sum, &v| {
                *sum = sum.wrapping_add(v);
                Some(*sum)
            })
        })
        .collect();
    assert_eq!(program.stream.clone_dtoh(&y).unwrap(), expected);
}

#[test]
fn transpose() {
    let program = Program::load("blocks/transpose");
    let (rows, columns) = (45u32, 70u32);
    let x = random(3, (rows * columns) as usize, unit);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<f32>(x.len()).unwrap();
    launch!(program, "transpose", (columns.div_ceil(32), rows.div_ceil(32)), (32, 8); &device_x, &mut y, &rows, &columns);
    let y = program.stream.clone_dtoh(&y).unwrap();
    for i in 0..rows as usize {
        for j in 0..columns as usize {
            assert_eq!(y[j * rows as usize + i], x[i * columns as usize + j], "row {i}, column {j}");
        }
    }
}

#[test]
fn histogram() {
    let program = Program::load("blocks/histogram");
    let x = random(4, 20_011, |w| (w % 251) as u8);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut bins = program.stream.alloc_zeros::<u32>(256).unwrap();
    launch!(program, "histogram", 5, 256; &device_x, &mut bins, &(x.len() as u32));
    let mut expected = vec![0; 256];
    for &v in &x {
        expected[usize::from(v)] += 1;
    }
    assert_eq!(program.stream.clone_dtoh(&bins).unwrap(), expected);
}

#[test]
fn softmax() {
    let program = Program::load("blocks/softmax");
    let (rows, columns) = (3, 1000);
    let x = random(5, rows * columns, |w| 8.0 * unit(w));
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<f32>(x.len()).unwrap();
    launch!(program, "softmax", rows as u32, 256; &device_x, &mut y, &(columns as u32));
    let y = program.stream.clone_dtoh(&y).unwrap();
    for (row, got) in x.chunks(columns).zip(y.chunks(columns)) {
        let high = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let terms: Vec<f64> = row.iter().map(|&v| (f64::from(v) - f64::from(high)).exp()).collect();
        let sum: f64 = terms.iter().sum();
        for (&got, term) in got.iter().zip(&terms) {
            // expf: 2 ulp; the sum of 1,000 positive terms in a tree of depth 17; one division.
            let expected = term / sum;
            assert!((f64::from(got) - expected).abs() <= 24.0 * 2f64.powi(-24) * expected, "{got} {expected}");
        }
    }
}

#[test]
fn bitonic_sort() {
    let program = Program::load("blocks/bitonic_sort");
    let keys = random(6, 1024, |w| (w % 700) as u32);
    let mut device_keys = program.stream.clone_htod(&keys).unwrap();
    launch!(program, "bitonic_sort", 2, 256; &mut device_keys);
    let mut expected = keys;
    expected.chunks_mut(512).for_each(<[u32]>::sort_unstable);
    assert_eq!(program.stream.clone_dtoh(&device_keys).unwrap(), expected);
}

#[test]
fn radix_sort() {
    let program = Program::load("blocks/radix_sort");
    let keys = random(7, 128, |w| (w % 50) as u32 | ((w >> 32) as u32 & 0x8000_0000));
    let values: Vec<u32> = (0..128).collect();
    let mut device_keys = program.stream.clone_htod(&keys).unwrap();
    let mut device_values = program.stream.clone_htod(&values).unwrap();
    launch!(program, "radix_sort", 1, 128; &mut device_keys, &mut device_values);
    let mut expected: Vec<(u32, u32)> = keys.into_iter().zip(values).collect();
    expected.sort_by_key(|&(key, _)| key); // stable, as the kernel's
    let (keys, values): (Vec<u32>, Vec<u32>) = expected.into_iter().unzip();
    assert_eq!(program.stream.clone_dtoh(&device_keys).unwrap(), keys);
    assert_eq!(program.stream.clone_dtoh(&device_values).unwrap(), values);
}

#[test]
fn matmul_tiled() {
    let program = Program::load("blocks/matmul_tiled");
    let (m, n, k) = (37, 21, 50);
    let (a, b) = (random(8, m * k, unit), random(9, k * n, unit));
    let device_a = program.stream.clone_htod(&a).unwrap();
    let device_b = program.stream.clone_htod(&b).unwrap();
    let mut c = program.stream.alloc_zeros::<f32>(m * n).unwrap();
    let grid = (n.div_ceil(16) as u32, m.div_ceil(16) as u32);
    launch!(program, "matmul_tiled", grid, (16, 16); &device_a, &device_b, &mut c, &(m as i32), &(n as i32), &(k as i32));
    let c = program.stream.clone_dtoh(&c).unwrap();
    for i in 0..m {
        for j in 0..n {
            let chain = (0..k).fold(0f32, |sum, l| a[i * k + l].mul_add(b[l * n + j], sum)); // the kernel's order
            assert_eq!(c[i * n + j].to_bits(), chain.to_bits(), "row {i}, column {j}");
        }
    }
}

#[test]
fn stencil() {
    let program = Program::load("blocks/stencil");
    let (n, radius) = (500usize, 3usize);
    let x = random(10, n, |w| (w % 1000) as i32);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<i32>(n).unwrap();
    let shared = (64 + 2 * radius as u32) * 4;
    launch!(program, "stencil", 8, 64, shared shared; &device_x, &mut y, &(n as i32), &(radius as i32));
    let expected: Vec<i32> = (0..n).map(|i| (0..=2 * radius).map(|r| x[(i + n + r - radius) % n]).sum()).collect();
    assert_eq!(program.stream.clone_dtoh(&y).unwrap(), expected);
}

#[test]
fn large_shared() {
    use cudarc::driver::sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    let program = Program::load("blocks/large_shared");
    let x = random(11, 24_576, |w| w as u32);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<u32>(x.len()).unwrap();
    let function = program.function("large_shared");
    function.set_attribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 98_304).unwrap();
    launch!(program, "large_shared", 1, 256, shared 98_304; &device_x, &mut y);
    let expected: Vec<u32> = x.into_iter().rev().collect();
    assert_eq!(program.stream.clone_dtoh(&y).unwrap(), expected);
}

#[test]
fn named_barriers() {
    let program = Program::load("blocks/named_barriers");
    let rounds = 5;
    let x = random(12, rounds * 32, |w| (w % 1000) as i32);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<i32>(32).unwrap();
    launch!(program, "named_barriers", 1, 96; &device_x, &mut y, &(rounds as i32));
    let expected: Vec<i32> = (0..32).map(|lane| (0..rounds).map(|r| 2 * x[r * 32 + 31 - lane]).sum()).collect();
    assert_eq!(program.stream.clone_dtoh(&y).unwrap(), expected);
}

#[test]
fn nbody() {
    let program = Program::load("blocks/nbody");
    let n = 128;
    let bodies = random(13, 4 * n, unit);
    let device_bodies = program.stream.clone_htod(&bodies).unwrap();
    let mut force = program.stream.alloc_zeros::<f32>(4 * n).unwrap();
    launch!(program, "nbody", 2, 64; &device_bodies, &mut force, &(n as i32));
    let force = program.stream.clone_dtoh(&force).unwrap();
    for (i, got) in force.chunks(4).enumerate() {
        for axis in 0..3 {
            let (mut expected, mut magnitude) = (0f64, 0f64);
            for body in bodies.chunks(4) {
                let d: Vec<f64> = (0..3).map(|a| f64::from(body[a]) - f64::from(bodies[4 * i + a])).collect();
                let square = d.iter().map(|v| v * v).sum::<f64>() + f64::from(0.01f32);
                let term = d[axis] * f64::from(body[3]) / (square * square.sqrt());
                expected += term;
                magnitude += term.abs();
            }
            // A term has about 12 roundings, rsqrt's 2 ulp cubed among them; the sum one for each body.
            let bound = (12.0 + n as f64) * 2f64.powi(-24) * magnitude;
            assert!((f64::from(got[axis]) - expected).abs() <= bound, "body {i}: {} {expected}", got[axis]);
        }
    }
}
