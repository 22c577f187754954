//! Finding nvcc, compiling with it and making the toolkit: each wrong state with its whole message, and what is compiled
//! again after a change. A shell script stands in for nvcc, except where its own text is what is tested.
#![cfg(unix)]

#[path = "../../../build/nvcc.rs"]
mod nvcc;
mod support;

use nvcc::{Architectures, Compiler, Error, Places};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};
use support::{Folder, nvcc_script, xtask};

/// What `find` says with these variables, no CUDA in the system's folder, and this workspace.
fn find(variables: &[(&str, &Path)], workspace: Option<&Path>) -> Result<nvcc::Nvcc, String> {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    let variable = |name: &str| variables.get(name).map(|path| path.as_os_str().to_owned());
    let places = Places { variable: &variable, system: Path::new("/nowhere/cuda"), workspace };
    places.find().map_err(|error| error.to_string())
}

#[test]
fn no_nvcc_and_no_toolkit() {
    let folder = Folder::new();
    let root = folder.path();
    let message = find(&[("CUDA_HOME", &root.join("home")), ("PATH", root)], Some(root)).unwrap_err();
    let root = root.display();
    assert_eq!(
        message,
        format!(
            "no nvcc of release 12.8 or later. Tried, in this order:
    $NVCC          not set
    $CUDA_HOME     {root}/home/bin/nvcc is not there
    $CUDA_PATH     not set
    PATH           no nvcc in its folders
    /nowhere/cuda  /nowhere/cuda/bin/nvcc is not there
    .toolkit       {root}/.toolkit/nvidia/cu13/bin/nvcc is not there
Run `cargo xtask toolkit`, which puts nvcc 13.0 into .toolkit/ (needs python3 with pip), or set NVCC to the nvcc to use."
        )
    );
    assert_eq!(
        find(&[], None).unwrap_err(),
        "no nvcc of release 12.8 or later. Tried, in this order:
    $NVCC          not set
    $CUDA_HOME     not set
    $CUDA_PATH     not set
    PATH           no nvcc in its folders
    /nowhere/cuda  /nowhere/cuda/bin/nvcc is not there
Install the CUDA toolkit 12.8 or later, or set NVCC to the nvcc to use."
    );
}

#[test]
fn an_old_nvcc_is_passed_over_unless_it_was_asked_for() {
    let folder = Folder::new();
    let (old, home) = (folder.path().join("old/bin"), folder.path().join("new"));
    nvcc_script(&old, "12.6");
    nvcc_script(&home.join("bin"), "12.8");
    let found = find(&[("CUDA_PATH", &home), ("PATH", &old)], None).unwrap();
    assert_eq!((found.release, found.path), ((12, 8), home.join("bin/nvcc")));

    let only_old = find(&[("PATH", &old)], None).unwrap_err();
    let line = format!("    PATH           {}/nvcc is release 12.6, older than 12.8\n", old.display());
    assert!(only_old.contains(&line), "{only_old}");
    assert_eq!(
        find(&[("NVCC", &old.join("nvcc")), ("CUDA_PATH", &home)], Some(folder.path())).unwrap_err(),
        format!(
            "no nvcc of release 12.8 or later. Tried, in this order:
    $NVCC  {}/nvcc is release 12.6, older than 12.8
NVCC is set, so nothing else was tried. Unset it, or set NVCC to the nvcc to use.",
            old.display()
        )
    );
}

#[test]
fn the_search_order() {
    let folder = Folder::new();
    let place = |name: &str| {
        nvcc_script(&folder.path().join(name).join("bin"), "13.0");
        folder.path().join(name)
    };
    let (named, home, path, on_path) = (place("named"), place("home"), place("path"), place("on_path"));
    nvcc_script(&folder.path().join(".toolkit/nvidia/cu13/bin"), "13.0");
    let (named, on_path) = (named.join("bin/nvcc"), on_path.join("bin"));
    let all = [("NVCC", &*named), ("CUDA_HOME", &*home), ("CUDA_PATH", &*path), ("PATH", &*on_path)];
    let expected = ["named/bin", "home/bin", "path/bin", "on_path/bin", ".toolkit/nvidia/cu13/bin"];
    for (left_out, expected) in expected.iter().enumerate() {
        let found = find(&all[left_out..], Some(folder.path())).unwrap();
        assert_eq!(found.path, folder.path().join(expected).join("nvcc"));
    }
}

#[test]
fn malformed_architectures() {
    for (list, entry) in [
        ("sm80", "sm80"),
        ("sm_80,", ""),
        ("sm_80,,sm_90a", ""),
        ("sm_80;compute_80", "sm_80;compute_80"),
        ("sm_80, 90", "90"),
        ("sm_90b", "sm_90b"),
        ("compute_8.0", "compute_8.0"),
        ("sm_1234", "sm_1234"),
        ("native", "native"),
    ] {
        assert_eq!(
            Architectures::parse(Some(list)).unwrap_err().to_string(),
            format!(
                "OBLATE_CUDA_ARCHS is \"{list}\", and \"{entry}\" in it is no architecture. Expected a comma-separated list \
                 of sm_NN (a cubin) and compute_NN (PTX), NN with a or f after it where that is meant; the default is \
                 sm_80,sm_86,sm_89,sm_90a,sm_100,sm_120,compute_80."
            )
        );
    }
}

#[test]
fn an_architecture_that_nvcc_does_not_know() {
    let program = Program::new();
    let Error::UnknownArchitecture { .. } = &program.fatbins("sm_80,sm_75").unwrap_err()[0] else { panic!() };
    assert_eq!(
        program.fatbins("sm_80,sm_987a").unwrap_err()[0].to_string(),
        format!(
            "OBLATE_CUDA_ARCHS asks for sm_987a, which {} (release 13.0) does not know; it knows 80, 90, 120. Leave it out of \
             OBLATE_CUDA_ARCHS, or set NVCC to an nvcc that knows it.",
            program.compiler.nvcc.path.display()
        )
    );
}

/// A root with two sources that share a header, and a script for nvcc that logs its calls.
struct Program {
    folder: Folder,
    compiler: Compiler,
}

impl Program {
    fn new() -> Self {
        let folder = Folder::new();
        let root = folder.path();
        fs::create_dir_all(root.join("cuda/family")).unwrap();
        fs::write(root.join("cuda/family/shared.cuh"), "one").unwrap();
        fs::write(root.join("cuda/family/first.cu"), "#include \"cuda/family/shared.cuh\"\n").unwrap();
        fs::write(root.join("cuda/family/second.cu"), "alone").unwrap();
        nvcc_script(&root.join("bin"), "13.0");
        let compiler = Compiler {
            nvcc: find(&[("NVCC", &root.join("bin/nvcc"))], None).unwrap(),
            host: None,
            root: root.into(),
            cache: root.join("cache"),
            warnings_are_errors: false,
            defines: Vec::new(),
            progress: |_| (),
        };
        Self { folder, compiler }
    }

    fn fatbins(&self, list: &str) -> Result<Vec<nvcc::Fatbin>, Vec<Error>> {
        let sources = nvcc::sources(self.folder.path()).unwrap();
        self.compiler.fatbins(&sources, &Architectures::parse(Some(list)).unwrap(), 2)
    }

    /// What a build for these architectures runs, in order of name.
    fn runs(&self, list: &str) -> Vec<String> {
        let log = self.folder.path().join("bin/log");
        let _ = fs::remove_file(&log);
        self.fatbins(list).unwrap();
        let mut runs: Vec<_> = fs::read_to_string(log).unwrap_or_default().lines().map(String::from).collect();
        runs.sort();
        runs
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join("cuda/family").join(name), text).unwrap();
    }
}

#[test]
fn only_what_changed_is_compiled() {
    let program = Program::new();
    let of_first = ["fatbinary first", "ptx compute_80 first", "sm_80 first"];
    let of_second = ["fatbinary second", "ptx compute_80 second", "sm_80 second"];
    let mut both: Vec<_> = of_first.iter().chain(&of_second).copied().collect();
    both.sort_unstable();
    assert_eq!(program.runs("sm_80,compute_80"), both);
    assert!(program.runs("sm_80,compute_80").is_empty(), "nothing changed");
    program.write("second.cu", "changed");
    assert_eq!(program.runs("sm_80,compute_80"), of_second);
    program.write("shared.cuh", "two");
    assert_eq!(program.runs("sm_80,compute_80"), of_first, "the header's includer alone");
    program.write("shared.cuh", "one");
    assert!(program.runs("sm_80,compute_80").is_empty(), "contents count, not times: the old result is still there");
    let added = ["fatbinary first", "fatbinary second", "ptx compute_90a first", "ptx compute_90a second"];
    let added: Vec<_> = added.into_iter().chain(["sm_90a first", "sm_90a second"]).collect();
    assert_eq!(program.runs("sm_80,sm_90a,compute_80"), added, "an architecture more: the others stay");
}

#[test]
fn a_fatbin_names_what_it_was_made_of() {
    let program = Program::new();
    let root = program.folder.path();
    let fatbins = program.fatbins("sm_80").unwrap();
    let [first, second] = &fatbins[..] else { panic!("two sources") };
    assert_eq!(
        (&*first.source, &*second.source),
        (Path::new("cuda/family/first.cu"), Path::new("cuda/family/second.cu"))
    );
    let dependencies: Vec<_> = first.dependencies.iter().map(|path| path.strip_prefix(root).unwrap()).collect();
    assert_eq!(dependencies, [Path::new("cuda/family/first.cu"), Path::new("cuda/family/shared.cuh")]);
}

#[test]
fn the_report_of_ptxas_is_data() {
    let program = Program::new();
    let fatbins = program.fatbins("sm_90a").unwrap();
    let [first, second] = &fatbins[0].resources[..] else { panic!("the script reports two kernels") };
    assert_eq!((&*first.kernel, &*second.kernel), ("plain", "spilling"));
    assert_eq!(first.architecture.to_string(), "sm_90a");
    let numbers =
        |r: &nvcc::Resources| [r.registers, r.stack_bytes, r.spill_store_bytes, r.spill_load_bytes, r.shared_bytes];
    assert_eq!((numbers(first), numbers(second)), ([32, 0, 0, 0, 0], [40, 24, 12, 20, 1024]));
}

/// The nvcc that this machine has, on a root with one source.
fn compile(source: &str, change: impl FnOnce(&mut Compiler)) -> (Folder, Result<Vec<nvcc::Fatbin>, Vec<Error>>) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let folder = Folder::new();
    fs::create_dir_all(folder.path().join("cuda/family")).unwrap();
    fs::write(folder.path().join("cuda/family/kernel.cu"), source).unwrap();
    let mut compiler = Compiler {
        nvcc: nvcc::find(Some(workspace)).unwrap(),
        host: None,
        root: folder.path().into(),
        cache: folder.path().join("cache"),
        warnings_are_errors: true,
        defines: Vec::new(),
        progress: |_| (),
    };
    change(&mut compiler);
    let architectures = Architectures::parse(Some("sm_80,compute_80")).unwrap();
    let fatbins = compiler.fatbins(&["cuda/family/kernel.cu".into()], &architectures, 1);
    (folder, fatbins)
}

fn message((_, made): (Folder, Result<Vec<nvcc::Fatbin>, Vec<Error>>)) -> String {
    let errors = made.unwrap_err();
    assert_eq!(errors.len(), 1, "one source, one message");
    errors[0].to_string()
}

#[test]
fn a_kernel_that_does_not_compile() {
    let source = "extern \"C\" __global__ void k(float* x) {\n  *x = missing;\n  *x = absent;\n}\n";
    assert_eq!(
        message(compile(source, |_| ())),
        "cuda/family/kernel.cu does not compile for compute_80. nvcc says:
cuda/family/kernel.cu(2): error: identifier \"missing\" is undefined
    *x = missing;
         ^

cuda/family/kernel.cu(3): error: identifier \"absent\" is undefined
    *x = absent;
         ^

2 errors detected in the compilation of \"cuda/family/kernel.cu\"."
    );
}

#[test]
fn each_source_that_does_not_compile_is_told_once() {
    let program = Program::new();
    program.write("first.cu", "fault");
    program.write("third.cu", "fault");
    let errors = program.fatbins("sm_80,sm_90a,sm_120").unwrap_err();
    let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
    let expected = |name| format!("cuda/family/{name}.cu does not compile for compute_80. nvcc says:\nfault");
    assert_eq!(told, [expected("first"), expected("third")]);
}

#[test]
fn warnings_are_errors_where_they_shall_be() {
    let source = "extern \"C\" __global__ void k(float* x) {\n  int unused;\n  *x = 1;\n}\n";
    let text = message(compile(source, |_| ()));
    assert!(text.contains("cuda/family/kernel.cu(2): error #177-D: variable \"unused\" was declared"), "{text}");
    compile(source, |compiler| compiler.warnings_are_errors = false).1.unwrap();
}

#[test]
fn a_spill_is_an_error_where_warnings_are() {
    // 96 values that are alive at once, in 32 registers.
    let source = "extern \"C\" __global__ void __launch_bounds__(1024, 2) k(float* x) {
  float v[96];
#pragma unroll
  for (int i = 0; i < 96; ++i) v[i] = x[i * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 96; ++i) x[i * 1024 + threadIdx.x] = v[95 - i] * v[(i * 7) % 96];
}
";
    let text = message(compile(source, |_| ()));
    let said = "cuda/family/kernel.cu does not compile for sm_80. nvcc says:
ptxas error   : Registers are spilled to local memory in function 'k', ";
    assert!(text.starts_with(said) && text.lines().count() == 2, "{text}");
    let (_folder, made) = compile(source, |compiler| compiler.warnings_are_errors = false);
    let made = made.unwrap();
    assert!(made[0].resources[0].spill_store_bytes > 0, "{:?}", made[0].resources);
}

#[test]
fn no_folder_of_this_machine_is_in_a_fatbin() {
    let source = "#include <cuda_fp16.h>\nextern \"C\" __global__ void k(float* x, __half* h) { *x = __half2float(__hadd(*h, *h)); }\n";
    let mut root = PathBuf::new();
    let (_folder, made) = compile(source, |compiler| root.clone_from(&compiler.root));
    let made = made.unwrap();
    let ptx = fs::read_dir(root.join("cache/cuda/family/kernel")).unwrap().map(|entry| entry.unwrap().path());
    let ptx = ptx.filter(|path| path.extension().is_some_and(|e| e == "ptx")).collect::<Vec<_>>();
    let text = fs::read_to_string(&ptx[0]).unwrap();
    let files: Vec<_> = text.lines().filter(|line| line.trim_start().starts_with(".file")).collect();
    assert!(files[0].ends_with("\"cuda/family/kernel.cu\""), "{files:?}");
    assert!(files[1].ends_with("\"toolkit/include/cuda_fp16.hpp\""), "{files:?}");
    let image = fs::read(&made[0].path).unwrap();
    let root = root.to_string_lossy();
    assert!(!image.windows(root.len()).any(|bytes| bytes == root.as_bytes()));
}

#[test]
fn a_host_compiler_that_is_not_there() {
    let source = "extern \"C\" __global__ void k(float* x) { *x = 1; }\n";
    let text = message(compile(source, |compiler| compiler.host = Some("/nowhere/c++".into())));
    let expected = "nvcc preprocesses with the host's C++ compiler, and `/nowhere/c++` does not run. Install one (g++ or \
                    clang++), or set CXX to it. nvcc says:\n";
    assert!(text.starts_with(expected), "{text}");
}

/// A workspace for xtask with these programs on its PATH; standard error of `cargo xtask toolkit` in it.
struct Toolkit {
    folder: Folder,
}

const WHEELS: &str = "a-wheel==1.0 --hash=sha256:00\n";

impl Toolkit {
    fn new(python3: Option<&str>) -> Self {
        let folder = Folder::new();
        fs::create_dir_all(folder.path().join("build")).unwrap();
        fs::write(folder.path().join("build/toolkit-requirements.txt"), WHEELS).unwrap();
        if let Some(python3) = python3 {
            folder.program("path/python3", python3);
        }
        Self { folder }
    }

    fn make(&self) -> (bool, String) {
        xtask(self.folder.path(), self.folder.path().join("path").as_os_str(), &["toolkit"])
    }

    fn has(&self, name: &str) -> bool {
        self.folder.path().join(name).exists()
    }
}

/// A pip that installs one file, counting its runs.
const PIP: &str = r#"[ "$3" = --version ] && exit 0
while [ "$1" != --target ]; do shift; done
/bin/mkdir -p "$2" && echo run >> "${0%/*}/../runs" && echo wheel > "$2/wheel""#;

#[test]
fn no_python() {
    let toolkit = Toolkit::new(None);
    let (succeeded, text) = toolkit.make();
    assert!(!succeeded);
    assert_eq!(
        text,
        "xtask: the toolkit is installed by Python's pip, and no Python here has it. Tried, in this order, with -m pip --version:
    python3  does not run: No such file or directory (os error 2)
    python   does not run: No such file or directory (os error 2)
Install python3 with pip (Debian: apt install python3-pip) and run `cargo xtask toolkit`, or install the CUDA toolkit 12.8 or \
         later and set NVCC to its nvcc.\n"
    );
    assert!(!toolkit.has(".toolkit"));
}

#[test]
fn no_pip() {
    let toolkit = Toolkit::new(Some("echo '/usr/bin/python3: No module named pip' >&2; exit 1"));
    let (succeeded, text) = toolkit.make();
    assert!(!succeeded && text.contains("\n    python3  /usr/bin/python3: No module named pip\n"), "{text}");
}

#[test]
fn pip_that_fails_leaves_the_toolkit_as_it_was() {
    let toolkit = Toolkit::new(Some(PIP));
    assert!(toolkit.make().0);
    fs::write(toolkit.folder.path().join("build/toolkit-requirements.txt"), "b-wheel==1.0\n").unwrap();
    toolkit.folder.program("path/python3", r#"[ "$3" = --version ] && exit 0; echo 'ERROR: no network' >&2; exit 1"#);
    let (succeeded, text) = toolkit.make();
    assert!(!succeeded);
    assert!(
        text.ends_with(
            "ERROR: no network
xtask: pip did not install build/toolkit-requirements.txt (its message is above); .toolkit/ is as it was. Run `cargo xtask \
             toolkit` again once PyPI can be reached, or install the CUDA toolkit 12.8 or later and set NVCC to its nvcc.\n"
        ),
        "{text}"
    );
    assert!(toolkit.has(".toolkit/wheel") && !toolkit.has(".toolkit.new"));
}

#[test]
fn the_toolkit_is_made_once_and_again_when_it_is_not_whole() {
    let toolkit = Toolkit::new(Some(PIP));
    let root = toolkit.folder.path();
    let runs = || fs::read_to_string(root.join("runs")).unwrap().lines().count();
    for expected in [1, 1] {
        assert!(toolkit.make().0);
        assert_eq!(runs(), expected);
    }
    // Wheels other than those that the repository names now.
    fs::write(root.join("build/toolkit-requirements.txt"), "a-wheel==2.0\n").unwrap();
    // What a run that was cut off leaves behind.
    fs::create_dir(root.join(".toolkit.new")).unwrap();
    fs::write(root.join(".toolkit.new/half"), "").unwrap();
    assert!(toolkit.make().0);
    assert_eq!(runs(), 2);
    assert!(!toolkit.has(".toolkit/half") && !toolkit.has(".toolkit.new") && !toolkit.has(".toolkit.old"));
    // A folder that something else made.
    fs::remove_file(root.join(".toolkit/requirements.txt")).unwrap();
    assert!(toolkit.make().0);
    assert_eq!(runs(), 3);
}

#[test]
fn bindings_are_the_headers_and_stale_ones_are_found() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let folder = Folder::new();
    let root = folder.path();
    for name in ["build", "src", "cuda/family", "tools/xtask/include"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    for name in ["build/toolkit-requirements.txt", "rustfmt.toml", "tools/xtask/include/stdint.h"] {
        fs::copy(workspace.join(name), root.join(name)).unwrap();
    }
    std::os::unix::fs::symlink(workspace.join(".toolkit"), root.join(".toolkit")).unwrap();
    let header = "#include <stdint.h>\n#define THREADS 256  // of a block\n\n// What a kernel takes.\ntypedef struct {\n  \
                  const void* x;  // f32 [\"rows\"]\n  uint64_t rows;\n} Params;\n";
    fs::write(root.join("cuda/family/family.h"), header).unwrap();
    let path = env::var_os("PATH").unwrap();
    let run = |arguments: &[&str]| xtask(root, &path, arguments);

    assert_eq!(run(&["bindgen"]), (true, "xtask: wrote src/bindings.rs\n".into()));
    let text = fs::read_to_string(root.join("src/bindings.rs")).unwrap();
    let (_, items) = text.split_once("]\n\n").unwrap_or(("", &text));
    let (_, items) = items.split_once(")]\n\n").unwrap_or(("", items));
    assert_eq!(
        items,
        r#"pub const THREADS: u32 = 256;
/// What a kernel takes.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct Params {
    /// f32 ["rows"]
    pub x: *const ::core::ffi::c_void,
    pub rows: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of Params"][::core::mem::size_of::<Params>() - 16usize];
    ["Alignment of Params"][::core::mem::align_of::<Params>() - 8usize];
    ["Offset of field: Params::x"][::core::mem::offset_of!(Params, x) - 0usize];
    ["Offset of field: Params::rows"][::core::mem::offset_of!(Params, rows) - 8usize];
};
"#
    );
    assert_eq!(run(&["bindgen", "--check"]), (true, String::new()));
    fs::write(root.join("cuda/family/family.h"), header.replace("256", "128")).unwrap();
    let stale =
        "xtask: src/bindings.rs is not what the headers in cuda/ say. Run `cargo xtask bindgen` and commit the file.\n";
    assert_eq!(run(&["bindgen", "--check"]), (false, stale.into()));
}

#[test]
#[ignore = "builds the library and its dependencies in a folder of its own"]
fn documentation_is_built_without_nvcc() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let build = |docs_rs: bool| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["check", "--release", "--package", "oblate"]).current_dir(workspace).env("NVCC", "/nowhere/nvcc");
        cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs"));
        if docs_rs {
            cargo.env("DOCS_RS", "1")
        } else {
            cargo.env_remove("DOCS_RS")
        };
        cargo.output().unwrap()
    };
    let with = build(true);
    assert!(with.status.success(), "{}", String::from_utf8_lossy(&with.stderr));
    let without = build(false);
    let text = String::from_utf8_lossy(&without.stderr);
    let message =
        "oblate: no nvcc of release 12.8 or later. Tried, in this order:\n      $NVCC  /nowhere/nvcc is not there\n";
    assert!(!without.status.success() && text.contains(message), "{text}");
}
