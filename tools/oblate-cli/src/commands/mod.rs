//! One file per command; each answers with the exit code: 0, 1 for a failed validation, and an error for wrong use (2).

mod advise;
mod devices;
mod list;
mod report;
mod run;
mod validate;

pub use advise::advise;
pub use devices::devices;
pub use list::list;
pub use report::report;
pub use run::run;
pub use validate::validate;

use crate::{Error, Result};

/// Writes text to standard output. A reader that has gone away (`oblate list | head`) is no error of ours.
fn print(text: &str) -> Result<()> {
    use std::io::{ErrorKind, Write};
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Write { path: "standard output".into(), source })
        }
        _ => Ok(()),
    }
}
