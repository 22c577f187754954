//! What became of the mutants, as a table and as data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde::Serialize;

use crate::trial::{Check, Verdict};

/// The mutants of an operation or a family that were tried.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) seed: u64,
    /// The cases that there are.
    pub(crate) cases: usize,
    /// Distinct mutants, tried or not, and the changes of single instructions that they stand for.
    pub(crate) distinct: usize,
    pub(crate) changes: usize,
    /// Instructions of the kernels that the cases launch.
    pub(crate) instructions: usize,
    /// Of these, the ones that no case executes.
    pub(crate) holes: Vec<Hole>,
    /// Kernels beside them that no case launches.
    pub(crate) idle: BTreeSet<String>,
    /// Listed as equivalent, and no change of any instruction.
    pub(crate) stale: Vec<String>,
    pub(crate) mutants: Vec<Tried>,
}

/// Instructions of a source line that no case executes, in these kernels.
#[derive(Debug, Serialize)]
pub(crate) struct Hole {
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) text: String,
    pub(crate) instructions: usize,
    pub(crate) kernels: BTreeSet<String>,
}

/// One that was tried.
#[derive(Debug, Serialize)]
pub(crate) struct Tried {
    pub(crate) kernel: String,
    /// The source: file, line and its text.
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) text: String,
    pub(crate) mutation: String,
    /// What stands in the place of the instruction.
    pub(crate) ptx: String,
    /// How many changes it stands for.
    pub(crate) copies: usize,
    pub(crate) verdict: Verdict,
    /// Of a survivor: whether any case executes the instruction.
    pub(crate) reached: Option<bool>,
    /// Of a mutant that no test can kill: why.
    pub(crate) equivalent: Option<Why>,
}

/// Why a mutant cannot be killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Why {
    /// ptxas makes the same machine code of it.
    Proven,
    /// The reason is listed.
    Listed(String),
}

impl Tried {
    fn is_killed(&self) -> bool {
        matches!(self.verdict, Verdict::Killed(_))
    }

    fn is_unexplained(&self) -> bool {
        self.verdict == Verdict::Survived && self.equivalent.is_none()
    }
}

impl Report {
    fn count(&self, is: impl Fn(&Tried) -> bool) -> usize {
        self.mutants.iter().filter(|mutant| is(mutant)).count()
    }

    fn killed(&self) -> usize {
        self.count(Tried::is_killed)
    }

    fn unloadable(&self) -> usize {
        self.count(|mutant| matches!(mutant.verdict, Verdict::Unloadable(_)))
    }

    /// Survivors whose equivalence is proven, and those whose reason is listed.
    fn equivalent(&self) -> (usize, usize) {
        let survivor = |mutant: &Tried| mutant.verdict == Verdict::Survived;
        let proven = self.count(|mutant| survivor(mutant) && mutant.equivalent == Some(Why::Proven));
        let listed = self.count(|mutant| survivor(mutant) && matches!(mutant.equivalent, Some(Why::Listed(_))));
        (proven, listed)
    }

    /// Killed of those that load, and of those of them that can be killed.
    fn scores(&self) -> (f64, f64) {
        let loaded = self.mutants.len() - self.unloadable();
        let of = |all: usize| if all == 0 { 1.0 } else { self.killed() as f64 / all as f64 };
        let (proven, listed) = self.equivalent();
        (of(loaded), of(loaded - proven - listed))
    }

    /// Listed as equivalent, and killed: the reason is wrong.
    fn wrong(&self) -> impl Iterator<Item = &Tried> {
        self.mutants.iter().filter(|mutant| mutant.is_killed() && mutant.equivalent.is_some())
    }

    /// Whether the cases launch every kernel and kill so many of a hundred mutants that can be killed, and the list of
    /// those that cannot is right.
    pub(crate) fn passes(&self, percent: f64) -> bool {
        100.0 * self.scores().1 >= percent
            && self.stale.is_empty()
            && self.idle.is_empty()
            && self.wrong().next().is_none()
    }

    /// What is worth keeping of a run: all but the mutants that were killed.
    pub(crate) fn without_killed(mut self) -> Self {
        self.mutants.retain(|mutant| !mutant.is_killed());
        self
    }

    /// How many mutants each kind of check killed.
    pub(crate) fn kills(&self) -> BTreeMap<Check, usize> {
        let mut counts = BTreeMap::new();
        for mutant in &self.mutants {
            if let Verdict::Killed(kill) = &mutant.verdict {
                *counts.entry(kill.by).or_default() += 1;
            }
        }
        counts
    }

    /// The figures of a run.
    pub(crate) fn summary(&self) -> Summary {
        let (raw, score) = self.scores();
        let (proven, listed) = self.equivalent();
        let rounded = |share: f64| (1000.0 * share).round() / 10.0;
        Summary {
            tried: self.mutants.len(),
            unloadable: self.unloadable(),
            killed: self.killed(),
            killed_by: self.kills(),
            equivalent_proven: proven,
            equivalent_listed: listed,
            survived: self.count(Tried::is_unexplained),
            killed_percent_of_all: rounded(raw),
            killed_percent: rounded(score),
        }
    }

    fn survivors(&self) -> Option<Table> {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["kernel", "source", "mutation", ""]);
        for mutant in self.mutants.iter().filter(|mutant| mutant.verdict == Verdict::Survived) {
            let remark = match (&mutant.equivalent, mutant.reached) {
                (Some(Why::Proven), _) => "equivalent: the same machine code".to_owned(),
                (Some(Why::Listed(why)), _) => format!("equivalent: {why}"),
                (None, Some(false)) => "survived: no case executes it".to_owned(),
                (None, _) => "survived".to_owned(),
            };
            let source = format!("{}:{}\n{}", mutant.file, mutant.line, mutant.text);
            table.add_row([mutant.kernel.clone(), source, mutant.mutation.clone(), remark]);
        }
        (!table.is_empty()).then_some(table)
    }
}

/// The figures of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) tried: usize,
    /// Do not load, and do not count.
    pub(crate) unloadable: usize,
    pub(crate) killed: usize,
    pub(crate) killed_by: BTreeMap<Check, usize>,
    pub(crate) equivalent_proven: usize,
    pub(crate) equivalent_listed: usize,
    pub(crate) survived: usize,
    /// Of those that load.
    pub(crate) killed_percent_of_all: f64,
    /// Of those that load and are not equivalent.
    pub(crate) killed_percent: f64,
}

impl Check {
    fn words(self) -> &'static str {
        match self {
            Self::Value => "an output beyond its bound",
            Self::Bits => "other bits in another run",
            Self::Effort => "the cost of right results",
            Self::Finding => "a finding of the software device",
            Self::Watchdog => "a loop that does not end",
            Self::Error => "an error of the operation",
            Self::Timeout => "no answer in time",
            Self::Crash => "the end of the process: a defect of the software device",
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(survivors) = self.survivors() {
            writeln!(f, "{survivors}")?;
        }
        for hole in &self.holes {
            let kernels = hole.kernels.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            writeln!(f, "no case executes {}:{} `{}` in {kernels}", hole.file, hole.line, hole.text)?;
        }
        for kernel in &self.idle {
            writeln!(f, "no case launches {kernel}")?;
        }
        for entry in &self.stale {
            writeln!(f, "stale in the list of equivalent mutants: {entry}")?;
        }
        for Tried { file, text, mutation, kernel, .. } in self.wrong() {
            writeln!(f, "listed as equivalent and killed: {file} `{text}`: {mutation} ({kernel})")?;
        }
        let summary = self.summary();
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header(["", "mutants"]);
        for (check, count) in &summary.killed_by {
            table.add_row([format!("killed by {}", check.words()), count.to_string()]);
        }
        for (words, count) in [
            ("equivalent: the same machine code", summary.equivalent_proven),
            ("equivalent for a reason that is listed", summary.equivalent_listed),
            ("survived", summary.survived),
            ("do not load, and do not count", summary.unloadable),
        ] {
            table.add_row([words.to_owned(), count.to_string()]);
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(f, "{table}")?;
        let unexecuted: usize = self.holes.iter().map(|hole| hole.instructions).sum();
        writeln!(f, "{}: {} cases; {unexecuted} of {} instructions are executed by none", self.name, self.cases, {
            self.instructions
        })?;
        writeln!(
            f,
            "{} distinct mutants, which stand for {} changes of single instructions; {} tried, seed {}",
            self.distinct, self.changes, summary.tried, self.seed
        )?;
        let equivalent = summary.equivalent_proven + summary.equivalent_listed;
        write!(
            f,
            "{} of {} killed ({:.1} %), {equivalent} equivalent, {} survived",
            summary.killed,
            summary.killed + summary.survived,
            summary.killed_percent,
            summary.survived
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Kill;

    fn tried(verdict: Verdict, equivalent: Option<Why>) -> Tried {
        Tried {
            kernel: "dense_f32_warp".into(),
            file: "common/row.cuh".into(),
            line: 7,
            text: "++i;".into(),
            mutation: "add.s32 becomes sub.s32".into(),
            ptx: "sub.s32 %r1, %r1, 1;".into(),
            copies: 3,
            verdict,
            reached: None,
            equivalent,
        }
    }

    #[test]
    fn a_score_leaves_out_what_cannot_be_killed() {
        let killed = || Verdict::Killed(Kill { by: Check::Value, case: "c".into(), text: "wrong".into() });
        let listed = || Some(Why::Listed("the same bits".into()));
        let mut mutants: Vec<Tried> = (0..19).map(|_| tried(killed(), None)).collect();
        mutants.push(tried(Verdict::Survived, None));
        mutants.push(tried(Verdict::Survived, listed()));
        mutants.push(tried(Verdict::Survived, Some(Why::Proven)));
        mutants.push(tried(Verdict::Unloadable("no PTX".into()), None));
        let hole = Hole {
            file: "common/row.cuh".into(),
            line: 9,
            text: "--i;".into(),
            instructions: 4,
            kernels: BTreeSet::from(["dense_f32_warp".to_owned()]),
        };
        let name = "spherical.dense".to_owned();
        let (cases, distinct, changes, instructions) = (5, 30, 90, 70);
        let mut report = Report { name, cases, distinct, changes, instructions, ..Report::default() };
        (report.holes, report.mutants) = (vec![hole], mutants);
        assert_eq!(report.scores(), (19.0 / 22.0, 0.95));
        assert!(report.passes(95.0));
        let text = report.to_string();
        assert!(
            text.ends_with(
                "spherical.dense: 5 cases; 4 of 70 instructions are executed by none\n\
             30 distinct mutants, which stand for 90 changes of single instructions; 23 tried, seed 0\n\
             19 of 20 killed (95.0 %), 2 equivalent, 1 survived"
            ),
            "{text}"
        );
        assert!(text.contains("equivalent: the same bits"), "{text}");
        assert!(text.contains("no case executes common/row.cuh:9 `--i;` in dense_f32_warp"), "{text}");
        report.mutants.push(tried(Verdict::Survived, None));
        assert!(!report.passes(95.0));
    }

    #[test]
    fn a_list_that_is_wrong_does_not_pass() {
        let kill = Kill { by: Check::Value, case: "c".into(), text: "wrong".into() };
        let killed = tried(Verdict::Killed(kill), Some(Why::Listed("the same bits".into())));
        let report = Report { mutants: vec![killed], ..Report::default() };
        assert!(!report.passes(95.0));
        assert!(report.to_string().contains("listed as equivalent and killed: common/row.cuh `++i;`"));
        let report = Report { stale: vec!["gone".into()], ..Report::default() };
        assert!(!report.passes(95.0) && report.to_string().contains("stale in the list of equivalent mutants: gone"));
        let report = Report { idle: BTreeSet::from(["k".to_owned()]), ..Report::default() };
        assert!(!report.passes(95.0) && report.to_string().contains("no case launches k"));
    }
}
