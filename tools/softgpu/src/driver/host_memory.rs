//! Host memory that a card could copy from without a detour; here memory like any other, known by its address.

use std::alloc::Layout;
use std::collections::BTreeMap;
use std::ffi::{c_uint, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::context::current;
use super::error::{Answer, CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NOT_SUPPORTED, CUDA_ERROR_OUT_OF_MEMORY};
use super::types::Out;

const PAGE: usize = 4096;
const PORTABLE: c_uint = 1;
const DEVICE_MAP: c_uint = 2;
const WRITE_COMBINED: c_uint = 4;

/// Bytes of each allocation, by its address.
fn allocations() -> MutexGuard<'static, BTreeMap<u64, usize>> {
    static ALLOCATIONS: Mutex<BTreeMap<u64, usize>> = Mutex::new(BTreeMap::new());
    ALLOCATIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Start and size of the allocation that an address lies in.
pub(crate) fn range(address: u64) -> Option<(u64, u64)> {
    let allocations = allocations();
    let (&base, &bytes) = allocations.range(..=address).next_back()?;
    (address - base < bytes as u64).then_some((base, bytes as u64))
}

fn layout(bytes: usize) -> Answer<Layout> {
    Layout::from_size_align(bytes, PAGE).map_err(|_| CUDA_ERROR_OUT_OF_MEMORY)
}

fn allocate(pointer: Out<*mut c_void>, bytes: usize) -> Answer {
    current()?;
    pointer.check()?;
    if bytes == 0 {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    // SAFETY: the layout is not empty.
    let made = unsafe { std::alloc::alloc(layout(bytes)?) };
    if made.is_null() {
        return Err(CUDA_ERROR_OUT_OF_MEMORY);
    }
    allocations().insert(made as u64, bytes);
    pointer.set(made.cast())
}

api! {
    /// Host memory, uninitialised, aligned to a page.
    fn cuMemAllocHost_v2(pointer: Out<*mut c_void>, bytes: usize) {
        allocate(pointer, bytes)
    }

    /// As [`cuMemAllocHost_v2`]. Kernels cannot reach it: the flag that asks for that is not supported.
    fn cuMemHostAlloc(pointer: Out<*mut c_void>, bytes: usize, flags: c_uint) {
        current()?;
        if flags & !(PORTABLE | DEVICE_MAP | WRITE_COMBINED) != 0 {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        if flags & DEVICE_MAP != 0 {
            return Err(CUDA_ERROR_NOT_SUPPORTED);
        }
        allocate(pointer, bytes)
    }

    /// Takes back what cuMemAllocHost or cuMemHostAlloc gave.
    fn cuMemFreeHost(pointer: *mut c_void) {
        current()?;
        let bytes = allocations().remove(&(pointer as u64)).ok_or(CUDA_ERROR_INVALID_VALUE)?;
        // SAFETY: it was allocated with this layout, and whoever takes it from the map is the only one to free it.
        unsafe { std::alloc::dealloc(pointer.cast(), layout(bytes)?) };
        Ok(())
    }
}
