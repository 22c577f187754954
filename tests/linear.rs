//! `spherical.linear`: what its cases do not show: a Gram that is formed once and handed in, and what a call then costs.

use std::sync::Arc;

use oblate::cudarc::driver::{CudaContext, CudaSlice, CudaStream};
use oblate::spherical::linear::{ReferenceInputs, reference};
use oblate::spherical::{Gram, Linear, LinearConfig, LinearOutputs, LinearTensors, Loss};
use oblate::{Device, View, ViewMut, Workspace};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

const LOSSES: [Loss; 4] = [
    Loss::SquaredError,
    Loss::LogSphericalSoftmax { epsilon: 0.01 },
    Loss::LogTaylorSoftmax,
    Loss::Z { a: 1.0, b: 0.5 },
];

fn uniform(count: usize, rng: &mut SmallRng) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-1.0..1.0_f32)).collect()
}

fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// A head and some rows, on the device and off it.
struct Head {
    device: Device,
    stream: Arc<CudaStream>,
    config: LinearConfig,
    hidden: Vec<f32>,
    weight: Vec<f32>,
    targets: Vec<i64>,
    loss: CudaSlice<f32>,
    grad_hidden: CudaSlice<f32>,
    gram: CudaSlice<f32>,
    row_sum: CudaSlice<f32>,
}

impl Head {
    /// `shift` is added to every element of the weight.
    fn new(config: LinearConfig, shift: f32) -> Self {
        oblate_softgpu::install().expect("a device");
        let LinearConfig { rows, classes, width, .. } = config;
        let stream = CudaContext::new(0).expect("a context").new_stream().expect("a stream");
        let rng = &mut SmallRng::seed_from_u64(3);
        let zeros = |count: usize| stream.alloc_zeros::<f32>(count).expect("memory");
        let (loss, grad_hidden, gram, row_sum) = (zeros(rows), zeros(rows * width), zeros(width * width), zeros(width));
        Self {
            device: Device::new(0).expect("a device"),
            hidden: uniform(rows * width, rng),
            weight: uniform(classes * width, rng).into_iter().map(|w| w + shift).collect(),
            targets: (0..rows).map(|b| i64::try_from(b * 37 % classes).expect("a class")).collect(),
            stream,
            config,
            loss,
            grad_hidden,
            gram,
            row_sum,
        }
    }

    fn form_gram(&mut self, gram: Gram) {
        let LinearConfig { classes, width, .. } = self.config;
        let handle = Linear::new(&self.device, LinearConfig { gram, ..self.config }).expect("a handle");
        let mut workspace = Workspace::new(&self.device, handle.gram_workspace_bytes()).expect("memory");
        let weight = self.stream.clone_htod(&self.weight).expect("memory");
        let (gram, row_sum) = (ViewMut::new(&mut self.gram, [width, width]), ViewMut::new(&mut self.row_sum, [width]));
        handle
            .form_gram(&self.stream, View::new(&weight, [classes, width]), gram, row_sum, &mut workspace)
            .expect("a Gram");
        self.stream.synchronize().expect("the Gram");
    }

    /// Loss and gradient, the Gram taken as `gram` says; and the launches.
    fn run(&mut self, gram: Gram) -> (Vec<f32>, Vec<f32>, oblate_softgpu::Record) {
        let LinearConfig { rows, classes, width, .. } = self.config;
        let handle = Linear::new(&self.device, LinearConfig { gram, ..self.config }).expect("a handle");
        let mut workspace = Workspace::new(&self.device, handle.workspace_bytes()).expect("memory");
        let hidden = self.stream.clone_htod(&self.hidden).expect("memory");
        let weight = self.stream.clone_htod(&self.weight).expect("memory");
        let targets = self.stream.clone_htod(&self.targets).expect("memory");
        let is_given = gram != Gram::Formed;
        let tensors = LinearTensors {
            gram: is_given.then(|| View::new(&self.gram, [width, width])),
            row_sum: is_given.then(|| View::new(&self.row_sum, [width])),
            ..LinearTensors::new(
                View::new(&hidden, [rows, width]),
                View::new(&weight, [classes, width]),
                View::new(&targets, [rows]),
            )
        };
        let outputs = LinearOutputs {
            grad_hidden: Some(ViewMut::new(&mut self.grad_hidden, [rows, width])),
            ..LinearOutputs::new(ViewMut::new(&mut self.loss, [rows]))
        };
        let ((), record) = oblate_softgpu::record(|| {
            handle.run(&self.stream, tensors, outputs, &mut workspace).expect("a run");
            self.stream.synchronize().expect("the run");
        });
        assert_eq!(record.findings, []);
        workspace.status().check(&self.stream).expect("right targets");
        let read = |slice: &CudaSlice<f32>| self.stream.clone_dtoh(slice).expect("values");
        (read(&self.loss), read(&self.grad_hidden), record)
    }
}

/// The largest difference, relative to the largest value.
fn difference(got: &[f32], expected: &[f64]) -> f64 {
    let largest = expected.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    let apart = got.iter().zip(expected).map(|(got, expected)| (f64::from(*got) - expected).abs());
    apart.fold(0.0, f64::max) / largest
}

/// Each loss with the Gram formed by a run, once before it, and about the mean: against the reference.
#[test]
fn a_gram_that_is_handed_in_is_as_good_as_one_that_is_formed() {
    for loss in LOSSES {
        let config = LinearConfig { rows: 9, classes: 300, width: 36, loss, ..LinearConfig::default() };
        let mut head = Head::new(config, 0.0);
        let (hidden, weight) = (widened(&head.hidden), widened(&head.weight));
        let inputs = ReferenceInputs { hidden: &hidden, weight: &weight, targets: &head.targets, ..Default::default() };
        let expected = reference(&config, &inputs).expect("right inputs");
        let values = |tracked: &[oblate::Tracked]| tracked.iter().map(|x| x.value).collect::<Vec<f64>>();
        let of_loss = values(&expected.loss);
        let of_gradient = values(&expected.grad_hidden.expect("a gradient"));
        for gram in [Gram::Formed, Gram::Plain, Gram::Centred] {
            if gram != Gram::Formed {
                head.form_gram(gram);
            }
            let (got, gradient, record) = head.run(gram);
            let apart = [difference(&got, &of_loss), difference(&gradient, &of_gradient)];
            println!("{loss:?} {gram:?}: loss, gradient, relative: {:.1e}, {:.1e}", apart[0], apart[1]);
            assert!(apart.iter().all(|apart| *apart < 1e-5), "{loss:?} {gram:?}: {apart:?}");
            assert_eq!(record.launches.len(), if gram == Gram::Formed { 5 } else { 2 }, "{loss:?} {gram:?}");
        }
    }
}

/// z sees logits about their mean: a mean row of the weight that is a hundred times what is about it costs a Gram about the
/// mean nothing, and the plain one 4 of its 7 digits.
#[test]
fn a_centred_gram_bears_a_large_mean() {
    let config = LinearConfig { rows: 5, classes: 200, width: 24, loss: LOSSES[3], ..LinearConfig::default() };
    let mut head = Head::new(config, 60.0);
    let (hidden, weight) = (widened(&head.hidden), widened(&head.weight));
    let inputs = ReferenceInputs { hidden: &hidden, weight: &weight, targets: &head.targets, ..Default::default() };
    let expected: Vec<f64> = reference(&config, &inputs).expect("right inputs").loss.iter().map(|x| x.value).collect();
    let mut apart = |gram| {
        head.form_gram(gram);
        difference(&head.run(gram).0, &expected)
    };
    let (centred, plain) = (apart(Gram::Centred), apart(Gram::Plain));
    println!("loss, relative: centred {centred:.1e}, plain {plain:.1e}");
    assert!(centred < 2e-5, "{centred}");
    assert!(plain > 3.0 * centred, "{plain}");
}

/// What the operation exists for: with the Gram handed in, launches, bytes and instructions do not depend on the classes.
#[test]
fn a_run_costs_the_same_whatever_the_classes() {
    let cost = |classes: usize| {
        let config = LinearConfig { rows: 64, classes, width: 96, ..LinearConfig::default() };
        let mut head = Head::new(config, 0.0);
        head.targets.iter_mut().for_each(|target| *target %= 1000);
        head.form_gram(Gram::Centred);
        let (.., record) = head.run(Gram::Centred);
        let sum = |of: fn(&oblate_softgpu::inspect::counters::Counters) -> u64| {
            record.launches.iter().map(|launch| of(&launch.counters)).sum::<u64>()
        };
        (
            record.launches.len(),
            sum(oblate_softgpu::inspect::counters::Counters::moved_bytes),
            sum(oblate_softgpu::inspect::counters::Counters::instructions),
        )
    };
    let (few, many) = (cost(1000), cost(20_000));
    println!("64 rows at width 96: launches, bytes, warp instructions {few:?}, with 20,000 classes {many:?}");
    assert_eq!(few, many);
    assert_eq!(few.0, 2);
}
