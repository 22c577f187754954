//! How the losses of rows become the loss of a call.

use crate::Tracked;

/// What becomes of the losses of the rows, each times its weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// They are the loss, \[rows\].
    #[default]
    None,
    /// Their sum over the sum of the weights of the rows that are not ignored (their number without weights); 0 where
    /// every row is ignored.
    Mean,
    /// Their sum.
    Sum,
}

impl Reduction {
    /// The reduction of this name; `None` where there is none.
    pub fn named(name: &str) -> Option<Self> {
        [Self::None, Self::Mean, Self::Sum].into_iter().find(|reduction| reduction.name() == name)
    }

    /// The name: `none`, `mean` or `sum`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Mean => "mean",
            Self::Sum => "sum",
        }
    }

    /// The shape of what is reduced, and of the upstream gradient.
    pub fn shape(self, rows: usize) -> Vec<usize> {
        if self == Self::None { vec![rows] } else { vec![] }
    }
}

/// The reduction of one call in f64: what multiplies the row losses and their gradients.
#[derive(Debug)]
pub(crate) struct Weighting<'a> {
    pub(crate) reduction: Reduction,
    pub(crate) row_weights: Option<&'a [f64]>,
    pub(crate) grad_loss: Option<&'a [f64]>,
    denominator: Option<Tracked>,
}

impl<'a> Weighting<'a> {
    /// `is_ignored` says it of a row.
    pub(crate) fn new(
        reduction: Reduction,
        row_weights: Option<&'a [f64]>,
        grad_loss: Option<&'a [f64]>,
        rows: usize,
        is_ignored: impl Fn(usize) -> bool,
    ) -> Self {
        let denominator = (reduction == Reduction::Mean).then(|| {
            let weights = (0..rows).filter(|b| !is_ignored(*b)).map(|b| row_weights.map_or(1.0, |weights| weights[b]));
            let mut weights = weights.peekable();
            // Without a row that counts, every loss is 0 and so is their mean.
            if weights.peek().is_none() { Tracked::exact(1.0) } else { Tracked::sum(weights.map(Tracked::exact)) }
        });
        Self { reduction, row_weights, grad_loss, denominator }
    }

    /// The loss of row `b` times its weight.
    pub(crate) fn loss(&self, b: usize, loss: Tracked) -> Tracked {
        self.row_weights.map_or(loss, |weights| loss * Tracked::exact(weights[b]))
    }

    /// What the gradient of row `b`'s loss is multiplied by.
    pub(crate) fn gradient(&self, b: usize) -> Tracked {
        let upstream = self.grad_loss.map_or(1.0, |grad| grad[if self.reduction == Reduction::None { b } else { 0 }]);
        let scale = self.loss(b, Tracked::exact(upstream));
        self.denominator.map_or(scale, |denominator| scale / denominator)
    }

    /// The weighted losses of the rows, reduced.
    pub(crate) fn reduce(&self, losses: Vec<Tracked>) -> Vec<Tracked> {
        match (self.reduction, self.denominator) {
            (Reduction::None, _) => losses,
            (_, None) => vec![Tracked::sum(losses)],
            (_, Some(denominator)) => vec![Tracked::sum(losses) / denominator],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_divides_by_the_weights_of_the_rows_that_count() {
        let weights = [2.0, 5.0, 1.0];
        let mean = Weighting::new(Reduction::Mean, Some(&weights), Some(&[3.0]), 3, |b| b == 1);
        let losses = (0..3).map(|b| mean.loss(b, Tracked::exact(if b == 1 { 0.0 } else { 6.0 }))).collect();
        assert_eq!(mean.reduce(losses)[0].value, (12.0 + 6.0) / 3.0);
        assert_eq!(mean.gradient(0).value, 2.0);
        assert_eq!(mean.gradient(2).value, 1.0);
    }

    #[test]
    fn a_mean_of_ignored_rows_is_zero() {
        let mean = Weighting::new(Reduction::Mean, None, None, 2, |_| true);
        assert_eq!(mean.reduce(vec![Tracked::exact(0.0); 2])[0].value, 0.0);
        let empty = Weighting::new(Reduction::Mean, None, None, 0, |_| false);
        assert_eq!(empty.reduce(vec![])[0].value, 0.0);
    }
}
