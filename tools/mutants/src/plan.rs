//! Which mutants are tried, and on which cases.
//!
//! A kernel has thousands of instructions, most of them copies: an unrolled loop's, a template's for another type. Those of
//! one source line that are changed in the same words are one mutant; which of its copies is changed, the seed decides.

use std::collections::{BTreeMap, BTreeSet};

use oblate_cli::cases::Recipe;
use oblate_cli::random::Random;

use crate::mutation::{Mutation, Written, mutations};
use crate::ptx::{Instruction, Listing, Source};
use crate::trial::{Job, Surveyed};

/// A mutant that is tried.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    pub(crate) kernel: String,
    pub(crate) source: Source,
    pub(crate) what: String,
    /// How many instructions of the operation's kernels it stands for.
    pub(crate) copies: usize,
    /// Whether a case executes the instruction, as far as the survey can tell.
    pub(crate) is_reached: bool,
    pub(crate) job: Job,
}

/// One change of one instruction.
#[derive(Clone, Debug)]
struct Change {
    kernel: String,
    run: usize,
    line: usize,
    text: String,
}

/// All cases of what is asked for, as they run unchanged.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The modules that were loaded.
    texts: Vec<Module>,
    /// By kernel, the cases that launch it, the most unlike first.
    cases: BTreeMap<String, Vec<usize>>,
    /// By case, every kernel that its runs launch.
    kernels: Vec<BTreeSet<String>>,
    /// By case, what it costs to run.
    elements: Vec<usize>,
    /// By kernel and straight run of its instructions, the cases that execute it.
    reached: BTreeMap<(String, usize), BTreeSet<usize>>,
}

#[derive(Debug)]
struct Module {
    text: String,
    listing: Listing,
}

/// Instructions of a source line that no case executes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hole {
    pub(crate) instructions: usize,
    pub(crate) kernels: BTreeSet<String>,
}

impl Survey {
    /// What the cases ran, one answer each.
    ///
    /// # Errors
    /// The first case that does not pass: an unchanged kernel that fails would seem to kill every mutant.
    pub(crate) fn of(recipes: &[Recipe], answers: Vec<Surveyed>) -> Result<Self, String> {
        let mut texts = BTreeSet::new();
        for (recipe, answer) in recipes.iter().zip(&answers) {
            if let Some(problem) = &answer.problem {
                return Err(format!("{} fails with the kernels as they are: {problem}", recipe.name()));
            }
            texts.extend(answer.texts.iter().cloned());
        }
        let module = |text: String| Module { listing: Listing::of(&text), text };
        let mut survey = Self { texts: texts.into_iter().map(module).collect(), ..Self::default() };
        let mut costs: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
        let runs = survey.runs();
        for (case, answer) in answers.into_iter().enumerate() {
            for (kernel, stretches) in &answer.lines {
                costs.entry(kernel.clone()).or_default().push((answer.elements, case));
                let own = runs.get(kernel).map_or(&[][..], Vec::as_slice);
                for run in stretches.iter().flat_map(|&stretch| within(own, stretch)) {
                    survey.reached.entry((kernel.clone(), run)).or_default().insert(case);
                }
            }
            survey.elements.push(answer.elements);
            survey.kernels.push(answer.lines.into_keys().collect());
        }
        for (kernel, mut costs) in costs {
            costs.sort_unstable();
            let cases = costs.into_iter().map(|(_, case)| case).collect();
            survey.cases.insert(kernel, most_unlike_first(cases, recipes));
        }
        Ok(survey)
    }

    /// By kernel, its lines with their straight runs; the first line is 1.
    fn runs(&self) -> BTreeMap<String, Vec<(u32, usize)>> {
        let mut runs: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (kernel, instruction) in self.instructions() {
            runs.entry(kernel.to_owned()).or_default().push((instruction.line as u32 + 1, instruction.run));
        }
        runs
    }

    /// Every instruction with its kernel.
    fn instructions(&self) -> impl Iterator<Item = (&str, &Instruction)> {
        self.texts.iter().flat_map(|Module { listing, .. }| {
            listing.instructions.iter().map(|i| (listing.entries[i.entry].name.as_str(), i))
        })
    }

    /// Cases that between them execute every straight run that any case executes, cheap ones.
    pub(crate) fn cover(&self) -> BTreeSet<usize> {
        let mut runs: BTreeMap<usize, Vec<_>> = BTreeMap::new();
        for (run, cases) in &self.reached {
            for &case in cases {
                runs.entry(case).or_default().push(run);
            }
        }
        let mut cover: Vec<usize> = runs.keys().copied().collect();
        cover.sort_by_key(|&case| self.elements[case]);
        let mut covered: BTreeSet<&(String, usize)> = BTreeSet::new();
        cover.retain(|case| {
            let before = covered.len();
            covered.extend(runs[case].iter().copied());
            covered.len() > before
        });
        cover.into_iter().collect()
    }

    /// The kernels that some case launches.
    pub(crate) fn launched(&self) -> impl Iterator<Item = &str> {
        self.cases.keys().map(String::as_str)
    }

    /// Those of the same modules that no case launches.
    pub(crate) fn idle(&self) -> BTreeSet<&str> {
        let all = self.texts.iter().flat_map(|module| &module.listing.entries).map(|entry| entry.name.as_str());
        all.filter(|kernel| !self.cases.contains_key(*kernel)).collect()
    }

    /// How many instructions the kernels that are launched have, and by source line those that no case executes.
    pub(crate) fn holes(&self) -> (usize, BTreeMap<Source, Hole>) {
        let (mut all, mut holes) = (0, BTreeMap::new());
        for (kernel, instruction) in self.instructions().filter(|(kernel, _)| self.cases.contains_key(*kernel)) {
            all += 1;
            if !self.reached.contains_key(&(kernel.to_owned(), instruction.run)) {
                let hole: &mut Hole = holes.entry(instruction.source.clone()).or_default();
                hole.instructions += 1;
                hole.kernels.insert(kernel.to_owned());
            }
        }
        (all, holes)
    }

    /// The text of a kernel's module with the kernel alone, and a line of it replaced.
    pub(crate) fn alone(&self, kernel: &str, replaced: Option<(usize, &str)>) -> Option<String> {
        let has = |module: &&Module| module.listing.entries.iter().any(|entry| entry.name == kernel);
        let module = self.texts.iter().find(has)?;
        Some(Listing::rewrite(&module.text, replaced, &BTreeSet::from([kernel.to_owned()])))
    }

    /// The job of a kernel that is left as it is, on the cheapest of its cases: the survey has run them all, and this is
    /// to see that the rewritten module runs.
    pub(crate) fn unchanged(&self, kernel: &str) -> Job {
        let mut job = self.job(kernel, None, None);
        job.cases.sort_by_key(|&case| self.elements[case]);
        job.cases.truncate(1);
        job
    }

    /// On the cases that execute the straight run; where none is known to, on all that launch the kernel, since a run
    /// may be one that becomes no operation.
    fn job(&self, kernel: &str, run: Option<usize>, replaced: Option<(usize, String)>) -> Job {
        let mut cases = self.cases[kernel].clone();
        if let Some(reached) = run.and_then(|run| self.reached.get(&(kernel.to_owned(), run))) {
            cases.retain(|case| reached.contains(case));
        }
        let kept = cases.iter().flat_map(|&case| &self.kernels[case]).cloned().collect();
        Job { kernel: kernel.to_owned(), replaced, kept, cases }
    }

    /// Every change of the kernels that are launched: kernel, source line, what is changed.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&str, Source, String)> {
        let mut written = (("", usize::MAX), Written::default());
        let launched = self.instructions().filter(|(kernel, _)| self.cases.contains_key(*kernel));
        launched.flat_map(move |(kernel, instruction)| {
            if written.0 != (kernel, instruction.entry) {
                written = ((kernel, instruction.entry), Written::default());
            }
            let changes: Vec<_> = keyed(instruction, &written.1).collect();
            written.1.add(instruction);
            changes.into_iter().map(move |((source, what), _)| (kernel, source, what))
        })
    }

    /// The distinct mutants of the kernels that are launched, in an order that the seed decides.
    pub(crate) fn mutants(&self, seed: u64) -> Vec<Mutant> {
        let mut copies: BTreeMap<(Source, String), Vec<Change>> = BTreeMap::new();
        for Module { listing, .. } in &self.texts {
            let mut written = (usize::MAX, Written::default());
            for instruction in &listing.instructions {
                if written.0 != instruction.entry {
                    written = (instruction.entry, Written::default());
                }
                let kernel = &listing.entries[instruction.entry].name;
                if self.cases.contains_key(kernel) {
                    for (key, text) in keyed(instruction, &written.1) {
                        let Instruction { run, line, .. } = *instruction;
                        copies.entry(key).or_default().push(Change { kernel: kernel.clone(), run, line, text });
                    }
                }
                written.1.add(instruction);
            }
        }
        let mut random = Random::new("mutants", seed);
        let mut mutants: Vec<Mutant> = copies
            .into_iter()
            .map(|((source, what), copies)| {
                let Change { kernel, run, line, text } = copies[random.below(copies.len() as u64) as usize].clone();
                let is_reached = self.reached.contains_key(&(kernel.clone(), run));
                let job = self.job(&kernel, Some(run), Some((line, text)));
                Mutant { kernel, source, what, copies: copies.len(), is_reached, job }
            })
            .collect();
        random.shuffle(&mut mutants);
        mutants
    }
}

/// The straight runs of the lines from the first to the last.
fn within(lines: &[(u32, usize)], (first, last): (u32, u32)) -> impl Iterator<Item = usize> {
    let begin = lines.partition_point(|&(line, _)| line < first);
    lines[begin..].iter().take_while(move |&&(line, _)| line <= last).map(|&(_, run)| run)
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
