//! `oblate advise`: which output layer is cheapest.

use std::process::ExitCode;

use oblate::Dtype;

use super::print;
use crate::advise::{Advice, Head, MOST, Runs, Shape, advise as advice};
use crate::arguments::AdviseArguments;
use crate::report::limits::Term;
use crate::report::{MODELLED, cards, grouped, microseconds, new, numbers_right};
use crate::{Result, json};

/// Prints the heads for a shape on a card, and where the cheapest changes.
///
/// # Errors
/// For an unknown card.
pub fn advise(arguments: &AdviseArguments) -> Result<ExitCode> {
    let card = cards::named(std::slice::from_ref(&arguments.card))?[0];
    let AdviseArguments { rows, width, classes, .. } = *arguments;
    let dtype = Dtype::FLOATS.into_iter().find(|dtype| dtype.name() == arguments.dtype).unwrap_or(Dtype::Bf16);
    let advice = advice(Shape { rows, width, classes, dtype }, card);
    print(&if arguments.json { json::pretty(&advice) } else { text(&advice) })?;
    Ok(ExitCode::SUCCESS)
}

fn text(advice: &Advice) -> String {
    let Shape { rows, width, classes, dtype } = advice.shape;
    let on = format!("{}, {} rows of width {}", advice.card, grouped(rows), grouped(width));
    format!(
        "{on}, {} classes, {dtype}\n{MODELLED}; * the largest\n{}\n{}\n{}\n\n{}\n",
        grouped(classes),
        table(advice),
        cheapest(advice),
        crossings(advice),
        notes(advice)
    )
}

fn table(advice: &Advice) -> comfy_table::Table {
    const RESOURCES: [&str; 4] = ["memory", "tensor", "issue", "chain"];
    let header = ["head", "of", "launches", "bytes", "tensor operations"].iter().chain(&RESOURCES);
    let mut table = new(&header.chain(&["limit without chain", "limit"]).map(ToString::to_string).collect::<Vec<_>>());
    for head in advice.trained.iter().chain(&advice.frozen).chain([&advice.gram]) {
        let limit = head.limit;
        let tensor = head.work.tensor.iter().map(|(of, count)| format!("{} {of}", grouped(*count as u64)));
        let mut row = vec![
            head.operation.to_owned(),
            head.of.to_owned(),
            grouped(head.work.launches as u64),
            grouped(head.work.bytes as u64),
            tensor.collect::<Vec<_>>().join(", "),
        ];
        row.extend(RESOURCES.map(|resource| {
            let term = head.terms.iter().chain([&head.chain]).find(|term| term.resource == resource);
            term.map_or_else(String::new, |Term { microseconds: us, .. }| {
                format!("{}{}", microseconds(*us), if *us >= limit { " *" } else { "" })
            })
        }));
        row.extend([head.limit_without_chain, head.limit].map(microseconds));
        table.add_row(row);
    }
    numbers_right(&mut table, 2);
    table
}

/// What is cheapest, of the heads that train the weight and of those that do not.
fn cheapest(advice: &Advice) -> String {
    let than = |[a, b]: &[Head; 2]| {
        let (first, second) = if b.limit < a.limit { (b, a) } else { (a, b) };
        let [least, more] = [first, second].map(|head| microseconds(head.limit));
        format!("{} is the cheapest: {least} us, modelled, and {} {more} us", first.operation, second.operation)
    };
    format!("To train the weight {}.\nWith a frozen weight {}.", than(&advice.trained), than(&advice.frozen))
}

/// Where `spherical.factored` is the cheaper.
fn crossings(advice: &Advice) -> String {
    let Shape { rows, width, classes, .. } = advice.shape;
    let (rows, width, classes) = (grouped(rows), grouped(width), grouped(classes));
    format!(
        "spherical.factored beats spherical.linear_cross_entropy\n  at {rows} rows of width {width}: {}; without the chain: \
         {}\n  at {classes} classes of width {width}: {}",
        words(&advice.classes, "classes"),
        words(&advice.classes_without_chain, "classes"),
        words(&advice.rows, "rows"),
    )
}

fn words(runs: &Runs, what: &str) -> String {
    let run = |&(from, to): &(u64, u64)| match (from, to) {
        (1, MOST) => format!("at any number of {what}"),
        (1, to) => format!("up to {} {what}", grouped(to)),
        (from, MOST) => format!("from {} {what} on", grouped(from)),
        (from, to) => format!("from {} to {} {what}", grouped(from), grouped(to)),
    };
    if runs.is_empty() {
        format!("at no number of {what}")
    } else {
        runs.iter().map(run).collect::<Vec<_>>().join(", ")
    }
}

/// What the figures leave out, and what another head changes besides them.
fn notes(advice: &Advice) -> String {
    format!(
        "spherical.linear_cross_entropy: log-softmax; a trained weight is updated by gradient descent, without momentum.\n\
         spherical.factored: another loss, of the spherical family; plain gradient descent with weight decay; f32 whatever \
         the dtype.\n  Its state V, U, T, Q is {} bytes; the weight of the other and its gradient are {}.\n  One block \
         eliminates its small system, which is in the chain; its upkeep is not.\n\
         spherical.linear: a spherical loss; the gradient by hidden alone; another weight needs another Gram.\n",
        grouped(advice.factored_bytes),
        grouped(advice.weight_bytes)
    )
}
