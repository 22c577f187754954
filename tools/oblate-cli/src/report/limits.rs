//! The least time that a card would need for what was counted, by each of its resources: modelled from published peaks,
//! never measured.

use oblate_softgpu::inspect::counters::Counters;
use oblate_softgpu::inspect::{Class, FloatType};
use serde::Serialize;

use super::cards::{CATALOGUE, Card};

/// The least time that one resource needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Term {
    /// The resource.
    pub resource: &'static str,
    /// The time.
    pub microseconds: f64,
    /// What takes it, in words.
    pub of: String,
}

impl Term {
    /// Device memory.
    pub(crate) fn memory(bytes: f64, card: &Card) -> Self {
        let of = format!("{bytes} bytes, each sector of a launch once, at {} GB/s", card.memory_gbs.0);
        Self { resource: "memory", microseconds: bytes / (card.memory_gbs.0 * 1e9) * 1e6, of }
    }

    /// The tensor cores, for operations by the type of their factors; and the types of which no peak is published.
    pub(crate) fn tensor<'a>(flops: impl Iterator<Item = (&'a str, f64)>, card: &Card) -> (Self, Vec<String>) {
        let (mut seconds, mut without_peak) = (0.0, Vec::new());
        for (of, flops) in flops {
            // All are mma.sync: the device that counts has no wgmma.
            match card.tensor_tflops.get(of) {
                Some(peak) => seconds += flops / (peak.0 * 1e12 * card.mma_sync.0),
                None => without_peak.push(of.to_owned()),
            }
        }
        let of = format!("mma.sync, which reaches {} of the tensor cores' peak", card.mma_sync.0);
        (Self { resource: "tensor", microseconds: seconds * 1e6, of }, without_peak)
    }

    /// The schedulers, for warp instructions.
    pub(crate) fn issue(instructions: f64, card: &Card) -> Self {
        Self::lanes("issue", instructions, card.multiprocessor().schedulers.0, "warp instructions", card.clocks())
    }

    /// Launches, and within each the barriers of the block that has most.
    pub(crate) fn chain(launches: f64, barriers: f64, card: &Card) -> Self {
        let latencies = &CATALOGUE.latencies;
        let barrier_us = latencies.block_barrier_clocks.0 / card.clock_mhz.0;
        Self {
            resource: "chain",
            microseconds: launches * latencies.launch_us.0 + barriers * barrier_us,
            of: format!(
                "launches: {launches}, of {} us each; barriers: {barriers}, of {} clocks each",
                latencies.launch_us.0, latencies.block_barrier_clocks.0
            ),
        }
    }

    fn lanes(resource: &'static str, lanes: f64, a_clock: f64, what: &str, clocks: f64) -> Self {
        let of = format!("{lanes} {what}, {a_clock} a clock and multiprocessor");
        Self { resource, microseconds: lanes / (a_clock * clocks) * 1e6, of }
    }
}

/// What a card needs at least.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// The card.
    pub card: &'static str,
    /// Resources that work at the same time, those that are used at all.
    pub terms: Vec<Term>,
    /// What follows one after another whatever the card's throughput: launches, and the barriers of the block that has most.
    pub chain: Term,
    /// The time for device memory if no cache kept anything: no limit, and what a poor use of the caches could cost.
    pub uncached: Term,
    /// Operations of the tensor cores for which no peak of this card is published; they are in no term.
    pub without_peak: Vec<String>,
}

impl Limits {
    /// What the counts need on a card.
    pub fn of(counters: &Counters, card: &'static Card) -> Self {
        let (clocks, has) = (card.clocks(), card.multiprocessor());
        let mut terms = Vec::new();
        let (tensor, without_peak) =
            Term::tensor(counters.tensor_flops().into_iter().map(|(of, flops)| (of, flops as f64)), card);
        terms.extend(
            [Term::memory(counters.compulsory_bytes() as f64, card), tensor]
                .into_iter()
                .filter(|term| term.microseconds > 0.0),
        );
        let mut lanes = |resource, lanes: f64, a_clock: f64, what: &str| {
            if lanes > 0.0 {
                terms.push(Term::lanes(resource, lanes, a_clock, what, clocks));
            }
        };
        let threads = |class| counters.threads(class) as f64;
        lanes("f32", threads(Class::Fp32) + threads(Class::Fp32Fma), has.f32.0, "thread instructions");
        // Two operations a result: as if all were fused.
        let results = |of| counters.flops.get(&of).copied().unwrap_or(0) as f64 / 2.0;
        lanes("f16", results(FloatType::F16), has.f16.0, "results");
        lanes("bf16", results(FloatType::Bf16), has.bf16.0, "results");
        lanes("f64", results(FloatType::F64), has.f64.0, "results");
        lanes("integer", threads(Class::Integer), has.integer.0, "thread instructions");
        lanes("special", threads(Class::Special), has.special.0, "thread instructions");
        lanes("shared", counters.shared.wavefronts as f64, has.wavefronts.0, "wavefronts");
        let issue = Term::issue(counters.instructions() as f64, card);
        terms.extend((issue.microseconds > 0.0).then_some(issue));
        let moved = counters.moved_bytes();
        Self {
            card: &card.name,
            terms,
            chain: Term::chain(counters.launches as f64, counters.barrier_chain as f64, card),
            uncached: Term {
                resource: "memory, nothing cached",
                microseconds: moved as f64 / (card.memory_gbs.0 * 1e9) * 1e6,
                of: format!("{moved} bytes at {} GB/s", card.memory_gbs.0),
            },
            without_peak,
        }
    }

    /// The modelled limit: the largest of the resources, with the dependent chain among them or without. None where nothing
    /// was done.
    pub fn limit(&self, with_chain: bool) -> Option<&Term> {
        largest(&self.terms, with_chain.then_some(&self.chain))
    }
}

/// The largest of several terms and a further one.
pub(crate) fn largest<'a>(terms: &'a [Term], further: Option<&'a Term>) -> Option<&'a Term> {
    terms.iter().chain(further).max_by(|a, b| a.microseconds.total_cmp(&b.microseconds))
}
