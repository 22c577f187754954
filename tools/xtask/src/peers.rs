//! Triton's kernels on the software device: three of ours, or those of the peers that a person has on disk.

use crate::process::{self, Failure, file};
use crate::toolkit;
use crate::wheels::{Python, Wheels};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const TRITON: Wheels = Wheels {
    requirements: "tools/peers/requirements.txt",
    announcement: "installing Triton and NumPy from PyPI into .toolkit/peers/ (about 320 MB to download)",
    python: "Triton is installed by Python's pip, and no Python here has it",
    without_python: "Install python3 with pip (Debian: apt install python3-pip) and run `cargo xtask peers` again.",
    failed: "the peers need a Python from 3.11 to 3.14 on Linux, and PyPI. Nothing was changed; run `cargo xtask peers` again \
             once both are there.",
};

/// Compiles the kernels, runs them and judges their outputs: those of tools/peers/kernels, or the known ones below
/// `sources`, on inputs made from a seed or on those of a safetensors file.
pub(crate) fn run(root: &Path, sources: Option<&Path>, input: Option<&Path>) -> Result<ExitCode, Failure> {
    for path in sources.iter().chain(&input) {
        fs::metadata(path).map_err(|error| file("read", path, &error))?;
    }
    let python = Python::find(&TRITON)?;
    let packages = packages(root, &python)?;
    let out = root.join("target/peers");
    toolkit::remove(&out)?;
    let mut prepare = Command::new(python.name);
    prepare.arg(root.join("tools/peers/python/prepare.py")).arg("--out").arg(&out);
    for (option, path) in [("--sources", sources), ("--input", input)] {
        if let Some(path) = path {
            prepare.arg(option).arg(path);
        }
    }
    prepare.env("PYTHONPATH", packages).env("PYTHONNOUSERSITE", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    let status = prepare.status().map_err(|error| Failure(format!("{} does not run: {error}", python.name)))?;
    if !status.success() {
        return Ok(ExitCode::FAILURE); // it has said why
    }
    let mut cargo = process::cargo(root);
    cargo.args(["run", "--quiet", "--release", "--package", "oblate-peers", "--"]).arg(&out);
    process::exit_code(&mut cargo)
}

/// The folder with Triton, installed unless it is there, of the wheels that the repository names and for this Python.
fn packages(root: &Path, python: &Python) -> Result<PathBuf, Failure> {
    let folder = root.join(".toolkit/peers");
    let requirements = root.join(TRITON.requirements);
    let wheels = fs::read_to_string(&requirements).map_err(|error| file("read", &requirements, &error))?;
    let version = Command::new(python.name).arg("--version").output();
    let version = version.map_err(|error| Failure(format!("{} does not run: {error}", python.name)))?.stdout;
    let wanted = format!("# for {}\n{wheels}", String::from_utf8_lossy(&version).trim());
    let stamp = folder.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(folder);
    }
    let made = root.join(".toolkit/peers.new");
    toolkit::remove(&made)?;
    TRITON.install(python, root, &made)?;
    toolkit::remove(&folder)?;
    fs::rename(&made, &folder).map_err(|error| file("rename", &made, &error))?;
    fs::write(&stamp, wanted).map_err(|error| file("write", &stamp, &error))?;
    Ok(folder)
}
