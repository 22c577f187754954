//! Which output layer is cheapest for a shape on a card, by the least time that the card would need: modelled from formulas of
//! what a step moves and executes and from published peaks, never measured.

mod work;

use std::fmt::Write;

use oblate::Dtype;
use serde::Serialize;

pub use self::work::{Work, factored, gram, linear, linear_cross_entropy, update_bytes};
use crate::report::cards::Card;
use crate::report::limits::{Term, largest};

/// The most that a size can be.
pub const MOST: u64 = i32::MAX as u64;
/// Threads of the block that eliminates, one lane of f32 each at most.
const BLOCK: f64 = 128.0;

/// B rows of width d, and D classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// B.
    pub rows: u64,
    /// d.
    pub width: u64,
    /// D.
    pub classes: u64,
    /// Of hidden and weight; `spherical.factored` has f32 whatever it is.
    #[serde(serialize_with = "name")]
    pub dtype: Dtype,
}

impl Shape {
    /// B, d, D.
    fn sizes(&self) -> [f64; 3] {
        [self.rows, self.width, self.classes].map(|size| size as f64)
    }

    fn element_bytes(&self) -> f64 {
        self.dtype.size() as f64
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn name<S: serde::Serializer>(dtype: &Dtype, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(dtype.name())
}

/// A head, what its step does, and what the card needs for that at least.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Head {
    /// The operation.
    pub operation: &'static str,
    /// What the step is of.
    pub of: &'static str,
    /// What it moves and executes.
    pub work: Work,
    /// Resources that work at the same time.
    pub terms: Vec<Term>,
    /// What follows one after another: launches, and what one block or one thread does alone.
    pub chain: Term,
    /// The largest of all, in microseconds: the modelled limit.
    pub limit: f64,
    /// Without the chain.
    pub limit_without_chain: f64,
}

impl Head {
    fn of(operation: &'static str, of: &'static str, work: Work, card: &Card) -> Self {
        let (tensor, _) = Term::tensor(work.tensor.iter().map(|(of, operations)| (*of, *operations)), card);
        let terms = [Term::memory(work.bytes, card), tensor, Term::issue(work.instructions, card)];
        let mut chain = Term::chain(work.launches, work.barriers(), card);
        if work.unknowns > 0.0 {
            // A fused multiply-add a lane and clock: of the block, then of the thread of a column.
            let lanes = card.multiprocessor().f32.0.min(BLOCK);
            let clocks = work.unknowns.powi(3) / (3.0 * lanes) + work.unknowns.powi(2);
            chain.microseconds += clocks / card.clock_mhz.0;
            let _ = write!(chain.of, "; a system of {} unknowns by one block: {clocks:.0} clocks", work.unknowns);
        }
        let terms: Vec<Term> = terms.into_iter().filter(|term| term.microseconds > 0.0).collect();
        let limit = |chain| largest(&terms, chain).map_or(0.0, |term| term.microseconds);
        let [limit, limit_without_chain] = [limit(Some(&chain)), limit(None)];
        Self { operation, of, work, terms, chain, limit, limit_without_chain }
    }

    /// The modelled limit in microseconds, with the dependent chain or without.
    pub fn limit(&self, with_chain: bool) -> f64 {
        if with_chain { self.limit } else { self.limit_without_chain }
    }
}

/// Where, along one size, `spherical.factored` is cheaper than `spherical.linear_cross_entropy`: runs of sizes, both ends among
/// them.
pub type Runs = Vec<(u64, u64)>;

/// The heads for a shape on a card.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    /// The shape.
    pub shape: Shape,
    /// The card.
    pub card: &'static str,
    /// Those that train the weight: `spherical.linear_cross_entropy`, `spherical.factored`.
    pub trained: [Head; 2],
    /// Those that do not: `spherical.linear_cross_entropy`, `spherical.linear`.
    pub frozen: [Head; 2],
    /// What `spherical.linear` needs once for each weight.
    pub gram: Head,
    /// Numbers of classes for which `spherical.factored` is the cheaper of the trained.
    pub classes: Runs,
    /// The same without the dependent chain.
    pub classes_without_chain: Runs,
    /// Numbers of rows for which it is.
    pub rows: Runs,
    /// Bytes of the state of `spherical.factored`: V \[D, d\]; U, T, Q \[d, d\].
    pub factored_bytes: u64,
    /// Bytes of a weight and its gradient.
    pub weight_bytes: u64,
}

/// The heads for a shape of sizes from 1 to [`MOST`], and where the cheapest changes.
pub fn advise(shape: Shape, card: &'static Card) -> Advice {
    let wins = |shape, with_chain| {
        let [dense, factored] = trained(&shape, card);
        factored.limit(with_chain) < dense.limit(with_chain)
    };
    let by_classes = |with_chain| runs(|classes| wins(Shape { classes, ..shape }, with_chain));
    Advice {
        shape,
        card: &card.name,
        trained: trained(&shape, card),
        frozen: [
            Head::of(LINEAR_CROSS_ENTROPY, "a frozen weight", linear_cross_entropy(&shape, false), card),
            Head::of("spherical.linear", "a frozen weight", linear(&shape), card),
        ],
        gram: Head::of("spherical.linear", "its Gram, once a weight", gram(&shape), card),
        classes: by_classes(true),
        classes_without_chain: by_classes(false),
        rows: runs(|rows| wins(Shape { rows, ..shape }, true)),
        factored_bytes: 4 * (shape.classes + 3 * shape.width) * shape.width,
        weight_bytes: 2 * shape.dtype.size() as u64 * shape.classes * shape.width,
    }
}

const LINEAR_CROSS_ENTROPY: &str = "spherical.linear_cross_entropy";

fn trained(shape: &Shape, card: &Card) -> [Head; 2] {
    [
        Head::of(LINEAR_CROSS_ENTROPY, "a trained weight", linear_cross_entropy(shape, true), card),
        Head::of("spherical.factored", "a trained weight", factored(shape), card),
    ]
}

/// The sizes from 1 to [`MOST`] of which `holds`, as runs: looked at eight times an octave, and by bisection where it changes.
fn runs(holds: impl Fn(u64) -> bool) -> Runs {
    let (mut runs, mut from) = (Runs::new(), holds(1).then_some(1));
    let mut low = 1;
    while low < MOST {
        let next = (low + low.div_ceil(8)).min(MOST);
        if holds(next) != from.is_some() {
            let (mut before, mut after) = (low, next);
            while after - before > 1 {
                let middle = before.midpoint(after);
                if holds(middle) == from.is_some() { before = middle } else { after = middle }
            }
            match from.take() {
                Some(from) => runs.push((from, before)),
                None => from = Some(after),
            }
        }
        low = next;
    }
    runs.extend(from.map(|from| (from, MOST)));
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_to_the_size() {
        assert_eq!(runs(|size| (17..=1000).contains(&size) || size >= 123_457), [(17, 1000), (123_457, MOST)]);
        assert_eq!(runs(|_| true), [(1, MOST)]);
        assert_eq!(runs(|size| size == 1), [(1, 1)]);
        assert!(runs(|_| false).is_empty());
    }
}
