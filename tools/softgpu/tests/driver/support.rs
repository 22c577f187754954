//! A device, contexts of a test's own, and the kernels.

use std::ffi::{CString, c_void};
use std::ptr::null_mut;
use std::sync::LazyLock;

use cudarc::driver::sys::{self, CUresult};
use oblate_softgpu::{Choice, Running, install_as};

/// Calls a function of the driver, which succeeds.
macro_rules! done {
    ($function:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: the test's own handles, and places for answers.
        unsafe { cudarc::driver::sys::$function($($argument),*) }.result().expect(stringify!($function))
    };
}
pub(crate) use done;

/// The software device, initialised.
pub(crate) fn installed() {
    let running = install_as(Choice::Software).expect("the software device takes libcuda's place");
    assert!(matches!(running, Running::Software { .. }));
    // SAFETY: no argument but the flags.
    assert_eq!(unsafe { sys::cuInit(0) }, CUresult::CUDA_SUCCESS);
}

/// A context that is current on this thread and no other test's: a failed launch stays within it.
pub(crate) struct Context(pub(crate) sys::CUcontext);

impl Context {
    pub(crate) fn new() -> Self {
        installed();
        let mut context = null_mut();
        // SAFETY: a place for the handle.
        unsafe { sys::cuCtxCreate_v2(&raw mut context, 0, 0) }.result().expect("a context");
        Self(context)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // What a test leaves in a context of its own is told to nobody.
        // SAFETY: a handle; a test may have destroyed the context itself, which is then refused.
        oblate_softgpu::record(|| unsafe { sys::cuCtxDestroy_v2(self.0) });
    }
}

/// A copy of nothing between two kinds of memory: all else is zero, which for a kind would not be one.
macro_rules! blank_copy {
    ($name:ident, $type:ident) => {
        pub(crate) fn $name(from: sys::CUmemorytype, to: sys::CUmemorytype) -> sys::$type {
            let mut blank = std::mem::MaybeUninit::<sys::$type>::zeroed();
            let at = blank.as_mut_ptr();
            // SAFETY: integers, null pointers, and the two kinds, which are set.
            unsafe {
                (&raw mut (*at).srcMemoryType).write(from);
                (&raw mut (*at).dstMemoryType).write(to);
                blank.assume_init()
            }
        }
    };
}
blank_copy!(copy_2d, CUDA_MEMCPY2D);
blank_copy!(copy_3d, CUDA_MEMCPY3D);

/// The PTX of `kernels.cu`, with its NUL.
pub(crate) static KERNELS: LazyLock<Vec<u8>> =
    LazyLock::new(|| crate::compile::compile("tests/driver/kernels.cu", &[]));

pub(crate) fn module() -> sys::CUmodule {
    let mut module = null_mut();
    // SAFETY: a place for the handle, and text that ends in a NUL.
    unsafe { sys::cuModuleLoadData(&raw mut module, KERNELS.as_ptr().cast()) }.result().expect("the module loads");
    module
}

pub(crate) fn function(module: sys::CUmodule, name: &str) -> sys::CUfunction {
    let mut function = null_mut();
    let name = CString::new(name).unwrap();
    // SAFETY: a place for the handle, and a string.
    unsafe { sys::cuModuleGetFunction(&raw mut function, module, name.as_ptr()) }.result().expect("the kernel");
    function
}

/// Device memory with these words.
pub(crate) fn words(values: &[i32]) -> sys::CUdeviceptr {
    let bytes = size_of_val(values);
    let mut address = 0;
    // SAFETY: a place for the address, and as many bytes as are copied.
    unsafe {
        sys::cuMemAlloc_v2(&raw mut address, bytes).result().expect("memory");
        sys::cuMemcpyHtoD_v2(address, values.as_ptr().cast(), bytes).result().expect("the copy");
    }
    address
}

pub(crate) fn read(address: sys::CUdeviceptr, count: usize) -> Vec<i32> {
    let mut values = vec![0; count];
    // SAFETY: as many bytes as the vector has.
    unsafe { sys::cuMemcpyDtoH_v2(values.as_mut_ptr().cast(), address, count * 4) }.result().expect("the copy");
    values
}

/// Launches with a pointer to each argument.
pub(crate) fn launch(
    function: sys::CUfunction,
    grid: [u32; 3],
    block: [u32; 3],
    shared_bytes: u32,
    arguments: &mut [*mut c_void],
) -> CUresult {
    let arguments = if arguments.is_empty() { null_mut() } else { arguments.as_mut_ptr() };
    let ([gx, gy, gz], [bx, by, bz]) = (grid, block);
    // SAFETY: the caller's arguments are the kernel's.
    unsafe { sys::cuLaunchKernel(function, gx, gy, gz, bx, by, bz, shared_bytes, null_mut(), arguments, null_mut()) }
}
