//! Streams and device pointers as plain values, which any library that speaks CUDA has.

use std::ffi::c_void;

use cudarc::driver::{CudaStream, sys};

use super::{Device, current_context, driver};
use crate::{Error, Result};

/// A CUstream. What uses it is unsafe, or takes it of a `CudaStream` that it borrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(sys::CUstream);

// SAFETY: a CUstream may be used from any thread.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    /// The legacy default stream of the current context.
    pub const DEFAULT: Self = Self(std::ptr::null_mut());

    /// The stream of a CUstream or cudaStream_t.
    pub fn from_raw(stream: *mut c_void) -> Self {
        Self(stream.cast())
    }

    pub(super) fn raw(self) -> sys::CUstream {
        self.0
    }

    /// The stream belongs to the context of `device`.
    pub(crate) fn check(self, operation: &'static str, device: &Device) -> Result<()> {
        // The default streams are those of the current context, and of any where none is current.
        let is_default = self.0.addr() <= 2;
        let mut context = std::ptr::null_mut();
        if is_default {
            context = current_context().unwrap_or(device.0.raw);
        } else {
            // SAFETY: the caller's stream is alive; `context` outlives the call.
            unsafe { driver::cuStreamGetCtx(self.0, &raw mut context) }.map_err(|failure| failure.of(operation))?;
        }
        if context == device.0.raw {
            return Ok(());
        }
        Err(Error::WrongContext { operation, what: "the stream", came: context.addr(), expected: device.context() })
    }

    /// Whether what is put on the stream is recorded into a graph.
    pub(super) fn is_capturing(self, operation: &'static str) -> Result<bool> {
        let mut status = sys::CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE;
        // SAFETY: the stream is alive; `status` outlives the call.
        unsafe { driver::cuStreamIsCapturing(self.0, &raw mut status) }.map_err(|failure| failure.of(operation))?;
        Ok(status != sys::CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE)
    }
}

impl From<&CudaStream> for Stream {
    fn from(stream: &CudaStream) -> Self {
        Self(stream.cu_stream())
    }
}

/// An address in device memory. Null where nothing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DevicePtr(pub u64);

impl DevicePtr {
    /// Nowhere.
    pub const NULL: Self = Self(0);

    /// As a parameter of a kernel. The host does not follow it.
    pub(crate) fn cast<T>(self) -> *mut T {
        std::ptr::without_provenance_mut(usize::try_from(self.0).unwrap_or(0))
    }

    /// So many bytes further.
    #[must_use]
    pub const fn add(self, bytes: u64) -> Self {
        Self(self.0 + bytes)
    }
}
