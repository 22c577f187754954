//! The table of `oblate validate`: one row for each operation and dtype.

use std::collections::BTreeMap;
use std::fmt;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Table};

use super::{Outcome, Output};

/// What is below its bound by more than this in every case has a bound that is too wide to find anything.
const TOO_WIDE: f64 = 1e-3;

/// The outcomes of a validation, counted.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Summary {
    /// Where the cases ran.
    pub device: String,
    /// The seed of the random inputs.
    pub seed: u64,
    /// One for each operation and dtype, in the order of the cases.
    pub groups: Vec<Group>,
    /// The cases that failed.
    pub failures: Vec<Outcome>,
    /// A hash of every output, where asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<Digest>,
}

/// The hash of one output of one case: equal on two devices where their bits agree.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Digest {
    /// The hash, in hexadecimal.
    pub hash: String,
    /// The case.
    pub case: String,
    /// The output.
    pub tensor: String,
}

impl Digest {
    /// The hash of an output.
    pub fn of(outcome: &Outcome, output: &Output) -> Self {
        Self { hash: output.digest.clone(), case: outcome.name.clone(), tensor: output.tensor.clone() }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}  {}", self.hash, self.case, self.tensor)
    }
}

/// The cases of one operation at one dtype.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Group {
    /// The operation's name.
    pub operation: &'static str,
    /// The dtype of its `f` tensors.
    pub dtype: String,
    /// How many.
    pub cases: usize,
    /// How many of them failed.
    pub failed: usize,
    /// For each output the case that comes closest to its bound, or passes it furthest.
    pub worst: BTreeMap<String, Worst>,
}

/// The case of the largest error over its bound.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Worst {
    /// The error over its bound; at most 1 is right.
    pub ratio: f64,
    /// The case.
    pub case: String,
    /// Whether no case comes within a factor of 1,000 of the bound, which integers need not.
    pub too_wide: bool,
}

impl Summary {
    /// Nothing yet.
    pub fn new(device: String, seed: u64) -> Self {
        Self { device, seed, groups: Vec::new(), failures: Vec::new(), digests: Vec::new() }
    }

    /// Counts one outcome.
    pub fn add(&mut self, outcome: Outcome) {
        let same = |group: &Group| group.operation == outcome.operation && group.dtype == outcome.dtype;
        let at = self.groups.iter().position(same).unwrap_or_else(|| {
            self.groups.push(Group {
                operation: outcome.operation,
                dtype: outcome.dtype.clone(),
                cases: 0,
                failed: 0,
                worst: BTreeMap::new(),
            });
            self.groups.len() - 1
        });
        let group = &mut self.groups[at];
        group.cases += 1;
        group.failed += usize::from(!outcome.passed());
        for output in &outcome.outputs {
            let worst = group.worst.entry(output.tensor.clone()).or_insert_with(|| Worst {
                ratio: 0.0,
                case: outcome.name.clone(),
                too_wide: !output.is_integer,
            });
            if output.worst > worst.ratio {
                let too_wide = output.worst < TOO_WIDE && !output.is_integer;
                *worst = Worst { ratio: output.worst, case: outcome.name.clone(), too_wide };
            }
        }
        if !outcome.passed() {
            self.failures.push(outcome);
        }
    }

    /// Whether every case passed.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// The table, under a caption that says what ran where.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header([
            "operation",
            "dtype",
            "cases",
            "failed",
            "worst error / bound",
            "",
        ]);
        for group in &self.groups {
            let worst: Vec<String> = group
                .worst
                .iter()
                .map(|(tensor, worst)| {
                    format!("{tensor} {:.3}{}", worst.ratio, if worst.too_wide { " (bound too wide)" } else { "" })
                })
                .collect();
            let right = |count: usize| Cell::new(count).set_alignment(CellAlignment::Right);
            table.add_row([
                Cell::new(group.operation),
                Cell::new(&group.dtype),
                right(group.cases),
                right(group.failed),
                Cell::new(worst.join(", ")),
                Cell::new(if group.failed == 0 { "pass" } else { "FAIL" }),
            ]);
        }
        let cases: usize = self.groups.iter().map(|group| group.cases).sum();
        format!("{cases} cases against their f64 references on {}, seed {}\n{table}", self.device, self.seed)
    }

    /// The failed cases, a line each, at most `limit` of them.
    pub fn failure_lines(&self, limit: usize) -> Vec<String> {
        let mut lines: Vec<String> = self
            .failures
            .iter()
            .flat_map(|outcome| outcome.problems.iter().map(move |problem| format!("{}: {problem}", outcome.name)))
            .collect();
        let left = lines.len().saturating_sub(limit);
        lines.truncate(limit);
        if left > 0 {
            lines.push(format!("... and {left} more (--json has them all)"));
        }
        lines
    }
}
