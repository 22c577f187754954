//! C programs, compiled against the toolkit's cuda.h and linked with the library, run on it.

use std::path::Path;
use std::process::Command;

#[path = "../../../build/nvcc.rs"]
mod nvcc;
mod support;

use support::{library_folder, ran};

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies two folders below the workspace")
}

#[test]
fn c_programs_run() {
    let nvcc = nvcc::find(Some(workspace())).unwrap_or_else(|error| panic!("{error}"));
    let headers = nvcc.path.ancestors().nth(2).expect("nvcc lies in bin").join("include");
    let folder = library_folder("c_program");
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
