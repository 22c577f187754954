//! The index functions of `cuda/common/index.cuh`, compiled for the host: tensors past 2³² bytes by their addresses alone.

use std::path::Path;
use std::process::Command;

#[test]
fn chunks_tile_a_tensor_of_any_size() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("index");
    let mut compile = Command::new(std::env::var_os("CXX").unwrap_or_else(|| "c++".into()));
    compile.args(["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-I"]).arg(root.join("cuda"));
    compile.arg(root.join("tests/index/main.cpp")).arg("-o").arg(&program);
    for mut command in [compile, Command::new(&program)] {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
        let text = [&output.stdout[..], &output.stderr].concat();
        assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&text));
    }
}
