//! One mutant on its cases, in a process of its own: `--worker` reads jobs, a line of JSON each, and answers with verdicts,
//! before which comes an empty line for each case that noticed nothing.

use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::rc::Rc;

use oblate_cli::arguments::Choice;
use oblate_cli::cases::Recipe;
use oblate_cli::place::Session;
use oblate_cli::validate::{Outcome, Problem, check};
use oblate_softgpu::{Settings, rewrite_ptx};
use serde::{Deserialize, Serialize};

use crate::ptx::Listing;

/// Under which each case runs once more: a barrier that is missing may show under one alone.
const SCHEDULES: u32 = 2;

/// Warp instructions after which a block does not end: a hundred times what any block of the cases takes.
const WATCHDOG: u64 = 50_000_000;

/// A kernel, changed or not, and the cases to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) kernel: String,
    /// The number of a line in the module's text, and what stands there instead.
    pub(crate) replaced: Option<(usize, String)>,
    /// The kernels that the cases need: the others are left out of their modules, which takes loading them out of the time.
    pub(crate) kept: BTreeSet<String>,
    /// Indices of the cases, in the order in which they run.
    pub(crate) cases: Vec<usize>,
}

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Killed(Kill),
    Survived,
    /// It does not load: not PTX, so not a mutant.
    Unloadable(String),
}

/// What noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kill {
    pub(crate) by: Check,
    /// The case that it showed in.
    pub(crate) case: String,
    /// What the check says, its first line.
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Check {
    /// The software device found the kernel at fault: memory, a barrier, a loop without an end.
    Finding,
    /// An output beyond its bound.
    Value,
    /// Other bits when run again, elsewhere, in place, or a row alone.
    Bits,
    /// The operation answered with an error.
    Error,
    /// No answer in time.
    Timeout,
    /// The process ended: a defect of the software device.
    Crash,
}

/// Runs the jobs that come on standard input.
///
/// # Errors
/// When the other end is gone.
pub(crate) fn serve(recipes: &[Recipe], seed: u64) -> std::io::Result<()> {
    let mut killers = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let job: Job = serde_json::from_str(&line?)?;
        let verdict = judge(job, recipes, seed, &mut killers);
        let mut answer = serde_json::to_string(&verdict)?;
        answer.push('\n');
        let mut output = std::io::stdout().lock();
        output.write_all(answer.as_bytes())?;
        output.flush()?;
    }
    Ok(())
}

/// Runs a job's cases until one of them notices. `killers` has the cases that noticed before, the latest last: what killed
/// one mutant often kills the next, and the order decides nothing but the time.
fn judge(job: Job, recipes: &[Recipe], seed: u64, killers: &mut Vec<usize>) -> Verdict {
    let mut cases = job.cases.clone();
    cases.sort_by_key(|case| std::cmp::Reverse(killers.iter().position(|killer| killer == case)));
    let job = Rc::new(job);
    let rewrite = move |text: &str| {
        let has_kernel = text.contains(&format!(".entry {}(", job.kernel));
        let replaced = job.replaced.as_ref().filter(|_| has_kernel).map(|(line, text)| (*line, text.as_str()));
        Some(Listing::rewrite(text, replaced, &job.kept))
    };
    let run = || {
        let session = match Session::open(Choice::Software) {
            Ok(session) => session,
            Err(error) => {
                return Verdict::Killed(Kill { by: Check::Error, case: String::new(), text: error.to_string() });
            }
        };
        for case in cases {
            let outcome = check(&session, &recipes[case], seed, SCHEDULES);
            if let Some(problem) = outcome.problems.first() {
                killers.retain(|&killer| killer != case);
                killers.push(case);
                return verdict(&outcome, problem);
            }
            println!();
        }
        Verdict::Survived
    };
    let mut settings = Settings::environment().cloned().unwrap_or_default();
    settings.watchdog = WATCHDOG;
    settings.workers = 1; // a process for each core
    settings.with(|| rewrite_ptx(rewrite, run))
}

fn verdict(outcome: &Outcome, problem: &Problem) -> Verdict {
    let text = problem.to_string();
    let by = match problem {
        Problem::Finding { .. } => Check::Finding,
        Problem::Wrong { .. } => Check::Value,
        Problem::Bits { .. } => Check::Bits,
        _ if text.contains("cuModuleLoadData") => return Verdict::Unloadable(text),
        _ => Check::Error,
    };
    let text = text.lines().next().unwrap_or_default().to_owned();
    Verdict::Killed(Kill { by, case: outcome.name.clone(), text })
}
