//! Which mutants are tried, and on which cases.
//!
//! A kernel has thousands of instructions, most of them copies: an unrolled loop's, a template's for another type. Those of
//! one source line that are changed in the same words are one mutant; which of its copies is changed, the seed decides.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use indicatif::ProgressBar;
use oblate_cli::arguments::Choice;
use oblate_cli::cases::Recipe;
use oblate_cli::dispatch::{self, Call};
use oblate_cli::place::{Placement, Session};
use oblate_cli::random::Random;
use oblate_softgpu::{record, rewrite_ptx};

use crate::mutation::{Mutation, Written, mutations};
use crate::ptx::{Instruction, Listing, Source};
use crate::trial::Job;

/// A mutant that is tried.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    pub(crate) kernel: String,
    pub(crate) source: Source,
    pub(crate) what: String,
    /// How many instructions of the operation's kernels it stands for.
    pub(crate) copies: usize,
    pub(crate) job: Job,
}

/// A line of a kernel, and what stands there instead.
#[derive(Clone, Debug)]
struct Change {
    kernel: String,
    line: usize,
    text: String,
}

/// All cases of what is asked for, as they run unchanged.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Of each module that was loaded, its text.
    texts: Vec<String>,
    /// By kernel, the cases that launch it, the most unlike first.
    cases: BTreeMap<String, Vec<usize>>,
    /// By case, every kernel that its runs launch.
    kernels: Vec<BTreeSet<String>>,
}

impl Survey {
    /// Runs each case once, and once for the row that it runs alone.
    ///
    /// # Errors
    /// What a case answers with: an unchanged kernel runs.
    pub(crate) fn of(recipes: &[Recipe], seed: u64, bar: &ProgressBar) -> oblate_cli::Result<Self> {
        let texts = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&texts);
        let see = move |text: &str| {
            let mut texts = seen.borrow_mut();
            if !texts.iter().any(|known| known == text) {
                texts.push(text.to_owned());
            }
            None
        };
        let ran = rewrite_ptx(see, || -> oblate_cli::Result<Vec<_>> {
            let session = Session::open(Choice::Software)?;
            recipes
                .iter()
                .map(|recipe| {
                    bar.inc(1);
                    kernels(&session, recipe, seed)
                })
                .collect()
        })?;
        let mut survey = Self { texts: texts.take(), ..Self::default() };
        let mut costs: BTreeMap<String, Vec<(u64, usize)>> = BTreeMap::new();
        for (case, (kernels, instructions)) in ran.into_iter().enumerate() {
            for kernel in &kernels {
                costs.entry(kernel.clone()).or_default().push((instructions, case));
            }
            survey.kernels.push(kernels);
        }
        for (kernel, mut costs) in costs {
            costs.sort_unstable();
            let cases = costs.into_iter().map(|(_, case)| case).collect();
            survey.cases.insert(kernel, most_unlike_first(cases, recipes));
        }
        Ok(survey)
    }

    /// The kernels that some case launches.
    pub(crate) fn launched(&self) -> impl Iterator<Item = &str> {
        self.cases.keys().map(String::as_str)
    }

    /// The job of a kernel that is left as it is, on one case for each set of kernels that a case may need.
    pub(crate) fn unchanged(&self, kernel: &str) -> Job {
        let mut seen = BTreeSet::new();
        let mut job = self.job(kernel, None);
        job.cases.retain(|&case| seen.insert(&self.kernels[case]));
        job
    }

    fn job(&self, kernel: &str, replaced: Option<(usize, String)>) -> Job {
        let cases = self.cases[kernel].clone();
        let kept = cases.iter().flat_map(|&case| &self.kernels[case]).cloned().collect();
        Job { kernel: kernel.to_owned(), replaced, kept, cases }
    }

    /// The distinct mutants of the kernels that are launched, in an order that the seed decides.
    pub(crate) fn mutants(&self, seed: u64) -> Vec<Mutant> {
        let mut copies: BTreeMap<(Source, String), Vec<Change>> = BTreeMap::new();
        for text in &self.texts {
            let listing = Listing::of(text);
            let mut written = (usize::MAX, Written::default());
            for instruction in &listing.instructions {
                if written.0 != instruction.entry {
                    written = (instruction.entry, Written::default());
                }
                let kernel = &listing.entries[instruction.entry].name;
                if self.cases.contains_key(kernel) {
                    for (key, line) in keyed(instruction, &written.1) {
                        copies.entry(key).or_default().push(Change {
                            kernel: kernel.clone(),
                            line: instruction.line,
                            text: line,
                        });
                    }
                }
                written.1.add(instruction);
            }
        }
        let mut random = Random::new("mutants", seed);
        let mut mutants: Vec<Mutant> = copies
            .into_iter()
            .map(|((source, what), copies)| {
                let Change { kernel, line, text } = copies[random.below(copies.len() as u64) as usize].clone();
                let job = self.job(&kernel, Some((line, text)));
                Mutant { kernel, source, what, copies: copies.len(), job }
            })
            .collect();
        random.shuffle(&mut mutants);
        mutants
    }
}

fn keyed(instruction: &Instruction, written: &Written) -> impl Iterator<Item = ((Source, String), String)> {
    let mutations = mutations(instruction, written).into_iter();
    mutations.map(|Mutation { what, line }| ((instruction.source.clone(), what), line))
}

/// The next case is the one whose name has the most words that no case before it has, the cheapest of several: a shape, a
/// fill, a loss, an option are a word each, so that the first few cases have something of everything.
fn most_unlike_first(mut cheapest_first: Vec<usize>, recipes: &[Recipe]) -> Vec<usize> {
    let mut ordered = Vec::with_capacity(cheapest_first.len());
    let mut seen = BTreeSet::new();
    while !cheapest_first.is_empty() {
        let new = |case: &usize| words(recipes[*case].name()).filter(|word| !seen.contains(word)).count();
        let (mut best, mut most) = (0, 0);
        for (place, case) in cheapest_first.iter().enumerate() {
            let count = new(case);
            if count > most {
                (best, most) = (place, count);
            }
        }
        if most == 0 {
            seen.clear();
        }
        let case = cheapest_first.remove(best);
        seen.extend(words(recipes[case].name()));
        ordered.push(case);
    }
    ordered
}

/// The words of a case's name; a shape in brackets is one.
fn words(name: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    name.split(move |c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ' ' && depth == 0
    })
}

/// The kernels that the runs of a case launch, and the warp instructions of the first.
fn kernels(session: &Session, recipe: &Recipe, seed: u64) -> oblate_cli::Result<(BTreeSet<String>, u64)> {
    let case = recipe.build(seed);
    let (card, operation) = dispatch::operation(case.operation)?;
    let set = case.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let call = Call::new(card, set, case.tensors.clone())?;
    let mut kernels = BTreeSet::new();
    let mut instructions = 0;
    for (index, call) in
        [Some(call.clone()), call.row_alone().map(|(_, alone)| alone)].into_iter().flatten().enumerate()
    {
        let (ran, record) = record(|| operation.run(session, &call, Placement::default()));
        ran?;
        for launch in record.launches {
            instructions += if index == 0 { launch.counters.instructions() } else { 0 };
            kernels.insert(launch.kernel);
        }
    }
    Ok((kernels, instructions))
}
