//! Sparse products. The values are such that every sum is exact in f32, in any order.

use crate::support::{Program, random, unit};

/// Compressed rows: where each row's elements start, their columns ascending, their values.
struct Rows {
    starts: Vec<i32>,
    columns: Vec<i32>,
    values: Vec<f32>,
}

/// From none to about `most` elements a row, the first row empty and the last full.
fn matrix(seed: u64, rows: usize, columns: usize, most: u64) -> Rows {
    let mut word = crate::support::words(seed);
    let mut made = Rows { starts: vec![0], columns: Vec::new(), values: Vec::new() };
    for row in 0..rows {
        let wanted = if row == 0 { 0 } else { word() % most };
        for column in 0..columns {
            if row + 1 == rows || word() % (columns as u64) < wanted {
                made.columns.push(column as i32);
                made.values.push(eighth(word()));
            }
        }
        made.starts.push(made.columns.len() as i32);
    }
    made
}

/// A multiple of 1/8 in [-1, 1].
fn eighth(word: u64) -> f32 {
    (unit(word) * 8.0).round() / 8.0
}

impl Rows {
    fn row(&self, row: usize) -> impl Iterator<Item = (usize, f32)> {
        let range = self.starts[row] as usize..self.starts[row + 1] as usize;
        range.map(|i| (self.columns[i] as usize, self.values[i]))
    }
}

#[test]
fn products() {
    let program = Program::load("sparse/products");
    let (rows, columns, n, k) = (50usize, 90usize, 37usize, 24usize);
    let sparse = matrix(1, rows, columns, 40);
    let starts = program.stream.clone_htod(&sparse.starts).unwrap();
    let indices = program.stream.clone_htod(&sparse.columns).unwrap();
    let values = program.stream.clone_htod(&sparse.values).unwrap();

    let x = random(2, columns, eighth);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<f32>(rows).unwrap();
    launch!(program, "spmv", 13, 128; &starts, &indices, &values, &device_x, &mut y, &(rows as i32));
    let expected: Vec<f32> = (0..rows).map(|r| sparse.row(r).map(|(c, v)| v * x[c]).sum()).collect();
    assert_eq!(program.stream.clone_dtoh(&y).unwrap(), expected);

    let b = random(3, columns * n, eighth);
    let device_b = program.stream.clone_htod(&b).unwrap();
    let mut c = program.stream.alloc_zeros::<f32>(rows * n).unwrap();
    launch!(
        program, "spmm", (rows as u32, 2), 32;
        &starts, &indices, &values, &device_b, &mut c, &(rows as i32), &(n as i32)
    );
    let dot = |at: usize| sparse.row(at / n).map(|(c, v)| v * b[c * n + at % n]).sum::<f32>();
    assert_eq!(program.stream.clone_dtoh(&c).unwrap(), (0..rows * n).map(dot).collect::<Vec<_>>());

    let (p, q) = (random(4, rows * k, eighth), random(5, columns * k, eighth));
    let (device_p, device_q) = (program.stream.clone_htod(&p).unwrap(), program.stream.clone_htod(&q).unwrap());
    let elements = sparse.columns.len();
    let mut sampled = program.stream.alloc_zeros::<f32>(elements).unwrap();
    launch!(
        program, "sddmm", elements.div_ceil(4) as u32, 128;
        &starts, &indices, &device_p, &device_q, &mut sampled, &(rows as i32), &(k as i32)
    );
    let dot = |r: usize, c: usize| (0..k).map(|i| p[r * k + i] * q[c * k + i]).sum::<f32>();
    let expected: Vec<f32> =
        (0..rows).flat_map(|r| sparse.row(r).map(move |(c, _)| (r, c))).map(|(r, c)| dot(r, c)).collect();
    assert_eq!(program.stream.clone_dtoh(&sampled).unwrap(), expected);
}
