//! `oblate run`: one operation, from a file to a file.

use std::process::ExitCode;

use safetensors::Dtype;

use crate::arguments::RunArguments;
use crate::dispatch::{self, Call};
use crate::place::{Place, Placement, record};
use crate::tensor::is_float;
use crate::{Error, Result, Tensor, Tensors, tensor_file};

/// Runs the operation and writes its outputs.
///
/// # Errors
/// For every wrong input; then nothing is written.
pub fn run(arguments: &RunArguments) -> Result<ExitCode> {
    let (card, operation) = dispatch::operation(&arguments.operation)?;
    let set = assignments(&arguments.set)?;
    card.parameters(set.iter().copied())?; // before a file is read, which may be large
    let mut tensors = tensor_file::read(&arguments.input)?;
    if arguments.allow_extra {
        tensors.retain(|name, _| card.input(name).is_ok());
    }
    let call = Call::new(card, set, tensors)?;
    tensor_file::folder_of(&arguments.output)?; // before the work, which may be long
    let place = Place::open(arguments.device)?;
    let outputs = match &place {
        Place::Reference => {
            let expected = operation.reference(&call)?;
            expected.into_iter().map(|(name, output)| (name.to_owned(), output.tensor(arguments.f64))).collect()
        }
        Place::Device(session) => {
            let (outputs, findings) =
                record(arguments.schedules, || operation.run(session, &call, Placement::default()));
            if let Some(finding) = findings.into_iter().next() {
                return Err(Error::Finding { operation: card.name, finding });
            }
            let outputs = outputs?;
            if arguments.f64 { widened(outputs) } else { outputs }
        }
    };
    tensor_file::write(&arguments.output, &outputs)?;
    eprintln!("{} ran on {place}", card.name);
    Ok(ExitCode::SUCCESS)
}

/// The names and values of `--set name=value`.
///
/// # Errors
/// `NotAnAssignment` and `SetTwice`.
pub(super) fn assignments(set: &[String]) -> Result<Vec<(&str, &str)>> {
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(set.len());
    for text in set {
        let pair = text.split_once('=').ok_or_else(|| Error::NotAnAssignment { text: text.clone() })?;
        if pairs.iter().any(|(name, _)| *name == pair.0) {
            return Err(Error::SetTwice { name: pair.0.to_owned() });
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

/// Every float tensor as f64, which changes no value.
fn widened(tensors: Tensors) -> Tensors {
    let widen = |tensor: Tensor| {
        if is_float(tensor.dtype()) { Tensor::from_f64(Dtype::F64, tensor.shape(), &tensor.to_f64()) } else { tensor }
    };
    tensors.into_iter().map(|(name, tensor)| (name, widen(tensor))).collect()
}
