//! Transforms, sequences and searches.

use std::f64::consts::PI;

use crate::support::{Program, random, unit};

/// Half an ulp of 1 in f32.
const U: f64 = 1.0 / (1 << 24) as f64;

#[test]
fn fft() {
    let program = Program::load("signals/fft");
    let n = 512;
    let x = random(1, 2 * 2 * n, unit);
    let device_x = program.stream.clone_htod(&x).unwrap();
    for sign in [-1.0f32, 1.0] {
        let mut y = program.stream.alloc_zeros::<f32>(x.len()).unwrap();
        launch!(program, "fft", 2, 256; &device_x, &mut y, &sign);
        let y = program.stream.clone_dtoh(&y).unwrap();
        for (x, y) in x.chunks(2 * n).zip(y.chunks(2 * n)) {
            let size: f64 = x.chunks(2).map(|z| f64::from(z[0]).hypot(f64::from(z[1]))).sum();
            for k in 0..n {
                let (mut real, mut imaginary) = (0.0, 0.0);
                for (j, z) in x.chunks(2).enumerate() {
                    let (sine, cosine) = (f64::from(sign) * 2.0 * PI * (j * k % n) as f64 / n as f64).sin_cos();
                    real += f64::from(z[0]) * cosine - f64::from(z[1]) * sine;
                    imaginary += f64::from(z[0]) * sine + f64::from(z[1]) * cosine;
                }
                let error = (f64::from(y[2 * k]) - real).hypot(f64::from(y[2 * k + 1]) - imaginary);
                // A round turns by factors with 2 ulp each, multiplies and adds: no more than 8 roundings of the sum of
                // magnitudes, which no partial sum exceeds.
                assert!(error <= 9.0 * 8.0 * U * size, "point {k}: off by {error}");
            }
        }
    }
}

#[test]
fn dct() {
    let program = Program::load("signals/dct");
    let (height, width) = (24usize, 40usize);
    let cosines: Vec<f64> = (0..64)
        .map(|at| {
            let (k, i) = (at / 8, at % 8);
            let scale: f64 = if k == 0 { 0.125f64.sqrt() } else { 0.5 };
            scale * ((2 * i + 1) as f64 * k as f64 * PI / 16.0).cos()
        })
        .collect();
    let bytes: Vec<u8> = cosines.iter().flat_map(|&c| (c as f32).to_le_bytes()).collect();
    let mut symbol = program.module.get_global("cosines", &program.stream).unwrap();
    program.stream.memcpy_htod(&bytes, &mut symbol).unwrap();
    let x = random(2, height * width, |w| (unit(w) * 128.0).floor());
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<f32>(x.len()).unwrap();
    launch!(program, "dct", (width as u32 / 8, height as u32 / 8), (8, 8); &device_x, &mut y, &(width as i32));
    let y = program.stream.clone_dtoh(&y).unwrap();
    for (at, got) in y.into_iter().enumerate() {
        let (row, column) = (at / width, at % width);
        let (mut expected, mut magnitude) = (0.0, 0.0);
        for i in 0..8 {
            for j in 0..8 {
                let pixel = f64::from(x[(row / 8 * 8 + i) * width + column / 8 * 8 + j]);
                let term = pixel * cosines[row % 8 * 8 + i] * cosines[column % 8 * 8 + j];
                expected += term;
                magnitude += term.abs();
            }
        }
        // Two sums of 8 and two rounded cosines a term.
        assert!((f64::from(got) - expected).abs() <= 19.0 * U * magnitude, "{row}, {column}: {got} {expected}");
    }
}

#[test]
fn hadamard() {
    let program = Program::load("signals/hadamard");
    let n = 1024usize;
    let x = random(3, 2 * n, |w| (w % 2000) as i32 - 1000);
    let mut device_x = program.stream.clone_htod(&x).unwrap();
    launch!(program, "hadamard", 2, 256; &mut device_x);
    let y = program.stream.clone_dtoh(&device_x).unwrap();
    for (x, y) in x.chunks(n).zip(y.chunks(n)) {
        for (k, &got) in y.iter().enumerate() {
            let signed = |(i, &x): (usize, &i32)| if (i & k).count_ones() % 2 == 0 { x } else { -x };
            assert_eq!(got, x.iter().enumerate().map(signed).sum::<i32>(), "row {k} of the matrix");
        }
    }
}

#[test]
fn sobol() {
    let program = Program::load("signals/sobol");
    // The first dimension is van der Corput's; the second has the polynomial x + 1: m_k = 2 m_(k-1) ^ m_(k-1).
    let first = (0..32).map(|k| 1u32 << (31 - k));
    let second = (0..32).scan(1u64, |m, k| {
        let direction = (*m << (31 - k)) as u32;
        *m ^= *m << 1;
        Some(direction)
    });
    let directions: Vec<u32> = first.chain(second).collect();
    let n = 1000usize;
    let device_directions = program.stream.clone_htod(&directions).unwrap();
    let mut points = program.stream.alloc_zeros::<f32>(2 * n).unwrap();
    launch!(program, "sobol", (3, 2), 64; &device_directions, &mut points, &(n as i32));
    let points = program.stream.clone_dtoh(&points).unwrap();
    for (dimension, points) in points.chunks(n).enumerate() {
        let mut word = 0u32;
        for (i, &got) in points.iter().enumerate() {
            assert_eq!(got, (word >> 8) as f32 / (1 << 24) as f32, "point {i} of dimension {dimension}");
            word ^= directions[32 * dimension + (!(i as u32)).trailing_zeros() as usize]; // the next point, in order
        }
    }
    let mut cells = [0; 64];
    for i in 0..64 {
        cells[(points[i] * 8.0) as usize * 8 + (points[n + i] * 8.0) as usize] += 1;
    }
    assert_eq!(cells, [1; 64], "64 points, one in each cell of an eighth");
}

#[test]
fn string_search() {
    let program = Program::load("signals/string_search");
    let text = random(4, 1500, |w| b'a' + (w % 3) as u8);
    let words: Vec<u32> = text.chunks(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect();
    let pattern = *b"abca";
    let device_text = program.stream.clone_htod(&words).unwrap();
    let mut matches = program.stream.alloc_zeros::<u32>(words.len()).unwrap();
    let mut count = program.stream.alloc_zeros::<u32>(1).unwrap();
    launch!(
        program, "string_search", 3, 128;
        &device_text, &(words.len() as u32), &u32::from_le_bytes(pattern), &mut matches, &mut count
    );
    let matches = program.stream.clone_dtoh(&matches).unwrap();
    let found: Vec<usize> = (0..text.len()).filter(|&i| matches[i / 4] >> (i % 4) & 1 == 1).collect();
    let expected: Vec<usize> = text.windows(4).enumerate().filter(|(_, w)| *w == pattern).map(|(i, _)| i).collect();
    assert_eq!(found, expected);
    assert_eq!(program.stream.clone_dtoh(&count).unwrap(), [expected.len() as u32]);
}
