//! `oblate validate`: every case on a device, against its f64 reference, and against itself in other places.

mod summary;

pub use summary::{Digest, Group, Summary, Worst};

use crate::cases::Recipe;
use crate::compare::{Expected, Mismatch, compare, differing_bits};
use crate::dispatch::{self, Call, Operation, WrongData};
use crate::effort::Effort;
use crate::hash::fnv1a;
use crate::place::{Placement, Session, record};
use crate::tensor::is_float;
use crate::{Result, Tensors};

/// What became of one case.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Outcome {
    /// The case's name.
    pub name: String,
    /// The operation's name.
    pub operation: &'static str,
    /// The dtype of its `f` tensors.
    pub dtype: String,
    /// Each output.
    pub outputs: Vec<Output>,
    /// What is wrong; nothing for a case that passes.
    pub problems: Vec<Problem>,
}

/// One output of a case.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Output {
    /// Its name.
    pub tensor: String,
    /// The largest error over its bound.
    pub worst: f64,
    /// Whether its entries are integers, whose bounds are narrow by themselves.
    pub is_integer: bool,
    /// A hash of its bits, in hexadecimal.
    pub digest: String,
}

/// What is wrong with a case.
#[derive(Clone, Debug, thiserror::Error, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// Entries beyond their bound.
    #[error("{first}{}", others(*wrong))]
    Wrong {
        /// How many.
        wrong: usize,
        /// The first.
        first: Mismatch,
    },
    /// Other bits from another run of the same call.
    #[error("{tensor}{index:?} has other bits {run}")]
    Bits {
        /// Which run, in words.
        run: String,
        /// The output.
        tensor: String,
        /// The first entry that differs.
        index: Vec<usize>,
    },
    /// The software device found a kernel at fault.
    #[error("{text}, {run}")]
    Finding {
        /// Which run, in words.
        run: String,
        /// The finding.
        text: String,
    },
    /// The call failed.
    #[error("{text}, {run}")]
    Failed {
        /// Which run, in words.
        run: String,
        /// The error.
        text: String,
    },
}

fn others(wrong: usize) -> String {
    if wrong > 1 { format!(" (and {} others)", wrong - 1) } else { String::new() }
}

/// The runs of a case after the first: each must give the bits of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    First,
    /// The same once more, under other schedules too.
    Again,
    /// Inputs one element into their allocations, outputs at the start of theirs: two alignments in one launch.
    Shifted,
    /// The gradient over its tensor, both three elements into their allocation.
    InPlace,
    /// One row without the others.
    Alone(usize),
}

impl Run {
    fn placement(self) -> Placement {
        match self {
            Self::First | Self::Again | Self::Alone(_) => Placement::default(),
            Self::Shifted => Placement { input_offset: 1, ..Placement::default() },
            Self::InPlace => Placement { input_offset: 3, output_offset: 3, in_place: true },
        }
    }

    fn words(self) -> String {
        match self {
            Self::First => "when run".to_owned(),
            Self::Again => "when run again".to_owned(),
            Self::Shifted => "when the inputs are shifted by one element".to_owned(),
            Self::InPlace => "in place, shifted by three elements".to_owned(),
            Self::Alone(row) => format!("when row {row} is run alone"),
        }
    }
}

/// A call, and what the device has to say of its data: nothing, where they are right.
#[derive(Debug)]
struct Asked {
    call: Call,
    refused: Option<String>,
}

impl Asked {
    fn of(operation: &dyn Operation, call: Call) -> Self {
        let refused = operation.reference(&call).err().map(|error| error.to_string());
        Self { call, refused }
    }
}

/// A case with what its outputs must be: what is the same however often it runs.
#[derive(Debug)]
pub struct Prepared {
    name: String,
    dtype: String,
    asked: Asked,
    alone: Option<(usize, Asked)>,
    operation: &'static dyn Operation,
    expected: Vec<(&'static str, Expected)>,
}

impl Prepared {
    /// Builds the case that the recipe and `seed` decide, and its reference.
    ///
    /// # Errors
    /// As [`Call::new`] and [`Operation::reference`].
    pub fn of(recipe: &Recipe, seed: u64) -> Result<Self> {
        let case = recipe.build(seed);
        let (card, operation) = dispatch::operation(case.operation)?;
        let set = case.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let call = Call::new(card, set, case.tensors)?;
        let alone = call.row_alone().map(|(row, alone)| (row, Asked::of(operation, alone)));
        let (expected, refused) = match operation.reference(&call) {
            Ok(expected) => (expected, None),
            Err(error) => {
                let Some((right, wrong)) = WrongData::corrected(&call) else { return Err(error) };
                let mut expected = operation.reference(&right)?;
                wrong.undefine(&call, &mut expected);
                (expected, Some(error.to_string()))
            }
        };
        let asked = Asked { call, refused };
        Ok(Self { name: case.name, dtype: crate::tensor::dtype_name(case.dtype), asked, alone, operation, expected })
    }

    /// Runs the case, once under so many schedules, and judges it. Where all that is asked is whether it passes, no more
    /// runs follow one that shows it does not.
    pub fn check(&self, session: &Session, schedules: u32, whether: bool) -> Outcome {
        let mut outcome = Outcome::new(self.name.clone(), self.operation.name(), self.dtype.clone());
        let Some(first) = outcome.run(session, self.operation, &self.asked, Run::First, 1) else { return outcome };
        for (tensor, expected) in &self.expected {
            let got = &first[*tensor];
            let comparison = compare(tensor, got, expected);
            outcome.outputs.push(Output {
                tensor: (*tensor).to_owned(),
                worst: comparison.worst,
                is_integer: !is_float(expected.dtype),
                digest: format!("{:016x}", fnv1a(got.bytes().iter().copied())),
            });
            if let Some(first) = comparison.first {
                outcome.problems.push(Problem::Wrong { wrong: comparison.wrong, first });
            }
        }
        let mut runs = vec![Run::Again, Run::Shifted];
        if self.operation.in_place(&self.asked.call).is_some() {
            runs.push(Run::InPlace);
        }
        for run in runs {
            if whether && !outcome.passed() {
                return outcome;
            }
            let schedules = if run == Run::Again { schedules } else { 1 };
            if let Some(outputs) = outcome.run(session, self.operation, &self.asked, run, schedules) {
                outcome.same_bits(run, &first, &outputs);
            }
        }
        if let Some((row, alone)) = self.alone.as_ref().filter(|_| !whether || outcome.passed()) {
            let run = Run::Alone(*row);
            if let Some(outputs) = outcome.run(session, self.operation, alone, run, 1) {
                let of_rows = first.iter().filter(|(name, _)| self.asked.call.is_by_row(name));
                let own = of_rows.map(|(name, tensor)| (name.clone(), tensor.rows(*row, 1))).collect();
                outcome.same_bits(run, &own, &outputs);
            }
        }
        outcome
    }

    /// What the launches cost, with the inputs at the start of their allocations and one element further. They count on
    /// the software device alone.
    ///
    /// # Errors
    /// When the call fails.
    pub fn effort(&self, session: &Session) -> Result<Vec<Effort>> {
        let mut efforts = Vec::new();
        for run in [Run::First, Run::Shifted] {
            let launch = || self.operation.launch(session, &self.asked.call, run.placement());
            let (outputs, record) = oblate_softgpu::record(launch);
            outputs.map(drop)?;
            efforts.extend(record.launches.into_iter().map(Effort::from));
        }
        Ok(efforts)
    }

    /// Elements of its inputs and outputs.
    pub fn elements(&self) -> usize {
        let inputs = self.asked.call.tensors.values().map(|tensor| tensor.shape().iter().product::<usize>());
        inputs.chain(self.expected.iter().map(|(_, expected)| expected.values.len())).sum()
    }
}

/// Runs one case and judges it; once under so many schedules of the software device.
pub fn check(session: &Session, recipe: &Recipe, seed: u64, schedules: u32) -> Outcome {
    match Prepared::of(recipe, seed) {
        Ok(prepared) => prepared.check(session, schedules, false),
        Err(error) => {
            let dtype = crate::tensor::dtype_name(recipe.dtype());
            let mut outcome = Outcome::new(recipe.name().to_owned(), recipe.operation(), dtype);
            outcome.failed(Run::First, &error);
            outcome
        }
    }
}

impl Outcome {
    fn new(name: String, operation: &'static str, dtype: String) -> Self {
        Self { name, operation, dtype, outputs: Vec::new(), problems: Vec::new() }
    }

    /// Runs the call; what goes wrong is noted, and what came out is given even when a finding was noted.
    fn run(
        &mut self,
        session: &Session,
        operation: &dyn Operation,
        asked: &Asked,
        run: Run,
        schedules: u32,
    ) -> Option<Tensors> {
        let (outputs, findings) = record(schedules, || operation.launch(session, &asked.call, run.placement()));
        self.problems.extend(findings.into_iter().map(|text| Problem::Finding { run: run.words(), text }));
        let (outputs, status) = outputs.map_err(|error| self.failed(run, &error)).ok()?;
        let said = status.err().map(|error| error.to_string());
        if said != asked.refused {
            let words = |said: Option<String>| said.map_or_else(|| "nothing".to_owned(), |said| format!("`{said}`"));
            let text = format!("the status says {}, expected {}", words(said), words(asked.refused.clone()));
            self.problems.push(Problem::Failed { run: run.words(), text });
        }
        Some(outputs)
    }

    fn failed(&mut self, run: Run, error: &crate::Error) {
        self.problems.push(Problem::Failed { run: run.words(), text: error.to_string() });
    }

    fn same_bits(&mut self, run: Run, first: &Tensors, other: &Tensors) {
        for (name, tensor) in first {
            if let Some(index) = differing_bits(tensor, &other[name]) {
                self.problems.push(Problem::Bits { run: run.words(), tensor: name.clone(), index });
            }
        }
    }

    /// Whether nothing is wrong.
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }
}
