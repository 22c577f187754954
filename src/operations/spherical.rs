//! The cards of the family `spherical`.

use super::Dimension::{Exactly, More, Of};
use super::{Elements, Kind, Operation, Parameter, Presence, Range, Role, Shape, Size, Tensor, When};
use crate::Dtype;

const ROWS: Size = Size { letter: "B", word: "rows", least: 0, most: i32::MAX as usize };
const CLASSES: Size = Size { letter: "D", word: "classes", least: 1, most: i32::MAX as usize };
const WIDTH: Size = Size { letter: "d", word: "width", least: 1, most: i32::MAX as usize };
const SEGMENTS: Size = Size { letter: "S", word: "segments", least: 0, most: i32::MAX as usize };
const CLUSTERS: Size = Size { letter: "C", word: "clusters", least: 1, most: i32::MAX as usize };
const STEPS: Size = Size { letter: "T", word: "steps", least: 0, most: i32::MAX as usize };
const TARGETS_PER_ROW: Size = Size { letter: "K", word: "targets_per_row", least: 1, most: i32::MAX as usize };

const ALWAYS: Presence = Presence::Required(When::Always);
const F32: Elements = Elements::Only(Dtype::F32);
const BY_ROW: &[Shape] = &[Shape { dimensions: &[Of("B")], when: When::Always }];
const BY_CLASS: &[Shape] = &[Shape { dimensions: &[Of("D")], when: When::Always }];
const HIDDEN: &[Shape] = &[Shape { dimensions: &[Of("B"), Of("d")], when: When::Always }];
const WEIGHT: &[Shape] = &[Shape { dimensions: &[Of("D"), Of("d")], when: When::Always }];
const LOGITS: &[Shape] = &[Shape { dimensions: &[Of("B"), Of("D")], when: When::Always }];
/// What a reduction leaves.
const REDUCED: &[Shape] = &[
    Shape { dimensions: &[Of("B")], when: When::Is("reduction", "none") },
    Shape { dimensions: &[], when: When::IsNot("reduction", "none") },
];

const fn input(name: &'static str, elements: Elements, shapes: &'static [Shape], presence: Presence) -> Tensor {
    Tensor { name, role: Role::Input, elements, shapes, presence }
}

const fn output(name: &'static str, elements: Elements, shapes: &'static [Shape], presence: Presence) -> Tensor {
    Tensor { name, role: Role::Output, elements, shapes, presence }
}

const fn parameter(name: &'static str, kind: Kind, default: Option<&'static str>, required: bool) -> Parameter {
    Parameter { name, kind, default, required }
}

const WANTS_GRAD: When = When::Is("need_grad", "true");
const WANTS_GRAD_WEIGHT: When = When::Is("need_grad_weight", "true");

// What every loss of the family has.
const LOGITS_TENSOR: Tensor = input("logits", Elements::Float, LOGITS, ALWAYS);
const ROW_WEIGHTS: Tensor = input("row_weights", F32, BY_ROW, Presence::Optional);
const GRAD_LOSS: Tensor = input("grad_loss", F32, REDUCED, Presence::Optional);
const LOSS: Tensor = output("loss", F32, REDUCED, ALWAYS);
const GRAD_LOGITS: Tensor = output("grad_logits", Elements::Float, LOGITS, Presence::Required(WANTS_GRAD));
const IGNORE_INDEX: Parameter = parameter("ignore_index", Kind::Integer, Some("-100"), false);
const REDUCTION: Parameter = parameter("reduction", Kind::Choice(&["none", "mean", "sum"]), Some("none"), false);
const NEED_GRAD: Parameter = parameter("need_grad", Kind::Boolean, Some("true"), false);

// What every head that forms the gradients of its weights has.
const GRAD_WEIGHT_ELEMENTS: Elements = Elements::FloatUnless(When::Is("grad_weight_dtype", "f32"), Dtype::F32);
const WITH_GRAD_WEIGHT: Presence = Presence::Required(When::All(&[WANTS_GRAD, WANTS_GRAD_WEIGHT]));
const GRAD_WEIGHT_DTYPE: Parameter =
    parameter("grad_weight_dtype", Kind::Choice(&["same", "f32"]), Some("same"), false);

// The spherical losses.
const LOSS_KIND: Parameter =
    parameter("loss", Kind::Choice(&["squared_error", "log_spherical_softmax", "log_taylor_softmax", "z"]), None, true);
const LOSS_A: Parameter = parameter("a", Kind::Real(Range::POSITIVE), Some("1"), false);
const LOSS_B: Parameter = parameter("b", Kind::Real(Range::ALL), Some("0"), false);
const LOSS_EPSILON: Parameter = parameter("epsilon", Kind::Real(Range::POSITIVE), Some("1e-2"), false);

/// One target a row, or several with values.
const TARGETS: Tensor = input(
    "targets",
    Elements::Index,
    &[
        Shape { dimensions: &[Of("B")], when: When::Chosen },
        Shape { dimensions: &[Of("B"), Of("K")], when: When::Chosen },
    ],
    ALWAYS,
);
const VALUES: Tensor = input(
    "values",
    F32,
    &[Shape { dimensions: &[Of("B"), Of("K")], when: When::Always }],
    Presence::Required(When::Rank("targets", 2)),
);

// What every softmax of the family has beside that.
const PENALTY: Tensor = output("penalty", F32, REDUCED, Presence::Required(When::Set("lse_penalty")));
const LSE: Tensor = output("lse", F32, BY_ROW, ALWAYS);
const LABEL_SMOOTHING: Parameter = parameter("label_smoothing", Kind::Real(Range::UNIT), Some("0"), false);
const LSE_PENALTY: Parameter = parameter("lse_penalty", Kind::Real(Range::NOT_NEGATIVE), None, false);

pub(crate) const DENSE: Operation = Operation {
    name: "spherical.dense",
    formula: "a loss of a row's logits o that sees them through s = sum o_k, q = sum o_k^2 and the target's o_c alone",
    source: "de Brebisson and Vincent 2016 (The Z-loss; An exploration of softmax alternatives)",
    sizes: &[ROWS, CLASSES, TARGETS_PER_ROW],
    tensors: &[LOGITS_TENSOR, TARGETS, VALUES, ROW_WEIGHTS, GRAD_LOSS, LOSS, GRAD_LOGITS],
    parameters: &[LOSS_KIND, LOSS_A, LOSS_B, LOSS_EPSILON, IGNORE_INDEX, REDUCTION, NEED_GRAD],
};

pub(crate) const SOFTMAX_CROSS_ENTROPY: Operation = Operation {
    name: "spherical.softmax_cross_entropy",
    formula: "lse - sum_k t_k o_k, lse = log sum exp o_k, t = (1 - label_smoothing) one-hot + label_smoothing/D, and \
              the penalty lse_penalty lse^2",
    source: "Szegedy et al. 2016 (label smoothing), de Brebisson and Vincent 2016 (the spherical family's peer)",
    sizes: &[ROWS, CLASSES],
    tensors: &[
        LOGITS_TENSOR,
        input("targets", Elements::Index, BY_ROW, ALWAYS),
        ROW_WEIGHTS,
        GRAD_LOSS,
        LOSS,
        PENALTY,
        LSE,
        GRAD_LOGITS,
    ],
    parameters: &[LABEL_SMOOTHING, LSE_PENALTY, IGNORE_INDEX, REDUCTION, NEED_GRAD],
};

pub(crate) const LINEAR_CROSS_ENTROPY: Operation = Operation {
    name: "spherical.linear_cross_entropy",
    formula: "softmax_cross_entropy of the logits o = hidden weight' + bias, with softcap c those of c tanh(o/c); \
              target_logits o_c; segment_loss the sum of o_c - lse over a segment's rows",
    source: "Wijmans et al. 2024 (Cut Your Losses), Hsu et al. 2024 (Liger): the fused head",
    sizes: &[ROWS, CLASSES, WIDTH, SEGMENTS],
    tensors: &[
        input("hidden", Elements::Float, HIDDEN, ALWAYS),
        input("weight", Elements::Float, WEIGHT, ALWAYS),
        input("targets", Elements::Index, BY_ROW, ALWAYS),
        input("bias", Elements::Float, BY_CLASS, Presence::Optional),
        ROW_WEIGHTS,
        input(
            "segments",
            Elements::Only(Dtype::U32),
            &[Shape { dimensions: &[More("S", 1)], when: When::Always }],
            Presence::Optional,
        ),
        GRAD_LOSS,
        LOSS,
        PENALTY,
        LSE,
        output("target_logits", F32, BY_ROW, ALWAYS),
        output(
            "segment_loss",
            F32,
            &[Shape { dimensions: &[Of("S")], when: When::Always }],
            Presence::Required(When::Given("segments")),
        ),
        output("grad_hidden", Elements::Float, HIDDEN, Presence::Required(WANTS_GRAD)),
        output("grad_weight", GRAD_WEIGHT_ELEMENTS, WEIGHT, WITH_GRAD_WEIGHT),
        output(
            "grad_bias",
            Elements::Float,
            BY_CLASS,
            Presence::Required(When::All(&[When::Given("bias"), WANTS_GRAD, WANTS_GRAD_WEIGHT])),
        ),
    ],
    parameters: &[
        LABEL_SMOOTHING,
        LSE_PENALTY,
        parameter("softcap", Kind::Real(Range::POSITIVE), None, false),
        IGNORE_INDEX,
        REDUCTION,
        NEED_GRAD,
        parameter("need_grad_weight", Kind::Boolean, Some("true"), false),
        GRAD_WEIGHT_DTYPE,
    ],
};

const STEP_ROWS: &[Shape] = &[Shape { dimensions: &[Of("T"), Of("B")], when: When::Always }];
const STEP_HIDDEN: &[Shape] = &[Shape { dimensions: &[Of("T"), Of("B"), Of("d")], when: When::Always }];
const STEP_ENTRIES: Shape = Shape { dimensions: &[Of("T"), Of("B"), Of("K")], when: When::Always };
/// What a reduction leaves of each step.
const STEP_REDUCED: &[Shape] = &[
    Shape { dimensions: &[Of("T"), Of("B")], when: When::Is("reduction", "none") },
    Shape { dimensions: &[Of("T")], when: When::IsNot("reduction", "none") },
];

pub(crate) const FACTORED: Operation = Operation {
    name: "spherical.factored",
    formula: "steps W <- W - learning_rate (G'H + weight_decay W) of the head W, G the gradient of a spherical loss of \
              the logits H W', by factors of W at a cost without the number of classes in it",
    source: "Vincent, de Brebisson, Bouthillier 2015 (Efficient Exact Gradient Update)",
    sizes: &[STEPS, ROWS, CLASSES, WIDTH, TARGETS_PER_ROW],
    tensors: &[
        input("weight", F32, WEIGHT, ALWAYS),
        input("hidden", F32, STEP_HIDDEN, ALWAYS),
        input(
            "targets",
            Elements::Index,
            &[
                Shape { dimensions: &[Of("T"), Of("B")], when: When::Chosen },
                Shape { dimensions: &[Of("T"), Of("B"), Of("K")], when: When::Chosen },
            ],
            ALWAYS,
        ),
        input("values", F32, &[STEP_ENTRIES], Presence::Required(When::Rank("targets", 3))),
        input("row_weights", F32, STEP_ROWS, Presence::Optional),
        input("grad_loss", F32, STEP_REDUCED, Presence::Optional),
        output("weight", F32, WEIGHT, ALWAYS),
        output("loss", F32, STEP_REDUCED, ALWAYS),
        output("grad_hidden", F32, STEP_HIDDEN, Presence::Required(WANTS_GRAD)),
    ],
    parameters: &[
        LOSS_KIND,
        LOSS_A,
        LOSS_B,
        LOSS_EPSILON,
        parameter("learning_rate", Kind::Real(Range::NOT_NEGATIVE), None, true),
        parameter("weight_decay", Kind::Real(Range::NOT_NEGATIVE), Some("0"), false),
        parameter("newton_every", Kind::Count(0), Some("20"), false),
        parameter("fold_range", Kind::Interval(Range::POSITIVE), Some("0.1,10"), false),
        IGNORE_INDEX,
        REDUCTION,
        NEED_GRAD,
    ],
};

const CLUSTER_WEIGHT: &[Shape] = &[Shape { dimensions: &[Of("C"), Of("d")], when: When::Always }];

pub(crate) const HIERARCHICAL_SOFTMAX: Operation = Operation {
    name: "spherical.hierarchical_softmax",
    formula: "-log p(cluster) - log p(class | cluster): the softmax of hidden cluster_weight', and that of hidden \
              weight[classes of the target's cluster]'",
    source: "Goodman 2001 (Classes for fast maximum entropy training), Morin and Bengio 2005, at two levels",
    sizes: &[ROWS, CLASSES, WIDTH, CLUSTERS],
    tensors: &[
        input("hidden", Elements::Float, HIDDEN, ALWAYS),
        input("weight", Elements::Float, WEIGHT, ALWAYS),
        input("cluster_weight", Elements::Float, CLUSTER_WEIGHT, ALWAYS),
        input(
            "cluster_offsets",
            Elements::Only(Dtype::I64),
            &[Shape { dimensions: &[More("C", 1)], when: When::Always }],
            ALWAYS,
        ),
        input("targets", Elements::Index, BY_ROW, ALWAYS),
        ROW_WEIGHTS,
        GRAD_LOSS,
        LOSS,
        output("grad_hidden", Elements::Float, HIDDEN, Presence::Required(WANTS_GRAD)),
        output("grad_weight", GRAD_WEIGHT_ELEMENTS, WEIGHT, WITH_GRAD_WEIGHT),
        output("grad_cluster_weight", GRAD_WEIGHT_ELEMENTS, CLUSTER_WEIGHT, WITH_GRAD_WEIGHT),
    ],
    parameters: &[
        IGNORE_INDEX,
        REDUCTION,
        NEED_GRAD,
        parameter("need_grad_weight", Kind::Boolean, Some("false"), false),
        GRAD_WEIGHT_DTYPE,
    ],
};

pub(crate) const RANK: Operation = Operation {
    name: "spherical.rank",
    formula: "rank = 1 + the number of classes whose logit is greater than the target's, hits = rank <= k, of given logits or \
              of those of a head, without sorting",
    source: "the rank of the target, as mean rank and recall at k take it",
    sizes: &[ROWS, CLASSES, WIDTH],
    tensors: &[
        input("logits", Elements::Float, LOGITS, Presence::Required(When::NotGiven("hidden"))),
        input("hidden", Elements::Float, HIDDEN, Presence::Required(When::NotGiven("logits"))),
        input("weight", Elements::Float, WEIGHT, Presence::Required(When::NotGiven("logits"))),
        input("targets", Elements::Index, BY_ROW, ALWAYS),
        output("rank", Elements::Only(Dtype::U32), BY_ROW, ALWAYS),
        output("hits", Elements::Only(Dtype::U8), BY_ROW, ALWAYS),
    ],
    parameters: &[parameter("k", Kind::Count(1), None, true), IGNORE_INDEX],
};

pub(crate) const LINEAR: Operation = Operation {
    name: "spherical.linear",
    formula: "a spherical loss of the logits hidden weight', and its gradient by hidden, by way of the Gram W'W and the row sum \
              W'1: no logits but the targets', and no cost that grows with rows times classes",
    source: "Vincent, de Brebisson, Bouthillier 2015 (Efficient Exact Gradient Update), de Brebisson and Vincent 2016",
    sizes: &[ROWS, CLASSES, WIDTH, TARGETS_PER_ROW],
    tensors: &[
        input("hidden", Elements::Float, HIDDEN, ALWAYS),
        input("weight", Elements::Float, WEIGHT, ALWAYS),
        TARGETS,
        VALUES,
        input("gram", F32, &[Shape { dimensions: &[Of("d"), Of("d")], when: When::Always }], Presence::Optional),
        input("row_sum", F32, &[Shape { dimensions: &[Of("d")], when: When::Always }], Presence::Optional),
        ROW_WEIGHTS,
        GRAD_LOSS,
        LOSS,
        output("s", F32, BY_ROW, ALWAYS),
        output("q", F32, BY_ROW, ALWAYS),
        output(
            "target_logits",
            F32,
            &[
                Shape { dimensions: &[Of("B"), Exactly(1)], when: When::Rank("targets", 1) },
                Shape { dimensions: &[Of("B"), Of("K")], when: When::Rank("targets", 2) },
            ],
            ALWAYS,
        ),
        output("grad_hidden", Elements::Float, HIDDEN, Presence::Required(WANTS_GRAD)),
    ],
    parameters: &[LOSS_KIND, LOSS_A, LOSS_B, LOSS_EPSILON, IGNORE_INDEX, REDUCTION, NEED_GRAD],
};
