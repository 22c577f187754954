//! What can go wrong on the command line, each in one line.

use std::io;
use std::path::PathBuf;

use crate::names::hint;

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
    /// A name that is no operation, or no family.
    #[error("{name}: no such operation{}", hint(nearest.as_deref()))]
    UnknownOperation {
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
    #[error("{operation}: parameter {parameter} is set twice")]
    SetTwice {
        /// The operation.
        operation: String,
        /// The parameter.
        parameter: String,
    },
    /// A parameter that the operation does not have.
    #[error("{operation}: no parameter {parameter}{}", hint(nearest.as_deref()))]
    UnknownParameter {
        /// The operation.
        operation: String,
        /// As it came.
        parameter: String,
        /// The nearest that exists.
        nearest: Option<String>,
    },
    /// A parameter that is not of its type or out of its range.
    #[error("{operation}: {parameter} is {came}, expected {expected}")]
    Parameter {
        /// The operation.
        operation: String,
        /// The parameter.
        parameter: String,
        /// As it came.
        came: String,
        /// What it takes.
        expected: String,
    },
    /// A tensor that the operation does not take.
    #[error("{operation}: no tensor {tensor}{} (--allow-extra lets it pass)", hint(nearest.as_deref()))]
    UnknownTensor {
        /// The operation.
        operation: String,
        /// As it came.
        tensor: String,
        /// The nearest that exists.
        nearest: Option<String>,
    },
    /// A tensor that the operation needs and the file lacks.
    #[error("{operation}: {tensor} is missing, expected {expected}")]
    MissingTensor {
        /// The operation.
        operation: String,
        /// The tensor.
        tensor: String,
        /// Dtype and shape, as the card has them.
        expected: String,
    },
    /// A tensor of another dtype.
    #[error("{operation}: {tensor} is {came}, expected {expected}")]
    Dtype {
        /// The operation.
        operation: String,
        /// The tensor.
        tensor: String,
        /// Its dtype.
        came: String,
        /// What it may be.
        expected: String,
    },
    /// A tensor of another shape.
    #[error("{operation}: {tensor} has shape {came:?}, expected {expected}")]
    Shape {
        /// The operation.
        operation: String,
        /// The tensor.
        tensor: String,
        /// Its shape.
        came: Vec<usize>,
        /// In letters, and in numbers where they are known.
        expected: String,
    },
    /// A GPU was asked for, and there is none.
    #[error("no GPU to run on: {why}; --device software runs on the software device")]
    NoGpu {
        /// What the driver said.
        why: String,
    },
    /// The software device found a kernel at fault.
    #[error("{operation}: the software device reports {finding}")]
    Finding {
        /// The operation.
        operation: String,
        /// The first finding.
        finding: String,
    },
}
