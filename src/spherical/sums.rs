//! The spherical losses in f64 by what they see of a row: its sums, and the logits of its targets.

use super::Loss;
use crate::Tracked;

/// What a loss sees of a row beside its targets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums {
    /// D.
    pub(super) classes: usize,
    /// Σ o_k.
    pub(super) s: Tracked,
    /// Σ o_k².
    pub(super) q: Tracked,
    /// Σ (o_k - s/D)², for z.
    pub(super) about_mean: Tracked,
}

/// An entry of a row's targets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// c.
    pub(super) class: usize,
    /// v.
    pub(super) value: f64,
    /// o_c; for z o_c - s/D.
    pub(super) o: Tracked,
}

/// The loss Σ v L(s, q, o_c), and its derivatives.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// The loss.
    pub(super) value: Tracked,
    /// By s; for z by no logit, since it sees differences from their mean.
    pub(super) l_s: Tracked,
    /// Twice that by q; for z by Σ (o_k - s/D)².
    pub(super) two_l_q: Tracked,
    /// By each target's o.
    pub(super) l_c: Vec<Tracked>,
}

impl Sums {
    pub(super) fn terms(self, loss: Loss, targets: &[Target]) -> Terms {
        let Self { s, q, about_mean, .. } = self;
        let classes = Tracked::count(self.classes);
        let (zero, one, two, half) =
            (Tracked::exact(0.0), Tracked::exact(1.0), Tracked::exact(2.0), Tracked::exact(0.5));
        // Sums over the targets of their values times L, Ls and 2 Lq, and each target's Lc.
        let over = |of: &dyn Fn(Tracked) -> [Tracked; 4]| {
            let each: Vec<_> =
                targets.iter().map(|target| of(target.o).map(|x| Tracked::exact(target.value) * x)).collect();
            let sum = |i: usize| Tracked::sum(each.iter().map(|terms| terms[i]));
            Terms { value: sum(0), l_s: sum(1), two_l_q: sum(2), l_c: each.iter().map(|terms| terms[3]).collect() }
        };
        match loss {
            Loss::SquaredError => {
                let named = |class: usize| {
                    let same = targets.iter().filter(move |target| target.class == class);
                    Tracked::sum(same.map(|target| Tracked::exact(target.value)))
                };
                let norm = targets.iter().map(|target| Tracked::exact(target.value) * named(target.class));
                let dot = over(&|o| [two * o, zero, zero, -two]);
                Terms { value: q - dot.value + Tracked::sum(norm), two_l_q: two, ..dot }
            }
            Loss::LogSphericalSoftmax { epsilon } => {
                let epsilon = Tracked::rounded(epsilon);
                let total = q + classes * epsilon;
                over(&|o| {
                    let n = o.squared() + epsilon;
                    [-(n / total).ln(), zero, two / total, -(two * o / n)]
                })
            }
            Loss::LogTaylorSoftmax => {
                let total = classes + s + half * q;
                over(&|o| {
                    let n = one + o + half * o.squared();
                    [-(n / total).ln(), one / total, one / total, -((one + o) / n)]
                })
            }
            Loss::Z { a, b } => {
                let (a, b) = (Tracked::rounded(a), Tracked::rounded(b));
                let sigma = (about_mean / classes).sqrt();
                if sigma.value == 0.0 {
                    return over(&|_| [(a * b).softplus() / a, zero, zero, zero]);
                }
                over(&|o| {
                    let z = o / sigma;
                    let argument = a * (b - z);
                    let pull = argument.sigmoid() / sigma;
                    [argument.softplus() / a, zero, pull * z / (classes * sigma), -pull]
                })
            }
        }
    }
}
