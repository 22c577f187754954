//! `oblate list`: the cards of the operations.

use std::process::ExitCode;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use oblate::operations::{Dimension, Elements, OPERATIONS, Operation, Presence, Role, Shape, Tensor};

use super::print;
use crate::Result;
use crate::dispatch::condition;
use crate::json;

/// Prints every operation with its tensors and parameters.
///
/// # Errors
/// When standard output cannot be written.
pub fn list(as_json: bool) -> Result<ExitCode> {
    if as_json {
        print(&json::pretty(&OPERATIONS.iter().map(Card::of).collect::<Vec<_>>()))?;
    } else {
        for operation in OPERATIONS {
            print(&page(operation))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One operation as text: its formula, its source, a table of tensors and one of parameters.
fn page(operation: &Operation) -> String {
    let card = Card::of(operation);
    let table = |header: &[&str]| {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic).set_header(header);
        table
    };
    let mut tensors = table(&["tensor", "", "dtype", "shape", "present"]);
    for tensor in card.tensors {
        tensors.add_row([
            tensor.name,
            tensor.role,
            &tensor.dtype_words(),
            &tensor.shapes.join(" or "),
            &tensor.present,
        ]);
    }
    let mut parameters = table(&["parameter", "takes", "default"]);
    for parameter in card.parameters {
        parameters.add_row([parameter.name, &parameter.takes, parameter.default.unwrap_or(parameter.without_default)]);
    }
    let sizes: Vec<String> = card.sizes.iter().map(|size| format!("{} {}", size.letter, size.word)).collect();
    format!(
        "{}\n  {}\n  source: {}\n  sizes: {}\n{tensors}\n{parameters}\n\n",
        card.name,
        card.formula,
        card.source,
        sizes.join(", ")
    )
}

#[derive(serde::Serialize)]
struct Card {
    name: &'static str,
    formula: &'static str,
    source: &'static str,
    sizes: Vec<SizeCard>,
    tensors: Vec<TensorCard>,
    parameters: Vec<ParameterCard>,
}

#[derive(serde::Serialize)]
struct SizeCard {
    letter: &'static str,
    word: &'static str,
    least: usize,
    most: usize,
}

#[derive(serde::Serialize)]
struct TensorCard {
    name: &'static str,
    role: &'static str,
    dtypes: Vec<&'static str>,
    /// Whether the tensor has the dtype that all `f` tensors of a call share.
    shared_dtype: bool,
    /// With which parameters it has another: `f32 with grad_weight_dtype=f32`.
    unless: Option<String>,
    shapes: Vec<String>,
    present: String,
}

#[derive(serde::Serialize)]
struct ParameterCard {
    name: &'static str,
    takes: String,
    default: Option<&'static str>,
    #[serde(skip)]
    without_default: &'static str,
    required: bool,
}

impl Card {
    fn of(operation: &Operation) -> Self {
        Self {
            name: operation.name,
            formula: operation.formula,
            source: operation.source,
            sizes: operation
                .sizes
                .iter()
                .map(|size| SizeCard { letter: size.letter, word: size.word, least: size.least, most: size.most })
                .collect(),
            tensors: operation.tensors.iter().map(TensorCard::of).collect(),
            parameters: operation
                .parameters
                .iter()
                .map(|parameter| ParameterCard {
                    name: parameter.name,
                    takes: parameter.kind.to_string(),
                    default: parameter.default,
                    without_default: if parameter.required { "must be set" } else { "not set" },
                    required: parameter.required,
                })
                .collect(),
        }
    }
}

impl TensorCard {
    /// `f32 | f16 | bf16; f32 with grad_weight_dtype=f32`.
    fn dtype_words(&self) -> String {
        let unless = self.unless.as_ref().map(|words| format!("; {words}"));
        format!("{}{}", self.dtypes.join(" | "), unless.unwrap_or_default())
    }

    fn of(tensor: &Tensor) -> Self {
        let shape = |shape: &Shape| {
            let letters = format!("[{}]", Dimension::join(shape.dimensions, ", "));
            condition(shape.when).map_or(letters.clone(), |condition| format!("{letters} {condition}"))
        };
        Self {
            name: tensor.name,
            role: if tensor.role == Role::Input { "in" } else { "out" },
            dtypes: tensor.elements.dtypes().into_iter().map(oblate::Dtype::name).collect(),
            shared_dtype: matches!(tensor.elements, Elements::Float | Elements::FloatUnless(..)),
            unless: if let Elements::FloatUnless(when, dtype) = tensor.elements {
                condition(when).map(|condition| format!("{dtype} {condition}"))
            } else {
                None
            },
            shapes: tensor.shapes.iter().map(shape).collect(),
            present: match tensor.presence {
                Presence::Required(when) => condition(when).unwrap_or_else(|| "always".to_owned()),
                _ => "optional".to_owned(),
            },
        }
    }
}
