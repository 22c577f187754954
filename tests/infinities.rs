//! Rows with NaN and infinities: the kernels say what the formulas say, element by element.

use oblate::cudarc::driver::CudaContext;
use oblate::spherical::dense::{self, ReferenceInputs};
use oblate::spherical::softmax_cross_entropy;
use oblate::spherical::{Dense, DenseConfig, DenseOutputs, DenseTensors, Loss};
use oblate::spherical::{SoftmaxCrossEntropy, SoftmaxCrossEntropyConfig};
use oblate::spherical::{SoftmaxCrossEntropyOutputs, SoftmaxCrossEntropyTensors};
use oblate::{Device, Tracked, View, ViewMut, Workspace};

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;
const CLASSES: usize = 3;

const LOGITS: [[f32; CLASSES]; 11] = [
    [INF, 1.0, 0.0],
    [INF, 100.0, 0.0],
    [1.0, INF, -INF],
    [INF, INF, 0.0],
    [-INF, 1.0, 0.0],
    [1.0, 2.0, -INF],
    [1.0, -INF, -INF],
    [-INF, -INF, -INF],
    [NAN, 1.0, 0.0],
    [NAN, INF, -INF],
    [3e38, -3e38, 0.0],
];
const ROWS: usize = LOGITS.len();

/// NaN for NaN, infinity for what f32 does not hold, and close to everything else.
fn check(name: &str, got: &[f32], expected: &[Tracked]) {
    assert_eq!(got.len(), expected.len(), "{name}");
    for (i, (&got, expected)) in got.iter().zip(expected).enumerate() {
        let (got, expected) = (f64::from(got), expected.value);
        let is_right = if expected.is_nan() {
            got.is_nan()
        } else if expected.abs() > f64::from(f32::MAX) {
            got == f64::INFINITY.copysign(expected)
        } else {
            (got - expected).abs() <= 1e-5 * expected.abs().max(1.0)
        };
        assert!(is_right, "{name}[{i}]: {got}, expected {expected}");
    }
}

#[test]
fn softmax_cross_entropy() {
    oblate_softgpu::install().expect("a device");
    let stream = CudaContext::new(0).expect("a context").default_stream();
    let device = Device::new(0).expect("a device");
    let on_device = stream.clone_htod(LOGITS.as_flattened()).expect("memory");
    let logits: Vec<f64> = LOGITS.as_flattened().iter().copied().map(f64::from).collect();
    for label_smoothing in [0.0, 0.3, 1.0] {
        for lse_penalty in [None, Some(0.0), Some(0.5)] {
            for class in 0..3 {
                let name = format!("e={label_smoothing} p={lse_penalty:?} c={class}");
                let config = SoftmaxCrossEntropyConfig {
                    rows: ROWS,
                    classes: CLASSES,
                    label_smoothing,
                    lse_penalty,
                    ..SoftmaxCrossEntropyConfig::default()
                };
                let handle = SoftmaxCrossEntropy::new(&device, config).expect("a handle");
                let mut workspace = Workspace::new(&device, handle.workspace_bytes()).expect("memory");
                let targets = [class; ROWS];
                let floats = |elements| stream.alloc_zeros::<f32>(elements).expect("memory");
                let (mut loss, mut penalty, mut lse) = (floats(ROWS), floats(ROWS), floats(ROWS));
                let mut grad = floats(ROWS * CLASSES);
                let targets_on_device = stream.clone_htod(&targets).expect("memory");
                let tensors = SoftmaxCrossEntropyTensors::new(
                    View::new(&on_device, [ROWS, CLASSES]),
                    View::new(&targets_on_device, [ROWS]),
                );
                let outputs = SoftmaxCrossEntropyOutputs {
                    loss: ViewMut::new(&mut loss, [ROWS]),
                    penalty: lse_penalty.map(|_| ViewMut::new(&mut penalty, [ROWS])),
                    lse: Some(ViewMut::new(&mut lse, [ROWS])),
                    grad_logits: Some(ViewMut::new(&mut grad, [ROWS, CLASSES])),
                };
                handle.run(&stream, tensors, outputs, &mut workspace).expect("a run");

                let inputs =
                    softmax_cross_entropy::ReferenceInputs { logits: &logits, targets: &targets, ..Default::default() };
                let expected = softmax_cross_entropy::reference(&config, &inputs).expect("right inputs");
                let read = |slice| stream.clone_dtoh(slice).expect("an output");
                check(&format!("{name}: loss"), &read(&loss), &expected.loss);
                check(&format!("{name}: lse"), &read(&lse), &expected.lse);
                if let Some(expected) = expected.penalty {
                    check(&format!("{name}: penalty"), &read(&penalty), &expected);
                }
                check(&format!("{name}: grad_logits"), &read(&grad), &expected.grad_logits.expect("needed"));
            }
        }
    }
}

#[test]
fn dense() {
    oblate_softgpu::install().expect("a device");
    let stream = CudaContext::new(0).expect("a context").default_stream();
    let device = Device::new(0).expect("a device");
    let on_device = stream.clone_htod(LOGITS.as_flattened()).expect("memory");
    let logits: Vec<f64> = LOGITS.as_flattened().iter().copied().map(f64::from).collect();
    for loss in [
        Loss::SquaredError,
        Loss::LogSphericalSoftmax { epsilon: 0.01 },
        Loss::LogTaylorSoftmax,
        Loss::Z { a: 1.0, b: 0.0 },
    ] {
        for class in 0..3 {
            let name = format!("{} c={class}", loss.name());
            let config = DenseConfig { rows: ROWS, classes: CLASSES, loss, ..DenseConfig::default() };
            let handle = Dense::new(&device, config).expect("a handle");
            let mut workspace = Workspace::new(&device, handle.workspace_bytes()).expect("memory");
            let targets = [class; ROWS];
            let targets_on_device = stream.clone_htod(&targets).expect("memory");
            let mut loss = stream.alloc_zeros::<f32>(ROWS).expect("memory");
            let mut grad = stream.alloc_zeros::<f32>(ROWS * CLASSES).expect("memory");
            let tensors =
                DenseTensors::new(View::new(&on_device, [ROWS, CLASSES]), View::new(&targets_on_device, [ROWS]));
            let outputs = DenseOutputs {
                loss: ViewMut::new(&mut loss, [ROWS]),
                grad_logits: Some(ViewMut::new(&mut grad, [ROWS, CLASSES])),
            };
            handle.run(&stream, tensors, outputs, &mut workspace).expect("a run");

            let inputs = ReferenceInputs { logits: &logits, targets: &targets, ..ReferenceInputs::default() };
            let expected = dense::reference(&config, &inputs).expect("right inputs");
            check(&format!("{name}: loss"), &stream.clone_dtoh(&loss).expect("the loss"), &expected.loss);
            let grad = stream.clone_dtoh(&grad).expect("the gradient");
            check(&format!("{name}: grad_logits"), &grad, &expected.grad_logits.expect("needed"));
        }
    }
}
