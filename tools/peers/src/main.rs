//! Runs kernels that Triton compiled on the software CUDA device, judges their outputs and counts what they do. It is the
//! second half of `cargo xtask peers`; the first, in Python, writes a folder for each kernel: `python/prepare.py`.
#![allow(clippy::cast_precision_loss, reason = "counts are shown, not computed with")]

mod judge;
mod launch;
mod prepared;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cudarc::driver::{CudaContext, DriverError};

/// What ends a command early, in one line.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: String },
    #[error("{} has no prepared kernel", .0.display())]
    Empty(PathBuf),
    #[error("{kernel}: {what}: {error}")]
    Driver { kernel: String, what: &'static str, error: DriverError },
    #[error("no software device: {0}")]
    Device(String),
}

/// Runs prepared kernels and prints what they gave and did.
#[derive(Parser)]
struct Arguments {
    /// The folder that python/prepare.py wrote
    folder: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether every output is within its bound and no launch gave a finding.
fn run(arguments: &Arguments) -> Result<bool, Error> {
    let kernels = prepared::read(&arguments.folder)?;
    oblate_softgpu::install_as(oblate_softgpu::Choice::Software).map_err(|error| Error::Device(error.to_string()))?;
    let device = |error| Error::Device(format!("{error:?}"));
    let stream = CudaContext::new(0).map_err(device)?.default_stream();
    let mut results = Vec::new();
    for kernel in &kernels {
        eprintln!("peers: running {}", kernel.name);
        results.push(launch::run(&stream, kernel)?);
    }
    println!("counted on the PTX by the software device, not timed; ptxas may merge or drop instructions");
    println!("{}", table::counts(&results));
    println!("{}", table::outputs(&results));
    for result in &results {
        for finding in &result.findings {
            println!("{}: {finding}", result.name);
        }
    }
    let right = results.iter().filter(|result| result.is_right()).count();
    println!("{right} of {} kernels agree with float64, without a finding", results.len());
    Ok(right == results.len())
}
