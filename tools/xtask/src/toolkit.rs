//! `.toolkit/`: nvcc with its headers, libclang and clang-format, installed from PyPI into a folder of the workspace, so
//! that nothing is installed on the machine.

use crate::nvcc::{self, Error, Nvcc};
use crate::process::{Failure, file};
use crate::wheels::{Python, Wheels};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The wheels, each with its version and hashes; a copy inside the toolkit says that it is whole, and of which wheels.
const REQUIREMENTS: &str = "build/toolkit-requirements.txt";
const STAMP: &str = "requirements.txt";
const TOOLKIT: Wheels = Wheels {
    requirements: REQUIREMENTS,
    announcement: "installing nvcc 13.0, libclang and clang-format from PyPI into .toolkit/ (about 180 MB to download)",
    python: "the toolkit is installed by Python's pip, and no Python here has it",
    without_python: "Install python3 with pip (Debian: apt install python3-pip) and run `cargo xtask toolkit`, or install the \
                     CUDA toolkit 12.8 or later and set NVCC to its nvcc.",
    failed: ".toolkit/ is as it was. Run `cargo xtask toolkit` again once PyPI can be reached, or install the CUDA toolkit \
             12.8 or later and set NVCC to its nvcc.",
};

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
    TOOLKIT.install(&Python::find(&TOOLKIT)?, root, &made)?;
    fs::write(made.join(STAMP), &wanted).map_err(|error| file("write", &made.join(STAMP), &error))?;
    if toolkit.exists() {
        fs::rename(&toolkit, &old).map_err(|error| file("rename", &toolkit, &error))?;
    }
    fs::rename(&made, &toolkit).map_err(|error| file("rename", &made, &error))?;
    remove(&old)?;
    Ok(())
}

pub(crate) fn remove(folder: &Path) -> Result<(), Failure> {
    if folder.exists() { fs::remove_dir_all(folder).map_err(|error| file("remove", folder, &error)) } else { Ok(()) }
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
