//! The software device's table of instruction forms, as its own tests write it.

use crate::process::{self, Failure, file};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs};

/// The variable that names the file to which the tests write the table.
const TABLE: &str = "SOFTGPU_ISA_TABLE";

/// Runs every test of the instruction set and prints the table; fails when a form is run and not tested, or a test fails.
pub(crate) fn run(root: &Path) -> Result<ExitCode, Failure> {
    let folder = env::temp_dir().join(format!("oblate-isa-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| file("make", &folder, &error))?;
    let path = folder.join("table.txt");
    let mut tests = command(root, &path);
    let status = process::exit_code(&mut tests)?;
    let table = fs::read_to_string(&path).map_err(|error| file("read", &path, &error));
    let _ = fs::remove_dir_all(&folder);
    // The table last, as the tests' lines say little once they have passed.
    println!("{}", table?);
    Ok(status)
}

fn command(root: &Path, table: &Path) -> Command {
    let mut cargo = process::cargo(root);
    cargo.args(["test", "--release", "--package", "oblate-softgpu", "--lib", "--", "isa::", "--quiet"]);
    cargo.env(TABLE, table);
    cargo
}
