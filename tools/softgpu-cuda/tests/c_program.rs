//! C programs, compiled against the toolkit's cuda.h and linked with the library, run on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "../../../build/nvcc.rs"]
mod nvcc;

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies two folders below the workspace")
}

/// Where cargo put the library beside this test.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let folders = test.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join("libcuda.so")).find(|path| path.exists());
    found.expect("cargo builds the library before its tests")
}

fn ran(mut command: Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
    let text = [&output.stdout[..], &output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&text));
    output
}

#[test]
fn c_programs_run() {
    let nvcc = nvcc::find(Some(workspace())).unwrap_or_else(|error| panic!("{error}"));
    let headers = nvcc.path.ancestors().nth(2).expect("nvcc lies in bin").join("include");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c_program");
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    for name in ["libcuda.so", "libcuda.so.1"] {
        std::fs::copy(library(), folder.join(name)).expect("the library is copied");
    }
    let compiler = nvcc::Compiler {
        nvcc,
        host: None,
        root: env!("CARGO_MANIFEST_DIR").into(),
        cache: folder.join("kernels"),
        warnings_are_errors: true,
        defines: Vec::new(),
        progress: |_| (),
    };
    let kernel = compiler.ptx(Path::new("tests/vector_add.cu"), nvcc::Architecture::compute(80));
    let kernel = kernel.unwrap_or_else(|error| panic!("{error}")).path;

    for (name, output) in [("vector_add", "added on oblate software device (sm_80)\n"), ("graphs", "as expected\n")] {
        let program = folder.join(name);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name).with_extension("c");
        let mut compile = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        compile.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-I"]).arg(headers.as_path());
        compile.arg(source).arg("-o").arg(&program).arg("-L").arg(&folder).arg("-lcuda");
        ran(compile);

        let mut run = Command::new(&program);
        run.arg(&kernel).env("LD_LIBRARY_PATH", &folder);
        let ran = ran(run);
        let (printed, said) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert_eq!((&*printed, &*said), (output, ""), "{name}: what it prints, and no finding");
    }
}
