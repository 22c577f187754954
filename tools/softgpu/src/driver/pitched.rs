//! Copies and fills of rows, and memory whose rows are aligned.

use std::ffi::{c_uchar, c_uint, c_ushort, c_void};

use super::context::{Context, current};
use super::copy::{Copy, End, Fill, Side};
use super::error::{Answer, CUDA_ERROR_INVALID_VALUE};
use super::handle::Handle;
use super::stream::{Stream, synchronously};
use super::types::{CUdeviceptr, Out};
use super::work::Work;

const HOST: c_uint = 1;
const DEVICE: c_uint = 2;
const UNIFIED: c_uint = 4;

/// One end of a 2D copy.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Plane {
    /// Where in a row to begin.
    pub x_bytes: usize,
    /// At which row.
    pub y: usize,
    /// Host (1), device (2), array (3) or unified (4).
    pub memory_type: c_uint,
    padding: c_uint,
    /// For host memory.
    pub host: *mut c_void,
    /// For device and unified memory.
    pub device: CUdeviceptr,
    /// There are none.
    pub array: *mut c_void,
    /// Bytes from a row to the next; 0 for as many as are copied.
    pub pitch: usize,
}

/// A 2D copy.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CUDA_MEMCPY2D {
    /// Where from.
    pub from: Plane,
    /// Where to.
    pub to: Plane,
    /// Bytes of a row.
    pub width_bytes: usize,
    /// Rows.
    pub height: usize,
}

/// One end of a 3D copy.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Volume {
    /// Where in a row to begin.
    pub x_bytes: usize,
    /// At which row of a plane.
    pub y: usize,
    /// At which plane.
    pub z: usize,
    /// 0: of arrays alone.
    pub level: usize,
    /// Host (1), device (2), array (3) or unified (4).
    pub memory_type: c_uint,
    padding: c_uint,
    /// For host memory.
    pub host: *mut c_void,
    /// For device and unified memory.
    pub device: CUdeviceptr,
    /// There are none.
    pub array: *mut c_void,
    /// Nothing; in a copy between devices, the context.
    pub context: Handle<Context>,
    /// Bytes from a row to the next; 0 for as many as are copied.
    pub pitch: usize,
    /// Rows from a plane to the next; 0 for as many as are copied.
    pub rows: usize,
}

/// A 3D copy.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CUDA_MEMCPY3D {
    /// Where from.
    pub from: Volume,
    /// Where to.
    pub to: Volume,
    /// Bytes of a row.
    pub width_bytes: usize,
    /// Rows of a plane.
    pub height: usize,
    /// Planes.
    pub depth: usize,
}

/// Where an end begins, and how its rows lie.
fn side(volume: &Volume, context: &Context, [width, height, _]: [usize; 3]) -> Answer<Side> {
    let end = match volume.memory_type {
        HOST => End::host(volume.host)?,
        DEVICE => End::device(volume.device, context),
        UNIFIED => End::of(volume.device, context),
        _ => return Err(CUDA_ERROR_INVALID_VALUE), // an array, or nothing that there is
    };
    let pitch = if volume.pitch == 0 { width } else { volume.pitch };
    let rows = if volume.rows == 0 { height } else { volume.rows };
    let fits = volume.x_bytes.checked_add(width).is_some_and(|end| end <= pitch)
        && volume.y.checked_add(height).is_some_and(|end| end <= rows || volume.rows == 0)
        && volume.level == 0;
    let first = volume.z.checked_mul(rows).and_then(|row| row.checked_add(volume.y));
    let first = first.and_then(|row| row.checked_mul(pitch)).and_then(|bytes| bytes.checked_add(volume.x_bytes));
    let end = first.filter(|_| fits).map(|bytes| end.offset(bytes)).ok_or(CUDA_ERROR_INVALID_VALUE)?;
    Ok(Side { end, pitch, rows })
}

impl CUDA_MEMCPY3D {
    pub(crate) fn copy(&self, context: &Context) -> Answer<Copy> {
        self.between(context, context)
    }

    fn between(&self, to: &Context, from: &Context) -> Answer<Copy> {
        let extent = [self.width_bytes, self.height, self.depth];
        if extent.contains(&0) {
            return Ok(Copy::linear(End::Host(0), End::Host(0), 0));
        }
        Ok(Copy { to: side(&self.to, to, extent)?, from: side(&self.from, from, extent)?, extent })
    }

    /// A copy as a struct, its ends where the first bytes are.
    pub(crate) fn of(copy: &Copy) -> Self {
        let volume = |side: &Side| {
            let (memory_type, host, device, context) = match side.end {
                End::Host(address) => (HOST, std::ptr::with_exposed_provenance_mut(address), 0, Handle::NULL),
                End::Device(address, context) => (DEVICE, std::ptr::null_mut(), address, context),
            };
            Volume {
                x_bytes: 0,
                y: 0,
                z: 0,
                level: 0,
                memory_type,
                padding: 0,
                host,
                device,
                array: std::ptr::null_mut(),
                context,
                pitch: side.pitch,
                rows: side.rows,
            }
        };
        let [width_bytes, height, depth] = copy.extent;
        Self { from: volume(&copy.from), to: volume(&copy.to), width_bytes, height, depth }
    }
}

impl CUDA_MEMCPY2D {
    fn copy(&self, context: &Context) -> Answer<Copy> {
        let volume = |plane: &Plane| Volume {
            x_bytes: plane.x_bytes,
            y: plane.y,
            z: 0,
            level: 0,
            memory_type: plane.memory_type,
            padding: 0,
            host: plane.host,
            device: plane.device,
            array: plane.array,
            context: Handle::NULL,
            pitch: plane.pitch,
            rows: 0,
        };
        let (from, to) = (volume(&self.from), volume(&self.to));
        CUDA_MEMCPY3D { from, to, width_bytes: self.width_bytes, height: self.height, depth: 1 }.copy(context)
    }
}

/// Bytes by which the rows of cuMemAllocPitch are aligned.
const PITCH: usize = 512;

/// # Safety
/// `copy` is null, or valid for a read; a host's end is valid for what is copied.
unsafe fn copy_2d(copy: *const CUDA_MEMCPY2D, stream: Option<Handle<Stream>>) -> Answer {
    let context = current()?;
    // SAFETY: the caller's promise.
    let copy = unsafe { copy.as_ref() }.ok_or(CUDA_ERROR_INVALID_VALUE)?.copy(&context)?;
    submit(stream, Work::Copy(copy))
}

/// # Safety
/// As [`copy_2d`].
unsafe fn copy_3d(copy: *const CUDA_MEMCPY3D, stream: Option<Handle<Stream>>) -> Answer {
    let context = current()?;
    // SAFETY: the caller's promise.
    let copy = unsafe { copy.as_ref() }.ok_or(CUDA_ERROR_INVALID_VALUE)?.copy(&context)?;
    submit(stream, Work::Copy(copy))
}

/// # Safety
/// As [`copy_2d`].
unsafe fn copy_3d_peer(copy: *const CUDA_MEMCPY3D, stream: Option<Handle<Stream>>) -> Answer {
    current()?;
    // SAFETY: the caller's promise.
    let copy = unsafe { copy.as_ref() }.ok_or(CUDA_ERROR_INVALID_VALUE)?;
    let copy = copy.between(&*copy.to.context.get()?, &*copy.from.context.get()?)?;
    submit(stream, Work::Copy(copy))
}

/// In a stream, or at once.
fn submit(stream: Option<Handle<Stream>>, work: Work) -> Answer {
    match stream {
        Some(stream) => stream.submit(work),
        None => synchronously(&work),
    }
}

fn fill(
    to: CUdeviceptr,
    pitch: usize,
    (value, bytes): (u32, usize),
    [width, height]: [usize; 2],
    stream: Option<Handle<Stream>>,
) -> Answer {
    let context = current()?.handle;
    submit(stream, Work::Fill(Fill { context, to, pitch, value, bytes, width, height }))
}

api! {
    /// Copies rows.
    fn cuMemcpy2D_v2(copy: *const CUDA_MEMCPY2D) {
        // SAFETY: the function's safety section.
        unsafe { copy_2d(copy, None) }
    }

    /// As [`cuMemcpy2D_v2`], which takes any pitch as well.
    fn cuMemcpy2DUnaligned_v2(copy: *const CUDA_MEMCPY2D) {
        // SAFETY: the function's safety section.
        unsafe { copy_2d(copy, None) }
    }

    /// As [`cuMemcpy2D_v2`], in a stream.
    fn cuMemcpy2DAsync_v2(copy: *const CUDA_MEMCPY2D, stream: Handle<Stream>) {
        // SAFETY: the function's safety section.
        unsafe { copy_2d(copy, Some(stream)) }
    }

    /// Copies planes of rows.
    fn cuMemcpy3D_v2(copy: *const CUDA_MEMCPY3D) {
        // SAFETY: the function's safety section.
        unsafe { copy_3d(copy, None) }
    }

    /// As [`cuMemcpy3D_v2`], in a stream.
    fn cuMemcpy3DAsync_v2(copy: *const CUDA_MEMCPY3D, stream: Handle<Stream>) {
        // SAFETY: the function's safety section.
        unsafe { copy_3d(copy, Some(stream)) }
    }

    /// As [`cuMemcpy3D_v2`], between contexts.
    fn cuMemcpy3DPeer(copy: *const CUDA_MEMCPY3D) {
        // SAFETY: the function's safety section.
        unsafe { copy_3d_peer(copy, None) }
    }

    /// As [`cuMemcpy3DPeer`], in a stream.
    fn cuMemcpy3DPeerAsync(copy: *const CUDA_MEMCPY3D, stream: Handle<Stream>) {
        // SAFETY: the function's safety section.
        unsafe { copy_3d_peer(copy, Some(stream)) }
    }

    /// Memory for rows, each aligned to 512 bytes.
    fn cuMemAllocPitch_v2(
        address: Out<CUdeviceptr>,
        pitch: Out<usize>,
        width_bytes: usize,
        height: usize,
        element_bytes: c_uint,
    ) {
        let context = current()?;
        address.check()?;
        pitch.check()?;
        if !matches!(element_bytes, 4 | 8 | 16) {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        let row = width_bytes.checked_next_multiple_of(PITCH).ok_or(CUDA_ERROR_INVALID_VALUE)?;
        super::memory::allocate(&context, address, row.checked_mul(height).ok_or(CUDA_ERROR_INVALID_VALUE)?, None)?;
        pitch.set(row)
    }

    /// Fills rows with bytes.
    fn cuMemsetD2D8_v2(to: CUdeviceptr, pitch: usize, value: c_uchar, width: usize, height: usize) {
        fill(to, pitch, (value.into(), 1), [width, height], None)
    }

    /// Fills rows with 16-bit values.
    fn cuMemsetD2D16_v2(to: CUdeviceptr, pitch: usize, value: c_ushort, width: usize, height: usize) {
        fill(to, pitch, (value.into(), 2), [width, height], None)
    }

    /// Fills rows with 32-bit values.
    fn cuMemsetD2D32_v2(to: CUdeviceptr, pitch: usize, value: c_uint, width: usize, height: usize) {
        fill(to, pitch, (value, 4), [width, height], None)
    }

    /// As [`cuMemsetD2D8_v2`], in a stream.
    fn cuMemsetD2D8Async(
        to: CUdeviceptr,
        pitch: usize,
        value: c_uchar,
        width: usize,
        height: usize,
        stream: Handle<Stream>,
    ) {
        fill(to, pitch, (value.into(), 1), [width, height], Some(stream))
    }

    /// As [`cuMemsetD2D16_v2`], in a stream.
    fn cuMemsetD2D16Async(
        to: CUdeviceptr,
        pitch: usize,
        value: c_ushort,
        width: usize,
        height: usize,
        stream: Handle<Stream>,
    ) {
        fill(to, pitch, (value.into(), 2), [width, height], Some(stream))
    }

    /// As [`cuMemsetD2D32_v2`], in a stream.
    fn cuMemsetD2D32Async(
        to: CUdeviceptr,
        pitch: usize,
        value: c_uint,
        width: usize,
        height: usize,
        stream: Handle<Stream>,
    ) {
        fill(to, pitch, (value, 4), [width, height], Some(stream))
    }
}
