//! `spherical.linear_cross_entropy`: what its cases do not show, since they are one call each.

use std::sync::Arc;

use half::bf16;
use oblate::cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};
use oblate::cudarc::driver::{CudaContext, CudaSlice, CudaStream, DevicePtr as _, DeviceRepr};
use oblate::spherical::{
    LinearCrossEntropy, LinearCrossEntropyConfig, LinearCrossEntropyOutputs, LinearCrossEntropyPointers,
    LinearCrossEntropyTensors,
};
use oblate::{Device, DevicePtr, Dtype, Stream, View, ViewMut, Workspace};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

const CLASSES: usize = 6000;
const WIDTH: usize = 8;

fn stream() -> Arc<CudaStream> {
    oblate_softgpu::install().expect("a device");
    CudaContext::new(0).expect("a context").new_stream().expect("a stream")
}

fn values(count: usize, seed: u64) -> Vec<bf16> {
    let mut rng = SmallRng::seed_from_u64(seed);
    (0..count).map(|_| bf16::from_f32(rng.random_range(-2.0..2.0))).collect()
}

fn config(rows: usize) -> LinearCrossEntropyConfig {
    LinearCrossEntropyConfig {
        dtype: Dtype::Bf16,
        rows,
        classes: CLASSES,
        width: WIDTH,
        ..LinearCrossEntropyConfig::default()
    }
}

/// Loss and gradient of `hidden` by a run of views.
fn run(hidden: &[bf16], targets: &[i64], weight: &[bf16]) -> (Vec<f32>, Vec<bf16>, usize) {
    let (stream, rows) = (stream(), targets.len());
    let device = Device::new(0).expect("a device");
    let handle = LinearCrossEntropy::new(&device, config(rows)).expect("a handle");
    let mut workspace = Workspace::new(&device, handle.workspace_bytes()).expect("memory");
    let on = |values: &[bf16]| stream.clone_htod(values).expect("memory");
    let (hidden, weight) = (on(hidden), on(weight));
    let targets = stream.clone_htod(targets).expect("memory");
    let mut loss = stream.alloc_zeros::<f32>(rows).expect("memory");
    let mut grad_hidden = stream.alloc_zeros::<bf16>(rows * WIDTH).expect("memory");
    let mut grad_weight = stream.alloc_zeros::<bf16>(CLASSES * WIDTH).expect("memory");
    let tensors = LinearCrossEntropyTensors::new(
        View::new(&hidden, [rows, WIDTH]),
        View::new(&weight, [CLASSES, WIDTH]),
        View::new(&targets, [rows]),
    );
    let outputs = LinearCrossEntropyOutputs {
        grad_hidden: Some(ViewMut::new(&mut grad_hidden, [rows, WIDTH])),
        grad_weight: Some(ViewMut::new(&mut grad_weight, [CLASSES, WIDTH])),
        ..LinearCrossEntropyOutputs::new(ViewMut::new(&mut loss, [rows]))
    };
    handle.run(&stream, tensors, outputs, &mut workspace).expect("a run");
    workspace.status().check(&stream).expect("right targets");
    let loss = stream.clone_dtoh(&loss).expect("the loss");
    (loss, stream.clone_dtoh(&grad_hidden).expect("the gradient"), handle.workspace_bytes())
}

/// A batch of 2600 rows goes by chunks of 2048 classes, a row alone by one of all 6000.
#[test]
fn the_chunks_of_a_batch_change_no_bit_of_a_row() {
    let rows = 2600;
    let (hidden, weight) = (values(rows * WIDTH, 1), values(CLASSES * WIDTH, 2));
    let targets: Vec<i64> = (0..rows).map(|row| (row * 37 % CLASSES).try_into().expect("a class")).collect();
    let (loss, grad_hidden, workspace_bytes) = run(&hidden, &targets, &weight);
    assert!(workspace_bytes < rows * CLASSES * 2, "{workspace_bytes}: all of the logits would fit");
    for row in [0, 1299, 2599] {
        let of_row = row * WIDTH..(row + 1) * WIDTH;
        let alone = run(&hidden[of_row.clone()], &targets[row..=row], &weight);
        assert_eq!(alone.0[0].to_bits(), loss[row].to_bits(), "{row}");
        assert_eq!(alone.1, grad_hidden[of_row], "{row}");
        assert!(alone.1.iter().any(|g| g.to_f32() != 0.0), "{row}");
    }
}

fn address<T: DeviceRepr>(slice: &CudaSlice<T>, stream: &CudaStream) -> DevicePtr {
    DevicePtr(slice.device_ptr(stream).0)
}

/// All launches are recorded, none of them depends on the host, and a replay works with what is there then.
#[test]
fn a_graph_replays_it() {
    let (rows, stream) = (33, stream());
    let device = Device::new(0).expect("a device");
    let handle = LinearCrossEntropy::new(&device, config(rows)).expect("a handle");
    let weight = values(CLASSES * WIDTH, 2);
    let targets: Vec<i64> = (0..rows).map(|row| (row * 37 % CLASSES).try_into().expect("a class")).collect();
    let on_weight = stream.clone_htod(&weight).expect("memory");
    let mut on_hidden = stream.alloc_zeros::<bf16>(rows * WIDTH).expect("memory");
    let on_targets = stream.clone_htod(&targets).expect("memory");
    let loss = stream.alloc_zeros::<f32>(rows).expect("memory");
    let grad_hidden = stream.alloc_zeros::<bf16>(rows * WIDTH).expect("memory");
    let grad_weight = stream.alloc_zeros::<bf16>(CLASSES * WIDTH).expect("memory");
    let workspace = stream.alloc_zeros::<u8>(handle.workspace_bytes()).expect("memory");
    let status = stream.clone_htod(&[0xff_u8; 16]).expect("memory");
    let pointers = LinearCrossEntropyPointers {
        hidden: address(&on_hidden, &stream),
        weight: address(&on_weight, &stream),
        targets: address(&on_targets, &stream),
        loss: address(&loss, &stream),
        grad_hidden: Some(address(&grad_hidden, &stream)),
        grad_weight: Some(address(&grad_weight, &stream)),
        workspace: address(&workspace, &stream),
        workspace_bytes: handle.workspace_bytes(),
        status: address(&status, &stream),
        ..LinearCrossEntropyPointers::default()
    };
    stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).expect("a capture");
    // SAFETY: each tensor has the handle's dtype and shape and lives to the end of the test, which waits for the stream.
    unsafe { handle.launch(Stream::from(&*stream), &pointers) }.expect("the launches");
    let flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
    let graph = stream.end_capture(flags).expect("the end of the capture").expect("a graph");
    for seed in [3, 4] {
        let hidden = values(rows * WIDTH, seed);
        stream.memcpy_htod(&hidden, &mut on_hidden).expect("a copy");
        graph.launch().expect("a replay");
        let expected = run(&hidden, &targets, &weight);
        assert_eq!(stream.clone_dtoh(&loss).expect("the loss"), expected.0, "{seed}");
        assert_eq!(stream.clone_dtoh(&grad_hidden).expect("the gradient"), expected.1, "{seed}");
        let status = stream.clone_dtoh(&status).expect("the status").try_into().expect("16 bytes");
        handle.check_status(status).expect("right targets");
    }
}
