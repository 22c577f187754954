//! The card of every operation as data: its tensors, sizes and parameters. Argument checks, `oblate list` and the tables
//! of the documentation are made from it.
//!
//! ```
//! let dense = oblate::operations::find("spherical.dense")?;
//! let parameters = dense.parameters([("loss", "z"), ("a", "2")])?;
//! assert_eq!(parameters.real("a"), Some(2.0));
//! assert_eq!(parameters.real("b"), Some(0.0)); // its default
//! # Ok::<(), oblate::Error>(())
//! ```

mod dimension;
mod nearest;
mod parameter;
mod spherical;

pub use dimension::Dimension;
pub use nearest::nearest;
pub use parameter::{Kind, Parameter, Parameters, Range, Value};
pub(crate) use spherical::{
    DENSE, FACTORED, HIERARCHICAL_SOFTMAX, LINEAR, LINEAR_CROSS_ENTROPY, RANK, SOFTMAX_CROSS_ENTROPY,
};

use crate::{Dtype, Error, Result};

/// Every operation of the library.
pub const OPERATIONS: &[Operation] =
    &[DENSE, SOFTMAX_CROSS_ENTROPY, LINEAR_CROSS_ENTROPY, LINEAR, FACTORED, RANK, HIERARCHICAL_SOFTMAX];

/// The card of an operation.
///
/// # Errors
/// `UnknownOperation` with the nearest name that exists.
pub fn find(name: &str) -> Result<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name).ok_or_else(|| Error::UnknownOperation {
        name: name.to_string(),
        nearest: nearest(name, OPERATIONS.iter().map(|operation| operation.name)),
    })
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Operation {
    /// FAMILY.OPERATION: also the path of its kernel, handle and reference.
    pub name: &'static str,
    /// What it computes, in one line.
    pub formula: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// The letters of its shapes.
    pub sizes: &'static [Size],
    /// Inputs, then outputs.
    pub tensors: &'static [Tensor],
    /// What a call sets.
    pub parameters: &'static [Parameter],
}

impl Operation {
    /// The tensors that a call is given.
    pub fn inputs(&self) -> impl Iterator<Item = &'static Tensor> {
        self.tensors.iter().filter(|tensor| tensor.role == Role::Input)
    }

    /// The tensors that a call writes.
    pub fn outputs(&self) -> impl Iterator<Item = &'static Tensor> {
        self.tensors.iter().filter(|tensor| tensor.role == Role::Output)
    }

    /// The card of an input.
    ///
    /// # Errors
    /// `UnknownTensor` with the nearest input that exists.
    pub fn input(&self, name: &str) -> Result<&'static Tensor> {
        self.inputs().find(|tensor| tensor.name == name).ok_or_else(|| Error::UnknownTensor {
            operation: self.name,
            tensor: name.to_string(),
            nearest: nearest(name, self.inputs().map(|tensor| tensor.name)),
        })
    }

    /// The card of a parameter.
    ///
    /// # Errors
    /// `UnknownParameter` with the nearest that exists.
    pub fn parameter(&self, name: &str) -> Result<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name).ok_or_else(|| Error::UnknownParameter {
            operation: self.name,
            parameter: name.to_string(),
            nearest: nearest(name, self.parameters.iter().map(|parameter| parameter.name)),
        })
    }

    /// The values of all parameters: those of `set`, name and text, the last of a name, and the defaults of the others.
    ///
    /// # Errors
    /// `UnknownParameter`; `Parameter` for a text that is not of the parameter's type or out of its range, NaN and infinity
    /// among them; `ParameterNotSet` for one that has no default.
    pub fn parameters<'a>(&self, set: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Parameters> {
        Parameters::parse(self, set)
    }
}

/// A letter of an operation's shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Size {
    /// In shapes and formulas.
    pub letter: &'static str,
    /// In code.
    pub word: &'static str,
    /// The least that it may be.
    pub least: usize,
    /// The most that it may be.
    pub most: usize,
}

/// A tensor of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tensor {
    /// Its name in files, code and errors.
    pub name: &'static str,
    /// Given or written.
    pub role: Role,
    /// What its elements may be.
    pub elements: Elements,
    /// Its shape, or one of several.
    pub shapes: &'static [Shape],
    /// Whether a call has it.
    pub presence: Presence,
}

/// Whether a tensor is given or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Given.
    Input,
    /// Written.
    Output,
}

/// What the elements of a tensor may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Elements {
    /// `f` of the cards: f32, f16 or bf16, one for all such tensors of a call.
    Float,
    /// i64 or u32.
    Index,
    /// Always this.
    Only(Dtype),
    /// Under the condition this, else `f`.
    FloatUnless(When, Dtype),
}

impl Elements {
    /// What they may be, each.
    pub fn dtypes(self) -> Vec<Dtype> {
        match self {
            Self::Float | Self::FloatUnless(..) => Dtype::FLOATS.to_vec(),
            Self::Index => Dtype::INDICES.to_vec(),
            Self::Only(dtype) => vec![dtype],
        }
    }
}

/// One shape of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shape {
    /// Slowest first; none for a scalar.
    pub dimensions: &'static [Dimension],
    /// When the tensor has this shape.
    pub when: When,
}

/// Whether a call has a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// Exactly under this condition.
    Required(When),
    /// As the caller likes.
    Optional,
}

/// A condition on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// In every call.
    Always,
    /// When the parameter has the value.
    Is(&'static str, &'static str),
    /// When the parameter has another value.
    IsNot(&'static str, &'static str),
    /// When the parameter, which has no default, is set.
    Set(&'static str),
    /// When the tensor has so many dimensions.
    Rank(&'static str, usize),
    /// When the tensor, which a call may have or not, is given.
    Given(&'static str),
    /// When the tensor is not given.
    NotGiven(&'static str),
    /// When each of these holds.
    All(&'static [When]),
    /// When the caller chooses so: one of the shapes that the tensor may have.
    Chosen,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract's tables, stated a second time: name, elements, shapes, whether a call has it.
    #[test]
    fn the_cards_are_the_contract() {
        let tensors = |name| {
            let operation = find(name).expect("an operation");
            let line = |tensor: &'static Tensor| {
                let shapes: Vec<String> =
                    tensor.shapes.iter().map(|shape| format!("[{}]", Dimension::join(shape.dimensions, ","))).collect();
                let optional = if tensor.presence == Presence::Required(When::Always) { "" } else { "?" };
                format!("{}{optional} {:?} {}", tensor.name, tensor.elements, shapes.join(" "))
            };
            let inputs: Vec<String> = operation.inputs().map(line).collect();
            let outputs: Vec<String> = operation.outputs().map(line).collect();
            (inputs.join("; "), outputs.join("; "))
        };
        let (inputs, outputs) = tensors("spherical.dense");
        assert_eq!(
            inputs,
            "logits Float [B,D]; targets Index [B] [B,K]; values? Only(F32) [B,K]; row_weights? Only(F32) [B]; \
             grad_loss? Only(F32) [B] []"
        );
        assert_eq!(outputs, "loss Only(F32) [B] []; grad_logits? Float [B,D]");
        let (inputs, outputs) = tensors("spherical.softmax_cross_entropy");
        assert_eq!(
            inputs,
            "logits Float [B,D]; targets Index [B]; row_weights? Only(F32) [B]; grad_loss? Only(F32) [B] []"
        );
        assert_eq!(
            outputs,
            "loss Only(F32) [B] []; penalty? Only(F32) [B] []; lse Only(F32) [B]; grad_logits? Float [B,D]"
        );
        let (inputs, outputs) = tensors("spherical.linear_cross_entropy");
        assert_eq!(
            inputs,
            "hidden Float [B,d]; weight Float [D,d]; targets Index [B]; bias? Float [D]; row_weights? Only(F32) [B]; \
             segments? Only(U32) [S+1]; grad_loss? Only(F32) [B] []"
        );
        assert_eq!(
            outputs,
            "loss Only(F32) [B] []; penalty? Only(F32) [B] []; lse Only(F32) [B]; target_logits Only(F32) [B]; \
             segment_loss? Only(F32) [S]; grad_hidden? Float [B,d]; \
             grad_weight? FloatUnless(Is(\"grad_weight_dtype\", \"f32\"), F32) [D,d]; grad_bias? Float [D]"
        );
        let (inputs, outputs) = tensors("spherical.factored");
        assert_eq!(
            inputs,
            "weight Only(F32) [D,d]; hidden Only(F32) [T,B,d]; targets Index [T,B] [T,B,K]; values? Only(F32) [T,B,K]; \
             row_weights? Only(F32) [T,B]; grad_loss? Only(F32) [T,B] [T]"
        );
        assert_eq!(outputs, "weight Only(F32) [D,d]; loss Only(F32) [T,B] [T]; grad_hidden? Only(F32) [T,B,d]");
        let (inputs, outputs) = tensors("spherical.linear");
        assert_eq!(
            inputs,
            "hidden Float [B,d]; weight Float [D,d]; targets Index [B] [B,K]; values? Only(F32) [B,K]; \
             gram? Only(F32) [d,d]; row_sum? Only(F32) [d]; row_weights? Only(F32) [B]; grad_loss? Only(F32) [B] []"
        );
        assert_eq!(
            outputs,
            "loss Only(F32) [B] []; s Only(F32) [B]; q Only(F32) [B]; target_logits Only(F32) [B,1] [B,K]; \
             grad_hidden? Float [B,d]"
        );
        let (inputs, outputs) = tensors("spherical.rank");
        assert_eq!(inputs, "logits? Float [B,D]; hidden? Float [B,d]; weight? Float [D,d]; targets Index [B]");
        assert_eq!(outputs, "rank Only(U32) [B]; hits Only(U8) [B]");
        let (inputs, outputs) = tensors("spherical.hierarchical_softmax");
        assert_eq!(
            inputs,
            "hidden Float [B,d]; weight Float [D,d]; cluster_weight Float [C,d]; cluster_offsets Only(I64) [C+1]; \
             targets Index [B]; row_weights? Only(F32) [B]; grad_loss? Only(F32) [B] []"
        );
        assert_eq!(
            outputs,
            "loss Only(F32) [B] []; grad_hidden? Float [B,d]; \
             grad_weight? FloatUnless(Is(\"grad_weight_dtype\", \"f32\"), F32) [D,d]; \
             grad_cluster_weight? FloatUnless(Is(\"grad_weight_dtype\", \"f32\"), F32) [C,d]"
        );
        let parameters = |name| {
            let line = |parameter: &Parameter| {
                format!("{} {} = {}", parameter.name, parameter.kind, parameter.default.unwrap_or("-"))
            };
            find(name).expect("an operation").parameters.iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(
            parameters("spherical.dense"),
            [
                "loss squared_error | log_spherical_softmax | log_taylor_softmax | z = -",
                "a a number > 0 = 1",
                "b a number = 0",
                "epsilon a number > 0 = 1e-2",
                "ignore_index an integer = -100",
                "reduction none | mean | sum = none",
                "need_grad true | false = true",
            ]
        );
        assert_eq!(
            parameters("spherical.softmax_cross_entropy"),
            [
                "label_smoothing a number from 0 to 1 = 0",
                "lse_penalty a number >= 0 = -",
                "ignore_index an integer = -100",
                "reduction none | mean | sum = none",
                "need_grad true | false = true",
            ]
        );
        assert_eq!(
            parameters("spherical.linear_cross_entropy"),
            [
                "label_smoothing a number from 0 to 1 = 0",
                "lse_penalty a number >= 0 = -",
                "softcap a number > 0 = -",
                "ignore_index an integer = -100",
                "reduction none | mean | sum = none",
                "need_grad true | false = true",
                "need_grad_weight true | false = true",
                "grad_weight_dtype same | f32 = same",
            ]
        );
        assert_eq!(
            parameters("spherical.hierarchical_softmax"),
            [
                "ignore_index an integer = -100",
                "reduction none | mean | sum = none",
                "need_grad true | false = true",
                "need_grad_weight true | false = false",
                "grad_weight_dtype same | f32 = same",
            ]
        );
        assert_eq!(
            parameters("spherical.factored"),
            [
                "loss squared_error | log_spherical_softmax | log_taylor_softmax | z = -",
                "a a number > 0 = 1",
                "b a number = 0",
                "epsilon a number > 0 = 1e-2",
                "learning_rate a number >= 0 = -",
                "weight_decay a number >= 0 = 0",
                "newton_every an integer >= 0 = 20",
                "fold_range two numbers in ascending order, each a number > 0 = 0.1,10",
                "ignore_index an integer = -100",
                "reduction none | mean | sum = none",
                "need_grad true | false = true",
            ]
        );
    }

    /// What a condition names exists.
    fn names_something(operation: &Operation, condition: When) {
        match condition {
            When::Is(parameter, value) | When::IsNot(parameter, value) => {
                let card = operation.parameter(parameter).expect("a parameter");
                card.parse(operation.name, value).expect("a value that it takes");
            }
            When::Set(parameter) => {
                assert_eq!(operation.parameter(parameter).expect("a parameter").default, None);
            }
            When::Rank(tensor, rank) => {
                let card = operation.input(tensor).expect("an input");
                assert!(card.shapes.iter().any(|shape| shape.dimensions.len() == rank));
            }
            When::Given(tensor) | When::NotGiven(tensor) => {
                let card = operation.input(tensor).expect("an input");
                assert_ne!(card.presence, Presence::Required(When::Always), "{tensor} is always given");
            }
            When::All(conditions) => conditions.iter().for_each(|condition| names_something(operation, *condition)),
            When::Always | When::Chosen => {}
        }
    }

    #[test]
    fn every_letter_and_every_condition_names_something() {
        for operation in OPERATIONS {
            for tensor in operation.tensors {
                for letter in tensor.shapes.iter().flat_map(|shape| shape.dimensions).filter_map(|size| size.letter()) {
                    assert!(operation.sizes.iter().any(|size| size.letter == letter), "{} {letter}", tensor.name);
                }
                let presence = if let Presence::Required(when) = tensor.presence { Some(when) } else { None };
                let elements = if let Elements::FloatUnless(when, _) = tensor.elements { Some(when) } else { None };
                let shapes = tensor.shapes.iter().map(|shape| shape.when);
                shapes.chain(presence).chain(elements).for_each(|condition| names_something(operation, condition));
            }
        }
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        let message = find("spherical.dens").map(|operation| operation.name).expect_err("no operation").to_string();
        assert_eq!(message, "spherical.dens: no such operation; did you mean spherical.dense?");
        let dense = find("spherical.dense").expect("an operation");
        let message = dense.input("logit").expect_err("no tensor").to_string();
        assert_eq!(message, "spherical.dense: no tensor logit; did you mean logits?");
        let message = dense.parameter("weight_decay").expect_err("no parameter").to_string();
        assert_eq!(message, "spherical.dense: no parameter weight_decay");
    }
}
