//! A function for each check of an argument, each ending in an `Error`.

use crate::operations::{Kind, Operation};
use crate::{Dtype, Error, Result};

/// A size lies in the card's range.
pub(crate) fn size(card: &'static Operation, word: &'static str, came: usize) -> Result<()> {
    let size = card.sizes.iter().find(|size| size.word == word).expect("a size of the card");
    if (size.least..=size.most).contains(&came) {
        return Ok(());
    }
    let expected = format!("{} to {}", size.least, size.most);
    Err(Error::Size { operation: card.name, size: word, came, expected })
}

/// A number lies in the range of the card's parameter, as it is and rounded to f32.
pub(crate) fn real(card: &'static Operation, name: &'static str, came: f64) -> Result<()> {
    let parameter = card.parameter(name)?;
    match parameter.kind {
        Kind::Real(range) if !range.contains(came) => Err(Error::Parameter {
            operation: card.name,
            parameter: parameter.name,
            came: came.to_string(),
            expected: parameter.kind.to_string(),
        }),
        _ => Ok(()),
    }
}

/// A slice has as many elements as its tensor.
pub(crate) fn length(operation: &'static str, tensor: &'static str, came: usize, expected: usize) -> Result<()> {
    if came == expected { Ok(()) } else { Err(Error::Length { operation, tensor, came, expected }) }
}

/// A slice that is there has as many elements as its tensor.
pub(crate) fn optional_length<T>(
    operation: &'static str,
    tensor: &'static str,
    came: Option<&[T]>,
    expected: usize,
) -> Result<()> {
    came.map_or(Ok(()), |came| length(operation, tensor, came.len(), expected))
}

/// A dtype is one of those that a tensor may have.
pub(crate) fn dtype(operation: &'static str, tensor: &'static str, came: Dtype, expected: &[Dtype]) -> Result<()> {
    if expected.contains(&came) {
        return Ok(());
    }
    let expected = expected.iter().map(|dtype| dtype.name()).collect::<Vec<_>>().join(" or ");
    Err(Error::Dtype { operation, tensor, came, expected })
}

/// A tensor is there.
pub(crate) fn given<T>(
    operation: &'static str,
    tensor: &'static str,
    came: Option<T>,
    expected: impl FnOnce() -> String,
) -> Result<T> {
    came.ok_or_else(|| Error::Missing { operation, tensor, expected: expected() })
}

/// A tensor is not there.
pub(crate) fn absent<T>(
    operation: &'static str,
    tensor: &'static str,
    came: Option<&T>,
    why: &'static str,
) -> Result<()> {
    if came.is_none() { Ok(()) } else { Err(Error::Unused { operation, tensor, why }) }
}
