//! What can go wrong, each with what was expected and what came.

use crate::Dtype;

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// A wrong argument, a machine without what is needed, or an answer of the driver. Nothing has been written when a call
/// returns one, and the handle stays usable.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that is no operation.
    #[error("{name}: no such operation{}", did_you_mean(*nearest))]
    UnknownOperation {
        /// As it came.
        name: String,
        /// The nearest that exists, where one is near.
        nearest: Option<&'static str>,
    },
    /// A name that is no tensor of the operation.
    #[error("{operation}: no tensor {tensor}{}", did_you_mean(*nearest))]
    UnknownTensor {
        /// The operation.
        operation: &'static str,
        /// As it came.
        tensor: String,
        /// The nearest that exists, where one is near.
        nearest: Option<&'static str>,
    },
    /// A name that is no parameter of the operation.
    #[error("{operation}: no parameter {parameter}{}", did_you_mean(*nearest))]
    UnknownParameter {
        /// The operation.
        operation: &'static str,
        /// As it came.
        parameter: String,
        /// The nearest that exists, where one is near.
        nearest: Option<&'static str>,
    },
    /// A parameter that has no default and was not set.
    #[error("{operation}: {parameter} is not set, expected {expected}")]
    ParameterNotSet {
        /// The operation.
        operation: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// What it takes.
        expected: String,
    },
    /// A parameter of the wrong type or out of its range, NaN and infinity among them.
    #[error("{operation}: {parameter} is {came}, expected {expected}")]
    Parameter {
        /// The operation.
        operation: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// As it came.
        came: String,
        /// What it takes.
        expected: String,
    },
    /// A size that the operation cannot have.
    #[error("{operation}: {size} is {came}, expected {expected}")]
    Size {
        /// The operation.
        operation: &'static str,
        /// The size: `rows`, `classes`.
        size: &'static str,
        /// As it came.
        came: usize,
        /// What it may be.
        expected: String,
    },
    /// A tensor that the operation needs for the parameters it was given.
    #[error("{operation}: {tensor} is missing, expected {expected}")]
    Missing {
        /// The operation.
        operation: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// What it has to be.
        expected: String,
    },
    /// A tensor that has no use with the parameters that the operation was given.
    #[error("{operation}: {tensor} is given, expected none {why}")]
    Unused {
        /// The operation.
        operation: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// With which parameters: `without a gradient`.
        why: &'static str,
    },
    /// A tensor of the wrong dtype.
    #[error("{operation}: {tensor} is {came}, expected {expected}")]
    Dtype {
        /// The operation.
        operation: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// Its dtype.
        came: Dtype,
        /// What it has to be.
        expected: String,
    },
    /// A tensor of the wrong shape.
    #[error("{operation}: {tensor} has shape {came:?}, expected {expected:?}")]
    Shape {
        /// The operation.
        operation: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// Its shape.
        came: Vec<usize>,
        /// What it has to be.
        expected: Vec<usize>,
    },
    /// A slice that has not as many elements as its tensor.
    #[error("{operation}: {tensor} has {came} elements, expected {expected}")]
    Length {
        /// The operation.
        operation: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// Its elements.
        came: usize,
        /// How many it has to have.
        expected: usize,
    },
    /// A tensor that does not begin on a whole element.
    #[error("{operation}: {tensor} is at {address:#x}, expected a multiple of {multiple}")]
    Misaligned {
        /// The operation.
        operation: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// Where it is.
        address: u64,
        /// Bytes that the address must be a multiple of.
        multiple: u64,
    },
    /// A null pointer where a tensor with elements has to be.
    #[error("{operation}: {tensor} is a null pointer, expected {elements} elements")]
    NullPointer {
        /// The operation.
        operation: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// How many elements it has.
        elements: usize,
    },
    /// An output that shares memory with another tensor.
    #[error("{operation}: {tensor} overlaps {other}, expected memory of its own{except}")]
    Overlap {
        /// The operation.
        operation: &'static str,
        /// The output.
        tensor: &'static str,
        /// The tensor that it overlaps.
        other: &'static str,
        /// What is allowed: ` or exactly logits`.
        except: &'static str,
    },
    /// A workspace that is too small for the handle.
    #[error("{operation}: the workspace has {came} bytes, expected {expected} or more")]
    WorkspaceTooSmall {
        /// The operation.
        operation: &'static str,
        /// Its bytes.
        came: usize,
        /// `workspace_bytes()` of the handle.
        expected: usize,
    },
    /// Something that belongs to another CUDA context than the handle.
    #[error("{operation}: {what} is of context {came:#x}, expected {expected:#x}, the handle's")]
    WrongContext {
        /// The operation.
        operation: &'static str,
        /// The tensor, `the stream` or `the workspace`.
        what: &'static str,
        /// Its context.
        came: usize,
        /// The handle's context.
        expected: usize,
    },
    /// A target that is neither `ignore_index` nor a class. Found on the device, where the row's outputs are NaN, it comes
    /// without the value.
    #[error("{operation}: {tensor}{index:?} is {}, expected {ignore_index} (ignore_index) or 0 to {}",
        came.map_or_else(|| "out of range".to_string(), |came| came.to_string()), classes.saturating_sub(1))]
    TargetOutOfRange {
        /// The operation.
        operation: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// The first such entry, one index for each dimension of the tensor.
        index: Vec<usize>,
        /// Its value, where it is known.
        came: Option<i64>,
        /// What marks an ignored row.
        ignore_index: i64,
        /// The number of classes.
        classes: usize,
    },
    /// An entry of `segments` that is less than the one before it, or more than there are rows. Found on the device, where
    /// `segment_loss` is NaN as a whole, it comes without the value.
    #[error("{operation}: segments[{index}] is {}, expected {}at most {rows} (rows)",
        came.map_or_else(|| "out of order".to_string(), |came| came.to_string()), at_least_the_one_before(*index))]
    SegmentsOutOfOrder {
        /// The operation.
        operation: &'static str,
        /// The first such entry.
        index: usize,
        /// Its value, where it is known.
        came: Option<u32>,
        /// The number of rows.
        rows: usize,
    },
    /// An entry of `cluster_offsets` that is less than the one before it, or not 0 in the first place or the number of
    /// classes in the last. Found on the device, where all outputs are NaN, it comes without the value.
    #[error("{operation}: cluster_offsets[{index}] is {}, expected them to ascend from 0 to {classes} (classes)",
        came.map_or_else(|| "out of order".to_string(), |came| came.to_string()))]
    OffsetsOutOfOrder {
        /// The operation.
        operation: &'static str,
        /// The first such entry.
        index: usize,
        /// Its value, where it is known.
        came: Option<i64>,
        /// The number of classes.
        classes: usize,
    },
    /// A step after which the layer could not be told from a singular one. It and those after it were not made.
    #[error("{operation}: step {step} is singular at learning_rate {learning_rate}, expected another learning_rate")]
    SingularStep {
        /// The operation.
        operation: &'static str,
        /// The step, from 0.
        step: usize,
        /// The step size.
        learning_rate: f64,
    },
    /// A file that cannot be read or written, or does not hold what is asked for.
    #[error("{operation}: {path}: {what}")]
    File {
        /// The operation.
        operation: &'static str,
        /// The file.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// There is no CUDA driver.
    #[error("no CUDA driver: libcuda is not found on this machine")]
    NoDriver,
    /// The CUDA driver lacks a function that the library calls.
    #[error("the CUDA driver has no {symbol}: expected a driver for CUDA {}.{} or newer", need.0, need.1)]
    DriverLacks {
        /// The function.
        symbol: &'static str,
        /// The CUDA version that the kernels were built for.
        need: (u32, u32),
    },
    /// The CUDA driver is older than what the kernels were built for.
    #[error("the CUDA driver is for CUDA {}.{}, expected {}.{} or newer", have.0, have.1, need.0, need.1)]
    DriverTooOld {
        /// The CUDA version of the driver.
        have: (u32, u32),
        /// The CUDA version that the kernels were built for.
        need: (u32, u32),
    },
    /// A device that the kernels are not built for.
    #[error("{name} has compute capability {}.{}, expected {}.{} or higher", have.0, have.1, need.0, need.1)]
    CapabilityTooLow {
        /// The device.
        name: String,
        /// Its compute capability.
        have: (u32, u32),
        /// The least that there are kernels for.
        need: (u32, u32),
    },
    /// A `run` on a stream that is being captured into a graph, where a workspace cannot follow; `launch` can be captured.
    #[error("{operation}: the stream is being captured, expected launch, not run, in a graph")]
    Capturing {
        /// The operation.
        operation: &'static str,
    },
    /// A device that the machine does not have.
    #[error("no CUDA device {ordinal}: the driver has {count}")]
    NoDevice {
        /// The device that was asked for.
        ordinal: usize,
        /// How many there are.
        count: usize,
    },
    /// `Device::current` on a thread that has no current CUDA context.
    #[error("no CUDA context is current on this thread")]
    NoCurrentContext,
    /// The driver's answer to a call.
    #[error("{operation}: {function} answered {code} ({name})")]
    Driver {
        /// What it was called for: an operation, or `device`.
        operation: &'static str,
        /// The function of the driver.
        function: &'static str,
        /// Its CUresult.
        code: u32,
        /// The name of the code: `CUDA_ERROR_OUT_OF_MEMORY`.
        name: String,
    },
}

/// `; did you mean X?` or nothing: the end of a message.
fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

/// What an entry of `segments` is held to beside the number of rows; the first of them to nothing.
fn at_least_the_one_before(index: usize) -> String {
    index.checked_sub(1).map_or_else(String::new, |before| format!("at least segments[{before}] and "))
}
