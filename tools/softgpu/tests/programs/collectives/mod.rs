//! CUB's collectives of a warp and of a block, called from kernels. Its device-wide algorithms launch kernels through the
//! runtime API, which the device does not have.

use cudarc::driver::{DeviceRepr, ValidAsZeroBits};

use crate::support::{Program, random, unit};

/// What is reduced, scanned and sorted.
trait Item: DeviceRepr + ValidAsZeroBits + Copy + PartialOrd + std::fmt::Debug {
    const ZERO: Self;
    /// Sums of a few hundred are exact, or wrap.
    fn of(word: u64) -> Self;
    fn plus(self, other: Self) -> Self;

    fn larger(self, other: Self) -> Self {
        if self < other { other } else { self }
    }
}

macro_rules! items {
    ($($type:ty: $zero:literal, $of:expr, $plus:expr;)*) => {$(
        impl Item for $type {
            const ZERO: Self = $zero;
            fn of(word: u64) -> Self {
                let of: fn(u64) -> Self = $of;
                of(word)
            }
            fn plus(self, other: Self) -> Self {
                let plus: fn(Self, Self) -> Self = $plus;
                plus(self, other)
            }
        }
    )*};
}

items! {
    i32: 0, |w| w as i32, |a, b| a.wrapping_add(b);
    i64: 0, |w| w as i64, |a, b| a.wrapping_add(b);
    u8: 0, |w| w as u8, |a, b| a.wrapping_add(b);
    i16: 0, |w| w as i16, |a, b| a.wrapping_add(b);
    u32: 0, |w| w as u32, |a, b| a.wrapping_add(b);
    u64: 0, |w| w, |a, b| a.wrapping_add(b);
    f32: 0.0, |w| (unit(w) * 1024.0).floor() / 1024.0, |a, b| a + b;
    f64: 0.0, |w| f64::from(unit(w)), |a, b| a + b;
}

fn sum<T: Item>(items: &[T]) -> T {
    items.iter().fold(T::ZERO, |sum, &item| sum.plus(item))
}

fn largest<T: Item>(items: &[T]) -> T {
    items.iter().copied().reduce(T::larger).unwrap_or(T::ZERO)
}

/// Sums up to and with each item.
fn inclusive_sums<T: Item>(items: &[T]) -> Vec<T> {
    (1..=items.len()).map(|end| sum(&items[..end])).collect()
}

/// The largest of zero and the items before each.
fn exclusive_largest<T: Item>(items: &[T]) -> Vec<T> {
    (0..items.len()).map(|end| items[..end].iter().copied().fold(T::ZERO, T::larger)).collect()
}

fn of_warps<T: Item>(program: &Program, name: &str, lanes: usize) {
    let x = random(lanes as u64, 256, T::of);
    let (n, valid) = (x.len(), lanes * 3 / 4);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut out = program.stream.alloc_zeros::<T>(5 * n).unwrap();
    let kernel = format!("warp_{name}_{lanes}");
    launch!(program, &kernel, 2, 128; &device_x, &mut out, &(n as i32), &(valid as i32));
    let out = program.stream.clone_dtoh(&out).unwrap();
    for (i, group) in x.chunks(lanes).enumerate() {
        let first = i * lanes;
        let of_group = [out[first], out[n + first], out[2 * n + first]];
        assert_eq!(of_group, [sum(group), largest(group), sum(&group[..valid])], "{kernel}, group {i}");
        assert_eq!(out[3 * n + first..][..lanes], inclusive_sums(group), "{kernel}, group {i}");
        assert_eq!(out[4 * n + first..][..lanes], exclusive_largest(group), "{kernel}, group {i}");
    }
}

#[test]
fn warps_reduce_and_scan() {
    let program = Program::load("collectives/warp");
    of_warps::<i32>(&program, "i32", 32);
    of_warps::<i32>(&program, "i32", 8);
    of_warps::<u64>(&program, "u64", 32);
    of_warps::<f32>(&program, "f32", 32);
    of_warps::<f32>(&program, "f32", 16);
    of_warps::<f64>(&program, "f64", 32);
}

#[test]
fn warps_sort() {
    let program = Program::load("collectives/warp");
    let keys = random(1, 8 * 128, |w| (w % 60) as i32 - 30);
    let values: Vec<i16> = (0..8 * 128).collect();
    let (device_keys, device_values) =
        (program.stream.clone_htod(&keys).unwrap(), program.stream.clone_htod(&values).unwrap());
    let mut sorted_keys = program.stream.alloc_zeros::<i32>(keys.len()).unwrap();
    let mut sorted_values = program.stream.alloc_zeros::<i16>(keys.len()).unwrap();
    launch!(program, "warp_sort", 2, 128; &device_keys, &device_values, &mut sorted_keys, &mut sorted_values);
    let mut expected: Vec<(i32, i16)> = keys.into_iter().zip(values).collect();
    expected.chunks_mut(128).for_each(|warp| warp.sort_by_key(|&(key, _)| key));
    let (keys, values): (Vec<i32>, Vec<i16>) = expected.into_iter().unzip();
    assert_eq!(program.stream.clone_dtoh(&sorted_keys).unwrap(), keys);
    assert_eq!(program.stream.clone_dtoh(&sorted_values).unwrap(), values);
}

fn of_blocks<T: Item>(program: &Program, name: &str, threads: usize, items: usize) {
    let tile = threads * items;
    let x = random(tile as u64, 2 * tile, T::of);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut totals = program.stream.alloc_zeros::<T>(8).unwrap();
    let mut inclusive = program.stream.alloc_zeros::<T>(x.len()).unwrap();
    let mut exclusive = program.stream.alloc_zeros::<T>(x.len()).unwrap();
    let kernel = format!("block_{name}_{threads}x{items}");
    launch!(program, &kernel, 2, threads as u32; &device_x, &mut totals, &mut inclusive, &mut exclusive);
    let totals = program.stream.clone_dtoh(&totals).unwrap();
    let inclusive = program.stream.clone_dtoh(&inclusive).unwrap();
    let exclusive = program.stream.clone_dtoh(&exclusive).unwrap();
    for (block, x) in x.chunks(tile).enumerate() {
        let some: Vec<T> = x.iter().copied().step_by(items).take(threads / 2 + 1).collect();
        assert_eq!(totals[4 * block..][..4], [sum(x), largest(x), sum(&some), sum(x)], "{kernel}");
        assert_eq!(inclusive[block * tile..][..tile], inclusive_sums(x), "{kernel}");
        assert_eq!(exclusive[block * tile..][..tile], exclusive_largest(x), "{kernel}");
    }
}

#[test]
fn blocks_reduce_and_scan() {
    let program = Program::load("collectives/reduce_scan");
    of_blocks::<i32>(&program, "i32", 128, 4);
    of_blocks::<i32>(&program, "i32", 96, 1);
    of_blocks::<u64>(&program, "u64", 256, 2);
    of_blocks::<f32>(&program, "f32", 64, 3);
    of_blocks::<f64>(&program, "f64", 128, 2);
    of_blocks::<u8>(&program, "u8", 32, 1);
}

#[test]
fn blocks_scan_with_a_running_prefix() {
    let program = Program::load("collectives/reduce_scan");
    let x = random(2, 5 * 64, |w| (w % 100) as i32);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<i32>(x.len()).unwrap();
    launch!(program, "running", 1, 64; &device_x, &mut y, &5);
    let expected: Vec<i32> = inclusive_sums(&x).into_iter().map(|sum| 1000 + sum).collect();
    assert_eq!(program.stream.clone_dtoh(&y).unwrap(), expected);
}

fn sorts<T: Item>(program: &Program, name: &str, threads: usize, items: usize) {
    let tile = threads * items;
    let x = random(tile as u64, 2 * tile, T::of);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut up = program.stream.alloc_zeros::<T>(x.len()).unwrap();
    let mut down = program.stream.alloc_zeros::<T>(x.len()).unwrap();
    let kernel = format!("sort_{name}_{threads}x{items}");
    launch!(program, &kernel, 2, threads as u32; &device_x, &mut up, &mut down);
    let mut expected = x;
    expected.chunks_mut(tile).for_each(|block| block.sort_by(|a, b| a.partial_cmp(b).expect("no NaN")));
    assert_eq!(program.stream.clone_dtoh(&up).unwrap(), expected, "{kernel}");
    expected.chunks_mut(tile).for_each(<[T]>::reverse);
    assert_eq!(program.stream.clone_dtoh(&down).unwrap(), expected, "{kernel}");
}

#[test]
fn blocks_sort() {
    let program = Program::load("collectives/sort");
    sorts::<u32>(&program, "u32", 128, 4);
    sorts::<i32>(&program, "i32", 64, 1);
    sorts::<f32>(&program, "f32", 64, 5);
    sorts::<u8>(&program, "u8", 128, 3);
    sorts::<i64>(&program, "i64", 64, 2);
    sorts::<f64>(&program, "f64", 32, 4);

    let keys = random(3, 2 * 256, u32::of);
    let values = random(4, 2 * 256, f32::of);
    let (device_keys, device_values) =
        (program.stream.clone_htod(&keys).unwrap(), program.stream.clone_htod(&values).unwrap());
    let mut sorted_keys = program.stream.alloc_zeros::<u32>(keys.len()).unwrap();
    let mut sorted_values = program.stream.alloc_zeros::<f32>(keys.len()).unwrap();
    launch!(program, "sort_pairs", 2, 128; &device_keys, &device_values, &mut sorted_keys, &mut sorted_values);
    let mut expected: Vec<(u32, f32)> = keys.into_iter().zip(values).collect();
    expected.chunks_mut(256).for_each(|block| block.sort_by_key(|&(key, _)| key >> 4 & 0xff));
    let (keys, values): (Vec<u32>, Vec<f32>) = expected.into_iter().unzip();
    assert_eq!(program.stream.clone_dtoh(&sorted_keys).unwrap(), keys);
    assert_eq!(program.stream.clone_dtoh(&sorted_values).unwrap(), values);

    let valid = 201;
    let mut x = random(5, valid, |w| (w % 1000) as i32);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<i32>(valid).unwrap();
    launch!(program, "merge_sort", 1, 64; &device_x, &mut y, &(valid as i32));
    x.sort_by_key(|v| v % 10);
    assert_eq!(program.stream.clone_dtoh(&y).unwrap(), x);
}

/// The tile of collectives/items.cu.
const TILE: usize = 256;

fn doubled<T: Item>(program: &Program, algorithm: &str) {
    let x = random(6, 3 * TILE - 57, T::of);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<T>(x.len()).unwrap();
    launch!(program, &format!("doubled_{algorithm}"), 3, 64; &device_x, &mut y, &(x.len() as i32));
    let expected: Vec<T> = x.into_iter().map(|v| v.plus(v)).collect();
    assert_eq!(program.stream.clone_dtoh(&y).unwrap(), expected, "{algorithm}");
}

#[test]
fn blocks_load_and_store() {
    let program = Program::load("collectives/items");
    doubled::<i32>(&program, "direct");
    doubled::<i32>(&program, "vectorize");
    doubled::<i16>(&program, "transpose");
    doubled::<f64>(&program, "warp_transpose");
    doubled::<f32>(&program, "striped");
}

#[test]
fn blocks_exchange_and_shuffle() {
    let program = Program::load("collectives/items");
    let x = random(7, TILE, i32::of);
    let mut ranks: Vec<i32> = (0..TILE as i32).collect();
    ranks.sort_by_key(|&rank| (rank * 167) % 256);
    let (device_x, device_ranks) = (program.stream.clone_htod(&x).unwrap(), program.stream.clone_htod(&ranks).unwrap());
    let mut striped = program.stream.alloc_zeros::<i32>(TILE).unwrap();
    let mut scattered = program.stream.alloc_zeros::<i32>(TILE).unwrap();
    launch!(program, "exchange", 1, 64; &device_x, &device_ranks, &mut striped, &mut scattered);
    let expected: Vec<i32> = (0..TILE).map(|at| x[at % 4 * 64 + at / 4]).collect();
    assert_eq!(program.stream.clone_dtoh(&striped).unwrap(), expected);
    let mut expected = vec![0; TILE];
    for (&v, &rank) in x.iter().zip(&ranks) {
        expected[rank as usize] = v;
    }
    assert_eq!(program.stream.clone_dtoh(&scattered).unwrap(), expected);

    let mut out = [(); 3].map(|()| program.stream.alloc_zeros::<i32>(64).unwrap());
    let [offset, rotated, up] = &mut out;
    launch!(program, "shuffle", 1, 64; &device_x, offset, rotated, up);
    let [offset, rotated, up] = out.map(|x| program.stream.clone_dtoh(&x).unwrap());
    for t in 0..64 {
        assert_eq!(offset[t], if t < 3 { x[t] } else { x[t - 3] }, "thread {t}"); // past the end: as it was
        assert_eq!(rotated[t], x[(t + 5) % 64], "thread {t}");
        assert_eq!(up[t], if t == 0 { -1 } else { x[t - 1] }, "thread {t}");
    }
}

#[test]
fn blocks_find_runs() {
    let program = Program::load("collectives/items");
    let x = random(8, TILE, |w| (w % 3) as i32);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut out = [(); 3].map(|()| program.stream.alloc_zeros::<i32>(TILE).unwrap());
    let [heads, tails, differences] = &mut out;
    launch!(program, "runs", 1, 64; &device_x, heads, tails, differences);
    let [heads, tails, differences] = out.map(|x| program.stream.clone_dtoh(&x).unwrap());
    for i in 0..TILE {
        assert_eq!(heads[i], i32::from(i == 0 || x[i - 1] != x[i]), "item {i}");
        assert_eq!(tails[i], i32::from(i == TILE - 1 || x[i + 1] != x[i]), "item {i}");
        assert_eq!(differences[i], if i == 0 { x[0] } else { x[i] - x[i - 1] }, "item {i}");
    }
}

#[test]
fn blocks_decode_run_lengths() {
    let program = Program::load("collectives/items");
    let values = random(9, 128, i32::of);
    let lengths = random(10, 128, |w| (w % 9) as u32 + 1);
    let expected: Vec<i32> = values.iter().zip(&lengths).flat_map(|(&v, &n)| vec![v; n as usize]).collect();
    let (device_values, device_lengths) =
        (program.stream.clone_htod(&values).unwrap(), program.stream.clone_htod(&lengths).unwrap());
    let mut decoded = program.stream.alloc_zeros::<i32>(expected.len()).unwrap();
    let mut size = program.stream.alloc_zeros::<u32>(1).unwrap();
    launch!(program, "run_length_decode", 1, 64; &device_values, &device_lengths, &mut decoded, &mut size);
    assert_eq!(program.stream.clone_dtoh(&size).unwrap(), [expected.len() as u32]);
    assert_eq!(program.stream.clone_dtoh(&decoded).unwrap(), expected);
}

#[test]
fn blocks_make_histograms() {
    let program = Program::load("collectives/items");
    let x = random(11, 3 * TILE, |w| (w % 64 * (w >> 32) % 64) as u8);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut expected = vec![0u32; 3 * 64];
    for (at, &value) in x.iter().enumerate() {
        expected[at / TILE * 64 + usize::from(value)] += 1;
    }
    for kernel in ["histogram_sort", "histogram_atomic"] {
        let mut bins = program.stream.alloc_zeros::<u32>(3 * 64).unwrap();
        launch!(program, kernel, 3, 64; &device_x, &mut bins);
        assert_eq!(program.stream.clone_dtoh(&bins).unwrap(), expected, "{kernel}");
    }
}
