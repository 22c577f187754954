//! Hand-written CUDA kernels, with a thin Rust API.

mod dtype;
mod error;
pub mod fatbin;
pub mod operations;

pub use dtype::Dtype;
pub use error::{Error, Result};
