//! Layers of neural networks, against f64.

use half::bf16;

use crate::support::{Program, random, unit};

/// Half an ulp of 1 in f32.
const U: f64 = 1.0 / (1 << 24) as f64;

#[test]
fn layer_norm() {
    let program = Program::load("networks/layer_norm");
    let (rows, columns, epsilon) = (10usize, 333usize, 1e-5f32);
    let x = random(1, rows * columns, |w| 4.0 * unit(w) + 1.0);
    let (weight, bias) = (random(2, columns, unit), random(3, columns, unit));
    let device_x = program.stream.clone_htod(&x).unwrap();
    let (device_weight, device_bias) =
        (program.stream.clone_htod(&weight).unwrap(), program.stream.clone_htod(&bias).unwrap());
    let mut y = program.stream.alloc_zeros::<f32>(x.len()).unwrap();
    launch!(
        program, "layer_norm", 3, (32, 4);
        &device_x, &device_weight, &device_bias, &mut y, &(rows as i32), &(columns as i32), &epsilon
    );
    let y = program.stream.clone_dtoh(&y).unwrap();
    for (row, y) in x.chunks(columns).zip(y.chunks(columns)) {
        let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
        let mean = row.iter().sum::<f64>() / columns as f64;
        let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / columns as f64;
        let scale = 1.0 / (variance + f64::from(epsilon)).sqrt();
        for (i, &got) in y.iter().enumerate() {
            let (w, b) = (f64::from(weight[i]), f64::from(bias[i]));
            let expected = (row[i] - mean) * scale * w + b;
            // 11 steps of a lane and 5 merges, a handful of roundings each: below 100 of values up to 5 in the mean, and
            // relative ones in the variance.
            let bound = 100.0 * U * (5.0 + (row[i] - mean).abs()) * scale * w.abs() + 2.0 * U * expected.abs();
            assert!((f64::from(got) - expected).abs() <= bound, "column {i}: {got} {expected}");
        }
    }
}

#[test]
fn attention() {
    const WIDTH: usize = 64;
    let program = Program::load("networks/attention");
    let scale = 0.125f32;
    for (heads, length, causal) in [(2usize, 150usize, false), (1, 128, true), (1, 70, true)] {
        let n = heads * length * WIDTH;
        let [q, k, v] = [4, 5, 6].map(|seed| random(seed, n, |w| bf16::from_f32(2.0 * unit(w))));
        let [device_q, device_k, device_v] = [&q, &k, &v].map(|x| program.stream.clone_htod(x).unwrap());
        let mut out = program.stream.alloc_zeros::<f32>(n).unwrap();
        let grid = (length.div_ceil(64) as u32, heads as u32);
        launch!(
            program, "attention", grid, 128;
            &device_q, &device_k, &device_v, &mut out, &(length as i32), &i32::from(causal), &scale
        );
        let out = program.stream.clone_dtoh(&out).unwrap();
        let at = |x: &[bf16], head: usize, row: usize| -> Vec<f64> {
            x[(head * length + row) * WIDTH..][..WIDTH].iter().map(|x| x.to_f64()).collect()
        };
        for head in 0..heads {
            for row in 0..length {
                let (query, seen) = (at(&q, head, row), if causal { row + 1 } else { length });
                let products: Vec<(f64, f64)> = (0..seen)
                    .map(|key| {
                        let terms = query.iter().zip(at(&k, head, key)).map(|(q, k)| q * k);
                        terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + f64::abs(t)))
                    })
                    .collect();
                let scores: Vec<f64> = products.iter().map(|&(sum, _)| sum * f64::from(scale)).collect();
                let size = products.iter().map(|&(_, size)| size * f64::from(scale)).fold(0.0, f64::max);
                let high = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let p: Vec<f64> = scores.iter().map(|score| (score - high).exp()).collect();
                let total: f64 = p.iter().sum();
                for column in 0..WIDTH {
                    let terms = p.iter().enumerate().map(|(key, p)| p / total * at(&v, head, key)[column]);
                    let (expected, magnitude) = terms.fold((0.0, 0.0), |(s, m), t| (s + t, m + f64::abs(t)));
                    // A probability is rounded to bf16; its score was truncated for each 8 products, 8 times, which the
                    // exponential takes for a relative error, here and in the total; then the second product, likewise,
                    // and a rescaling each tile.
                    let relative =
                        2f64.powi(-8) + 2.0 * (8.0 * 4.0 * U * size + 8.0 * U) + (length as f64 / 2.0 + 32.0) * U;
                    let got = f64::from(out[(head * length + row) * WIDTH + column]);
                    assert!(
                        (got - expected).abs() <= 1.01 * relative * magnitude,
                        "row {row}, {column}: {got} {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn convolution() {
    let program = Program::load("networks/convolution");
    let (channels, filters, height, width) = (3usize, 4usize, 21usize, 30usize);
    // Multiples of 1/64 below 1: 27 products are exact in f32, in any order.
    let coarse = |w| (unit(w) * 64.0).floor() / 64.0;
    let weights = random(7, filters * channels * 9, coarse);
    let x = random(8, channels * height * width, coarse);
    let mut symbol = program.module.get_global("filters", &program.stream).unwrap();
    let bytes: Vec<u8> = weights.iter().flat_map(|w| w.to_le_bytes()).collect();
    program.stream.memcpy_htod(&bytes, &mut symbol).unwrap();
    let device_x = program.stream.clone_htod(&x).unwrap();
    for stride in [1usize, 2] {
        let (rows, columns) = (height.div_ceil(stride), width.div_ceil(stride));
        let mut y = program.stream.alloc_zeros::<f32>(filters * rows * columns).unwrap();
        let grid = (columns.div_ceil(8) as u32, rows.div_ceil(8) as u32);
        let kernel = format!("convolution_{stride}");
        launch!(program, &kernel, grid, (8, 8); &device_x, &mut y, &(height as i32), &(width as i32));
        let y = program.stream.clone_dtoh(&y).unwrap();
        for (at, got) in y.into_iter().enumerate() {
            let (filter, row, column) = (at / (rows * columns), at / columns % rows, at % columns);
            let tap = |i: usize| {
                let (c, r, s) = (i / 9, row * stride + i / 3 % 3, column * stride + i % 3); // shifted by the padding
                let inside = (1..=height).contains(&r) && (1..=width).contains(&s);
                if inside { x[(c * height + r - 1) * width + s - 1] * weights[filter * channels * 9 + i] } else { 0.0 }
            };
            assert_eq!(got, (0..channels * 9).map(tap).sum::<f32>(), "filter {filter}, {row}, {column}");
        }
    }
}
