//! `oblate report`: what an operation moves and executes, and what cards would need for it.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use super::print;
use super::run::assignments;
use crate::arguments::{Choice, ReportArguments};
use crate::place::Session;
use crate::report::cards::{self, Card};
use crate::report::limits::Limits;
use crate::report::{Compiled, Report, SHAPES, compared, overview, roofline, table};
use crate::{Error, Result, dispatch, json, tensor_file};

/// A report, what ptxas made of its kernels, and what cards would need, modelled.
#[derive(serde::Serialize)]
struct Page<'a> {
    #[serde(flatten)]
    report: &'a Report,
    compiled: Vec<Compiled>,
    modelled: Vec<Limits>,
}

/// Counts one call, two, or with `--all` every call of reports/counts.json, on the software device.
///
/// # Errors
/// For an unknown operation or card, a size, dtype or parameter that the operation does not take, a file that is no report,
/// and a plot that cannot be written.
pub fn report(arguments: &ReportArguments) -> Result<ExitCode> {
    let cards = cards::named(&arguments.card)?;
    if let Some(path) = &arguments.plot {
        if cards.len() != 1 {
            return Err(Error::PlotOfCards);
        }
        tensor_file::folder_of(path)?; // before the work, which may be long
    }
    let reports = measured(arguments)?;
    let text = match (&arguments.compare, reports.as_slice()) {
        _ if arguments.json && arguments.all => json::pretty(&reports),
        (None, [report]) if arguments.json => json::pretty(&page(report, &cards)),
        _ if arguments.json => json::pretty(&reports.iter().map(|report| page(report, &cards)).collect::<Vec<_>>()),
        (Some(_), [first, second]) => compared(first, second, &cards),
        (None, [report]) => table(report, &report.compiled(), &cards),
        _ => overview(&reports, &cards),
    };
    if let (Some(path), [card]) = (&arguments.plot, cards.as_slice()) {
        plot(path, &reports, card)?;
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The reports that are asked for, counted or read.
fn measured(arguments: &ReportArguments) -> Result<Vec<Report>> {
    let Some(first) = &arguments.operation else {
        let session = Session::open(Choice::Software)?;
        return SHAPES.iter().map(|shape| Report::measure(&session, shape.operation, shape.set)).collect();
    };
    let set = assignments(&arguments.set)?;
    let named: Vec<&String> = [Some(first), arguments.compare.as_ref()].into_iter().flatten().collect();
    let is_file = |name: &str| Path::new(name).extension().is_some_and(|extension| extension == "json");
    if !set.is_empty() && named.iter().all(|name| is_file(name)) {
        return Err(Error::NothingToSet);
    }
    // Every name before any work.
    for name in named.iter().filter(|name| !is_file(name)) {
        dispatch::operation(name)?;
    }
    let one = |name: &&String| {
        if is_file(name) {
            return Report::read(Path::new(name));
        }
        Report::measure(&Session::open(Choice::Software)?, name, &set)
    };
    named.iter().map(one).collect()
}

fn page<'a>(report: &'a Report, cards: &[&'static Card]) -> Page<'a> {
    let total = report.total();
    let modelled = cards.iter().map(|card| Limits::of(&total, card)).collect();
    Page { report, compiled: report.compiled(), modelled }
}

fn plot(path: &Path, reports: &[Report], card: &'static Card) -> Result<()> {
    let svg = roofline(reports, card).map_err(|what| Error::Plot { path: path.into(), what })?;
    fs::write(path, svg).map_err(|source| Error::Write { path: path.into(), source })
}
