//! Finds nvcc and compiles kernels with it: each .cu to a fatbin of its own, only what changed, on every core.
//! `build.rs`, `cargo xtask` and the software device's tests include this file, so it stands on std alone.
//!
//! A .cu is compiled in steps whose results are kept in a folder outside OUT_DIR: one PTX per virtual architecture, one
//! cubin per real one, then one fatbin. A result's name is a hash of nvcc's version, the flags, the architecture and the
//! contents of every file of its depfile, so neither profiles nor features nor editors make a kernel compile again.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each includer uses a part of it")]

mod architectures;
mod cache;
mod error;
mod ptxas;
mod search;

pub use architectures::{Architecture, Architectures, DEFAULT_ARCHITECTURES};
pub use error::Error;
pub use ptxas::Resources;
pub use search::{Nvcc, OLDEST_RELEASE, Places, find};

use cache::{Cache, Hash};
use search::program;
use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fmt::{Display, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, SystemTime};
use std::{fs, thread};

/// The environment variables that change what is compiled or by what; PATH is left out, since it differs from shell to
/// editor while naming the same nvcc.
pub const ENVIRONMENT: [&str; 8] = [
    "NVCC",
    "CUDA_HOME",
    "CUDA_PATH",
    "OBLATE_CUDA_ARCHS",
    "OBLATE_CUDA_WARNINGS",
    "NVCC_PREPEND_FLAGS",
    "NVCC_APPEND_FLAGS",
    "DOCS_RS",
];

/// How kernels are compiled: by whom, from where, to where.
pub struct Compiler {
    /// The nvcc to run.
    pub nvcc: Nvcc,
    /// The host compiler that preprocesses, for `-ccbin`; what nvcc takes by itself when none.
    pub host: Option<PathBuf>,
    /// The folder that nvcc runs in, so that sources, messages and line tables name files relative to it.
    pub root: PathBuf,
    /// The folder of the cache, made when missing.
    pub cache: PathBuf,
    /// Warnings of nvcc and ptxas, spills among them, are errors.
    pub warnings_are_errors: bool,
    /// Macros to define, as `-D` takes them.
    pub defines: Vec<String>,
    /// Called after each compilation that the cache did not have, with a line that says what was compiled.
    pub progress: fn(&str),
}

/// One .cu, compiled for every architecture asked for.
#[derive(Debug)]
pub struct Fatbin {
    /// The source, as it was given.
    pub source: PathBuf,
    /// The image, in the cache.
    pub path: PathBuf,
    /// Every file that it was made of, by absolute path.
    pub dependencies: BTreeSet<PathBuf>,
    /// What ptxas reports of each kernel on each real architecture.
    pub resources: Vec<Resources>,
}

/// The PTX of one .cu for one virtual architecture.
#[derive(Debug)]
pub struct Ptx {
    /// The text, in the cache.
    pub path: PathBuf,
    /// Every file that it was made of, by absolute path.
    pub dependencies: BTreeSet<PathBuf>,
    hash: Hash,
}

/// What of a fatbin stands on one virtual architecture: its PTX and the cubins made from that PTX.
struct Images {
    architecture: Architecture,
    ptx: Ptx,
    cubins: Vec<(Architecture, PathBuf, Vec<Resources>)>,
}

impl Compiler {
    /// Compiles each source, a path relative to the root, to a fatbin, on as many threads as `workers` says.
    ///
    /// # Errors
    /// `UnknownArchitecture`; otherwise the errors of each source that does not compile.
    pub fn fatbins(
        &self,
        sources: &[PathBuf],
        architectures: &Architectures,
        workers: usize,
    ) -> Result<Vec<Fatbin>, Vec<Error>> {
        architectures.check(&self.nvcc).map_err(|error| vec![error])?;
        let virtuals = architectures.virtuals();
        let jobs: Vec<_> = sources.iter().flat_map(|source| virtuals.iter().map(move |v| (source, *v))).collect();
        let mut made = parallel(&jobs, workers, |(source, v)| self.images(source, *v, architectures)).into_iter();
        let (mut fatbins, mut errors) = (Vec::new(), Vec::new());
        for source in sources {
            let (mut images, whole) = (Vec::new(), errors.len());
            for made in made.by_ref().take(virtuals.len()) {
                match made {
                    Ok(made) => images.push(made),
                    // Most mistakes are the same on every architecture, and are told once.
                    Err(error) if errors[whole..].iter().any(|told: &Error| told.same_text(&error)) => {}
                    Err(error) => errors.push(error),
                }
            }
            if errors.len() == whole {
                match self.join(source, architectures, images) {
                    Ok(fatbin) => fatbins.push(fatbin),
                    Err(error) => errors.push(error),
                }
            }
        }
        if errors.is_empty() { Ok(fatbins) } else { Err(errors) }
    }

    /// Compiles one source, a path relative to the root, to PTX for a virtual architecture.
    ///
    /// # Errors
    /// `Compile` with nvcc's text; `Run` or `File` when nvcc or the cache cannot be used.
    pub fn ptx(&self, source: &Path, architecture: Architecture) -> Result<Ptx, Error> {
        let cache = Cache::open(&self.cache, source, &architecture.to_string())?;
        let flags = self.flags();
        let added = ["NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS"].map(env::var_os);
        let named = Hash::of(&self.nvcc.version).and(&flags).and(added).and(architecture).and(source);
        if let Some((path, hash, dependencies)) = cache.lookup(named, &self.root, "ptx")? {
            return Ok(Ptx { path, dependencies, hash });
        }
        loop {
            let (started, clock) = (SystemTime::now(), Instant::now());
            let (ptx, depfile) = (cache.temporary("ptx"), cache.temporary("d"));
            let mut nvcc = self.nvcc();
            nvcc.args(&flags).arg("-ptx").arg(format!("-arch={architecture}"));
            nvcc.arg("-MD").arg("-MF").arg(&depfile).arg("-o").arg(&ptx).arg(source);
            self.compile(&mut nvcc, source, &architecture)?;
            let text = fs::read_to_string(&ptx).map_err(|error| Error::file("read", &ptx, &error))?;
            fs::write(&ptx, self.relative_paths(&text)).map_err(|error| Error::file("write", &ptx, &error))?;
            // A file saved while nvcc ran may have been read before or after: its contents do not say what was compiled.
            if let Some((path, hash, dependencies)) = cache.store(named, &self.root, started, &depfile, &ptx, "ptx")? {
                self.done(source, architecture, clock);
                return Ok(Ptx { path, dependencies, hash });
            }
        }
    }

    fn images(&self, source: &Path, v: Architecture, architectures: &Architectures) -> Result<Images, Error> {
        let ptx = self.ptx(source, v)?;
        let cubin = |real: Architecture| {
            let (path, report) = self.cubin(source, &ptx, real)?;
            Ok((real, path, ptxas::resources(&report, real)))
        };
        let cubins =
            architectures.reals().filter(|real| real.virtual_of() == v).map(cubin).collect::<Result<_, _>>()?;
        Ok(Images { architecture: v, ptx, cubins })
    }

    /// The cubin of a PTX and ptxas's report.
    fn cubin(&self, source: &Path, ptx: &Ptx, architecture: Architecture) -> Result<(PathBuf, String), Error> {
        let cache = Cache::open(&self.cache, source, &architecture.to_string())?;
        let hash = ptx.hash.and(architecture);
        let (cubin, report) = (cache.path(hash, "cubin"), cache.path(hash, "ptxas"));
        if !cubin.is_file() {
            let (clock, made) = (Instant::now(), cache.temporary("cubin"));
            let mut nvcc = self.nvcc();
            nvcc.args(self.flags()).arg("-cubin").arg(format!("-arch={architecture}"));
            let text = self.compile(nvcc.arg("-o").arg(&made).arg(&ptx.path), source, &architecture)?;
            fs::write(&report, text).map_err(|error| Error::file("write", &report, &error))?;
            cache.keep(&made, &cubin)?;
            self.done(source, architecture, clock);
        }
        let report = fs::read_to_string(&report).map_err(|error| Error::file("read", &report, &error))?;
        Ok((cubin, report))
    }

    /// Joins the images that were asked for into one fatbin.
    fn join(&self, source: &Path, architectures: &Architectures, images: Vec<Images>) -> Result<Fatbin, Error> {
        let cache = Cache::open(&self.cache, source, "fatbin")?;
        let hash = images.iter().fold(Hash::of(architectures), |hash, images| hash.and(images.ptx.hash));
        let path = cache.path(hash, "fatbin");
        if !path.is_file() {
            let made = cache.temporary("fatbin");
            let fatbinary = program(self.nvcc.path.parent().unwrap_or(Path::new("")), "fatbinary");
            let mut command = Command::new(fatbinary);
            command.arg("-64").arg(joined("--create=", &made));
            for Images { architecture, ptx, cubins } in &images {
                for (real, cubin, _) in cubins {
                    command.arg(joined(&format!("--image3=kind=elf,sm={},file=", real.name()), cubin));
                }
                if architectures.contains(*architecture) {
                    command.arg(joined(&format!("--image3=kind=ptx,sm={},file=", architecture.name()), &ptx.path));
                }
            }
            self.compile(&mut command, source, &"fatbin")?;
            cache.keep(&made, &path)?;
        }
        let mut fatbin = Fatbin { source: source.into(), path, dependencies: BTreeSet::new(), resources: Vec::new() };
        for images in images {
            fatbin.dependencies.extend(images.ptx.dependencies);
            fatbin.resources.extend(images.cubins.into_iter().flat_map(|(_, _, resources)| resources));
        }
        Ok(fatbin)
    }

    fn flags(&self) -> Vec<OsString> {
        let mut flags: Vec<OsString> =
            ["-std=c++17", "-lineinfo", "-Icuda", "-Xptxas", "-v,-warn-spills"].map(Into::into).into();
        if self.warnings_are_errors {
            flags.extend(["-Werror", "all-warnings"].map(Into::into));
        }
        flags.extend(self.defines.iter().map(|define| format!("-D{define}").into()));
        if let Some(host) = &self.host {
            flags.extend(["-ccbin".into(), host.into()]);
        }
        flags
    }

    fn nvcc(&self) -> Command {
        let mut nvcc = Command::new(&self.nvcc.path);
        nvcc.current_dir(&self.root);
        nvcc
    }

    /// Runs one step of a compilation; its whole text.
    fn compile(&self, command: &mut Command, source: &Path, step: &dyn Display) -> Result<String, Error> {
        let Output { text, success } = run(command)?;
        if success {
            return Ok(text);
        }
        if let Some(host) = self.host.as_ref().filter(|host| Command::new(host).arg("--version").output().is_err()) {
            return Err(Error::HostCompiler { host: host.clone(), text });
        }
        let text = ptxas::without_report(&text);
        Err(Error::Compile { source: source.into(), step: step.to_string(), text })
    }

    /// The PTX with the files of its line table named relative to the root, and the toolkit's relative to the toolkit, so
    /// that no folder of this machine enters the binary.
    fn relative_paths(&self, ptx: &str) -> String {
        let toolkit = self.nvcc.path.parent().map_or_else(String::new, |bin| format!("\"{}/..//", bin.display()));
        // nvcc asks where it runs, and is told without links.
        let root = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        let root = format!("\"{}/", root.display());
        let mut text = String::with_capacity(ptx.len());
        for line in ptx.split_inclusive('\n') {
            if line.trim_start().starts_with(".file") {
                text.push_str(&line.replacen(&toolkit, "\"toolkit/", 1).replacen(&root, "\"", 1));
            } else {
                text.push_str(line);
            }
        }
        text
    }

    fn done(&self, source: &Path, architecture: Architecture, clock: Instant) {
        (self.progress)(&format!("{} for {architecture}: {:.1} s", source.display(), clock.elapsed().as_secs_f64()));
    }
}

struct Output {
    text: String,
    success: bool,
}

/// Runs a program to its end: what it wrote on both streams, its errors last.
fn run(command: &mut Command) -> Result<Output, Error> {
    let output = command
        .output()
        .map_err(|error| Error::Run { program: PathBuf::from(command.get_program()), why: error.to_string() })?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    let _ = write!(text, "{}", String::from_utf8_lossy(&output.stderr));
    Ok(Output { text, success: output.status.success() })
}

/// An option and the path that follows it in one argument.
fn joined(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}

/// Applies `work` to every job on up to `workers` threads; results in the order of the jobs.
fn parallel<J: Sync, R: Send>(jobs: &[J], workers: usize, work: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(jobs.len()));
    thread::scope(|scope| {
        for _ in 0..workers.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                while let Some((index, job)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, jobs.get(i)?)))
                {
                    let result = work(job);
                    results.lock().expect("no worker panics while it holds the results").push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no worker panics while it holds the results");
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The cache that outlives profiles and features: in cargo's target folder, the outermost around `inside` that cargo marks
/// by a tag.
pub fn cache_folder(inside: &Path) -> PathBuf {
    let target = inside.ancestors().filter(|folder| folder.join("CACHEDIR.TAG").is_file()).last();
    target.unwrap_or(inside).join("oblate-kernels")
}

/// The .cu files of the families below `root/cuda`, relative to the root, in order: what `fatbin!` can name.
///
/// # Errors
/// `File` when a folder cannot be read.
pub fn sources(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut sources = Vec::new();
    for family in folder(&root.join("cuda"))? {
        if family.is_dir() {
            sources.extend(folder(&family)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "cu")));
        }
    }
    sources.sort();
    Ok(sources.into_iter().map(|path| path.strip_prefix(root).map_or(path.clone(), Path::to_path_buf)).collect())
}

/// What a folder holds; nothing when it is not there.
fn folder(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(path).map_err(|error| Error::file("read", path, &error))?;
    entries.map(|entry| Ok(entry.map_err(|error| Error::file("read", path, &error))?.path())).collect()
}
