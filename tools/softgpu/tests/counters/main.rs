//! The counters against a model of their own, over patterns of access made by chance, and against counts by hand.

#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "offsets and counts are small")]

#[path = "../compile/mod.rs"]
mod compile;
mod model;

use std::collections::BTreeSet;
use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaModule, CudaStream, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::Ptx;
use model::Warp;
use oblate_softgpu::Choice;
use oblate_softgpu::inspect::counters::{GlobalAtomics, Shared};
use oblate_softgpu::inspect::{Class, FloatType};

const NONE: u32 = u32::MAX;
const SHARED_BYTES: u64 = 4096;

struct Device {
    stream: Arc<CudaStream>,
    module: Arc<CudaModule>,
}

impl Device {
    fn new(image: Ptx) -> Self {
        oblate_softgpu::install_as(Choice::Software).expect("the software device");
        let context = CudaContext::new(0).expect("a context");
        let module = context.load_module(image).expect("the module loads");
        Self { stream: context.default_stream(), module }
    }

    fn accesses() -> Self {
        Self::new(Ptx::from_binary(compile::compile("tests/counters/access.cu", &[])))
    }
}

/// Runs a kernel, which must give no finding, and counts.
macro_rules! count {
    ($device:expr, $kernel:expr, $grid:expr, $block:expr; $($arg:expr),* $(,)?) => {{
        let function = $device.module.load_function($kernel).expect("the kernel is in the module");
        let ((), record) = oblate_softgpu::record(|| {
            let mut launch = $device.stream.launch_builder(&function);
            // SAFETY: the arguments are those of the kernel's signature, and cover what it accesses; the device checks.
            unsafe { launch$(.arg($arg))*.launch(config($grid, $block)) }.expect("the launch");
            $device.stream.synchronize().expect("the kernel");
        });
        assert!(record.findings.is_empty(), "{}: {:?}", $kernel, record.findings);
        record.launches[0].counters.clone()
    }};
}

fn config(grid: u32, block: u32) -> LaunchConfig {
    LaunchConfig { grid_dim: (grid, 1, 1), block_dim: (block, 1, 1), shared_mem_bytes: 0 }
}

/// Reproducible words (SplitMix64).
fn words(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Patterns over `bytes`: by strides, by chance, by chance among few places, with lanes left out.
fn patterns(width: u64, bytes: u64) -> Vec<Warp> {
    let places = bytes / width;
    let mut word = words(width);
    let mut warps = Vec::new();
    for stride in [0, 1, 2, 3, 8, 31, 32, 33] {
        let first = word() % places;
        warps.push(Warp { at: (0..32).map(|lane| Some((first + lane * stride) % places * width)).collect(), width });
    }
    for among in [places, 40, 7] {
        for left_out in [0, 3, 60] {
            let mut at: Vec<_> = (0..32).map(|_| Some(word() % among.min(places) * width)).collect();
            (0..left_out).for_each(|_| at[word() as usize % 32] = None);
            warps.push(Warp { at, width });
        }
    }
    warps
}

/// The same without the lanes that come second to a place.
fn apart(mut warp: Warp) -> Warp {
    let mut met = BTreeSet::new();
    warp.at.iter_mut().for_each(|at| *at = at.filter(|&at| met.insert(at)));
    warp
}

fn table(warp: &Warp) -> Vec<u32> {
    warp.at.iter().map(|at| at.map_or(NONE, |at| at as u32)).collect()
}

/// Requests and sectors of a warp's access.
fn requests(warp: &Warp) -> (u64, u64) {
    (u64::from(warp.lanes() != 0), warp.sectors().len() as u64)
}

/// An access to shared memory behind the filling of it: a wavefront for each 32 words.
fn behind_fill(requests: u64, (wavefronts, conflicts): (u64, u64)) -> Shared {
    let fill = SHARED_BYTES / 128;
    Shared { requests: fill + requests, wavefronts: fill + wavefronts, conflicts }
}

#[test]
fn global_loads() {
    let device = Device::accesses();
    let x = device.stream.alloc_zeros::<u8>(8192).unwrap();
    for width in [1, 2, 4, 8, 16] {
        for warp in patterns(width, 8192) {
            let at = device.stream.clone_htod(&table(&warp)).unwrap();
            let mut y = device.stream.alloc_zeros::<u8>(32 * width as usize).unwrap();
            let got = count!(device, &format!("global_load_{width}"), 1, 32; &at, &x, &mut y).global_loads;
            // The table is 128 bytes, read by all lanes.
            let (requests, sectors) = requests(&warp);
            assert_eq!((got.requests, got.sectors), (1 + requests, 4 + sectors), "{warp:?}");
            assert_eq!(
                (got.distinct_sectors, got.requested_bytes),
                (4 + sectors, 128 + warp.lanes() * width),
                "{warp:?}"
            );
        }
    }
}

#[test]
fn global_stores() {
    let device = Device::accesses();
    let mut y = device.stream.alloc_zeros::<u8>(8192).unwrap();
    for width in [1, 2, 4, 8, 16] {
        for warp in patterns(width, 8192).into_iter().map(apart) {
            let at = device.stream.clone_htod(&table(&warp)).unwrap();
            let got = count!(device, &format!("global_store_{width}"), 1, 32; &at, &mut y).global_stores;
            let (requests, sectors) = requests(&warp);
            assert_eq!((got.requests, got.sectors, got.distinct_sectors), (requests, sectors, sectors), "{warp:?}");
            assert_eq!(got.by_width[width.trailing_zeros() as usize], requests, "{warp:?}");
        }
    }
}

#[test]
fn shared_loads() {
    let device = Device::accesses();
    for width in [1, 2, 4, 8, 16] {
        for warp in patterns(width, SHARED_BYTES) {
            let at = device.stream.clone_htod(&table(&warp)).unwrap();
            let mut y = device.stream.alloc_zeros::<u8>(32 * width as usize).unwrap();
            let got = count!(device, &format!("shared_load_{width}"), 1, 32; &at, &mut y);
            assert_eq!(got.shared, behind_fill(requests(&warp).0, warp.loads()), "{warp:?}");
        }
    }
}

#[test]
fn atomics() {
    let device = Device::accesses();
    let mut y = device.stream.alloc_zeros::<u8>(8192).unwrap();
    for warp in patterns(4, SHARED_BYTES) {
        let at = device.stream.clone_htod(&table(&warp)).unwrap();
        let (requests, sectors) = requests(&warp);
        let got = count!(device, "atomic_global", 1, 32; &at, &mut y);
        let expected = GlobalAtomics { requests, operations: warp.lanes(), sectors };
        assert_eq!((got.global_atomics.clone(), got.shared_atomics), (expected, 0), "{warp:?}");
        assert_eq!(got.moved_bytes(), 128 + 64 * sectors, "the table, and each sector both ways");
        assert_eq!(got.compulsory_bytes(), got.moved_bytes(), "{warp:?}");
        let got = count!(device, "atomic_shared", 1, 32; &at);
        assert_eq!(got.shared, behind_fill(requests, warp.atomics()), "{warp:?}");
        assert_eq!((got.global_atomics.operations, got.shared_atomics), (0, warp.lanes()));
    }
}

#[test]
fn asynchronous_copies() {
    let device = Device::accesses();
    let x = device.stream.alloc_zeros::<u8>(SHARED_BYTES as usize).unwrap();
    for from in patterns(16, SHARED_BYTES) {
        for mut to in patterns(16, SHARED_BYTES).into_iter().map(apart) {
            // A lane copies when it has both.
            let mut from = from.clone();
            for (from, to) in from.at.iter_mut().zip(&mut to.at) {
                (*from, *to) = if from.is_some() && to.is_some() { (*from, *to) } else { (None, None) };
            }
            let pairs: Vec<u32> = table(&from).into_iter().zip(table(&to)).flat_map(|(from, to)| [from, to]).collect();
            let at = device.stream.clone_htod(&pairs).unwrap();
            let got = count!(device, "copy_16", 1, 32; &at, &x);
            let ((requests, sectors), (wavefronts, conflicts)) = (requests(&from), to.loads());
            assert_eq!((got.global_loads.requests, got.global_loads.sectors), (1 + requests, 8 + sectors), "{from:?}");
            assert_eq!(got.shared, Shared { requests, wavefronts, conflicts }, "{to:?}");
        }
    }
}

#[test]
fn matrix_loads() {
    let device = Device::accesses();
    let mut y = device.stream.alloc_zeros::<u8>(512).unwrap();
    for warp in patterns(16, SHARED_BYTES).into_iter().filter(|warp| warp.lanes() == 32) {
        let at = device.stream.clone_htod(&table(&warp)).unwrap();
        let got = count!(device, "matrix_load", 1, 32; &at, &mut y);
        assert_eq!(got.shared, behind_fill(1, warp.loads()), "each matrix by its 8 rows: {warp:?}");
        assert_eq!(got.tensor, [("ldmatrix.x4".to_owned(), 1)].into());
    }
}

/// Two blocks of 64 threads. 8 lanes of a block, in its first warp, stay out of a branch; block 1 has a second barrier.
const BY_HAND: &str = "
.version 9.0
.target sm_80
.address_size 64
.visible .entry k()
{
    .reg .pred %p;
    .reg .b32 %r<3>;
    .reg .f32 %f<3>;
    .reg .f64 %d<3>;
    mov.u32 %r0, %tid.x;
    mov.u32 %r1, %ctaid.x;
    setp.lt.u32 %p, %r0, 8;
    @%p bra JOIN;
    mov.f32 %f0, 0f3F800000;
    mov.f64 %d0, 0d3FF0000000000000;
    mov.b32 %r2, 0;
    fma.rn.f32 %f1, %f0, %f0, %f0;
    add.f32 %f2, %f1, %f0;
    mul.rn.bf16x2 %r2, %r2, %r2;
    fma.rn.f64 %d1, %d0, %d0, %d0;
    max.f32 %f2, %f1, %f0;
JOIN:
    bar.sync 0;
    setp.eq.u32 %p, %r1, 0;
    @%p bra END;
    bar.sync 0;
END:
    ret;
}
";

#[test]
fn by_hand() {
    let device = Device::new(Ptx::from_src(BY_HAND));
    let got = count!(device, "k", 2, 64;);
    let (lanes, inside) = (128, 112);
    let flops = [(FloatType::F32, 3 * inside), (FloatType::Bf16, 2 * inside), (FloatType::F64, 2 * inside)];
    assert_eq!(got.flops, flops.into());
    let threads = [
        (Class::Move, 2 * lanes + 3 * inside),
        (Class::Integer, 2 * lanes),
        (Class::Fp32Fma, inside),
        (Class::Fp32, 2 * inside),
        (Class::Fp16, inside),
        (Class::Fp64, inside),
        (Class::Sync, lanes + lanes / 2),
        (Class::Control, 3 * lanes),
    ];
    assert_eq!(got.thread_instructions, threads.into());
    let warps = [
        (Class::Move, 2 * 4 + 3 * 4),
        (Class::Integer, 2 * 4),
        (Class::Fp32Fma, 4),
        (Class::Fp32, 2 * 4),
        (Class::Fp16, 4),
        (Class::Fp64, 4),
        (Class::Sync, 4 + 2),
        (Class::Control, 3 * 4),
    ];
    assert_eq!(got.warp_instructions, warps.into());
    assert_eq!((got.divergent_branches, got.barriers, got.barrier_chain), (2, 3, 2));
    let sum = |counts: &[(Class, u64)]| counts.iter().map(|(_, count)| count).sum::<u64>() as f64;
    assert_eq!(got.mean_active_lanes(), sum(&threads) / sum(&warps));
}
