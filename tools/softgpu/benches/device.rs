//! How fast the device is, checks on: warp instructions a second on a loop of arithmetic and on one of contiguous loads
//! and stores, with one worker and with all; and how long the PTX of a family takes to load.
//!
//! criterion's "elem/s" are warp instructions a second. Times say something of the machine they were taken on alone.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cudarc::driver::{CudaContext, CudaFunction, CudaSlice, CudaStream, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::Ptx;
use oblate_softgpu::Choice;

#[path = "../tests/compile/mod.rs"]
mod compile;

const THREADS: u32 = 256;
const BLOCKS: u32 = 16;
/// Turns of the loops: some ten million warp instructions a launch.
const ROUNDS: i32 = 4096;

struct Loop {
    stream: Arc<CudaStream>,
    function: CudaFunction,
    x: CudaSlice<f32>,
    y: CudaSlice<f32>,
}

impl Loop {
    fn new(kernel: &str) -> Self {
        let context = CudaContext::new(0).expect("a context");
        let stream = context.default_stream();
        let image = compile::compile("benches/loops.cu", &[]);
        let function = context.load_module(Ptx::from_binary(image)).and_then(|module| module.load_function(kernel));
        let elements = BLOCKS as usize * THREADS as usize * ROUNDS as usize;
        let x = stream.clone_htod(&vec![1f32; elements]).expect("the input");
        let y = stream.alloc_zeros(elements).expect("the output");
        Self { stream, function: function.expect("the kernel"), x, y }
    }

    /// One launch; the warp instructions that it executed.
    fn run(&mut self) -> u64 {
        let config = LaunchConfig { grid_dim: (BLOCKS, 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 };
        let ((), record) = oblate_softgpu::record(|| {
            let mut launch = self.stream.launch_builder(&self.function);
            launch.arg(&self.x).arg(&mut self.y).arg(&ROUNDS);
            // SAFETY: each thread reads and writes `ROUNDS` elements of its own, all within x and y.
            unsafe { launch.launch(config) }.expect("the launch");
            self.stream.synchronize().expect("the kernel");
        });
        assert!(record.findings.is_empty(), "the loops are clean");
        record.launches.iter().map(|launch| launch.counters.instructions()).sum()
    }
}

fn loops(criterion: &mut Criterion) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for kernel in ["arithmetic", "copy"] {
        let mut group = criterion.benchmark_group(kernel);
        group.sample_size(10);
        for workers in [1, cores] {
            // SAFETY: no other thread reads the environment; a context takes its settings from it when it is made.
            unsafe { std::env::set_var("SOFTGPU_WORKERS", workers.to_string()) };
            let mut work = Loop::new(kernel);
            group.throughput(Throughput::Elements(work.run()));
            group.bench_function(format!("{workers} workers"), |bencher| bencher.iter(|| black_box(work.run())));
        }
        group.finish();
    }
}

fn load(criterion: &mut Criterion) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace");
    let images = compile::family(workspace, "spherical");
    let context = CudaContext::new(0).expect("a context");
    criterion.bench_function("load the PTX of spherical", |bencher| {
        bencher.iter(|| {
            for image in &images {
                black_box(context.load_module(Ptx::from_binary(image.clone())).expect("the module loads"));
            }
        });
    });
}

fn benches(criterion: &mut Criterion) {
    oblate_softgpu::install_as(Choice::Software).expect("the software device");
    loops(criterion);
    load(criterion);
}

criterion_group!(device, benches);
criterion_main!(device);
