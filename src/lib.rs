//! Hand-written CUDA kernels, with a thin Rust API.

pub mod fatbin;
