//! A factored layer in a file: the factors as they are, so that a layer goes on with the bits that it had.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::FactoredLayer;
use crate::device::CudaStream;
use crate::layout::Part;
use crate::spherical::factored::{Factored, FactoredConfig, OP, stride};
use crate::{Device, Error, Result, Workspace};

/// A part of the state: its name in a file, its shape there, and where it lies.
struct Tensor {
    name: &'static str,
    shape: Vec<usize>,
    part: Part,
}

impl Tensor {
    /// Bytes of a row in a file, and of one on the device, which begins at a multiple of 16 bytes.
    fn row_bytes(&self) -> [usize; 2] {
        let width = self.shape.last().copied().unwrap_or(0);
        [4 * width, 4 * if self.shape.len() == 2 { stride(width) } else { width }]
    }

    fn rows(&self) -> usize {
        if self.shape.len() == 2 { self.shape[0] } else { 1 }
    }
}

/// All that a layer is.
fn state(factored: &Factored) -> Vec<Tensor> {
    let FactoredConfig { classes, width, .. } = *factored.config();
    let parts = &factored.parts;
    let matrix = |name, rows, part| Tensor { name, shape: vec![rows, width], part };
    let vector = |name, part| Tensor { name, shape: vec![width], part };
    vec![
        matrix("v", classes, parts.v),
        matrix("u", width, parts.u),
        matrix("t", width, parts.t),
        matrix("q", width, parts.q),
        vector("row_sum", parts.row_sum),
        vector("omega", parts.omega),
        vector("centre", parts.centre),
    ]
}

impl FactoredLayer {
    /// Writes the layer to a safetensors file: `v` f32 \[D, d\], `u`, `t`, `q` \[d, d\], `row_sum`, `omega`, `centre` \[d\], and
    /// as metadata `loss` and `steps`. A file of the name is replaced once the new one is whole. Waits for the stream.
    ///
    /// # Errors
    /// `File` when it cannot be written; `WrongContext` and `Capturing` for the stream; `Driver` for what went wrong on the
    /// device.
    pub fn save(&mut self, stream: &CudaStream, path: &Path) -> Result<()> {
        let tensors = state(&self.factored);
        let bytes = self.with_memory(stream, |factored, plain, memory, _| {
            let read = |tensor: &Tensor| {
                let [compact, padded] = tensor.row_bytes();
                let mut bytes = vec![0; tensor.rows() * padded];
                // SAFETY: the part is of the layer's own memory, and as long as its tensor's rows.
                unsafe { factored.device.read(OP, plain, tensor.part.at(memory), &mut bytes) }?;
                Ok(bytes.chunks_exact(padded).flat_map(|row| row[..compact].iter().copied()).collect())
            };
            tensors.iter().map(read).collect::<Result<Vec<Vec<u8>>>>()
        })?;
        let failed = |error: &dyn std::fmt::Display| file(path, error.to_string());
        let views: Vec<_> = tensors
            .iter()
            .zip(&bytes)
            .map(|(tensor, bytes)| Ok((tensor.name, TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)?)))
            .collect::<std::result::Result<_, safetensors::SafeTensorError>>()
            .map_err(|error| failed(&error))?;
        let metadata = HashMap::from([
            ("loss".to_owned(), self.config().loss.name().to_owned()),
            ("steps".to_owned(), self.steps.to_string()),
        ]);
        let whole = safetensors::serialize(views, Some(metadata)).map_err(|error| failed(&error))?;
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        fs::write(&new, whole).and_then(|()| fs::rename(&new, path)).map_err(|error| failed(&error))
    }

    /// The layer of a file that `save` has written. Waits for the stream.
    ///
    /// # Errors
    /// `File` when it cannot be read, or is of another loss or other sizes than `config`; and as `new`.
    pub fn load(device: &Device, stream: &CudaStream, config: FactoredConfig, path: &Path) -> Result<Self> {
        let factored = Factored::new(device, config)?;
        let bytes = fs::read(path).map_err(|error| file(path, error.to_string()))?;
        let (header, saved) = SafeTensors::read_metadata(&bytes)
            .and_then(|(_, header)| Ok((header, SafeTensors::deserialize(&bytes)?)))
            .map_err(|error| file(path, error.to_string()))?;
        let metadata =
            |name: &str| header.metadata().as_ref().and_then(|all| all.get(name)).cloned().unwrap_or_default();
        let (loss, expected) = (metadata("loss"), config.loss.name());
        if loss != expected {
            return Err(file(path, format!("loss is {loss:?}, expected {expected}")));
        }
        let steps = metadata("steps").parse().map_err(|_| file(path, "no number of steps".to_owned()))?;
        let tensors = state(&factored);
        let found = |tensor: &Tensor| {
            let view = saved.tensor(tensor.name).map_err(|error| file(path, error.to_string()))?;
            if view.dtype() == Dtype::F32 && view.shape() == tensor.shape {
                return Ok(view.data());
            }
            let (name, dtype, shape, expected) = (tensor.name, view.dtype(), view.shape(), &tensor.shape);
            Err(file(path, format!("{name} is {dtype:?} {shape:?}, expected F32 {expected:?}")))
        };
        let data: Vec<&[u8]> = tensors.iter().map(found).collect::<Result<_>>()?;
        let memory = Workspace::new(device, factored.memory_bytes())?;
        let mut layer = Self { factored, memory, steps };
        layer.with_memory(stream, |factored, plain, memory, _| {
            for (tensor, data) in tensors.iter().zip(data) {
                let [compact, padded] = tensor.row_bytes();
                let mut bytes = vec![0; tensor.rows() * padded];
                for (to, from) in bytes.chunks_exact_mut(padded).zip(data.chunks_exact(compact)) {
                    to[..compact].copy_from_slice(from);
                }
                // SAFETY: the part is of the layer's own memory, and as long as its tensor's rows.
                unsafe { factored.device.write(OP, plain, tensor.part.at(memory), &bytes) }?;
            }
            Ok(())
        })?;
        Ok(layer)
    }
}

fn file(path: &Path, what: String) -> Error {
    Error::File { operation: OP, path: path.display().to_string(), what }
}
