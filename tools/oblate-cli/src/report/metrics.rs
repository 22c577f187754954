//! What a report says, as names and values: what its table and a comparison print.

use oblate_softgpu::inspect::counters::Traffic;

use super::Report;
use super::cards::Card;
use super::limits::Limits;

/// A value and how it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Count(u64),
    Ratio(f64),
    /// Modelled.
    Microseconds(f64),
}

impl Value {
    pub(super) fn number(self) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Ratio(number) | Self::Microseconds(number) => number,
        }
    }

    pub(super) fn text(self) -> String {
        match self {
            Self::Count(count) => grouped(count),
            Self::Ratio(ratio) if ratio.is_nan() => "none".to_owned(),
            Self::Ratio(ratio) => format!("{ratio:.3}"),
            Self::Microseconds(us) => microseconds(us),
        }
    }
}

/// The counts of a report, in the order of its table.
pub(super) fn counts(report: &Report) -> Vec<(String, Value)> {
    use Value::{Count, Ratio};
    let total = report.total();
    let ratio = |a: u64, b: u64| Ratio(a as f64 / b as f64);
    let mut rows: Vec<(String, Value)> = Vec::new();
    let mut row = |name: &str, value| rows.push((name.to_owned(), value));
    row("bytes moved", Count(report.moved_bytes));
    row("bytes compulsory (inputs and outputs, once)", Count(report.compulsory_bytes));
    row("moved / compulsory", ratio(report.moved_bytes, report.compulsory_bytes));
    row("bytes of distinct sectors, launch by launch", Count(total.compulsory_bytes()));
    if let Some(model) = report.model {
        row("bytes of the tile model", Count(model.tile_bytes));
        row("moved / tile model", ratio(report.moved_bytes, model.tile_bytes));
        let tensor = total.tensor_flops().values().sum();
        row("tensor operations / multiply-adds of the product", ratio(tensor, model.multiply_adds));
        row("bytes of workspace", Count(model.workspace_bytes));
    }
    for (name, traffic) in [("loads", &total.global_loads), ("stores", &total.global_stores)] {
        row(&format!("global {name}: requests"), Count(traffic.requests));
        row(&format!("global {name}: sectors of 32 bytes"), Count(traffic.sectors));
        row(&format!("global {name}: sectors / request"), ratio(traffic.sectors, traffic.requests));
        for (bytes, requests) in widths(traffic) {
            row(&format!("global {name}: requests of {bytes} bytes a lane"), Count(requests));
        }
    }
    row("global atomics: requests", Count(total.global_atomics.requests));
    row("global atomics: operations", Count(total.global_atomics.operations));
    row("global atomics: sectors", Count(total.global_atomics.sectors));
    row("shared memory: requests", Count(total.shared.requests));
    row("shared memory: wavefronts", Count(total.shared.wavefronts));
    row("shared memory: bank conflicts", Count(total.shared.conflicts));
    row("shared atomics: operations", Count(total.shared_atomics));
    row("local memory: bytes", Count(total.local_bytes));
    row("warp instructions", Count(total.instructions()));
    for (class, count) in &total.warp_instructions {
        row(&format!("  {}", name(class)), Count(*count));
    }
    row("thread instructions", Count(total.thread_instructions.values().sum()));
    row("active lanes an instruction, mean", Ratio(total.mean_active_lanes()));
    row("divergent branches", Count(total.divergent_branches));
    for (of, flops) in &total.flops {
        row(&format!("{} flops", name(of)), Count(*flops));
    }
    for (operation, count) in &total.tensor {
        row(&format!("tensor cores: {operation}"), Count(*count));
    }
    for (of, flops) in total.tensor_flops() {
        row(&format!("tensor cores: {of} operations, two a product"), Count(flops));
    }
    row("barriers of blocks", Count(total.barriers));
    row("barriers on the longest path", Count(total.barrier_chain));
    row("launches", Count(total.launches));
    rows
}

/// What the model says of a report, for each card.
pub(super) fn modelled(report: &Report, cards: &[&'static Card]) -> Vec<(String, Value)> {
    let total = report.total();
    let mut rows = Vec::new();
    for card in cards {
        let limits = Limits::of(&total, card);
        for term in limits.terms.iter().chain([&limits.chain]) {
            rows.push((format!("{}: {}, us", card.name, term.resource), Value::Microseconds(term.microseconds)));
        }
        for (words, with_chain) in [("limit without the chain", false), ("limit", true)] {
            let limit = limits.limit(with_chain).map_or(0.0, |term| term.microseconds);
            rows.push((format!("{}: modelled {words}, us", card.name), Value::Microseconds(limit)));
        }
    }
    rows
}

/// The word of a class or a type, as JSON has it.
pub(super) fn name(of: &impl serde::Serialize) -> String {
    serde_json::to_value(of).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Widths of a lane's access and their requests, those that there are.
fn widths(traffic: &Traffic) -> impl Iterator<Item = (u32, u64)> {
    (0..).map(|i| 1u32 << i).zip(traffic.by_width).filter(|(_, count)| *count > 0)
}

/// Three digits at least, and whole microseconds in groups of three.
pub(crate) fn microseconds(us: f64) -> String {
    match us {
        us if us < 10.0 => format!("{us:.3}"),
        us if us < 100.0 => format!("{us:.2}"),
        us if us < 1000.0 => format!("{us:.1}"),
        us => grouped(us.round() as u64),
    }
}

/// `1,234,567`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_in_threes() {
        let numbers = [0, 999, 1000, 123_456, 1_234_567];
        assert_eq!(numbers.map(grouped), ["0", "999", "1,000", "123,456", "1,234,567"]);
        assert_eq!([0.25, 12.346, 123.44, 12345.4].map(microseconds), ["0.250", "12.35", "123.4", "12,345"]);
    }
}
