//! Device memory: giving, taking back, and telling of it.

use std::ffi::{c_int, c_uint, c_void};

use super::context::{Context, current, current_or_failed};
use super::device::DEVICE;
use super::error::{
    Answer, CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NOT_FOUND, CUDA_ERROR_NOT_SUPPORTED, CUDA_ERROR_OUT_OF_MEMORY,
};
use super::handle::Handle;
use super::host_memory;
use super::stream::Stream;
use super::types::{CUdeviceptr, Out};
use crate::memory::Origin;

pub(crate) fn allocate(context: &Context, address: Out<CUdeviceptr>, bytes: usize) -> Answer {
    address.check()?;
    if bytes == 0 {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    let made = context.memory.allocate(bytes as u64, Origin::Allocation).map_err(|_| CUDA_ERROR_OUT_OF_MEMORY)?;
    address.set(made)
}

fn free(context: &Context, address: CUdeviceptr) -> Answer {
    context.memory.free(address).map_err(|_| CUDA_ERROR_INVALID_VALUE)
}

api! {
    /// Free and total bytes of the current context.
    fn cuMemGetInfo_v2(free: Out<usize>, total: Out<usize>) {
        let (free_bytes, total_bytes) = current()?.memory.info();
        let bytes = |count: u64| usize::try_from(count).map_err(|_| CUDA_ERROR_INVALID_VALUE);
        free.set_if_asked(bytes(free_bytes)?);
        total.set_if_asked(bytes(total_bytes)?);
        Ok(())
    }

    /// Device memory, uninitialised, aligned to 512 bytes.
    fn cuMemAlloc_v2(address: Out<CUdeviceptr>, bytes: usize) {
        let context = current()?;
        context.captures.permit()?;
        allocate(&context, address, bytes)
    }

    /// Takes back what cuMemAlloc or cuMemAllocAsync gave.
    fn cuMemFree_v2(address: CUdeviceptr) {
        let context = current()?;
        context.captures.permit()?;
        free(&context, address)
    }

    /// As [`cuMemAlloc_v2`], in the stream's context.
    fn cuMemAllocAsync(address: Out<CUdeviceptr>, bytes: usize, stream: Handle<Stream>) {
        let (stream, context) = stream.for_work()?;
        stream.permit_uncaptured()?;
        allocate(&context, address, bytes)
    }

    /// As [`cuMemFree_v2`], in the stream's context.
    fn cuMemFreeAsync(address: CUdeviceptr, stream: Handle<Stream>) {
        let (stream, context) = stream.for_work()?;
        stream.permit_uncaptured()?;
        free(&context, address)
    }

    /// Start and size of the allocation that an address lies in.
    fn cuMemGetAddressRange_v2(base: Out<CUdeviceptr>, bytes: Out<usize>, address: CUdeviceptr) {
        let (found, size) = current()?.memory.range(address).ok_or(CUDA_ERROR_NOT_FOUND)?;
        base.set_if_asked(found);
        bytes.set_if_asked(usize::try_from(size).map_err(|_| CUDA_ERROR_INVALID_VALUE)?);
        Ok(())
    }

    /// What is known of an address of the current context, or of memory that cuMemHostAlloc gave.
    fn cuPointerGetAttribute(data: *mut c_void, attribute: c_uint, address: CUdeviceptr) {
        let context = current_or_failed()?;
        if data.is_null() {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        let pointer = Pointer::new(&context, address).ok_or(CUDA_ERROR_INVALID_VALUE)?;
        write(data, pointer.attribute(attribute)?);
        Ok(())
    }

    /// Several attributes at once; all are zero for an address that nothing is known of.
    fn cuPointerGetAttributes(count: c_uint, attributes: *const c_uint, data: *const *mut c_void, address: CUdeviceptr) {
        let context = current_or_failed()?;
        if count == 0 || attributes.is_null() || data.is_null() {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        // SAFETY: the caller vouches for `count` attributes and as many places for their values.
        let (attributes, data) = unsafe {
            let count = count as usize;
            (std::slice::from_raw_parts(attributes, count), std::slice::from_raw_parts(data, count))
        };
        if data.iter().any(|place| place.is_null()) {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        let pointer = Pointer::new(&context, address);
        let values = attributes.iter().map(|&attribute| match &pointer {
            Some(pointer) => pointer.attribute(attribute),
            None => Pointer::NOTHING.attribute(attribute).map(Value::zero),
        });
        let values: Vec<Value> = values.collect::<Answer<_>>()?;
        for (&place, value) in data.iter().zip(values) {
            write(place, value);
        }
        Ok(())
    }
}

/// What an address points to.
struct Pointer {
    context: Handle<Context>,
    address: u64,
    base: u64,
    bytes: u64,
    on_host: bool,
}

/// An attribute, as wide as cuda.h says.
#[derive(Clone, Copy)]
enum Value {
    Int(c_int),
    Long(u64),
    Flag(bool),
}

impl Value {
    fn zero(self) -> Self {
        match self {
            Self::Int(_) => Self::Int(0),
            Self::Long(_) => Self::Long(0),
            Self::Flag(_) => Self::Flag(false),
        }
    }
}

/// Stores an attribute where the caller of an exported function, who vouches for the room, wants it.
fn write(data: *mut c_void, value: Value) {
    match value {
        Value::Int(value) => Out::at(data).set_if_asked(value),
        Value::Long(value) => Out::at(data).set_if_asked(value),
        Value::Flag(value) => Out::at(data).set_if_asked(value),
    }
}

impl Pointer {
    const NOTHING: Self = Self { context: Handle::NULL, address: 0, base: 0, bytes: 0, on_host: false };

    fn new(context: &Context, address: u64) -> Option<Self> {
        let range = context.memory.range(address).map(|range| (range, false));
        let range = range.or_else(|| host_memory::range(address).map(|range| (range, true)));
        range.map(|((base, bytes), on_host)| Self { context: context.handle, address, base, bytes, on_host })
    }

    /// By the attribute's number in cuda.h.
    #[allow(clippy::match_same_arms, reason = "an attribute a line, by their numbers")]
    fn attribute(&self, number: c_uint) -> Answer<Value> {
        Ok(match number {
            1 => Value::Long(self.context.0 as u64),
            2 => Value::Int(if self.on_host { 1 } else { 2 }), // CU_MEMORYTYPE_HOST, CU_MEMORYTYPE_DEVICE
            3 if !self.on_host => Value::Long(self.address),
            4 if self.on_host => Value::Long(self.address),
            3 | 4 => return Err(CUDA_ERROR_INVALID_VALUE), // not reached from there
            7 => Value::Long(self.base),                   // a base is never used twice
            8 => Value::Flag(false),                       // managed
            9 => Value::Int(DEVICE),
            10 => Value::Flag(false), // for IPC
            11 => Value::Long(self.base),
            12 => Value::Long(self.bytes),
            13 => Value::Flag(true),  // mapped
            14 => Value::Long(0),     // handles for export
            15 => Value::Flag(false), // for RDMA
            16 => Value::Int(3),      // read and write
            5 | 6 | 17..=20 => return Err(CUDA_ERROR_NOT_SUPPORTED),
            _ => return Err(CUDA_ERROR_INVALID_VALUE),
        })
    }
}
