//! What a `spherical.factored` is made for.

use super::{CARD, OP};
use crate::operations::Parameters;
use crate::spherical::Loss;
use crate::{Dtype, Error, Reduction, Result, check};

/// What a `spherical.factored` is made for. The defaults: a step of no rows on one class, a width of 1, one i64 target a row,
/// the z-loss with a = 1 and b = 0, a learning rate of 0, no weight decay, upkeep every 20 steps, singular values of U from
/// 0.1 to 10, rows with target -100 ignored, no reduction, with `grad_hidden`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FactoredConfig {
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
    /// 0 or above.
    pub learning_rate: f64,
    /// 0 or above, and below 1 / `learning_rate`.
    pub weight_decay: f64,
    /// After so many steps T is made U's inverse again, and the condition of U is looked at; 0: when it is asked for.
    pub newton_every: usize,
    /// Where a singular value of U is outside these two, V takes U over.
    pub fold_range: (f64, f64),
    /// The target that marks an ignored row, whose loss and gradient are 0, or an entry of \[B, K\] that is dropped.
    pub ignore_index: i64,
    /// What becomes of the losses of a step's rows.
    pub reduction: Reduction,
    /// Whether `grad_hidden` is written.
    pub need_grad: bool,
}

impl Default for FactoredConfig {
    fn default() -> Self {
        Self {
            index_dtype: Dtype::I64,
            rows: 0,
            classes: 1,
            width: 1,
            targets_per_row: None,
            loss: Loss::Z { a: 1.0, b: 0.0 },
            learning_rate: 0.0,
            weight_decay: 0.0,
            newton_every: 20,
            fold_range: (0.1, 10.0),
            ignore_index: -100,
            reduction: Reduction::None,
            need_grad: true,
        }
    }
}

impl FactoredConfig {
    /// The same sizes and dtype with the parameters of the operation's card.
    #[must_use]
    pub fn with(self, parameters: &Parameters) -> Self {
        let count = |name| parameters.integer(name).and_then(|count| usize::try_from(count).ok());
        Self {
            loss: Loss::of(parameters).unwrap_or(self.loss),
            learning_rate: parameters.real("learning_rate").unwrap_or(self.learning_rate),
            weight_decay: parameters.real("weight_decay").unwrap_or(self.weight_decay),
            newton_every: count("newton_every").unwrap_or(self.newton_every),
            fold_range: parameters.interval("fold_range").unwrap_or(self.fold_range),
            ignore_index: parameters.integer("ignore_index").unwrap_or(self.ignore_index),
            reduction: parameters.choice("reduction").and_then(Reduction::named).unwrap_or(self.reduction),
            need_grad: parameters.boolean("need_grad").unwrap_or(self.need_grad),
            ..self
        }
    }

    /// 1 - `learning_rate` `weight_decay`: what a step multiplies the weights by.
    pub(super) fn decay(&self) -> f64 {
        1.0 - self.learning_rate * self.weight_decay
    }

    /// Entries of `targets` in a step.
    pub(super) fn entries(&self) -> usize {
        self.rows * self.targets_per_row.unwrap_or(1)
    }

    /// Whether the small system is d x d.
    pub(super) fn is_dual(&self) -> bool {
        self.rows > self.width
    }

    /// Every field lies in its range.
    pub(super) fn check(&self) -> Result<()> {
        check::dtype(OP, "targets", self.index_dtype, &Dtype::INDICES)?;
        check::size(CARD, "rows", self.rows)?;
        check::size(CARD, "classes", self.classes)?;
        check::size(CARD, "width", self.width)?;
        check::size(CARD, "targets_per_row", self.targets_per_row.unwrap_or(1))?;
        self.loss.check(CARD)?;
        check::real(CARD, "learning_rate", self.learning_rate)?;
        check::real(CARD, "weight_decay", self.weight_decay)?;
        if check::to_f32(self.decay()) <= 0.0 {
            let expected = format!("a number below {} (1 / learning_rate)", 1.0 / self.learning_rate);
            let came = self.weight_decay.to_string();
            return Err(Error::Parameter { operation: OP, parameter: "weight_decay", came, expected });
        }
        let (low, high) = self.fold_range;
        if low > 0.0 && low < high && high.is_finite() {
            return Ok(());
        }
        let expected = CARD.parameter("fold_range")?.kind.to_string();
        Err(Error::Parameter { operation: OP, parameter: "fold_range", came: format!("{low},{high}"), expected })
    }
}
