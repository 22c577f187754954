//! A tensor in device memory, anywhere in an allocation of its own.

use cudarc::driver::{CudaSlice, DevicePtr};
use safetensors::Dtype;

use super::{Session, driver};
use crate::Result;
use crate::tensor::{Tensor, element_bytes};

/// A tensor that ends where its allocation ends and begins some elements after its start, so that nothing but itself
/// keeps an access before or behind it from being found.
#[derive(Debug)]
pub struct Buffer {
    memory: CudaSlice<u8>,
    offset_bytes: usize,
    dtype: Dtype,
    shape: Vec<usize>,
}

impl Buffer {
    /// Memory that nothing has written yet.
    ///
    /// # Errors
    /// `Driver` when there is not enough.
    pub fn uninitialised(session: &Session, dtype: Dtype, shape: &[usize], offset: usize) -> Result<Self> {
        let offset_bytes = offset * element_bytes(dtype);
        let bytes = shape.iter().product::<usize>() * element_bytes(dtype);
        // SAFETY: what is read of it is what an upload or a kernel has written; the software device finds what is not.
        let memory = unsafe { session.stream.alloc::<u8>((offset_bytes + bytes).max(1)) }.map_err(driver)?;
        Ok(Self { memory, offset_bytes, dtype, shape: shape.to_vec() })
    }

    /// A tensor of the host, copied.
    ///
    /// # Errors
    /// As [`Self::uninitialised`].
    pub fn upload(session: &Session, tensor: &Tensor, offset: usize) -> Result<Self> {
        let mut buffer = Self::uninitialised(session, tensor.dtype(), tensor.shape(), offset)?;
        if !tensor.is_empty() {
            let mut target = buffer.memory.slice_mut(buffer.offset_bytes..);
            session.stream.memcpy_htod(tensor.bytes(), &mut target).map_err(driver)?;
        }
        Ok(buffer)
    }

    /// Fills it with zeros.
    ///
    /// # Errors
    /// `Driver` when a launch before has failed.
    pub fn clear(&mut self, session: &Session) -> Result<()> {
        session.stream.memset_zeros(&mut self.memory).map_err(driver)
    }

    /// The tensor as it is once the stream has come this far.
    ///
    /// # Errors
    /// `Driver` when a launch before has failed.
    pub fn download(&self, session: &Session) -> Result<Tensor> {
        let mut bytes = vec![0; self.memory.len() - self.offset_bytes];
        bytes.truncate(self.shape.iter().product::<usize>() * element_bytes(self.dtype));
        if !bytes.is_empty() {
            session.stream.memcpy_dtoh(&self.memory.slice(self.offset_bytes..), &mut bytes).map_err(driver)?;
        }
        session.stream.synchronize().map_err(driver)?;
        Ok(Tensor::new(self.dtype, self.shape.clone(), bytes))
    }

    /// Its device address.
    pub fn address(&self, session: &Session) -> u64 {
        self.memory.device_ptr(&session.stream).0 + self.offset_bytes as u64
    }
}
