//! The commands of xtask, each in a workspace of its own.

use crate::support::{Folder, nvcc_script, run, xtask};
use crate::workspace;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

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
        let (code, _, text) = run(&mut self.xtask(&["toolkit"]));
        (code == 0, text)
    }

    fn xtask(&self, arguments: &[&str]) -> Command {
        xtask(self.folder.path(), self.folder.path().join("path").as_os_str(), arguments)
    }

    /// xtask with an nvcc, a toolkit and a cargo that is this script.
    fn with_cargo(&self, script: &str, arguments: &[&str]) -> (i32, String, String) {
        assert!(self.make().0);
        self.folder.program("cargo", script);
        nvcc_script(&self.folder.path().join("bin"), "13.0");
        let mut xtask = self.xtask(arguments);
        let root = self.folder.path();
        run(xtask.env("NVCC", root.join("bin/nvcc")).env("CARGO", root.join("cargo")))
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
fn the_last_line_says_how_many_tests_passed() {
    let toolkit = Toolkit::new(Some(PIP));
    let script = r#"echo "cargo $*"
echo 'test result: ok. 12 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.10s'
echo '   Doc-tests oblate'
echo 'test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s'"#;
    let (code, text, _) = toolkit.with_cargo(script, &["test", "dense", "softmax"]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(code, 0);
    assert_eq!(lines[0], "cargo test --release --workspace --no-fail-fast -- dense softmax");
    assert_eq!(lines[lines.len() - 2..], ["2 ignored; `cargo xtask test --all` runs them", "15 passed, 0 failed"]);
    let (_, text, _) = toolkit.with_cargo(script, &["test", "--all"]);
    assert!(text.starts_with("cargo test --release --workspace --no-fail-fast -- --include-ignored\n"), "{text}");

    let failing = format!("{script}; echo 'test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured'; exit 101");
    let (code, text, _) = toolkit.with_cargo(&failing, &["test"]);
    assert_eq!((code, text.lines().last()), (1, Some("16 passed, 2 failed")));

    // A binary that crashes has no summary, and is a failure all the same.
    let (code, text, _) = toolkit.with_cargo(&format!("{script}; exit 101"), &["test"]);
    assert_eq!((code, text.lines().last()), (1, Some("15 passed, 1 failed")));
}

#[test]
fn validate_passes_its_arguments_and_its_exit_code() {
    let toolkit = Toolkit::new(Some(PIP));
    let (code, text, _) =
        toolkit.with_cargo("echo \"$*\"; exit 2", &["validate", "spherical", "--json", "--seed", "7"]);
    assert_eq!(
        (code, &*text),
        (2, "run --release --package oblate-cli --bin oblate -- validate spherical --json --seed 7\n")
    );
}

#[test]
fn bindings_are_the_headers_and_stale_ones_are_found() {
    let folder = Folder::new();
    let root = folder.path();
    for name in ["build", "src", "cuda/family", "tools/xtask/include"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    for name in ["build/toolkit-requirements.txt", "rustfmt.toml", "tools/xtask/include/stdint.h"] {
        fs::copy(workspace().join(name), root.join(name)).unwrap();
    }
    std::os::unix::fs::symlink(workspace().join(".toolkit"), root.join(".toolkit")).unwrap();
    let header = "#include <stdint.h>\n#define THREADS 256  // of a block\n\n// What a kernel takes.\ntypedef struct {\n  \
                  const void* x;  // f32 [\"rows\"]\n  uint64_t rows;\n} Params;\n";
    fs::write(root.join("cuda/family/family.h"), header).unwrap();
    let path = env::var_os("PATH").unwrap();
    let run = |arguments: &[&str]| {
        let (code, _, text) = run(&mut xtask(root, &path, arguments));
        (code, text)
    };

    assert_eq!(run(&["bindgen"]), (0, "xtask: wrote src/bindings.rs\n".into()));
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
    assert_eq!(run(&["bindgen", "--check"]), (0, String::new()));
    fs::write(root.join("cuda/family/family.h"), header.replace("256", "128")).unwrap();
    let stale =
        "xtask: src/bindings.rs is not what the headers in cuda/ say. Run `cargo xtask bindgen` and commit the file.\n";
    assert_eq!(run(&["bindgen", "--check"]), (1, stale.into()));
}

#[test]
#[ignore = "builds the library and its dependencies in a folder of its own"]
fn documentation_is_built_without_nvcc() {
    let build = |docs_rs: bool| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["check", "--release", "--package", "oblate"]).current_dir(workspace()).env("NVCC", "/nowhere/nvcc");
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
