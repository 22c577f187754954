//! The tiled matmul of cuda/common/matmul.cuh by itself: every tile, type, layout and way of copying, at sizes around a
//! tile's and a step's, against float64; and that an element's bits depend on its row, its column and K alone.

#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "sizes are small")]

use std::fmt;
use std::sync::Arc;

use cudarc::driver::{
    CudaContext, CudaFunction, CudaModule, CudaSlice, CudaStream, DevicePtr as _, DeviceRepr, LaunchConfig,
    PushKernelArg as _, sys,
};
use cudarc::nvrtc::Ptx;
use half::{bf16, f16};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

#[path = "../../tools/softgpu/tests/compile/mod.rs"]
mod compile;

/// As kernels.cu has it.
#[derive(Clone, Copy)]
#[repr(C)]
struct MatmulParams {
    a: u64,
    b: u64,
    c: u64,
    m: u64,
    n: u64,
    k: u64,
    a_stride: u64,
    b_stride: u64,
}
// SAFETY: plain integers, laid out as the kernel's struct, which has no padding either.
unsafe impl DeviceRepr for MatmulParams {}

/// A tile of matmul.cuh.
#[derive(Clone, Copy)]
struct Tile {
    name: &'static str,
    /// Of a type of so many bytes.
    threads: fn(usize) -> u32,
    /// Bytes of its stages, for a type of so many bytes.
    shared: fn(usize) -> u32,
    edge: usize,
}

const STEP: usize = 32;
const TILES: [Tile; 2] = [
    Tile {
        name: "medium",
        threads: |bytes| if bytes == 4 { 256 } else { 128 },
        shared: |bytes| (if bytes == 4 { 3 } else { 4 }) * 2 * 128 * (STEP * bytes) as u32,
        edge: 128,
    },
    Tile { name: "small", threads: |_| 128, shared: |bytes| 4 * 2 * 64 * (STEP * bytes) as u32, edge: 64 },
];

trait Element: DeviceRepr + Copy + Default + fmt::Debug {
    const NAME: &'static str;
    fn of(value: f64) -> Self;
    fn wide(self) -> f64;
}

macro_rules! element {
    ($t:ty, $name:literal) => {
        impl Element for $t {
            const NAME: &'static str = $name;
            fn of(value: f64) -> Self {
                <$t>::from_f64(value)
            }
            fn wide(self) -> f64 {
                self.to_f64()
            }
        }
    };
}
element!(f16, "f16");
element!(bf16, "bf16");

impl Element for f32 {
    const NAME: &'static str = "f32";
    fn of(value: f64) -> Self {
        value as Self
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

/// An operand: `rows` by `depth`, k strided or contiguous, `skew` elements behind an aligned address, `gap` elements between
/// its lines.
#[derive(Clone, Debug)]
struct Matrix<T> {
    at: Vec<T>,
    depth: usize,
    strided: bool,
    stride: usize,
    skew: usize,
}

impl<T: Element> Matrix<T> {
    fn new(rows: usize, depth: usize, strided: bool, (skew, gap): (usize, usize), rng: &mut SmallRng) -> Self {
        let (lines, within) = if strided { (depth, rows) } else { (rows, depth) };
        let stride = within + gap;
        // To the last element and no further: what is read beyond is a finding.
        let length = skew + if lines == 0 { 0 } else { (lines - 1) * stride + within };
        // Of many magnitudes, so that the order of a sum shows in its bits.
        let value = |_| T::of(rng.random_range(-1.0..1.0) * 2f64.powi(rng.random_range(-6..3)));
        Self { at: (0..length.max(1)).map(value).collect(), depth, strided, stride, skew }
    }

    fn at(&self, i: usize, k: usize) -> f64 {
        let index = if self.strided { k * self.stride + i } else { i * self.stride + k };
        self.at[self.skew + index].wide()
    }

    fn row(&self, i: usize) -> Vec<f64> {
        (0..self.depth).map(|k| self.at(i, k)).collect()
    }
}

struct Device {
    stream: Arc<CudaStream>,
    module: Arc<CudaModule>,
}

impl Device {
    fn new() -> Self {
        oblate_softgpu::install().expect("a device");
        let context = CudaContext::new(0).expect("a context");
        let image = compile::compile("tests/matmul/kernels.cu", &[]);
        let module = context.load_module(Ptx::from_binary(image)).expect("the module");
        Self { stream: context.default_stream(), module }
    }

    fn kernel<T: Element>(&self, tile: Tile, layouts: [bool; 2], aligned: bool) -> CudaFunction {
        let [a, b] = layouts.map(|strided| if strided { 't' } else { 'n' });
        let copy = if aligned { "aligned" } else { "unaligned" };
        let name = format!("matmul_{}_{}_{a}{b}_{copy}", tile.name, T::NAME);
        let function = self.module.load_function(&name).expect(&name);
        let attribute = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        let bytes = (tile.shared)(size_of::<T>()).cast_signed();
        function.set_attribute(attribute, bytes).expect("shared memory");
        function
    }

    /// The product, by so many blocks.
    fn product<T: Element>(
        &self,
        tile: Tile,
        (a, b): (&Matrix<T>, &Matrix<T>),
        [m, n, k]: [usize; 3],
        aligned: bool,
        blocks: u32,
    ) -> Vec<f32> {
        let function = self.kernel::<T>(tile, [a.strided, b.strided], aligned);
        let (on_a, on_b) = (self.stream.clone_htod(&a.at).expect("A"), self.stream.clone_htod(&b.at).expect("B"));
        let c = self.stream.clone_htod(&vec![f32::NAN; m * n]).expect("C");
        let address =
            |slice: &CudaSlice<T>, skew: usize| slice.device_ptr(&self.stream).0 + (skew * size_of::<T>()) as u64;
        let params = MatmulParams {
            a: address(&on_a, a.skew),
            b: address(&on_b, b.skew),
            c: c.device_ptr(&self.stream).0,
            m: m as u64,
            n: n as u64,
            k: k as u64,
            a_stride: a.stride as u64,
            b_stride: b.stride as u64,
        };
        let config = LaunchConfig {
            grid_dim: (blocks, 1, 1),
            block_dim: ((tile.threads)(size_of::<T>()), 1, 1),
            shared_mem_bytes: (tile.shared)(size_of::<T>()),
        };
        let ((), record) = oblate_softgpu::record(|| {
            let mut launch = self.stream.launch_builder(&function);
            launch.arg(&params);
            // SAFETY: the operands hold their lines to the last element, C is m by n.
            unsafe { launch.launch(config) }.expect("the launch");
            self.stream.synchronize().expect("the product");
        });
        assert!(record.findings.is_empty(), "{}", record.findings[0]);
        if let Some(launch) = record.launches.first() {
            assert_eq!(launch.counters.shared.conflicts, 0, "bank conflicts in {}", tile.name);
        }
        self.stream.clone_dtoh(&c).expect("C")
    }
}

/// The worst error over its bound: of f32 the three tf32 products leave 2^-20.5 of a product, and tensor cores truncate once
/// for every 8.
fn worst<T: Element>(a: &Matrix<T>, b: &Matrix<T>, [m, n, k]: [usize; 3], c: &[f32]) -> f64 {
    let product = if size_of::<T>() == 4 { 2f64.powf(-20.5) } else { 0.0 };
    let relative = product + (k.div_ceil(8) + 1) as f64 * 2f64.powi(-22);
    let mut worst = 0f64;
    let columns: Vec<_> = (0..n).map(|j| b.row(j)).collect();
    for i in 0..m {
        let row = a.row(i);
        for (j, column) in columns.iter().enumerate() {
            let terms = || row.iter().zip(column).map(|(x, y)| x * y);
            let (value, magnitude): (f64, f64) = (terms().sum(), terms().map(f64::abs).sum());
            let error = (f64::from(c[i * n + j]) - value).abs();
            let bound = relative * magnitude + f64::from(f32::MIN_POSITIVE);
            worst = worst.max(if error.is_nan() { f64::INFINITY } else { error / bound });
        }
    }
    worst
}

fn products_of<T: Element>(device: &Device, seed: u64) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let per_vector = 16 / size_of::<T>();
    for tile in TILES {
        let mut largest = 0f64;
        for (number, layouts) in [[false, false], [false, true], [true, false], [true, true]].into_iter().enumerate() {
            let edge = tile.edge;
            for (m, n, k) in [(1, 1, 1), (edge, edge, STEP), (edge + 1, 7, 2 * STEP + 1), (19, edge + 3, 5 * STEP + 7)]
            {
                for aligned in [true, false] {
                    let place = |within: usize, rng: &mut SmallRng| {
                        if aligned {
                            (per_vector, within.next_multiple_of(per_vector) - within)
                        } else {
                            (rng.random_range(0..per_vector), rng.random_range(0..3))
                        }
                    };
                    let of_a = place(if layouts[0] { m } else { k }, &mut rng);
                    let of_b = place(if layouts[1] { n } else { k }, &mut rng);
                    let a = Matrix::<T>::new(m, k, layouts[0], of_a, &mut rng);
                    let b = Matrix::<T>::new(n, k, layouts[1], of_b, &mut rng);
                    let blocks = 1 + number as u32;
                    let c = device.product(tile, (&a, &b), [m, n, k], aligned, blocks);
                    let ratio = worst(&a, &b, [m, n, k], &c);
                    let case = format!("{} {} {layouts:?} {m} x {n} x {k}, aligned: {aligned}", tile.name, T::NAME);
                    assert!(ratio <= 1.0, "{case}: error / bound {ratio}");
                    largest = largest.max(ratio);
                }
            }
        }
        assert!(largest > 1e-3, "{} {}: the bound is met with {largest}, so it says little", tile.name, T::NAME);
    }
}

#[test]
fn products() {
    let device = Device::new();
    products_of::<f32>(&device, 1);
    products_of::<f16>(&device, 2);
    products_of::<bf16>(&device, 3);
}

fn bits_of<T: Element>(device: &Device, seed: u64) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let [m, n, k] = [70, 66, 77];
    let a = Matrix::<T>::new(m, k, false, (0, 0), &mut rng);
    let b = Matrix::<T>::new(n, k, false, (0, 0), &mut rng);
    let whole = device.product(TILES[0], (&a, &b), [m, n, k], false, 3);
    assert_eq!(whole, device.product(TILES[1], (&a, &b), [m, n, k], false, 2), "{}: by another tile", T::NAME);
    let transposed = |x: &Matrix<T>, rows: usize| {
        let at = (0..k).flat_map(|k| (0..rows).map(move |i| (i, k))).map(|(i, k)| T::of(x.at(i, k))).collect();
        Matrix { at, depth: k, strided: true, stride: rows, skew: 0 }
    };
    let (ta, tb) = (transposed(&a, m), transposed(&b, n));
    assert_eq!(whole, device.product(TILES[0], (&ta, &tb), [m, n, k], false, 1), "{}: with k strided", T::NAME);
    let row = 69;
    let alone = Matrix { at: a.at[row * k..].to_vec(), ..a.clone() };
    let one = device.product(TILES[1], (&alone, &b), [1, n, k], false, 1);
    assert_eq!(one, whole[row * n..], "{}: a row alone", T::NAME);
}

#[test]
fn an_element_depends_on_its_row_its_column_and_k_alone() {
    let device = Device::new();
    bits_of::<f32>(&device, 4);
    bits_of::<f16>(&device, 5);
    bits_of::<bf16>(&device, 6);
}

#[test]
fn no_terms_give_zero() {
    let device = Device::new();
    let mut rng = SmallRng::seed_from_u64(7);
    let empty = Matrix::<f32>::new(3, 0, false, (0, 0), &mut rng);
    assert_eq!(device.product(TILES[1], (&empty, &empty), [3, 3, 0], false, 1), [0.0; 9]);
}
