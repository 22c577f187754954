//! What a change must pass before its tests: formatting, lints, bindings, documentation.

use crate::process::{self, Failure, file};
use crate::{bindings, toolkit};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folders whose CUDA and C files clang-format keeps.
const CUDA_FOLDERS: [&str; 4] = ["cuda", "tests/matmul", "tools/softgpu", "tools/xtask/include"];

type Check = fn(&Path) -> Result<(), Failure>;

/// Runs every check, so that one run tells of everything; fails with the names of those that failed.
pub(crate) fn all(root: &Path) -> Result<(), Failure> {
    toolkit::nvcc(root)?;
    let checks: [(&str, Check); 5] = [
        ("formatting of Rust", rustfmt),
        ("formatting of CUDA", clang_format),
        ("bindings", bindings::check),
        ("lints", clippy),
        ("documentation", doc),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        eprintln!("xtask: checking {name}");
        if let Err(Failure(message)) = check(root) {
            eprintln!("xtask: {message}");
            failed.push(name);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure(format!("these checks failed: {}", failed.join(", ")))) }
}

fn rustfmt(root: &Path) -> Result<(), Failure> {
    process::run(process::cargo(root).args(["fmt", "--all", "--check"]))
}

// Release throughout: what a check compiles for the host, the tests need too.
fn clippy(root: &Path) -> Result<(), Failure> {
    let arguments = ["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"];
    process::run(process::cargo(root).args(arguments))
}

fn doc(root: &Path) -> Result<(), Failure> {
    let arguments = ["doc", "--release", "--workspace", "--no-deps"];
    process::run(process::cargo(root).env("RUSTDOCFLAGS", "-D warnings").args(arguments))
}

fn clang_format(root: &Path) -> Result<(), Failure> {
    let mut files = Vec::new();
    for folder in CUDA_FOLDERS {
        cuda_files(&root.join(folder), &mut files)?;
    }
    files.sort();
    let program = toolkit::clang_format(root)?;
    process::run(Command::new(program).current_dir(root).args(["--dry-run", "-Werror"]).args(&files)).map_err(|_| {
        Failure(
            "clang-format would change the files above. Run `.toolkit/clang_format/data/bin/clang-format -i` on them."
                .into(),
        )
    })
}

/// Collects the .cu, .cuh, .c and .h files below a folder.
fn cuda_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(|error| file("read", folder, &error))? {
        let path = entry.map_err(|error| file("read", folder, &error))?.path();
        if path.is_dir() {
            cuda_files(&path, files)?;
        } else if path.extension().is_some_and(|e| ["cu", "cuh", "c", "h"].iter().any(|known| e == *known)) {
            files.push(path);
        }
    }
    Ok(())
}
