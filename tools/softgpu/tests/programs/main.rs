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

use std::process::Command;

#[macro_use]
mod support;

mod algebra;
mod blocks;
mod collectives;
mod control;
mod cooperative;
mod graphs;
mod grids;
mod images;
mod matmul;
mod memory;
mod networks;
mod numbers;
mod signals;
mod sorting;
mod sparse;
mod warps;

/// Runs this test binary again with other settings of the device, which a process has once, and expects every test to pass.
fn run_again(settings: &[(&str, &str)], arguments: &[&str]) {
    let program = std::env::current_exe().expect("the test binary");
    let run = Command::new(program).envs(settings.iter().copied()).args(arguments).output().expect("the tests run");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{settings:?} {arguments:?}\n{said}{}", String::from_utf8_lossy(&run.stderr));
    assert!(!said.contains(" 0 passed"), "no test is named {arguments:?}");
}

/// Results and findings do not hang on how many threads of the host run the blocks.
#[test]
fn again_with_one_worker_and_with_two() {
    for workers in ["1", "2"] {
        run_again(&[("SOFTGPU_WORKERS", workers)], &["--skip", "again_"]);
    }
}
