//! What can go wrong between a .cu and its fatbin. Each message says what was tried and what to run.

use super::{Architecture, DEFAULT_ARCHITECTURES, Nvcc, OLDEST_RELEASE};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Why kernels were not compiled.
#[derive(Debug)]
pub enum Error {
    /// No nvcc that is new enough, with each place tried and what was wrong with it.
    NotFound { tried: Vec<(String, String)>, workspace: Option<PathBuf> },
    /// An entry of OBLATE_CUDA_ARCHS that names no architecture.
    MalformedArchitectures { list: String, entry: String },
    /// An architecture that this nvcc cannot compile for.
    UnknownArchitecture { unknown: Architecture, nvcc: Nvcc, known: BTreeSet<u32> },
    /// The host compiler that nvcc preprocesses with does not run.
    HostCompiler { host: PathBuf, text: String },
    /// A kernel that does not compile, with the compiler's whole text.
    Compile { source: PathBuf, step: String, text: String },
    /// A program that does not start.
    Run { program: PathBuf, why: String },
    /// A file that cannot be read or written.
    File { what: &'static str, path: PathBuf, why: String },
}

impl Error {
    /// A file operation that failed: `what` is "read", "write" and the like.
    pub fn file(what: &'static str, path: &Path, error: &io::Error) -> Self {
        Self::File { what, path: path.into(), why: error.to_string() }
    }

    /// Whether the compiler says the same of both, for one architecture and another.
    pub(super) fn same_text(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Compile { text: a, .. }, Self::Compile { text: b, .. })
            | (Self::HostCompiler { text: a, .. }, Self::HostCompiler { text: b, .. }) => a == b,
            _ => self.to_string() == other.to_string(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { tried, workspace } => {
                let (major, minor) = OLDEST_RELEASE;
                writeln!(f, "no nvcc of release {major}.{minor} or later. Tried, in this order:")?;
                let width = tried.iter().map(|(place, _)| place.len()).max().unwrap_or(0);
                for (place, why) in tried {
                    writeln!(f, "    {place:width$}  {why}")?;
                }
                if workspace.is_some() {
                    write!(
                        f,
                        "Run `cargo xtask toolkit`, which puts nvcc 13.0 into .toolkit/ (needs python3 with pip), or set "
                    )?;
                } else if tried.len() == 1 {
                    write!(f, "NVCC is set, so nothing else was tried. Unset it, or set ")?;
                } else {
                    write!(f, "Install the CUDA toolkit {major}.{minor} or later, or set ")?;
                }
                write!(f, "NVCC to the nvcc to use.")
            }
            Self::MalformedArchitectures { list, entry } => write!(
                f,
                "OBLATE_CUDA_ARCHS is \"{list}\", and \"{entry}\" in it is no architecture. Expected a comma-separated list of \
                 sm_NN (a cubin) and compute_NN (PTX), NN with a or f after it where that is meant; the default is \
                 {DEFAULT_ARCHITECTURES}."
            ),
            Self::UnknownArchitecture { unknown, nvcc, known } => {
                let known: Vec<_> = known.iter().map(u32::to_string).collect();
                write!(
                    f,
                    "OBLATE_CUDA_ARCHS asks for {unknown}, which {} (release {}.{}) does not know; it knows {}. Leave it out \
                     of OBLATE_CUDA_ARCHS, or set NVCC to an nvcc that knows it.",
                    nvcc.path.display(),
                    nvcc.release.0,
                    nvcc.release.1,
                    known.join(", ")
                )
            }
            Self::HostCompiler { host, text } => write!(
                f,
                "nvcc preprocesses with the host's C++ compiler, and `{}` does not run. Install one (g++ or clang++), or set \
                 CXX to it. nvcc says:\n{}",
                host.display(),
                text.trim_end()
            ),
            Self::Compile { source, step, text } => {
                write!(f, "{} does not compile for {step}. nvcc says:\n{}", source.display(), text.trim_end())
            }
            Self::Run { program, why } => write!(f, "`{}` does not run: {why}", program.display()),
            Self::File { what, path, why } => write!(f, "cannot {what} {}: {why}", path.display()),
        }
    }
}

impl std::error::Error for Error {}
