//! Many reports, a row each.

use super::Report;
use super::cards::Card;
use super::limits::Limits;
use super::metrics::{Value, grouped, microseconds};
use super::table::{COUNTED, MODELLED, new, numbers_right, set};

/// By operation, what each call moves and executes, and what bounds it on each card.
pub fn overview(reports: &[Report], cards: &[&'static Card]) -> String {
    let of_an_operation = reports.chunk_by(|a, b| a.operation == b.operation);
    let tables = of_an_operation
        .map(|reports| format!("{}\n{}\n{}\n", reports[0].operation, counts(reports), limits(reports, cards)));
    format!(
        "Above: {COUNTED}.\nBelow: {MODELLED}; the largest, and the dependent chain where it is longer.\n\n{}",
        tables.collect::<Vec<_>>().join("\n")
    )
}

const COUNTS: [&str; 9] = [
    "call",
    "bytes moved",
    "/ compulsory",
    "sectors / request",
    "bank conflicts",
    "flops / byte",
    "warp instructions",
    "active lanes",
    "launches",
];

fn counts(reports: &[Report]) -> comfy_table::Table {
    let mut table = new(&COUNTS.map(str::to_owned));
    for report in reports {
        let total = report.total();
        let requests = total.global_loads.requests + total.global_stores.requests;
        let sectors = total.global_loads.sectors + total.global_stores.sectors;
        table.add_row([
            set(report),
            grouped(report.moved_bytes),
            Value::Ratio(report.moved_bytes as f64 / report.compulsory_bytes as f64).text(),
            Value::Ratio(sectors as f64 / requests as f64).text(),
            grouped(total.shared.conflicts),
            Value::Ratio(report.flops() / total.compulsory_bytes() as f64).text(),
            grouped(total.instructions()),
            format!("{:.2}", total.mean_active_lanes()),
            total.launches.to_string(),
        ]);
    }
    numbers_right(&mut table, 1);
    table
}

fn limits(reports: &[Report], cards: &[&'static Card]) -> comfy_table::Table {
    let names = cards.iter().map(|card| card.name.clone());
    let mut table = new(&["call".to_owned()].into_iter().chain(names).collect::<Vec<_>>());
    for report in reports {
        let total = report.total();
        let limit = |card: &&'static Card| {
            let limits = Limits::of(&total, card);
            let Some(largest) = limits.limit(false) else { return "nothing".to_owned() };
            let text = format!("{} {}", largest.resource, microseconds(largest.microseconds));
            if limits.chain.microseconds > largest.microseconds {
                format!("{text}, chain {}", microseconds(limits.chain.microseconds))
            } else {
                text
            }
        };
        table.add_row([set(report)].into_iter().chain(cards.iter().map(limit)));
    }
    numbers_right(&mut table, 1);
    table
}
