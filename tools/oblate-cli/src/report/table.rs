//! A report as text.

use std::fmt::Write;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::cards::{CATALOGUE, Card};
use super::limits::Limits;
use super::metrics::{self, Value, grouped, microseconds};
use super::{Compiled, Report};

/// What every table of counts says of them.
pub(super) const COUNTED: &str =
    "counted on the PTX by the software device, before ptxas, which may merge, add or drop instructions; not timed";
/// What every table of limits says of them.
pub(crate) const MODELLED: &str = "modelled, no measurement: the least time in microseconds by published peaks for each resource alone, all at work at once";

/// The counts of a report, its launches, what ptxas made of its kernels, and what the cards would need at least.
pub fn table(report: &Report, compiled: &[Compiled], cards: &[&'static Card]) -> String {
    let mut text = format!("{}\n{COUNTED}\n{}\n{}\n", heading(report), counts(report), launches(report));
    if !compiled.is_empty() {
        let _ = writeln!(text, "by ptxas, and what a multiprocessor holds of it\n{}", kernels(compiled));
    }
    let _ = writeln!(text, "{MODELLED}; * the largest\n{}", limits(report, cards));
    text + &footnotes(report, cards)
}

/// `spherical.dense classes=10 dtype=f32`.
pub(super) fn heading(report: &Report) -> String {
    format!("{} {}", report.operation, set(report))
}

/// `classes=10 dtype=f32`.
pub(super) fn set(report: &Report) -> String {
    report.set.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

pub(crate) fn new(header: &[String]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    if !header.is_empty() {
        table.set_header(header);
    }
    table
}

/// Aligns every column but the first `left` to the right.
pub(crate) fn numbers_right(table: &mut Table, left: usize) {
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn words<const N: usize>(header: [&str; N]) -> Vec<String> {
    header.map(str::to_owned).to_vec()
}

fn counts(report: &Report) -> Table {
    let mut table = new(&[]);
    for (name, value) in metrics::counts(report) {
        table.add_row([name, value.text()]);
    }
    numbers_right(&mut table, 1);
    table
}

fn launches(report: &Report) -> Table {
    let mut table = new(&words(["launch", "grid", "block", "dynamic shared", "bytes moved", "warp instructions"]));
    for launch in &report.launches {
        let extent = |[x, y, z]: [u32; 3]| if (y, z) == (1, 1) { x.to_string() } else { format!("{x} x {y} x {z}") };
        table.add_row([
            launch.kernel.clone(),
            extent(launch.grid),
            extent(launch.block),
            grouped(launch.dynamic_shared_bytes.into()),
            grouped(launch.counters.moved_bytes()),
            grouped(launch.counters.instructions()),
        ]);
    }
    numbers_right(&mut table, 1);
    table
}

fn kernels(compiled: &[Compiled]) -> Table {
    let mut table = new(&words([
        "kernel",
        "architecture",
        "registers",
        "spilled bytes",
        "shared bytes",
        "blocks",
        "warps",
        "occupancy",
        "bound by",
    ]));
    for compiled in compiled {
        let [blocks, warps, share, bound_by] = match &compiled.occupancy {
            Some(occupancy) => [
                occupancy.blocks.to_string(),
                occupancy.warps.to_string(),
                format!("{:.0} %", 100.0 * occupancy.share),
                occupancy.bound_by.to_owned(),
            ],
            None => [const { String::new() }; 4],
        };
        table.add_row([
            compiled.kernel.to_owned(),
            compiled.architecture.to_owned(),
            compiled.registers.to_string(),
            grouped(compiled.spill_bytes.into()),
            grouped(compiled.shared_bytes.into()),
            blocks,
            warps,
            share,
            bound_by,
        ]);
    }
    numbers_right(&mut table, 2);
    table
}

/// A row for each card, a column for each resource that any of them uses.
fn limits(report: &Report, cards: &[&'static Card]) -> Table {
    let total = report.total();
    let all: Vec<Limits> = cards.iter().map(|card| Limits::of(&total, card)).collect();
    let mut resources: Vec<&str> = Vec::new();
    for term in all.iter().flat_map(|limits| &limits.terms) {
        if !resources.contains(&term.resource) {
            resources.push(term.resource);
        }
    }
    let mut header = words(["card"]);
    header.extend(resources.iter().map(ToString::to_string));
    header.extend(words(["chain", "limit without chain", "limit", "memory, nothing cached"]));
    let mut table = new(&header);
    for limits in &all {
        let largest = limits.limit(true).map(|term| term.resource);
        let cell = |resource: &str, us: f64| {
            format!("{}{}", microseconds(us), if largest == Some(resource) { " *" } else { "" })
        };
        let mut row = words([limits.card]);
        for resource in &resources {
            let term = limits.terms.iter().find(|term| term.resource == *resource);
            row.push(term.map_or_else(String::new, |term| cell(resource, term.microseconds)));
        }
        row.push(cell("chain", limits.chain.microseconds));
        row.extend(
            [false, true]
                .map(|with| limits.limit(with).map_or_else(String::new, |term| microseconds(term.microseconds))),
        );
        row.push(microseconds(limits.uncached.microseconds));
        table.add_row(row);
    }
    numbers_right(&mut table, 1);
    table
}

/// Where the figures are from, and what the limits leave out.
pub(super) fn footnotes(report: &Report, cards: &[&'static Card]) -> String {
    let total = report.total();
    let latencies = &CATALOGUE.latencies;
    let mut text = format!(
        "chain: launches: {}, of {} us each; barriers on the longest path: {}, of {} clocks each; {}\n",
        total.launches,
        latencies.launch_us.0,
        total.barrier_chain,
        latencies.block_barrier_clocks.0,
        CATALOGUE.sources[&latencies.launch_us.1],
    );
    for card in cards {
        for of in Limits::of(&total, card).without_peak {
            let _ = writeln!(text, "{}: no peak is published for {of}, which no limit counts", card.name);
        }
        if !total.tensor_flops().is_empty() {
            let _ = writeln!(text, "{}: {}", card.name, CATALOGUE.sources[&card.mma_sync.1]);
        }
    }
    text
}

/// Two reports side by side, and the second by the first.
pub fn compared(first: &Report, second: &Report, cards: &[&'static Card]) -> String {
    let rows = |report: &Report| [metrics::counts(report), metrics::modelled(report, cards)].concat();
    let (a, b) = (rows(first), rows(second));
    let mut table = new(&words(["", "A", "B", "B / A"]));
    for (name, values) in side_by_side(&a, &b) {
        let text = |value: Option<Value>| value.map_or_else(String::new, Value::text);
        let quotient = match values {
            [Some(a), Some(b)] if a.number() != 0.0 && !a.number().is_nan() => {
                format!("{:.3}", b.number() / a.number())
            }
            _ => String::new(),
        };
        table.add_row([name, text(values[0]), text(values[1]), quotient]);
    }
    numbers_right(&mut table, 1);
    format!("A: {}\nB: {}\n{COUNTED}\n{MODELLED}\n{table}\n", heading(first), heading(second))
}

type Rows = [(String, Value)];

/// The rows of both, those of the second alone after the row that they follow there.
fn side_by_side(a: &Rows, b: &Rows) -> Vec<(String, [Option<Value>; 2])> {
    let mut rows: Vec<(String, [Option<Value>; 2])> =
        a.iter().map(|(name, value)| (name.clone(), [Some(*value), None])).collect();
    let mut next = 0;
    for (name, value) in b {
        let at = rows.iter().position(|(other, _)| other == name).unwrap_or_else(|| {
            rows.insert(next, (name.clone(), [None; 2]));
            next
        });
        rows[at].1[1] = Some(*value);
        next = at + 1;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_alone_keep_their_place() {
        let rows = |names: &str| names.chars().map(|name| (name.to_string(), Value::Count(1))).collect::<Vec<_>>();
        let merged = side_by_side(&rows("abd"), &rows("acde"));
        let merged = merged.iter().map(|(name, [a, b])| (name.as_str(), a.is_some(), b.is_some()));
        let expected =
            [("a", true, true), ("c", false, true), ("b", true, false), ("d", true, true), ("e", false, true)];
        assert_eq!(merged.collect::<Vec<_>>(), expected);
    }
}
