//! What a `spherical.linear` is made for.

use super::{CARD, OP};
use crate::operations::Parameters;
use crate::spherical::Loss;
use crate::{Dtype, Reduction, Result, check};

/// Where the Gram of the weight comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gram {
    /// Every run forms it from the weight: D d² operations.
    #[default]
    Formed,
    /// Given: W'W, of `Linear::form_gram` or anyone's.
    Plain,
    /// Given: that of the rows of W about their mean, of `Linear::form_gram`. The z-loss loses nothing by a large mean so.
    Centred,
}

/// What a `spherical.linear` is made for. The defaults: f32, no rows of one class, a width of 1, one i64 target a row, the
/// z-loss with a = 1 and b = 0, a Gram that every run forms, rows with target -100 ignored, no reduction, with a gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearConfig {
    /// Of `hidden`, `weight` and `grad_hidden`: f32, f16 or bf16.
    pub dtype: Dtype,
    /// Of `targets`: i64 or u32.
    pub index_dtype: Dtype,
    /// B, from 0 to 2³¹ - 1.
    pub rows: usize,
    /// D, from 1 to 2³¹ - 1.
    pub classes: usize,
    /// d, from 1 to 2³¹ - 1.
    pub width: usize,
    /// K of `targets` \[B, K\] with `values` \[B, K\]; none for `targets` \[B\].
    pub targets_per_row: Option<usize>,
    /// The loss of a row.
    pub loss: Loss,
    /// Where the Gram comes from.
    pub gram: Gram,
    /// The target that marks an ignored row, whose loss and gradient are 0, or an entry of \[B, K\] that is dropped.
    pub ignore_index: i64,
    /// What becomes of the losses of the rows.
    pub reduction: Reduction,
    /// Whether `grad_hidden` is written.
    pub need_grad: bool,
}

impl Default for LinearConfig {
    fn default() -> Self {
        Self {
            dtype: Dtype::F32,
            index_dtype: Dtype::I64,
            rows: 0,
            classes: 1,
            width: 1,
            targets_per_row: None,
            loss: Loss::Z { a: 1.0, b: 0.0 },
            gram: Gram::Formed,
            ignore_index: -100,
            reduction: Reduction::None,
            need_grad: true,
        }
    }
}

impl LinearConfig {
    /// The same sizes, dtypes and Gram with the parameters of the operation's card.
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

    /// Entries of `targets` of a row.
    pub(super) fn entries_of_row(&self) -> usize {
        self.targets_per_row.unwrap_or(1)
    }

    /// Shape of `targets` and `values`.
    pub(super) fn shape_of_targets(&self) -> Vec<usize> {
        [self.rows].into_iter().chain(self.targets_per_row).collect()
    }

    /// Whether the Gram is that of the weight's rows about their mean.
    pub(super) fn is_centred(&self) -> bool {
        match self.gram {
            Gram::Formed => matches!(self.loss, Loss::Z { .. }),
            Gram::Plain => false,
            Gram::Centred => true,
        }
    }

    /// Every field lies in its range.
    pub(super) fn check(&self) -> Result<()> {
        check::dtype(OP, "hidden", self.dtype, &Dtype::FLOATS)?;
        check::dtype(OP, "targets", self.index_dtype, &Dtype::INDICES)?;
        check::size(CARD, "rows", self.rows)?;
        check::size(CARD, "classes", self.classes)?;
        check::size(CARD, "width", self.width)?;
        self.targets_per_row.map_or(Ok(()), |k| check::size(CARD, "targets_per_row", k))?;
        self.loss.check(CARD)
    }
}
