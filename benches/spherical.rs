//! The family `spherical`, on whatever device there is.
//!
//! On a GPU the time of a run by CUDA events, beside its limit: every byte of the logits once in and every byte of the
//! gradient once out, over the card's memory bandwidth. On any device what a run costs the host: that of an empty batch,
//! which checks and prepares what every run does and launches nothing. The software device's own speed says nothing about
//! a card, so nothing else is timed there.

#![allow(clippy::cast_precision_loss, reason = "bytes and runs are far below 2^53")]

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use oblate::cudarc::driver::sys::{CUdevice_attribute, CUevent_flags};
use oblate::cudarc::driver::{CudaContext, CudaSlice, CudaStream};
use oblate::spherical::{
    Dense, DenseConfig, DenseOutputs, DenseTensors, Loss, SoftmaxCrossEntropy, SoftmaxCrossEntropyConfig,
    SoftmaxCrossEntropyOutputs, SoftmaxCrossEntropyTensors,
};
use oblate::{Device, Dtype, View, ViewMut, Workspace};
use oblate_softgpu::Running;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Few and many classes, vocabularies that begin between two vectors and one that does not, few and many rows.
const SHAPES: [[usize; 2]; 6] =
    [[1 << 20, 10], [65_536, 1000], [8192, 30_522], [8192, 50_256], [8192, 50_257], [64, 131_072]];

const OPERATIONS: [Operation; 5] = [
    Operation::Dense(Loss::SquaredError),
    Operation::Dense(Loss::LogSphericalSoftmax { epsilon: 0.01 }),
    Operation::Dense(Loss::LogTaylorSoftmax),
    Operation::Dense(Loss::Z { a: 1.0, b: 0.0 }),
    Operation::SoftmaxCrossEntropy,
];

#[derive(Clone, Copy)]
enum Operation {
    Dense(Loss),
    SoftmaxCrossEntropy,
}

impl Operation {
    fn name(self) -> String {
        match self {
            Self::Dense(loss) => format!("spherical.dense {}", loss.name()),
            Self::SoftmaxCrossEntropy => "spherical.softmax_cross_entropy".to_owned(),
        }
    }
}

enum Handle {
    Dense(Dense),
    SoftmaxCrossEntropy(SoftmaxCrossEntropy),
}

/// One operation on bf16 logits of one shape, with all that a run needs.
struct Call {
    stream: Arc<CudaStream>,
    handle: Handle,
    shape: [usize; 2],
    logits: CudaSlice<half::bf16>,
    targets: CudaSlice<i64>,
    loss: CudaSlice<f32>,
    grad_logits: CudaSlice<half::bf16>,
    workspace: Workspace,
}

impl Call {
    fn new(stream: &Arc<CudaStream>, operation: Operation, shape: [usize; 2]) -> Result<Self> {
        let device = Device::new(0)?;
        let ([rows, classes], dtype) = (shape, Dtype::Bf16);
        let (handle, workspace_bytes) = match operation {
            Operation::Dense(loss) => {
                let config = DenseConfig { dtype, rows, classes, loss, ..DenseConfig::default() };
                let handle = Dense::new(&device, config)?;
                let bytes = handle.workspace_bytes();
                (Handle::Dense(handle), bytes)
            }
            Operation::SoftmaxCrossEntropy => {
                let config = SoftmaxCrossEntropyConfig { dtype, rows, classes, ..SoftmaxCrossEntropyConfig::default() };
                let handle = SoftmaxCrossEntropy::new(&device, config)?;
                let bytes = handle.workspace_bytes();
                (Handle::SoftmaxCrossEntropy(handle), bytes)
            }
        };
        // Between -2 and 2, different in neighbouring columns and rows; what they are does not change the work.
        let logit = |i: usize| half::bf16::from_f32((i * 7919 % 1021) as f32 / 255.0 - 2.0);
        // The driver gives no memory of no bytes: one element stands for none, and `run` takes none of it.
        let logits: Vec<half::bf16> = (0..(rows * classes).max(1)).map(logit).collect();
        let targets: Vec<i64> =
            (0..rows.max(1)).map(|row| i64::try_from(row % classes)).collect::<std::result::Result<_, _>>()?;
        Ok(Self {
            stream: stream.clone(),
            handle,
            shape,
            logits: stream.clone_htod(&logits)?,
            targets: stream.clone_htod(&targets)?,
            loss: stream.alloc_zeros(rows.max(1))?,
            grad_logits: stream.alloc_zeros((rows * classes).max(1))?,
            workspace: Workspace::new(&device, workspace_bytes)?,
        })
    }

    /// Puts one run on the stream.
    fn run(&mut self) -> oblate::Result<()> {
        let (rows, shape) = (self.shape[0], self.shape);
        let elements = shape[0] * shape[1];
        let logits = View::part(self.logits.slice(..elements), shape);
        let targets = View::part(self.targets.slice(..rows), [rows]);
        let loss = ViewMut::part(self.loss.slice_mut(..rows), [rows]);
        let grad_logits = Some(ViewMut::part(self.grad_logits.slice_mut(..elements), shape));
        match &self.handle {
            Handle::Dense(handle) => {
                let tensors = DenseTensors::new(logits, targets);
                handle.run(&self.stream, tensors, DenseOutputs { loss, grad_logits }, &mut self.workspace)
            }
            Handle::SoftmaxCrossEntropy(handle) => {
                let tensors = SoftmaxCrossEntropyTensors::new(logits, targets);
                let outputs = SoftmaxCrossEntropyOutputs { loss, penalty: None, lse: None, grad_logits };
                handle.run(&self.stream, tensors, outputs, &mut self.workspace)
            }
        }
    }

    /// Bytes that every run has to move: logits in, gradient out, a target in and a loss out for each row.
    fn bytes(&self) -> u64 {
        let [rows, classes] = self.shape.map(|size| size as u64);
        rows * classes * 2 * 2 + rows * 12
    }

    /// The time of so many runs on the device.
    fn time(&mut self, runs: u64) -> Result<Duration> {
        let event = |stream: &CudaStream| stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT));
        let start = event(&self.stream)?;
        for _ in 0..runs {
            self.run()?;
        }
        let end = event(&self.stream)?;
        end.synchronize()?;
        Ok(Duration::from_secs_f64(f64::from(start.elapsed_ms(&end)?) / 1e3))
    }
}

/// What a run of each operation costs the host.
fn host_overhead(criterion: &mut Criterion, stream: &Arc<CudaStream>) -> Result<()> {
    for operation in OPERATIONS {
        let mut call = Call::new(stream, operation, [0, 50_257])?;
        criterion.bench_function(&format!("{}, an empty batch", operation.name()), |bencher| {
            bencher.iter(|| black_box(call.run()).expect("a run"));
        });
    }
    Ok(())
}

/// Bytes a second between a card and its memory: two transfers a clock over the width of the bus.
fn bandwidth(context: &CudaContext) -> Result<f64> {
    let attribute = |attribute| context.attribute(attribute).map(f64::from);
    let kilohertz = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)?;
    let bits = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH)?;
    Ok(2.0 * kilohertz * 1e3 * bits / 8.0)
}

/// What a run of each operation takes at each shape, and how far that is from what its bytes take.
fn on_a_card(criterion: &mut Criterion, context: &CudaContext, stream: &Arc<CudaStream>) -> Result<()> {
    let bandwidth = bandwidth(context)?;
    for operation in OPERATIONS {
        let mut group = criterion.benchmark_group(operation.name());
        for shape in SHAPES {
            let mut call = Call::new(stream, operation, shape)?;
            let (name, limit) = (format!("{} x {} bf16", shape[0], shape[1]), call.bytes() as f64 / bandwidth);
            let mut best = f64::INFINITY;
            group.throughput(Throughput::Bytes(call.bytes()));
            group.bench_function(BenchmarkId::from_parameter(&name), |bencher| {
                bencher.iter_custom(|runs| {
                    let time = call.time(runs).expect("runs and events");
                    best = best.min(time.as_secs_f64() / runs as f64);
                    time
                });
            });
            let (limit_us, best_us, share) = (limit * 1e6, best * 1e6, 100.0 * limit / best);
            println!(
                "{name}: limit {limit_us:.1} us by memory bandwidth, best {best_us:.1} us: {share:.0} % of it reached"
            );
        }
        group.finish();
    }
    Ok(())
}

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let running = oblate_softgpu::install()?;
    println!("on {running}");
    let context = CudaContext::new(0)?;
    let stream = context.new_stream()?;
    host_overhead(&mut criterion, &stream)?;
    if matches!(running, Running::Software { .. }) {
        println!("the software device is not timed: its counts are what `cargo oblate report` shows");
    } else {
        on_a_card(&mut criterion, &context, &stream)?;
    }
    criterion.final_summary();
    Ok(())
}
