//! The folder that keeps what was compiled, by the hash of what it was compiled from.

use super::Error;
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as StdHash, Hasher};
use std::path::{Component, Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::time::SystemTime;

/// How many results of one source and architecture are kept: a few branches and experiments back.
const KEPT: usize = 8;

/// What a result was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hash(u64);

impl Hash {
    pub fn of(what: impl StdHash) -> Self {
        Self(0).and(what)
    }

    pub fn and(self, what: impl StdHash) -> Self {
        let mut hasher = DefaultHasher::new();
        (self.0, what).hash(&mut hasher);
        Self(hasher.finish())
    }

    /// Of a file's contents. A build reads the toolkit's headers once, not once for each kernel and architecture.
    fn of_file(path: &Path) -> Option<Self> {
        type Known = HashMap<PathBuf, (SystemTime, u64, Hash)>;
        static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
        let about = fs::metadata(path).ok()?;
        let (modified, bytes) = (about.modified().ok()?, about.len());
        let known = || KNOWN.lock().expect("nothing panics under this lock");
        match known().get(path) {
            Some((m, b, hash)) if (*m, *b) == (modified, bytes) => return Some(*hash),
            _ => {}
        }
        let hash = Self::of(fs::read(path).ok()?);
        known().insert(path.into(), (modified, bytes, hash));
        Some(hash)
    }
}

/// The results of one source and architecture, locked against other processes and threads while it lives.
pub struct Cache {
    /// `CACHE/cuda/spherical/dense`.
    folder: PathBuf,
    /// `compute_80`: what every name starts with.
    architecture: String,
    _lock: File,
}

/// A result: its file, its hash, and every file that it was made of.
type Entry = (PathBuf, Hash, BTreeSet<PathBuf>);

impl Cache {
    /// Opens the part of the cache for one source and architecture, and waits for whoever is at it.
    pub fn open(folder: &Path, source: &Path, architecture: &str) -> Result<Self, Error> {
        // A source outside the root stays below the cache: of its path, only the names count.
        let below = source.with_extension("");
        let folder: PathBuf = [folder.as_os_str()]
            .into_iter()
            .chain(below.components().filter(|part| matches!(part, Component::Normal(_))).map(Component::as_os_str))
            .collect();
        fs::create_dir_all(&folder).map_err(|error| Error::file("make", &folder, &error))?;
        let lock = folder.join(format!("{architecture}.lock"));
        let file = File::create(&lock).and_then(|file| file.lock().map(|()| file));
        Ok(Self {
            _lock: file.map_err(|error| Error::file("lock", &lock, &error))?,
            folder,
            architecture: architecture.into(),
        })
    }

    /// Where the result of a hash lies.
    pub fn path(&self, hash: Hash, extension: &str) -> PathBuf {
        self.folder.join(format!("{}-{:016x}.{extension}", self.architecture, hash.0))
    }

    /// A file to write before it is renamed; the lock keeps it ours.
    pub fn temporary(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.temporary.{extension}", self.architecture))
    }

    /// The result of the last compilation under these flags, if every file of its depfile still has the same contents.
    pub fn lookup(&self, named: Hash, root: &Path, extension: &str) -> Result<Option<Entry>, Error> {
        let depfile = self.path(named, "d");
        if !depfile.is_file() {
            return Ok(None);
        }
        let entry = self.entry(named, root, &depfile, extension)?;
        Ok(entry.filter(|(path, ..)| path.is_file()))
    }

    /// Keeps a result and its depfile; nothing when one of the files changed since `started`.
    pub fn store(
        &self,
        named: Hash,
        root: &Path,
        started: SystemTime,
        depfile: &Path,
        made: &Path,
        extension: &str,
    ) -> Result<Option<Entry>, Error> {
        let Some(entry) = self.entry(named, root, depfile, extension)? else { return Ok(None) };
        let during = started..=SystemTime::now();
        let changed = |path: &PathBuf| fs::metadata(path).and_then(|m| m.modified()).is_ok_and(|m| during.contains(&m));
        if entry.2.iter().any(changed) {
            return Ok(None);
        }
        self.keep(made, &entry.0)?;
        self.keep(depfile, &self.path(named, "d"))?;
        Ok(Some(entry))
    }

    /// Renames a finished temporary file, and drops the oldest of its kind.
    pub fn keep(&self, temporary: &Path, path: &Path) -> Result<(), Error> {
        fs::rename(temporary, path).map_err(|error| Error::file("rename to", path, &error))?;
        let prefix = format!("{}-", self.architecture);
        let ours = |other: &PathBuf| {
            other.extension() == path.extension()
                && other.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&prefix))
        };
        let mut kept: Vec<_> = super::folder(&self.folder)?.into_iter().filter(ours).collect();
        kept.sort_by_key(|path| fs::metadata(path).and_then(|m| m.modified()).ok());
        for old in kept.iter().take(kept.len().saturating_sub(KEPT)) {
            fs::remove_file(old).map_err(|error| Error::file("remove", old, &error))?;
        }
        Ok(())
    }

    fn entry(&self, named: Hash, root: &Path, depfile: &Path, extension: &str) -> Result<Option<Entry>, Error> {
        let text = fs::read_to_string(depfile).map_err(|error| Error::file("read", depfile, &error))?;
        let dependencies: BTreeSet<PathBuf> = dependencies(&text).into_iter().map(|path| root.join(path)).collect();
        let mut hash = named;
        for path in &dependencies {
            let Some(contents) = Hash::of_file(path) else { return Ok(None) };
            hash = hash.and(path).and(contents);
        }
        Ok(Some((self.path(hash, extension), hash, dependencies)))
    }
}

/// The files after the colon of a rule of make, as nvcc writes them.
fn dependencies(rule: &str) -> Vec<PathBuf> {
    let files = rule.split_once(": ").map_or("", |(_, files)| files).replace("\\\r\n", " ").replace("\\\n", " ");
    // A blank within a name is escaped; no name holds the character that stands for it here.
    let files = files.replace("\\ ", "\0");
    files.split_whitespace().map(|file| PathBuf::from(file.replace('\0', " "))).collect()
}
