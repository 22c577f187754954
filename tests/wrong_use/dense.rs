//! `spherical.dense`.

use oblate::spherical::{Dense, DenseConfig, DenseOutputs, DensePointers, DenseTensors, Loss};
use oblate::{DevicePtr, Dtype, Reduction, Stream, View, ViewMut, Workspace};

use crate::message;
use crate::slices::{CLASSES, ROWS, Right, Slices};

pub(crate) fn config() -> DenseConfig {
    DenseConfig { rows: ROWS, classes: CLASSES, ..DenseConfig::default() }
}

/// A call that nothing is wrong with.
pub(crate) fn right(slices: &mut Right) -> (DenseTensors<'_>, DenseOutputs<'_>) {
    let tensors = DenseTensors::new(View::new(&slices.logits, [ROWS, CLASSES]), View::new(&slices.targets, [ROWS]));
    let outputs = DenseOutputs {
        loss: ViewMut::new(&mut slices.loss, [ROWS]),
        grad_logits: Some(ViewMut::new(&mut slices.grad_logits, [ROWS, CLASSES])),
    };
    (tensors, outputs)
}

#[test]
fn configurations() {
    let slices = Slices::new();
    let config = config();
    for (config, expected) in [
        (DenseConfig { dtype: Dtype::I64, ..config }, "logits is i64, expected f32 or f16 or bf16"),
        (DenseConfig { index_dtype: Dtype::F32, ..config }, "targets is f32, expected i64 or u32"),
        (DenseConfig { rows: 1 << 31, ..config }, "rows is 2147483648, expected 0 to 2147483647"),
        (DenseConfig { classes: 0, ..config }, "classes is 0, expected 1 to 2147483647"),
        (DenseConfig { classes: 1 << 31, ..config }, "classes is 2147483648, expected 1 to 2147483647"),
        (DenseConfig { targets_per_row: Some(0), ..config }, "targets_per_row is 0, expected 1 to 2147483647"),
        (DenseConfig { loss: Loss::Z { a: 0.0, b: 0.0 }, ..config }, "a is 0, expected a number > 0"),
        (DenseConfig { loss: Loss::Z { a: f64::NAN, b: 0.0 }, ..config }, "a is NaN, expected a number > 0"),
        (DenseConfig { loss: Loss::Z { a: 1.0, b: f64::INFINITY }, ..config }, "b is inf, expected a number"),
        (
            DenseConfig { loss: Loss::LogSphericalSoftmax { epsilon: -1.0 }, ..config },
            "epsilon is -1, expected a number > 0",
        ),
    ] {
        assert_eq!(message(Dense::new(&slices.device, config)), format!("spherical.dense: {expected}"));
    }
}

#[test]
fn tensors() {
    type Call = for<'a> fn(&'a mut Slices) -> (DenseTensors<'a>, DenseOutputs<'a>);
    let (one, mean) = (config(), DenseConfig { reduction: Reduction::Mean, ..config() });
    let many = DenseConfig { targets_per_row: Some(1), ..one };
    let calls: [(DenseConfig, Call, &str); 18] = [
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (DenseTensors { logits: View::new(&s.wrong.halves, [2, 3]), ..tensors }, outputs)
            },
            "logits is f16, expected f32",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (DenseTensors { logits: View::new(&s.wrong.floats, [3, 2]), ..tensors }, outputs)
            },
            "logits has shape [3, 2], expected [2, 3]",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (DenseTensors { logits: View::part(s.wrong.floats.slice(..5), [2, 3]), ..tensors }, outputs)
            },
            "logits has 5 elements, expected 6",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (DenseTensors { targets: View::new(&s.wrong.indices, [2]), ..tensors }, outputs)
            },
            "targets is u32, expected i64",
        ),
        (many, |s| right(&mut s.right), "targets has shape [2], expected [2, 1]"),
        (
            DenseConfig { index_dtype: Dtype::U32, ..many },
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (DenseTensors { targets: View::new(&s.wrong.indices, [2, 1]), ..tensors }, outputs)
            },
            "values is missing, expected f32 [2, 1]",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (DenseTensors { values: Some(View::part(s.wrong.floats.slice(..2), [2])), ..tensors }, outputs)
            },
            "values is given, expected none with targets [rows]",
        ),
        (
            DenseConfig { index_dtype: Dtype::U32, ..many },
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                let targets = View::new(&s.wrong.indices, [2, 1]);
                (DenseTensors { targets, values: Some(View::new(&s.wrong.floats, [2, 3])), ..tensors }, outputs)
            },
            "values has shape [2, 3], expected [2, 1]",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (DenseTensors { row_weights: Some(View::new(&s.wrong.halves, [2])), ..tensors }, outputs)
            },
            "row_weights is f16, expected f32",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (DenseTensors { row_weights: Some(View::new(&s.wrong.floats, [6])), ..tensors }, outputs)
            },
            "row_weights has shape [6], expected [2]",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (DenseTensors { grad_loss: Some(View::new(&s.wrong.floats, [])), ..tensors }, outputs)
            },
            "grad_loss has shape [], expected [2]",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (DenseTensors { grad_loss: Some(View::new(&s.wrong.indices, [2])), ..tensors }, outputs)
            },
            "grad_loss is u32, expected f32",
        ),
        (mean, |s| right(&mut s.right), "loss has shape [2], expected []"),
        (
            mean,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (tensors, DenseOutputs { loss: ViewMut::new(&mut s.wrong.floats_out, []), ..outputs })
            },
            "loss has 6 elements, expected 1",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (tensors, DenseOutputs { loss: ViewMut::new(&mut s.wrong.halves_out, [2]), ..outputs })
            },
            "loss is f16, expected f32",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (tensors, DenseOutputs { grad_logits: Some(ViewMut::new(&mut s.wrong.halves_out, [2, 3])), ..outputs })
            },
            "grad_logits is f16, expected f32",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (tensors, DenseOutputs { grad_logits: None, ..outputs })
            },
            "grad_logits is missing, expected f32 [2, 3]",
        ),
        (
            DenseConfig { need_grad: false, ..one },
            |s| right(&mut s.right),
            "grad_logits is given, expected none without need_grad",
        ),
    ];
    let mut slices = Slices::new();
    for (config, call, expected) in calls {
        let dense = Dense::new(&slices.device, config).expect("a handle");
        let mut workspace = Workspace::new(&slices.device, dense.workspace_bytes()).expect("memory");
        let stream = slices.stream.clone();
        let (tensors, outputs) = call(&mut slices);
        let said = message(dense.run(&stream, tensors, outputs, &mut workspace));
        assert_eq!(said, format!("spherical.dense: {expected}"));
    }
}

#[test]
fn a_workspace_that_is_too_small() {
    let mut slices = Slices::new();
    let config = DenseConfig { reduction: Reduction::Sum, need_grad: false, ..config() };
    let dense = Dense::new(&slices.device, config).expect("a handle");
    assert_eq!(dense.workspace_bytes(), 256); // the row losses
    let mut workspace = Workspace::new(&slices.device, 255).expect("memory");
    let (tensors, _) = right(&mut slices.right);
    let outputs = DenseOutputs { loss: ViewMut::part(slices.wrong.floats_out.slice_mut(..1), []), grad_logits: None };
    let said = message(dense.run(&slices.stream, tensors, outputs, &mut workspace));
    assert_eq!(said, "spherical.dense: the workspace has 255 bytes, expected 256 or more");
}

#[test]
fn pointers() {
    let slices = Slices::new();
    let many = DenseConfig { targets_per_row: Some(2), reduction: Reduction::Mean, ..config() };
    let dense = Dense::new(&slices.device, many).expect("a handle");
    // Each tensor at a multiple of 256 bytes of made-up addresses: no call gets to the device.
    let at = |i: u64| DevicePtr(0x10000 + 256 * i);
    let right = DensePointers {
        logits: at(0),
        targets: at(1),
        values: Some(at(2)),
        row_weights: Some(at(3)),
        grad_loss: Some(at(4)),
        loss: at(5),
        grad_logits: Some(at(6)),
        workspace: at(8),
        workspace_bytes: dense.workspace_bytes(),
        status: at(7),
    };
    let own = "expected memory of its own";
    for (pointers, expected) in [
        (DensePointers { values: None, ..right }, "values is missing, expected f32 [2, 2]".to_string()),
        (DensePointers { grad_logits: None, ..right }, "grad_logits is missing, expected f32 [2, 3]".into()),
        (
            DensePointers { workspace_bytes: 0, ..right },
            format!("the workspace has 0 bytes, expected {} or more", dense.workspace_bytes()),
        ),
        (DensePointers { logits: DevicePtr::NULL, ..right }, "logits is a null pointer, expected 6 elements".into()),
        (
            DensePointers { status: DevicePtr::NULL, ..right },
            "the status is a null pointer, expected 2 elements".into(),
        ),
        (DensePointers { logits: at(0).add(2), ..right }, "logits is at 0x10002, expected a multiple of 4".into()),
        (DensePointers { targets: at(1).add(4), ..right }, "targets is at 0x10104, expected a multiple of 8".into()),
        (
            DensePointers { values: Some(at(2).add(1)), ..right },
            "values is at 0x10201, expected a multiple of 4".into(),
        ),
        (
            DensePointers { row_weights: Some(at(3).add(1)), ..right },
            "row_weights is at 0x10301, expected a multiple of 4".into(),
        ),
        (
            DensePointers { grad_loss: Some(at(4).add(2)), ..right },
            "grad_loss is at 0x10402, expected a multiple of 4".into(),
        ),
        (DensePointers { loss: at(5).add(2), ..right }, "loss is at 0x10502, expected a multiple of 4".into()),
        (
            DensePointers { grad_logits: Some(at(6).add(3)), ..right },
            "grad_logits is at 0x10603, expected a multiple of 4".into(),
        ),
        (
            DensePointers { workspace: at(8).add(8), ..right },
            "the workspace is at 0x10808, expected a multiple of 16".into(),
        ),
        (DensePointers { status: at(7).add(4), ..right }, "the status is at 0x10704, expected a multiple of 8".into()),
        (
            DensePointers { grad_logits: Some(at(0).add(4)), ..right },
            format!("grad_logits overlaps logits, {own} or exactly that tensor"),
        ),
        (DensePointers { loss: at(0).add(20), ..right }, format!("loss overlaps logits, {own}")),
        (DensePointers { loss: at(1).add(8), ..right }, format!("loss overlaps targets, {own}")),
        (DensePointers { loss: at(6).add(8), ..right }, format!("grad_logits overlaps loss, {own}")),
        (DensePointers { workspace: at(3), ..right }, format!("the workspace overlaps row_weights, {own}")),
        (DensePointers { status: at(8), ..right }, format!("the status overlaps the workspace, {own}")),
    ] {
        // SAFETY: the call is refused before anything is launched.
        let said = message(unsafe { dense.launch(Stream::from(&*slices.stream), &pointers) });
        assert_eq!(said, format!("spherical.dense: {expected}"));
    }
}

#[test]
fn targets_out_of_range() {
    let mut slices = Slices::new();
    for (targets, expected) in [
        ([0, 3], "targets[1] is out of range, expected -100 (ignore_index) or 0 to 2"),
        ([-1, 7], "targets[0] is out of range, expected -100 (ignore_index) or 0 to 2"),
    ] {
        slices.right.targets = slices.stream.clone_htod(&targets).expect("memory");
        let dense = Dense::new(&slices.device, config()).expect("a handle");
        let (tensors, outputs) = right(&mut slices.right);
        dense.run(&slices.stream, tensors, outputs, &mut slices.workspace).expect("a run");
        let said = message(slices.workspace.status().check(&slices.stream));
        assert_eq!(said, format!("spherical.dense: {expected}"));
        slices.workspace.status().check(&slices.stream).expect("it is told once");
        let loss = slices.stream.clone_dtoh(&slices.right.loss).expect("the loss");
        assert_eq!(loss.iter().map(|loss| loss.is_nan()).collect::<Vec<_>>(), targets.map(|c| !(0..3).contains(&c)));
    }
    // The handle works afterwards.
    slices.right.targets = slices.stream.clone_htod(&[-100_i64, 2]).expect("memory");
    let dense = Dense::new(&slices.device, config()).expect("a handle");
    let (tensors, outputs) = right(&mut slices.right);
    dense.run(&slices.stream, tensors, outputs, &mut slices.workspace).expect("a run");
    slices.workspace.status().check(&slices.stream).expect("right targets");
    assert_eq!(slices.stream.clone_dtoh(&slices.right.loss).expect("the loss")[0], 0.0);
}

#[test]
fn no_rows_are_success() {
    let mut slices = Slices::new();
    let dense = Dense::new(&slices.device, DenseConfig { rows: 0, ..config() }).expect("a handle");
    let tensors = DenseTensors::new(
        View::part(slices.right.logits.slice(..0), [0, CLASSES]),
        View::part(slices.right.targets.slice(..0), [0]),
    );
    let outputs = DenseOutputs {
        loss: ViewMut::part(slices.right.loss.slice_mut(..0), [0]),
        grad_logits: Some(ViewMut::part(slices.right.grad_logits.slice_mut(..0), [0, CLASSES])),
    };
    dense.run(&slices.stream, tensors, outputs, &mut slices.workspace).expect("nothing to do");
    slices.workspace.status().check(&slices.stream).expect("nothing found");
}
