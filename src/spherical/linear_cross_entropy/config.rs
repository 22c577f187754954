//! What a `spherical.linear_cross_entropy` is made for.

use super::{CARD, OP};
use crate::operations::Parameters;
use crate::{Dtype, Reduction, Result, check};

/// What a `spherical.linear_cross_entropy` is made for. The defaults: f32, no rows of one class, a width of 1, i64 targets,
/// no bias, no segments, no smoothing, no penalty, no softcap, rows with target -100 ignored, no reduction, with all
/// gradients, that of the weight in its own dtype.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is chosen by itself")]
pub struct LinearCrossEntropyConfig {
    /// Of `hidden`, `weight`, `bias` and their gradients: f32, f16 or bf16.
    pub dtype: Dtype,
    /// Of `targets`: i64 or u32.
    pub index_dtype: Dtype,
    /// B, from 0 to 2³¹ - 1.
    pub rows: usize,
    /// D, from 1 to 2³¹ - 1.
    pub classes: usize,
    /// d, from 1 to 2³¹ - 1.
    pub width: usize,
    /// Whether there is a `bias`.
    pub has_bias: bool,
    /// S, where there are `segments`.
    pub segments: Option<usize>,
    /// e of the target distribution (1 - e) one-hot + e/D: from 0 to 1.
    pub label_smoothing: f64,
    /// p of the penalty p lse²: 0 or above; with none there is no output `penalty`.
    pub lse_penalty: Option<f64>,
    /// c of the logits c tanh(o/c): above 0.
    pub softcap: Option<f64>,
    /// The target that marks an ignored row: its loss, penalty and gradient are 0, its lse is reported.
    pub ignore_index: i64,
    /// What becomes of the losses and of the penalties of the rows.
    pub reduction: Reduction,
    /// Whether any gradient is written.
    pub need_grad: bool,
    /// Whether, with `need_grad`, `grad_weight` and `grad_bias` are written.
    pub need_grad_weight: bool,
    /// Of `grad_weight`: none for that of `weight`, or f32.
    pub grad_weight_dtype: Option<Dtype>,
}

impl Default for LinearCrossEntropyConfig {
    fn default() -> Self {
        Self {
            dtype: Dtype::F32,
            index_dtype: Dtype::I64,
            rows: 0,
            classes: 1,
            width: 1,
            has_bias: false,
            segments: None,
            label_smoothing: 0.0,
            lse_penalty: None,
            softcap: None,
            ignore_index: -100,
            reduction: Reduction::None,
            need_grad: true,
            need_grad_weight: true,
            grad_weight_dtype: None,
        }
    }
}

impl LinearCrossEntropyConfig {
    /// The same sizes, dtypes and tensors with the parameters of the operation's card.
    #[must_use]
    pub fn with(self, parameters: &Parameters) -> Self {
        let grad_weight_dtype = match parameters.choice("grad_weight_dtype") {
            Some("f32") => Some(Dtype::F32),
            Some(_) => None,
            None => self.grad_weight_dtype,
        };
        Self {
            label_smoothing: parameters.real("label_smoothing").unwrap_or(self.label_smoothing),
            lse_penalty: parameters.real("lse_penalty").or(self.lse_penalty),
            softcap: parameters.real("softcap").or(self.softcap),
            ignore_index: parameters.integer("ignore_index").unwrap_or(self.ignore_index),
            reduction: parameters.choice("reduction").and_then(Reduction::named).unwrap_or(self.reduction),
            need_grad: parameters.boolean("need_grad").unwrap_or(self.need_grad),
            need_grad_weight: parameters.boolean("need_grad_weight").unwrap_or(self.need_grad_weight),
            grad_weight_dtype,
            ..self
        }
    }

    /// Whether `grad_weight` is written.
    pub(super) fn has_grad_weight(&self) -> bool {
        self.need_grad && self.need_grad_weight
    }

    /// Whether `grad_bias` is written.
    pub(super) fn has_grad_bias(&self) -> bool {
        self.has_grad_weight() && self.has_bias
    }

    /// The dtype of `grad_weight`.
    pub(super) fn dtype_of_grad_weight(&self) -> Dtype {
        self.grad_weight_dtype.unwrap_or(self.dtype)
    }

    /// Every field lies in its range.
    pub(super) fn check(&self) -> Result<()> {
        check::dtype(OP, "hidden", self.dtype, &Dtype::FLOATS)?;
        check::dtype(OP, "targets", self.index_dtype, &Dtype::INDICES)?;
        let of_grad_weight: &[Dtype] = if self.dtype == Dtype::F32 { &[Dtype::F32] } else { &[self.dtype, Dtype::F32] };
        check::dtype(OP, "grad_weight", self.dtype_of_grad_weight(), of_grad_weight)?;
        check::size(CARD, "rows", self.rows)?;
        check::size(CARD, "classes", self.classes)?;
        check::size(CARD, "width", self.width)?;
        self.segments.map_or(Ok(()), |segments| check::size(CARD, "segments", segments))?;
        check::real(CARD, "label_smoothing", self.label_smoothing)?;
        self.lse_penalty.map_or(Ok(()), |penalty| check::real(CARD, "lse_penalty", penalty))?;
        self.softcap.map_or(Ok(()), |softcap| check::real(CARD, "softcap", softcap))
    }
}
