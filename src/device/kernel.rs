//! Kernels: loaded once, launched by one function.

use std::ffi::{CString, c_int, c_void};
use std::fmt;

use cudarc::driver::sys;

use super::{Device, Stream, driver};
use crate::Result;

/// Shared memory that every kernel may have without asking, its own and that of its launch together.
const SHARED_BYTES_UNASKED: u32 = 48 << 10;

/// A fatbin, loaded into a context.
#[derive(Debug)]
pub(crate) struct Module(sys::CUmodule);

// SAFETY: a CUmodule may be used from any thread.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

impl Module {
    /// Loads the image into the current context.
    pub(super) fn load(operation: &'static str, image: &'static [u8]) -> Result<Self> {
        let mut module = std::ptr::null_mut();
        // SAFETY: a fatbin as nvcc wrote it, which says itself how long it is, aligned and static.
        unsafe { driver::cuModuleLoadData(&raw mut module, image.as_ptr().cast()) }
            .map_err(|failure| failure.of(operation))?;
        Ok(Self(module))
    }

    /// Unloads it. Its kernels keep the device, which alone calls this when it goes: none is left.
    pub(super) fn unload(&self) {
        // SAFETY: the module is loaded, its context is current, and nothing uses it. That the context is gone has nobody
        // to hear it.
        let _ = unsafe { driver::cuModuleUnload(self.0) };
    }
}

/// An entry point.
pub(crate) struct Kernel {
    name: CString,
    function: sys::CUfunction,
    /// Keeps the module.
    device: Device,
    shared_bytes: u32,
}

// SAFETY: a CUfunction may be used from any thread.
unsafe impl Send for Kernel {}
// SAFETY: as above.
unsafe impl Sync for Kernel {}

impl Kernel {
    pub(super) fn new(
        operation: &'static str,
        device: Device,
        module: &Module,
        name: &str,
        shared_bytes: u32,
    ) -> Result<Self> {
        let name = CString::new(name).expect("the names of kernels are C identifiers");
        let mut function = std::ptr::null_mut();
        // SAFETY: the module is loaded into the current context; the name ends with NUL; `function` outlives the call.
        unsafe { driver::cuModuleGetFunction(&raw mut function, module.0, name.as_ptr()) }
            .map_err(|failure| failure.of(operation))?;
        let mut own = 0;
        let attribute = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES;
        // SAFETY: the function is of a loaded module; `own` outlives the call.
        unsafe { driver::cuFuncGetAttribute(&raw mut own, attribute, function) }
            .map_err(|failure| failure.of(operation))?;
        let own = u32::try_from(own).unwrap_or(0);
        if own.saturating_add(shared_bytes) > SHARED_BYTES_UNASKED {
            // The limit belongs to the function, which all handles share: each sets it to the most that the device gives,
            // so that none takes from another what it was made with.
            let most = device.shared_bytes_per_block().saturating_sub(own).max(shared_bytes);
            let attribute = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            let value = c_int::try_from(most).unwrap_or(c_int::MAX);
            // SAFETY: the function is of a loaded module.
            unsafe { driver::cuFuncSetAttribute(function, attribute, value) }
                .map_err(|failure| failure.of(operation))?;
        }
        Ok(Self { name, function, device, shared_bytes })
    }

    /// Launches `grid` blocks of `threads`, with `params` as the kernel's one argument and the dynamic shared memory that
    /// the kernel was made with. An empty grid is success.
    ///
    /// # Errors
    /// `Driver` when the launch is refused.
    ///
    /// # Safety
    /// `params` is the kernel's parameter struct; what it points to is valid on the device, for what the kernel reads and
    /// writes, until the launch has run; the stream is one of the device's context.
    pub(crate) unsafe fn launch<P>(
        &self,
        operation: &'static str,
        stream: Stream,
        grid: [u32; 3],
        threads: u32,
        params: &P,
    ) -> Result<()> {
        if grid.contains(&0) {
            return Ok(());
        }
        let _current = self.device.enter(operation)?;
        let mut arguments = [std::ptr::from_ref(params).cast_mut().cast::<c_void>()];
        // SAFETY: the driver copies `size_of::<P>()` bytes of `params` before it returns; the caller vouches for the rest.
        unsafe {
            driver::cuLaunchKernel(
                self.function,
                grid[0],
                grid[1],
                grid[2],
                threads,
                1,
                1,
                self.shared_bytes,
                stream.raw(),
                arguments.as_mut_ptr(),
                std::ptr::null_mut(),
            )
        }
        .map_err(|failure| failure.of(operation))
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("name", &self.name)
            .field("shared_bytes", &self.shared_bytes)
            .finish_non_exhaustive()
    }
}
