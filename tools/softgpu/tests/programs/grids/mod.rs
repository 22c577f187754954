//! Programs whose blocks depend on each other: tickets, locks, barriers of the grid.

use crate::support::{Program, random, unit};

#[test]
fn last_block() {
    let program = Program::load("grids/last_block");
    let x = random(1, 40 * 64, unit);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut partials = program.stream.alloc_zeros::<f32>(40).unwrap();
    let mut sum = program.stream.alloc_zeros::<f32>(1).unwrap();
    let mut ticket = program.stream.alloc_zeros::<u32>(1).unwrap();
    for _ in 0..2 {
        launch!(program, "last_block", 40, 32; &device_x, &mut partials, &mut sum, &mut ticket);
        let expected: f32 = x.chunks(64).map(|block| block.iter().sum::<f32>()).sum();
        assert_eq!(program.stream.clone_dtoh(&sum).unwrap(), [expected]);
        assert_eq!(program.stream.clone_dtoh(&ticket).unwrap(), [0]);
    }
}

#[test]
fn spin_lock() {
    let program = Program::load("grids/spin_lock");
    let mut lock = program.stream.alloc_zeros::<i32>(1).unwrap();
    let mut counter = program.stream.alloc_zeros::<u32>(1).unwrap();
    launch!(program, "spin_lock", 5, 64; &mut lock, &mut counter);
    assert_eq!(program.stream.clone_dtoh(&counter).unwrap(), [320]);
    assert_eq!(program.stream.clone_dtoh(&lock).unwrap(), [0]);
}

#[test]
fn grid_barrier() {
    let program = Program::load("grids/grid_barrier");
    let (blocks, rounds) = (12usize, 6);
    let x = random(2, blocks * 32, |w| (w % 100) as i32);
    let mut device_x = program.stream.clone_htod(&x).unwrap();
    let mut arrived = program.stream.alloc_zeros::<u32>(1).unwrap();
    launch!(program, "grid_barrier", blocks as u32, 32; &mut device_x, &mut arrived, &rounds);
    let mut expected = x;
    for _ in 0..rounds {
        let before = expected.clone();
        for (i, value) in expected.iter_mut().enumerate() {
            let b = i / 32;
            *value += before[(b + blocks - 1) % blocks * 32 + i % 32] + b as i32;
        }
    }
    assert_eq!(program.stream.clone_dtoh(&device_x).unwrap(), expected);
}

#[test]
fn look_back() {
    let program = Program::load("grids/look_back");
    let n = 40 * 64 - 5;
    let x = random(3, n, |w| w as u32);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<u32>(n).unwrap();
    let mut states = program.stream.alloc_zeros::<u64>(40).unwrap();
    let mut ticket = program.stream.alloc_zeros::<u32>(1).unwrap();
    launch!(program, "look_back", 40, 64; &device_x, &mut y, &mut states, &mut ticket, &(n as i32));
    let expected: Vec<u32> = x
        .iter()
        .scan(0u32, |sum, &v| {
            *sum = sum.wrapping_add(v);
            Some(*sum)
        })
        .collect();
    assert_eq!(program.stream.clone_dtoh(&y).unwrap(), expected);
}
