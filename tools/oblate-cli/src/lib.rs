//! The command line of oblate, and what its tests share with it: tensor files, the cases, the dispatch of an operation by
//! its name, and the comparison with the f64 references.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "sizes and test data here stay far below 2^53; the library's own conversions are checked"
)]

pub mod advise;
pub mod arguments;
pub mod cases;
pub mod commands;
pub mod compare;
pub mod dispatch;
pub mod effort;
mod error;
pub mod hash;
mod json;
pub mod place;
pub mod random;
pub mod report;
pub mod tensor;
pub mod tensor_file;
pub mod validate;

pub use error::{Error, Result};
pub use tensor::Tensor;
pub use tensor_file::Tensors;
