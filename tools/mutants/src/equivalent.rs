//! Mutants that no test can kill: those that ptxas compiles to the code of the kernel as it is, and those of
//! `reports/mutants/OPERATION.equivalent.json`, each with its reason.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use serde::{Deserialize, Serialize};

use crate::plan::{Mutant, Survey};
use crate::ptx::{Source, without_lines};

/// A mutant that does what the kernel does. The line's text stands for its number, which changes with what is above it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Equivalent {
    /// The kernels that the reason holds for, with `*` for any letters: all of the operation when absent.
    #[serde(default = "any")]
    kernels: String,
    /// Below the folder of the kernels: `common/row.cuh`.
    file: String,
    /// The source line; empty where the compiler names none.
    line: String,
    /// What is changed.
    mutation: String,
    /// Why nothing can notice.
    why: String,
}

fn any() -> String {
    "*".to_owned()
}

impl Equivalent {
    fn is(&self, kernel: &str, source: &Source, line: &str, mutation: &str) -> bool {
        self.file == source.file && self.line == line && self.mutation == mutation && matches(&self.kernels, kernel)
    }
}

/// Whether a name is of a pattern, in which `*` stands for any letters.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name
            .strip_prefix(before)
            .is_some_and(|rest| (0..=rest.len()).any(|at| rest.is_char_boundary(at) && matches(after, &rest[at..]))),
    }
}

/// The reasons that are listed.
#[derive(Debug, Default)]
pub(crate) struct Equivalents(Vec<(Equivalent, Cell<bool>)>);

impl Equivalents {
    /// Those of the operations; one without a file has none.
    ///
    /// # Errors
    /// When a file cannot be read, or is not a list of them.
    pub(crate) fn read<'a>(root: &Path, operations: impl Iterator<Item = &'a str>) -> io::Result<Self> {
        let mut all = Self::default();
        for operation in operations {
            let path = root.join(format!("reports/mutants/{operation}.equivalent.json"));
            let text = match fs::read_to_string(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                text => text?,
            };
            let list: Vec<Equivalent> = serde_json::from_str(&text)
                .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
            for entry in list {
                if !all.0.iter().any(|(known, _)| *known == entry) {
                    all.0.push((entry, Cell::new(false)));
                }
            }
        }
        Ok(all)
    }

    /// Notes that a change of these words exists: what is never noted is stale.
    pub(crate) fn note(&self, kernel: &str, source: &Source, line: &str, mutation: &str) {
        for (_, seen) in self.0.iter().filter(|(entry, seen)| !seen.get() && entry.is(kernel, source, line, mutation)) {
            seen.set(true);
        }
    }

    /// Entries that no change of the kernels is of.
    pub(crate) fn stale(&self) -> Vec<String> {
        let stale = self.0.iter().filter(|(_, seen)| !seen.get()).map(|(entry, _)| entry);
        stale.map(|entry| format!("{} `{}`: {} ({})", entry.file, entry.line, entry.mutation, entry.kernels)).collect()
    }

    /// Why the mutant cannot be killed, if that is listed.
    pub(crate) fn why(&self, mutant: &Mutant, line: &str) -> Option<&str> {
        let is = |entry: &&(Equivalent, _)| entry.0.is(&mutant.kernel, &mutant.source, line, &mutant.what);
        self.0.iter().find(is).map(|(entry, _)| entry.why.as_str())
    }
}

/// ptxas, which proves two texts equivalent where it makes the same machine code of them.
#[derive(Debug)]
pub(crate) struct Prover {
    ptxas: PathBuf,
    folder: PathBuf,
    /// The code of the kernels as they are.
    unchanged: BTreeMap<String, Option<Vec<u8>>>,
}

impl Prover {
    /// With `$PTXAS`, which `cargo xtask` sets to the toolkit's; where it is not there, nothing is proven.
    ///
    /// # Errors
    /// When there is no folder to compile in.
    pub(crate) fn new() -> io::Result<Self> {
        let folder = env::temp_dir().join(format!("oblate-mutants-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let ptxas = env::var_os("PTXAS").map_or_else(|| "ptxas".into(), PathBuf::from);
        Ok(Self { ptxas, folder, unchanged: BTreeMap::new() })
    }

    /// Whether the mutant's machine code is that of the kernel as it is.
    pub(crate) fn proves(&mut self, survey: &Survey, mutant: &Mutant) -> bool {
        let code = |replaced| survey.alone(&mutant.kernel, replaced).and_then(|text| self.compile(&text));
        let Some((line, text)) = &mutant.job.replaced else { return false };
        let Some(changed) = code(Some((*line, text))) else { return false };
        if !self.unchanged.contains_key(&mutant.kernel) {
            let unchanged = code(None);
            self.unchanged.insert(mutant.kernel.clone(), unchanged);
        }
        self.unchanged[&mutant.kernel].as_ref() == Some(&changed)
    }

    /// A cubin, which names no file and no line.
    fn compile(&self, text: &str) -> Option<Vec<u8>> {
        let (ptx, cubin) = (self.folder.join("kernel.ptx"), self.folder.join("kernel.cubin"));
        fs::write(&ptx, without_lines(text)).ok()?;
        let mut ptxas = Command::new(&self.ptxas);
        let done = ptxas.args(["-arch", "sm_80", "-o"]).args([&cubin, &ptx]).output().ok()?;
        done.status.success().then(|| fs::read(&cubin).ok())?
    }
}

impl Drop for Prover {
    fn drop(&mut self) {
        // What stays lies in the folder for what is temporary.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The lines of the kernels' sources.
#[derive(Debug, Default)]
pub(crate) struct Sources(BTreeMap<String, Vec<String>>);

impl Sources {
    /// A line without the space around it; empty where there is none.
    pub(crate) fn line(&mut self, root: &Path, source: &Source) -> &str {
        let lines = self.0.entry(source.file.clone()).or_insert_with(|| {
            let text = fs::read_to_string(root.join("cuda").join(&source.file)).unwrap_or_default();
            text.lines().map(|line| line.trim().to_owned()).collect()
        });
        let index = (source.line as usize).checked_sub(1);
        index.and_then(|index| lines.get(index)).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(matches("*", "dense_f32_warp") && matches("dense_*_warp", "dense_bf16_warp"));
        assert!(matches("dense_f32_*", "dense_f32_block") && matches("reduction_sum", "reduction_sum"));
        assert!(!matches("dense_*_warp", "dense_f32_block") && !matches("reduction", "reduction_sum"));
        assert!(!matches("*_warp", "dense_f32_warped"));
    }

    #[test]
    fn what_is_listed_and_never_met_is_stale() {
        let entry = |mutation: &str| Equivalent {
            kernels: "dense_*".into(),
            file: "common/row.cuh".into(),
            line: "++i;".into(),
            mutation: mutation.into(),
            why: "the same".into(),
        };
        let list = [entry("add becomes sub"), entry("gone")].map(|entry| (entry, Cell::new(false))).to_vec();
        let all = Equivalents(list);
        let source = Source { file: "common/row.cuh".into(), line: 7 };
        all.note("dense_f32_warp", &source, "++i;", "add becomes sub");
        all.note("softmax_f32_warp", &source, "++i;", "gone");
        assert_eq!(all.stale(), ["common/row.cuh `++i;`: gone (dense_*)"]);
    }
}
