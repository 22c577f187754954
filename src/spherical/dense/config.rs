//! What a `spherical.dense` is made for.

use super::{CARD, OP};
use crate::bindings::{LOSS_LOG_SPHERICAL_SOFTMAX, LOSS_LOG_TAYLOR_SOFTMAX, LOSS_SQUARED_ERROR, LOSS_Z};
use crate::operations::{Operation, Parameters};
use crate::{Dtype, Reduction, Result, check};

/// A loss of a row of logits that sees them through s = Σ o_k, q = Σ o_k² and the target's o_c alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// q - 2 o_c + 1.
    SquaredError,
    /// -log((o_c² + epsilon) / (q + D epsilon)).
    LogSphericalSoftmax {
        /// Above 0; the paper's 0.01.
        epsilon: f64,
    },
    /// -log((1 + o_c + o_c²/2) / (D + s + q/2)).
    LogTaylorSoftmax,
    /// softplus(a (b - z_c)) / a; softplus(a b) / a, with gradient 0, for a constant row.
    Z {
        /// Above 0.
        a: f64,
        /// Any number.
        b: f64,
    },
}

impl Loss {
    /// The name: `squared_error`, `log_spherical_softmax`, `log_taylor_softmax` or `z`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SquaredError => "squared_error",
            Self::LogSphericalSoftmax { .. } => "log_spherical_softmax",
            Self::LogTaylorSoftmax => "log_taylor_softmax",
            Self::Z { .. } => "z",
        }
    }

    /// The loss that an operation's parameters name.
    pub(in crate::spherical) fn of(parameters: &Parameters) -> Option<Self> {
        let real = |name| parameters.real(name);
        Some(match parameters.choice("loss")? {
            "squared_error" => Self::SquaredError,
            "log_spherical_softmax" => Self::LogSphericalSoftmax { epsilon: real("epsilon").unwrap_or(0.01) },
            "log_taylor_softmax" => Self::LogTaylorSoftmax,
            "z" => Self::Z { a: real("a").unwrap_or(1.0), b: real("b").unwrap_or(0.0) },
            _ => return None,
        })
    }

    /// Its parameters lie in the ranges of the card.
    pub(in crate::spherical) fn check(self, card: &'static Operation) -> Result<()> {
        match self {
            Self::SquaredError | Self::LogTaylorSoftmax => Ok(()),
            Self::LogSphericalSoftmax { epsilon } => check::real(card, "epsilon", epsilon),
            Self::Z { a, b } => check::real(card, "a", a).and_then(|()| check::real(card, "b", b)),
        }
    }

    /// As kernels are told it: LOSS_*, a, b and epsilon.
    pub(in crate::spherical) fn for_kernels(self) -> (u32, [f32; 3]) {
        let (kind, parameters) = match self {
            Self::SquaredError => (LOSS_SQUARED_ERROR, [1.0, 0.0, 1.0]),
            Self::LogSphericalSoftmax { epsilon } => (LOSS_LOG_SPHERICAL_SOFTMAX, [1.0, 0.0, epsilon]),
            Self::LogTaylorSoftmax => (LOSS_LOG_TAYLOR_SOFTMAX, [1.0, 0.0, 1.0]),
            Self::Z { a, b } => (LOSS_Z, [a, b, 1.0]),
        };
        (kind, parameters.map(check::to_f32))
    }
}

/// What a `spherical.dense` is made for. The defaults: f32, no rows of one class, one i64 target a row, the z-loss with
/// a = 1 and b = 0, rows with target -100 ignored, no reduction, with a gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DenseConfig {
    /// Of `logits` and `grad_logits`: f32, f16 or bf16.
    pub dtype: Dtype,
    /// Of `targets`: i64 or u32.
    pub index_dtype: Dtype,
    /// B, from 0 to 2³¹ - 1.
    pub rows: usize,
    /// D, from 1 to 2³¹ - 1.
    pub classes: usize,
    /// K of `targets` \[B, K\] with `values` \[B, K\]; none for `targets` \[B\].
    pub targets_per_row: Option<usize>,
    /// The loss of a row.
    pub loss: Loss,
    /// The target that marks an ignored row, whose loss and gradient are 0, or an entry of \[B, K\] that is dropped.
    pub ignore_index: i64,
    /// What becomes of the losses of the rows.
    pub reduction: Reduction,
    /// Whether `grad_logits` is written.
    pub need_grad: bool,
}

impl Default for DenseConfig {
    fn default() -> Self {
        Self {
            dtype: Dtype::F32,
            index_dtype: Dtype::I64,
            rows: 0,
            classes: 1,
            targets_per_row: None,
            loss: Loss::Z { a: 1.0, b: 0.0 },
            ignore_index: -100,
            reduction: Reduction::None,
            need_grad: true,
        }
    }
}

impl DenseConfig {
    /// The same sizes and dtypes with the parameters of the operation's card.
    #[must_use]
    pub fn with(self, parameters: &Parameters) -> Self {
        Self {
            loss: Loss::of(parameters).unwrap_or(self.loss),
            ignore_index: parameters.integer("ignore_index").unwrap_or(self.ignore_index),
            reduction: parameters.choice("reduction").and_then(Reduction::named).unwrap_or(self.reduction),
            need_grad: parameters.boolean("need_grad").unwrap_or(self.need_grad),
            ..self
        }
    }

    /// Every field lies in its range.
    pub(super) fn check(&self) -> Result<()> {
        check::dtype(OP, "logits", self.dtype, &Dtype::FLOATS)?;
        check::dtype(OP, "targets", self.index_dtype, &Dtype::INDICES)?;
        check::size(CARD, "rows", self.rows)?;
        check::size(CARD, "classes", self.classes)?;
        check::size(CARD, "targets_per_row", self.targets_per_row.unwrap_or(1))?;
        self.loss.check(CARD)
    }
}
