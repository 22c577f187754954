//! A CUDA driver in software: it runs the PTX that nvcc emits on the CPU, warp by warp, checks every access and counts
//! what the kernel does.

mod execute;
mod fatbin;
pub mod inspect;
mod isa;
mod memory;
mod numerics;
mod program;
mod ptx;
