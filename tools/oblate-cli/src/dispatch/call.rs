//! A call of an operation: its parameters and tensors, checked against the card.

use std::collections::BTreeMap;

use oblate::operations::{Dimension, Elements, Operation, Parameters, Presence, Shape, Tensor as Card, When};
use safetensors::Dtype;

use crate::tensor::{Tensor, dtype_name, dtype_of};
use crate::{Error, Result, Tensors};

/// A call whose names, dtypes, shapes and parameters are right; what only the data shows is not looked at yet.
#[derive(Clone, Debug)]
pub struct Call {
    /// The operation's card.
    pub card: &'static Operation,
    /// Every parameter that is set or has a default.
    pub parameters: Parameters,
    /// The inputs by name, none but those of the card.
    pub tensors: Tensors,
    float: Option<Dtype>,
    sizes: BTreeMap<&'static str, usize>,
}

/// An output as the card has it for one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputShape {
    /// Its name.
    pub name: &'static str,
    /// Its dtype.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
}

impl Call {
    /// A call of `card` with these parameters, as text, and tensors.
    ///
    /// # Errors
    /// One for the first thing that the card does not allow: parameters first, then the tensors in the card's order.
    pub fn new<'a>(
        card: &'static Operation,
        set: impl IntoIterator<Item = (&'a str, &'a str)>,
        tensors: Tensors,
    ) -> Result<Self> {
        let parameters = card.parameters(set)?;
        let mut call = Self { card, parameters, tensors, float: None, sizes: BTreeMap::new() };
        for name in call.tensors.keys() {
            card.input(name)?;
        }
        for tensor in card.inputs() {
            call.check(tensor)?;
        }
        Ok(call)
    }

    /// The size that a word names, `rows` or `classes`; 0 where this call has no such size.
    pub fn size(&self, word: &str) -> usize {
        let letter = self.card.sizes.iter().find(|size| size.word == word).map(|size| size.letter);
        letter.and_then(|letter| self.sizes.get(letter)).copied().unwrap_or(0)
    }

    /// The dtype of an input, as the library names it.
    ///
    /// # Panics
    /// When the call has no such input.
    pub fn dtype(&self, tensor: &str) -> oblate::Dtype {
        let dtypes =
            [oblate::Dtype::F32, oblate::Dtype::F16, oblate::Dtype::Bf16, oblate::Dtype::I64, oblate::Dtype::U32];
        let known = |dtype: &oblate::Dtype| dtype_of(*dtype) == self.tensors[tensor].dtype();
        dtypes.into_iter().find(known).expect("a checked tensor has a dtype of its card")
    }

    /// An optional input, widened.
    pub fn optional(&self, tensor: &str) -> Option<Vec<f64>> {
        self.tensors.get(tensor).map(Tensor::to_f64)
    }

    /// The middle row and the call of it alone, whose outputs of that row must have the bits that they have in the batch.
    /// None with fewer than two rows, with a reduction, where a gradient may depend on all of them, and for an operation that
    /// learns from them.
    pub fn row_alone(&self) -> Option<(usize, Self)> {
        let rows = self.size("rows");
        if self.card.inputs().all(|card| self.leading_letter(card) != Some("B")) {
            return None;
        }
        if rows < 2 || self.parameters.choice("reduction").is_some_and(|reduction| reduction != "none") {
            return None;
        }
        let (row, mut alone) = (rows / 2, self.clone());
        for card in self.card.inputs().filter(|card| self.leading_letter(card) == Some("B")) {
            if let Some(tensor) = alone.tensors.get_mut(card.name) {
                *tensor = tensor.rows(row, 1);
            }
        }
        // They name rows of the batch.
        alone.tensors.remove("segments");
        alone.sizes.remove("S");
        alone.sizes.insert("B", 1);
        Some((row, alone))
    }

    /// Whether an output has an entry or more for each row, which depends on no other row.
    pub fn is_by_row(&self, output: &str) -> bool {
        self.card.outputs().any(|card| card.name == output && self.leading_letter(card) == Some("B"))
    }

    /// The letter that a tensor's shape begins with in this call.
    pub(super) fn leading_letter(&self, card: &'static Card) -> Option<&'static str> {
        self.shapes(card).first()?.dimensions.first()?.letter()
    }

    /// Whether this call has an output.
    fn has(&self, card: &Card) -> bool {
        matches!(card.presence, Presence::Required(when) if self.holds(when))
    }

    /// The outputs that this call has, in the card's order.
    pub fn outputs(&self) -> Vec<OutputShape> {
        self.card
            .outputs()
            .filter(|tensor| self.has(tensor))
            .map(|tensor| OutputShape {
                name: tensor.name,
                dtype: match tensor.elements {
                    Elements::Only(dtype) => dtype_of(dtype),
                    Elements::FloatUnless(when, dtype) if self.holds(when) => dtype_of(dtype),
                    _ => self.float.expect("an operation with an f output has an f input"),
                },
                shape: self.shapes(tensor).first().map_or_else(Vec::new, |shape| {
                    let size = |dimension: &Dimension| self.size_of(*dimension).unwrap_or(0);
                    shape.dimensions.iter().map(size).collect()
                }),
            })
            .collect()
    }

    fn check(&mut self, card: &'static Card) -> Result<()> {
        let operation = self.card.name;
        let wanted = match card.presence {
            Presence::Required(when) => Some((self.holds(when), when)),
            _ => None,
        };
        let Some(tensor) = self.tensors.get(card.name) else {
            return match wanted {
                Some((true, _)) => {
                    let expected = format!("{} {}", self.dtypes(card), self.shape_words(card));
                    Err(oblate::Error::Missing { operation, tensor: card.name, expected }.into())
                }
                _ => Ok(()),
            };
        };
        if let Some((false, when)) = wanted {
            return Err(Error::Unused { operation, tensor: card.name, when: condition(when).unwrap_or_default() });
        }
        let allowed = match (card.elements, self.float) {
            (Elements::Float, Some(float)) => vec![float],
            _ => card.elements.dtypes().into_iter().map(dtype_of).collect(),
        };
        if !allowed.contains(&tensor.dtype()) {
            let (came, expected) = (dtype_name(tensor.dtype()), self.dtypes(card));
            return Err(Error::Dtype { operation, tensor: card.name, came, expected });
        }
        if card.elements == Elements::Float {
            self.float = Some(tensor.dtype());
        }
        self.bind(card, tensor.shape().to_vec())
    }

    /// Takes the shape of a tensor: letters that are not known yet get their size from it, the others must agree.
    fn bind(&mut self, card: &'static Card, came: Vec<usize>) -> Result<()> {
        let fits = |shape: &&Shape| {
            let agrees = |(dimension, came): (&Dimension, &usize)| {
                dimension.size(*came).is_some() && self.size_of(*dimension).is_none_or(|known| known == *came)
            };
            shape.dimensions.len() == came.len() && shape.dimensions.iter().zip(&came).all(agrees)
        };
        let Some(shape) = self.shapes(card).into_iter().find(fits) else {
            let expected = self.shape_words(card);
            return Err(Error::Shape { operation: self.card.name, tensor: card.name, came, expected });
        };
        for (dimension, came) in shape.dimensions.iter().zip(came) {
            let (Some(letter), Some(size)) = (dimension.letter(), dimension.size(came)) else { continue };
            self.sizes.insert(letter, size);
            if let Some(limits) = self.card.sizes.iter().find(|limits| limits.letter == letter)
                && !(limits.least..=limits.most).contains(&size)
            {
                let expected = format!("{} to {}", limits.least, limits.most);
                let error = oblate::Error::Size { operation: self.card.name, size: limits.word, came: size, expected };
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// A dimension in this call, where its letter has a size already.
    fn size_of(&self, dimension: Dimension) -> Option<usize> {
        let size = dimension.letter().map_or(Some(0), |letter| self.sizes.get(letter).copied());
        size.map(|size| dimension.at(size))
    }

    /// The shapes that the tensor may have in this call.
    fn shapes(&self, card: &'static Card) -> Vec<&'static Shape> {
        card.shapes.iter().filter(|shape| shape.when == When::Chosen || self.holds(shape.when)).collect()
    }

    fn holds(&self, when: When) -> bool {
        let value = |parameter| self.parameters.get(parameter).map(|value| value.to_string());
        match when {
            When::Is(parameter, expected) => value(parameter).as_deref() == Some(expected),
            When::IsNot(parameter, other) => value(parameter).as_deref() != Some(other),
            When::Set(parameter) => value(parameter).is_some(),
            When::Rank(tensor, rank) => self.tensors.get(tensor).is_some_and(|tensor| tensor.shape().len() == rank),
            When::Given(tensor) => self.tensors.contains_key(tensor),
            When::NotGiven(tensor) => !self.tensors.contains_key(tensor),
            When::All(conditions) => conditions.iter().all(|condition| self.holds(*condition)),
            _ => true,
        }
    }

    /// `f32, f16 or bf16`, or the one dtype that it has to be.
    fn dtypes(&self, card: &'static Card) -> String {
        if let (Elements::Float, Some(float)) = (card.elements, self.float) {
            return dtype_name(float);
        }
        let names: Vec<&str> = card.elements.dtypes().into_iter().map(oblate::Dtype::name).collect();
        match names.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            _ => names.concat(),
        }
    }

    /// `[B, D]`, and `[B] = [8]` once a size is known; several with `or`.
    fn shape_words(&self, card: &'static Card) -> String {
        let words = |shape: &Shape| {
            let letters = Dimension::join(shape.dimensions, ", ");
            let sizes = shape.dimensions.iter().map(|dimension| {
                self.size_of(*dimension).map_or_else(|| dimension.to_string(), |size| size.to_string())
            });
            let sizes = sizes.collect::<Vec<_>>().join(", ");
            if letters == sizes { format!("[{letters}]") } else { format!("[{letters}] = [{sizes}]") }
        };
        self.shapes(card).into_iter().map(words).collect::<Vec<_>>().join(" or ")
    }
}

/// A condition of a card in words; none where there is nothing to say.
pub fn condition(when: When) -> Option<String> {
    Some(match when {
        When::Is(parameter, value) => format!("with {parameter}={value}"),
        When::IsNot(parameter, value) => format!("with another {parameter} than {value}"),
        When::Set(parameter) => format!("when {parameter} is set"),
        When::Rank(tensor, rank) => format!("when {tensor} has {rank} dimensions"),
        When::Given(tensor) => format!("when {tensor} is given"),
        When::NotGiven(tensor) => format!("when {tensor} is not given"),
        When::All(conditions) => {
            let words: Vec<String> = conditions.iter().filter_map(|when| condition(*when)).collect();
            (!words.is_empty()).then(|| words.join(" and "))?
        }
        _ => return None,
    })
}
