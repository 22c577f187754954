//! Running other programs, and saying what came of it.

use std::env;
use std::fmt::Display;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Why a command of xtask ended early: one message, which says what to do where that is known.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// A failed operation on a file, with its path.
pub(crate) fn file(what: &str, path: &Path, error: &dyn Display) -> Failure {
    Failure(format!("cannot {what} {}: {error}", path.display()))
}

/// The cargo that runs us, in the workspace.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

/// Runs a program to its end, its output passing through; a failure names the program and its arguments.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| Failure(format!("{} does not run: {error}", line(command))))?;
    if status.success() { Ok(()) } else { Err(Failure(format!("{} failed ({status})", line(command)))) }
}

/// Runs a program to its end, its output passing through; its exit code.
pub(crate) fn exit_code(command: &mut Command) -> Result<ExitCode, Failure> {
    let status = command.status().map_err(|error| Failure(format!("{} does not run: {error}", line(command))))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The command as it would be typed, without the folders of the program.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = [program].into_iter().chain(command.get_args());
    format!("`{}`", words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
}
