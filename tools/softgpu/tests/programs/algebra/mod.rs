//! Linear algebra and integers of many words.

use num_bigint::BigUint;

use crate::support::{Program, random, unit};

#[test]
fn cholesky() {
    const N: usize = 32;
    const U: f64 = 1.0 / (1 << 24) as f64;
    let program = Program::load("algebra/cholesky");
    let half = random(1, 2 * N * N, unit);
    // B B' + I, exactly symmetric.
    let matrices: Vec<f32> = (0..2 * N * N)
        .map(|at| {
            let (m, i, j) = (at / (N * N), at / N % N, at % N);
            let row = |r: usize| &half[m * N * N + r * N..][..N];
            row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum::<f32>() + if i == j { 1.0 } else { 0.0 }
        })
        .collect();
    let sides = random(2, 2 * N, unit);
    let device_matrices = program.stream.clone_htod(&matrices).unwrap();
    let device_sides = program.stream.clone_htod(&sides).unwrap();
    let mut factors = program.stream.alloc_zeros::<f32>(matrices.len()).unwrap();
    let mut solutions = program.stream.alloc_zeros::<f32>(sides.len()).unwrap();
    launch!(program, "cholesky", 2, (32, 32); &device_matrices, &mut factors, &device_sides, &mut solutions);
    let factors = program.stream.clone_dtoh(&factors).unwrap();
    let solutions = program.stream.clone_dtoh(&solutions).unwrap();
    for m in 0..2 {
        let l = |i: usize, j: usize| f64::from(factors[m * N * N + i * N + j]);
        let mut sizes = vec![0.0; N * N];
        for i in 0..N {
            for j in 0..N {
                assert!(j <= i || l(i, j) == 0.0, "above the diagonal");
                let terms = (0..N).map(|k| l(i, k) * l(j, k));
                let (sum, size) = terms.fold((0.0, 0.0), |(s, m), t| (s + t, m + f64::abs(t)));
                // The backward error of the factor: no more than n + 1 roundings of |L| |L'|.
                let a = f64::from(matrices[m * N * N + i * N + j]);
                assert!((sum - a).abs() <= (N + 1) as f64 * 1.01 * U * size, "matrix {m}: {i}, {j}");
                sizes[i * N + j] = size;
            }
        }
        for i in 0..N {
            let x = |j: usize| f64::from(solutions[m * N + j]);
            let residual: f64 = (0..N).map(|j| f64::from(matrices[m * N * N + i * N + j]) * x(j)).sum::<f64>()
                - f64::from(sides[m * N + i]);
            // Of the solution: 3 n + 1 of |L| |L'| |x|.
            let size: f64 = (0..N).map(|j| sizes[i * N + j] * x(j).abs()).sum();
            assert!(residual.abs() <= (3 * N + 1) as f64 * 1.01 * U * size, "matrix {m}: side {i}: {residual}");
        }
    }
}

#[test]
fn qr() {
    const ROWS: usize = 6;
    const COLUMNS: usize = 4;
    let program = Program::load("algebra/qr");
    let count = 40;
    let matrices = random(3, count * ROWS * COLUMNS, |w| f64::from(unit(w)));
    let device_matrices = program.stream.clone_htod(&matrices).unwrap();
    let mut r = program.stream.alloc_zeros::<f64>(matrices.len()).unwrap();
    let mut q = program.stream.alloc_zeros::<f64>(count * ROWS * ROWS).unwrap();
    launch!(program, "qr", 1, 64; &device_matrices, &mut r, &mut q, &(count as i32));
    let (r, q) = (program.stream.clone_dtoh(&r).unwrap(), program.stream.clone_dtoh(&q).unwrap());
    // Each of 4 reflections rounds some ten times, of columns of norm below 3.
    let bound = 40.0 * 3.0 * f64::EPSILON;
    for ((a, r), q) in matrices.chunks(ROWS * COLUMNS).zip(r.chunks(ROWS * COLUMNS)).zip(q.chunks(ROWS * ROWS)) {
        for i in 0..ROWS {
            for j in 0..COLUMNS {
                let product: f64 = (0..ROWS).map(|k| q[i * ROWS + k] * r[k * COLUMNS + j]).sum();
                assert!((product - a[i * COLUMNS + j]).abs() <= bound, "Q R at {i}, {j}");
                assert!(i <= j || r[i * COLUMNS + j].abs() <= bound, "R at {i}, {j}");
            }
            for j in 0..ROWS {
                let dot: f64 = (0..ROWS).map(|k| q[i * ROWS + k] * q[j * ROWS + k]).sum();
                assert!((dot - f64::from(u8::from(i == j))).abs() <= bound, "Q Q' at {i}, {j}");
            }
        }
    }
}

#[test]
fn jacobi() {
    let program = Program::load("algebra/jacobi");
    let n = 21usize;
    let f = random(4, n * n, |w| f64::from(unit(w)));
    let device_f = program.stream.clone_htod(&f).unwrap();
    let mut device_u = program.stream.alloc_zeros::<f64>(n * n).unwrap();
    let mut u = vec![0.0; n * n];
    for sweep in 0..8 {
        let mut next = program.stream.alloc_zeros::<f64>(n * n).unwrap();
        let mut change = program.stream.alloc_zeros::<u64>(1).unwrap();
        launch!(program, "jacobi", (3, 3), (8, 8); &device_u, &device_f, &mut next, &mut change, &(n as i32));
        let value = |at: usize| {
            let (row, column) = (at / n, at % n);
            let up = if row > 0 { u[at - n] } else { 0.0 };
            let down = if row < n - 1 { u[at + n] } else { 0.0 };
            let left = if column > 0 { u[at - 1] } else { 0.0 };
            let right = if column < n - 1 { u[at + 1] } else { 0.0 };
            ((up + down) + (left + right) + f[at]) * 0.25
        };
        let expected: Vec<f64> = (0..n * n).map(value).collect();
        let largest = expected.iter().zip(&u).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert_eq!(program.stream.clone_dtoh(&next).unwrap(), expected, "sweep {sweep}");
        assert_eq!(f64::from_bits(program.stream.clone_dtoh(&change).unwrap()[0]), largest, "sweep {sweep}");
        (u, device_u) = (expected, next);
    }
}

#[test]
fn conjugate_gradient() {
    let program = Program::load("algebra/conjugate_gradient");
    let n = 128;
    let b = random(5, n, |w| f64::from(unit(w)));
    let device_b = program.stream.clone_htod(&b).unwrap();
    let mut x = program.stream.alloc_zeros::<f64>(n).unwrap();
    launch!(program, "conjugate_gradient", 1, 128; &device_b, &mut x, &200);
    let x = program.stream.clone_dtoh(&x).unwrap();
    let largest = x.iter().copied().map(f64::abs).fold(0.0, f64::max);
    for i in 0..n {
        let left = if i > 0 { x[i - 1] } else { 0.0 };
        let right = if i < n - 1 { x[i + 1] } else { 0.0 };
        // What 200 steps leave is rounding: a few ulp of the solution a step.
        let residual = (2.0 * x[i] - left - right - b[i]).abs();
        assert!(residual <= 200.0 * 8.0 * f64::EPSILON * largest, "row {i}: {residual} of {largest}");
    }
}

fn number(words: &[u32]) -> BigUint {
    BigUint::from_slice(words)
}

#[test]
fn bigint() {
    let program = Program::load("algebra/bigint");
    let mut a = random(6, 4 * 32, |w| w as u32);
    let mut b = random(7, 4 * 32, |w| w as u32);
    // A carry through all words, one through the middle, and none.
    a[..32].fill(!0);
    b[..32].fill(0);
    b[0] = 1;
    (32..64).for_each(|i| b[i] = if i < 40 { 1 } else { !a[i] });
    let (device_a, device_b) = (program.stream.clone_htod(&a).unwrap(), program.stream.clone_htod(&b).unwrap());
    let mut sum = program.stream.alloc_zeros::<u32>(a.len()).unwrap();
    let mut overflow = program.stream.alloc_zeros::<u32>(4).unwrap();
    launch!(program, "add", 2, 64; &device_a, &device_b, &mut sum, &mut overflow);
    let sum = program.stream.clone_dtoh(&sum).unwrap();
    let overflow = program.stream.clone_dtoh(&overflow).unwrap();
    for (i, &overflow) in overflow.iter().enumerate() {
        let words = 32 * i..32 * (i + 1);
        let got = number(&[&sum[words.clone()], &[overflow]].concat());
        assert_eq!(got, number(&a[words.clone()]) + number(&b[words]), "number {i}");
    }

    let words = 128usize;
    let mut product = program.stream.alloc_zeros::<u32>(2 * words).unwrap();
    let shared = 2 * 2 * words as u32 * 8;
    launch!(
        program, "multiply", 1, 2 * words as u32, shared shared;
        &device_a, &device_b, &mut product, &(words as i32)
    );
    assert_eq!(number(&program.stream.clone_dtoh(&product).unwrap()), number(&a) * number(&b));
}
