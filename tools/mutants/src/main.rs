//! `cargo xtask mutants`: changes one instruction of an operation's kernels at a time, runs the operation's cases, and says
//! which changes nothing noticed. A survivor is a case that is missing, or a change that makes no difference.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "counts of mutants and of cases")]

mod equivalent;
mod mutation;
mod plan;
mod pool;
mod ptx;
mod report;
mod trial;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use std::{env, io, thread};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use oblate_cli::cases::{self, Recipe};

use crate::equivalent::{Equivalents, Sources};
use crate::plan::{Mutant, Survey};
use crate::report::{Report, Tried};
use crate::trial::{Job, Verdict};

/// Changes one instruction of a kernel at a time and sees whether the operation's cases notice.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask mutants")]
struct Arguments {
    /// An operation or a family
    name: String,
    /// How many of the distinct mutants to try
    #[arg(long, value_name = "COUNT", default_value_t = 400, conflicts_with = "all")]
    sample: usize,
    /// Try every distinct mutant
    #[arg(long)]
    all: bool,
    /// Run no more than COUNT of a kernel's cases, the most unlike of them; all by default
    #[arg(long, value_name = "COUNT")]
    cases: Option<usize>,
    /// Fail when less than PERCENT of the mutants that can be killed are
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0)]
    least: f64,
    /// Decides the sample, the copy that a mutant stands for, and the random inputs
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Processes that run mutants, one per core by default
    #[arg(long, value_name = "COUNT")]
    workers: Option<usize>,
    /// Every mutant and what became of it, as JSON
    #[arg(long)]
    json: bool,
    /// Judge the jobs on standard input
    #[arg(long, hide = true)]
    worker: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("mutants: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let recipes = cases::of(&arguments.name);
    if recipes.is_empty() {
        return Err(format!("{} has no cases; these have: {}", arguments.name, cases::names().join(", ")).into());
    }
    if arguments.worker {
        trial::serve(&recipes, arguments.seed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = report(arguments, &recipes)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(ExitCode::from(u8::from(!report.reaches(arguments.least))))
}

fn report(arguments: &Arguments, recipes: &[Recipe]) -> Result<Report, Box<dyn Error>> {
    let root = root();
    let operations: BTreeSet<&str> = recipes.iter().map(Recipe::operation).collect();
    let equivalents = Equivalents::read(&root, operations.into_iter())?;
    let surveying = bar(recipes.len(), "unchanged cases");
    let survey = Survey::of(recipes, arguments.seed, &surveying)?;
    surveying.finish_and_clear();
    unchanged_kernels_pass(arguments, &survey)?;

    let mut mutants = survey.mutants(arguments.seed);
    let (distinct, changes) = (mutants.len(), mutants.iter().map(|mutant| mutant.copies).sum());
    mutants.truncate(if arguments.all { distinct } else { arguments.sample });
    for mutant in &mut mutants {
        mutant.job.cases.truncate(arguments.cases.unwrap_or(usize::MAX));
    }
    mutants.sort_by(|a, b| (&a.source, &a.what).cmp(&(&b.source, &b.what)));
    let jobs: Vec<Job> = mutants.iter().map(|mutant| mutant.job.clone()).collect();
    let verdicts = judge(arguments, &jobs, "mutants")?;

    // What survives is tried again as a trap, which nothing that reaches it survives.
    let survived = || mutants.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Survived);
    let traps: Vec<Job> = survived().map(|(mutant, _)| trap(mutant)).collect();
    let mut traps = judge(arguments, &traps, "survivors")?.into_iter();
    let mut sources = Sources::default();
    let tried = mutants.iter().zip(&verdicts).map(|(mutant, verdict)| {
        let text = sources.line(&root, &mutant.source).to_owned();
        let is_survivor = *verdict == Verdict::Survived;
        let why = equivalents.why(&mutant.source, &text, &mutant.what).filter(|_| is_survivor);
        Tried {
            kernel: mutant.kernel.clone(),
            file: mutant.source.file.clone(),
            line: mutant.source.line,
            equivalent: why.map(str::to_owned),
            text,
            mutation: mutant.what.clone(),
            copies: mutant.copies,
            verdict: verdict.clone(),
            reached: if is_survivor { traps.next().map(|verdict| verdict != Verdict::Survived) } else { None },
        }
    });
    let mutants = tried.collect();
    Ok(Report { name: arguments.name.clone(), seed: arguments.seed, distinct, changes, mutants })
}

/// A kernel that fails as it is would seem to kill every mutant.
fn unchanged_kernels_pass(arguments: &Arguments, survey: &Survey) -> Result<(), Box<dyn Error>> {
    let jobs: Vec<Job> = survey.launched().map(|kernel| survey.unchanged(kernel)).collect();
    for (job, verdict) in jobs.iter().zip(judge(arguments, &jobs, "unchanged kernels")?) {
        if verdict != Verdict::Survived {
            return Err(format!("{} fails its cases as it is: {verdict:?}", job.kernel).into());
        }
    }
    Ok(())
}

fn trap(mutant: &Mutant) -> Job {
    let replaced = mutant.job.replaced.as_ref().map(|&(line, _)| (line, "trap;".to_owned()));
    Job { replaced, ..mutant.job.clone() }
}

fn judge(arguments: &Arguments, jobs: &[Job], what: &'static str) -> io::Result<Vec<Verdict>> {
    let workers = arguments.workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let (bar, clock) = (bar(jobs.len(), what), Instant::now());
    let passed_on = [arguments.name.clone(), "--seed".to_owned(), arguments.seed.to_string()];
    let verdicts = pool::judge(jobs, &passed_on, workers, || bar.inc(1))?;
    bar.finish_and_clear();
    eprintln!("mutants: {} {what} in {:.0} s", jobs.len(), clock.elapsed().as_secs_f64());
    Ok(verdicts)
}

fn bar(length: usize, what: &'static str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}, {eta} left").expect("a template of known keys");
    ProgressBar::new(length as u64).with_style(style).with_message(what)
}

/// The workspace. Cargo names the package that it runs; the folder that this was compiled in may have moved since.
fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    package.ancestors().nth(2).unwrap_or_else(|| Path::new(".")).to_path_buf()
}
