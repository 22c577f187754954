//! Compiling a CUDA program of the device's tests and benches for compute_80.

use std::path::Path;

#[path = "../../../../build/nvcc.rs"]
mod nvcc;

/// The PTX of `tests/FOLDER/NAME.cu` of this crate, NUL-terminated as the driver takes it, with `defines` defined.
/// Compiled once and kept in cargo's folder for test files. Panics with nvcc's text where it does not compile.
pub(crate) fn compile(source: &str, defines: &[&str]) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = root.ancestors().nth(2).expect("the crate lies two folders below the workspace");
    let compiler = nvcc::Compiler {
        nvcc: nvcc::find(Some(workspace)).unwrap_or_else(|error| panic!("{error}")),
        host: None,
        root: root.into(),
        cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernels"),
        warnings_are_errors: true,
        defines: defines.iter().map(ToString::to_string).collect(),
        progress: |_| (),
    };
    let ptx =
        compiler.ptx(Path::new(source), nvcc::Architecture::compute(80)).unwrap_or_else(|error| panic!("{error}"));
    let mut text = std::fs::read(&ptx.path).expect("the PTX is in the cache");
    text.push(0);
    text
}
