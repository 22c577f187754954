//! Copies and fills. A copy is done when the call returns, whichever stream it was put in, unless the stream is captured.

use std::ffi::{c_uchar, c_uint, c_ushort, c_void};

use super::context::{Context, current};
use super::copy::{Copy, End, Fill};
use super::error::Answer;
use super::handle::Handle;
use super::stream::{Stream, synchronously};
use super::types::CUdeviceptr;
use super::work::Work;

/// A copy between an end and another of the current context.
fn copy(ends: impl FnOnce(&Context) -> Answer<[End; 2]>, bytes: usize) -> Answer<Work> {
    let [to, from] = ends(&*current()?)?;
    Ok(Work::Copy(Copy::linear(to, from, bytes)))
}

/// Between contexts.
fn copy_peer(
    (to, to_context): (CUdeviceptr, Handle<Context>),
    (from, from_context): (CUdeviceptr, Handle<Context>),
    bytes: usize,
) -> Answer<Work> {
    current()?;
    let (to_context, from_context) = (to_context.get()?, from_context.get()?);
    to_context.sound()?;
    from_context.sound()?;
    Ok(Work::Copy(Copy::linear(End::device(to, &to_context), End::device(from, &from_context), bytes)))
}

/// Fills with `count` copies of a pattern, which an address must be aligned to.
fn fill(to: CUdeviceptr, (value, bytes): (u32, usize), count: usize) -> Answer<Work> {
    Ok(Work::Fill(Fill::linear(&*current()?, to, value, bytes, count)))
}

api! {
    /// Copies between any two addresses, which say themselves where they lie.
    fn cuMemcpy(to: CUdeviceptr, from: CUdeviceptr, bytes: usize) {
        synchronously(&copy(|context| Ok([End::of(to, context), End::of(from, context)]), bytes)?)
    }

    /// As [`cuMemcpy`].
    fn cuMemcpyAsync(to: CUdeviceptr, from: CUdeviceptr, bytes: usize, stream: Handle<Stream>) {
        stream.submit(copy(|context| Ok([End::of(to, context), End::of(from, context)]), bytes)?)
    }

    /// Copies from the host.
    fn cuMemcpyHtoD_v2(to: CUdeviceptr, from: *const c_void, bytes: usize) {
        synchronously(&copy(|context| Ok([End::device(to, context), host_end(from, bytes)?]), bytes)?)
    }

    /// As [`cuMemcpyHtoD_v2`].
    fn cuMemcpyHtoDAsync_v2(to: CUdeviceptr, from: *const c_void, bytes: usize, stream: Handle<Stream>) {
        stream.submit(copy(|context| Ok([End::device(to, context), host_end(from, bytes)?]), bytes)?)
    }

    /// Copies to the host.
    fn cuMemcpyDtoH_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize) {
        synchronously(&copy(|context| Ok([host_end(to, bytes)?, End::device(from, context)]), bytes)?)
    }

    /// As [`cuMemcpyDtoH_v2`].
    fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize, stream: Handle<Stream>) {
        stream.submit(copy(|context| Ok([host_end(to, bytes)?, End::device(from, context)]), bytes)?)
    }

    /// Copies within the device.
    fn cuMemcpyDtoD_v2(to: CUdeviceptr, from: CUdeviceptr, bytes: usize) {
        synchronously(&copy(|context| Ok([End::device(to, context), End::device(from, context)]), bytes)?)
    }

    /// As [`cuMemcpyDtoD_v2`].
    fn cuMemcpyDtoDAsync_v2(to: CUdeviceptr, from: CUdeviceptr, bytes: usize, stream: Handle<Stream>) {
        stream.submit(copy(|context| Ok([End::device(to, context), End::device(from, context)]), bytes)?)
    }

    /// Copies between two contexts.
    fn cuMemcpyPeer(
        to: CUdeviceptr,
        to_context: Handle<Context>,
        from: CUdeviceptr,
        from_context: Handle<Context>,
        bytes: usize,
    ) {
        synchronously(&copy_peer((to, to_context), (from, from_context), bytes)?)
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
        stream.submit(copy_peer((to, to_context), (from, from_context), bytes)?)
    }

    /// Fills with bytes.
    fn cuMemsetD8_v2(to: CUdeviceptr, value: c_uchar, count: usize) {
        synchronously(&fill(to, (value.into(), 1), count)?)
    }

    /// Fills with 16-bit values.
    fn cuMemsetD16_v2(to: CUdeviceptr, value: c_ushort, count: usize) {
        synchronously(&fill(to, (value.into(), 2), count)?)
    }

    /// Fills with 32-bit values.
    fn cuMemsetD32_v2(to: CUdeviceptr, value: c_uint, count: usize) {
        synchronously(&fill(to, (value, 4), count)?)
    }

    /// As [`cuMemsetD8_v2`].
    fn cuMemsetD8Async(to: CUdeviceptr, value: c_uchar, count: usize, stream: Handle<Stream>) {
        stream.submit(fill(to, (value.into(), 1), count)?)
    }

    /// As [`cuMemsetD16_v2`].
    fn cuMemsetD16Async(to: CUdeviceptr, value: c_ushort, count: usize, stream: Handle<Stream>) {
        stream.submit(fill(to, (value.into(), 2), count)?)
    }

    /// As [`cuMemsetD32_v2`].
    fn cuMemsetD32Async(to: CUdeviceptr, value: c_uint, count: usize, stream: Handle<Stream>) {
        stream.submit(fill(to, (value, 4), count)?)
    }
}

/// Nothing is asked of a pointer that no byte is copied through.
fn host_end(pointer: *const c_void, bytes: usize) -> Answer<End> {
    if bytes == 0 { Ok(End::Host(0)) } else { End::host(pointer) }
}
