//! Where an nvcc can be, and whether the one that is there serves.

use super::{Error, run};
use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest release that knows every default architecture: sm_120 came with it.
pub const OLDEST_RELEASE: (u32, u32) = (12, 8);

/// Where an nvcc lies below the folder of a workspace that has a `.toolkit/`.
const TOOLKIT_NVCC: &str = ".toolkit/nvidia/cu13/bin";

/// An nvcc that runs and is new enough.
#[derive(Clone, Debug)]
pub struct Nvcc {
    /// The program itself, links followed: `fatbinary` lies beside it.
    pub path: PathBuf,
    /// Its release, (13, 0) for 13.0.
    pub release: (u32, u32),
    /// The whole answer to `nvcc --version`, which tells builds of one release apart.
    pub(super) version: String,
}

/// Finds nvcc: `$NVCC`, `$CUDA_HOME`, `$CUDA_PATH`, PATH, `/usr/local/cuda`, then the `.toolkit/` of `workspace`, and
/// takes the first that is new enough. `$NVCC` is an order: when it is set, nothing else is looked at.
///
/// # Errors
/// `NotFound`, with every place tried and what was wrong with it.
pub fn find(workspace: Option<&Path>) -> Result<Nvcc, Error> {
    Places { variable: &|name| env::var_os(name), system: Path::new("/usr/local/cuda"), workspace }.find()
}

/// Where an nvcc can be.
pub struct Places<'a> {
    /// The value of an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// Where the system's package manager puts CUDA.
    pub system: &'a Path,
    /// The workspace whose `.toolkit/` serves; none in a published package.
    pub workspace: Option<&'a Path>,
}

impl Places<'_> {
    /// As the free function `find`.
    pub fn find(&self) -> Result<Nvcc, Error> {
        let set = |name: &str| (self.variable)(name).filter(|value| !value.is_empty());
        if let Some(path) = set("NVCC") {
            let tried = |why| vec![("$NVCC".into(), why)];
            return Nvcc::open(Path::new(&path)).map_err(|why| Error::NotFound { tried: tried(why), workspace: None });
        }
        let mut tried = vec![("$NVCC".into(), "not set".into())];
        let mut attempt = |place: &str, folder: Option<PathBuf>, without: &str| {
            let opened = folder.map_or_else(|| Err(without.into()), |folder| Nvcc::open(&program(&folder, "nvcc")));
            opened.map_err(|why| tried.push((place.to_string(), why))).ok()
        };
        let home = |name| set(name).map(|home| PathBuf::from(home).join("bin"));
        let path = set("PATH").unwrap_or_default();
        let on_path = env::split_paths(&path).find(|folder| program(folder, "nvcc").is_file());
        let found = attempt("$CUDA_HOME", home("CUDA_HOME"), "not set")
            .or_else(|| attempt("$CUDA_PATH", home("CUDA_PATH"), "not set"))
            .or_else(|| attempt("PATH", on_path, "no nvcc in its folders"))
            .or_else(|| attempt(&self.system.to_string_lossy(), Some(self.system.join("bin")), ""))
            .or_else(|| attempt(".toolkit", Some(self.workspace?.join(TOOLKIT_NVCC)), ""));
        found.ok_or_else(|| Error::NotFound { tried, workspace: self.workspace.map(Path::to_path_buf) })
    }
}

/// A program of that name in a folder.
pub(super) fn program(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

impl Nvcc {
    /// Asks the program for its version; what is wrong with it, in words, when it is none or too old.
    fn open(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        if !path.is_file() {
            return Err(format!("{shown} is not there"));
        }
        let path = path.canonicalize().map_err(|error| format!("{shown}: {error}"))?;
        let output =
            Command::new(&path).arg("--version").output().map_err(|error| format!("{shown} does not run: {error}"))?;
        let version = String::from_utf8_lossy(&output.stdout).into_owned();
        let Some(release) = release(&version) else {
            return Err(format!("{shown} --version names no release"));
        };
        if release < OLDEST_RELEASE {
            return Err(format!(
                "{shown} is release {}.{}, older than {}.{}",
                release.0, release.1, OLDEST_RELEASE.0, OLDEST_RELEASE.1
            ));
        }
        Ok(Self { path, release, version })
    }

    /// The numbers of the architectures that it knows, ascending.
    ///
    /// # Errors
    /// `Run` when it does not answer.
    pub fn known(&self) -> Result<BTreeSet<u32>, Error> {
        let listed = run(Command::new(&self.path).arg("--list-gpu-arch"))?;
        Ok(listed.text.lines().filter_map(|line| line.trim().strip_prefix("compute_")?.parse().ok()).collect())
    }
}

/// (13, 0) of `Cuda compilation tools, release 13.0, V13.0.88`.
fn release(version: &str) -> Option<(u32, u32)> {
    let (_, rest) = version.split_once("release ")?;
    let (major, rest) = rest.split_once('.')?;
    let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
