use super::super::{DenseConfig, Loss};
use super::{ReferenceInputs, ReferenceOutputs, reference};
use crate::random::{Random, differences};
use crate::{Error, Reduction, Tracked};

const LOSSES: [Loss; 6] = [
    Loss::SquaredError,
    Loss::LogSphericalSoftmax { epsilon: 0.01 },
    Loss::LogSphericalSoftmax { epsilon: 1.5 },
    Loss::LogTaylorSoftmax,
    Loss::Z { a: 1.0, b: 0.0 },
    Loss::Z { a: 0.3, b: -1.5 },
];

fn values(tracked: &[Tracked]) -> Vec<f64> {
    tracked.iter().map(|x| x.value).collect()
}

fn run(config: DenseConfig, logits: &[f64], targets: &[i64]) -> ReferenceOutputs {
    reference(&config, &ReferenceInputs { logits, targets, ..ReferenceInputs::default() }).expect("right inputs")
}

/// Every loss, reduction and form of the targets, with repeated and dropped entries, ignored rows, weights and an
/// upstream gradient: the gradient is that of the loss times the upstream gradient.
#[test]
fn gradients_agree_with_differences() {
    let (rows, classes) = (4, 7);
    let mut random = Random(3);
    for loss in LOSSES {
        for reduction in [Reduction::None, Reduction::Mean, Reduction::Sum] {
            for targets_per_row in [None, Some(1), Some(3)] {
                for weighted in [false, true] {
                    let k = targets_per_row.unwrap_or(1);
                    let config =
                        DenseConfig { rows, classes, targets_per_row, loss, reduction, ..DenseConfig::default() };
                    let logits = random.uniforms(rows * classes, -2.0, 2.0);
                    let mut targets: Vec<i64> = (0..rows * k).map(|_| random.below(classes)).collect();
                    targets[k..2 * k].fill(-100); // row 1 is ignored
                    if k == 3 {
                        targets[..3].copy_from_slice(&[5, 2, 5]);
                        targets[8] = -100;
                    }
                    let target_values = targets_per_row.map(|k| random.uniforms(rows * k, -1.0, 2.0));
                    let weights = weighted.then(|| random.uniforms(rows, 0.5, 2.0));
                    let losses = if reduction == Reduction::None { rows } else { 1 };
                    let grad_loss = weighted.then(|| random.uniforms(losses, -2.0, 2.0));
                    let inputs = ReferenceInputs {
                        logits: &logits,
                        targets: &targets,
                        values: target_values.as_deref(),
                        row_weights: weights.as_deref(),
                        grad_loss: grad_loss.as_deref(),
                    };
                    let grad = values(&reference(&config, &inputs).expect("right inputs").grad_logits.expect("needed"));
                    let total = |logits: &[f64]| {
                        let loss = reference(&config, &ReferenceInputs { logits, ..inputs }).expect("right").loss;
                        let upstream = |b: usize| grad_loss.as_ref().map_or(1.0, |grad| grad[b]);
                        loss.iter().enumerate().map(|(b, loss)| loss.value * upstream(b)).sum::<f64>()
                    };
                    for (i, (got, expected)) in grad.iter().zip(differences(&logits, total)).enumerate() {
                        let error = (got - expected).abs();
                        assert!(error <= 1e-8 * (1.0 + expected.abs()), "{config:?} {i}: {got} {expected}");
                    }
                    assert!(grad[classes..2 * classes].iter().all(|g| *g == 0.0));
                }
            }
        }
    }
}

/// The table of the contract, term by term, on one row.
#[test]
fn losses_are_those_of_the_table() {
    let o = [0.5, -1.25, 2.0, 0.75];
    let (d, s, q): (f64, f64, f64) = (4.0, o.iter().sum(), o.iter().map(|x| x * x).sum());
    let mu = s / d;
    let sigma = (q / d - mu * mu).sqrt();
    for (c, o_c) in o.into_iter().enumerate() {
        let z_c = (o_c - mu) / sigma;
        for (loss, expected) in [
            (Loss::SquaredError, q - 2.0 * o_c + 1.0),
            (Loss::LogSphericalSoftmax { epsilon: 0.1 }, -((o_c * o_c + 0.1) / (q + d * 0.1)).ln()),
            (Loss::LogTaylorSoftmax, -((1.0 + o_c + o_c * o_c / 2.0) / (d + s + q / 2.0)).ln()),
            (Loss::Z { a: 2.0, b: 0.5 }, (1.0 + (2.0 * (0.5 - z_c)).exp()).ln() / 2.0),
        ] {
            let config = DenseConfig { rows: 1, classes: 4, loss, ..DenseConfig::default() };
            let got = run(config, &o, &[i64::try_from(c).expect("small")]).loss[0].value;
            assert!((got - expected).abs() <= 1e-14 * expected.abs().max(1.0), "{loss:?} {c}: {got} {expected}");
        }
    }
}

#[test]
fn squared_error_of_repeated_targets_adds_their_values() {
    let config = DenseConfig {
        rows: 1,
        classes: 3,
        targets_per_row: Some(3),
        loss: Loss::SquaredError,
        ..DenseConfig::default()
    };
    let (logits, target_values) = ([1.0, 2.0, 3.0], [0.5, 0.25, 2.0]);
    let inputs = ReferenceInputs {
        logits: &logits,
        targets: &[2, 2, 0],
        values: Some(&target_values),
        ..ReferenceInputs::default()
    };
    let outputs = reference(&config, &inputs).expect("right inputs");
    let square = |o: f64, v: f64| (o - v) * (o - v); // |o - Σ v one-hot|²
    assert_eq!(outputs.loss[0].value, square(1.0, 2.0) + square(2.0, 0.0) + square(3.0, 0.75));
    assert_eq!(values(&outputs.grad_logits.expect("needed")), [2.0 * (1.0 - 2.0), 4.0, 2.0 * (3.0 - 0.75)]);
}

#[test]
fn a_constant_row_has_z_zero_and_no_gradient() {
    for (classes, o_k) in [(1, 5.0), (1000, 0.1_f32.into()), (7, -1e30)] {
        let config = DenseConfig { rows: 1, classes, loss: Loss::Z { a: 2.0, b: 0.5 }, ..DenseConfig::default() };
        let outputs = run(config, &vec![o_k; classes], &[0]);
        assert_eq!(outputs.loss[0].value, (1.0 + 1.0_f64.exp()).ln() / 2.0);
        assert!(outputs.grad_logits.expect("needed").iter().all(|g| *g == Tracked::exact(0.0)));
    }
}

/// A mean of 10^4 takes nothing from sigma, and the magnitude stays near what the mean's own rounding does.
#[test]
fn a_large_mean_costs_no_accuracy() {
    let noise = Random(1).uniforms(50, -0.5, 0.5);
    let config = DenseConfig { rows: 1, classes: 50, ..DenseConfig::default() };
    let far: Vec<f64> = noise.iter().map(|x| x + 10_000.0).collect();
    let (near, far) = (run(config, &noise, &[3]), run(config, &far, &[3]));
    assert!((near.loss[0].value - far.loss[0].value).abs() < 1e-11);
    assert!(far.loss[0].magnitude < 1e5, "{}", far.loss[0].magnitude);
}

#[test]
fn a_nan_stays_in_its_row() {
    for loss in LOSSES {
        let config = DenseConfig { rows: 3, classes: 3, loss, ..DenseConfig::default() };
        let logits = [0.5, 1.0, -0.5, f64::NAN, 1.0, 0.25, 2.0, 1.0, 0.0];
        let outputs = run(config, &logits, &[0, 1, 2]);
        let nan: Vec<bool> = outputs.loss.iter().map(|loss| loss.value.is_nan()).collect();
        assert_eq!(nan, [false, true, false], "{loss:?}");
        let grad = outputs.grad_logits.expect("needed");
        assert!(grad.iter().enumerate().all(|(i, g)| i / 3 == 1 || !g.value.is_nan()), "{loss:?}");
        assert!(grad[3].value.is_nan(), "{loss:?}");
    }
}

/// s is -∞ and q +∞.
#[test]
fn infinities_follow_the_formula() {
    let logits = [0.5, f64::NEG_INFINITY, 1.0];
    for (loss, expected) in [
        (Loss::SquaredError, f64::INFINITY),
        (Loss::LogSphericalSoftmax { epsilon: 1e-2 }, f64::INFINITY),
        (Loss::LogTaylorSoftmax, f64::NAN),
        (Loss::Z { a: 1.0, b: 0.0 }, f64::NAN),
    ] {
        let outputs = run(DenseConfig { loss, rows: 1, classes: 3, ..DenseConfig::default() }, &logits, &[0]);
        let value = outputs.loss[0].value;
        assert!(value == expected || value.is_nan() && expected.is_nan(), "{loss:?}: {value}");
    }
}

#[test]
fn ignored_rows_cost_nothing_whatever_they_hold() {
    let config = DenseConfig { rows: 2, classes: 2, reduction: Reduction::Mean, ..DenseConfig::default() };
    let outputs = run(config, &[f64::NAN, 1.0, 0.5, 3.0], &[-100, 1]);
    let alone = run(DenseConfig { rows: 1, ..config }, &[0.5, 3.0], &[1]);
    assert_eq!(outputs.loss, alone.loss);
    assert_eq!(values(&outputs.grad_logits.expect("needed"))[..2], [0.0, 0.0]);
}

#[test]
fn wrong_inputs_are_named() {
    let config = DenseConfig { rows: 2, classes: 3, ..DenseConfig::default() };
    let message = |config: DenseConfig, inputs: ReferenceInputs<'_>| {
        reference(&config, &inputs).expect_err("a wrong input").to_string()
    };
    let right = ReferenceInputs { logits: &[0.0; 6], targets: &[0, 1], ..ReferenceInputs::default() };
    assert_eq!(
        message(config, ReferenceInputs { targets: &[0, 3], ..right }),
        "spherical.dense: targets[1] is 3, expected -100 (ignore_index) or 0 to 2"
    );
    let many = DenseConfig { targets_per_row: Some(2), ..config };
    let (targets, target_values) = ([0, 1, 2, -7], [1.0; 4]);
    assert_eq!(
        message(many, ReferenceInputs { targets: &targets, values: Some(&target_values), ..right }),
        "spherical.dense: targets[1, 1] is -7, expected -100 (ignore_index) or 0 to 2"
    );
    assert_eq!(
        message(many, ReferenceInputs { targets: &targets, ..right }),
        "spherical.dense: values is missing, expected f32 [2, 2]"
    );
    assert_eq!(
        message(config, ReferenceInputs { values: Some(&target_values[..2]), ..right }),
        "spherical.dense: values is given, expected none with targets [rows]"
    );
    assert_eq!(
        message(config, ReferenceInputs { logits: &[0.0; 5], ..right }),
        "spherical.dense: logits has 5 elements, expected 6"
    );
    assert_eq!(
        message(config, ReferenceInputs { grad_loss: Some(&[1.0]), ..right }),
        "spherical.dense: grad_loss has 1 elements, expected 2"
    );
    let nan = DenseConfig { loss: Loss::Z { a: f64::NAN, b: 0.0 }, ..config };
    assert_eq!(message(nan, right), "spherical.dense: a is NaN, expected a number > 0");
    let none = reference(&DenseConfig { classes: 0, ..config }, &right);
    assert!(matches!(none, Err(Error::Size { size: "classes", came: 0, .. })));
}
