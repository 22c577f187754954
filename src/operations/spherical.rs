//! The cards of the family `spherical`.

use super::{Elements, Kind, Operation, Parameter, Presence, Range, Role, Shape, Size, Tensor, When};
use crate::Dtype;

const ROWS: Size = Size { letter: "B", word: "rows", least: 0, most: i32::MAX as usize };
const CLASSES: Size = Size { letter: "D", word: "classes", least: 1, most: i32::MAX as usize };
const TARGETS_PER_ROW: Size = Size { letter: "K", word: "targets_per_row", least: 1, most: i32::MAX as usize };

const ALWAYS: Presence = Presence::Required(When::Always);
const F32: Elements = Elements::Only(Dtype::F32);
const BY_ROW: &[Shape] = &[Shape { dimensions: &["B"], when: When::Always }];
const LOGITS: &[Shape] = &[Shape { dimensions: &["B", "D"], when: When::Always }];
/// What a reduction leaves.
const REDUCED: &[Shape] = &[
    Shape { dimensions: &["B"], when: When::Is("reduction", "none") },
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

// What every loss of the family has.
const LOGITS_TENSOR: Tensor = input("logits", Elements::Float, LOGITS, ALWAYS);
const ROW_WEIGHTS: Tensor = input("row_weights", F32, BY_ROW, Presence::Optional);
const GRAD_LOSS: Tensor = input("grad_loss", F32, REDUCED, Presence::Optional);
const LOSS: Tensor = output("loss", F32, REDUCED, ALWAYS);
const GRAD_LOGITS: Tensor =
    output("grad_logits", Elements::Float, LOGITS, Presence::Required(When::Is("need_grad", "true")));
const IGNORE_INDEX: Parameter = parameter("ignore_index", Kind::Integer, Some("-100"), false);
const REDUCTION: Parameter = parameter("reduction", Kind::Choice(&["none", "mean", "sum"]), Some("none"), false);
const NEED_GRAD: Parameter = parameter("need_grad", Kind::Boolean, Some("true"), false);

pub(crate) const DENSE: Operation = Operation {
    name: "spherical.dense",
    formula: "a loss of a row's logits o that sees them through s = sum o_k, q = sum o_k^2 and the target's o_c alone",
    source: "de Brebisson and Vincent 2016 (The Z-loss; An exploration of softmax alternatives)",
    sizes: &[ROWS, CLASSES, TARGETS_PER_ROW],
    tensors: &[
        LOGITS_TENSOR,
        input(
            "targets",
            Elements::Index,
            &[Shape { dimensions: &["B"], when: When::Chosen }, Shape { dimensions: &["B", "K"], when: When::Chosen }],
            ALWAYS,
        ),
        input(
            "values",
            F32,
            &[Shape { dimensions: &["B", "K"], when: When::Always }],
            Presence::Required(When::Rank("targets", 2)),
        ),
        ROW_WEIGHTS,
        GRAD_LOSS,
        LOSS,
        GRAD_LOGITS,
    ],
    parameters: &[
        parameter(
            "loss",
            Kind::Choice(&["squared_error", "log_spherical_softmax", "log_taylor_softmax", "z"]),
            None,
            true,
        ),
        parameter("a", Kind::Real(Range::POSITIVE), Some("1"), false),
        parameter("b", Kind::Real(Range::ALL), Some("0"), false),
        parameter("epsilon", Kind::Real(Range::POSITIVE), Some("1e-2"), false),
        IGNORE_INDEX,
        REDUCTION,
        NEED_GRAD,
    ],
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
        output("penalty", F32, REDUCED, Presence::Required(When::Set("lse_penalty"))),
        output("lse", F32, BY_ROW, ALWAYS),
        GRAD_LOGITS,
    ],
    parameters: &[
        parameter("label_smoothing", Kind::Real(Range::UNIT), Some("0"), false),
        parameter("lse_penalty", Kind::Real(Range::NOT_NEGATIVE), None, false),
        IGNORE_INDEX,
        REDUCTION,
        NEED_GRAD,
    ],
};
