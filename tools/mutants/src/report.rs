//! What became of the mutants, as a table and as data.

use std::collections::BTreeMap;
use std::fmt;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde::Serialize;

use crate::trial::{Check, Verdict};

/// The mutants of an operation or a family that were tried.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) seed: u64,
    /// Distinct mutants, tried or not, and the changes of single instructions that they stand for.
    pub(crate) distinct: usize,
    pub(crate) changes: usize,
    pub(crate) mutants: Vec<Tried>,
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
    /// How many changes it stands for.
    pub(crate) copies: usize,
    pub(crate) verdict: Verdict,
    /// Of a survivor: whether any case executes the instruction.
    pub(crate) reached: Option<bool>,
    /// Of a survivor that no test can kill: why.
    pub(crate) equivalent: Option<String>,
}

impl Report {
    fn count(&self, is: impl Fn(&Tried) -> bool) -> usize {
        self.mutants.iter().filter(|mutant| is(mutant)).count()
    }

    fn killed(&self) -> usize {
        self.count(|mutant| matches!(mutant.verdict, Verdict::Killed(_)))
    }

    fn unloadable(&self) -> usize {
        self.count(|mutant| matches!(mutant.verdict, Verdict::Unloadable(_)))
    }

    fn equivalent(&self) -> usize {
        self.count(|mutant| mutant.equivalent.is_some())
    }

    /// Killed of those that load, and of those of them that can be killed.
    fn scores(&self) -> (f64, f64) {
        let loaded = self.mutants.len() - self.unloadable();
        let of = |all: usize| if all == 0 { 1.0 } else { self.killed() as f64 / all as f64 };
        (of(loaded), of(loaded - self.equivalent()))
    }

    /// Whether the cases kill so many of a hundred mutants that can be killed.
    pub(crate) fn reaches(&self, percent: f64) -> bool {
        100.0 * self.scores().1 >= percent
    }

    fn survivors(&self) -> Option<Table> {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["kernel", "source", "mutation", ""]);
        for mutant in self.mutants.iter().filter(|mutant| mutant.verdict == Verdict::Survived) {
            let remark = match (&mutant.equivalent, mutant.reached) {
                (Some(why), _) => format!("equivalent: {why}"),
                (None, Some(false)) => "survived: no case executes it".to_owned(),
                (None, _) => "survived".to_owned(),
            };
            let source = format!("{}:{}\n{}", mutant.file, mutant.line, mutant.text);
            table.add_row([mutant.kernel.clone(), source, mutant.mutation.clone(), remark]);
        }
        (!table.is_empty()).then_some(table)
    }

    fn kills(&self) -> Table {
        let mut counts: BTreeMap<Check, usize> = BTreeMap::new();
        for mutant in &self.mutants {
            if let Verdict::Killed(kill) = &mutant.verdict {
                *counts.entry(kill.by).or_default() += 1;
            }
        }
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header(["killed by", "mutants"]);
        for (check, count) in counts {
            table.add_row([check.words().to_owned(), count.to_string()]);
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

impl Check {
    fn words(self) -> &'static str {
        match self {
            Self::Finding => "a finding of the software device",
            Self::Value => "an output beyond its bound",
            Self::Bits => "other bits in another run",
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
        writeln!(f, "{}", self.kills())?;
        let (raw, score) = self.scores();
        writeln!(
            f,
            "{}: {} distinct mutants, which stand for {} changes of single instructions; {} tried, seed {}",
            self.name,
            self.distinct,
            self.changes,
            self.mutants.len(),
            self.seed
        )?;
        let survived = self.count(|mutant| mutant.verdict == Verdict::Survived);
        write!(f, "{} killed, {survived} survived, {} of them equivalent", self.killed(), self.equivalent())?;
        if self.unloadable() > 0 {
            write!(f, "; {} do not load and do not count", self.unloadable())?;
        }
        write!(f, "\nkilled: {:.1} %, {:.1} % of those that are not equivalent", 100.0 * raw, 100.0 * score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Kill;

    fn tried(verdict: Verdict, equivalent: Option<&str>) -> Tried {
        Tried {
            kernel: "dense_f32_warp".into(),
            file: "common/row.cuh".into(),
            line: 7,
            text: "++i;".into(),
            mutation: "add.s32 becomes sub.s32".into(),
            copies: 3,
            verdict,
            reached: None,
            equivalent: equivalent.map(str::to_owned),
        }
    }

    #[test]
    fn a_score_leaves_out_what_cannot_be_killed() {
        let killed = || Verdict::Killed(Kill { by: Check::Value, case: "c".into(), text: "wrong".into() });
        let mut mutants: Vec<Tried> = (0..19).map(|_| tried(killed(), None)).collect();
        mutants.push(tried(Verdict::Survived, None));
        mutants.push(tried(Verdict::Survived, Some("the same bits")));
        mutants.push(tried(Verdict::Unloadable("no PTX".into()), None));
        let mut report = Report { name: "spherical.dense".into(), seed: 0, distinct: 30, changes: 90, mutants };
        assert_eq!(report.scores(), (19.0 / 21.0, 0.95));
        assert!(report.reaches(95.0));
        let text = report.to_string();
        assert!(text.ends_with(
            "spherical.dense: 30 distinct mutants, which stand for 90 changes of single instructions; 22 tried, seed 0\n\
             19 killed, 2 survived, 1 of them equivalent; 1 do not load and do not count\n\
             killed: 90.5 %, 95.0 % of those that are not equivalent"
        ), "{text}");
        assert!(text.contains("equivalent: the same bits"), "{text}");
        report.mutants.push(tried(Verdict::Survived, None));
        assert!(!report.reaches(95.0));
    }
}
