//! What a `spherical.rank` is made for.

use super::{CARD, OP};
use crate::operations::Parameters;
use crate::{Dtype, Error, Result, check};

/// What a `spherical.rank` is made for. The defaults: f32, no rows of one class, given logits, i64 targets, k = 1, rows with
/// target -100 ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankConfig {
    /// Of `logits`, or of `hidden` and `weight`: f32, f16 or bf16.
    pub dtype: Dtype,
    /// Of `targets`: i64 or u32.
    pub index_dtype: Dtype,
    /// B, from 0 to 2³¹ - 1.
    pub rows: usize,
    /// D, from 1 to 2³¹ - 1.
    pub classes: usize,
    /// d of `hidden` and `weight`, from 1 to 2³¹ - 1; none where `logits` are given.
    pub width: Option<usize>,
    /// The largest rank that is a hit: 1 or above.
    pub k: usize,
    /// The target that marks an ignored row, whose rank and hits are 0.
    pub ignore_index: i64,
}

impl Default for RankConfig {
    fn default() -> Self {
        Self { dtype: Dtype::F32, index_dtype: Dtype::I64, rows: 0, classes: 1, width: None, k: 1, ignore_index: -100 }
    }
}

impl RankConfig {
    /// The same sizes and dtypes with the parameters of the operation's card.
    #[must_use]
    pub fn with(self, parameters: &Parameters) -> Self {
        let k = parameters.integer("k").and_then(|k| usize::try_from(k).ok());
        Self {
            k: k.unwrap_or(self.k),
            ignore_index: parameters.integer("ignore_index").unwrap_or(self.ignore_index),
            ..self
        }
    }

    /// Every field lies in its range.
    pub(super) fn check(&self) -> Result<()> {
        let tensor = if self.width.is_some() { "hidden" } else { "logits" };
        check::dtype(OP, tensor, self.dtype, &Dtype::FLOATS)?;
        check::dtype(OP, "targets", self.index_dtype, &Dtype::INDICES)?;
        check::size(CARD, "rows", self.rows)?;
        check::size(CARD, "classes", self.classes)?;
        self.width.map_or(Ok(()), |width| check::size(CARD, "width", width))?;
        if self.k > 0 {
            return Ok(());
        }
        let expected = CARD.parameter("k")?.kind.to_string();
        Err(Error::Parameter { operation: OP, parameter: "k", came: self.k.to_string(), expected })
    }
}
