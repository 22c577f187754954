//! `spherical.hierarchical_softmax`.

use half::f16;
use oblate::cudarc::driver::CudaSlice;
use oblate::spherical::{
    HierarchicalSoftmax, HierarchicalSoftmaxConfig as Config, HierarchicalSoftmaxOutputs as Outputs,
    HierarchicalSoftmaxPointers as Pointers, HierarchicalSoftmaxTensors as Tensors,
};
use oblate::{DevicePtr, Dtype, Reduction, Stream, View, ViewMut, Workspace};

use crate::message;
use crate::slices::{CLASSES, ROWS, Slices};

const WIDTH: usize = 4;
const CLUSTERS: usize = 2;
const NAME: &str = "spherical.hierarchical_softmax";

fn config() -> Config {
    Config {
        rows: ROWS,
        classes: CLASSES,
        clusters: CLUSTERS,
        width: WIDTH,
        need_grad_weight: true,
        ..Config::default()
    }
}

/// What right and wrong calls are made of.
struct Memory {
    slices: Slices,
    hidden: CudaSlice<f32>,
    weight: CudaSlice<f32>,
    cluster_weight: CudaSlice<f32>,
    cluster_offsets: CudaSlice<i64>,
    halves: CudaSlice<f16>,
    loss: CudaSlice<f32>,
    grad_hidden: CudaSlice<f32>,
    grad_weight: CudaSlice<f32>,
    grad_cluster_weight: CudaSlice<f32>,
}

impl Memory {
    fn new() -> Self {
        let slices = Slices::new();
        let floats = |count| slices.stream.clone_htod(&vec![0.25_f32; count]).expect("memory");
        Self {
            hidden: floats(ROWS * WIDTH),
            weight: floats(CLASSES * WIDTH),
            cluster_weight: floats(CLUSTERS * WIDTH),
            cluster_offsets: slices.stream.clone_htod(&[0_i64, 1, 3]).expect("memory"),
            halves: slices.stream.alloc_zeros(ROWS * WIDTH).expect("memory"),
            loss: floats(ROWS),
            grad_hidden: floats(ROWS * WIDTH),
            grad_weight: floats(CLASSES * WIDTH),
            grad_cluster_weight: floats(CLUSTERS * WIDTH),
            slices,
        }
    }

    /// A call that nothing is wrong with, and halves.
    fn right(&mut self) -> (Tensors<'_>, Outputs<'_>, &CudaSlice<f16>) {
        let tensors = Tensors {
            hidden: View::new(&self.hidden, [ROWS, WIDTH]),
            weight: View::new(&self.weight, [CLASSES, WIDTH]),
            cluster_weight: View::new(&self.cluster_weight, [CLUSTERS, WIDTH]),
            cluster_offsets: View::new(&self.cluster_offsets, [CLUSTERS + 1]),
            targets: View::new(&self.slices.right.targets, [ROWS]),
            row_weights: None,
            grad_loss: None,
        };
        let outputs = Outputs {
            loss: ViewMut::new(&mut self.loss, [ROWS]),
            grad_hidden: Some(ViewMut::new(&mut self.grad_hidden, [ROWS, WIDTH])),
            grad_weight: Some(ViewMut::new(&mut self.grad_weight, [CLASSES, WIDTH])),
            grad_cluster_weight: Some(ViewMut::new(&mut self.grad_cluster_weight, [CLUSTERS, WIDTH])),
        };
        (tensors, outputs, &self.halves)
    }
}

#[test]
fn configurations() {
    let slices = Slices::new();
    let one = config();
    for (config, expected) in [
        (Config { dtype: Dtype::U32, ..one }, "hidden is u32, expected f32 or f16 or bf16"),
        (Config { index_dtype: Dtype::F16, ..one }, "targets is f16, expected i64 or u32"),
        (Config { grad_weight_dtype: Some(Dtype::F16), ..one }, "grad_weight is f16, expected f32"),
        (
            Config { dtype: Dtype::Bf16, grad_weight_dtype: Some(Dtype::F16), ..one },
            "grad_weight is f16, expected bf16 or f32",
        ),
        (Config { rows: 1 << 31, ..one }, "rows is 2147483648, expected 0 to 2147483647"),
        (Config { classes: 0, ..one }, "classes is 0, expected 1 to 2147483647"),
        (Config { clusters: 0, ..one }, "clusters is 0, expected 1 to 2147483647"),
        (Config { width: 0, ..one }, "width is 0, expected 1 to 2147483647"),
    ] {
        let said = message(HierarchicalSoftmax::new(&slices.device, config));
        assert_eq!(said, format!("{NAME}: {expected}"));
    }
}

#[test]
fn tensors() {
    type Change = for<'a> fn(Tensors<'a>, Outputs<'a>, &'a CudaSlice<f16>) -> (Tensors<'a>, Outputs<'a>);
    let one = config();
    let without = "is given, expected none without need_grad and need_grad_weight";
    let calls: [(Config, Change, &str); 13] = [
        (one, |t, o, halves| (Tensors { hidden: View::new(halves, [2, 4]), ..t }, o), "hidden is f16, expected f32"),
        (Config { width: 5, ..one }, |t, o, _| (t, o), "hidden has shape [2, 4], expected [2, 5]"),
        (Config { classes: 4, ..one }, |t, o, _| (t, o), "weight has shape [3, 4], expected [4, 4]"),
        (Config { clusters: 3, ..one }, |t, o, _| (t, o), "cluster_weight has shape [2, 4], expected [3, 4]"),
        (
            one,
            |t, o, _| (Tensors { cluster_offsets: t.targets, targets: t.cluster_offsets, ..t }, o),
            "cluster_offsets has shape [2], expected [3]",
        ),
        (Config { index_dtype: Dtype::U32, ..one }, |t, o, _| (t, o), "targets is i64, expected u32"),
        (
            one,
            |t, o, halves| (Tensors { row_weights: Some(View::new(halves, [8])), ..t }, o),
            "row_weights is f16, expected f32",
        ),
        (
            one,
            |t, o, halves| (Tensors { grad_loss: Some(View::new(halves, [8])), ..t }, o),
            "grad_loss is f16, expected f32",
        ),
        (Config { reduction: Reduction::Sum, ..one }, |t, o, _| (t, o), "loss has shape [2], expected []"),
        (one, |t, o, _| (t, Outputs { grad_hidden: None, ..o }), "grad_hidden is missing, expected f32 [2, 4]"),
        (one, |t, o, _| (t, Outputs { grad_weight: None, ..o }), "grad_weight is missing, expected f32 [3, 4]"),
        (
            one,
            |t, o, _| (t, Outputs { grad_cluster_weight: None, ..o }),
            "grad_cluster_weight is missing, expected f32 [2, 4]",
        ),
        (Config { need_grad: false, ..one }, |t, o, _| (t, o), "grad_hidden is given, expected none without need_grad"),
    ];
    let mut memory = Memory::new();
    let mut check = |config, change: Change, expected: &str| {
        let handle = HierarchicalSoftmax::new(&memory.slices.device, config).expect("a handle");
        let mut workspace = Workspace::new(&memory.slices.device, handle.workspace_bytes()).expect("memory");
        let stream = memory.slices.stream.clone();
        let (tensors, outputs, halves) = memory.right();
        let (tensors, outputs) = change(tensors, outputs, halves);
        let said = message(handle.run(&stream, tensors, outputs, &mut workspace));
        assert_eq!(said, format!("{NAME}: {expected}"));
    };
    for (config, change, expected) in calls {
        check(config, change, expected);
    }
    let one = Config { need_grad_weight: false, ..one };
    check(one, |t, o, _| (t, o), &format!("grad_weight {without}"));
    check(one, |t, o, _| (t, Outputs { grad_weight: None, ..o }), &format!("grad_cluster_weight {without}"));
}

#[test]
fn pointers() {
    let slices = Slices::new();
    let handle = HierarchicalSoftmax::new(&slices.device, Config { dtype: Dtype::Bf16, ..config() }).expect("a handle");
    // Each tensor at a multiple of 256 bytes of made-up addresses: no call gets to the device.
    let at = |i: u64| DevicePtr(0x10000 + 256 * i);
    let right = Pointers {
        hidden: at(0),
        weight: at(1),
        cluster_weight: at(2),
        cluster_offsets: at(3),
        targets: at(4),
        row_weights: Some(at(5)),
        grad_loss: Some(at(6)),
        loss: at(7),
        grad_hidden: Some(at(8)),
        grad_weight: Some(at(9)),
        grad_cluster_weight: Some(at(10)),
        status: at(11),
        workspace: at(12),
        workspace_bytes: handle.workspace_bytes(),
    };
    let own = "expected memory of its own";
    for (pointers, expected) in [
        (Pointers { grad_hidden: None, ..right }, "grad_hidden is missing, expected bf16 [2, 4]".to_string()),
        (Pointers { grad_weight: None, ..right }, "grad_weight is missing, expected bf16 [3, 4]".into()),
        (
            Pointers { grad_cluster_weight: None, ..right },
            "grad_cluster_weight is missing, expected bf16 [2, 4]".into(),
        ),
        (
            Pointers { workspace_bytes: 5, ..right },
            format!("the workspace has 5 bytes, expected {} or more", handle.workspace_bytes()),
        ),
        (
            Pointers { cluster_weight: DevicePtr::NULL, ..right },
            "cluster_weight is a null pointer, expected 8 elements".into(),
        ),
        (Pointers { hidden: at(0).add(1), ..right }, "hidden is at 0x10001, expected a multiple of 2".into()),
        (Pointers { weight: at(1).add(1), ..right }, "weight is at 0x10101, expected a multiple of 2".into()),
        (
            Pointers { cluster_offsets: at(3).add(4), ..right },
            "cluster_offsets is at 0x10304, expected a multiple of 8".into(),
        ),
        (Pointers { targets: at(4).add(2), ..right }, "targets is at 0x10402, expected a multiple of 8".into()),
        (Pointers { loss: at(7).add(2), ..right }, "loss is at 0x10702, expected a multiple of 4".into()),
        (Pointers { grad_hidden: Some(at(0)), ..right }, format!("grad_hidden overlaps hidden, {own}")),
        (Pointers { grad_weight: Some(at(1)), ..right }, format!("grad_weight overlaps weight, {own}")),
        (
            Pointers { grad_cluster_weight: Some(at(9)), ..right },
            format!("grad_cluster_weight overlaps grad_weight, {own}"),
        ),
        (Pointers { status: at(12), ..right }, format!("the status overlaps the workspace, {own}")),
    ] {
        // SAFETY: the call is refused before anything is launched.
        let said = message(unsafe { handle.launch(Stream::from(&*slices.stream), &pointers) });
        assert_eq!(said, format!("{NAME}: {expected}"));
    }
}

/// Of wrong targets and wrong offsets the targets are told; each alone; and the handle works afterwards.
#[test]
fn what_only_the_device_sees() {
    let mut memory = Memory::new();
    let handle = HierarchicalSoftmax::new(&memory.slices.device, config()).expect("a handle");
    let mut workspace = Workspace::new(&memory.slices.device, handle.workspace_bytes()).expect("memory");
    let stream = memory.slices.stream.clone();
    let target = "targets[1] is out of range, expected -100 (ignore_index) or 0 to 2";
    let order = |i| format!("cluster_offsets[{i}] is out of order, expected them to ascend from 0 to 3 (classes)");
    for (targets, offsets, expected) in [
        ([2_i64, 3], [0_i64, 1, 2], Some(target.to_string())),
        ([2, -3], [0, 1, 3], Some(target.to_string())),
        ([2, 1], [0, 1, 2], Some(order(2))),
        ([2, 1], [0, 4, 3], Some(order(1))),
        ([2, 1], [0, -1, 3], Some(order(1))),
        ([-100, -100], [-1, 1, 4], Some(order(0))),
        ([2, 1], [0, 1, 3], None),
    ] {
        memory.slices.right.targets = stream.clone_htod(&targets).expect("memory");
        memory.cluster_offsets = stream.clone_htod(&offsets).expect("memory");
        let (tensors, outputs, _) = memory.right();
        handle.run(&stream, tensors, outputs, &mut workspace).expect("a run");
        let said = workspace.status().check(&stream).map_err(|error| error.to_string());
        let is_right = expected.is_none();
        assert_eq!(said, expected.map_or(Ok(()), |expected| Err(format!("{NAME}: {expected}"))));
        let losses = stream.clone_dtoh(&memory.loss).expect("the losses");
        // Two clusters, and two classes in the second, of equal probability.
        let right = losses.iter().all(|loss| (loss - 4_f32.ln()).abs() < 1e-6);
        assert_eq!(right, is_right, "{losses:?}");
        assert!(is_right || losses[1].is_nan(), "{losses:?}");
    }
}
