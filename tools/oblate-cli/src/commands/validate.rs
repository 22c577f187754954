//! `oblate validate`: the cases of an operation, a family or everything, in a table.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use oblate::operations::nearest;

use super::print;
use crate::arguments::{Choice, ValidateArguments};
use crate::json;
use crate::place::Session;
use crate::validate::{Digest, Summary, check};
use crate::{Error, Result, cases};

/// Failures printed beside the table; `--json` has all of them.
const FAILURES_SHOWN: usize = 50;

/// Runs the cases and prints the table; exit code 1 when one of them failed.
///
/// # Errors
/// When there is no such operation or family, or no such device.
pub fn validate(arguments: &ValidateArguments) -> Result<ExitCode> {
    if arguments.device == Choice::Reference {
        return Err(Error::ReferenceAgainstItself);
    }
    let recipes = match &arguments.name {
        None => cases::all(),
        Some(name) => cases::of(name),
    };
    if let (true, Some(name)) = (recipes.is_empty(), &arguments.name) {
        let known = cases::names();
        let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
        return Err(Error::NoCases { name: name.clone(), nearest });
    }
    let session = Session::open(arguments.device)?;
    let mut summary = Summary::new(session.to_string(), arguments.seed);
    let bar = ProgressBar::new(recipes.len() as u64).with_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} cases, {eta} left  {msg}")
            .expect("a template of known keys"),
    );
    for recipe in &recipes {
        bar.set_message(recipe.name().to_owned());
        let outcome = check(&session, recipe, arguments.seed, arguments.schedules);
        if arguments.digest {
            summary.digests.extend(outcome.outputs.iter().map(|output| Digest::of(&outcome, output)));
        }
        summary.add(outcome);
        bar.inc(1);
    }
    bar.finish_and_clear();
    if arguments.json {
        print(&json::pretty(&summary))?;
    } else {
        for digest in &summary.digests {
            print(&format!("{digest}\n"))?;
        }
        print(&format!("{}\n", summary.table()))?;
        for line in summary.failure_lines(FAILURES_SHOWN) {
            eprintln!("{line}");
        }
    }
    Ok(ExitCode::from(u8::from(!summary.passed())))
}
