//! `spherical.factored`: what its cases do not show, since they are short: long training, singular steps, what upkeep is for.

#![allow(clippy::cast_possible_wrap, clippy::cast_precision_loss, reason = "sizes of tests are far below 2^24")]

use std::sync::Arc;

use oblate::cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};
use oblate::cudarc::driver::{CudaContext, CudaSlice, CudaStream, DevicePtr as _};
use oblate::spherical::factored::{ReferenceInputs, reference};
use oblate::spherical::{
    Factored, FactoredConfig, FactoredLayer, FactoredOutputs, FactoredPointers, FactoredTensors, Loss,
};
use oblate::{Device, DevicePtr, Error, Stream, View, ViewMut};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

fn stream() -> Arc<CudaStream> {
    oblate_softgpu::install().expect("a device");
    CudaContext::new(0).expect("a context").new_stream().expect("a stream")
}

fn device() -> Device {
    Device::new(0).expect("a device")
}

/// A sum of twelve uniform numbers less 6: bell-shaped, of deviation 1.
fn bells(count: usize, deviation: f32, rng: &mut SmallRng) -> Vec<f32> {
    (0..count).map(|_| deviation * ((0..12).map(|_| rng.random_range(0.0..1.0_f32)).sum::<f32>() - 6.0)).collect()
}

fn address<T>(slice: &CudaSlice<T>, stream: &CudaStream) -> DevicePtr {
    DevicePtr(slice.device_ptr(stream).0)
}

/// A layer on its device, and what a step of it takes.
struct Trained {
    stream: Arc<CudaStream>,
    layer: FactoredLayer,
    loss: CudaSlice<f32>,
    grad_hidden: CudaSlice<f32>,
}

impl Trained {
    fn new(config: FactoredConfig, weight: &[f32]) -> Self {
        let stream = stream();
        let on_device = stream.clone_htod(weight).expect("memory");
        let layer =
            FactoredLayer::new(&device(), &stream, config, View::new(&on_device, [config.classes, config.width]))
                .expect("a layer");
        let zeros = |count| stream.alloc_zeros::<f32>(count).expect("memory");
        Self { loss: zeros(config.rows), grad_hidden: zeros(config.rows * config.width), stream, layer }
    }

    fn step(&mut self, hidden: &[f32], targets: &[i64]) -> oblate::Result<()> {
        let FactoredConfig { rows, width, .. } = *self.layer.config();
        let hidden = self.stream.clone_htod(hidden).expect("memory");
        let targets = self.stream.clone_htod(targets).expect("memory");
        let tensors = FactoredTensors::new(View::new(&hidden, [rows, width]), View::new(&targets, [rows]));
        let outputs = FactoredOutputs {
            loss: ViewMut::new(&mut self.loss, [rows]),
            grad_hidden: Some(ViewMut::new(&mut self.grad_hidden, [rows, width])),
        };
        self.layer.step(&self.stream, tensors, outputs)
    }

    fn weight(&mut self) -> Vec<f32> {
        let FactoredConfig { classes, width, .. } = *self.layer.config();
        let mut weight = self.stream.alloc_zeros::<f32>(classes * width).expect("memory");
        self.layer.expand(&self.stream, ViewMut::new(&mut weight, [classes, width])).expect("the weights");
        self.stream.clone_dtoh(&weight).expect("the weights")
    }

    fn outputs(&self) -> (Vec<f32>, Vec<f32>) {
        let read = |slice: &CudaSlice<f32>| self.stream.clone_dtoh(slice).expect("an output");
        (read(&self.loss), read(&self.grad_hidden))
    }
}

/// Gradient descent on the dense layer in f64, by the derivatives of each loss as the papers give them.
fn dense_step(loss: Loss, w: &mut [f64], width: usize, hidden: &[f64], targets: &[i64], learning_rate: f64) {
    let classes = w.len() / width;
    let d = classes as f64;
    let mut update = vec![0.0; w.len()];
    for (h, &c) in hidden.chunks_exact(width).zip(targets) {
        let c = usize::try_from(c).expect("a class");
        let o: Vec<f64> = w.chunks_exact(width).map(|row| row.iter().zip(h).map(|(w, h)| w * h).sum()).collect();
        let (s, q): (f64, f64) = (o.iter().sum(), o.iter().map(|o| o * o).sum());
        let (l_s, two_l_q, l_c) = match loss {
            Loss::SquaredError => (0.0, 2.0, -2.0),
            Loss::LogSphericalSoftmax { epsilon } => {
                (0.0, 2.0 / (q + d * epsilon), -2.0 * o[c] / (o[c] * o[c] + epsilon))
            }
            Loss::LogTaylorSoftmax => {
                let t = d + s + q / 2.0;
                (1.0 / t, 1.0 / t, -(1.0 + o[c]) / (1.0 + o[c] + o[c] * o[c] / 2.0))
            }
            Loss::Z { a, b } => {
                let mu = s / d;
                let sigma = (o.iter().map(|o| (o - mu) * (o - mu)).sum::<f64>() / d).sqrt();
                let z = (o[c] - mu) / sigma;
                let g = 1.0 / (1.0 + (-a * (b - z)).exp());
                (g * (1.0 - z * mu / sigma) / (d * sigma), g * z / (d * sigma * sigma), -g / sigma)
            }
        };
        for (k, row) in update.chunks_exact_mut(width).enumerate() {
            let g = l_s + two_l_q * o[k] + if k == c { l_c } else { 0.0 };
            row.iter_mut().zip(h).for_each(|(u, h)| *u += g * h);
        }
    }
    w.iter_mut().zip(update).for_each(|(w, u)| *w -= learning_rate * u);
}

/// The distance of two weights over the largest entry.
fn distance(got: &[f32], expected: &[f64]) -> f64 {
    let largest = expected.iter().fold(0.0_f64, |largest, w| largest.max(w.abs()));
    let apart = got.iter().zip(expected).map(|(&got, &w)| (f64::from(got) - w).abs());
    apart.fold(0.0, f64::max) / largest
}

/// 1,500 steps of B 16 on D 1,500, d 32, as a training run has them: each row is near what its class has been given.
fn train(loss: Loss, learning_rate: f64) -> f64 {
    const STEPS: usize = 1500;
    let (rows, classes, width) = (16, 1500, 32);
    let mut rng = SmallRng::seed_from_u64(7);
    let weight = bells(classes * width, 0.1, &mut rng);
    let of_classes = bells(classes * width, 1.0, &mut rng);
    let config = FactoredConfig { rows, classes, width, loss, learning_rate, ..FactoredConfig::default() };
    let mut trained = Trained::new(config, &weight);
    let mut dense: Vec<f64> = weight.iter().copied().map(f64::from).collect();
    for _ in 0..STEPS {
        let targets: Vec<i64> = (0..rows).map(|_| rng.random_range(0..classes as i64)).collect();
        let mut hidden = bells(rows * width, 0.5, &mut rng);
        for (h, &c) in hidden.chunks_exact_mut(width).zip(&targets) {
            let own = &of_classes[usize::try_from(c).expect("a class") * width..][..width];
            h.iter_mut().zip(own).for_each(|(h, own)| *h += own);
        }
        trained.step(&hidden, &targets).expect("a step");
        let hidden: Vec<f64> = hidden.into_iter().map(f64::from).collect();
        dense_step(loss, &mut dense, width, &hidden, &targets, learning_rate);
    }
    let stream = Arc::clone(&trained.stream);
    trained.layer.check(&stream).expect("nothing wrong");
    let condition = trained.layer.condition(&stream).expect("numbers");
    let apart = distance(&trained.weight(), &dense);
    println!(
        "{}: W within {apart:.1e}, condition {:.1}, inverse error {:.1e}",
        loss.name(),
        condition.number(),
        condition.inverse_error
    );
    assert!(apart <= 1e-4, "{}: W is {apart:.1e} from dense descent, {condition:?}", loss.name());
    apart
}

#[test]
fn squared_error_stays_with_dense_descent() {
    train(Loss::SquaredError, 0.002);
}

#[test]
fn log_spherical_softmax_stays_with_dense_descent() {
    train(Loss::LogSphericalSoftmax { epsilon: 0.01 }, 0.01);
}

#[test]
fn log_taylor_softmax_stays_with_dense_descent() {
    train(Loss::LogTaylorSoftmax, 0.05);
}

#[test]
fn z_stays_with_dense_descent() {
    train(Loss::Z { a: 1.0, b: 0.0 }, 0.05);
}

/// squared_error shrinks U in every direction that it visits: without upkeep T drifts, and the inverse error says so before W
/// is wrong.
#[test]
fn without_upkeep_the_inverse_error_warns() {
    let (rows, classes, width) = (8, 60, 12);
    let mut rng = SmallRng::seed_from_u64(3);
    let weight = bells(classes * width, 0.3, &mut rng);
    let (loss, learning_rate) = (Loss::SquaredError, 0.01);
    let config =
        FactoredConfig { rows, classes, width, loss, learning_rate, newton_every: 0, ..FactoredConfig::default() };
    let mut trained = Trained::new(config, &weight);
    let mut dense: Vec<f64> = weight.iter().copied().map(f64::from).collect();
    let stream = Arc::clone(&trained.stream);
    let mut warned = false;
    for _ in 0..400 {
        let targets: Vec<i64> = (0..rows).map(|_| rng.random_range(0..classes as i64)).collect();
        let hidden = bells(rows * width, 1.0, &mut rng);
        trained.step(&hidden, &targets).expect("a step");
        let hidden: Vec<f64> = hidden.into_iter().map(f64::from).collect();
        dense_step(loss, &mut dense, width, &hidden, &targets, learning_rate);
        warned = warned || trained.layer.condition(&stream).expect("numbers").inverse_error > 1e-3;
        if distance(&trained.weight(), &dense) > 1e-3 {
            break;
        }
    }
    assert!(warned, "400 steps without upkeep, and nothing to warn of");
}

/// |h|² = 1/(2 learning_rate): the step takes all of the direction h away.
#[test]
fn a_singular_step_is_an_error_and_changes_nothing() {
    let (rows, classes, width) = (1, 5, 4);
    let weight: Vec<f32> = (0..20).map(|i| i as f32 / 16.0 - 0.5).collect();
    let config = FactoredConfig {
        rows,
        classes,
        width,
        loss: Loss::SquaredError,
        learning_rate: 0.5,
        ..FactoredConfig::default()
    };
    let mut trained = Trained::new(config, &weight);
    let stream = Arc::clone(&trained.stream);
    trained.step(&[0.5, 0.0, 0.25, 0.0], &[1]).expect("a step");
    let before = trained.weight();
    trained.step(&[0.0, 1.0, 0.0, 0.0], &[2]).expect("a step");
    trained.step(&[0.5, 0.5, 0.0, 0.0], &[3]).expect("a step");
    let told = trained.layer.check(&stream).expect_err("a singular step");
    assert_eq!(told, Error::SingularStep { operation: "spherical.factored", step: 1, learning_rate: 0.5 });
    assert_eq!(
        told.to_string(),
        "spherical.factored: step 1 is singular at learning_rate 0.5, expected another learning_rate"
    );
    assert_eq!(trained.weight(), before, "the steps from the singular one on are not made");
    trained.step(&[0.5, 0.5, 0.0, 0.0], &[3]).expect("a step");
    trained.layer.check(&stream).expect("nothing wrong");
    assert_ne!(trained.weight(), before);
}

#[test]
fn a_target_out_of_range_is_an_error_and_changes_nothing() {
    let (rows, classes, width) = (3, 5, 4);
    let weight: Vec<f32> = (0..20).map(|i| (i as f32).sin()).collect();
    let config = FactoredConfig { rows, classes, width, learning_rate: 0.1, ..FactoredConfig::default() };
    let mut trained = Trained::new(config, &weight);
    let stream = Arc::clone(&trained.stream);
    let hidden: Vec<f32> = (0..12).map(|i| (i as f32).cos()).collect();
    trained.step(&hidden, &[0, 1, 4]).expect("a step");
    let before = trained.weight();
    trained.step(&hidden, &[0, 5, 4]).expect("a step");
    let told = trained.layer.check(&stream).expect_err("a target").to_string();
    let expected = "spherical.factored: targets[1, 1] is out of range, expected -100 (ignore_index) or 0 to 4";
    assert_eq!(told, expected);
    let (loss, grad_hidden) = trained.outputs();
    assert_eq!(loss.iter().map(|loss| loss.is_nan()).collect::<Vec<_>>(), [false, true, false]);
    let rows_that_are_nan: Vec<bool> = grad_hidden.chunks(width).map(|row| row.iter().any(|g| g.is_nan())).collect();
    assert_eq!(rows_that_are_nan, [false, true, false]);
    assert_eq!(trained.weight(), before);
}

/// A layer that was saved and loaded goes on with the bits that it would have had; a file of something else is told.
#[test]
fn a_layer_goes_on_from_its_file() {
    let (rows, classes, width) = (5, 21, 7);
    let mut rng = SmallRng::seed_from_u64(2);
    let weight = bells(classes * width, 0.4, &mut rng);
    let steps: Vec<(Vec<f32>, Vec<i64>)> = (0..6)
        .map(|_| {
            let targets = (0..rows).map(|_| rng.random_range(0..classes as i64)).collect();
            (bells(rows * width, 1.0, &mut rng), targets)
        })
        .collect();
    let config = FactoredConfig { rows, classes, width, learning_rate: 0.02, ..FactoredConfig::default() };
    let mut trained = Trained::new(config, &weight);
    let stream = Arc::clone(&trained.stream);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("layer.safetensors");
    let (first, last) = steps.split_at(3);
    let train = |trained: &mut Trained, steps: &[(Vec<f32>, Vec<i64>)]| {
        for (hidden, targets) in steps {
            trained.step(hidden, targets).expect("a step");
        }
    };
    train(&mut trained, first);
    trained.layer.save(&stream, &path).expect("a file");
    train(&mut trained, last);

    let mut loaded = Trained::new(config, &vec![0.0; classes * width]);
    loaded.layer = FactoredLayer::load(&device(), &stream, config, &path).expect("a layer");
    assert_eq!(loaded.layer.steps(), 3);
    train(&mut loaded, last);
    assert_eq!(loaded.weight(), trained.weight());
    assert_eq!(loaded.outputs(), trained.outputs());

    let load = |config, path: &std::path::Path| {
        let told = FactoredLayer::load(&device(), &stream, config, path).expect_err("a wrong file").to_string();
        told.replace(&folder.path().display().to_string(), "FOLDER")
    };
    let at = "spherical.factored: FOLDER/layer.safetensors:";
    let other = FactoredConfig { loss: Loss::SquaredError, ..config };
    assert_eq!(load(other, &path), format!("{at} loss is \"z\", expected squared_error"));
    let wider = FactoredConfig { classes: 22, ..config };
    assert_eq!(load(wider, &path), format!("{at} v is F32 [21, 7], expected F32 [22, 7]"));
    let missing = load(config, &folder.path().join("none"));
    assert!(missing.starts_with("spherical.factored: FOLDER/none: "), "{missing}");
    std::fs::write(&path, [7; 40]).expect("a file");
    assert!(load(config, &path).starts_with(at));
}

/// A step is captured once, in both forms of the small system, and replayed on what is there then.
#[test]
fn a_graph_replays_a_step() {
    for (rows, launches) in [(5, 6), (20, 8)] {
        let (classes, width) = (21, 8);
        let mut rng = SmallRng::seed_from_u64(4);
        let weight = bells(classes * width, 0.4, &mut rng);
        let config =
            FactoredConfig { rows, classes, width, learning_rate: 0.02, newton_every: 0, ..FactoredConfig::default() };
        let mut trained = Trained::new(config, &weight);
        let stream = Arc::clone(&trained.stream);
        let handle = Factored::new(&device(), config).expect("a handle");
        let on_weight = stream.clone_htod(&weight).expect("memory");
        let mut hidden = stream.alloc_zeros::<f32>(rows * width).expect("memory");
        let mut targets = stream.alloc_zeros::<i64>(rows).expect("memory");
        let loss = stream.alloc_zeros::<f32>(rows).expect("memory");
        let grad_hidden = stream.alloc_zeros::<f32>(rows * width).expect("memory");
        let memory = stream.alloc_zeros::<u8>(handle.memory_bytes()).expect("memory");
        let status = stream.clone_htod(&[0xff_u8; 16]).expect("memory");
        let expanded = stream.alloc_zeros::<f32>(classes * width).expect("memory");
        let pointers = FactoredPointers {
            hidden: address(&hidden, &stream),
            targets: address(&targets, &stream),
            loss: address(&loss, &stream),
            grad_hidden: Some(address(&grad_hidden, &stream)),
            memory: address(&memory, &stream),
            status: address(&status, &stream),
            ..FactoredPointers::default()
        };
        let plain = Stream::from(&*stream);
        // SAFETY: each tensor has the handle's shape and lives to the end of the test, which waits for the stream.
        unsafe { handle.load(plain, address(&on_weight, &stream), pointers.memory) }.expect("a layer");
        stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).expect("a capture");
        // SAFETY: as above.
        unsafe { handle.launch(plain, &pointers, 0) }.expect("the launches");
        let flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
        let graph = stream.end_capture(flags).expect("the end of the capture").expect("a graph");
        for step in 0..3 {
            let of_step = bells(rows * width, 1.0, &mut rng);
            let classes_of_step: Vec<i64> = (0..rows).map(|_| rng.random_range(0..classes as i64)).collect();
            stream.memcpy_htod(&of_step, &mut hidden).expect("a copy");
            stream.memcpy_htod(&classes_of_step, &mut targets).expect("a copy");
            let ((), record) = oblate_softgpu::record(|| {
                graph.launch().expect("a replay");
                stream.synchronize().expect("the replay");
            });
            assert_eq!(record.launches.len(), launches);
            trained.step(&of_step, &classes_of_step).expect("a step");
            let outputs =
                (stream.clone_dtoh(&loss).expect("a loss"), stream.clone_dtoh(&grad_hidden).expect("a gradient"));
            assert_eq!(outputs, trained.outputs(), "{rows} rows, step {step}");
        }
        // SAFETY: as above.
        unsafe { handle.expand(plain, pointers.memory, address(&expanded, &stream)) }.expect("the weights");
        assert_eq!(stream.clone_dtoh(&expanded).expect("the weights"), trained.weight());
        handle
            .check_status(stream.clone_dtoh(&status).expect("a status").try_into().expect("16 bytes"))
            .expect("no error");
    }
}

/// Launches of a step of 200 rows on a layer of zeros of width 512, the bytes that they move, and their instructions.
fn cost_of_a_step(classes: usize) -> (usize, u64, u64) {
    let (rows, width) = (200, 512);
    let stream = stream();
    let config = FactoredConfig { rows, classes, width, learning_rate: 0.01, ..FactoredConfig::default() };
    let handle = Factored::new(&device(), config).expect("a handle");
    let memory = stream.alloc_zeros::<u8>(handle.memory_bytes()).expect("memory");
    let status = stream.clone_htod(&[0xff_u8; 16]).expect("memory");
    let hidden = bells(rows * width, 1.0, &mut SmallRng::seed_from_u64(1));
    let hidden = stream.clone_htod(&hidden).expect("memory");
    let targets: Vec<i64> = (0..rows as i64).map(|b| b * 37 % 9000).collect();
    let targets = stream.clone_htod(&targets).expect("memory");
    let loss = stream.alloc_zeros::<f32>(rows).expect("memory");
    let grad_hidden = stream.alloc_zeros::<f32>(rows * width).expect("memory");
    let pointers = FactoredPointers {
        hidden: address(&hidden, &stream),
        targets: address(&targets, &stream),
        loss: address(&loss, &stream),
        grad_hidden: Some(address(&grad_hidden, &stream)),
        memory: address(&memory, &stream),
        status: address(&status, &stream),
        ..FactoredPointers::default()
    };
    let ((), record) = oblate_softgpu::record(|| {
        // SAFETY: the slices are of the handle's shapes, and live until the stream has been waited for.
        unsafe { handle.launch(Stream::from(&*stream), &pointers, 0) }.expect("a step");
        stream.synchronize().expect("the step");
    });
    assert_eq!(record.findings, []);
    let sum = |of: fn(&oblate_softgpu::inspect::counters::Counters) -> u64| {
        record.launches.iter().map(|launch| of(&launch.counters)).sum()
    };
    (
        record.launches.len(),
        sum(oblate_softgpu::inspect::counters::Counters::moved_bytes),
        sum(oblate_softgpu::inspect::counters::Counters::instructions),
    )
}

/// What the layer exists for.
#[test]
fn a_step_costs_the_same_whatever_the_classes() {
    let (few, many) = (cost_of_a_step(10_000), cost_of_a_step(793_471));
    println!(
        "a step of 200 rows at width 512: launches, bytes, warp instructions {few:?}, with 793,471 classes {many:?}"
    );
    assert_eq!(few, many);
    assert!(few.0 <= 8, "{} launches", few.0);
}

/// A row's loss and gradient are those of the layer before the step, whatever else is in the batch, bit for bit.
#[test]
fn a_row_has_its_bits_in_any_batch() {
    let (classes, width) = (37, 24);
    let mut rng = SmallRng::seed_from_u64(11);
    let weight = bells(classes * width, 0.3, &mut rng);
    let hidden = bells(70 * width, 1.0, &mut rng);
    let targets: Vec<i64> = (0..70).map(|_| rng.random_range(0..classes as i64)).collect();
    let after = |rows: usize, first: usize| {
        let config = FactoredConfig { rows, classes, width, learning_rate: 1e-3, ..FactoredConfig::default() };
        let mut trained = Trained::new(config, &weight);
        trained.step(&hidden[first * width..(first + rows) * width], &targets[first..first + rows]).expect("a step");
        trained.outputs()
    };
    let (loss, grad_hidden) = after(70, 0);
    for (rows, first) in [(1, 69), (3, 66), (24, 40)] {
        let (some_loss, some_grad) = after(rows, first);
        assert_eq!(some_loss, loss[first..first + rows], "{rows} rows");
        assert_eq!(some_grad, grad_hidden[first * width..(first + rows) * width], "{rows} rows");
    }
}

/// A learning rate that is set is that of the steps after it, to the bit; one out of its range is refused, and the old one
/// stays.
#[test]
fn the_learning_rate_may_change() {
    let (rows, classes, width) = (5, 23, 12);
    let mut rng = SmallRng::seed_from_u64(12);
    let (weight, hidden) = (bells(classes * width, 0.3, &mut rng), bells(rows * width, 1.0, &mut rng));
    let targets: Vec<i64> = (0..rows).map(|_| rng.random_range(0..classes as i64)).collect();
    let trained = |learning_rate| {
        let weight_decay = 0.5;
        let config = FactoredConfig { rows, classes, width, learning_rate, weight_decay, ..FactoredConfig::default() };
        Trained::new(config, &weight)
    };
    let (mut changed, mut as_made) = (trained(1e-3), trained(0.05));
    changed.layer.set_learning_rate(0.05).expect("a learning rate");
    for wrong in [-1.0, f64::NAN, 2.0] {
        let said = changed.layer.set_learning_rate(wrong).expect_err("a wrong learning rate").to_string();
        assert!(said.starts_with("spherical.factored: "), "{said}");
    }
    assert_eq!(changed.layer.config().learning_rate, 0.05);
    for layer in [&mut changed, &mut as_made] {
        layer.step(&hidden, &targets).expect("a step");
    }
    assert_eq!(changed.weight(), as_made.weight());
    assert_ne!(changed.weight(), weight);
}

/// The reference is gradient descent: against a dense step of the test's own.
#[test]
fn the_reference_is_dense_descent() {
    let (rows, classes, width, steps) = (3, 11, 4, 5);
    let mut rng = SmallRng::seed_from_u64(5);
    let mut widened = |count: usize| bells(count, 0.5, &mut rng).into_iter().map(f64::from).collect::<Vec<f64>>();
    let (weight, hidden) = (widened(classes * width), widened(steps * rows * width));
    let targets: Vec<i64> = (0..steps * rows).map(|i| (i * 7 % classes) as i64).collect();
    for loss in [
        Loss::SquaredError,
        Loss::LogSphericalSoftmax { epsilon: 0.1 },
        Loss::LogTaylorSoftmax,
        Loss::Z { a: 2.0, b: 0.5 },
    ] {
        let config = FactoredConfig { rows, classes, width, loss, learning_rate: 0.02, ..FactoredConfig::default() };
        let inputs = ReferenceInputs { weight: &weight, hidden: &hidden, targets: &targets, ..Default::default() };
        let outputs = reference(&config, steps, &inputs).expect("a reference");
        let mut dense = weight.clone();
        for (hidden, targets) in hidden.chunks(rows * width).zip(targets.chunks(rows)) {
            dense_step(loss, &mut dense, width, hidden, targets, 0.02);
        }
        for (got, expected) in outputs.weight.iter().zip(dense) {
            assert!((got.value - expected).abs() <= 1e-13, "{}: {} {expected}", loss.name(), got.value);
        }
    }
}
