//! `oblate devices`: what operations can run on.

use std::process::ExitCode;

use super::print;
use crate::arguments::Choice;
use crate::place::install;
use crate::{Error, Result};

/// Prints the GPUs, or why there is none, and the software device. No GPU is no error.
///
/// # Errors
/// When a GPU is there and its driver does not answer.
pub fn devices() -> Result<ExitCode> {
    match install(Choice::Gpu) {
        Ok(running) => {
            print(&format!("{running}\n"))?;
            for device in oblate::devices()? {
                let (major, minor) = device.capability;
                let gibibytes = device.memory_bytes as f64 / f64::from(1 << 30);
                let line =
                    format!("  {}: {}, capability {major}.{minor}, {gibibytes:.1} GiB", device.ordinal, device.name);
                print(&(line + "\n"))?;
            }
        }
        Err(Error::NoGpu { reason }) => print(&format!("gpu: none ({reason})\n"))?,
        Err(other) => return Err(other),
    }
    print("software: executes the kernels' PTX on the CPU, always there (--device software)\n")?;
    print("reference: f64 on the CPU, always there (--device reference)\n")?;
    Ok(ExitCode::SUCCESS)
}
