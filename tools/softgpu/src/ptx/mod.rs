//! PTX text to a typed module: lexer, parser, and the tree that both meet on.

pub(crate) mod ast;
mod lexer;
mod parser;

pub(crate) use parser::parse;

/// PTX that cannot be loaded: where, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("PTX line {line}: {what} in \"{text}\"")]
pub(crate) struct PtxError {
    /// Line of the text, from 1.
    pub(crate) line: u32,
    /// That line, without the space around it.
    pub(crate) text: String,
    /// What is wrong with it.
    pub(crate) what: String,
}

impl PtxError {
    /// An error on line `line` of `source`.
    pub(crate) fn new(source: &str, line: u32, what: impl Into<String>) -> Self {
        let text = source.lines().nth((line as usize).saturating_sub(1)).unwrap_or("").trim();
        Self { line, text: text.to_owned(), what: what.into() }
    }
}
