//! Real inputs: the extracts in tests/golden, which are part of the binary.

use safetensors::Dtype;

use super::{Parameters, Recipe};
use crate::Tensors;
use crate::tensor::{Tensor, dtype_name};
use crate::tensor_file;

/// logits f32 \[8, 30522\] of hidden states of a language model over its vocabulary, targets i64 \[8\].
pub const VOCABULARY: &[u8] = include_bytes!("../../../../tests/golden/spherical-vocabulary.safetensors");

/// hidden bf16 \[64, 384\] of the same states, weight bf16 \[2048, 384\] of some of the words, theirs among them, and their
/// places, targets i64 \[64\].
pub const HEAD: &[u8] = include_bytes!("../../../../tests/golden/spherical-head.safetensors");

/// images u8 \[1797, 64\] of handwritten digits, labels u8 \[1797\].
pub const DIGITS: &[u8] = include_bytes!("../../../../tests/golden/digits.safetensors");

/// Which extract, with which parameters.
#[derive(Clone, Debug)]
pub(super) struct Ingredients {
    extract: Extract,
    set: Set,
}

type Set = &'static [(&'static str, &'static str)];

#[derive(Clone, Copy, Debug)]
enum Extract {
    Vocabulary,
    /// The first rows of the digits: pixels as logits, hence many ties and zeros in a real arrangement.
    Digits,
    Head,
    /// The head, in two steps of half the states each.
    Steps,
}

pub(super) fn recipes(operation: &'static str, dtype: Dtype) -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for (extract, words) in [(Extract::Vocabulary, "vocabulary"), (Extract::Digits, "digits")] {
        for (label, set) in super::spherical::formulas(operation) {
            recipes.push(Recipe {
                name: format!("{operation} {} real {words}{label}", dtype_name(dtype)),
                operation,
                dtype,
                ingredients: super::Ingredients::Real(Ingredients { extract, set }),
            });
        }
    }
    recipes
}

/// The operations over a head, on the real one.
pub(super) fn head_recipes(dtype: Dtype) -> Vec<Recipe> {
    let recipe = |(operation, extract, label, set): (&'static str, Extract, &str, Set)| Recipe {
        name: format!("{operation} {} real head{label}", dtype_name(dtype)),
        operation,
        dtype,
        ingredients: super::Ingredients::Real(Ingredients { extract, set }),
    };
    let losses = super::spherical::formulas("spherical.dense").iter();
    let linear = losses.map(|&(label, set)| (super::linear::OPERATION, Extract::Head, label, set));
    let others: [(&'static str, Extract, &str, Set); 3] = [
        (super::linear_cross_entropy::OPERATION, Extract::Head, "", &[]),
        (super::linear_cross_entropy::OPERATION, Extract::Head, " mean", &[("reduction", "mean"), ("softcap", "30")]),
        (super::rank::OPERATION, Extract::Head, "", &[("k", "10")]),
    ];
    let factored: [(&'static str, Extract, &str, Set); 1] =
        [(super::factored::OPERATION, Extract::Steps, " z", &[("loss", "z"), ("learning_rate", "0.5")])];
    let of_f32 = factored.into_iter().filter(|_| dtype == Dtype::F32);
    linear.chain(others).chain(of_f32).map(recipe).collect()
}

impl Ingredients {
    pub(super) fn build(&self, dtype: Dtype) -> (Parameters, Tensors) {
        let parameters = self.set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let tensors = match self.extract {
            Extract::Vocabulary => vocabulary(dtype),
            Extract::Digits => digits(dtype),
            Extract::Head => head(dtype, 1),
            Extract::Steps => head(dtype, 2),
        };
        (parameters, tensors)
    }
}

fn read(bytes: &[u8]) -> Tensors {
    tensor_file::parse(bytes).expect("the committed extract is whole")
}

fn logits(dtype: Dtype, logits: &Tensor, targets: Tensor) -> Tensors {
    let logits = Tensor::from_f64(dtype, logits.shape(), &logits.to_f64());
    [("logits".to_owned(), logits), ("targets".to_owned(), targets)].into()
}

fn vocabulary(dtype: Dtype) -> Tensors {
    let file = read(VOCABULARY);
    logits(dtype, &file["logits"], file["targets"].clone())
}

fn digits(dtype: Dtype) -> Tensors {
    const ROWS: usize = 200;
    let file = read(DIGITS);
    let labels: Vec<i64> = file["labels"].to_f64().iter().map(|&label| label as i64).collect();
    logits(dtype, &file["images"].rows(0, ROWS), Tensor::from_i64([ROWS], &labels[..ROWS]))
}

/// With more than one step, as many states in each.
fn head(dtype: Dtype, steps: usize) -> Tensors {
    let mut file = read(HEAD);
    for (name, tensor) in &mut file {
        let mut shape = tensor.shape().to_vec();
        if steps > 1 && name != "weight" {
            shape.splice(..1, [steps, shape[0] / steps]);
        }
        *tensor = if tensor.dtype() == Dtype::I64 {
            Tensor::from_i64(shape, &tensor.to_i64())
        } else {
            Tensor::from_f64(dtype, shape, &tensor.to_f64())
        };
    }
    file
}
