//! `spherical.hierarchical_softmax`: what its cases do not show, since they are one call each.

use std::sync::Arc;

use half::bf16;
use oblate::cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};
use oblate::cudarc::driver::{CudaContext, CudaSlice, CudaStream, DevicePtr as _, DeviceRepr};
use oblate::spherical::{
    HierarchicalSoftmax, HierarchicalSoftmaxConfig, HierarchicalSoftmaxOutputs, HierarchicalSoftmaxPointers,
    HierarchicalSoftmaxTensors,
};
use oblate::{Device, DevicePtr, Dtype, Stream, View, ViewMut, Workspace};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

const ROWS: usize = 19;
/// Of 60, 1, no, and 200 classes: with and without a warp that has no batch of them.
const OFFSETS: [i64; 5] = [0, 60, 61, 61, 261];
const CLUSTERS: usize = 4;
const CLASSES: usize = 261;
const WIDTH: usize = 520;

fn stream() -> Arc<CudaStream> {
    oblate_softgpu::install().expect("a device");
    CudaContext::new(0).expect("a context").new_stream().expect("a stream")
}

fn values(rows: usize, seed: u64) -> Vec<bf16> {
    let mut rng = SmallRng::seed_from_u64(seed);
    (0..rows * WIDTH).map(|_| bf16::from_f32(rng.random_range(-0.3..0.3))).collect()
}

/// Of all clusters that have a class, and rows of each apart from each other.
fn targets() -> Vec<i64> {
    (0..ROWS).map(|row| (row * 61 % CLASSES).try_into().expect("a class")).collect()
}

fn config(rows: usize) -> HierarchicalSoftmaxConfig {
    HierarchicalSoftmaxConfig {
        dtype: Dtype::Bf16,
        rows,
        classes: CLASSES,
        clusters: CLUSTERS,
        width: WIDTH,
        need_grad_weight: true,
        ..HierarchicalSoftmaxConfig::default()
    }
}

#[derive(Debug, PartialEq)]
struct Results {
    loss: Vec<f32>,
    grad_hidden: Vec<bf16>,
    grad_weight: Vec<bf16>,
    grad_cluster_weight: Vec<bf16>,
}

/// By a run of views.
fn run(hidden: &[bf16], targets: &[i64]) -> Results {
    let (stream, rows) = (stream(), targets.len());
    let device = Device::new(0).expect("a device");
    let handle = HierarchicalSoftmax::new(&device, config(rows)).expect("a handle");
    let mut workspace = Workspace::new(&device, handle.workspace_bytes()).expect("memory");
    let on = |values: &[bf16]| stream.clone_htod(values).expect("memory");
    let (hidden, weight, cluster_weight) = (on(hidden), on(&values(CLASSES, 1)), on(&values(CLUSTERS, 2)));
    let offsets = stream.clone_htod(&OFFSETS).expect("memory");
    let targets = stream.clone_htod(targets).expect("memory");
    let mut loss = stream.alloc_zeros::<f32>(rows).expect("memory");
    let zeros = |rows| stream.alloc_zeros::<bf16>(rows * WIDTH).expect("memory");
    let (mut grad_hidden, mut grad_weight, mut grad_cluster_weight) = (zeros(rows), zeros(CLASSES), zeros(CLUSTERS));
    let tensors = HierarchicalSoftmaxTensors {
        hidden: View::new(&hidden, [rows, WIDTH]),
        weight: View::new(&weight, [CLASSES, WIDTH]),
        cluster_weight: View::new(&cluster_weight, [CLUSTERS, WIDTH]),
        cluster_offsets: View::new(&offsets, [CLUSTERS + 1]),
        targets: View::new(&targets, [rows]),
        row_weights: None,
        grad_loss: None,
    };
    let outputs = HierarchicalSoftmaxOutputs {
        loss: ViewMut::new(&mut loss, [rows]),
        grad_hidden: Some(ViewMut::new(&mut grad_hidden, [rows, WIDTH])),
        grad_weight: Some(ViewMut::new(&mut grad_weight, [CLASSES, WIDTH])),
        grad_cluster_weight: Some(ViewMut::new(&mut grad_cluster_weight, [CLUSTERS, WIDTH])),
    };
    handle.run(&stream, tensors, outputs, &mut workspace).expect("a run");
    workspace.status().check(&stream).expect("right targets");
    let of = |slice: &CudaSlice<bf16>| stream.clone_dtoh(slice).expect("a gradient");
    Results {
        loss: stream.clone_dtoh(&loss).expect("the loss"),
        grad_hidden: of(&grad_hidden),
        grad_weight: of(&grad_weight),
        grad_cluster_weight: of(&grad_cluster_weight),
    }
}

/// Each row alone, and the batch from its end to its beginning.
#[test]
fn the_batch_changes_no_bit_of_a_row() {
    let (hidden, targets) = (values(ROWS, 3), targets());
    let batch = run(&hidden, &targets);
    let row = |hidden: &[bf16], b: usize| hidden[b * WIDTH..(b + 1) * WIDTH].to_vec();
    for b in 0..ROWS {
        let alone = run(&row(&hidden, b), &targets[b..=b]);
        assert_eq!(alone.loss[0].to_bits(), batch.loss[b].to_bits(), "{b}");
        assert_eq!(alone.grad_hidden, row(&batch.grad_hidden, b), "{b}");
        assert!(alone.grad_hidden.iter().any(|g| g.to_f32() != 0.0), "{b}");
    }
    let backwards: Vec<bf16> = (0..ROWS).rev().flat_map(|b| row(&hidden, b)).collect();
    let reversed = run(&backwards, &targets.iter().rev().copied().collect::<Vec<_>>());
    for b in 0..ROWS {
        assert_eq!(reversed.loss[ROWS - 1 - b].to_bits(), batch.loss[b].to_bits(), "{b}");
        assert_eq!(row(&reversed.grad_hidden, ROWS - 1 - b), row(&batch.grad_hidden, b), "{b}");
    }
}

/// A class that no row's cluster has gets a gradient of 0, all others one that is not.
#[test]
fn a_weight_learns_from_the_rows_of_its_cluster() {
    let hidden = values(3, 4);
    let got = run(&hidden, &[5, 60, 59]);
    let learns = |row: &[bf16]| row.iter().any(|g| g.to_f32() != 0.0);
    let of_classes: Vec<bool> = got.grad_weight.chunks_exact(WIDTH).map(learns).collect();
    // Class 60 is alone in its cluster: its probability there is 1, whatever its weight.
    assert!(of_classes[..60].iter().all(|learns| *learns));
    assert!(of_classes[60..].iter().all(|learns| !*learns));
    assert!(got.grad_cluster_weight.chunks_exact(WIDTH).all(learns), "the empty one too");
}

fn address<T: DeviceRepr>(slice: &CudaSlice<T>, stream: &CudaStream) -> DevicePtr {
    DevicePtr(slice.device_ptr(stream).0)
}

/// All launches are recorded, none of them depends on the host, and a replay works with what is there then: other clusters
/// of rows among it.
#[test]
fn a_graph_replays_it() {
    let stream = stream();
    let device = Device::new(0).expect("a device");
    let handle = HierarchicalSoftmax::new(&device, config(ROWS)).expect("a handle");
    let on = |values: &[bf16]| stream.clone_htod(values).expect("memory");
    let (weight, cluster_weight) = (on(&values(CLASSES, 1)), on(&values(CLUSTERS, 2)));
    let offsets = stream.clone_htod(&OFFSETS).expect("memory");
    let mut hidden = stream.alloc_zeros::<bf16>(ROWS * WIDTH).expect("memory");
    let mut on_targets = stream.alloc_zeros::<i64>(ROWS).expect("memory");
    let loss = stream.alloc_zeros::<f32>(ROWS).expect("memory");
    let zeros = |rows| stream.alloc_zeros::<bf16>(rows * WIDTH).expect("memory");
    let (grad_hidden, grad_weight, grad_cluster_weight) = (zeros(ROWS), zeros(CLASSES), zeros(CLUSTERS));
    let workspace = stream.alloc_zeros::<u8>(handle.workspace_bytes()).expect("memory");
    let status = stream.clone_htod(&[0xff_u8; 16]).expect("memory");
    let pointers = HierarchicalSoftmaxPointers {
        hidden: address(&hidden, &stream),
        weight: address(&weight, &stream),
        cluster_weight: address(&cluster_weight, &stream),
        cluster_offsets: address(&offsets, &stream),
        targets: address(&on_targets, &stream),
        loss: address(&loss, &stream),
        grad_hidden: Some(address(&grad_hidden, &stream)),
        grad_weight: Some(address(&grad_weight, &stream)),
        grad_cluster_weight: Some(address(&grad_cluster_weight, &stream)),
        workspace: address(&workspace, &stream),
        workspace_bytes: handle.workspace_bytes(),
        status: address(&status, &stream),
        ..HierarchicalSoftmaxPointers::default()
    };
    stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).expect("a capture");
    // SAFETY: each tensor has the handle's dtype and shape and lives to the end of the test, which waits for the stream.
    unsafe { handle.launch(Stream::from(&*stream), &pointers) }.expect("the launches");
    let flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
    let graph = stream.end_capture(flags).expect("the end of the capture").expect("a graph");
    for (seed, mut targets) in [(5, targets()), (6, targets())] {
        targets.rotate_left(usize::try_from(seed).expect("a number of rows"));
        let values = values(ROWS, seed);
        stream.memcpy_htod(&values, &mut hidden).expect("a copy");
        stream.memcpy_htod(&targets, &mut on_targets).expect("a copy");
        graph.launch().expect("a replay");
        let of = |slice: &CudaSlice<bf16>| stream.clone_dtoh(slice).expect("a gradient");
        let got = Results {
            loss: stream.clone_dtoh(&loss).expect("the loss"),
            grad_hidden: of(&grad_hidden),
            grad_weight: of(&grad_weight),
            grad_cluster_weight: of(&grad_cluster_weight),
        };
        assert_eq!(got, run(&values, &targets), "{seed}");
        let status = stream.clone_dtoh(&status).expect("the status").try_into().expect("16 bytes");
        handle.check_status(status).expect("right targets");
    }
}
