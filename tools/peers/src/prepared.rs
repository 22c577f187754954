//! What `python/prepare.py` wrote of a kernel.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde::Deserialize;

use crate::Error;

/// A kernel, how to launch it, and what it has to give.
pub(crate) struct Prepared {
    /// The peer's, which is its folder's.
    pub(crate) name: String,
    pub(crate) ptx: String,
    pub(crate) launch: Launch,
    /// The bytes of each tensor before the launch.
    pub(crate) tensors: BTreeMap<String, Vec<u8>>,
    /// Each output in f64, and how far from it each element may be.
    pub(crate) expected: BTreeMap<String, Expected>,
}

pub(crate) struct Expected {
    pub(crate) shape: Vec<usize>,
    pub(crate) value: Vec<f64>,
    pub(crate) bound: Vec<f64>,
}

/// `launch.json`.
#[derive(Deserialize)]
pub(crate) struct Launch {
    pub(crate) kernel: String,
    pub(crate) grid: [u32; 3],
    pub(crate) threads: u32,
    pub(crate) shared_bytes: u32,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) outputs: BTreeMap<String, Element>,
}

/// An argument of the kernel, by Triton's name of its type.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Argument {
    Tensor(String),
    I32(i32),
    I64(i64),
    #[serde(rename = "fp32")]
    F32(f32),
}

/// The elements of an output.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Element {
    Bf16,
    #[serde(rename = "fp16")]
    F16,
    #[serde(rename = "fp32")]
    F32,
}

/// The kernels of a folder, by name.
pub(crate) fn read(folder: &Path) -> Result<Vec<Prepared>, Error> {
    let entries = fs::read_dir(folder).map_err(|error| file(folder, &error))?;
    let mut folders: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.retain(|folder| folder.join("launch.json").is_file());
    folders.sort();
    if folders.is_empty() {
        return Err(Error::Empty(folder.into()));
    }
    folders.iter().map(|folder| kernel(folder)).collect()
}

fn kernel(folder: &Path) -> Result<Prepared, Error> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).map_err(|error| file(&path, &error))
    };
    let ptx = String::from_utf8(read("kernel.ptx")?).map_err(|error| file(&folder.join("kernel.ptx"), &error))?;
    let launch = serde_json::from_slice(&read("launch.json")?).map_err(|e| file(&folder.join("launch.json"), &e))?;
    let (tensors, expected) = (read("tensors.safetensors")?, read("expected.safetensors")?);
    let parse = |bytes, name: &str| SafeTensors::deserialize(bytes).map_err(|error| file(&folder.join(name), &error));
    let tensors = parse(&tensors, "tensors.safetensors")?;
    let expected = parse(&expected, "expected.safetensors")?;
    let f64s = |name: &str| {
        let tensor = expected.tensor(name).map_err(|error| file(&folder.join("expected.safetensors"), &error))?;
        let bytes = tensor.data().as_chunks().0;
        Ok((tensor.shape().to_vec(), bytes.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect::<Vec<_>>()))
    };
    let launch: Launch = launch;
    let outputs = launch.outputs.keys().map(|name| {
        let ((shape, value), (_, bound)) = (f64s(name)?, f64s(&format!("{name}.bound"))?);
        Ok((name.clone(), Expected { shape, value, bound }))
    });
    Ok(Prepared {
        name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        expected: outputs.collect::<Result<_, Error>>()?,
        tensors: tensors.iter().map(|(name, tensor)| (name.to_owned(), tensor.data().to_vec())).collect(),
        launch,
        ptx,
    })
}

fn file(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::File { path: path.into(), error: error.to_string() }
}
