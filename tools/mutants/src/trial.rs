//! What a worker does, in a process of its own: `--worker` reads requests, a line of JSON each, and answers each with a line,
//! before which comes an empty one for each case that noticed nothing.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, Write};
use std::rc::Rc;

use oblate_cli::arguments::Choice;
use oblate_cli::cases::Recipe;
use oblate_cli::effort::{Effort, Efforts};
use oblate_cli::place::Session;
use oblate_cli::validate::{Outcome, Prepared, Problem};
use oblate_softgpu::{Settings, coverage, rewrite_ptx};
use serde::{Deserialize, Serialize};

use crate::pool::Silence;
use crate::ptx::Listing;

/// Under which each case runs once more: a barrier that is missing may show under one alone.
const SCHEDULES: u32 = 2;

/// Warp instructions after which a block does not end: four times what any block of the cases takes.
const WATCHDOG: u64 = 4_000_000;

/// Of the random inputs: the committed efforts are counted with these.
const INPUTS: u64 = 0;

/// Elements of the cases that a worker keeps, with their references: 20 bytes each.
const KEPT_ELEMENTS: usize = 20_000_000;

/// What a worker is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// To judge a mutant: a [`Verdict`].
    Trial(Job),
    /// To run a case with the kernels as they are: a [`Surveyed`].
    Survey(usize),
    /// To count what a case costs with the kernels as they are: its efforts, or what is wrong.
    Effort(usize),
}

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

impl Verdict {
    /// Of a worker that did not answer.
    pub(crate) fn silent(silence: Silence) -> Self {
        let by = match silence {
            Silence::Timeout => Check::Timeout,
            Silence::Crash => Check::Crash,
        };
        Self::Killed(Kill { by, case: String::new(), text: String::new() })
    }
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
    /// An output beyond its bound.
    Value,
    /// Other bits when run again, elsewhere, in place, or a row alone.
    Bits,
    /// Every result is right, at another cost than is committed.
    Effort,
    /// The software device found the kernel at fault: memory, a race, a barrier.
    Finding,
    /// A loop without an end, as the software device finds it.
    Watchdog,
    /// The operation answered with an error.
    Error,
    /// No answer in time.
    Timeout,
    /// The process ended: a defect of the software device.
    Crash,
}

/// What a case runs, as the kernels are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Surveyed {
    /// What is wrong; then the rest is empty.
    pub(crate) problem: Option<String>,
    /// Elements of its inputs and outputs: what it costs to run.
    pub(crate) elements: usize,
    /// By kernel, the lines that ran, each stretch as its first and last.
    pub(crate) lines: BTreeMap<String, Vec<(u32, u32)>>,
    /// The modules that this worker has not shown before.
    pub(crate) texts: Vec<String>,
}

/// Answers the requests that come on standard input.
///
/// # Errors
/// When the other end is gone.
pub(crate) fn serve(recipes: &[Recipe], efforts: &Efforts) -> std::io::Result<()> {
    let mut worker = Worker { recipes, efforts, kept: HashMap::new(), elements: 0, killers: Vec::new(), survey: None };
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?)? {
            Request::Trial(job) => serde_json::to_string(&worker.judge(job)),
            Request::Survey(case) => serde_json::to_string(&worker.survey(case)),
            Request::Effort(case) => serde_json::to_string(&worker.effort(case).map_err(|error| error.to_string())),
        };
        let mut answer = answer?;
        answer.push('\n');
        let mut output = std::io::stdout().lock();
        output.write_all(answer.as_bytes())?;
        output.flush()?;
    }
    Ok(())
}

type Texts = Rc<RefCell<Vec<String>>>;

struct Worker<'a> {
    recipes: &'a [Recipe],
    efforts: &'a Efforts,
    kept: HashMap<usize, Rc<Prepared>>,
    /// Of the cases that are kept.
    elements: usize,
    /// The cases that noticed before, the latest last: what killed one mutant often kills the next, and the order decides
    /// nothing but the time.
    killers: Vec<usize>,
    /// The session of the unchanged kernels, with its modules, and those that were shown.
    survey: Option<(Session, Texts, usize)>,
}

impl Worker<'_> {
    fn prepared(&mut self, case: usize) -> oblate_cli::Result<Rc<Prepared>> {
        if let Some(prepared) = self.kept.get(&case) {
            return Ok(Rc::clone(prepared));
        }
        let prepared = Rc::new(Prepared::of(&self.recipes[case], INPUTS)?);
        if self.elements + prepared.elements() <= KEPT_ELEMENTS {
            self.elements += prepared.elements();
            self.kept.insert(case, Rc::clone(&prepared));
        }
        Ok(prepared)
    }

    /// What the case is committed to cost.
    fn committed(&self, case: usize) -> Option<&[Effort]> {
        self.efforts.0.get(self.recipes[case].name()).map(Vec::as_slice)
    }

    /// What the case costs with the kernels as they are.
    fn effort(&mut self, case: usize) -> oblate_cli::Result<Vec<Effort>> {
        let prepared = self.prepared(case)?;
        settings().with(|| prepared.effort(&Session::open(Choice::Software)?))
    }

    /// Runs a job's cases until one of them notices.
    fn judge(&mut self, job: Job) -> Verdict {
        self.survey = None;
        let mut cases = job.cases.clone();
        cases.sort_by_key(|&case| {
            let killer = self.killers.iter().position(|&killer| killer == case);
            (Reverse(killer), self.committed(case).is_none())
        });
        // To do less is not to cost less: what is dropped is missed where a result, or a race, shows it.
        let is_dropped = job.replaced.as_ref().is_some_and(|(_, text)| text.is_empty());
        let job = Rc::new(job);
        let rewrite = move |text: &str| {
            let has_kernel = text.contains(&format!(".entry {}(", job.kernel));
            let replaced = job.replaced.as_ref().filter(|_| has_kernel).map(|(line, text)| (*line, text.as_str()));
            Some(Listing::rewrite(text, replaced, &job.kept))
        };
        let run = || {
            let session = match Session::open(Choice::Software) {
                Ok(session) => session,
                Err(error) => return failed(&error, String::new()),
            };
            for case in cases {
                let name = self.recipes[case].name();
                let prepared = match self.prepared(case) {
                    Ok(prepared) => prepared,
                    Err(error) => return failed(&error, name.to_owned()),
                };
                let outcome = prepared.check(&session, SCHEDULES, true);
                let verdict = match (outcome.problems.first(), self.committed(case).filter(|_| !is_dropped)) {
                    (Some(problem), _) => Some(verdict(&outcome, problem)),
                    (None, Some(committed)) => costs(&prepared, &session, committed, name),
                    (None, None) => None,
                };
                if let Some(verdict) = verdict {
                    self.killers.retain(|&killer| killer != case);
                    self.killers.push(case);
                    return verdict;
                }
                println!();
            }
            Verdict::Survived
        };
        let mut settings = settings();
        settings.watchdog = WATCHDOG;
        settings.checks.races = true;
        settings.checks.equal_writes = true;
        settings.with(|| rewrite_ptx(rewrite, run))
    }

    fn survey(&mut self, case: usize) -> Surveyed {
        self.try_survey(case)
            .unwrap_or_else(|error| Surveyed { problem: Some(error.to_string()), ..Surveyed::default() })
    }

    fn try_survey(&mut self, case: usize) -> oblate_cli::Result<Surveyed> {
        let prepared = self.prepared(case)?;
        let (session, texts, shown) = match &mut self.survey {
            Some(survey) => survey,
            none => {
                let session = settings().with(|| Session::open(Choice::Software))?;
                none.insert((session, Texts::default(), 0))
            }
        };
        let seen = Rc::clone(texts);
        let see = move |text: &str| {
            let mut texts = seen.borrow_mut();
            if !texts.iter().any(|known| known == text) {
                texts.push(text.to_owned());
            }
            None
        };
        let (outcome, lines) = coverage(|| rewrite_ptx(see, || prepared.check(session, 1, false)));
        let texts = texts.borrow();
        let new = texts[*shown..].to_vec();
        *shown = texts.len();
        let problem = outcome.problems.first().map(ToString::to_string);
        let lines = lines.into_iter().map(|(kernel, lines)| (kernel, stretches(lines))).collect();
        Ok(Surveyed { problem, elements: prepared.elements(), lines, texts: new })
    }
}

/// A process for each core.
fn settings() -> Settings {
    let mut settings = Settings::environment().cloned().unwrap_or_default();
    settings.workers = 1;
    settings
}

/// Neighbours together.
fn stretches(lines: BTreeSet<u32>) -> Vec<(u32, u32)> {
    let mut stretches: Vec<(u32, u32)> = Vec::new();
    for line in lines {
        match stretches.last_mut() {
            Some((_, last)) if *last + 1 == line => *last = line,
            _ => stretches.push((line, line)),
        }
    }
    stretches
}

fn failed(error: &oblate_cli::Error, case: String) -> Verdict {
    Verdict::Killed(Kill { by: Check::Error, case, text: error.to_string() })
}

/// The end of a mutant whose launches are not as many, or not as dear, as the case's are committed to be.
fn costs(prepared: &Prepared, session: &Session, committed: &[Effort], case: &str) -> Option<Verdict> {
    let effort = match prepared.effort(session) {
        Ok(effort) => effort,
        Err(error) => return Some(failed(&error, case.to_owned())),
    };
    let differs = effort.iter().zip(committed).find(|(effort, committed)| effort != committed);
    let text = match differs {
        None if effort.len() == committed.len() => return None,
        None => format!("{} launches, not {}", effort.len(), committed.len()),
        Some((effort, committed)) => format!("{effort:?}, not {committed:?}"),
    };
    Some(Verdict::Killed(Kill { by: Check::Effort, case: case.to_owned(), text }))
}

fn verdict(outcome: &Outcome, problem: &Problem) -> Verdict {
    let text = problem.to_string();
    let by = match problem {
        Problem::Finding { text, .. } if text.contains("and does not end") => Check::Watchdog,
        Problem::Finding { .. } => Check::Finding,
        Problem::Wrong { .. } => Check::Value,
        Problem::Bits { .. } => Check::Bits,
        _ if text.contains("cuModuleLoadData") => return Verdict::Unloadable(text),
        _ => Check::Error,
    };
    let text = text.lines().next().unwrap_or_default().to_owned();
    Verdict::Killed(Kill { by, case: outcome.name.clone(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_stretch() {
        assert_eq!(stretches(BTreeSet::from([7, 1, 2, 3, 9, 8])), [(1, 3), (7, 9)]);
        assert!(stretches(BTreeSet::new()).is_empty());
    }
}
