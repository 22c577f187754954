//! `spherical.softmax_cross_entropy`.

use oblate::spherical::{
    SoftmaxCrossEntropy, SoftmaxCrossEntropyConfig, SoftmaxCrossEntropyOutputs,
    SoftmaxCrossEntropyPointers as Pointers, SoftmaxCrossEntropyTensors,
};
use oblate::{DevicePtr, Dtype, Reduction, Stream, View, ViewMut, Workspace};

use crate::message;
use crate::slices::{CLASSES, ROWS, Right, Slices};

fn config() -> SoftmaxCrossEntropyConfig {
    SoftmaxCrossEntropyConfig { rows: ROWS, classes: CLASSES, ..SoftmaxCrossEntropyConfig::default() }
}

/// A call that nothing is wrong with, when there is no penalty.
fn right(slices: &mut Right) -> (SoftmaxCrossEntropyTensors<'_>, SoftmaxCrossEntropyOutputs<'_>) {
    let tensors =
        SoftmaxCrossEntropyTensors::new(View::new(&slices.logits, [ROWS, CLASSES]), View::new(&slices.targets, [ROWS]));
    let outputs = SoftmaxCrossEntropyOutputs {
        loss: ViewMut::new(&mut slices.loss, [ROWS]),
        penalty: None,
        lse: Some(ViewMut::new(&mut slices.lse, [ROWS])),
        grad_logits: Some(ViewMut::new(&mut slices.grad_logits, [ROWS, CLASSES])),
    };
    (tensors, outputs)
}

#[test]
fn configurations() {
    let slices = Slices::new();
    let config = config();
    for (config, expected) in [
        (SoftmaxCrossEntropyConfig { dtype: Dtype::U32, ..config }, "logits is u32, expected f32 or f16 or bf16"),
        (SoftmaxCrossEntropyConfig { index_dtype: Dtype::F16, ..config }, "targets is f16, expected i64 or u32"),
        (SoftmaxCrossEntropyConfig { rows: 1 << 31, ..config }, "rows is 2147483648, expected 0 to 2147483647"),
        (SoftmaxCrossEntropyConfig { classes: 0, ..config }, "classes is 0, expected 1 to 2147483647"),
        (
            SoftmaxCrossEntropyConfig { label_smoothing: -0.5, ..config },
            "label_smoothing is -0.5, expected a number from 0 to 1",
        ),
        (
            SoftmaxCrossEntropyConfig { lse_penalty: Some(f64::NAN), ..config },
            "lse_penalty is NaN, expected a number >= 0",
        ),
    ] {
        let expected = format!("spherical.softmax_cross_entropy: {expected}");
        assert_eq!(message(SoftmaxCrossEntropy::new(&slices.device, config)), expected);
    }
}

#[test]
fn tensors() {
    type Call = for<'a> fn(&'a mut Slices) -> (SoftmaxCrossEntropyTensors<'a>, SoftmaxCrossEntropyOutputs<'a>);
    let one = config();
    let penalised = SoftmaxCrossEntropyConfig { lse_penalty: Some(1.0), ..one };
    let calls: [(SoftmaxCrossEntropyConfig, Call, &str); 13] = [
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (SoftmaxCrossEntropyTensors { logits: View::new(&s.wrong.halves, [2, 3]), ..tensors }, outputs)
            },
            "logits is f16, expected f32",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (SoftmaxCrossEntropyTensors { logits: View::new(&s.wrong.floats, [6]), ..tensors }, outputs)
            },
            "logits has shape [6], expected [2, 3]",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (SoftmaxCrossEntropyTensors { targets: View::new(&s.wrong.indices, [2]), ..tensors }, outputs)
            },
            "targets is u32, expected i64",
        ),
        (
            SoftmaxCrossEntropyConfig { index_dtype: Dtype::U32, ..one },
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (SoftmaxCrossEntropyTensors { targets: View::new(&s.wrong.indices, [2, 1]), ..tensors }, outputs)
            },
            "targets has shape [2, 1], expected [2]",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (SoftmaxCrossEntropyTensors { row_weights: Some(View::new(&s.wrong.floats, [2])), ..tensors }, outputs)
            },
            "row_weights has 6 elements, expected 2",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (SoftmaxCrossEntropyTensors { grad_loss: Some(View::new(&s.wrong.floats, [])), ..tensors }, outputs)
            },
            "grad_loss has shape [], expected [2]",
        ),
        (
            SoftmaxCrossEntropyConfig { reduction: Reduction::Sum, ..one },
            |s| right(&mut s.right),
            "loss has shape [2], expected []",
        ),
        (penalised, |s| right(&mut s.right), "penalty is missing, expected f32 [2]"),
        (
            one,
            |s| {
                let penalty = Some(ViewMut::part(s.wrong.floats_out.slice_mut(..2), [2]));
                let (tensors, outputs) = right(&mut s.right);
                (tensors, SoftmaxCrossEntropyOutputs { penalty, ..outputs })
            },
            "penalty is given, expected none without lse_penalty",
        ),
        (
            penalised,
            |s| {
                let penalty = Some(ViewMut::new(&mut s.wrong.halves_out, [2]));
                let (tensors, outputs) = right(&mut s.right);
                (tensors, SoftmaxCrossEntropyOutputs { penalty, ..outputs })
            },
            "penalty is f16, expected f32",
        ),
        (
            one,
            |s| {
                let lse = Some(ViewMut::new(&mut s.wrong.floats_out, [6]));
                let (tensors, outputs) = right(&mut s.right);
                (tensors, SoftmaxCrossEntropyOutputs { lse, ..outputs })
            },
            "lse has shape [6], expected [2]",
        ),
        (
            one,
            |s| {
                let (tensors, outputs) = right(&mut s.right);
                (tensors, SoftmaxCrossEntropyOutputs { grad_logits: None, ..outputs })
            },
            "grad_logits is missing, expected f32 [2, 3]",
        ),
        (
            SoftmaxCrossEntropyConfig { need_grad: false, ..one },
            |s| right(&mut s.right),
            "grad_logits is given, expected none without need_grad",
        ),
    ];
    let mut slices = Slices::new();
    for (config, call, expected) in calls {
        let softmax = SoftmaxCrossEntropy::new(&slices.device, config).expect("a handle");
        let mut workspace = Workspace::new(&slices.device, softmax.workspace_bytes()).expect("memory");
        let stream = slices.stream.clone();
        let (tensors, outputs) = call(&mut slices);
        let said = message(softmax.run(&stream, tensors, outputs, &mut workspace));
        assert_eq!(said, format!("spherical.softmax_cross_entropy: {expected}"));
    }
}

#[test]
fn pointers() {
    let slices = Slices::new();
    let config = SoftmaxCrossEntropyConfig { lse_penalty: Some(1.0), reduction: Reduction::Mean, ..config() };
    let softmax = SoftmaxCrossEntropy::new(&slices.device, config).expect("a handle");
    // Each tensor at a multiple of 256 bytes of made-up addresses: no call gets to the device.
    let at = |i: u64| DevicePtr(0x10000 + 256 * i);
    let right = Pointers {
        logits: at(0),
        targets: at(1),
        row_weights: Some(at(2)),
        grad_loss: Some(at(3)),
        loss: at(4),
        penalty: Some(at(5)),
        lse: Some(at(6)),
        grad_logits: Some(at(7)),
        workspace: at(9),
        workspace_bytes: softmax.workspace_bytes(),
        status: at(8),
    };
    let own = "expected memory of its own";
    for (pointers, expected) in [
        (Pointers { penalty: None, ..right }, "penalty is missing, expected f32 []".to_string()),
        (Pointers { grad_logits: None, ..right }, "grad_logits is missing, expected f32 [2, 3]".into()),
        (
            Pointers { workspace_bytes: 5, ..right },
            format!("the workspace has 5 bytes, expected {} or more", softmax.workspace_bytes()),
        ),
        (Pointers { targets: DevicePtr::NULL, ..right }, "targets is a null pointer, expected 2 elements".into()),
        (Pointers { logits: at(0).add(1), ..right }, "logits is at 0x10001, expected a multiple of 4".into()),
        (Pointers { targets: at(1).add(2), ..right }, "targets is at 0x10102, expected a multiple of 8".into()),
        (
            Pointers { row_weights: Some(at(2).add(1)), ..right },
            "row_weights is at 0x10201, expected a multiple of 4".into(),
        ),
        (
            Pointers { grad_loss: Some(at(3).add(1)), ..right },
            "grad_loss is at 0x10301, expected a multiple of 4".into(),
        ),
        (Pointers { loss: at(4).add(1), ..right }, "loss is at 0x10401, expected a multiple of 4".into()),
        (Pointers { penalty: Some(at(5).add(1)), ..right }, "penalty is at 0x10501, expected a multiple of 4".into()),
        (Pointers { lse: Some(at(6).add(1)), ..right }, "lse is at 0x10601, expected a multiple of 4".into()),
        (
            Pointers { grad_logits: Some(at(7).add(2)), ..right },
            "grad_logits is at 0x10702, expected a multiple of 4".into(),
        ),
        (
            Pointers { workspace: at(9).add(8), ..right },
            "the workspace is at 0x10908, expected a multiple of 16".into(),
        ),
        (Pointers { status: at(8).add(4), ..right }, "the status is at 0x10804, expected a multiple of 8".into()),
        (
            Pointers { grad_logits: Some(at(0).add(8)), ..right },
            format!("grad_logits overlaps logits, {own} or exactly that tensor"),
        ),
        (Pointers { lse: Some(at(2)), ..right }, format!("lse overlaps row_weights, {own}")),
        (Pointers { penalty: Some(at(4)), ..right }, format!("penalty overlaps loss, {own}")),
        (Pointers { lse: Some(at(7)), ..right }, format!("grad_logits overlaps lse, {own}")),
        (Pointers { status: at(9), ..right }, format!("the status overlaps the workspace, {own}")),
    ] {
        // SAFETY: the call is refused before anything is launched.
        let said = message(unsafe { softmax.launch(Stream::from(&*slices.stream), &pointers) });
        assert_eq!(said, format!("spherical.softmax_cross_entropy: {expected}"));
    }
}

#[test]
fn targets_out_of_range() {
    let mut slices = Slices::new();
    let softmax = SoftmaxCrossEntropy::new(&slices.device, config()).expect("a handle");
    slices.right.targets = slices.stream.clone_htod(&[2_i64, -3]).expect("memory");
    let (tensors, outputs) = right(&mut slices.right);
    softmax.run(&slices.stream, tensors, outputs, &mut slices.workspace).expect("a run");
    let said = message(slices.workspace.status().check(&slices.stream));
    let expected = "targets[1] is out of range, expected -100 (ignore_index) or 0 to 2";
    assert_eq!(said, format!("spherical.softmax_cross_entropy: {expected}"));
    // The handle works afterwards.
    slices.right.targets = slices.stream.clone_htod(&[2_i64, 1]).expect("memory");
    let (tensors, outputs) = right(&mut slices.right);
    softmax.run(&slices.stream, tensors, outputs, &mut slices.workspace).expect("a run");
    slices.workspace.status().check(&slices.stream).expect("right targets");
    let loss = slices.stream.clone_dtoh(&slices.right.loss).expect("the loss");
    assert!(loss.iter().all(|loss| loss.is_finite()), "{loss:?}");
}
