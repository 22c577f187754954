//! Cooperative groups of part of a warp.

use crate::support::{Program, random};

/// A value for each lane, from the lanes of its group of `width` and its place there.
fn by_tile(x: &[i32], width: usize, value: impl Fn(&[i32], usize) -> i32) -> Vec<i32> {
    x.chunks(width).flat_map(|tile| (0..tile.len()).map(|lane| value(tile, lane)).collect::<Vec<_>>()).collect()
}

#[test]
fn tiles() {
    let program = Program::load("cooperative/tiles");
    let x = random(1, 256, |w| (w % 1000) as i32);
    let n = x.len();
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut out = program.stream.alloc_zeros::<i32>(7 * n).unwrap();
    launch!(program, "tiles", 2, 128; &device_x, &mut out, &(n as i32));
    let even = |tile: &[i32]| tile.iter().enumerate().map(|(i, v)| i32::from(v % 2 == 0) << i).sum::<i32>();
    let expected = [
        by_tile(&x, 8, |tile, _| tile.iter().sum()),
        by_tile(&x, 4, |tile, _| *tile.iter().max().unwrap()),
        by_tile(&x, 8, |tile, lane| tile[..=lane].iter().sum()),
        by_tile(&x, 4, |tile, lane| tile[..lane].iter().sum()),
        by_tile(&x, 8, |tile, lane| tile[(lane + 3) % 8]),
        by_tile(&x, 128, |block, t| even(&block[t / 4 * 4..][..4]) | (t as i32 / 8) << 8),
        by_tile(&x, 8, |tile, lane| {
            i32::from(tile.iter().any(|&v| v > 900)) + 2 * i32::from(tile[lane / 4 * 4..][..4].iter().all(|&v| v < 500))
        }),
    ];
    for (kind, (got, expected)) in program.stream.clone_dtoh(&out).unwrap().chunks(n).zip(&expected).enumerate() {
        assert_eq!(got, expected, "kind {kind}");
    }
}

#[test]
fn branches() {
    let program = Program::load("cooperative/tiles");
    let x = random(2, 256, |w| (w % 1000) as i32);
    let n = x.len();
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut out = program.stream.alloc_zeros::<i32>(4 * n).unwrap();
    launch!(program, "branches", 2, 128; &device_x, &mut out, &(n as i32));
    let thirds = |warp: &[i32]| warp.iter().copied().filter(|v| v % 3 == 0).collect::<Vec<_>>();
    let expected = [
        by_tile(&x, 32, |warp, lane| if warp[lane] % 3 == 0 { thirds(warp).iter().sum() } else { -1 }),
        by_tile(&x, 32, |warp, lane| if warp[lane] % 3 == 0 { *thirds(warp).last().unwrap() } else { -1 }),
        by_tile(&x, 32, |warp, lane| *warp.iter().filter(|&v| v % 5 == warp[lane] % 5).min().unwrap()),
        by_tile(&x, 32, |warp, lane| warp.iter().filter(|&v| v % 2 == warp[lane] % 2).count() as i32),
    ];
    for (kind, (got, expected)) in program.stream.clone_dtoh(&out).unwrap().chunks(n).zip(&expected).enumerate() {
        assert_eq!(got, expected, "kind {kind}");
    }
}

#[test]
fn aggregated() {
    let program = Program::load("cooperative/tiles");
    let x = random(3, 1000, |w| (w % 10_000) as i32);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut kept = program.stream.alloc_zeros::<i32>(x.len()).unwrap();
    let mut count = program.stream.alloc_zeros::<u32>(1).unwrap();
    launch!(program, "aggregated", 8, 128; &device_x, &mut kept, &mut count, &(x.len() as i32));
    let mut expected: Vec<i32> = x.into_iter().filter(|v| v % 7 == 0).collect();
    let count = program.stream.clone_dtoh(&count).unwrap()[0] as usize;
    let mut kept = program.stream.clone_dtoh(&kept).unwrap()[..count].to_vec();
    kept.sort_unstable(); // in the order in which the warps came
    expected.sort_unstable();
    assert_eq!(kept, expected);
}
