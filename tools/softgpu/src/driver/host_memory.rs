//! Host memory that a card could copy from without a detour, and that kernels reach: pinned, registered and managed.

use std::collections::BTreeMap;
use std::ffi::{c_int, c_uint, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::context::{Context, current, current_or_failed};
use super::device;
use super::error::{
    Answer, CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED,
    CUDA_ERROR_INVALID_DEVICE, CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NOT_SUPPORTED, CUDA_ERROR_OUT_OF_MEMORY,
};
use super::handle::Handle;
use super::stream::Stream;
use super::types::{CUdevice, CUdeviceptr, Out};
use super::{Call, this_call};
use crate::memory::host;
use crate::memory::store::Store;

const PORTABLE: c_uint = 1;
const DEVICE_MAP: c_uint = 2;
const WRITE_COMBINED: c_uint = 4;
const IO_MEMORY: c_uint = 4;
const READ_ONLY: c_uint = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Pinned,
    Registered,
    Managed,
}

/// Memory that a context shares with its host.
#[derive(Clone, Copy, Debug)]
struct Shared {
    bytes: usize,
    kind: Kind,
    flags: c_uint,
    context: Handle<Context>,
    made_by: Call,
}

/// By address.
fn all() -> MutexGuard<'static, BTreeMap<u64, Shared>> {
    static ALL: Mutex<BTreeMap<u64, Shared>> = Mutex::new(BTreeMap::new());
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Start, size and kind of the memory that an address lies in.
pub(crate) fn range(address: u64) -> Option<(u64, u64, Kind)> {
    let all = all();
    let (&base, shared) = all.range(..=address).next_back()?;
    (address - base < shared.bytes as u64).then_some((base, shared.bytes as u64, shared.kind))
}

/// Sizes of what a context has given and not taken back, and the calls that made it.
pub(crate) fn of_context(context: Handle<Context>) -> Vec<(usize, Call)> {
    let all = all();
    all.values().filter(|shared| shared.context == context).map(|shared| (shared.bytes, shared.made_by)).collect()
}

/// Gives new memory.
fn allocate(context: &Context, bytes: usize, kind: Kind, flags: c_uint) -> Answer<u64> {
    if bytes == 0 {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    context.captures.permit()?;
    context.allocation_may_fail(0)?;
    let store = Store::of_pages(bytes).ok_or(CUDA_ERROR_OUT_OF_MEMORY)?;
    let address = host::share(store).ok_or(CUDA_ERROR_OUT_OF_MEMORY)?;
    all().insert(address, Shared { bytes, kind, flags, context: context.handle, made_by: this_call() });
    Ok(address)
}

/// Takes memory of a kind back.
fn release(address: u64, kind: Kind) -> bool {
    let mut all = all();
    let found = all.get(&address).is_some_and(|shared| shared.kind == kind);
    if found {
        all.remove(&address);
        host::unshare(address);
    }
    found
}

/// Takes managed memory back, if it is.
pub(crate) fn free_managed(address: u64) -> bool {
    release(address, Kind::Managed)
}

fn pinned(pointer: Out<*mut c_void>, bytes: usize, flags: c_uint) -> Answer {
    let context = current()?;
    pointer.check()?;
    let address = allocate(&context, bytes, Kind::Pinned, flags)?;
    pointer.set(std::ptr::with_exposed_provenance_mut(address as usize))
}

/// Refuses what is not managed, or not whole.
fn check_managed(address: CUdeviceptr, bytes: usize) -> Answer {
    match range(address) {
        Some((base, size, Kind::Managed)) if bytes > 0 && bytes as u64 <= size - (address - base) => Ok(()),
        _ => Err(CUDA_ERROR_INVALID_VALUE),
    }
}

const LOCATION_DEVICE: c_uint = 1;
const LOCATION_HOST: c_uint = 2;
const LOCATION_HOST_NUMA: c_uint = 3;
const LOCATION_HOST_NUMA_CURRENT: c_uint = 4;

/// Where memory is wanted: a device or the host.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CUmemLocation {
    /// Device (1) or host (2 to 4).
    pub kind: c_uint,
    /// Which device.
    pub id: c_int,
}

impl CUmemLocation {
    pub(crate) fn device(self) -> Answer<CUdevice> {
        if self.kind != LOCATION_DEVICE {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        device::check(self.id).map(|()| self.id)
    }

    fn check(self) -> Answer {
        match self.kind {
            LOCATION_DEVICE => device::check(self.id),
            LOCATION_HOST | LOCATION_HOST_NUMA | LOCATION_HOST_NUMA_CURRENT => Ok(()),
            _ => Err(CUDA_ERROR_INVALID_VALUE),
        }
    }
}

/// The host, as the older functions name it.
const CPU: CUdevice = -1;

fn check_place(place: CUdevice) -> Answer {
    if place == CPU { Ok(()) } else { device::check(place).map_err(|_| CUDA_ERROR_INVALID_DEVICE) }
}

fn check_advice(advice: c_uint) -> Answer {
    if (1..=6).contains(&advice) { Ok(()) } else { Err(CUDA_ERROR_INVALID_VALUE) }
}

const ATTACH_GLOBAL: c_uint = 1;
const ATTACH_HOST: c_uint = 2;
const ATTACH_SINGLE: c_uint = 4;

api! {
    /// Host memory, uninitialised, aligned to a page. Kernels reach it under the same address.
    fn cuMemAllocHost_v2(pointer: Out<*mut c_void>, bytes: usize) {
        pinned(pointer, bytes, 0)
    }

    /// As [`cuMemAllocHost_v2`], with flags, which change nothing here.
    fn cuMemHostAlloc(pointer: Out<*mut c_void>, bytes: usize, flags: c_uint) {
        current()?;
        if flags & !(PORTABLE | DEVICE_MAP | WRITE_COMBINED) != 0 {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        pinned(pointer, bytes, flags)
    }

    /// Takes back what cuMemAllocHost or cuMemHostAlloc gave, when all work is over.
    fn cuMemFreeHost(pointer: *mut c_void) {
        let context = current()?;
        context.captures.permit()?;
        super::late::wait_for_all(&context);
        if release(pointer as u64, Kind::Pinned) { Ok(()) } else { Err(CUDA_ERROR_INVALID_VALUE) }
    }

    /// Shares memory of the program's own with kernels, under its own address.
    fn cuMemHostRegister_v2(pointer: *mut c_void, bytes: usize, flags: c_uint) {
        let context = current()?;
        if pointer.is_null() || bytes == 0 || flags & !(PORTABLE | DEVICE_MAP | IO_MEMORY | READ_ONLY) != 0 {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        if flags & (IO_MEMORY | READ_ONLY) != 0 {
            return Err(CUDA_ERROR_NOT_SUPPORTED);
        }
        context.captures.permit()?;
        // SAFETY: the caller vouches for the memory until it is unregistered.
        let store = unsafe { Store::of_host(pointer.cast(), bytes) }.ok_or(CUDA_ERROR_INVALID_VALUE)?;
        let address = host::share(store).ok_or(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED)?;
        let kind = Kind::Registered;
        all().insert(address, Shared { bytes, kind, flags, context: context.handle, made_by: this_call() });
        Ok(())
    }

    /// Ends what cuMemHostRegister began, when all work is over.
    fn cuMemHostUnregister(pointer: *mut c_void) {
        let context = current()?;
        context.captures.permit()?;
        if pointer.is_null() {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        super::late::wait_for_all(&context);
        let found = release(pointer as u64, Kind::Registered);
        if found { Ok(()) } else { Err(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED) }
    }

    /// The address by which kernels reach pinned or registered memory: its own.
    fn cuMemHostGetDevicePointer_v2(address: Out<CUdeviceptr>, pointer: *mut c_void, flags: c_uint) {
        current()?;
        address.check()?;
        if flags != 0 || !matches!(range(pointer as u64), Some((_, _, Kind::Pinned | Kind::Registered))) {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        address.set(pointer as u64)
    }

    /// The flags that pinned memory was made with.
    fn cuMemHostGetFlags(flags: Out<c_uint>, pointer: *mut c_void) {
        current()?;
        flags.check()?;
        let (base, ..) = range(pointer as u64).ok_or(CUDA_ERROR_INVALID_VALUE)?;
        let shared = all().get(&base).copied().ok_or(CUDA_ERROR_INVALID_VALUE)?;
        // All of it is mapped.
        flags.set(shared.flags | DEVICE_MAP)
    }

    /// Memory that host and kernels use alike, under one address.
    fn cuMemAllocManaged(address: Out<CUdeviceptr>, bytes: usize, flags: c_uint) {
        let context = current()?;
        address.check()?;
        if !matches!(flags, ATTACH_GLOBAL | ATTACH_HOST) {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        address.set(allocate(&context, bytes, Kind::Managed, 0)?)
    }

    /// Says which stream uses managed memory, which any may here.
    fn cuStreamAttachMemAsync(stream: Handle<Stream>, address: CUdeviceptr, bytes: usize, flags: c_uint) {
        stream.for_work()?.0.permit_uncaptured()?;
        if !matches!(flags, ATTACH_GLOBAL | ATTACH_HOST | ATTACH_SINGLE) {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        // Zero bytes stand for the whole.
        check_managed(address, bytes.max(1))
    }

    /// Says how managed memory will be used, which changes nothing here.
    fn cuMemAdvise(address: CUdeviceptr, bytes: usize, advice: c_uint, place: CUdevice) {
        current_or_failed()?;
        check_managed(address, bytes)?;
        check_advice(advice)?;
        check_place(place)
    }

    /// As [`cuMemAdvise`].
    fn cuMemAdvise_v2(address: CUdeviceptr, bytes: usize, advice: c_uint, place: CUmemLocation) {
        current_or_failed()?;
        check_managed(address, bytes)?;
        check_advice(advice)?;
        place.check()
    }

    /// Brings managed memory to where it will be used: it is there.
    fn cuMemPrefetchAsync(address: CUdeviceptr, bytes: usize, place: CUdevice, stream: Handle<Stream>) {
        stream.for_work()?.0.permit_uncaptured()?;
        check_managed(address, bytes)?;
        check_place(place)
    }

    /// As [`cuMemPrefetchAsync`].
    fn cuMemPrefetchAsync_v2(
        address: CUdeviceptr,
        bytes: usize,
        place: CUmemLocation,
        flags: c_uint,
        stream: Handle<Stream>,
    ) {
        stream.for_work()?.0.permit_uncaptured()?;
        if flags != 0 {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        check_managed(address, bytes)?;
        place.check()
    }
}
