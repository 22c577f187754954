use super::super::LinearConfig;
use super::{ReferenceInputs, ReferenceOutputs, reference};
use crate::random::{Random, differences};
use crate::spherical::Loss;
use crate::spherical::dense::{self, DenseConfig};
use crate::{Reduction, Tracked};

const LOSSES: [Loss; 4] = [
    Loss::SquaredError,
    Loss::LogSphericalSoftmax { epsilon: 0.02 },
    Loss::LogTaylorSoftmax,
    Loss::Z { a: 1.5, b: 0.3 },
];

fn values(tracked: &[Tracked]) -> Vec<f64> {
    tracked.iter().map(|x| x.value).collect()
}

fn run(config: &LinearConfig, inputs: &ReferenceInputs<'_>) -> ReferenceOutputs {
    reference(config, inputs).expect("right inputs")
}

/// A call of 4 rows, one of them ignored, 6 classes and a width of 3, with two targets a row, one of which repeats.
struct Call {
    config: LinearConfig,
    hidden: Vec<f64>,
    weight: Vec<f64>,
    targets: Vec<i64>,
    values: Vec<f64>,
    row_weights: Vec<f64>,
    grad_loss: Vec<f64>,
}

impl Call {
    fn new(random: &mut Random, loss: Loss, reduction: Reduction) -> Self {
        let (rows, classes, width) = (4, 6, 3);
        let targets_per_row = Some(2);
        let config = LinearConfig { rows, classes, width, targets_per_row, loss, reduction, ..LinearConfig::default() };
        Self {
            config,
            hidden: random.uniforms(rows * width, -1.5, 1.5),
            weight: random.uniforms(classes * width, -1.5, 1.5),
            targets: vec![0, 5, -100, -100, 2, 2, 3, -100],
            values: random.uniforms(rows * 2, 0.2, 1.0),
            row_weights: random.uniforms(rows, 0.5, 2.0),
            grad_loss: random.uniforms(if reduction == Reduction::None { rows } else { 1 }, -2.0, 2.0),
        }
    }

    fn inputs(&self) -> ReferenceInputs<'_> {
        ReferenceInputs {
            hidden: &self.hidden,
            weight: &self.weight,
            targets: &self.targets,
            values: Some(&self.values),
            row_weights: Some(&self.row_weights),
            grad_loss: Some(&self.grad_loss),
            ..ReferenceInputs::default()
        }
    }

    /// The Gram and the row sum of the weight.
    fn gram(&self) -> (Vec<f64>, Vec<f64>) {
        let rows = || self.weight.chunks_exact(3);
        let gram = (0..9).map(|e| rows().map(|w| w[e / 3] * w[e % 3]).sum()).collect();
        (gram, (0..3).map(|i| rows().map(|w| w[i]).sum()).collect())
    }
}

fn close(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= 1e-12 * (1.0 + expected.abs()), "{got} {expected}");
    }
}

/// Every loss and reduction against `spherical.dense` of the logits, whose gradient times the weight is that by hidden; and
/// with a Gram that is given.
#[test]
fn it_is_the_dense_loss_of_the_logits() {
    let mut random = Random(5);
    for loss in LOSSES {
        for reduction in [Reduction::None, Reduction::Mean, Reduction::Sum] {
            let call = Call::new(&mut random, loss, reduction);
            let logits: Vec<f64> = call
                .hidden
                .chunks_exact(3)
                .flat_map(|h| call.weight.chunks_exact(3).map(|w| h.iter().zip(w).map(|(h, w)| h * w).sum::<f64>()))
                .collect();
            let of_logits = DenseConfig {
                rows: 4,
                classes: 6,
                targets_per_row: Some(2),
                loss,
                reduction,
                ..DenseConfig::default()
            };
            let inputs = call.inputs();
            let dense = dense::reference(
                &of_logits,
                &dense::ReferenceInputs {
                    logits: &logits,
                    targets: inputs.targets,
                    values: inputs.values,
                    row_weights: inputs.row_weights,
                    grad_loss: inputs.grad_loss,
                },
            )
            .expect("right inputs");
            let gradient = values(&dense.grad_logits.expect("a gradient"));
            let by_hidden: Vec<f64> = gradient
                .chunks_exact(6)
                .flat_map(|g| {
                    (0..3).map(|i| g.iter().zip(call.weight.chunks_exact(3)).map(|(g, w)| g * w[i]).sum::<f64>())
                })
                .collect();
            let (gram, row_sum) = call.gram();
            for given in [false, true] {
                let inputs = ReferenceInputs {
                    gram: given.then_some(gram.as_slice()),
                    row_sum: given.then_some(row_sum.as_slice()),
                    ..call.inputs()
                };
                let outputs = run(&call.config, &inputs);
                close(&values(&outputs.loss), &values(&dense.loss));
                close(&values(outputs.grad_hidden.as_ref().expect("a gradient")), &by_hidden);
                let sums: Vec<f64> = logits.chunks_exact(6).map(|o| o.iter().sum()).collect();
                let squares: Vec<f64> = logits.chunks_exact(6).map(|o| o.iter().map(|o| o * o).sum()).collect();
                close(&values(&outputs.s), &sums);
                close(&values(&outputs.q), &squares);
                let of_targets = [logits[0], logits[5], 0.0, 0.0, logits[14], logits[14], logits[21], 0.0];
                close(&values(&outputs.target_logits), &of_targets);
            }
        }
    }
}

#[test]
fn gradients_agree_with_differences() {
    let mut random = Random(6);
    for loss in LOSSES {
        let call = Call::new(&mut random, loss, Reduction::None);
        let total = |hidden: &[f64]| {
            let config = LinearConfig { need_grad: false, ..call.config };
            let outputs = run(&config, &ReferenceInputs { hidden, ..call.inputs() });
            outputs.loss.iter().zip(&call.grad_loss).map(|(loss, upstream)| loss.value * upstream).sum::<f64>()
        };
        let gradient = values(&run(&call.config, &call.inputs()).grad_hidden.expect("a gradient"));
        for (got, expected) in gradient.iter().zip(differences(&call.hidden, total)) {
            assert!((got - expected).abs() < 1e-8 * (1.0 + expected.abs()), "{loss:?}: {got} {expected}");
        }
    }
}

/// A weight of equal rows has a z of 0, whatever they are.
#[test]
fn equal_rows_have_no_deviation() {
    let mut random = Random(7);
    let mut call = Call::new(&mut random, LOSSES[3], Reduction::None);
    for k in 1..6 {
        call.weight.copy_within(..3, 3 * k);
    }
    call.row_weights = vec![1.0; 4];
    call.values = vec![1.0; 8];
    let outputs = run(&call.config, &call.inputs());
    let softplus = (1.5_f64 * 0.3).exp().ln_1p() / 1.5;
    close(&values(&outputs.loss), &[2.0 * softplus, 0.0, 2.0 * softplus, softplus]);
    assert!(values(&outputs.grad_hidden.expect("a gradient")).iter().all(|g| *g == 0.0));
}

#[test]
fn wrong_inputs_are_errors() {
    let mut random = Random(8);
    let call = Call::new(&mut random, LOSSES[0], Reduction::None);
    let message = |inputs: &ReferenceInputs<'_>| reference(&call.config, inputs).expect_err("wrong").to_string();
    let wrong = [0, 6, 1, 1, 1, 1, 1, 1];
    let expected = "spherical.linear: targets[0, 1] is 6, expected -100 (ignore_index) or 0 to 5";
    assert_eq!(message(&ReferenceInputs { targets: &wrong, ..call.inputs() }), expected);
    let expected = "spherical.linear: gram has 2 elements, expected 9";
    assert_eq!(message(&ReferenceInputs { gram: Some(&[1.0, 2.0]), ..call.inputs() }), expected);
    let expected = "spherical.linear: values is missing, expected f32 [4, 2]";
    assert_eq!(message(&ReferenceInputs { values: None, ..call.inputs() }), expected);
}
