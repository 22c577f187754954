//! A function for each check of an argument, each ending in an `Error`.

use crate::operations::{Kind, Operation};
use crate::{DevicePtr, Dtype, Error, Result};

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

/// An optional tensor is there when it is `needed`, of that dtype and shape, and only then.
pub(crate) fn presence(
    operation: &'static str,
    tensor: &'static str,
    is_there: bool,
    needed: Option<(Dtype, Vec<usize>)>,
    why_not: &'static str,
) -> Result<()> {
    match needed {
        Some((dtype, shape)) if !is_there => {
            Err(Error::Missing { operation, tensor, expected: format!("{dtype} {shape:?}") })
        }
        None if is_there => Err(Error::Unused { operation, tensor, why: why_not }),
        _ => Ok(()),
    }
}

/// A workspace has the bytes that a handle needs.
pub(crate) fn workspace(operation: &'static str, came: usize, expected: usize) -> Result<()> {
    if came < expected { Err(Error::WorkspaceTooSmall { operation, came, expected }) } else { Ok(()) }
}

/// A size as what a kernel's grid is counted in.
pub(crate) fn to_u32(operation: &'static str, size: &'static str, came: usize) -> Result<u32> {
    u32::try_from(came).map_err(|_| Error::Size { operation, size, came, expected: format!("at most {}", u32::MAX) })
}

/// A parameter that `real` has let pass, as a kernel takes it.
#[allow(clippy::cast_possible_truncation, reason = "kernels take parameters rounded to f32")]
pub(crate) fn to_f32(parameter: f64) -> f32 {
    parameter as f32
}

/// A tensor as a launch is given it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    tensor: &'static str,
    pointer: DevicePtr,
    elements: usize,
    element_bytes: usize,
    is_written: bool,
}

impl Span {
    /// A tensor that is not there.
    pub(crate) const NONE: Self =
        Self { tensor: "", pointer: DevicePtr::NULL, elements: 0, element_bytes: 1, is_written: false };

    pub(crate) fn read(tensor: &'static str, pointer: DevicePtr, elements: usize, element_bytes: usize) -> Self {
        Self { tensor, pointer, elements, element_bytes, is_written: false }
    }

    pub(crate) fn written(tensor: &'static str, pointer: DevicePtr, elements: usize, element_bytes: usize) -> Self {
        Self { tensor, pointer, elements, element_bytes, is_written: true }
    }

    fn bytes(&self) -> u64 {
        (self.elements as u64).saturating_mul(self.element_bytes as u64)
    }

    fn overlaps(&self, other: &Self) -> bool {
        let end = |span: &Self| span.pointer.0.saturating_add(span.bytes());
        self.bytes() > 0 && other.bytes() > 0 && self.pointer.0 < end(other) && other.pointer.0 < end(self)
    }
}

/// Every tensor with elements is somewhere, on whole elements, and none that is written shares memory with another; but
/// `in_place`, an output and an input, may be the same.
pub(crate) fn spans(
    operation: &'static str,
    spans: &[Span],
    in_place: Option<(&'static str, &'static str)>,
) -> Result<()> {
    for span in spans.iter().filter(|span| span.elements > 0) {
        let Span { tensor, pointer, elements, .. } = *span;
        let multiple = span.element_bytes as u64;
        if pointer == DevicePtr::NULL {
            return Err(Error::NullPointer { operation, tensor, elements });
        }
        if !pointer.0.is_multiple_of(multiple) {
            return Err(Error::Misaligned { operation, tensor, address: pointer.0, multiple });
        }
    }
    for (i, written) in spans.iter().enumerate().filter(|(_, span)| span.is_written) {
        for (j, other) in spans.iter().enumerate() {
            // Two that are both written meet once.
            if j == i || (other.is_written && j > i) || !written.overlaps(other) {
                continue;
            }
            let may_be_same = in_place == Some((written.tensor, other.tensor));
            if may_be_same && written.pointer == other.pointer && written.bytes() == other.bytes() {
                continue;
            }
            let except = if may_be_same { " or exactly that tensor" } else { "" };
            return Err(Error::Overlap { operation, tensor: written.tensor, other: other.tensor, except });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(tensor: &'static str, pointer: u64, elements: usize, is_written: bool) -> Span {
        Span { tensor, pointer: DevicePtr(pointer), elements, element_bytes: 4, is_written }
    }

    fn message(all: &[Span]) -> String {
        spans("op", all, Some(("grad", "x"))).expect_err("a wrong span").to_string()
    }

    #[test]
    fn tensors_are_somewhere_and_on_whole_elements() {
        assert_eq!(spans("op", &[span("x", 0, 0, false), span("y", 4, 1, true)], None), Ok(()));
        assert_eq!(message(&[span("x", 0, 3, false)]), "op: x is a null pointer, expected 3 elements");
        assert_eq!(message(&[span("x", 0x1002, 3, false)]), "op: x is at 0x1002, expected a multiple of 4");
    }

    #[test]
    fn what_is_written_has_memory_of_its_own() {
        let x = span("x", 0x1000, 4, false);
        for right in [
            vec![x, span("grad", 0x1000, 4, true)],
            vec![x, span("y", 0x1010, 1, true), span("z", 0xff8, 2, true)],
            vec![x, span("w", 0x1004, 2, false)],
        ] {
            assert_eq!(spans("op", &right, Some(("grad", "x"))), Ok(()), "{right:?}");
        }
        let own = "expected memory of its own";
        let grad = message(&[x, span("grad", 0x1004, 4, true)]);
        assert_eq!(grad, format!("op: grad overlaps x, {own} or exactly that tensor"));
        let shorter = message(&[x, span("grad", 0x1000, 3, true)]);
        assert_eq!(shorter, format!("op: grad overlaps x, {own} or exactly that tensor"));
        assert_eq!(message(&[x, span("y", 0x100c, 1, true)]), format!("op: y overlaps x, {own}"));
        let both = message(&[span("y", 0x1000, 2, true), span("z", 0x1004, 2, true)]);
        assert_eq!(both, format!("op: z overlaps y, {own}"));
    }
}
