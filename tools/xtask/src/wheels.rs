//! Wheels from PyPI, each with its version and hashes, installed into a folder of the workspace.

use crate::process::Failure;
use crate::toolkit::remove;
use std::path::Path;
use std::process::Command;

/// What is installed together, and what is said of it.
pub(crate) struct Wheels {
    /// The file that lists them, from the workspace's root.
    pub(crate) requirements: &'static str,
    pub(crate) announcement: &'static str,
    /// Why a Python is needed.
    pub(crate) python: &'static str,
    /// What to do where there is none.
    pub(crate) without_python: &'static str,
    /// What to do where pip fails.
    pub(crate) failed: &'static str,
}

/// A Python that has pip.
pub(crate) struct Python {
    /// The program's name.
    pub(crate) name: &'static str,
}

impl Python {
    /// The first that there is.
    pub(crate) fn find(wheels: &Wheels) -> Result<Self, Failure> {
        let mut tried = Vec::new();
        for name in ["python3", "python"] {
            match Command::new(name).args(["-m", "pip", "--version"]).output() {
                Ok(output) if output.status.success() => return Ok(Self { name }),
                Ok(output) => {
                    let text = String::from_utf8_lossy(&output.stderr);
                    tried.push(format!("    {name:7}  {}", text.trim().lines().last().unwrap_or("does not run pip")));
                }
                Err(error) => tried.push(format!("    {name:7}  does not run: {error}")),
            }
        }
        Err(Failure(format!(
            "{}. Tried, in this order, with -m pip --version:\n{}\n{}",
            wheels.python,
            tried.join("\n"),
            wheels.without_python
        )))
    }
}

impl Wheels {
    /// Installs them into a folder that is not there yet; nothing is left of it when pip fails.
    pub(crate) fn install(&self, python: &Python, root: &Path, folder: &Path) -> Result<(), Failure> {
        eprintln!("xtask: {}", self.announcement);
        let mut pip = Command::new(python.name);
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
        pip.arg("--require-hashes").arg("--target").arg(folder);
        pip.arg("--requirement").arg(root.join(self.requirements));
        // Settings of the user that contradict a folder of our own.
        pip.envs([("PIP_USER", "0"), ("PIP_REQUIRE_VIRTUALENV", "0"), ("PIP_ROOT_USER_ACTION", "ignore")]);
        let status = pip.status().map_err(|error| Failure(format!("{} -m pip does not run: {error}", python.name)))?;
        if status.success() {
            return Ok(());
        }
        remove(folder)?;
        Err(Failure(format!("pip did not install {} (its message is above); {}", self.requirements, self.failed)))
    }
}
