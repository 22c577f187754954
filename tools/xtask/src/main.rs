//! The development commands of oblate: `cargo xtask COMMAND`. Nothing here depends on the library, so that every command
//! runs where the library does not build yet.

mod bindings;
mod check;
mod isa;
mod kernels;
#[path = "../../../build/nvcc.rs"]
mod nvcc;
mod peers;
mod process;
mod test;
mod toolkit;
mod wheels;

use clap::{Parser, Subcommand};
use process::Failure;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, ExitCode};

/// The development commands of oblate.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes .toolkit/ from PyPI: nvcc 13.0 with its headers, libclang and clang-format (300 MB)
    Toolkit,
    /// Checks formatting, lints, bindings and documentation
    Check,
    /// Runs every test and says how many passed
    Test {
        /// Runs the slow tests too, which are ignored by default
        #[arg(long)]
        all: bool,
        /// Runs the tests whose names contain one of these
        filters: Vec<String>,
    },
    /// Checks every kernel against its reference on this machine's device: `cargo oblate validate`
    #[command(disable_help_flag = true)]
    Validate {
        /// What `oblate validate` is given
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Counts what operations do and models what cards need for it, with ptxas's data for every default architecture:
    /// `cargo oblate report`
    #[command(disable_help_flag = true)]
    Report {
        /// What `oblate report` is given
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Changes one instruction of an operation's kernels at a time and sees whether its cases notice
    #[command(disable_help_flag = true)]
    Mutants {
        /// The operation or family, and what else is asked for; --help lists it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Writes src/bindings.rs from the headers that host and device share
    Bindgen {
        /// Writes nothing and fails when the file is not what the headers say
        #[arg(long)]
        check: bool,
    },
    /// Prints the software device's table of instruction forms, tested or refused; fails on one that is run and not tested
    Isa,
    /// Compiles the kernels for every default architecture, prints what ptxas reports and fails on a spill
    Kernels {
        /// Compiles for these instead, as OBLATE_CUDA_ARCHS lists them
        #[arg(long, value_name = "LIST")]
        architectures: Option<String>,
    },
    /// Compiles Triton kernels for sm_80, runs them on the software device, judges and counts them (installs Triton)
    Peers {
        /// The repository of a public peer, or a folder of several: Inf-CLIP, Liger-Kernel, ml-cross-entropy; without it,
        /// three kernels of ours
        path: Option<PathBuf>,
        /// Takes the inputs from this safetensors file, as PEER.TENSOR, and runs the peers that it names; a run leaves
        /// its own in target/peers/inputs.safetensors
        #[arg(long, value_name = "FILE")]
        input: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let root = root();
    let done = match Arguments::parse().command {
        Command::Toolkit => toolkit::make(&root).map(|()| {
            eprintln!("xtask: .toolkit/ is whole and up to date");
            ExitCode::SUCCESS
        }),
        Command::Check => check::all(&root).map(|()| ExitCode::SUCCESS),
        Command::Test { all, filters } => test::run(&root, all, &filters),
        Command::Validate { arguments } => toolkit::nvcc(&root)
            .and_then(|_| process::exit_code(&mut program(&root, ["oblate-cli", "oblate"], &["validate"], &arguments))),
        Command::Report { arguments } => toolkit::nvcc(&root).and_then(|_| {
            let mut report = program(&root, ["oblate-cli", "oblate"], &["report"], &arguments);
            process::exit_code(report.env("OBLATE_CUDA_ARCHS", nvcc::DEFAULT_ARCHITECTURES))
        }),
        Command::Mutants { arguments } => toolkit::nvcc(&root).and_then(|nvcc| {
            let mut mutants = program(&root, ["oblate-mutants", "oblate-mutants"], &[], &arguments);
            process::exit_code(mutants.env("PTXAS", nvcc.path.with_file_name("ptxas")))
        }),
        Command::Bindgen { check } => {
            let run = if check { bindings::check } else { bindings::write };
            run(&root).map(|()| ExitCode::SUCCESS)
        }
        Command::Isa => isa::run(&root),
        Command::Kernels { architectures } => {
            kernels::compile(&root, architectures.as_deref()).map(|()| ExitCode::SUCCESS)
        }
        Command::Peers { path, input } => peers::run(&root, path.as_deref(), input.as_deref()),
    };
    done.unwrap_or_else(|Failure(message)| {
        eprintln!("xtask: {message}");
        ExitCode::FAILURE
    })
}

/// The workspace. Cargo names the package that it runs; the folder that this was compiled in may have moved since.
fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    package.ancestors().nth(2).unwrap_or(&package).to_path_buf()
}

/// Builds a program of one of the workspace's packages and hands over to it.
fn program(root: &Path, [package, name]: [&str; 2], first: &[&str], arguments: &[OsString]) -> Process {
    let mut cargo = process::cargo(root);
    cargo.args(["run", "--release", "--package", package, "--bin", name, "--"]).args(first).args(arguments);
    cargo
}
