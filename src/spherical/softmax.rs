//! The cross entropy of the softmax of one row in f64, as the references of the operations on given logits and on a head's
//! have it.

use crate::Tracked;

/// A row of logits o, e_k = exp(o_k - max o), and the logarithm of Σ exp(o_k).
///
/// A logit may have a magnitude of its own, where it is computed. What it does to the softmax is by the derivatives of that
/// as a whole, dp_k/do_j = p_k ([k = j] - p_j): the largest logit is subtracted from all alike, so its error is none of
/// theirs.
pub(super) struct Row<'a> {
    o: &'a [Tracked],
    /// Of the values of the logits.
    e: Vec<Tracked>,
    sum: Tracked,
    /// Σ p_j times the magnitude of o_j: how far lse moves with the logits.
    moved: f64,
    pub(super) lse: Tracked,
}

/// What a row's loss and gradient depend on beside its logits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) label_smoothing: f64,
    pub(super) lse_penalty: Option<f64>,
}

/// A magnitude times a probability: 0 where either is, since nothing comes through a probability of 0.
fn share(p: f64, magnitude: f64) -> f64 {
    if p == 0.0 || magnitude == 0.0 { 0.0 } else { p * magnitude }
}

impl<'a> Row<'a> {
    pub(super) fn new(o: &'a [Tracked]) -> Self {
        // f64::max leaves a NaN out; its exponential brings it back. A row wholly masked is NaN by -∞ - (-∞).
        let largest = o.iter().map(|o_k| o_k.value).fold(f64::NEG_INFINITY, f64::max);
        // ∞ - ∞ would be NaN where exp(∞) is ∞.
        let shift = if largest == f64::INFINITY { f64::MAX } else { largest };
        let e: Vec<Tracked> = o.iter().map(|o_k| (Tracked::exact(o_k.value) - Tracked::exact(shift)).exp()).collect();
        let sum = Tracked::sum(e.iter().copied());
        let moved = e.iter().zip(o).map(|(e_k, o_k)| share(e_k.value / sum.value, o_k.magnitude)).sum();
        let exact = Tracked::sum([Tracked::exact(shift), sum.ln()]);
        Self { o, e, sum, moved, lse: Tracked { magnitude: exact.magnitude + moved, ..exact } }
    }

    pub(super) fn is_masked(&self, k: usize) -> bool {
        self.o[k].value == f64::NEG_INFINITY && !self.lse.value.is_nan()
    }

    /// The probability of class k.
    fn probability(&self, k: usize) -> Tracked {
        let p = self.e[k] / self.sum;
        let own = self.o[k].magnitude;
        // Of a probability near 1 the one is next to nothing, and the other what the other classes move.
        let others = (self.moved - share(p.value, own)).max(0.0);
        Tracked { magnitude: p.magnitude + share(p.value, share(1.0 - p.value, own) + others), ..p }
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
    pub(super) fn loss(&self, c: usize, terms: Terms) -> Tracked {
        if self.is_masked(c) {
            return Tracked::exact(f64::INFINITY);
        }
        let [own, shared, total] = self.distribution(terms.label_smoothing);
        let mut parts = vec![total * self.lse, -(own * self.o[c])];
        if terms.label_smoothing > 0.0 {
            let kept = self.o.iter().enumerate().filter(|(k, _)| !self.is_masked(*k));
            parts.push(-(shared * Tracked::sum(kept.map(|(_, o_k)| *o_k))));
        }
        Tracked::sum(parts)
    }

    /// penalty lse², where there is one.
    pub(super) fn penalty(&self, terms: Terms) -> Option<Tracked> {
        terms.lse_penalty.map(|p| Tracked::rounded(p) * self.lse.squared())
    }

    /// (Σ t + 2 penalty lse) p_k - t_k of each class k, p the softmax, times `scale`; 0 where k is masked.
    pub(super) fn gradient(&self, c: usize, terms: Terms, scale: Tracked) -> impl Iterator<Item = Tracked> {
        let [own, shared, total] = self.distribution(terms.label_smoothing);
        let pull = terms.lse_penalty.map(|p| Tracked::exact(2.0) * Tracked::rounded(p) * self.lse);
        (0..self.o.len()).map(move |k| {
            if self.is_masked(k) {
                return Tracked::exact(0.0);
            }
            let p_k = self.probability(k);
            let parts = [Some(total * p_k), Some(-shared), (k == c).then_some(-own), pull.map(|pull| pull * p_k)];
            Tracked::sum(parts.into_iter().flatten()) * scale
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The magnitudes of the probabilities and of lse against logits moved by ±ε of theirs, each in the worst direction.
    #[test]
    fn a_magnitude_is_what_the_logits_move() {
        let values = [0.5, -1.25, 2.0, 9.0];
        let magnitudes = [2.0, 0.25, 3.0, 40.0];
        let logits = |values: &[f64], magnitudes: &[f64]| -> Vec<Tracked> {
            values.iter().zip(magnitudes).map(|(&value, &magnitude)| Tracked { value, magnitude }).collect()
        };
        let (moved, exact) = (logits(&values, &magnitudes), logits(&values, &[0.0; 4]));
        let (moved, exact) = (Row::new(&moved), Row::new(&exact));
        let epsilon = 1e-7;
        // By the derivative of each logit, numerically.
        let worst = |of: &dyn Fn(&Row<'_>) -> f64| -> f64 {
            let by_one = |j: usize| {
                let mut values = values;
                values[j] += epsilon * magnitudes[j];
                let moved = logits(&values, &[0.0; 4]);
                (of(&Row::new(&moved)) - of(&exact)).abs() / epsilon
            };
            (0..4).map(by_one).sum()
        };
        for k in 0..4 {
            let expected = worst(&|row| row.probability(k).value);
            let got = moved.probability(k).magnitude - exact.probability(k).magnitude;
            assert!((got / expected - 1.0).abs() < 1e-4, "{k}: {got} {expected}");
        }
        let expected = worst(&|row| row.lse.value);
        let got = moved.lse.magnitude - exact.lse.magnitude;
        assert!((got / expected - 1.0).abs() < 1e-4, "{got} {expected}");
    }
}
