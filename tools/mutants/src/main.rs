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
use std::{env, fs, io, thread};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use oblate_cli::cases::{self, Recipe};
use oblate_cli::effort::{Effort, Efforts};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::equivalent::{Equivalents, Prover, Sources};
use crate::plan::{Mutant, Survey};
use crate::pool::Silence;
use crate::ptx::Source;
use crate::report::{Hole, Report, Summary, Tried, Why};
use crate::trial::{Job, Request, Surveyed, Verdict};

/// Changes one instruction of a kernel at a time and sees whether the operation's cases notice.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask mutants")]
#[allow(clippy::struct_excessive_bools, reason = "flags of a command line")]
struct Arguments {
    /// An operation or a family
    name: String,
    /// How many of the distinct mutants to try
    #[arg(long, value_name = "COUNT", default_value_t = 400, conflicts_with = "all")]
    sample: usize,
    /// Try every distinct mutant
    #[arg(long)]
    all: bool,
    /// Take the cases and the kernels of this dtype alone: f32, f16, bf16
    #[arg(long, value_name = "DTYPE")]
    dtype: Option<String>,
    /// Fail when less than PERCENT of the mutants that can be killed are
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0)]
    least: f64,
    /// Decides the sample, and the copy that a mutant stands for
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Processes that run mutants, one per core by default
    #[arg(long, value_name = "COUNT")]
    workers: Option<usize>,
    /// Run the cases of reports/effort alone, which execute all that is executed
    #[arg(long)]
    quick: bool,
    /// Try no mutant: count what cases that execute all that is executed cost, and write it to reports/effort/NAME.json
    #[arg(long, conflicts_with_all = ["quick", "dtype", "json", "write"])]
    effort: bool,
    /// Every mutant and what became of it, as JSON
    #[arg(long)]
    json: bool,
    /// Write the figures, and the mutants that were not killed, to reports/mutants/NAME.json
    #[arg(long)]
    write: bool,
    /// Answer the requests on standard input
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
    let mut recipes = cases::of(&arguments.name);
    if let Some(dtype) = &arguments.dtype {
        recipes.retain(|recipe| oblate_cli::tensor::dtype_name(recipe.dtype()) == *dtype);
    }
    let efforts = committed(&recipes)?;
    if arguments.quick {
        recipes.retain(|recipe| efforts.0.contains_key(recipe.name()));
    }
    if recipes.is_empty() {
        return Err(format!("{} has no cases; these have: {}", arguments.name, cases::names().join(", ")).into());
    }
    if arguments.worker {
        trial::serve(&recipes, &efforts)?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.effort {
        write_effort(arguments, &recipes)?;
        return Ok(ExitCode::SUCCESS);
    }
    is_current(arguments, &recipes, &efforts)?;
    let report = report(arguments, &recipes)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    let passes = report.passes(arguments.least);
    if arguments.write {
        let path = root().join(format!("reports/mutants/{}.json", arguments.name));
        let written = Written { summary: report.summary(), report: report.without_killed() };
        fs::write(path, serde_json::to_string_pretty(&written)? + "\n")?;
    }
    Ok(ExitCode::from(u8::from(!passes)))
}

/// What `--write` leaves in the repository.
#[derive(Serialize)]
struct Written {
    summary: Summary,
    report: Report,
}

fn report(arguments: &Arguments, recipes: &[Recipe]) -> Result<Report, Box<dyn Error>> {
    let root = root();
    let operations: BTreeSet<&str> = recipes.iter().map(Recipe::operation).collect();
    let equivalents = Equivalents::read(&root, operations.into_iter())?;
    let survey = survey(arguments, recipes)?;
    unchanged_kernels_pass(arguments, &survey)?;

    let mut sources = Sources::default();
    let mut mutants = survey.mutants(arguments.seed);
    for (kernel, source, what) in survey.changes() {
        equivalents.note(kernel, &source, sources.line(&root, &source), &what);
    }
    let (distinct, changes) = (mutants.len(), mutants.iter().map(|mutant| mutant.copies).sum());
    mutants.truncate(if arguments.all { distinct } else { arguments.sample });
    mutants.sort_by(|a, b| (&a.source, &a.what).cmp(&(&b.source, &b.what)));
    let jobs: Vec<Job> = mutants.iter().map(|mutant| mutant.job.clone()).collect();
    let verdicts = judge(arguments, &jobs, "mutants")?;

    for (mutant, _) in mutants.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Survived) {
        let Mutant { kernel, source, what, job, .. } = mutant;
        let ptx = job.replaced.as_ref().map_or("", |(_, ptx)| ptx.as_str());
        eprintln!("mutants: survived: {kernel}, {}:{}, {what}: {ptx}", source.file, source.line);
    }
    // What survives where no case is known to execute it is tried again as a trap, which nothing that reaches it survives.
    let survived = || mutants.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Survived);
    let doubted = survived().filter(|(mutant, _)| !mutant.is_reached);
    let traps: Vec<Job> = doubted.map(|(mutant, _)| trap(mutant)).collect();
    let mut traps = judge(arguments, &traps, "survivors as traps")?.into_iter();
    let proving = bar(survived().count(), "survivors by ptxas");
    let mut prover = Prover::new()?;
    let mut tried = Vec::new();
    for (mutant, verdict) in mutants.iter().zip(verdicts) {
        let text = sources.line(&root, &mutant.source).to_owned();
        let mut equivalent = equivalents.why(mutant, &text).map(|why| Why::Listed(why.to_owned()));
        let mut reached = None;
        if verdict == Verdict::Survived {
            proving.inc(1);
            reached = Some(mutant.is_reached || traps.next() != Some(Verdict::Survived));
            if prover.proves(&survey, mutant) {
                equivalent = Some(Why::Proven);
            }
        }
        tried.push(Tried {
            kernel: mutant.kernel.clone(),
            file: mutant.source.file.clone(),
            line: mutant.source.line,
            text,
            mutation: mutant.what.clone(),
            ptx: mutant.job.replaced.as_ref().map(|(_, ptx)| ptx.clone()).unwrap_or_default(),
            copies: mutant.copies,
            verdict,
            reached,
            equivalent,
        });
    }
    proving.finish_and_clear();
    let (instructions, holes) = survey.holes();
    let hole = |(source, hole): (Source, plan::Hole)| Hole {
        text: sources.line(&root, &source).to_owned(),
        file: source.file,
        line: source.line,
        instructions: hole.instructions,
        kernels: hole.kernels,
    };
    Ok(Report {
        name: arguments.name.clone(),
        seed: arguments.seed,
        cases: recipes.len(),
        distinct,
        changes,
        instructions,
        holes: holes.into_iter().map(hole).collect(),
        idle: survey.idle().into_iter().filter(|kernel| is_asked(arguments, kernel)).map(str::to_owned).collect(),
        // Of a dtype's kernels alone it cannot be told.
        stale: if arguments.dtype.is_none() { equivalents.stale() } else { Vec::new() },
        mutants: tried,
    })
}

fn survey(arguments: &Arguments, recipes: &[Recipe]) -> Result<Survey, Box<dyn Error>> {
    let requests: Vec<Request> = (0..recipes.len()).map(Request::Survey).collect();
    let answers = ask(arguments, &requests, "unchanged cases")?;
    let silent = |silence| Surveyed { problem: Some(format!("{silence:?}")), ..Surveyed::default() };
    Ok(Survey::of(recipes, answers.into_iter().map(|answer| answer.unwrap_or_else(silent)).collect())?)
}

/// What the operations of these cases are committed to cost.
fn committed(recipes: &[Recipe]) -> io::Result<Efforts> {
    let operations: BTreeSet<&str> = recipes.iter().map(Recipe::operation).collect();
    let mut all = Efforts::default();
    for operation in operations {
        all.0.extend(Efforts::read(&root(), operation)?.0);
    }
    Ok(all)
}

/// What the cases cost, by name.
fn count(arguments: &Arguments, recipes: &[Recipe], cases: &BTreeSet<usize>) -> Result<Efforts, Box<dyn Error>> {
    let requests: Vec<Request> = cases.iter().copied().map(Request::Effort).collect();
    let answers = ask::<Result<Vec<Effort>, String>>(arguments, &requests, "efforts")?;
    let mut efforts = Efforts::default();
    for (&case, answer) in cases.iter().zip(answers) {
        let name = recipes[case].name();
        let effort = answer.map_err(|silence| format!("{name}: {silence:?}"))?;
        efforts.0.insert(name.to_owned(), effort.map_err(|error| format!("{name}: {error}"))?);
    }
    Ok(efforts)
}

fn write_effort(arguments: &Arguments, recipes: &[Recipe]) -> Result<(), Box<dyn Error>> {
    if recipes.iter().any(|recipe| recipe.operation() != arguments.name) {
        return Err("--effort takes one operation".into());
    }
    let cover = survey(arguments, recipes)?.cover();
    let efforts = count(arguments, recipes, &cover)?;
    efforts.write(&root(), &arguments.name)?;
    eprintln!("mutants: {} of {} cases execute all that is executed", cover.len(), recipes.len());
    Ok(())
}

/// A case that costs something else as the kernels are would seem to kill every mutant.
fn is_current(arguments: &Arguments, recipes: &[Recipe], efforts: &Efforts) -> Result<(), Box<dyn Error>> {
    let listed = (0..recipes.len()).filter(|&case| efforts.0.contains_key(recipes[case].name())).collect();
    for (name, counted) in count(arguments, recipes, &listed)?.0 {
        if efforts.0[&name] != counted {
            return Err(format!("{name} costs {counted:?}, which is not what reports/effort says: see --effort").into());
        }
    }
    Ok(())
}

/// Whether a kernel that no case launches should be launched: `reduction_sum` has no dtype.
fn is_asked(arguments: &Arguments, kernel: &str) -> bool {
    let others = ["f32", "f16", "bf16"].into_iter().filter(|dtype| Some(*dtype) != arguments.dtype.as_deref());
    arguments.dtype.is_none() || !others.into_iter().any(|dtype| kernel.split('_').any(|part| part == dtype))
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
    let requests: Vec<Request> = jobs.iter().cloned().map(Request::Trial).collect();
    let answers = ask(arguments, &requests, what)?;
    Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(Verdict::silent)).collect())
}

fn ask<A: DeserializeOwned + Send>(
    arguments: &Arguments,
    requests: &[Request],
    what: &'static str,
) -> io::Result<Vec<Result<A, Silence>>> {
    let workers = arguments.workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let (bar, clock) = (bar(requests.len(), what), Instant::now());
    let mut passed_on = vec![arguments.name.clone()];
    passed_on.extend(arguments.quick.then(|| "--quick".to_owned()));
    passed_on.extend(arguments.dtype.iter().map(|dtype| format!("--dtype={dtype}")));
    let answers = pool::ask(requests, &passed_on, workers, || bar.inc(1))?;
    bar.finish_and_clear();
    eprintln!("mutants: {} {what} in {:.0} s", requests.len(), clock.elapsed().as_secs_f64());
    Ok(answers)
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
