//! What can go wrong on the command line, each in one line.

use std::io;
use std::path::PathBuf;

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// A wrong use of the command line, or an operation's own error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is not whole, or not safetensors.
    #[error("{}: not a whole safetensors file: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// An output in a folder that does not exist.
    #[error("{}: the folder {} does not exist", path.display(), folder.display())]
    NoFolder {
        /// The output.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// An output that cannot be written; nothing of it is left.
    #[error("{}: not written: {source}", path.display())]
    Write {
        /// The output.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name that is no operation and no family.
    #[error("{name}: no such operation or family{}", nearest.as_ref().map(|name| format!("; did you mean {name}?")).unwrap_or_default())]
    NoCases {
        /// As it came.
        name: String,
        /// The nearest that exists.
        nearest: Option<String>,
    },
    /// `--set` without `=`.
    #[error("--set {text}: expected name=value")]
    NotAnAssignment {
        /// As it came.
        text: String,
    },
    /// A parameter set more than once.
    #[error("--set {name}: set twice")]
    SetTwice {
        /// The parameter.
        name: String,
    },
    /// A tensor that has no use in the call.
    #[error("{operation}: {tensor} is given, expected only {when}")]
    Unused {
        /// The operation.
        operation: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// In which calls it has one.
        when: String,
    },
    /// A tensor of another dtype.
    #[error("{operation}: {tensor} is {came}, expected {expected}")]
    Dtype {
        /// The operation.
        operation: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// Its dtype.
        came: String,
        /// What it may be.
        expected: String,
    },
    /// A tensor of another shape.
    #[error("{operation}: {tensor} has shape {came:?}, expected {expected}")]
    Shape {
        /// The operation.
        operation: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// Its shape.
        came: Vec<usize>,
        /// In letters, and in numbers where they are known.
        expected: String,
    },
    /// A card whose figures are not known here.
    #[error("no card {name}, expected A100, H100, H200, RTX 4090, B200 or RTX 5090")]
    NoCard {
        /// As it came.
        name: String,
    },
    /// A file that is no report, or holds several.
    #[error("{}: expected one report, as oblate report OPERATION --json writes it: {what}", path.display())]
    NotAReport {
        /// The file.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// `--set` where nothing is counted.
    #[error("--set: both reports are files, expected an operation to set it for")]
    NothingToSet,
    /// `--plot` of several cards.
    #[error("--plot: a plot is of one card, expected --card once")]
    PlotOfCards,
    /// A plot that cannot be drawn.
    #[error("{}: not drawn: {what}", path.display())]
    Plot {
        /// The file.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// `validate --device reference`.
    #[error("validate compares with the reference, expected --device auto, gpu or software")]
    ReferenceAgainstItself,
    /// A GPU was asked for, and there is none.
    #[error("no GPU to run on: {reason}")]
    NoGpu {
        /// What was tried.
        reason: String,
    },
    /// The software device cannot be put in place.
    #[error(transparent)]
    Install(oblate_softgpu::InstallError),
    /// The driver's refusal of memory, a copy or a stream.
    #[error("the CUDA driver answered {name}")]
    Driver {
        /// The name of its CUresult.
        name: String,
    },
    /// The software device found a kernel at fault.
    #[error("{operation}: the software device reports {finding}")]
    Finding {
        /// The operation.
        operation: &'static str,
        /// The first finding.
        finding: String,
    },
    /// The library's own error.
    #[error(transparent)]
    Library(#[from] oblate::Error),
}
