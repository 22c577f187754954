//! What a `spherical.softmax_cross_entropy` is made for.

use super::{CARD, OP};
use crate::operations::Parameters;
use crate::{Dtype, Reduction, Result, check};

/// What a `spherical.softmax_cross_entropy` is made for. The defaults: f32, no rows of one class, i64 targets, no
/// smoothing, no penalty, rows with target -100 ignored, no reduction, with a gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftmaxCrossEntropyConfig {
    /// Of `logits` and `grad_logits`: f32, f16 or bf16.
    pub dtype: Dtype,
    /// Of `targets`: i64 or u32.
    pub index_dtype: Dtype,
    /// B, from 0 to 2³¹ - 1.
    pub rows: usize,
    /// D, from 1 to 2³¹ - 1.
    pub classes: usize,
    /// e of the target distribution (1 - e) one-hot + e/D: from 0 to 1.
    pub label_smoothing: f64,
    /// p of the penalty p lse²: 0 or above; with none there is no output `penalty`.
    pub lse_penalty: Option<f64>,
    /// The target that marks an ignored row: its loss, penalty and gradient are 0, its lse is reported.
    pub ignore_index: i64,
    /// What becomes of the losses and of the penalties of the rows.
    pub reduction: Reduction,
    /// Whether `grad_logits` is written.
    pub need_grad: bool,
}

impl Default for SoftmaxCrossEntropyConfig {
    fn default() -> Self {
        Self {
            dtype: Dtype::F32,
            index_dtype: Dtype::I64,
            rows: 0,
            classes: 1,
            label_smoothing: 0.0,
            lse_penalty: None,
            ignore_index: -100,
            reduction: Reduction::None,
            need_grad: true,
        }
    }
}

impl SoftmaxCrossEntropyConfig {
    /// The same sizes and dtypes with the parameters of the operation's card.
    #[must_use]
    pub fn with(self, parameters: &Parameters) -> Self {
        Self {
            label_smoothing: parameters.real("label_smoothing").unwrap_or(self.label_smoothing),
            lse_penalty: parameters.real("lse_penalty").or(self.lse_penalty),
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
        check::real(CARD, "label_smoothing", self.label_smoothing)?;
        self.lse_penalty.map_or(Ok(()), |penalty| check::real(CARD, "lse_penalty", penalty))
    }
}
