//! An operation by its name: its card, its reference, and its run on a device. `oblate run`, `oblate validate` and the
//! tests all come through here.

mod call;
mod dense;
mod factored;
mod hierarchical_softmax;
mod linear;
mod linear_cross_entropy;
mod memory;
mod rank;
mod softmax_cross_entropy;
mod wrong_data;

pub use call::{Call, OutputShape, condition};
use oblate::Tracked;
use oblate::operations::{self, nearest};
pub use wrong_data::WrongData;

use crate::compare::Expected;
use crate::place::{Placement, Session};
use crate::{Result, Tensors};

/// What the command line knows of an operation beside its card.
pub trait Operation: std::fmt::Debug + Sync {
    /// The name.
    fn name(&self) -> &'static str;

    /// The outputs of the call in f64, in the order of the card.
    ///
    /// # Errors
    /// What only the data shows: a target out of range.
    fn reference(&self, call: &Call) -> Result<Vec<(&'static str, Expected)>>;

    /// The outputs of the call from a device, and what the device found wrong with its data.
    ///
    /// # Errors
    /// What the handle or the driver refuses.
    fn launch(&self, session: &Session, call: &Call, placement: Placement) -> Result<(Tensors, Result<()>)>;

    /// The outputs of the call from a device.
    ///
    /// # Errors
    /// As the reference's, and what the driver refuses.
    fn run(&self, session: &Session, call: &Call, placement: Placement) -> Result<Tensors> {
        let (outputs, status) = self.launch(session, call, placement)?;
        status.map(|()| outputs)
    }

    /// Does what a report counts of the call, and gives the bytes that it cannot do without: those of inputs and outputs.
    ///
    /// # Errors
    /// As `run`.
    fn count(&self, session: &Session, call: &Call) -> Result<u64> {
        let outputs = self.run(session, call, Placement::default())?;
        Ok(bytes(call.tensors.values().chain(outputs.values())))
    }

    /// What the header of the operation's kernels says of this call; none where it says no more than the compulsory bytes.
    ///
    /// # Errors
    /// What the handle refuses.
    fn model(&self, _: &Session, _: &Call) -> Result<Option<Model>> {
        Ok(None)
    }

    /// The output that may take the place of an input in this call, and that input.
    fn in_place(&self, call: &Call) -> Option<(&'static str, &'static str)>;
}

/// The figures by which a call of tiled products is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Model {
    /// Of the formula's product: rows times classes times width.
    pub multiply_adds: u64,
    /// Bytes of global memory that the tiles move.
    pub tile_bytes: u64,
    /// Bytes of memory beyond inputs and outputs.
    pub workspace_bytes: u64,
}

/// Of all of them.
fn bytes<'a>(tensors: impl Iterator<Item = &'a crate::Tensor>) -> u64 {
    tensors.map(|tensor| tensor.bytes().len() as u64).sum()
}

/// Every operation, in the order of the cards.
const OPERATIONS: [&dyn Operation; 7] = [
    &dense::Dense,
    &softmax_cross_entropy::SoftmaxCrossEntropy,
    &linear_cross_entropy::LinearCrossEntropy,
    &linear::Linear,
    &factored::Factored,
    &rank::Rank,
    &hierarchical_softmax::HierarchicalSoftmax,
];

/// The operation of a name, and its card.
///
/// # Errors
/// `oblate::Error::UnknownOperation` with the nearest name that exists.
pub fn operation(name: &str) -> Result<(&'static operations::Operation, &'static dyn Operation)> {
    let card = operations::find(name)?;
    let known = OPERATIONS.into_iter().find(|operation| operation.name() == card.name);
    let unknown = || oblate::Error::UnknownOperation {
        name: name.to_owned(),
        nearest: nearest(name, OPERATIONS.iter().map(|operation| operation.name())),
    };
    Ok((card, known.ok_or_else(unknown)?))
}

/// Pairs what a reference gives with the shapes that the card has: an output that the call does not have is left out.
fn expected<const N: usize>(
    call: &Call,
    values: [(&'static str, Option<Vec<Tracked>>); N],
) -> Vec<(&'static str, Expected)> {
    let mut values = std::collections::BTreeMap::from(values);
    let take = |output: OutputShape| {
        let tracked = values.remove(output.name).flatten()?;
        let magnitudes = tracked.iter().map(|tracked| tracked.magnitude).collect();
        let values = tracked.into_iter().map(|tracked| tracked.value).collect();
        Some((output.name, Expected::new(output.dtype, output.shape, values, magnitudes)))
    };
    call.outputs().into_iter().filter_map(take).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_has_its_operation() {
        for card in operations::OPERATIONS {
            assert_eq!(operation(card.name).unwrap().1.name(), card.name);
        }
        assert_eq!(OPERATIONS.len(), operations::OPERATIONS.len());
    }

    /// A bound that is not finite would let nothing pass, or everything.
    #[test]
    fn every_finite_reference_has_a_finite_magnitude() {
        for recipe in crate::cases::all() {
            let case = recipe.build(0);
            let (card, operation) = operation(case.operation).unwrap();
            let set = case.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let call = Call::new(card, set, case.tensors).unwrap();
            let call = WrongData::corrected(&call).map_or(call, |(right, _)| right);
            for (tensor, output) in operation.reference(&call).unwrap() {
                let wrong =
                    output.values.iter().zip(&output.magnitudes).position(|(v, m)| v.is_finite() && !m.is_finite());
                assert_eq!(wrong, None, "{}: {tensor}", recipe.name());
            }
        }
    }
}
