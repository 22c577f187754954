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
    Dense, DenseConfig, DenseOutputs, DenseTensors, FactoredConfig, FactoredLayer, FactoredOutputs, FactoredTensors,
    LinearCrossEntropy, LinearCrossEntropyConfig, LinearCrossEntropyOutputs, LinearCrossEntropyTensors, Loss,
    SoftmaxCrossEntropy, SoftmaxCrossEntropyConfig, SoftmaxCrossEntropyOutputs, SoftmaxCrossEntropyTensors,
};
use oblate::{Device, Dtype, View, ViewMut, Workspace};
use oblate_softgpu::Running;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Few and many classes, vocabularies that begin between two vectors and one that does not, few and many rows.
const SHAPES: [[usize; 2]; 6] =
    [[1 << 20, 10], [65_536, 1000], [8192, 30_522], [8192, 50_256], [8192, 50_257], [64, 131_072]];

/// Rows, classes and width of a head.
const HEADS: [[usize; 3]; 3] = [[2048, 30_522, 384], [1024, 50_257, 768], [8192, 128_256, 2048]];

/// Rows, classes and width of a factored layer: the same step for few classes and for many.
const LAYERS: [[usize; 3]; 2] = [[200, 10_000, 512], [200, 793_471, 512]];

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
}

/// A linear head of one shape in bf16, with all gradients and all that a run needs.
struct Head {
    stream: Arc<CudaStream>,
    handle: LinearCrossEntropy,
    shape: [usize; 3],
    hidden: CudaSlice<half::bf16>,
    weight: CudaSlice<half::bf16>,
    targets: CudaSlice<i64>,
    loss: CudaSlice<f32>,
    grad_hidden: CudaSlice<half::bf16>,
    grad_weight: CudaSlice<half::bf16>,
    workspace: Workspace,
}

impl Head {
    fn new(stream: &Arc<CudaStream>, shape: [usize; 3]) -> Result<Self> {
        let device = Device::new(0)?;
        let [rows, classes, width] = shape;
        let config = LinearCrossEntropyConfig {
            dtype: Dtype::Bf16,
            rows,
            classes,
            width,
            ..LinearCrossEntropyConfig::default()
        };
        let handle = LinearCrossEntropy::new(&device, config)?;
        let values = |count: usize| -> Vec<half::bf16> {
            (0..count.max(1)).map(|i| half::bf16::from_f32((i * 7919 % 1021) as f32 / 2550.0 - 0.2)).collect()
        };
        let targets: Vec<i64> =
            (0..rows.max(1)).map(|row| i64::try_from(row % classes)).collect::<std::result::Result<_, _>>()?;
        Ok(Self {
            stream: stream.clone(),
            workspace: Workspace::new(&device, handle.workspace_bytes())?,
            handle,
            shape,
            hidden: stream.clone_htod(&values(rows * width))?,
            weight: stream.clone_htod(&values(classes * width))?,
            targets: stream.clone_htod(&targets)?,
            loss: stream.alloc_zeros(rows.max(1))?,
            grad_hidden: stream.alloc_zeros((rows * width).max(1))?,
            grad_weight: stream.alloc_zeros(classes * width)?,
        })
    }

    /// Puts one run on the stream.
    fn run(&mut self) -> oblate::Result<()> {
        let [rows, classes, width] = self.shape;
        let tensors = LinearCrossEntropyTensors::new(
            View::part(self.hidden.slice(..rows * width), [rows, width]),
            View::new(&self.weight, [classes, width]),
            View::part(self.targets.slice(..rows), [rows]),
        );
        let outputs = LinearCrossEntropyOutputs {
            grad_hidden: Some(ViewMut::part(self.grad_hidden.slice_mut(..rows * width), [rows, width])),
            grad_weight: Some(ViewMut::new(&mut self.grad_weight, [classes, width])),
            ..LinearCrossEntropyOutputs::new(ViewMut::part(self.loss.slice_mut(..rows), [rows]))
        };
        self.handle.run(&self.stream, tensors, outputs, &mut self.workspace)
    }

    /// Of the four products of logits, logits again and the two gradients.
    fn multiply_adds(&self) -> u64 {
        self.shape.iter().map(|size| *size as u64).product::<u64>() * 4
    }
}

/// A factored layer of one shape, and a batch.
struct Layer {
    stream: Arc<CudaStream>,
    factored: FactoredLayer,
    hidden: CudaSlice<f32>,
    targets: CudaSlice<i64>,
    loss: CudaSlice<f32>,
    grad_hidden: CudaSlice<f32>,
}

impl Layer {
    fn new(stream: &Arc<CudaStream>, [rows, classes, width]: [usize; 3]) -> Result<Self> {
        // Upkeep, which waits for the stream, is left out; so small a rate leaves the layer as it is.
        let (learning_rate, newton_every) = (1e-6, 0);
        let config = FactoredConfig { rows, classes, width, learning_rate, newton_every, ..FactoredConfig::default() };
        let values =
            |count: usize| -> Vec<f32> { (0..count.max(1)).map(|i| (i * 7919 % 1021) as f32 / 2550.0 - 0.2).collect() };
        let weight = stream.clone_htod(&values(classes * width))?;
        let targets: Vec<i64> =
            (0..rows.max(1)).map(|row| i64::try_from(row * 37 % classes)).collect::<std::result::Result<_, _>>()?;
        Ok(Self {
            stream: stream.clone(),
            factored: FactoredLayer::new(&Device::new(0)?, stream, config, View::new(&weight, [classes, width]))?,
            hidden: stream.clone_htod(&values(rows * width))?,
            targets: stream.clone_htod(&targets)?,
            loss: stream.alloc_zeros(rows.max(1))?,
            grad_hidden: stream.alloc_zeros((rows * width).max(1))?,
        })
    }

    /// Puts one step on the stream.
    fn step(&mut self) -> oblate::Result<()> {
        let FactoredConfig { rows, width, .. } = *self.factored.config();
        let tensors = FactoredTensors::new(
            View::part(self.hidden.slice(..rows * width), [rows, width]),
            View::part(self.targets.slice(..rows), [rows]),
        );
        let outputs = FactoredOutputs {
            loss: ViewMut::part(self.loss.slice_mut(..rows), [rows]),
            grad_hidden: Some(ViewMut::part(self.grad_hidden.slice_mut(..rows * width), [rows, width])),
        };
        self.factored.step(&self.stream, tensors, outputs)
    }
}

/// The time of so many runs on the device.
fn time(stream: &CudaStream, runs: u64, mut run: impl FnMut() -> oblate::Result<()>) -> Result<Duration> {
    let event = || stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT));
    let start = event()?;
    for _ in 0..runs {
        run()?;
    }
    let end = event()?;
    end.synchronize()?;
    Ok(Duration::from_secs_f64(f64::from(start.elapsed_ms(&end)?) / 1e3))
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

/// What a step of each layer takes.
fn layers(criterion: &mut Criterion, stream: &Arc<CudaStream>) -> Result<()> {
    let mut group = criterion.benchmark_group("spherical.factored");
    for shape in LAYERS {
        let mut layer = Layer::new(stream, shape)?;
        let [rows, classes, width] = shape;
        group.bench_function(BenchmarkId::from_parameter(format!("{rows} x {classes} x {width} f32")), |bencher| {
            bencher.iter_custom(|steps| time(stream, steps, || layer.step()).expect("steps and events"));
        });
    }
    group.finish();
    Ok(())
}

/// What a run of each head takes, and the multiply-adds a second that it comes to.
fn heads(criterion: &mut Criterion, stream: &Arc<CudaStream>) -> Result<()> {
    let mut group = criterion.benchmark_group("spherical.linear_cross_entropy");
    for shape in HEADS {
        let mut head = Head::new(stream, shape)?;
        let [rows, classes, width] = shape;
        group.throughput(Throughput::Elements(head.multiply_adds()));
        group.bench_function(BenchmarkId::from_parameter(format!("{rows} x {classes} x {width} bf16")), |bencher| {
            bencher.iter_custom(|runs| time(stream, runs, || head.run()).expect("runs and events"));
        });
    }
    group.finish();
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
                    let time = time(stream, runs, || call.run()).expect("runs and events");
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
        heads(&mut criterion, &stream)?;
        layers(&mut criterion, &stream)?;
    }
    criterion.final_summary();
    Ok(())
}
