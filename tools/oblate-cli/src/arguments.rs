//! The command line as clap reads it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::advise::MOST;
use crate::{Error, Result};

/// Runs, validates and reports the operations of oblate, on a GPU or on the software device.
#[derive(Debug, Parser)]
#[command(name = "oblate", version, arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the operations with their tensors, parameters and dtypes
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Run one operation on the tensors of a file
    Run(RunArguments),
    /// Check operations against their f64 references
    Validate(ValidateArguments),
    /// Count what an operation moves and executes, on the software device
    Report(ReportArguments),
    /// Say which output layer is cheapest for a shape on a card, modelled
    Advise(AdviseArguments),
    /// List the devices that operations can run on
    Devices,
}

/// `oblate run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// The operation, as `oblate list` names it
    pub operation: String,
    /// A safetensors file with the input tensors
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// The safetensors file to write
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// A parameter, name=value
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Where to run
    #[arg(long, env = "OBLATE_DEVICE", default_value = "auto")]
    pub device: Choice,
    /// Let tensors pass that the operation does not take
    #[arg(long)]
    pub allow_extra: bool,
    /// Write every float output as F64; from the reference these are unrounded
    #[arg(long)]
    pub f64: bool,
    /// Schedules under which the software device runs each launch: all must give the same bits
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub schedules: u32,
}

/// `oblate validate`.
#[derive(Debug, Args)]
pub struct ValidateArguments {
    /// An operation or a family; every operation without it
    pub name: Option<String>,
    /// Where to run
    #[arg(long, env = "OBLATE_DEVICE", default_value = "auto")]
    pub device: Choice,
    /// The table and the failures as JSON
    #[arg(long)]
    pub json: bool,
    /// Decides the random inputs
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Print a hash of each output of each case
    #[arg(long)]
    pub digest: bool,
    /// Schedules under which the software device runs each case once more: all must give the same bits
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub schedules: u32,
}

/// `oblate report`.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// The operation, or a report that --json wrote (FILE.json)
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub operation: Option<String>,
    /// rows, classes, dtype or a parameter, name=value
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "all")]
    pub set: Vec<String>,
    /// Every operation and shape of reports/counts.json, a row each
    #[arg(long)]
    pub all: bool,
    /// Beside another operation, with the same --set, or a report in a file (FILE.json)
    #[arg(long, value_name = "OTHER", conflicts_with = "all")]
    pub compare: Option<String>,
    /// Model this card: A100, H100, H200, RTX-4090, B200, RTX-5090; all of them without it
    #[arg(long, value_name = "NAME")]
    pub card: Vec<String>,
    /// Write a roofline plot of the card
    #[arg(long, value_name = "FILE.svg", requires = "card")]
    pub plot: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `oblate advise`.
#[derive(Debug, Args)]
pub struct AdviseArguments {
    /// Rows of a step
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u64).range(1..=MOST))]
    pub rows: u64,
    /// Elements of a row of hidden
    #[arg(long, value_name = "d", value_parser = clap::value_parser!(u64).range(1..=MOST))]
    pub width: u64,
    /// Classes
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u64).range(1..=MOST))]
    pub classes: u64,
    /// Of hidden and weight
    #[arg(long, default_value = "bf16", value_parser = ["f32", "f16", "bf16"])]
    pub dtype: String,
    /// The card: A100, H100, H200, RTX-4090, B200, RTX-5090
    #[arg(long, value_name = "NAME")]
    pub card: String,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Where operations are to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// A GPU where there is one, else the software device
    Auto,
    /// A GPU
    Gpu,
    /// The software device
    Software,
    /// The f64 reference on the CPU
    Reference,
}

impl Choice {
    /// What `OBLATE_DEVICE` asks for: `auto` where it is not set.
    ///
    /// # Errors
    /// `Install` when it holds something else than auto, gpu or software.
    pub fn environment() -> Result<Self> {
        Ok(match oblate_softgpu::Choice::environment().map_err(Error::Install)? {
            oblate_softgpu::Choice::Auto => Self::Auto,
            oblate_softgpu::Choice::Gpu => Self::Gpu,
            oblate_softgpu::Choice::Software => Self::Software,
        })
    }
}
