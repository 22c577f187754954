//! `spherical.linear`.

use oblate::cudarc::driver::CudaSlice;
use oblate::spherical::{
    Gram, GramPointers, Linear, LinearConfig as Config, LinearOutputs as Outputs, LinearPointers as Pointers,
    LinearTensors as Tensors, Loss,
};
use oblate::{DevicePtr, Dtype, Error, Reduction, Stream, View, ViewMut, Workspace};

use crate::message;
use crate::slices::{CLASSES, ROWS, Slices};

const WIDTH: usize = 4;
const NAME: &str = "spherical.linear";

fn config() -> Config {
    Config { rows: ROWS, classes: CLASSES, width: WIDTH, ..Config::default() }
}

#[test]
fn configurations() {
    let slices = Slices::new();
    let one = config();
    for (config, expected) in [
        (Config { dtype: Dtype::I64, ..one }, "hidden is i64, expected f32 or f16 or bf16"),
        (Config { index_dtype: Dtype::F16, ..one }, "targets is f16, expected i64 or u32"),
        (Config { rows: 1 << 31, ..one }, "rows is 2147483648, expected 0 to 2147483647"),
        (Config { classes: 0, ..one }, "classes is 0, expected 1 to 2147483647"),
        (Config { width: 0, ..one }, "width is 0, expected 1 to 2147483647"),
        (Config { targets_per_row: Some(0), ..one }, "targets_per_row is 0, expected 1 to 2147483647"),
        (Config { loss: Loss::Z { a: 0.0, b: 0.0 }, ..one }, "a is 0, expected a number > 0"),
        (
            Config { loss: Loss::LogSphericalSoftmax { epsilon: f64::NAN }, ..one },
            "epsilon is NaN, expected a number > 0",
        ),
    ] {
        assert_eq!(message(Linear::new(&slices.device, config)), format!("{NAME}: {expected}"));
    }
}

/// What right and wrong calls are made of.
struct Memory {
    slices: Slices,
    hidden: CudaSlice<f32>,
    weight: CudaSlice<f32>,
    square: CudaSlice<f32>,
    loss: CudaSlice<f32>,
    entries: CudaSlice<f32>,
    grad_hidden: CudaSlice<f32>,
}

impl Memory {
    fn new() -> Self {
        let slices = Slices::new();
        let floats = |count: usize| slices.stream.clone_htod(&vec![0.25_f32; count]).expect("memory");
        Self {
            hidden: floats(ROWS * WIDTH),
            weight: floats(CLASSES * WIDTH),
            square: floats(WIDTH * WIDTH),
            loss: floats(ROWS),
            entries: floats(ROWS),
            grad_hidden: floats(ROWS * WIDTH),
            slices,
        }
    }

    /// A call that nothing is wrong with, where each run forms the Gram; and slices for wrong ones.
    fn right(&mut self) -> (Tensors<'_>, Outputs<'_>, &CudaSlice<f32>, &mut CudaSlice<f32>) {
        let tensors = Tensors::new(
            View::new(&self.hidden, [ROWS, WIDTH]),
            View::new(&self.weight, [CLASSES, WIDTH]),
            View::new(&self.slices.right.targets, [ROWS]),
        );
        let outputs = Outputs {
            grad_hidden: Some(ViewMut::new(&mut self.grad_hidden, [ROWS, WIDTH])),
            ..Outputs::new(ViewMut::new(&mut self.loss, [ROWS]))
        };
        (tensors, outputs, &self.square, &mut self.entries)
    }
}

#[test]
fn tensors() {
    type Call = for<'a> fn(&'a mut Memory) -> (Tensors<'a>, Outputs<'a>);
    let one = config();
    let calls: [(Config, Call, &str); 10] = [
        (
            one,
            |m| {
                let (tensors, outputs, square, _) = m.right();
                (Tensors { weight: View::new(square, [WIDTH, WIDTH]), ..tensors }, outputs)
            },
            "weight has shape [4, 4], expected [3, 4]",
        ),
        (
            one,
            |m| {
                let (tensors, outputs, square, _) = m.right();
                (Tensors { gram: Some(View::new(square, [WIDTH, WIDTH])), ..tensors }, outputs)
            },
            "gram is given, expected none where each run forms it",
        ),
        (
            Config { gram: Gram::Plain, ..one },
            |m| {
                let (tensors, outputs, ..) = m.right();
                (tensors, outputs)
            },
            "gram is missing, expected f32 [4, 4]",
        ),
        (
            Config { gram: Gram::Centred, ..one },
            |m| {
                let (tensors, outputs, square, _) = m.right();
                (Tensors { gram: Some(View::new(square, [16])), ..tensors }, outputs)
            },
            "gram has shape [16], expected [4, 4]",
        ),
        (
            one,
            |m| {
                let (tensors, outputs, square, _) = m.right();
                (Tensors { row_sum: Some(View::new(square, [WIDTH])), ..tensors }, outputs)
            },
            "row_sum has 16 elements, expected 4",
        ),
        (
            Config { targets_per_row: Some(1), ..one },
            |m| {
                let (tensors, outputs, ..) = m.right();
                (tensors, outputs)
            },
            "targets has shape [2], expected [2, 1]",
        ),
        (
            one,
            |m| {
                let (tensors, outputs, square, _) = m.right();
                (Tensors { values: Some(View::new(square, [ROWS])), ..tensors }, outputs)
            },
            "values has 16 elements, expected 2",
        ),
        (
            one,
            |m| {
                let (tensors, outputs, _, entries) = m.right();
                (tensors, Outputs { target_logits: Some(ViewMut::new(entries, [ROWS])), ..outputs })
            },
            "target_logits has shape [2], expected [2, 1]",
        ),
        (
            Config { reduction: Reduction::Mean, ..one },
            |m| {
                let (tensors, outputs, ..) = m.right();
                (tensors, outputs)
            },
            "loss has shape [2], expected []",
        ),
        (
            Config { need_grad: false, ..one },
            |m| {
                let (tensors, outputs, ..) = m.right();
                (tensors, outputs)
            },
            "grad_hidden is given, expected none without need_grad",
        ),
    ];
    let mut memory = Memory::new();
    for (config, call, expected) in calls {
        let handle = Linear::new(&memory.slices.device, config).expect("a handle");
        let mut workspace = Workspace::new(&memory.slices.device, handle.workspace_bytes()).expect("memory");
        let stream = memory.slices.stream.clone();
        let (tensors, outputs) = call(&mut memory);
        let said = message(handle.run(&stream, tensors, outputs, &mut workspace));
        assert_eq!(said, format!("{NAME}: {expected}"));
    }
}

#[test]
fn pointers() {
    let slices = Slices::new();
    let handle = Linear::new(&slices.device, Config { gram: Gram::Plain, ..config() }).expect("a handle");
    // Each tensor at a multiple of 256 bytes of made-up addresses: no call gets to the device.
    let at = |i: u64| DevicePtr(0x10000 + 256 * i);
    let right = Pointers {
        hidden: at(0),
        weight: at(1),
        targets: at(2),
        gram: Some(at(3)),
        row_sum: Some(at(4)),
        loss: at(5),
        s: Some(at(6)),
        target_logits: Some(at(7)),
        grad_hidden: Some(at(8)),
        workspace: at(10),
        workspace_bytes: handle.workspace_bytes(),
        status: at(9),
        ..Pointers::default()
    };
    let (own, room) = ("expected memory of its own", handle.workspace_bytes());
    let stream = || Stream::from(slices.stream.as_ref());
    for (pointers, expected) in [
        (Pointers { gram: None, ..right }, "gram is missing, expected f32 [4, 4]".to_owned()),
        (Pointers { values: Some(at(12)), ..right }, "values is given, expected none without targets_per_row".into()),
        (Pointers { workspace_bytes: 5, ..right }, format!("the workspace has 5 bytes, expected {room} or more")),
        (Pointers { weight: DevicePtr::NULL, ..right }, "weight is a null pointer, expected 12 elements".into()),
        (Pointers { row_sum: Some(at(4).add(2)), ..right }, "row_sum is at 0x10402, expected a multiple of 4".into()),
        (Pointers { grad_hidden: Some(at(0)), ..right }, format!("grad_hidden overlaps hidden, {own}")),
        (
            Pointers { workspace: at(10).add(8), ..right },
            "the workspace is at 0x10a08, expected a multiple of 16".into(),
        ),
    ] {
        // SAFETY: every one of them is refused.
        let said = unsafe { handle.launch(stream(), &pointers) };
        assert_eq!(message(said), format!("{NAME}: {expected}"));
    }
    let room = handle.gram_workspace_bytes();
    let right = GramPointers {
        weight: at(1),
        gram: at(3),
        row_sum: at(4),
        workspace: at(10),
        workspace_bytes: handle.gram_workspace_bytes(),
    };
    for (pointers, expected) in [
        (GramPointers { workspace_bytes: 5, ..right }, format!("the workspace has 5 bytes, expected {room} or more")),
        (GramPointers { gram: at(1), ..right }, format!("gram overlaps weight, {own}")),
        (GramPointers { row_sum: DevicePtr::NULL, ..right }, "row_sum is a null pointer, expected 4 elements".into()),
    ] {
        // SAFETY: every one of them is refused.
        let said = unsafe { handle.launch_gram(stream(), &pointers) };
        assert_eq!(message(said), format!("{NAME}: {expected}"));
    }
}

/// A target that is no class is told by the workspace; its row is NaN, the other as ever.
#[test]
fn a_target_out_of_range() {
    let mut memory = Memory::new();
    let stream = memory.slices.stream.clone();
    let handle = Linear::new(&memory.slices.device, config()).expect("a handle");
    let mut workspace = Workspace::new(&memory.slices.device, handle.workspace_bytes()).expect("memory");
    let targets = stream.clone_htod(&[0_i64, 3]).expect("memory");
    let (tensors, outputs, ..) = memory.right();
    let tensors = Tensors { targets: View::new(&targets, [ROWS]), ..tensors };
    handle.run(&stream, tensors, outputs, &mut workspace).expect("a run");
    let told = workspace.status().check(&stream).expect_err("a target is wrong");
    assert!(matches!(told, Error::TargetOutOfRange { .. }));
    assert_eq!(told.to_string(), format!("{NAME}: targets[1] is out of range, expected -100 (ignore_index) or 0 to 2"));
    let loss = stream.clone_dtoh(&memory.loss).expect("losses");
    // All rows of the weight are equal: z = 0, softplus(0) = log 2.
    assert_eq!((loss[0], loss[1].is_nan()), (2.0_f32.ln(), true));
}
