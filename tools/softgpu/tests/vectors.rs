//! The bits do not depend on the processor's vector units. What is made of them is the process's, so that the kernels run
//! again in processes of their own.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "sizes are small"
)]

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::process::Command;

use cudarc::driver::{CudaContext, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::Ptx;
use half::bf16;
use oblate_softgpu::{Choice, install_as};

mod compile;

/// Rows and columns of the product.
const SIZE: usize = 256;
/// Rounds of the loops, each of 256 threads.
const ROUNDS: usize = 8;

/// Numbers between -1 and 1, with some that are 0, subnormal or large.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as i32
    };
    let number = |bits: i32| {
        let unit = (bits - (1 << 23)) as f32 / (1 << 23) as f32;
        match bits % 97 {
            0 => 0.0,
            1 => unit * 1e-40,
            2 => unit * 1e20,
            _ => unit,
        }
    };
    (0..count).map(|_| number(next())).collect()
}

/// Runs a product on the tensor cores, with asynchronous copies and ldmatrix, and the loops of the bench; prints a hash of
/// each output.
#[test]
#[ignore = "run by the test below, in an environment of its own"]
fn outputs() {
    install_as(Choice::Software).expect("the software device");
    let context = CudaContext::new(0).expect("a context");
    let stream = context.default_stream();
    let function = |source: &str, name: &str| {
        let module = context.load_module(Ptx::from_binary(compile::compile(source, &[]))).expect("the module");
        module.load_function(name).expect("the kernel")
    };
    let print = |name: &str, output: &[f32]| {
        let mut hash = DefaultHasher::new();
        for x in output {
            x.to_bits().hash(&mut hash);
        }
        println!("{name} {:016x}", hash.finish());
    };

    let values: Vec<bf16> = numbers(2 * SIZE * SIZE).into_iter().map(bf16::from_f32).collect();
    let a = stream.clone_htod(&values[..SIZE * SIZE]).expect("a matrix");
    let b = stream.clone_htod(&values[SIZE * SIZE..]).expect("a matrix");
    let c = stream.alloc_zeros::<f32>(SIZE * SIZE).expect("the product");
    let gemm = function("benches/gemm.cu", "gemm");
    let config = LaunchConfig { grid_dim: (2, 2, 1), block_dim: (256, 1, 1), shared_mem_bytes: 0 };
    let size = SIZE as i32;
    let mut launch = stream.launch_builder(&gemm);
    launch.arg(&a).arg(&b).arg(&c).arg(&size).arg(&size);
    // SAFETY: the matrices have SIZE x SIZE elements.
    unsafe { launch.launch(config) }.expect("the launch");
    print("gemm", &stream.clone_dtoh(&c).expect("the product"));

    let rounds = ROUNDS as i32;
    let x = stream.clone_htod(&numbers(256 * ROUNDS)).expect("the input");
    for name in ["arithmetic", "copy", "shared", "mma"] {
        let y = stream.alloc_zeros::<f32>(256 * ROUNDS).expect("the output");
        let kernel = function("benches/kernels.cu", name);
        let config = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (256, 1, 1), shared_mem_bytes: 0 };
        let mut launch = stream.launch_builder(&kernel);
        launch.arg(&x).arg(&y).arg(&rounds);
        // SAFETY: each thread reads and writes `rounds` elements at most, all within x and y.
        unsafe { launch.launch(config) }.expect("the launch");
        print(name, &stream.clone_dtoh(&y).expect("the output"));
    }
}

/// Levels that this processor does not have come down to the best that it has.
#[test]
fn every_level_gives_the_same_bits() {
    let outputs = |level: &str| {
        let own = std::env::current_exe().expect("this test's file");
        let run = Command::new(own)
            .args(["--exact", "outputs", "--ignored", "--nocapture", "--quiet"])
            .env("SOFTGPU_VECTORS", level)
            .output()
            .expect("the outputs");
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(run.status.success(), "{text}{}", String::from_utf8_lossy(&run.stderr));
        let hashes: Vec<_> = text
            .lines()
            .filter(|line| ["gemm", "arithmetic", "copy", "shared", "mma"].iter().any(|name| line.starts_with(name)))
            .map(str::to_owned)
            .collect();
        assert_eq!(hashes.len(), 5, "{text}");
        hashes
    };
    let baseline = outputs("baseline");
    assert_eq!(outputs("avx2"), baseline);
    assert_eq!(outputs("avx512"), baseline);
}
