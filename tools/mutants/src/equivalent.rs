//! Mutants that no test can kill, each with the reason: `reports/mutants/OPERATION.json`.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::ptx::Source;

/// A mutant that does what the kernel does. The line's text stands for its number, which changes with what is above it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Equivalent {
    /// Below the folder of the kernels: `common/row.cuh`.
    file: String,
    /// The source line; empty where the compiler names none.
    line: String,
    /// What is changed.
    mutation: String,
    /// Why nothing can notice.
    why: String,
}

/// The reasons by file, text of the line, and what is changed.
#[derive(Debug, Default)]
pub(crate) struct Equivalents(BTreeMap<(String, String, String), String>);

impl Equivalents {
    /// Those of the operations; one without a file has none.
    ///
    /// # Errors
    /// When a file cannot be read, or is not a list of them.
    pub(crate) fn read<'a>(root: &Path, operations: impl Iterator<Item = &'a str>) -> io::Result<Self> {
        let mut all = Self::default();
        for operation in operations {
            let path = root.join(format!("reports/mutants/{operation}.json"));
            let text = match fs::read_to_string(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                text => text?,
            };
            let list: Vec<Equivalent> = serde_json::from_str(&text)
                .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
            all.0.extend(list.into_iter().map(|e| ((e.file, e.line, e.mutation), e.why)));
        }
        Ok(all)
    }

    /// Why the mutant cannot be killed, if that is known.
    pub(crate) fn why(&self, source: &Source, text: &str, mutation: &str) -> Option<&str> {
        self.0.get(&(source.file.clone(), text.to_owned(), mutation.to_owned())).map(String::as_str)
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
