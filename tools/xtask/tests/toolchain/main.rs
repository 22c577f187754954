//! Finding nvcc, compiling with it and making the toolkit: each wrong state with its whole message, and what is compiled
//! again after a change. A shell script stands in for nvcc, except where its own text is what is tested.
#![cfg(unix)]

mod commands;
mod compile;
mod find;
#[path = "../../../../build/nvcc.rs"]
mod nvcc;
mod peers;
mod support;

use std::path::Path;

/// The workspace that this test belongs to.
fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}
