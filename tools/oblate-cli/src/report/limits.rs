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
        let mut term = |resource, seconds: f64, of: String| {
            if seconds > 0.0 {
                terms.push(Term { resource, microseconds: seconds * 1e6, of });
            }
        };
        let bandwidth = card.memory_gbs.0 * 1e9;
        let compulsory = counters.compulsory_bytes();
        term(
            "memory",
            compulsory as f64 / bandwidth,
            format!("{compulsory} bytes, each sector of a launch once, at {} GB/s", card.memory_gbs.0),
        );
        let (mut tensor, mut without_peak) = (0.0, Vec::new());
        for (of, flops) in counters.tensor_flops() {
            // All are mma.sync: the device that counts has no wgmma.
            match card.tensor_tflops.get(of) {
                Some(peak) => tensor += flops as f64 / (peak.0 * 1e12 * card.mma_sync.0),
                None => without_peak.push(of.to_owned()),
            }
        }
        term("tensor", tensor, format!("mma.sync, which reaches {} of the tensor cores' peak", card.mma_sync.0));
        let mut lanes = |resource, lanes: f64, a_clock: f64, what: &str| {
            term(resource, lanes / (a_clock * clocks), format!("{lanes} {what}, {a_clock} a clock and multiprocessor"));
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
        lanes("issue", counters.instructions() as f64, has.schedulers.0, "warp instructions");
        let moved = counters.moved_bytes();
        Self {
            card: &card.name,
            terms,
            chain: chain(counters, card),
            uncached: Term {
                resource: "memory, nothing cached",
                microseconds: moved as f64 / bandwidth * 1e6,
                of: format!("{moved} bytes at {} GB/s", card.memory_gbs.0),
            },
            without_peak,
        }
    }

    /// The modelled limit: the largest of the resources, with the dependent chain among them or without. None where nothing
    /// was done.
    pub fn limit(&self, with_chain: bool) -> Option<&Term> {
        let chain = with_chain.then_some(&self.chain);
        self.terms.iter().chain(chain).max_by(|a, b| a.microseconds.total_cmp(&b.microseconds))
    }
}

/// Launches, and within each the barriers of the block that has most.
fn chain(counters: &Counters, card: &Card) -> Term {
    let latencies = &CATALOGUE.latencies;
    let barrier_us = latencies.block_barrier_clocks.0 / card.clock_mhz.0;
    Term {
        resource: "chain",
        microseconds: counters.launches as f64 * latencies.launch_us.0 + counters.barrier_chain as f64 * barrier_us,
        of: format!(
            "launches: {}, of {} us each; barriers: {}, of {} clocks each",
            counters.launches, latencies.launch_us.0, counters.barrier_chain, latencies.block_barrier_clocks.0
        ),
    }
}
