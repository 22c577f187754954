//! What a handle does beside its formula: in place, without a gradient, on several streams, with one workspace for several
//! handles, a status over several runs, and several devices of one context.

use std::sync::Arc;

use oblate::cudarc::driver::{CudaContext, CudaSlice, CudaStream, DevicePtr as _, DevicePtrMut as _};
use oblate::spherical::dense::{self, ReferenceInputs};
use oblate::spherical::{Dense, DenseConfig, DenseOutputs, DensePointers, DenseTensors};
use oblate::spherical::{SoftmaxCrossEntropy, SoftmaxCrossEntropyConfig};
use oblate::spherical::{SoftmaxCrossEntropyOutputs, SoftmaxCrossEntropyTensors};
use oblate::{Device, DevicePtr, Reduction, Stream, View, ViewMut, Workspace};

fn stream() -> Arc<CudaStream> {
    oblate_softgpu::install().expect("a device");
    CudaContext::new(0).expect("a context").default_stream()
}

/// Numbers between -2 and 2, each another.
fn logits(elements: usize) -> Vec<f32> {
    (0..elements).map(|i| f32::from(u16::try_from(i * 7919 % 16_381).expect("below 2^16")) / 4095.0 - 2.0).collect()
}

fn targets(rows: usize, classes: usize) -> Vec<i64> {
    (0..rows).map(|b| i64::try_from(b * 31 % classes).expect("small")).collect()
}

/// A run that writes a gradient of its own, and its outputs.
fn run(
    stream: &CudaStream,
    dense: &Dense,
    logits: &CudaSlice<f32>,
    targets: &CudaSlice<i64>,
    workspace: &mut Workspace,
) -> (CudaSlice<f32>, CudaSlice<f32>) {
    let DenseConfig { rows, classes, reduction, need_grad, .. } = *dense.config();
    let losses = reduction.shape(rows);
    let mut loss = logits.stream().alloc_zeros::<f32>(losses.iter().product()).expect("memory");
    let mut grad = logits.stream().alloc_zeros::<f32>(rows * classes).expect("memory");
    let tensors = DenseTensors::new(View::new(logits, [rows, classes]), View::new(targets, [rows]));
    let outputs = DenseOutputs {
        loss: ViewMut::new(&mut loss, losses),
        grad_logits: need_grad.then(|| ViewMut::new(&mut grad, [rows, classes])),
    };
    dense.run(stream, tensors, outputs, workspace).expect("a run");
    (loss, grad)
}

/// Each variant, against the reference.
#[test]
fn outputs_are_those_of_the_reference() {
    let stream = stream();
    let device = Device::new(0).expect("a device");
    // A warp a row; a block a row; few long rows; and rows that are read twice, since there is no gradient.
    for (rows, classes, need_grad) in [(5, 37, true), (3, 2500, true), (2, 30_000, true), (217, 8_300, false)] {
        for reduction in [Reduction::None, Reduction::Mean, Reduction::Sum] {
            let config = DenseConfig { rows, classes, need_grad, reduction, ..DenseConfig::default() };
            let dense = Dense::new(&device, config).expect("a handle");
            let mut workspace = Workspace::new(&device, dense.workspace_bytes()).expect("memory");
            let (logits, targets) = (logits(rows * classes), targets(rows, classes));
            let on_device = stream.clone_htod(&logits).expect("memory");
            let (loss, grad) =
                run(&stream, &dense, &on_device, &stream.clone_htod(&targets).expect("memory"), &mut workspace);
            workspace.status().check(&stream).expect("right targets");

            let logits: Vec<f64> = logits.into_iter().map(f64::from).collect();
            let inputs = ReferenceInputs { logits: &logits, targets: &targets, ..ReferenceInputs::default() };
            let expected = dense::reference(&config, &inputs).expect("right inputs");
            let near = |got: &[f32], expected: &[oblate::Tracked]| {
                assert_eq!(got.len(), expected.len());
                for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
                    let bound = 2_f64.powi(-24) * expected.value.abs() + 1e-5 * expected.magnitude + 1.2e-38;
                    let error = (f64::from(*got) - expected.value).abs();
                    assert!(error <= bound, "{config:?} [{i}]: {got}, expected {} within {bound}", expected.value);
                }
            };
            near(&stream.clone_dtoh(&loss).expect("the loss"), &expected.loss);
            if let Some(expected) = expected.grad_logits {
                near(&stream.clone_dtoh(&grad).expect("the gradient"), &expected);
            }
        }
    }
}

/// In a context of its own, where no handle before these has raised the limit of a kernel.
#[test]
fn a_handle_has_the_shared_memory_that_it_was_made_with() {
    oblate_softgpu::install().expect("a device");
    let context = CudaContext::new_non_primary(0, 0).expect("a context");
    let (stream, device) = (context.default_stream(), Device::current().expect("the context"));
    let ran = |classes: usize, dense: &Dense| {
        let mut workspace = Workspace::new(&device, dense.workspace_bytes()).expect("memory");
        let logits = stream.clone_htod(&logits(classes)).expect("memory");
        let targets = stream.clone_htod(&targets(1, classes)).expect("memory");
        run(&stream, dense, &logits, &targets, &mut workspace);
    };
    let made = |classes: usize| {
        let config = DenseConfig { rows: 1, classes, ..DenseConfig::default() };
        Dense::new(&device, config).expect("a handle")
    };
    // 22 chunks: below 48 KiB, and beyond together with what the kernel has of its own.
    ran(22 * 512, &made(22 * 512));
    let (large, small) = (made(36 * 512), made(25 * 512));
    ran(25 * 512, &small);
    ran(36 * 512, &large);
}

#[test]
fn a_gradient_in_place_has_the_same_bits() {
    let stream = stream();
    let device = Device::new(0).expect("a device");
    for classes in [37, 2500, 30_000] {
        let rows = 2;
        let config = DenseConfig { rows, classes, ..DenseConfig::default() };
        let dense = Dense::new(&device, config).expect("a handle");
        let mut workspace = Workspace::new(&device, dense.workspace_bytes()).expect("memory");
        let mut logits = stream.clone_htod(&logits(rows * classes)).expect("memory");
        let targets = stream.clone_htod(&targets(rows, classes)).expect("memory");
        let (_, grad) = run(&stream, &dense, &logits, &targets, &mut workspace);

        let mut loss = stream.alloc_zeros::<f32>(rows).expect("memory");
        let mut room = stream.alloc_zeros::<u8>(dense.workspace_bytes().max(1)).expect("memory");
        let mut status = stream.clone_htod(&[0xff_u8; 16]).expect("memory");
        {
            let (in_place, _guard) = logits.device_ptr_mut(&stream);
            let (targets, _guard) = targets.device_ptr(&stream);
            let (loss, _guard) = loss.device_ptr_mut(&stream);
            let (room, _guard) = room.device_ptr_mut(&stream);
            let (status, _guard) = status.device_ptr_mut(&stream);
            let pointers = DensePointers {
                logits: DevicePtr(in_place),
                targets: DevicePtr(targets),
                loss: DevicePtr(loss),
                grad_logits: Some(DevicePtr(in_place)),
                workspace: DevicePtr(room),
                workspace_bytes: dense.workspace_bytes(),
                status: DevicePtr(status),
                ..DensePointers::default()
            };
            // SAFETY: the slices have the handle's dtypes and shapes, and outlive the copies below, which wait.
            unsafe { dense.launch(Stream::from(&*stream), &pointers) }.expect("a launch");
        }
        let bits = |slice: &CudaSlice<f32>| -> Vec<u32> {
            stream.clone_dtoh(slice).expect("a tensor").into_iter().map(f32::to_bits).collect()
        };
        assert_eq!(bits(&logits), bits(&grad), "{classes}");
        let status = stream.clone_dtoh(&status).expect("the status");
        dense.check_status(status.try_into().expect("16 bytes")).expect("right targets");
    }
}

/// The status keeps what any run of the handle found, until it is told; another handle starts with a clear one.
#[test]
fn a_status_is_of_all_runs_since_it_was_told() {
    let stream = stream();
    let device = Device::new(0).expect("a device");
    let (rows, classes) = (3, 4);
    let config = DenseConfig { rows, classes, ..DenseConfig::default() };
    let (first, second) = (Dense::new(&device, config).expect("one"), Dense::new(&device, config).expect("another"));
    let mut workspace = Workspace::new(&device, first.workspace_bytes()).expect("memory");
    let logits = stream.clone_htod(&logits(rows * classes)).expect("memory");
    let right = stream.clone_htod(&[0_i64, 1, 2]).expect("memory");
    let wrong = stream.clone_htod(&[0_i64, 1, 4]).expect("memory");
    let (_, _) = run(&stream, &first, &logits, &wrong, &mut workspace);
    let (_, _) = run(&stream, &first, &logits, &right, &mut workspace);
    let said = workspace.status().check(&stream).expect_err("a wrong target").to_string();
    assert_eq!(said, "spherical.dense: targets[2] is out of range, expected -100 (ignore_index) or 0 to 3");
    let (_, _) = run(&stream, &first, &logits, &right, &mut workspace);
    workspace.status().check(&stream).expect("it was told");
    let (_, _) = run(&stream, &first, &logits, &wrong, &mut workspace);
    let (_, _) = run(&stream, &second, &logits, &right, &mut workspace);
    workspace.status().check(&stream).expect("the second handle found nothing");
}

/// Handles of two operations take turns with one workspace, on two streams: each run waits for the one before.
#[test]
fn a_workspace_serves_handles_and_streams_in_turn() {
    let stream = stream();
    let other = stream.context().new_stream().expect("a stream");
    let device = Device::new(0).expect("a device");
    let (rows, classes) = (2, 30_000);
    let config = DenseConfig { rows, classes, reduction: Reduction::Mean, ..DenseConfig::default() };
    let dense = Dense::new(&device, config).expect("a handle");
    let config = SoftmaxCrossEntropyConfig { rows, classes, lse_penalty: Some(0.1), ..Default::default() };
    let softmax = SoftmaxCrossEntropy::new(&device, config).expect("a handle");
    let bytes = dense.workspace_bytes().max(softmax.workspace_bytes());
    let mut workspace = Workspace::new(&device, bytes).expect("memory");
    assert_eq!(workspace.bytes(), bytes);
    let logits = stream.clone_htod(&logits(rows * classes)).expect("memory");
    let targets = stream.clone_htod(&targets(rows, classes)).expect("memory");
    let mut seen = Vec::new();
    for stream in [&stream, &other, &stream] {
        let (loss, _) = run(stream, &dense, &logits, &targets, &mut workspace);
        let mut of_softmax = stream.alloc_zeros::<f32>(2 * rows).expect("memory");
        let (mut values, mut penalties) = of_softmax.split_at_mut(rows);
        let mut grad = stream.alloc_zeros::<f32>(rows * classes).expect("memory");
        let outputs = SoftmaxCrossEntropyOutputs {
            loss: ViewMut::part(values.slice_mut(..), [rows]),
            penalty: Some(ViewMut::part(penalties.slice_mut(..), [rows])),
            lse: None,
            grad_logits: Some(ViewMut::new(&mut grad, [rows, classes])),
        };
        let tensors = SoftmaxCrossEntropyTensors::new(View::new(&logits, [rows, classes]), View::new(&targets, [rows]));
        softmax.run(stream, tensors, outputs, &mut workspace).expect("a run");
        workspace.status().check(stream).expect("right targets");
        seen.push((stream.clone_dtoh(&loss).expect("one"), stream.clone_dtoh(&of_softmax).expect("the others")));
    }
    assert!(seen.iter().all(|values| *values == seen[0]), "{seen:?}");
    assert!(seen[0].1.iter().all(|value| *value > 0.0), "{seen:?}");
}

/// Devices of one context are one; its kernels are loaded again after the last of them is gone.
#[test]
fn a_device_goes_with_its_last_handle() {
    let stream = stream();
    let config = DenseConfig { rows: 1, classes: 4, ..DenseConfig::default() };
    let logits = stream.clone_htod(&logits(4)).expect("memory");
    let targets = stream.clone_htod(&[3_i64]).expect("memory");
    for _ in 0..2 {
        let (one, two) = (Device::new(0).expect("a device"), Device::new(0).expect("the same"));
        assert_eq!(one, two);
        let dense = Dense::new(&one, config).expect("a handle");
        let mut workspace = Workspace::new(&two, dense.workspace_bytes()).expect("memory");
        drop((one, two));
        let (loss, _) = run(&stream, &dense, &logits, &targets, &mut workspace);
        assert!(stream.clone_dtoh(&loss).expect("the loss")[0].is_finite());
    }
}
