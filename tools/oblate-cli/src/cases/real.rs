//! Real inputs: the extracts in tests/golden, which are part of the binary.

use safetensors::Dtype;

use super::{Parameters, Recipe};
use crate::Tensors;
use crate::tensor::{Tensor, dtype_name};
use crate::tensor_file;

/// logits f32 \[8, 30522\] of hidden states of a language model over its vocabulary, targets i64 \[8\].
pub const VOCABULARY: &[u8] = include_bytes!("../../../../tests/golden/spherical-vocabulary.safetensors");

/// images u8 \[1797, 64\] of handwritten digits, labels u8 \[1797\].
pub const DIGITS: &[u8] = include_bytes!("../../../../tests/golden/digits.safetensors");

/// Which extract, with which parameters.
#[derive(Clone, Debug)]
pub(super) struct Ingredients {
    extract: Extract,
    set: &'static [(&'static str, &'static str)],
}

#[derive(Clone, Copy, Debug)]
enum Extract {
    Vocabulary,
    /// The first rows of the digits: pixels as logits, hence many ties and zeros in a real arrangement.
    Digits,
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

impl Ingredients {
    pub(super) fn build(&self, dtype: Dtype) -> (Parameters, Tensors) {
        let read = |bytes| tensor_file::parse(bytes).expect("the committed extract is whole");
        let (logits, targets) = match self.extract {
            Extract::Vocabulary => {
                let file = read(VOCABULARY);
                (file["logits"].clone(), file["targets"].clone())
            }
            Extract::Digits => {
                const ROWS: usize = 200;
                let file = read(DIGITS);
                let labels: Vec<i64> = file["labels"].to_f64().iter().map(|&label| label as i64).collect();
                (file["images"].rows(0, ROWS), Tensor::from_i64([ROWS], &labels[..ROWS]))
            }
        };
        let logits = Tensor::from_f64(dtype, logits.shape(), &logits.to_f64());
        let parameters = self.set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        (parameters, [("logits".to_owned(), logits), ("targets".to_owned(), targets)].into())
    }
}
