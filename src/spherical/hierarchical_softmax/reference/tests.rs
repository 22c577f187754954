use super::*;
use crate::Reduction;
use crate::random::{Random, differences};

const NONE: ReferenceInputs<'_> = ReferenceInputs {
    hidden: &[],
    weight: &[],
    cluster_weight: &[],
    cluster_offsets: &[],
    targets: &[],
    row_weights: None,
    grad_loss: None,
};

fn values(tracked: &[Tracked]) -> Vec<f64> {
    tracked.iter().map(|x| x.value).collect()
}

fn run(config: &HierarchicalSoftmaxConfig, inputs: &ReferenceInputs<'_>) -> ReferenceOutputs {
    reference(config, inputs).expect("right inputs")
}

/// A call of 4 rows, one of them ignored, 6 classes in 4 clusters, one of them empty, and a width of 3.
struct Call {
    config: HierarchicalSoftmaxConfig,
    hidden: Vec<f64>,
    weight: Vec<f64>,
    cluster_weight: Vec<f64>,
    targets: Vec<i64>,
    row_weights: Vec<f64>,
    grad_loss: Vec<f64>,
}

const OFFSETS: [i64; 5] = [0, 3, 3, 4, 6];

impl Call {
    fn new(random: &mut Random, reduction: Reduction) -> Self {
        let (rows, classes, clusters, width) = (4, 6, 4, 3);
        let config = HierarchicalSoftmaxConfig {
            rows,
            classes,
            clusters,
            width,
            reduction,
            need_grad_weight: true,
            ..HierarchicalSoftmaxConfig::default()
        };
        Self {
            config,
            hidden: random.uniforms(rows * width, -1.5, 1.5),
            weight: random.uniforms(classes * width, -1.5, 1.5),
            cluster_weight: random.uniforms(clusters * width, -1.5, 1.5),
            targets: vec![1, -100, 3, random.below(classes)],
            row_weights: random.uniforms(rows, 0.5, 2.0),
            grad_loss: random.uniforms(if reduction == Reduction::None { rows } else { 1 }, -2.0, 2.0),
        }
    }

    fn inputs(&self) -> ReferenceInputs<'_> {
        ReferenceInputs {
            hidden: &self.hidden,
            weight: &self.weight,
            cluster_weight: &self.cluster_weight,
            cluster_offsets: &OFFSETS,
            targets: &self.targets,
            row_weights: Some(&self.row_weights),
            grad_loss: Some(&self.grad_loss),
        }
    }

    /// The loss times the upstream gradient.
    fn total(&self, inputs: &ReferenceInputs<'_>) -> f64 {
        let outputs = run(&HierarchicalSoftmaxConfig { need_grad: false, ..self.config }, inputs);
        outputs.loss.iter().zip(&self.grad_loss).map(|(loss, upstream)| loss.value * upstream).sum()
    }
}

/// Every reduction, with an ignored row, weights and an upstream gradient.
#[test]
fn gradients_agree_with_differences() {
    let mut random = Random(17);
    for reduction in [Reduction::None, Reduction::Mean, Reduction::Sum] {
        for _ in 0..4 {
            let call = Call::new(&mut random, reduction);
            let inputs = call.inputs();
            let outputs = run(&call.config, &inputs);
            let agree = |got: Option<Product>, expected: Vec<f64>| {
                let got = values(&got.expect("needed").entries);
                for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
                    let right = (got - expected).abs() <= 1e-9 * (1.0 + expected.abs());
                    assert!(right, "{reduction:?} {i}: {got} {expected}");
                }
                got
            };
            let of_hidden = differences(&call.hidden, |hidden| call.total(&ReferenceInputs { hidden, ..inputs }));
            let got = agree(outputs.grad_hidden, of_hidden);
            assert!(got[3..6].iter().all(|g| *g == 0.0), "of the ignored row");
            agree(
                outputs.grad_weight,
                differences(&call.weight, |weight| call.total(&ReferenceInputs { weight, ..inputs })),
            );
            let of_clusters = differences(&call.cluster_weight, |cluster_weight| {
                call.total(&ReferenceInputs { cluster_weight, ..inputs })
            });
            agree(outputs.grad_cluster_weight, of_clusters);
        }
    }
}

/// p(class) = p(cluster) p(class | cluster) is a distribution but for what an empty cluster takes.
#[test]
fn probabilities_add_up() {
    let mut random = Random(5);
    let call = Call::new(&mut random, Reduction::None);
    let hidden = call.hidden[..3].repeat(6);
    let config = HierarchicalSoftmaxConfig { rows: 6, need_grad: false, ..call.config };
    let inputs = ReferenceInputs {
        hidden: &hidden,
        targets: &[0, 1, 2, 3, 4, 5],
        row_weights: None,
        grad_loss: None,
        ..call.inputs()
    };
    let p: f64 = values(&run(&config, &inputs).loss).iter().map(|loss| (-loss).exp()).sum();
    let of_cluster = |j: usize| dot(Tracked::exact(0.0), &hidden[..3], &call.cluster_weight[3 * j..][..3]).value.exp();
    let all: f64 = (0..4).map(of_cluster).sum();
    assert!((p - (1.0 - of_cluster(1) / all)).abs() < 1e-14, "{p}");
    assert!(p < 0.999);
}

/// One cluster is softmax cross entropy, and so is a class a cluster: the other softmax is of one.
#[test]
fn one_level_is_softmax_cross_entropy() {
    let mut random = Random(7);
    let (hidden, weight) = (random.uniforms(2, -1.0, 1.0), random.uniforms(8, -1.0, 1.0));
    let config = HierarchicalSoftmaxConfig { rows: 1, classes: 4, width: 2, ..HierarchicalSoftmaxConfig::default() };
    let inputs = ReferenceInputs { hidden: &hidden, targets: &[2], ..NONE };
    let one = run(
        &config,
        &ReferenceInputs { weight: &weight, cluster_weight: &[3.0, -1.0], cluster_offsets: &[0, 4], ..inputs },
    );
    let other = random.uniforms(8, -1.0, 1.0);
    let each = run(
        &HierarchicalSoftmaxConfig { clusters: 4, ..config },
        &ReferenceInputs { weight: &other, cluster_weight: &weight, cluster_offsets: &[0, 1, 2, 3, 4], ..inputs },
    );
    let o: Vec<f64> = weight.chunks_exact(2).map(|w| hidden[0] * w[0] + hidden[1] * w[1]).collect();
    let expected = o.iter().map(|o_k| o_k.exp()).sum::<f64>().ln() - o[2];
    assert!((one.loss[0].value - expected).abs() < 1e-14);
    assert!((each.loss[0].value - expected).abs() < 1e-14);
    assert!(one.grad_weight.is_none() && one.grad_cluster_weight.is_none(), "not needed");
    let (one, each) = (one.grad_hidden.expect("needed").entries, each.grad_hidden.expect("needed").entries);
    assert!(one.iter().zip(each).all(|(one, each)| (one.value - each.value).abs() < 1e-14));
}

/// A NaN in one cluster's weight is one of its own rows; that of an ignored row is none.
#[test]
fn nan_stays_where_it_belongs() {
    let mut random = Random(3);
    let mut call = Call::new(&mut random, Reduction::None);
    call.targets = vec![1, -100, 3, 5];
    call.weight[6] = f64::NAN; // class 2, of the first cluster
    call.hidden[3] = f64::NAN; // of the ignored row
    let got = run(&call.config, &call.inputs());
    let is_nan = |tracked: &[Tracked], width: usize| -> Vec<bool> {
        tracked.chunks_exact(width).map(|row| row.iter().any(|x| x.value.is_nan())).collect()
    };
    assert_eq!(is_nan(&got.loss, 1), [true, false, false, false]);
    assert_eq!(is_nan(&got.grad_hidden.expect("needed").entries, 3), [true, false, false, false]);
    assert_eq!(is_nan(&got.grad_weight.expect("needed").entries, 3), [true, true, true, false, false, false]);
    // p(cluster) does not depend on what is in the cluster.
    assert_eq!(is_nan(&got.grad_cluster_weight.expect("needed").entries, 3), [false; 4]);
}

#[test]
fn no_rows_have_gradients_of_zero() {
    let config = HierarchicalSoftmaxConfig {
        classes: 2,
        reduction: Reduction::Mean,
        need_grad_weight: true,
        ..HierarchicalSoftmaxConfig::default()
    };
    let inputs = ReferenceInputs { weight: &[1.0; 2], cluster_weight: &[1.0], cluster_offsets: &[0, 2], ..NONE };
    let got = run(&config, &inputs);
    assert_eq!(values(&got.loss), [0.0]);
    assert_eq!(got.grad_weight.expect("needed").entries, [Tracked::exact(0.0); 2]);
    assert_eq!(got.grad_cluster_weight.expect("needed").entries, [Tracked::exact(0.0)]);
}

#[test]
fn wrong_inputs_are_named() {
    let config = HierarchicalSoftmaxConfig { rows: 2, classes: 3, clusters: 2, ..HierarchicalSoftmaxConfig::default() };
    let inputs = ReferenceInputs {
        hidden: &[0.0; 2],
        weight: &[0.0; 3],
        cluster_weight: &[0.0; 2],
        cluster_offsets: &[0, 2, 3],
        targets: &[0, 0],
        ..NONE
    };
    let message = |config: HierarchicalSoftmaxConfig, inputs: ReferenceInputs<'_>| {
        let error = reference(&config, &inputs).expect_err("a wrong input").to_string();
        error.strip_prefix("spherical.hierarchical_softmax: ").expect("the operation's name").to_owned()
    };
    assert_eq!(
        message(config, ReferenceInputs { targets: &[0, 3], ..inputs }),
        "targets[1] is 3, expected -100 (ignore_index) or 0 to 2"
    );
    for (offsets, line) in [
        ([1, 2, 3], "cluster_offsets[0] is 1"),
        ([0, 4, 3], "cluster_offsets[1] is 4"),
        ([0, -1, 3], "cluster_offsets[1] is -1"),
        ([0, 2, 1], "cluster_offsets[2] is 1"),
        ([0, 1, 2], "cluster_offsets[2] is 2"),
        ([0, 1, i64::MAX], "cluster_offsets[2] is 9223372036854775807"),
    ] {
        let expected = format!("{line}, expected them to ascend from 0 to 3 (classes)");
        assert_eq!(message(config, ReferenceInputs { cluster_offsets: &offsets, ..inputs }), expected);
    }
    let descending = HierarchicalSoftmaxConfig { clusters: 3, ..config };
    let offsets = ReferenceInputs { cluster_weight: &[0.0; 3], cluster_offsets: &[0, 2, 1, 3], ..inputs };
    let expected = "cluster_offsets[2] is 1, expected them to ascend from 0 to 3 (classes)";
    assert_eq!(message(descending, offsets), expected);
    assert_eq!(
        message(HierarchicalSoftmaxConfig { clusters: 1, ..config }, inputs),
        "cluster_weight has 2 elements, expected 1"
    );
    assert_eq!(
        message(HierarchicalSoftmaxConfig { clusters: 0, ..config }, inputs),
        "clusters is 0, expected 1 to 2147483647"
    );
}
