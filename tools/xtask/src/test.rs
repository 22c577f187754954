//! The test suite, and how much of it passed.

use crate::process::{self, Failure};
use crate::toolkit;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ExitCode, Stdio};

/// Sums of the lines `test result: ok. 12 passed; 0 failed; 1 ignored; ...`, one for each test binary.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Totals {
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.split_once("test result: ") else { return };
        let before = |word| {
            let count = counts.split([';', '.']).find_map(|part| part.trim().strip_suffix(word));
            count.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0)
        };
        self.passed += before(" passed");
        self.failed += before(" failed");
        self.ignored += before(" ignored");
    }
}

/// Runs the suite in release; the last line says how many tests passed and failed, over all binaries and doctests.
pub(crate) fn run(root: &Path, all: bool, filters: &[String]) -> Result<ExitCode, Failure> {
    toolkit::nvcc(root)?;
    toolkit::make(root)?; // the tests of bindgen need its libclang, whichever nvcc there is
    let mut cargo = process::cargo(root);
    cargo.args(["test", "--release", "--workspace", "--no-fail-fast", "--"]).args(filters);
    if all {
        cargo.arg("--include-ignored");
    }
    let mut child = cargo.stdout(Stdio::piped()).spawn()?;
    let mut totals = Totals::default();
    for line in BufReader::new(child.stdout.take().expect("stdout is piped")).split(b'\n') {
        let mut line = line?;
        totals.add(&String::from_utf8_lossy(&line));
        line.push(b'\n');
        io::stdout().write_all(&line)?;
    }
    let succeeded = child.wait()?.success();
    if !succeeded && totals.failed == 0 {
        // A crash or a compile error leaves no count behind.
        println!(
            "cargo test failed without a failed test: a binary did not compile or did not run to its end (see above)"
        );
        totals.failed = 1;
    }
    if totals.ignored > 0 {
        println!("{} ignored; `cargo xtask test --all` runs them", totals.ignored);
    }
    println!("{} passed, {} failed", totals.passed, totals.failed);
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::Totals;

    #[test]
    fn totals_sum_the_summaries_alone() {
        let mut totals = Totals::default();
        for line in [
            "test reads_back ... ok",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s",
            "test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s",
            "5 passed, as a test prints it",
        ] {
            totals.add(line);
        }
        assert_eq!(totals, Totals { passed: 14, failed: 5, ignored: 1 });
    }
}
