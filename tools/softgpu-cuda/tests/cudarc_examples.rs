//! cudarc's own examples, as its authors publish them, run on the library: all that need the driver alone.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

mod support;

use support::{library_folder, ran};

/// Those that are not here compile CUDA at run time, for which NVRTC would have to be installed, or are of CUPTI and cuFile.
const EXAMPLES: [&str; 7] = [
    "01-allocate",
    "02-copy",
    "03-launch-kernel",
    "04-streams",
    "10-function-attributes",
    "12-context-config",
    "13-copy-multi-gpu",
];

/// Where cargo keeps the source of the cudarc that this workspace uses, and its version.
fn cudarc() -> (PathBuf, String) {
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--offline", "--format-version", "1", "--manifest-path"]);
    metadata.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    // What other platforms depend on need not be at hand.
    metadata.args(["--filter-platform", &format!("{}-unknown-linux-gnu", std::env::consts::ARCH)]);
    let metadata: serde_json::Value = serde_json::from_slice(&ran(metadata).stdout).expect("cargo's metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|package| package["name"] == "cudarc").expect("cudarc is a dependency");
    let text = |key: &str| package[key].as_str().expect("a text").to_owned();
    let manifest = PathBuf::from(text("manifest_path"));
    (manifest.parent().expect("the manifest's folder").to_owned(), text("version"))
}

#[test]
fn cudarc_examples_run() {
    let (source, version) = cudarc();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cudarc_examples");
    std::fs::create_dir_all(folder.join("src")).expect("a folder for the test");
    // A package of its own, whose programs are the examples where they lie; it builds with what this workspace has locked.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace");
    std::fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the lock file");
    let mut manifest = format!(
        "[package]\nname = \"cudarc-examples\"\nedition = \"2021\"\n[workspace]\n[dependencies.cudarc]\nversion = \"={version}\"\n\
         default-features = false\n\
         features = [\"std\", \"driver\", \"nvrtc\", \"fallback-dynamic-loading\", \"cuda-12080\", \"f16\"]\n"
    );
    for name in EXAMPLES {
        let path = source.join("examples").join(name).with_extension("rs");
        write!(manifest, "[[bin]]\nname = {name:?}\npath = {path:?}\n").expect("a text");
    }
    std::fs::write(folder.join("Cargo.toml"), manifest).expect("the manifest");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--offline", "--quiet"]).current_dir(&folder);
    build.env("CARGO_TARGET_DIR", folder.join("target")).env("CARGO_PROFILE_DEV_DEBUG", "0");
    ran(build);

    let library = library_folder("cudarc_examples");
    for name in EXAMPLES {
        let mut run = Command::new(folder.join("target/debug").join(name));
        // They look for their PTX from the package's folder.
        run.current_dir(&source).env("LD_LIBRARY_PATH", &library).env("SOFTGPU_DEVICES", "2");
        ran(run);
    }
}
