//! `oblate report`: what an operation moves and executes.

use std::process::ExitCode;

use super::print;
use super::run::assignments;
use crate::arguments::{Choice, ReportArguments};
use crate::json;
use crate::place::Session;
use crate::report::{Compiled, Report, SHAPES, table};
use crate::{Result, dispatch};

/// A report and what ptxas made of its kernels.
#[derive(serde::Serialize)]
struct Page<'a> {
    #[serde(flatten)]
    report: &'a Report,
    compiled: Vec<Compiled>,
}

/// Counts one call, or with `--all` every call of reports/counts.json, on the software device.
///
/// # Errors
/// For an unknown operation, or a size, dtype or parameter that it does not take.
pub fn report(arguments: &ReportArguments) -> Result<ExitCode> {
    let Some(operation) = &arguments.operation else {
        let session = Session::open(Choice::Software)?;
        let measure = |shape: &crate::report::Shape| Report::measure(&session, shape.operation, shape.set);
        let reports: Vec<Report> = SHAPES.iter().map(measure).collect::<Result<_>>()?;
        if arguments.json {
            print(&json::pretty(&reports))?;
        } else {
            print(&reports.iter().map(|report| table(report) + "\n").collect::<String>())?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    dispatch::operation(operation)?;
    let set = assignments(&arguments.set)?;
    let report = Report::measure(&Session::open(Choice::Software)?, operation, &set)?;
    if arguments.json {
        print(&json::pretty(&Page { report: &report, compiled: report.compiled() }))?;
    } else {
        print(&table(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}
