//! Device memory: giving, taking back, and telling of it.

use std::collections::BTreeMap;
use std::ffi::{c_int, c_uint, c_void};
use std::sync::{Mutex, PoisonError};

use super::context::{Context, current, current_or_failed};
use super::error::{
    Answer, CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NOT_FOUND, CUDA_ERROR_NOT_SUPPORTED, CUDA_ERROR_OUT_OF_MEMORY,
};
use super::handle::Handle;
use super::host_memory::{self, Kind};
use super::late;
use super::pool::Pool;
use super::stream::Stream;
use super::types::{CUdevice, CUdeviceptr, Out};
use super::{Call, this_call};
use crate::memory::Origin;

pub(crate) fn allocate(context: &Context, address: Out<CUdeviceptr>, bytes: usize, pool: Option<&Pool>) -> Answer {
    address.check()?;
    if bytes == 0 {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    context.allocation_may_fail(bytes as u64)?;
    let made = context.memory.allocate(bytes as u64, Origin::Allocation).map_err(|_| CUDA_ERROR_OUT_OF_MEMORY)?;
    context.allocations.made(made, Made { by: this_call(), bytes: bytes as u64, pool: pool.map(Pool::handle) });
    address.set(made)
}

fn free(context: &Context, address: CUdeviceptr) -> Answer {
    if host_memory::free_managed(address) {
        return Ok(());
    }
    context.memory.free(address).map_err(|_| CUDA_ERROR_INVALID_VALUE)?;
    let made = context.allocations.freed(address);
    if let Some(Made { bytes, pool: Some(pool), .. }) = made
        && let Ok(pool) = pool.get()
    {
        pool.give_back(bytes);
    }
    Ok(())
}

/// How an allocation came to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    pub(crate) by: Call,
    pub(crate) bytes: u64,
    pub(crate) pool: Option<Handle<Pool>>,
}

/// The live allocations of a context, by their addresses.
#[derive(Debug, Default)]
pub(crate) struct Allocations(Mutex<BTreeMap<u64, Made>>);

impl Allocations {
    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<u64, Made>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn made(&self, address: u64, made: Made) {
        self.change(|all| all.insert(address, made));
    }

    fn freed(&self, address: u64) -> Option<Made> {
        self.change(|all| all.remove(&address))
    }

    /// Of the allocation that begins at an address.
    fn get(&self, address: u64) -> Option<Made> {
        self.change(|all| all.get(&address).copied())
    }

    /// Addresses and calls.
    pub(crate) fn all(&self) -> Vec<(u64, Call)> {
        self.change(|all| all.iter().map(|(&address, made)| (address, made.by)).collect())
    }
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
        allocate(&context, address, bytes, None)
    }

    /// Takes back what cuMemAlloc or cuMemAllocAsync gave.
    fn cuMemFree_v2(address: CUdeviceptr) {
        let context = current()?;
        context.captures.permit()?;
        late::wait_for_all(&context);
        free(&*context.holder_of(address).get()?, address)
    }

    /// As [`cuMemFree_v2`], in the stream's context.
    fn cuMemFreeAsync(address: CUdeviceptr, stream: Handle<Stream>) {
        let (stream, context) = stream.for_work()?;
        stream.permit_uncaptured()?;
        free(&context, address)
    }

    /// Start and size of the allocation that an address lies in.
    fn cuMemGetAddressRange_v2(base: Out<CUdeviceptr>, bytes: Out<usize>, address: CUdeviceptr) {
        let context = current()?.holder_of(address).get()?;
        let shared = || host_memory::range(address).map(|(base, bytes, _)| (base, bytes));
        let (found, size) = context.memory.range(address).or_else(shared).ok_or(CUDA_ERROR_NOT_FOUND)?;
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
    device: CUdevice,
    address: u64,
    base: u64,
    bytes: u64,
    /// Of memory that the host shares.
    kind: Option<Kind>,
    pool: Handle<Pool>,
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
    const NOTHING: Self =
        Self { context: Handle::NULL, device: 0, address: 0, base: 0, bytes: 0, kind: None, pool: Handle::NULL };

    fn new(context: &Context, address: u64) -> Option<Self> {
        if let Some((base, bytes, kind)) = host_memory::range(address) {
            let (context, device) = (context.handle, context.device);
            return Some(Self { context, device, address, base, bytes, kind: Some(kind), pool: Handle::NULL });
        }
        let context = context.holder_of(address).get().ok()?;
        let (base, bytes) = context.memory.range(address)?;
        let pool = context.allocations.get(base).and_then(|made| made.pool);
        let pool = pool.filter(|pool| pool.get().is_ok()).unwrap_or(Handle::NULL);
        Some(Self { context: context.handle, device: context.device, address, base, bytes, kind: None, pool })
    }

    /// By the attribute's number in cuda.h.
    #[allow(clippy::match_same_arms, reason = "an attribute a line, by their numbers")]
    fn attribute(&self, number: c_uint) -> Answer<Value> {
        Ok(match number {
            1 => Value::Long(self.context.0 as u64),
            // CU_MEMORYTYPE_HOST, CU_MEMORYTYPE_DEVICE
            2 => Value::Int(if matches!(self.kind, Some(Kind::Pinned | Kind::Registered)) { 1 } else { 2 }),
            3 => Value::Long(self.address),
            4 if self.kind.is_some() => Value::Long(self.address),
            4 => return Err(CUDA_ERROR_INVALID_VALUE), // the host does not reach it
            7 => Value::Long(self.base),               // a base of the device is never used twice
            8 => Value::Flag(self.kind == Some(Kind::Managed)),
            9 => Value::Int(self.device),
            10 => Value::Flag(false), // for IPC
            11 => Value::Long(self.base),
            12 => Value::Long(self.bytes),
            13 => Value::Flag(true),  // mapped
            14 => Value::Long(0),     // handles for export
            15 => Value::Flag(false), // for RDMA
            16 => Value::Int(3),      // read and write
            17 => Value::Long(self.pool.0 as u64),
            5 | 6 | 18..=20 => return Err(CUDA_ERROR_NOT_SUPPORTED),
            _ => return Err(CUDA_ERROR_INVALID_VALUE),
        })
    }
}
