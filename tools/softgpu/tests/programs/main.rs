//! Small CUDA programs, compiled by nvcc and run through cudarc on the software device, each against ordinary Rust code.
//! A folder for each subject; a program is a `.cu` whose first line says what it exercises. None may give a finding.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::cast_lossless,
    reason = "the expected values follow C's conversions"
)]

#[macro_use]
mod support;

mod blocks;
mod control;
mod grids;
mod memory;
mod numbers;
mod warps;
