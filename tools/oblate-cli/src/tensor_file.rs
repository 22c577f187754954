//! Tensors in files: read whole, written whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::tensor::Tensor;
use crate::{Error, Result};

/// Tensors by name, in the order of the names.
pub type Tensors = BTreeMap<String, Tensor>;

/// Every tensor of a safetensors file.
///
/// # Errors
/// `Read` when the file cannot be read, `Malformed` when it is not whole or not safetensors.
pub fn read(path: &Path) -> Result<Tensors> {
    let bytes = fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
    parse(&bytes).map_err(|what| Error::Malformed { path: path.into(), what })
}

/// Every tensor of the bytes of a safetensors file; what is wrong with them, in words.
pub(crate) fn parse(bytes: &[u8]) -> std::result::Result<Tensors, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| one_line(&error.to_string()))?;
    Names::check(bytes)?;
    Ok(file
        .iter()
        .map(|(name, view)| (name.to_owned(), Tensor::new(view.dtype(), view.shape(), view.data().to_vec())))
        .collect())
}

/// The names in the header of a file, each of which may be there once: safetensors keeps the last of several.
struct Names;

impl Names {
    /// Of the bytes of a file that safetensors can read.
    fn check(bytes: &[u8]) -> std::result::Result<(), String> {
        let mut header = serde_json::Deserializer::from_slice(bytes.get(8..).unwrap_or_default());
        Self::deserialize(&mut header).map(|Self| ()).map_err(|error| error.to_string())
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(Self)
    }
}

impl<'de> Visitor<'de> for Names {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self, A::Error> {
        let mut names = BTreeSet::new();
        while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(format_args!("{name} is there twice")));
            }
            names.insert(name);
        }
        Ok(self)
    }
}

/// Writes the tensors to a temporary file beside `path`, which then takes the name; where `path` is a device or a pipe,
/// straight to it. A failure leaves what was there before, and no temporary file.
///
/// # Errors
/// `NoFolder` when the folder of `path` does not exist, `Write` when the file cannot be made, written or renamed.
pub fn write(path: &Path, tensors: &Tensors) -> Result<()> {
    let failed = |source| Error::Write { path: path.into(), source };
    let folder = folder_of(path)?;
    // A link is followed, so that the file it names is replaced and not the link.
    let (target, folder) = match fs::canonicalize(path) {
        Ok(target) => (target.clone(), target.parent().map_or(folder, Path::to_path_buf)),
        Err(_) => (path.into(), folder),
    };
    match fs::metadata(&target) {
        Ok(there) if there.is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
        Ok(there) if !there.is_file() => {
            let file = OpenOptions::new().write(true).open(&target).map_err(failed)?;
            return write_all(file, tensors).map(drop).map_err(failed);
        }
        _ => {}
    }
    let temporary = Temporary::beside(&target, &folder).map_err(failed)?;
    let file = File::create_new(&temporary.0).map_err(failed)?;
    // Synchronised before the rename: a disk that fills up late is found while the old file is still there.
    write_all(file, tensors).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(&temporary.0, &target).map_err(failed)
}

/// The folder that an output is to be in.
///
/// # Errors
/// `NoFolder` when it does not exist.
pub fn folder_of(path: &Path) -> Result<PathBuf> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if folder.is_dir() { Ok(folder.into()) } else { Err(Error::NoFolder { path: path.into(), folder: folder.into() }) }
}

/// A file that goes when this is dropped, unless it was renamed.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(target: &Path, folder: &Path) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self(folder.join(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()))))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0); // renamed: nothing is there, which is as it should be
    }
}

fn write_all(mut file: File, tensors: &Tensors) -> io::Result<File> {
    let views: Vec<(&str, TensorView<'_>)> = tensors
        .iter()
        .map(|(name, tensor)| {
            let view = TensorView::new(tensor.dtype(), tensor.shape().to_vec(), tensor.bytes());
            (name.as_str(), view.expect("a tensor has the bytes of its shape"))
        })
        .collect();
    let bytes = safetensors::serialize(views, None).map_err(|error| io::Error::other(error.to_string()))?;
    file.write_all(&bytes)?;
    Ok(file)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors() -> Tensors {
        [("a".to_owned(), Tensor::from_i64([2], &[1, 2])), ("b".to_owned(), Tensor::from_u32([], &[7]))].into()
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        write(&path, &tensors()).unwrap();
        write(&path, &tensors()).unwrap(); // over an existing file
        assert_eq!(read(&path).unwrap(), tensors());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn every_prefix_of_a_file_is_malformed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        write(&path, &tensors()).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
    }

    #[test]
    fn a_name_that_is_there_twice_is_malformed() {
        let one = r#""a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#;
        let parsed = |header: &str| {
            let length = u64::try_from(header.len()).unwrap().to_le_bytes();
            parse(&[&length[..], header.as_bytes(), &[7]].concat())
        };
        assert_eq!(parsed(&format!("{{{one}}}")).unwrap().len(), 1);
        let error = parsed(&format!("{{{one},{one}}}")).unwrap_err();
        assert!(error.starts_with("a is there twice at line 1"), "{error}");
    }

    #[test]
    fn a_failed_write_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("missing").join("x.safetensors");
        assert!(matches!(write(&nowhere, &tensors()), Err(Error::NoFolder { .. })));
        assert!(matches!(write(folder.path(), &tensors()), Err(Error::Write { .. })));
        let full = write(Path::new("/dev/full"), &tensors());
        assert!(matches!(full, Err(Error::Write { source, .. }) if source.kind() == io::ErrorKind::StorageFull));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
