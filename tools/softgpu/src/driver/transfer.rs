//! Copies and fills. A copy is done when the call returns, whichever stream it was put in.

use std::ffi::{c_uchar, c_uint, c_ushort, c_void};

use super::context::{Context, current};
use super::error::{Answer, CUDA_ERROR_INVALID_VALUE};
use super::handle::Handle;
use super::stream::Stream;
use super::types::CUdeviceptr;
use crate::memory::{self, BadRange};

/// One end of a copy.
#[derive(Clone, Copy)]
enum End {
    Device(u64),
    Host(*mut u8),
}

impl End {
    /// With one address space for both, an address says where it lies.
    fn of(address: u64) -> Self {
        if memory::is_device_address(address) { Self::Device(address) } else { Self::Host(address as *mut u8) }
    }

    /// A pointer that the caller says is the host's.
    fn host(pointer: *const c_void) -> Answer<Self> {
        if pointer.is_null() || memory::is_device_address(pointer as u64) {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        Ok(Self::Host(pointer.cast_mut().cast()))
    }
}

fn bad(_: BadRange) -> super::error::CUresult {
    CUDA_ERROR_INVALID_VALUE
}

/// Copies, `to` and `from` in this context; the caller of the exported function vouches for `bytes` at a host's end.
fn copy(context: &Context, to: End, from: End, bytes: usize) -> Answer {
    if bytes == 0 {
        return Ok(());
    }
    match (to, from) {
        (End::Device(to), End::Device(from)) => context.memory.copy(to, from, bytes as u64).map_err(bad),
        (_, End::Host(pointer)) | (End::Host(pointer), _) if pointer.is_null() => Err(CUDA_ERROR_INVALID_VALUE),
        (End::Device(to), End::Host(from)) => {
            // SAFETY: as the caller vouches; the slice lives for this call alone.
            context.memory.write(to, unsafe { std::slice::from_raw_parts(from, bytes) }).map_err(bad)
        }
        (End::Host(to), End::Device(from)) => {
            // SAFETY: as the caller vouches; any byte is a valid u8, and they are written, not read.
            context.memory.read(from, unsafe { std::slice::from_raw_parts_mut(to, bytes) }).map_err(bad)
        }
        (End::Host(to), End::Host(from)) => {
            // SAFETY: as the caller vouches for both; they may overlap.
            unsafe { to.copy_from(from, bytes) };
            Ok(())
        }
    }
}

/// Fills with `count` copies of a pattern, which an address must be aligned to.
fn fill(context: &Context, to: CUdeviceptr, pattern: &[u8], count: usize) -> Answer {
    if count == 0 {
        return Ok(());
    }
    if !to.is_multiple_of(pattern.len() as u64) {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    context.memory.fill(to, pattern, count as u64).map_err(bad)
}

/// Between contexts, through the host.
fn copy_peer(
    (to, to_context): (CUdeviceptr, Handle<Context>),
    (from, from_context): (CUdeviceptr, Handle<Context>),
    bytes: usize,
) -> Answer {
    let (to_context, from_context) = (to_context.get()?, from_context.get()?);
    to_context.sound()?;
    from_context.sound()?;
    if to_context.handle == from_context.handle {
        return to_context.memory.copy(to, from, bytes as u64).map_err(bad);
    }
    let mut between = vec![0; bytes];
    from_context.memory.read(from, &mut between).map_err(bad)?;
    to_context.memory.write(to, &between).map_err(bad)
}

api! {
    /// Copies between any two addresses, which say themselves where they lie.
    fn cuMemcpy(to: CUdeviceptr, from: CUdeviceptr, bytes: usize) {
        copy(&*current()?, End::of(to), End::of(from), bytes)
    }

    /// As [`cuMemcpy`].
    fn cuMemcpyAsync(to: CUdeviceptr, from: CUdeviceptr, bytes: usize, stream: Handle<Stream>) {
        copy(&*stream.of_current()?, End::of(to), End::of(from), bytes)
    }

    /// Copies from the host.
    fn cuMemcpyHtoD_v2(to: CUdeviceptr, from: *const c_void, bytes: usize) {
        copy(&*current()?, End::Device(to), host_end(from, bytes)?, bytes)
    }

    /// As [`cuMemcpyHtoD_v2`].
    fn cuMemcpyHtoDAsync_v2(to: CUdeviceptr, from: *const c_void, bytes: usize, stream: Handle<Stream>) {
        copy(&*stream.of_current()?, End::Device(to), host_end(from, bytes)?, bytes)
    }

    /// Copies to the host.
    fn cuMemcpyDtoH_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize) {
        copy(&*current()?, host_end(to, bytes)?, End::Device(from), bytes)
    }

    /// As [`cuMemcpyDtoH_v2`].
    fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize, stream: Handle<Stream>) {
        copy(&*stream.of_current()?, host_end(to, bytes)?, End::Device(from), bytes)
    }

    /// Copies within the device.
    fn cuMemcpyDtoD_v2(to: CUdeviceptr, from: CUdeviceptr, bytes: usize) {
        copy(&*current()?, End::Device(to), End::Device(from), bytes)
    }

    /// As [`cuMemcpyDtoD_v2`].
    fn cuMemcpyDtoDAsync_v2(to: CUdeviceptr, from: CUdeviceptr, bytes: usize, stream: Handle<Stream>) {
        copy(&*stream.of_current()?, End::Device(to), End::Device(from), bytes)
    }

    /// Copies between two contexts.
    fn cuMemcpyPeer(
        to: CUdeviceptr,
        to_context: Handle<Context>,
        from: CUdeviceptr,
        from_context: Handle<Context>,
        bytes: usize,
    ) {
        current()?;
        copy_peer((to, to_context), (from, from_context), bytes)
    }

    /// As [`cuMemcpyPeer`].
    fn cuMemcpyPeerAsync(
        to: CUdeviceptr,
        to_context: Handle<Context>,
        from: CUdeviceptr,
        from_context: Handle<Context>,
        bytes: usize,
        stream: Handle<Stream>,
    ) {
        stream.of_current()?;
        copy_peer((to, to_context), (from, from_context), bytes)
    }

    /// Fills with bytes.
    fn cuMemsetD8_v2(to: CUdeviceptr, value: c_uchar, count: usize) {
        fill(&*current()?, to, &[value], count)
    }

    /// Fills with 16-bit values.
    fn cuMemsetD16_v2(to: CUdeviceptr, value: c_ushort, count: usize) {
        fill(&*current()?, to, &value.to_ne_bytes(), count)
    }

    /// Fills with 32-bit values.
    fn cuMemsetD32_v2(to: CUdeviceptr, value: c_uint, count: usize) {
        fill(&*current()?, to, &value.to_ne_bytes(), count)
    }

    /// As [`cuMemsetD8_v2`].
    fn cuMemsetD8Async(to: CUdeviceptr, value: c_uchar, count: usize, stream: Handle<Stream>) {
        fill(&*stream.of_current()?, to, &[value], count)
    }

    /// As [`cuMemsetD16_v2`].
    fn cuMemsetD16Async(to: CUdeviceptr, value: c_ushort, count: usize, stream: Handle<Stream>) {
        fill(&*stream.of_current()?, to, &value.to_ne_bytes(), count)
    }

    /// As [`cuMemsetD32_v2`].
    fn cuMemsetD32Async(to: CUdeviceptr, value: c_uint, count: usize, stream: Handle<Stream>) {
        fill(&*stream.of_current()?, to, &value.to_ne_bytes(), count)
    }
}

/// Nothing is asked of a pointer that no byte is copied through.
fn host_end(pointer: *const c_void, bytes: usize) -> Answer<End> {
    if bytes == 0 { Ok(End::Host(std::ptr::null_mut())) } else { End::host(pointer) }
}
