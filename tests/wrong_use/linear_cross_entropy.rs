//! `spherical.linear_cross_entropy`.

use half::f16;
use oblate::cudarc::driver::CudaSlice;
use oblate::spherical::{
    LinearCrossEntropy, LinearCrossEntropyConfig as Config, LinearCrossEntropyOutputs as Outputs,
    LinearCrossEntropyPointers as Pointers, LinearCrossEntropyTensors as Tensors,
};
use oblate::{DevicePtr, Dtype, Reduction, Stream, View, ViewMut, Workspace};

use crate::message;
use crate::slices::{CLASSES, ROWS, Slices};

const WIDTH: usize = 4;
const NAME: &str = "spherical.linear_cross_entropy";

fn config() -> Config {
    Config { rows: ROWS, classes: CLASSES, width: WIDTH, ..Config::default() }
}

/// What right and wrong calls are made of.
struct Memory {
    slices: Slices,
    hidden: CudaSlice<f32>,
    weight: CudaSlice<f32>,
    bias: CudaSlice<f32>,
    segments: CudaSlice<u32>,
    halves: CudaSlice<f16>,
    loss: CudaSlice<f32>,
    penalty: CudaSlice<f32>,
    target_logits: CudaSlice<f32>,
    segment_loss: CudaSlice<f32>,
    grad_hidden: CudaSlice<f32>,
    grad_weight: CudaSlice<f32>,
    grad_bias: CudaSlice<f32>,
}

impl Memory {
    fn new() -> Self {
        let slices = Slices::new();
        let floats = |count| slices.stream.clone_htod(&vec![0.25_f32; count]).expect("memory");
        Self {
            hidden: floats(ROWS * WIDTH),
            weight: floats(CLASSES * WIDTH),
            bias: floats(CLASSES),
            segments: slices.stream.clone_htod(&[0_u32, 1, 2]).expect("memory"),
            halves: slices.stream.alloc_zeros(CLASSES * WIDTH).expect("memory"),
            loss: floats(ROWS),
            penalty: floats(ROWS),
            target_logits: floats(ROWS),
            segment_loss: floats(2),
            grad_hidden: floats(ROWS * WIDTH),
            grad_weight: floats(CLASSES * WIDTH),
            grad_bias: floats(CLASSES),
            slices,
        }
    }

    /// A call that nothing is wrong with, without a bias, segments or a penalty; and further slices.
    fn right(&mut self) -> (Tensors<'_>, Outputs<'_>, More<'_>) {
        let tensors = Tensors::new(
            View::new(&self.hidden, [ROWS, WIDTH]),
            View::new(&self.weight, [CLASSES, WIDTH]),
            View::new(&self.slices.right.targets, [ROWS]),
        );
        let outputs = Outputs {
            lse: Some(ViewMut::new(&mut self.slices.right.lse, [ROWS])),
            target_logits: Some(ViewMut::new(&mut self.target_logits, [ROWS])),
            grad_hidden: Some(ViewMut::new(&mut self.grad_hidden, [ROWS, WIDTH])),
            grad_weight: Some(ViewMut::new(&mut self.grad_weight, [CLASSES, WIDTH])),
            ..Outputs::new(ViewMut::new(&mut self.loss, [ROWS]))
        };
        let more = More {
            bias: &self.bias,
            segments: &self.segments,
            halves: &mut self.halves,
            penalty: &mut self.penalty,
            segment_loss: &mut self.segment_loss,
            grad_bias: &mut self.grad_bias,
        };
        (tensors, outputs, more)
    }
}

struct More<'a> {
    bias: &'a CudaSlice<f32>,
    segments: &'a CudaSlice<u32>,
    halves: &'a mut CudaSlice<f16>,
    penalty: &'a mut CudaSlice<f32>,
    segment_loss: &'a mut CudaSlice<f32>,
    grad_bias: &'a mut CudaSlice<f32>,
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
        (Config { width: 0, ..one }, "width is 0, expected 1 to 2147483647"),
        (Config { segments: Some(1 << 31), ..one }, "segments is 2147483648, expected 0 to 2147483647"),
        (Config { label_smoothing: 1.5, ..one }, "label_smoothing is 1.5, expected a number from 0 to 1"),
        (Config { lse_penalty: Some(-1.0), ..one }, "lse_penalty is -1, expected a number >= 0"),
        (Config { softcap: Some(0.0), ..one }, "softcap is 0, expected a number > 0"),
        (Config { softcap: Some(f64::INFINITY), ..one }, "softcap is inf, expected a number > 0"),
    ] {
        let said = message(LinearCrossEntropy::new(&slices.device, config));
        assert_eq!(said, format!("{NAME}: {expected}"));
    }
}

#[test]
fn tensors() {
    type Change = for<'a> fn(Tensors<'a>, Outputs<'a>, More<'a>) -> (Tensors<'a>, Outputs<'a>);
    let one = config();
    let penalised = Config { lse_penalty: Some(1.0), ..one };
    let biased = Config { has_bias: true, ..one };
    let segmented = Config { segments: Some(2), ..one };
    let calls: [(Config, Change, &str); 18] = [
        (one, |t, o, m| (Tensors { hidden: View::new(&*m.halves, [3, 4]), ..t }, o), "hidden is f16, expected f32"),
        (Config { width: 5, ..one }, |t, o, _| (t, o), "hidden has shape [2, 4], expected [2, 5]"),
        (Config { classes: 4, ..one }, |t, o, _| (t, o), "weight has shape [3, 4], expected [4, 4]"),
        (Config { index_dtype: Dtype::U32, ..one }, |t, o, _| (t, o), "targets is i64, expected u32"),
        (
            one,
            |t, o, m| (Tensors { row_weights: Some(View::new(m.bias, [3])), ..t }, o),
            "row_weights has shape [3], expected [2]",
        ),
        (
            one,
            |t, o, m| (Tensors { grad_loss: Some(View::new(m.bias, [])), ..t }, o),
            "grad_loss has shape [], expected [2]",
        ),
        (biased, |t, o, _| (t, o), "bias is missing, expected f32 [3]"),
        (
            one,
            |t, o, m| (Tensors { bias: Some(View::new(m.bias, [3])), ..t }, o),
            "bias is given, expected none without has_bias",
        ),
        (
            biased,
            |t, o, m| (Tensors { bias: Some(View::new(m.bias, [3])), ..t }, o),
            "grad_bias is missing, expected f32 [3]",
        ),
        (
            one,
            |t, o, m| (t, Outputs { grad_bias: Some(ViewMut::new(m.grad_bias, [3])), ..o }),
            "grad_bias is given, expected none without bias, need_grad and need_grad_weight",
        ),
        (
            Config { segments: Some(3), ..one },
            |t, o, m| (Tensors { segments: Some(View::new(m.segments, [3])), ..t }, o),
            "segments has shape [3], expected [4]",
        ),
        (
            one,
            |t, o, m| (Tensors { segments: Some(View::new(m.segments, [1])), ..t }, o),
            "segments has 3 elements, expected 1",
        ),
        (
            segmented,
            |t, o, m| (Tensors { segments: Some(View::new(m.segments, [3])), ..t }, o),
            "segment_loss is missing, expected f32 [2]",
        ),
        (
            segmented,
            |t, o, m| (t, Outputs { segment_loss: Some(ViewMut::new(m.segment_loss, [2])), ..o }),
            "segments is missing, expected u32 [3]",
        ),
        (penalised, |t, o, _| (t, o), "penalty is missing, expected f32 [2]"),
        (
            one,
            |t, o, m| (t, Outputs { penalty: Some(ViewMut::new(m.penalty, [2])), ..o }),
            "penalty is given, expected none without lse_penalty",
        ),
        (
            Config { need_grad_weight: false, ..one },
            |t, o, _| (t, o),
            "grad_weight is given, expected none without need_grad and need_grad_weight",
        ),
        (Config { reduction: Reduction::Mean, ..one }, |t, o, _| (t, o), "loss has shape [2], expected []"),
    ];
    let mut memory = Memory::new();
    for (config, change, expected) in calls {
        let handle = LinearCrossEntropy::new(&memory.slices.device, config).expect("a handle");
        let mut workspace = Workspace::new(&memory.slices.device, handle.workspace_bytes()).expect("memory");
        let stream = memory.slices.stream.clone();
        let (tensors, outputs, more) = memory.right();
        let (tensors, outputs) = change(tensors, outputs, more);
        let said = message(handle.run(&stream, tensors, outputs, &mut workspace));
        assert_eq!(said, format!("{NAME}: {expected}"));
    }
}

#[test]
fn pointers() {
    let slices = Slices::new();
    let config = Config { has_bias: true, segments: Some(2), lse_penalty: Some(1.0), dtype: Dtype::Bf16, ..config() };
    let handle = LinearCrossEntropy::new(&slices.device, config).expect("a handle");
    // Each tensor at a multiple of 256 bytes of made-up addresses: no call gets to the device.
    let at = |i: u64| DevicePtr(0x10000 + 256 * i);
    let right = Pointers {
        hidden: at(0),
        weight: at(1),
        targets: at(2),
        bias: Some(at(3)),
        row_weights: Some(at(4)),
        segments: Some(at(5)),
        grad_loss: Some(at(6)),
        loss: at(7),
        penalty: Some(at(8)),
        lse: Some(at(9)),
        target_logits: Some(at(10)),
        segment_loss: Some(at(11)),
        grad_hidden: Some(at(12)),
        grad_weight: Some(at(13)),
        grad_bias: Some(at(14)),
        workspace: at(16),
        workspace_bytes: handle.workspace_bytes(),
        status: at(15),
    };
    let own = "expected memory of its own";
    for (pointers, expected) in [
        (Pointers { bias: None, ..right }, "bias is missing, expected bf16 [3]".to_string()),
        (Pointers { segments: None, ..right }, "segments is missing, expected u32 [3]".into()),
        (Pointers { segment_loss: None, ..right }, "segment_loss is missing, expected f32 [2]".into()),
        (Pointers { grad_hidden: None, ..right }, "grad_hidden is missing, expected bf16 [2, 4]".into()),
        (Pointers { grad_weight: None, ..right }, "grad_weight is missing, expected bf16 [3, 4]".into()),
        (
            Pointers { workspace_bytes: 5, ..right },
            format!("the workspace has 5 bytes, expected {} or more", handle.workspace_bytes()),
        ),
        (Pointers { weight: DevicePtr::NULL, ..right }, "weight is a null pointer, expected 12 elements".into()),
        (Pointers { hidden: at(0).add(1), ..right }, "hidden is at 0x10001, expected a multiple of 2".into()),
        (Pointers { targets: at(2).add(2), ..right }, "targets is at 0x10202, expected a multiple of 8".into()),
        (Pointers { segments: Some(at(5).add(2)), ..right }, "segments is at 0x10502, expected a multiple of 4".into()),
        (Pointers { bias: Some(at(3).add(1)), ..right }, "bias is at 0x10301, expected a multiple of 2".into()),
        (
            Pointers { target_logits: Some(at(10).add(2)), ..right },
            "target_logits is at 0x10a02, expected a multiple of 4".into(),
        ),
        (Pointers { grad_hidden: Some(at(0)), ..right }, format!("grad_hidden overlaps hidden, {own}")),
        (Pointers { grad_weight: Some(at(1)), ..right }, format!("grad_weight overlaps weight, {own}")),
        (Pointers { grad_bias: Some(at(13)), ..right }, format!("grad_bias overlaps grad_weight, {own}")),
        (Pointers { lse: Some(at(10)), ..right }, format!("target_logits overlaps lse, {own}")),
        (Pointers { status: at(16), ..right }, format!("the status overlaps the workspace, {own}")),
    ] {
        // SAFETY: the call is refused before anything is launched.
        let said = message(unsafe { handle.launch(Stream::from(&*slices.stream), &pointers) });
        assert_eq!(said, format!("{NAME}: {expected}"));
    }
}

/// Of wrong targets and wrong segments the targets are told; each alone; and the handle works afterwards.
#[test]
fn what_only_the_device_sees() {
    let mut memory = Memory::new();
    let handle = LinearCrossEntropy::new(&memory.slices.device, Config { segments: Some(2), ..config() });
    let handle = handle.expect("a handle");
    let mut workspace = Workspace::new(&memory.slices.device, handle.workspace_bytes()).expect("memory");
    let stream = memory.slices.stream.clone();
    let target = "targets[1] is out of range, expected -100 (ignore_index) or 0 to 2";
    let order = "segments[2] is out of order, expected at least segments[1] and at most 2 (rows)";
    for (targets, segments, expected) in [
        ([2_i64, 3], [0_u32, 1, 0], Some(target)),
        ([2, -3], [0, 1, 2], Some(target)),
        ([2, 1], [0, 1, 0], Some(order)),
        ([2, 1], [0, 1, 3], Some(order)),
        ([2, 1], [0, 1, 2], None),
    ] {
        memory.slices.right.targets = stream.clone_htod(&targets).expect("memory");
        memory.segments = stream.clone_htod(&segments).expect("memory");
        let (tensors, outputs, more) = memory.right();
        let tensors = Tensors { segments: Some(View::new(more.segments, [3])), ..tensors };
        let outputs = Outputs { segment_loss: Some(ViewMut::new(more.segment_loss, [2])), ..outputs };
        handle.run(&stream, tensors, outputs, &mut workspace).expect("a run");
        let said = workspace.status().check(&stream).map_err(|error| error.to_string());
        assert_eq!(said, expected.map_or(Ok(()), |expected| Err(format!("{NAME}: {expected}"))));
    }
    let sums = stream.clone_dtoh(&memory.segment_loss).expect("the sums");
    assert!(sums.iter().all(|sum| (sum + 3_f32.ln()).abs() < 1e-6), "{sums:?}");
}
