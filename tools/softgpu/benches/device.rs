//! How fast the device is, all checks on: `cargo bench -p oblate-softgpu [NAME...]`.
//!
//! Each row is the best of many short runs, so that what else the machine does counts little; it says something of the
//! machine that it names alone. A loop's rate is in warp instructions a second (a product's in products), its requirement
//! holds for one core. "all cores" is the same work on every core, and how many times faster that is. What has matrix
//! products is timed with their sums in f32 (`fma`) and as a card forms them (`card`, the default).

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts and sizes are small"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use cudarc::driver::{CudaContext, CudaFunction, CudaSlice, CudaStream, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::Ptx;
use half::bf16;
use oblate_softgpu::{Choice, MatrixSums, Settings};

#[path = "../tests/compile/mod.rs"]
mod compile;

/// Runs of a row: this many at least, and for as long.
const RUNS: usize = 10;
const WINDOW: Duration = Duration::from_secs(1);

/// Threads and blocks of the loops.
const THREADS: u32 = 256;
const BLOCKS: u32 = 16;

fn main() {
    // Cargo passes options of its own.
    let names: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let asked = |name: &str| names.is_empty() || names.iter().any(|asked| name.contains(asked.as_str()));
    oblate_softgpu::install_as(Choice::Software).expect("the software device");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{}, {cores} cores\n", processor());
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["", "one core", "required", "all cores", "times"]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for (name, kernel, rounds, unit, sums, required) in [
        ("arithmetic", "arithmetic", 256, "instructions", MatrixSums::Card, 300.0),
        ("copy", "copy", 128, "instructions", MatrixSums::Card, 60.0),
        ("shared", "shared", 32, "instructions", MatrixSums::Card, 80.0),
        ("mma, fma", "mma", 256, "m16n8k16 bf16", MatrixSums::Fma, 4.0),
        ("mma, card", "mma", 256, "m16n8k16 bf16", MatrixSums::Card, 1.0),
    ] {
        if !asked(name) {
            continue;
        }
        let rate = |workers| {
            let work = Loop::new(kernel, rounds, &context(workers, sums));
            let counters = work.run();
            let done = if unit == "instructions" { counters.instructions() } else { counters.tensor.values().sum() };
            done as f64 / best(|| drop(work.run())).as_secs_f64() / 1e6
        };
        let (one, all) = (rate(1), rate(0));
        table.add_row([
            format!("{name}: {unit} a second"),
            format!("{one:.1} M"),
            format!(">= {required} M"),
            format!("{all:.1} M"),
            format!("{:.2}", all / one),
        ]);
    }
    for (name, sums, required) in [("gemm, fma", MatrixSums::Fma, 0.5), ("gemm, card", MatrixSums::Card, 1.0)] {
        if !asked(name) {
            continue;
        }
        let seconds = |workers| {
            let gemm = Gemm::new(1024, &context(workers, sums));
            best(|| gemm.run()).as_secs_f64()
        };
        let (one, all) = (seconds(1), seconds(0));
        table.add_row([
            format!("{name}: bf16, 1024 x 1024 x 1024"),
            format!("{one:.3} s"),
            format!("< {required} s on two cores"),
            format!("{all:.3} s"),
            format!("{:.2}", one / all),
        ]);
    }
    if asked("empty") {
        let seconds = empty();
        table.add_row(["empty: a launch".to_owned(), format!("{:.1} us", 1e6 * seconds), "< 20 us".to_owned()]);
    }
    if asked("load") {
        let seconds = load();
        table.add_row([
            "load: the PTX of the spherical family".to_owned(),
            format!("{:.1} ms", 1e3 * seconds),
            "< 50 ms".to_owned(),
        ]);
    }
    println!("{table}");
}

/// What the machine calls itself.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(": ")?.1.to_owned())
    };
    let flags = field("flags").unwrap_or_default();
    let vectors = ["avx512f", "avx2"].into_iter().find(|flag| flags.split(' ').any(|has| has == *flag));
    let place = [("family", "cpu family"), ("model", "model\t")].map(|(word, name)| match field(name) {
        Some(number) => format!(" {word} {number}"),
        None => String::new(),
    });
    let name = field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    format!("{name}{}, {}", place.concat(), vectors.unwrap_or("no AVX2"))
}

/// The shortest time of a run.
fn best(mut run: impl FnMut()) -> Duration {
    let begin = Instant::now();
    let mut best = Duration::MAX;
    let mut runs = 0;
    while runs < RUNS || begin.elapsed() < WINDOW {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
        runs += 1;
    }
    best
}

/// A context of its own, which lasts as long as what is made in it: the next has other settings.
fn context(workers: usize, sums: MatrixSums) -> Arc<CudaContext> {
    let mut settings = Settings::default();
    settings.workers = workers;
    settings.matrix_sums = sums;
    settings.with(|| CudaContext::new(0)).expect("a context")
}

fn function(context: &Arc<CudaContext>, source: &str, name: &str) -> CudaFunction {
    let image = Ptx::from_binary(compile::compile(source, &[]));
    context.load_module(image).and_then(|module| module.load_function(name)).expect("the kernel")
}

struct Loop {
    stream: Arc<CudaStream>,
    function: CudaFunction,
    x: CudaSlice<f32>,
    y: CudaSlice<f32>,
    rounds: i32,
}

impl Loop {
    fn new(kernel: &str, rounds: i32, context: &Arc<CudaContext>) -> Self {
        let stream = context.default_stream();
        let function = function(context, "benches/kernels.cu", kernel);
        let elements = BLOCKS as usize * THREADS as usize * rounds as usize;
        let x = stream.clone_htod(&vec![1f32; elements]).expect("the input");
        let y = stream.alloc_zeros(elements).expect("the output");
        Self { stream, function, x, y, rounds }
    }

    /// One launch, and what it did.
    fn run(&self) -> oblate_softgpu::inspect::counters::Counters {
        let config = LaunchConfig { grid_dim: (BLOCKS, 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 };
        let ((), mut record) = oblate_softgpu::record(|| {
            let mut launch = self.stream.launch_builder(&self.function);
            launch.arg(&self.x).arg(&self.y).arg(&self.rounds);
            // SAFETY: each thread reads and writes `rounds` elements of its own at most, all within x and y.
            unsafe { launch.launch(config) }.expect("the launch");
            self.stream.synchronize().expect("the kernel");
        });
        assert!(record.findings.is_empty(), "the loops are clean");
        record.launches.remove(0).counters
    }
}

/// A square product whose elements are small whole numbers, so that every sum is exact.
struct Gemm {
    stream: Arc<CudaStream>,
    function: CudaFunction,
    a: CudaSlice<bf16>,
    b: CudaSlice<bf16>,
    c: CudaSlice<f32>,
    size: usize,
}

impl Gemm {
    const TILE: usize = 128;

    fn a(row: usize, k: usize) -> f32 {
        ((row * 7 + k * 3) % 5) as f32 - 2.0
    }

    fn b(column: usize, k: usize) -> f32 {
        ((column * 5 + k) % 7) as f32 - 3.0
    }

    fn new(size: usize, context: &Arc<CudaContext>) -> Self {
        let stream = context.default_stream();
        let function = function(context, "benches/gemm.cu", "gemm");
        let matrix = |element: fn(usize, usize) -> f32| {
            let elements = (0..size * size).map(|i| bf16::from_f32(element(i / size, i % size)));
            stream.clone_htod(&elements.collect::<Vec<_>>()).expect("a matrix")
        };
        let (a, b) = (matrix(Self::a), matrix(Self::b));
        let c = stream.alloc_zeros(size * size).expect("the product");
        let gemm = Self { stream, function, a, b, c, size };
        gemm.run();
        gemm.check();
        gemm
    }

    fn run(&self) {
        let tiles = (self.size / Self::TILE) as u32;
        let config = LaunchConfig { grid_dim: (tiles, tiles, 1), block_dim: (256, 1, 1), shared_mem_bytes: 0 };
        let size = self.size as i32;
        let ((), record) = oblate_softgpu::record(|| {
            let mut launch = self.stream.launch_builder(&self.function);
            launch.arg(&self.a).arg(&self.b).arg(&self.c).arg(&size).arg(&size);
            // SAFETY: the matrices have size x size elements, and size is a multiple of the tile's.
            unsafe { launch.launch(config) }.expect("the launch");
            self.stream.synchronize().expect("the kernel");
        });
        assert!(record.findings.is_empty(), "the product is clean");
    }

    fn check(&self) {
        let c = self.stream.clone_dtoh(&self.c).expect("the product");
        for (row, column) in (0..self.size).step_by(37).zip((0..self.size).step_by(41).cycle()) {
            let sum: f32 = (0..self.size).map(|k| Self::a(row, k) * Self::b(column, k)).sum();
            assert_eq!(c[row * self.size + column], sum, "row {row}, column {column}");
        }
    }
}

/// Seconds of a launch that does nothing.
fn empty() -> f64 {
    const LAUNCHES: u32 = 100;
    let context = context(0, MatrixSums::default());
    let stream = context.default_stream();
    let function = function(&context, "benches/kernels.cu", "empty");
    let config = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (32, 1, 1), shared_mem_bytes: 0 };
    let run = || {
        for _ in 0..LAUNCHES {
            // SAFETY: the kernel has no parameters and touches no memory.
            unsafe { stream.launch_builder(&function).launch(config) }.expect("the launch");
        }
        stream.synchronize().expect("the kernels");
    };
    best(run).as_secs_f64() / f64::from(LAUNCHES)
}

/// Seconds of loading the PTX of a family.
fn load() -> f64 {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace");
    let images = compile::family(workspace, "spherical");
    let context = context(0, MatrixSums::default());
    let run = || {
        for image in &images {
            context.load_module(Ptx::from_binary(image.clone())).expect("the module loads");
        }
    };
    best(run).as_secs_f64()
}
