//! Hand-written CUDA kernels, with a thin Rust API.

mod check;
mod dtype;
mod error;
pub mod fatbin;
pub mod operations;
#[cfg(test)]
mod random;
mod reduction;
pub mod spherical;
mod tracked;

pub use dtype::Dtype;
pub use error::{Error, Result};
pub use reduction::Reduction;
pub use tracked::Tracked;
