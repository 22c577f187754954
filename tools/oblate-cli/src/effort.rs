//! What cases cost, counted by the software device: `reports/effort/OPERATION.json` holds it for cases that between them
//! execute all that any case does. A kernel that gives every result and costs more, or less, is another kernel.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use oblate_softgpu::LaunchRecord;
use serde::{Deserialize, Serialize};

use crate::json;

/// What one launch costs. Warps count, not lanes, and no instruction by its kind: a multiplication is as dear as an addition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effort {
    /// The entry point.
    pub kernel: String,
    /// Instructions that warps issued.
    pub instructions: u64,
    /// Loads, stores and atomics of global memory, and the 32-byte sectors that they meet.
    pub global: [u64; 2],
    /// Accesses of shared memory, and the passes over its banks.
    pub shared: [u64; 2],
    /// Barriers that blocks completed.
    pub barriers: u64,
}

impl From<LaunchRecord> for Effort {
    fn from(LaunchRecord { kernel, counters, .. }: LaunchRecord) -> Self {
        let (loads, stores, atomics) = (&counters.global_loads, &counters.global_stores, &counters.global_atomics);
        Self {
            kernel,
            instructions: counters.instructions(),
            global: [
                loads.requests + stores.requests + atomics.requests,
                loads.sectors + stores.sectors + atomics.sectors,
            ],
            shared: [counters.shared.requests, counters.shared.wavefronts],
            barriers: counters.barriers,
        }
    }
}

/// The launches of each case, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Efforts(pub BTreeMap<String, Vec<Effort>>);

impl Efforts {
    /// The file of an operation.
    pub fn path(root: &Path, operation: &str) -> PathBuf {
        root.join(format!("reports/effort/{operation}.json"))
    }

    /// What is committed of an operation: nothing where there is no file.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn read(root: &Path, operation: &str) -> io::Result<Self> {
        let path = Self::path(root, operation);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            bytes => serde_json::from_slice(&bytes?)
                .map_err(|error| io::Error::other(format!("{}: {error}", path.display()))),
        }
    }

    /// Writes an operation's file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, root: &Path, operation: &str) -> io::Result<()> {
        let path = Self::path(root, operation);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(path, json::pretty(self))
    }
}
