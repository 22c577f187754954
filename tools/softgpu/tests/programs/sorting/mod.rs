//! Sorting, merging and selecting.

use crate::support::{Program, random, unit};

#[test]
fn radix_digits() {
    let program = Program::load("sorting/radix_digits");
    let (n, blocks) = (1500usize, 12u32);
    let keys = random(1, n, |w| (w % 5000) as u32 * 0x0010_0401);
    let values: Vec<u32> = (0..n as u32).collect();
    let mut device_keys = program.stream.clone_htod(&keys).unwrap();
    let mut device_values = program.stream.clone_htod(&values).unwrap();
    let mut counts = program.stream.alloc_zeros::<u32>(16 * blocks as usize).unwrap();
    for shift in (0..32).step_by(4) {
        let mut sorted_keys = program.stream.alloc_zeros::<u32>(n).unwrap();
        let mut sorted_values = program.stream.alloc_zeros::<u32>(n).unwrap();
        launch!(program, "count", blocks, 128; &device_keys, &mut counts, &(n as i32), &shift);
        launch!(program, "exclusive_sums", 1, 128; &mut counts, &(16 * blocks as i32));
        launch!(
            program, "scatter", blocks, 128;
            &device_keys, &device_values, &counts, &mut sorted_keys, &mut sorted_values, &(n as i32), &shift
        );
        (device_keys, device_values) = (sorted_keys, sorted_values);
    }
    let mut expected: Vec<(u32, u32)> = keys.into_iter().zip(values).collect();
    expected.sort_by_key(|&(key, _)| key); // stable, as each pass of the kernel is
    let (keys, values): (Vec<u32>, Vec<u32>) = expected.into_iter().unzip();
    assert_eq!(program.stream.clone_dtoh(&device_keys).unwrap(), keys);
    assert_eq!(program.stream.clone_dtoh(&device_values).unwrap(), values);
}

#[test]
fn top_k() {
    let program = Program::load("sorting/top_k");
    let (rows, columns, k) = (3usize, 700usize, 40usize);
    let mut x = random(2, rows * columns, |w| (unit(w) * 64.0).round() / 8.0); // with many ties
    x[5] = f32::INFINITY;
    x[6] = f32::NEG_INFINITY;
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut values = program.stream.alloc_zeros::<f32>(rows * k).unwrap();
    let mut indices = program.stream.alloc_zeros::<i32>(rows * k).unwrap();
    launch!(program, "top_k", rows as u32, 256; &device_x, &mut values, &mut indices, &(columns as i32), &(k as i32));
    let values = program.stream.clone_dtoh(&values).unwrap();
    let indices = program.stream.clone_dtoh(&indices).unwrap();
    for (row, x) in x.chunks(columns).enumerate() {
        let mut expected: Vec<i32> = (0..columns as i32).collect();
        expected.sort_by(|&i, &j| x[j as usize].total_cmp(&x[i as usize])); // stable: ties by index; -0 below 0
        expected.truncate(k);
        expected.sort_unstable();
        assert_eq!(indices[row * k..][..k], expected, "row {row}");
        let expected: Vec<f32> = expected.iter().map(|&i| x[i as usize]).collect();
        assert_eq!(values[row * k..][..k], expected, "row {row}");
    }
}

#[test]
fn quicksort() {
    let program = Program::load("sorting/quicksort");
    let length = 120;
    let mut x = random(3, 64 * length, |w| (w % 500) as i32 - 250);
    x[..length].sort_unstable();
    x[length..2 * length].fill(7);
    let mut device_x = program.stream.clone_htod(&x).unwrap();
    launch!(program, "quicksort", 2, 32; &mut device_x, &(length as i32));
    x.chunks_mut(length).for_each(<[i32]>::sort_unstable);
    assert_eq!(program.stream.clone_dtoh(&device_x).unwrap(), x);
}

#[test]
fn merge_path() {
    let program = Program::load("sorting/merge_path");
    let mut a = random(4, 300, |w| (w % 400) as i32);
    let mut b = random(5, 517, |w| (w % 900) as i32);
    a.sort_unstable();
    b.sort_unstable();
    let device_a = program.stream.clone_htod(&a).unwrap();
    let device_b = program.stream.clone_htod(&b).unwrap();
    let mut merged = program.stream.alloc_zeros::<i32>(a.len() + b.len()).unwrap();
    launch!(
        program, "merge_path", 2, 64;
        &device_a, &(a.len() as i32), &device_b, &(b.len() as i32), &mut merged, &7
    );
    let mut expected = [a, b].concat();
    expected.sort_unstable();
    assert_eq!(program.stream.clone_dtoh(&merged).unwrap(), expected);
}

#[test]
fn odd_even() {
    let program = Program::load("sorting/odd_even");
    let mut x = random(6, 128, |w| w as i32);
    let mut device_x = program.stream.clone_htod(&x).unwrap();
    launch!(program, "odd_even", 2, 64; &mut device_x);
    x.chunks_mut(32).for_each(<[i32]>::sort_unstable);
    assert_eq!(program.stream.clone_dtoh(&device_x).unwrap(), x);
}
