//! Compiling a CUDA program of the device's tests and benches.

use std::path::Path;

#[path = "../../../../build/nvcc.rs"]
mod nvcc;

/// The PTX for compute_80 of a source of this crate, by its path in it, with `defines` defined; NUL-terminated, as the
/// driver takes it. Compiled once and kept in cargo's folder for test files. Panics with nvcc's text where it does not
/// compile.
pub(crate) fn compile(source: &str, defines: &[&str]) -> Vec<u8> {
    compile_for(80, source, defines)
}

/// Likewise, for a later architecture.
pub(crate) fn compile_for(architecture: u32, source: &str, defines: &[&str]) -> Vec<u8> {
    ptx(&compiler(Path::new(env!("CARGO_MANIFEST_DIR")), defines), Path::new(source), architecture)
}

/// The PTX of every kernel of a family of the workspace, likewise.
#[allow(dead_code, reason = "for the bench, which shares this file with the tests")]
pub(crate) fn family(workspace: &Path, family: &str) -> Vec<Vec<u8>> {
    let sources = nvcc::sources(workspace).unwrap_or_else(|error| panic!("{error}"));
    let compiler = compiler(workspace, &[]);
    let folder = Path::new("cuda").join(family);
    sources.iter().filter(|source| source.starts_with(&folder)).map(|source| ptx(&compiler, source, 80)).collect()
}

fn compiler(root: &Path, defines: &[&str]) -> nvcc::Compiler {
    // The crate whose tests these are is the workspace's root or a tool.
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let workspace = folders.find(|folder| folder.join("tools/xtask").is_dir());
    nvcc::Compiler {
        nvcc: nvcc::find(workspace).unwrap_or_else(|error| panic!("{error}")),
        host: None,
        root: root.into(),
        cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernels"),
        warnings_are_errors: true,
        defines: defines.iter().map(ToString::to_string).collect(),
        progress: |_| (),
    }
}

fn ptx(compiler: &nvcc::Compiler, source: &Path, architecture: u32) -> Vec<u8> {
    let ptx = compiler.ptx(source, nvcc::Architecture::compute(architecture)).unwrap_or_else(|error| panic!("{error}"));
    let mut text = std::fs::read(&ptx.path).expect("the PTX is in the cache");
    text.push(0);
    text
}
