//! The loss, the penalty and their gradient in f64, by their formulas, each value with its magnitude.

use super::{OP, SoftmaxCrossEntropyConfig};
use crate::reduction::Weighting;
use crate::spherical::targets::classes_of_row;
use crate::{Result, Tracked, check};

/// The tensors of [`reference()`], widened.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceInputs<'a> {
    /// \[B, D\]; -∞ is a masked class.
    pub logits: &'a [f64],
    /// \[B\].
    pub targets: &'a [i64],
    /// \[B\].
    pub row_weights: Option<&'a [f64]>,
    /// \[B\] without a reduction, else one number.
    pub grad_loss: Option<&'a [f64]>,
}

/// What [`reference()`] gives, each value with its magnitude.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceOutputs {
    /// \[B\] without a reduction, else one number; without the penalty.
    pub loss: Vec<Tracked>,
    /// Shaped as `loss`; none without `lse_penalty`.
    pub penalty: Option<Vec<Tracked>>,
    /// \[B\].
    pub lse: Vec<Tracked>,
    /// \[B, D\]; none without `need_grad`.
    pub grad_logits: Option<Vec<Tracked>>,
}

/// `spherical.softmax_cross_entropy` in f64. The dtypes of `config` do not matter; its parameters are used as they are,
/// unrounded.
///
/// # Errors
/// `Size`, `Parameter` and `Dtype` for a field of `config` out of its range; `Length` for the tensors; `TargetOutOfRange`
/// for a target that is neither `ignore_index` nor a class.
pub fn reference(config: &SoftmaxCrossEntropyConfig, inputs: &ReferenceInputs<'_>) -> Result<ReferenceOutputs> {
    config.check()?;
    let (rows, classes) = (config.rows, config.classes);
    check::length(OP, "logits", inputs.logits.len(), rows * classes)?;
    check::length(OP, "targets", inputs.targets.len(), rows)?;
    check::optional_length(OP, "row_weights", inputs.row_weights, rows)?;
    check::optional_length(OP, "grad_loss", inputs.grad_loss, config.reduction.shape(rows).iter().product())?;
    let target = |b: usize| {
        let kept = classes_of_row(OP, &inputs.targets[b..=b], config.ignore_index, classes, |_| vec![b])?;
        Ok(kept.first().map(|(_, class)| *class))
    };
    let targets: Vec<Option<usize>> = (0..rows).map(target).collect::<Result<_>>()?;
    let ignored = |b: usize| targets[b].is_none();
    let weighting = Weighting::new(config.reduction, inputs.row_weights, inputs.grad_loss, rows, ignored);

    let zero = Tracked::exact(0.0);
    let (mut losses, mut penalties, mut lse) = (vec![zero; rows], vec![zero; rows], Vec::with_capacity(rows));
    let mut grad_logits = config.need_grad.then(|| Vec::with_capacity(inputs.logits.len()));
    for (b, (o, target)) in inputs.logits.chunks_exact(classes).zip(&targets).enumerate() {
        let row = Row::new(o);
        lse.push(row.lse);
        let Some(c) = *target else {
            if let Some(grad) = &mut grad_logits {
                grad.resize(grad.len() + classes, zero);
            }
            continue;
        };
        losses[b] = weighting.loss(b, row.loss(c, config.label_smoothing));
        if let Some(p) = config.lse_penalty {
            penalties[b] = weighting.loss(b, Tracked::rounded(p) * row.lse.squared());
        }
        if let Some(grad) = &mut grad_logits {
            let scale = weighting.gradient(b);
            row.gradient(c, config, |k, g| grad.push(if row.is_masked(k) { zero } else { g * scale }));
        }
    }
    Ok(ReferenceOutputs {
        loss: weighting.reduce(losses),
        penalty: config.lse_penalty.map(|_| weighting.reduce(penalties)),
        lse,
        grad_logits,
    })
}

/// A row of logits o, e_k = exp(o_k - max o), and the logarithm of Σ exp(o_k).
struct Row<'a> {
    o: &'a [f64],
    e: Vec<Tracked>,
    sum: Tracked,
    lse: Tracked,
}

impl<'a> Row<'a> {
    fn new(o: &'a [f64]) -> Self {
        // f64::max leaves a NaN out; its exponential brings it back. A row wholly masked is NaN by -∞ - (-∞).
        let largest = o.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // ∞ - ∞ would be NaN where exp(∞) is ∞.
        let shift = if largest == f64::INFINITY { f64::MAX } else { largest };
        let e: Vec<Tracked> = o.iter().map(|o_k| (Tracked::exact(*o_k) - Tracked::exact(shift)).exp()).collect();
        let sum = Tracked::sum(e.iter().copied());
        Self { o, e, sum, lse: Tracked::sum([Tracked::exact(shift), sum.ln()]) }
    }

    fn is_masked(&self, k: usize) -> bool {
        self.o[k] == f64::NEG_INFINITY && !self.lse.value.is_nan()
    }

    /// t_c - e/D and e/D of the target distribution, and the sum of t over the classes that are not masked: what smoothing
    /// gives to a masked class is dropped.
    fn distribution(&self, smoothing: f64) -> [Tracked; 3] {
        if smoothing == 0.0 {
            return [Tracked::exact(1.0), Tracked::exact(0.0), Tracked::exact(1.0)];
        }
        let smoothing = Tracked::rounded(smoothing);
        let own = Tracked::exact(1.0) - smoothing;
        let shared = smoothing / Tracked::count(self.o.len());
        let kept = (0..self.o.len()).filter(|k| !self.is_masked(*k)).count();
        [own, shared, Tracked::sum([own, shared * Tracked::count(kept)])]
    }

    /// Σ t_k (lse - o_k), with t = (1 - e) one-hot(c) + e/D; +∞ when the target is masked.
    fn loss(&self, c: usize, smoothing: f64) -> Tracked {
        if self.is_masked(c) {
            return Tracked::exact(f64::INFINITY);
        }
        let [own, shared, total] = self.distribution(smoothing);
        let mut terms = vec![total * self.lse, -(own * Tracked::exact(self.o[c]))];
        if smoothing > 0.0 {
            let kept = self.o.iter().enumerate().filter(|(k, _)| !self.is_masked(*k));
            terms.push(-(shared * Tracked::sum(kept.map(|(_, o_k)| Tracked::exact(*o_k)))));
        }
        Tracked::sum(terms)
    }

    /// (Σ t + 2 penalty lse) p_k - t_k of each class k, p the softmax.
    fn gradient(&self, c: usize, config: &SoftmaxCrossEntropyConfig, mut give: impl FnMut(usize, Tracked)) {
        let [own, shared, total] = self.distribution(config.label_smoothing);
        let pull = config.lse_penalty.map(|p| Tracked::exact(2.0) * Tracked::rounded(p) * self.lse);
        for (k, e_k) in self.e.iter().enumerate() {
            let p_k = *e_k / self.sum;
            let terms = [Some(total * p_k), Some(-shared), (k == c).then_some(-own), pull.map(|pull| pull * p_k)];
            give(k, Tracked::sum(terms.into_iter().flatten()));
        }
    }
}

#[cfg(test)]
mod tests;
