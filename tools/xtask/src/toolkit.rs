//! `.toolkit/`: nvcc with its headers, libclang and clang-format, installed from PyPI into a folder of the workspace, so
//! that nothing is installed on the machine.

use crate::nvcc::{self, Error, Nvcc};
use crate::process::{Failure, file};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The wheels, each with its version and hashes; a copy inside the toolkit says that it is whole, and of which wheels.
const REQUIREMENTS: &str = "build/toolkit-requirements.txt";
const STAMP: &str = "requirements.txt";

/// Makes the toolkit unless it is there, whole and of the wheels that the repository names.
pub(crate) fn make(root: &Path) -> Result<(), Failure> {
    let (toolkit, requirements) = (root.join(".toolkit"), root.join(REQUIREMENTS));
    let wanted = fs::read_to_string(&requirements).map_err(|error| file("read", &requirements, &error))?;
    let current = || fs::read_to_string(toolkit.join(STAMP)).is_ok_and(|have| have == wanted);
    if current() {
        return Ok(());
    }
    // One process makes it; another that wanted it too finds it made.
    let lock = root.join(".toolkit.lock");
    let locked = File::create(&lock).and_then(|file| file.lock().map(|()| file));
    let _locked = locked.map_err(|error| file("lock", &lock, &error))?;
    if current() {
        return Ok(());
    }
    let (made, old) = (root.join(".toolkit.new"), root.join(".toolkit.old"));
    for leftover in [&made, &old] {
        remove(leftover)?;
    }
    install(&requirements, &made)?;
    fs::write(made.join(STAMP), &wanted).map_err(|error| file("write", &made.join(STAMP), &error))?;
    if toolkit.exists() {
        fs::rename(&toolkit, &old).map_err(|error| file("rename", &toolkit, &error))?;
    }
    fs::rename(&made, &toolkit).map_err(|error| file("rename", &made, &error))?;
    remove(&old)?;
    Ok(())
}

fn remove(folder: &Path) -> Result<(), Failure> {
    if folder.exists() { fs::remove_dir_all(folder).map_err(|error| file("remove", folder, &error)) } else { Ok(()) }
}

/// Installs the wheels into a folder by the first Python that has pip.
fn install(requirements: &Path, folder: &Path) -> Result<(), Failure> {
    let python = python()?;
    eprintln!(
        "xtask: installing nvcc 13.0, libclang and clang-format from PyPI into .toolkit/ (about 180 MB to download)"
    );
    let mut pip = Command::new(python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--no-deps",
        "--only-binary",
        ":all:",
    ]);
    pip.arg("--require-hashes").arg("--target").arg(folder).arg("--requirement").arg(requirements);
    // Settings of the user that contradict a folder of our own.
    pip.envs([("PIP_USER", "0"), ("PIP_REQUIRE_VIRTUALENV", "0"), ("PIP_ROOT_USER_ACTION", "ignore")]);
    let status = pip.status().map_err(|error| Failure(format!("{python} -m pip does not run: {error}")))?;
    if status.success() {
        return Ok(());
    }
    remove(folder)?;
    Err(Failure(format!(
        "pip did not install {REQUIREMENTS} (its message is above); .toolkit/ is as it was. Run `cargo xtask toolkit` again \
         once PyPI can be reached, or install the CUDA toolkit 12.8 or later and set NVCC to its nvcc."
    )))
}

/// The name of a Python that has pip.
fn python() -> Result<&'static str, Failure> {
    let mut tried = Vec::new();
    for python in ["python3", "python"] {
        match Command::new(python).args(["-m", "pip", "--version"]).output() {
            Ok(output) if output.status.success() => return Ok(python),
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr);
                tried.push(format!("    {python:7}  {}", text.trim().lines().last().unwrap_or("does not run pip")));
            }
            Err(error) => tried.push(format!("    {python:7}  does not run: {error}")),
        }
    }
    Err(Failure(format!(
        "the toolkit is installed by Python's pip, and no Python here has it. Tried, in this order, with -m pip --version:\n{}\n\
         Install python3 with pip (Debian: apt install python3-pip) and run `cargo xtask toolkit`, or install the CUDA toolkit \
         12.8 or later and set NVCC to its nvcc.",
        tried.join("\n")
    )))
}

/// An nvcc, from the toolkit if there is no other: made when missing, made again when its wheels are not those named now.
pub(crate) fn nvcc(root: &Path) -> Result<Nvcc, Failure> {
    match nvcc::find(Some(root)) {
        Ok(nvcc) if !root.canonicalize().is_ok_and(|root| nvcc.path.starts_with(root.join(".toolkit"))) => {
            return Ok(nvcc);
        }
        Ok(_) | Err(Error::NotFound { workspace: Some(_), .. }) => {}
        Err(error) => return Err(error.into()),
    }
    make(root)?;
    Ok(nvcc::find(Some(root))?)
}

/// The folder with libclang's shared library.
pub(crate) fn libclang(root: &Path) -> Result<PathBuf, Failure> {
    make(root)?;
    Ok(root.join(".toolkit/clang/native"))
}

/// The clang-format program.
pub(crate) fn clang_format(root: &Path) -> Result<PathBuf, Failure> {
    make(root)?;
    Ok(root.join(format!(".toolkit/clang_format/data/bin/clang-format{}", std::env::consts::EXE_SUFFIX)))
}
