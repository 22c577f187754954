use super::super::SoftmaxCrossEntropyConfig;
use super::{ReferenceInputs, ReferenceOutputs, reference};
use crate::random::{Random, differences};
use crate::{Reduction, Tracked};

const NONE: ReferenceInputs<'_> = ReferenceInputs { logits: &[], targets: &[], row_weights: None, grad_loss: None };
const MASK: f64 = f64::NEG_INFINITY;

fn values(tracked: &[Tracked]) -> Vec<f64> {
    tracked.iter().map(|x| x.value).collect()
}

fn run(config: SoftmaxCrossEntropyConfig, logits: &[f64], targets: &[i64]) -> ReferenceOutputs {
    reference(&config, &ReferenceInputs { logits, targets, ..NONE }).expect("right inputs")
}

/// Every reduction, smoothing and penalty, with an ignored row, weights and an upstream gradient: the gradient is that of
/// (loss + penalty) times the upstream gradient.
#[test]
fn gradients_agree_with_differences() {
    let (rows, classes) = (4, 7);
    let mut random = Random(5);
    for reduction in [Reduction::None, Reduction::Mean, Reduction::Sum] {
        for label_smoothing in [0.0, 0.2, 1.0] {
            for lse_penalty in [None, Some(0.0), Some(0.3)] {
                for weighted in [false, true] {
                    let config = SoftmaxCrossEntropyConfig {
                        rows,
                        classes,
                        label_smoothing,
                        lse_penalty,
                        reduction,
                        ..SoftmaxCrossEntropyConfig::default()
                    };
                    let logits = random.uniforms(rows * classes, -2.0, 2.0);
                    let mut targets: Vec<i64> = (0..rows).map(|_| random.below(classes)).collect();
                    targets[1] = -100;
                    let weights = weighted.then(|| random.uniforms(rows, 0.5, 2.0));
                    let losses = if reduction == Reduction::None { rows } else { 1 };
                    let grad_loss = weighted.then(|| random.uniforms(losses, -2.0, 2.0));
                    let inputs = ReferenceInputs {
                        logits: &logits,
                        targets: &targets,
                        row_weights: weights.as_deref(),
                        grad_loss: grad_loss.as_deref(),
                    };
                    let grad = values(&reference(&config, &inputs).expect("right inputs").grad_logits.expect("needed"));
                    let total = |logits: &[f64]| {
                        let outputs = reference(&config, &ReferenceInputs { logits, ..inputs }).expect("right");
                        let penalty = |b: usize| outputs.penalty.as_ref().map_or(0.0, |penalty| penalty[b].value);
                        let upstream = |b: usize| grad_loss.as_ref().map_or(1.0, |grad| grad[b]);
                        let rows = outputs.loss.iter().enumerate();
                        rows.map(|(b, loss)| (loss.value + penalty(b)) * upstream(b)).sum::<f64>()
                    };
                    for (i, (got, expected)) in grad.iter().zip(differences(&logits, total)).enumerate() {
                        let error = (got - expected).abs();
                        assert!(error <= 1e-9 * (1.0 + expected.abs()), "{config:?} {i}: {got} {expected}");
                    }
                    assert!(grad[classes..2 * classes].iter().all(|g| *g == 0.0));
                }
            }
        }
    }
}

#[test]
fn the_loss_is_the_cross_entropy_with_the_smoothed_target() {
    let o = [0.5, -1.25, 2.0_f64];
    let lse = o.iter().map(|o_k| o_k.exp()).sum::<f64>().ln();
    for e in [0.0, 0.1, 1.0] {
        let config = SoftmaxCrossEntropyConfig {
            rows: 1,
            classes: 3,
            label_smoothing: e,
            lse_penalty: Some(0.5),
            ..SoftmaxCrossEntropyConfig::default()
        };
        let outputs = run(config, &o, &[1]);
        let cross = |k: usize| (e / 3.0 + if k == 1 { 1.0 - e } else { 0.0 }) * (lse - o[k]);
        let expected = cross(0) + cross(1) + cross(2);
        assert!((outputs.loss[0].value - expected).abs() < 1e-14);
        assert!((outputs.lse[0].value - lse).abs() < 1e-14);
        assert!((outputs.penalty.expect("set")[0].value - 0.5 * lse * lse).abs() < 1e-14);
    }
}

#[test]
fn a_masked_class_is_as_if_it_were_not_there() {
    let config = SoftmaxCrossEntropyConfig { rows: 1, classes: 3, ..SoftmaxCrossEntropyConfig::default() };
    let masked = run(config, &[0.5, MASK, 2.0], &[2]);
    let without = run(SoftmaxCrossEntropyConfig { classes: 2, ..config }, &[0.5, 2.0], &[1]);
    assert_eq!((masked.loss, masked.lse), (without.loss, without.lse));
    let (masked, without) = (masked.grad_logits.expect("needed"), without.grad_logits.expect("needed"));
    assert_eq!(masked, [without[0], Tracked::exact(0.0), without[1]]);
}

/// Smoothing gives a masked class nothing, and nothing of its share to the others.
#[test]
fn a_masked_class_takes_no_part_in_smoothing() {
    let config =
        SoftmaxCrossEntropyConfig { rows: 1, classes: 4, label_smoothing: 0.2, ..SoftmaxCrossEntropyConfig::default() };
    let o = [0.5, MASK, 2.0, -1.0];
    let loss = |o: &[f64]| run(config, o, &[2]).loss[0].value;
    let lse = [0.5_f64, 2.0, -1.0].map(f64::exp).iter().sum::<f64>().ln();
    let expected = 0.8 * (lse - 2.0) + 0.05 * ((lse - 0.5) + (lse - 2.0) + (lse + 1.0));
    assert!((loss(&o) - expected).abs() < 1e-14);
    let grad = values(&run(config, &o, &[2]).grad_logits.expect("needed"));
    let of_the_others = differences(&[0.5, 2.0, -1.0], |x| loss(&[x[0], MASK, x[1], x[2]]));
    assert_eq!(grad[1], 0.0);
    for (got, expected) in [grad[0], grad[2], grad[3]].iter().zip(of_the_others) {
        assert!((got - expected).abs() < 1e-9, "{got} {expected}");
    }
    assert_eq!(
        run(SoftmaxCrossEntropyConfig { label_smoothing: 1.0, ..config }, &o, &[1]).loss[0].value,
        f64::INFINITY
    );
}

#[test]
fn infinities_and_nan_follow_the_contract() {
    let config = SoftmaxCrossEntropyConfig { rows: 1, classes: 2, ..SoftmaxCrossEntropyConfig::default() };
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    // logits, target; loss, lse, gradient
    for (o, target, loss, lse, grad) in [
        ([MASK, 1.0], 0, inf, 1.0, [0.0, 1.0]),  // a masked target: loss +inf
        ([MASK, MASK], 0, nan, nan, [nan, nan]), // wholly masked
        ([nan, 1.0], 1, nan, nan, [nan, nan]),
        ([inf, 1.0], 1, inf, inf, [nan, -1.0]), // exp(inf - inf) is not defined
        ([inf, 1.0], 0, nan, inf, [nan, 0.0]),
    ] {
        let outputs = run(config, &o, &[target]);
        let got = [&outputs.loss, &outputs.lse, &outputs.grad_logits.expect("needed")].map(|x| values(x));
        let same = |a: &f64, b: &f64| a == b || a.is_nan() && b.is_nan();
        let expected = [vec![loss], vec![lse], grad.to_vec()];
        let agree = got.iter().flatten().zip(expected.iter().flatten()).all(|(a, b)| same(a, b));
        assert!(agree, "{o:?}: {got:?}, expected {expected:?}");
    }
}

#[test]
fn an_ignored_row_still_reports_its_lse() {
    let config = SoftmaxCrossEntropyConfig {
        rows: 2,
        classes: 2,
        lse_penalty: Some(1.0),
        reduction: Reduction::Mean,
        ..SoftmaxCrossEntropyConfig::default()
    };
    let outputs = run(config, &[1.0, 1.0, 0.0, 0.0], &[-100, 0]);
    assert!((outputs.lse[0].value - (1.0 + 2.0_f64.ln())).abs() < 1e-15);
    assert_eq!(outputs.loss[0].value, 2.0_f64.ln());
    assert!((outputs.penalty.expect("set")[0].value - 2.0_f64.ln().powi(2)).abs() < 1e-15);
    assert_eq!(values(&outputs.grad_logits.expect("needed"))[..2], [0.0, 0.0]);
}

#[test]
fn wrong_inputs_are_named() {
    let config = SoftmaxCrossEntropyConfig { rows: 1, classes: 30_522, ..SoftmaxCrossEntropyConfig::default() };
    let message = |config: SoftmaxCrossEntropyConfig, targets: &[i64]| {
        let inputs = ReferenceInputs { logits: &vec![0.0; config.classes], targets, ..NONE };
        reference(&config, &inputs).expect_err("a wrong input").to_string()
    };
    assert_eq!(
        message(config, &[70_000]),
        "spherical.softmax_cross_entropy: targets[0] is 70000, expected -100 (ignore_index) or 0 to 30521"
    );
    assert_eq!(
        message(SoftmaxCrossEntropyConfig { label_smoothing: 1.5, ..config }, &[0]),
        "spherical.softmax_cross_entropy: label_smoothing is 1.5, expected a number from 0 to 1"
    );
    assert_eq!(
        message(SoftmaxCrossEntropyConfig { lse_penalty: Some(-1.0), ..config }, &[0]),
        "spherical.softmax_cross_entropy: lse_penalty is -1, expected a number >= 0"
    );
    assert_eq!(message(config, &[0, 1]), "spherical.softmax_cross_entropy: targets has 2 elements, expected 1");
}
