//! PTX text to a typed module: lexer, parser, and the tree that both meet on.

pub(crate) mod ast;
