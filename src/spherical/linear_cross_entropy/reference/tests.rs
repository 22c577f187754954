use super::super::LinearCrossEntropyConfig;
use super::{ReferenceInputs, ReferenceOutputs, reference};
use crate::random::{Random, differences};
use crate::spherical::softmax_cross_entropy::{self, SoftmaxCrossEntropyConfig};
use crate::{Reduction, Tracked};

const NONE: ReferenceInputs<'_> = ReferenceInputs {
    hidden: &[],
    weight: &[],
    targets: &[],
    bias: None,
    row_weights: None,
    segments: None,
    grad_loss: None,
};
const MASK: f64 = f64::NEG_INFINITY;

fn values(tracked: &[Tracked]) -> Vec<f64> {
    tracked.iter().map(|x| x.value).collect()
}

fn run(config: &LinearCrossEntropyConfig, inputs: &ReferenceInputs<'_>) -> ReferenceOutputs {
    reference(config, inputs).expect("right inputs")
}

/// A call of 4 rows, one of them ignored, 5 classes and a width of 3.
struct Call {
    config: LinearCrossEntropyConfig,
    hidden: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
    targets: Vec<i64>,
    row_weights: Vec<f64>,
    grad_loss: Vec<f64>,
}

impl Call {
    fn new(random: &mut Random, reduction: Reduction) -> Self {
        let (rows, classes, width) = (4, 5, 3);
        let config =
            LinearCrossEntropyConfig { rows, classes, width, reduction, ..LinearCrossEntropyConfig::default() };
        let mut targets: Vec<i64> = (0..rows).map(|_| random.below(classes)).collect();
        targets[1] = -100;
        targets[2] = 0;
        Self {
            config,
            hidden: random.uniforms(rows * width, -1.5, 1.5),
            weight: random.uniforms(classes * width, -1.5, 1.5),
            bias: random.uniforms(classes, -1.0, 1.0),
            targets,
            row_weights: random.uniforms(rows, 0.5, 2.0),
            grad_loss: random.uniforms(if reduction == Reduction::None { rows } else { 1 }, -2.0, 2.0),
        }
    }

    fn inputs(&self) -> ReferenceInputs<'_> {
        ReferenceInputs {
            hidden: &self.hidden,
            weight: &self.weight,
            targets: &self.targets,
            bias: self.config.has_bias.then_some(&self.bias),
            row_weights: Some(&self.row_weights),
            segments: None,
            grad_loss: Some(&self.grad_loss),
        }
    }

    /// (loss + penalty) times the upstream gradient.
    fn total(&self, inputs: &ReferenceInputs<'_>) -> f64 {
        let outputs = run(&LinearCrossEntropyConfig { need_grad: false, ..self.config }, inputs);
        let penalty = |b: usize| outputs.penalty.as_ref().map_or(0.0, |penalty| penalty[b].value);
        let rows = outputs.loss.iter().zip(&self.grad_loss).enumerate();
        rows.map(|(b, (loss, upstream))| (loss.value + penalty(b)) * upstream).sum()
    }
}

/// Every reduction, smoothing, penalty, softcap and bias, with an ignored row, weights and an upstream gradient.
#[test]
fn gradients_agree_with_differences() {
    let mut random = Random(11);
    for reduction in [Reduction::None, Reduction::Mean, Reduction::Sum] {
        for label_smoothing in [0.0, 0.2] {
            for lse_penalty in [None, Some(0.3)] {
                for softcap in [None, Some(0.7), Some(30.0)] {
                    for bias in [None, Some(false), Some(true)] {
                        let mut call = Call::new(&mut random, reduction);
                        let config = LinearCrossEntropyConfig {
                            has_bias: bias.is_some(),
                            label_smoothing,
                            lse_penalty,
                            softcap,
                            ..call.config
                        };
                        call.config = config;
                        if bias == Some(true) {
                            call.bias[3] = MASK;
                            call.targets.iter_mut().filter(|target| **target == 3).for_each(|target| *target = 4);
                        }
                        check_gradients(&call);
                    }
                }
            }
        }
    }
}

fn check_gradients(call: &Call) {
    let inputs = call.inputs();
    let outputs = run(&call.config, &inputs);
    let agree = |got: Vec<f64>, expected: Vec<f64>| {
        for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
            let right = (got - expected).abs() <= 1e-9 * (1.0 + expected.abs());
            assert!(right, "{:?} {i}: {got} {expected}", call.config);
        }
    };
    let got = values(&outputs.grad_hidden.expect("needed").entries);
    assert!(got[3..6].iter().all(|g| *g == 0.0), "of the ignored row");
    agree(got, differences(&call.hidden, |hidden| call.total(&ReferenceInputs { hidden, ..inputs })));
    let got = values(&outputs.grad_weight.expect("needed").entries);
    agree(got, differences(&call.weight, |weight| call.total(&ReferenceInputs { weight, ..inputs })));
    let Some(got) = outputs.grad_bias else { return assert!(!call.config.has_bias) };
    let mut expected = differences(&call.bias, |bias| call.total(&ReferenceInputs { bias: Some(bias), ..inputs }));
    for (expected, bias) in expected.iter_mut().zip(&call.bias) {
        if *bias == MASK {
            *expected = 0.0; // what is added to -inf moves nothing
        }
    }
    agree(values(&got), expected);
}

/// The outputs of softmax_cross_entropy on the logits, formed here: the head adds the products and nothing else.
#[test]
fn it_is_softmax_cross_entropy_of_the_logits() {
    let mut random = Random(3);
    for reduction in [Reduction::None, Reduction::Mean] {
        let mut call = Call::new(&mut random, reduction);
        let (lse_penalty, label_smoothing) = (Some(0.25), 0.1);
        call.config = LinearCrossEntropyConfig { has_bias: true, lse_penalty, label_smoothing, ..call.config };
        call.bias[1] = MASK; // a masked class, and perhaps a masked target
        let width = call.config.width;
        let logit = |h: &[f64], k: usize| -> f64 {
            call.bias[k] + h.iter().zip(&call.weight[k * width..]).map(|(h, w)| h * w).sum::<f64>()
        };
        let of_row = |h: &[f64]| -> Vec<f64> { (0..call.config.classes).map(|k| logit(h, k)).collect() };
        let logits: Vec<f64> = call.hidden.chunks_exact(width).flat_map(of_row).collect();
        let expected = softmax_cross_entropy::reference(
            &SoftmaxCrossEntropyConfig {
                rows: call.config.rows,
                classes: call.config.classes,
                label_smoothing,
                lse_penalty,
                reduction,
                ..SoftmaxCrossEntropyConfig::default()
            },
            &softmax_cross_entropy::ReferenceInputs {
                logits: &logits,
                targets: &call.targets,
                row_weights: Some(&call.row_weights),
                grad_loss: Some(&call.grad_loss),
            },
        )
        .expect("right inputs");
        let got = run(&call.config, &call.inputs());
        let same = |got: &[Tracked], expected: &[Tracked]| {
            for (got, expected) in got.iter().zip(expected) {
                let (got, expected) = (got.value, expected.value);
                assert!(
                    got == expected || (got - expected).abs() <= 1e-14 * (1.0 + expected.abs()),
                    "{got} {expected}"
                );
            }
        };
        same(&got.loss, &expected.loss);
        same(&got.lse, &expected.lse);
        same(&got.penalty.expect("set"), &expected.penalty.expect("set"));
        for (b, target) in call.targets.iter().enumerate() {
            let logit = usize::try_from(*target).map_or(0.0, |c| logits[b * call.config.classes + c]);
            same(&got.target_logits[b..=b], &[Tracked::exact(logit)]);
        }
    }
}

#[test]
fn a_segment_is_the_sum_of_its_log_probabilities() {
    let mut random = Random(9);
    let mut call = Call::new(&mut random, Reduction::Mean);
    call.config = LinearCrossEntropyConfig {
        segments: Some(4),
        label_smoothing: 0.3,
        lse_penalty: Some(1.0),
        softcap: Some(2.0),
        ..call.config
    };
    let segments = [0, 3, 3, 4, 4];
    let got = run(&call.config, &ReferenceInputs { segments: Some(&segments), ..call.inputs() });
    // No weights, no smoothing, no penalty; row 1 is ignored.
    let log_p = |b: usize| got.target_logits[b].value - got.lse[b].value;
    let segment_loss = values(got.segment_loss.as_ref().expect("with segments"));
    assert!((segment_loss[0] - (log_p(0) + log_p(2))).abs() < 1e-15);
    assert_eq!(segment_loss[1..], [0.0, log_p(3), 0.0]);
    assert!(segment_loss[2] < 0.0);
}

#[test]
fn a_softcap_bounds_the_logits_and_not_the_mask() {
    let config = LinearCrossEntropyConfig {
        rows: 1,
        classes: 3,
        width: 1,
        has_bias: true,
        softcap: Some(2.0),
        ..LinearCrossEntropyConfig::default()
    };
    let inputs = ReferenceInputs {
        hidden: &[1.0],
        weight: &[1e6, 0.5, 7.0],
        targets: &[0],
        bias: Some(&[0.0, 0.25, MASK]),
        ..NONE
    };
    let got = run(&config, &inputs);
    let other = 2.0 * (0.75_f64 / 2.0).tanh();
    assert_eq!(got.target_logits[0].value, 2.0);
    assert!((got.lse[0].value - (2.0_f64.exp() + other.exp()).ln()).abs() < 1e-15);
    let grad_weight = got.grad_weight.expect("needed").entries;
    assert_eq!((grad_weight[0].value, grad_weight[2]), (0.0, Tracked::exact(0.0)));
    assert!(grad_weight[1].value > 0.0);
}

/// By the definition, on one row of exact arithmetic: the error of a gradient's logit, its own rounding, and the sum's.
#[test]
fn a_product_carries_the_errors_of_its_terms() {
    let config = LinearCrossEntropyConfig {
        rows: 1,
        classes: 2,
        width: 1,
        has_bias: true,
        ..LinearCrossEntropyConfig::default()
    };
    let inputs = ReferenceInputs { hidden: &[1.0], weight: &[4.0, -2.0], targets: &[0], bias: Some(&[0.0; 2]), ..NONE };
    let got = run(&config, &inputs);
    let g = got.grad_bias.expect("needed");
    let (hidden, weight) = (got.grad_hidden.expect("needed"), got.grad_weight.expect("needed"));
    let sum = |of: &dyn Fn(usize) -> f64| of(0) + of(1);
    let w = [4.0, -2.0_f64];
    // A column sum of one term has that term's error and its own.
    let own = |k: usize| g[k].magnitude - g[k].value.abs();
    let expected = sum(&|k| w[k].abs() * own(k) + (w[k] * g[k].value).abs());
    assert!((hidden.entries[0].magnitude - expected).abs() < 1e-12 * expected);
    assert!((hidden.roots[0] - sum(&|k| (w[k] * g[k].value).powi(2)).sqrt()).abs() < 1e-12);
    assert_eq!((weight.roots[1], weight.entries[1]), (g[1].value.abs(), g[1]));
    assert_eq!(got.target_logits[0], Tracked { value: 4.0, magnitude: 4.0 });
}

#[test]
fn nan_stays_where_it_belongs() {
    let config = LinearCrossEntropyConfig { rows: 3, classes: 2, width: 1, ..LinearCrossEntropyConfig::default() };
    let inputs = ReferenceInputs { hidden: &[1.0, f64::NAN, 2.0], weight: &[0.5, -1.0], targets: &[0, 1, 0], ..NONE };
    let got = run(&config, &inputs);
    let is_nan = |tracked: &[Tracked]| tracked.iter().map(|x| x.value.is_nan()).collect::<Vec<_>>();
    for of_rows in [&got.loss, &got.lse, &got.target_logits, &got.grad_hidden.expect("needed").entries] {
        assert_eq!(is_nan(of_rows), [false, true, false]);
    }
    assert_eq!(is_nan(&got.grad_weight.expect("needed").entries), [true, true]);
}

#[test]
fn no_rows_have_gradients_of_zero() {
    let config = LinearCrossEntropyConfig {
        classes: 2,
        width: 2,
        has_bias: true,
        segments: Some(1),
        reduction: Reduction::Mean,
        ..LinearCrossEntropyConfig::default()
    };
    let inputs = ReferenceInputs { weight: &[1.0; 4], bias: Some(&[0.0; 2]), segments: Some(&[0, 0]), ..NONE };
    let got = run(&config, &inputs);
    assert_eq!((values(&got.loss), values(&got.segment_loss.expect("given"))), (vec![0.0], vec![0.0]));
    assert_eq!(got.grad_weight.expect("needed").entries, [Tracked::exact(0.0); 4]);
    assert_eq!(got.grad_bias.expect("needed"), [Tracked::exact(0.0); 2]);
}

#[test]
fn gradients_are_there_when_they_are_needed() {
    let config = LinearCrossEntropyConfig { has_bias: true, width: 2, ..LinearCrossEntropyConfig::default() };
    let there = |config: &LinearCrossEntropyConfig| {
        let bias = config.has_bias.then_some([0.0].as_slice());
        let got = run(config, &ReferenceInputs { weight: &[1.0; 2], bias, ..NONE });
        [got.grad_hidden.is_some(), got.grad_weight.is_some(), got.grad_bias.is_some()]
    };
    assert_eq!(there(&config), [true, true, true]);
    assert_eq!(there(&LinearCrossEntropyConfig { has_bias: false, ..config }), [true, true, false]);
    assert_eq!(there(&LinearCrossEntropyConfig { need_grad_weight: false, ..config }), [true, false, false]);
    assert_eq!(there(&LinearCrossEntropyConfig { need_grad: false, ..config }), [false, false, false]);
}

#[test]
fn wrong_inputs_are_named() {
    let config = LinearCrossEntropyConfig { rows: 2, classes: 3, ..LinearCrossEntropyConfig::default() };
    let inputs = ReferenceInputs { hidden: &[0.0; 2], weight: &[0.0; 3], targets: &[0, 0], ..NONE };
    let message = |config: LinearCrossEntropyConfig, inputs: ReferenceInputs<'_>| {
        let error = reference(&config, &inputs).expect_err("a wrong input").to_string();
        error.strip_prefix("spherical.linear_cross_entropy: ").expect("the operation's name").to_owned()
    };
    assert_eq!(
        message(config, ReferenceInputs { targets: &[0, 3], ..inputs }),
        "targets[1] is 3, expected -100 (ignore_index) or 0 to 2"
    );
    let segmented = LinearCrossEntropyConfig { segments: Some(2), ..config };
    for (segments, line) in [
        ([0, 2, 1], "segments[2] is 1, expected at least segments[1] and at most 2 (rows)"),
        ([0, 3, 1], "segments[1] is 3, expected at least segments[0] and at most 2 (rows)"),
        ([4, 0, 0], "segments[0] is 4, expected at most 2 (rows)"),
    ] {
        assert_eq!(message(segmented, ReferenceInputs { segments: Some(&segments), ..inputs }), line);
    }
    assert_eq!(message(segmented, inputs), "segments has 0 elements, expected 3");
    assert_eq!(message(config, ReferenceInputs { bias: Some(&[0.0; 3]), ..inputs }), "bias has 3 elements, expected 0");
    assert_eq!(
        message(LinearCrossEntropyConfig { softcap: Some(0.0), ..config }, inputs),
        "softcap is 0, expected a number > 0"
    );
    assert_eq!(
        message(LinearCrossEntropyConfig { grad_weight_dtype: Some(crate::Dtype::F16), ..config }, inputs),
        "grad_weight is f16, expected f32"
    );
    assert_eq!(
        message(LinearCrossEntropyConfig { width: 0, ..config }, inputs),
        "width is 0, expected 1 to 2147483647"
    );
}
