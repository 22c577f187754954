//! The driver's raw functions, for tests that hand over what no safe layer lets through.

#![allow(dead_code, reason = "each test uses a part")]

use std::ffi::{CStr, c_uint, c_void};
use std::ptr::null_mut;

use cudarc::driver::sys::{self, CUjit_option, CUresult};
use oblate_softgpu::{Choice, Running, Settings, install_as, record};

/// A context of its own kind, current on this thread; a launch that fails ends it and no other.
pub(crate) struct Context(sys::CUcontext);

impl Context {
    pub(crate) fn new(settings: Settings) -> Self {
        let running = install_as(Choice::Software).expect("the software device takes libcuda's place");
        assert!(matches!(running, Running::Software { .. }));
        let mut context = null_mut();
        settings.with(|| {
            // SAFETY: no argument but flags and a device, and a place for the handle.
            unsafe {
                assert_eq!(sys::cuInit(0), CUresult::CUDA_SUCCESS);
                sys::cuCtxCreate_v2(&raw mut context, 0, 0).result().expect("a context");
            }
        });
        Self(context)
    }

    /// Makes it current again, after another was.
    pub(crate) fn enter(&self) {
        // SAFETY: a handle.
        unsafe { sys::cuCtxSetCurrent(self.0) }.result().expect("the context becomes current");
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // What is left in it is told to nobody.
        // SAFETY: a handle.
        let (result, _) = record(|| unsafe { sys::cuCtxDestroy_v2(self.0) });
        assert_eq!(result, CUresult::CUDA_SUCCESS);
    }
}

/// A loaded module.
pub(crate) struct Module(sys::CUmodule);

impl Drop for Module {
    fn drop(&mut self) {
        // A failed launch has the context refuse it: the context's end is the module's then.
        // SAFETY: a handle.
        unsafe { sys::cuModuleUnload(self.0) };
    }
}

/// Where the driver puts the text of an error: the options of a load, and their values.
struct Log {
    text: [u8; 512],
    options: [CUjit_option; 2],
    values: [*mut c_void; 2],
}

impl Log {
    fn new() -> Self {
        let options = [CUjit_option::CU_JIT_ERROR_LOG_BUFFER, CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
        Self { text: [0; 512], options, values: [null_mut(); 2] }
    }

    fn values(&mut self) -> *mut *mut c_void {
        self.values = [self.text.as_mut_ptr().cast(), std::ptr::without_provenance_mut(self.text.len())];
        self.values.as_mut_ptr()
    }

    fn text(&self) -> String {
        CStr::from_bytes_until_nul(&self.text).expect("the log ends with NUL").to_string_lossy().into_owned()
    }
}

/// Loads an image; the driver's answer and its text where it does not load.
///
/// # Safety
/// The image says itself how long it is, and is that long.
pub(crate) unsafe fn load(image: *const c_void) -> Result<Module, (CUresult, String)> {
    let (mut log, mut module) = (Log::new(), null_mut());
    let values = log.values();
    // SAFETY: the caller's image; as many options as values, which are a buffer and its size.
    match unsafe { sys::cuModuleLoadDataEx(&raw mut module, image, 2, log.options.as_mut_ptr(), values) } {
        CUresult::CUDA_SUCCESS => Ok(Module(module)),
        answer => Err((answer, log.text())),
    }
}

/// Loads text.
pub(crate) fn load_text(text: &CStr) -> Result<Module, (CUresult, String)> {
    // SAFETY: text that ends with NUL.
    unsafe { load(text.as_ptr().cast()) }
}

/// Loads an image from a file, of which the driver sees the whole, so that it may claim any length; and unloads it.
pub(crate) fn try_file(path: &CStr) -> CUresult {
    let (mut log, mut library) = (Log::new(), null_mut());
    let values = log.values();
    // SAFETY: a place for the handle, a string, options as above, and none of the library's.
    unsafe {
        let (options, none) = (log.options.as_mut_ptr(), null_mut());
        let answer =
            sys::cuLibraryLoadFromFile(&raw mut library, path.as_ptr(), options, values, 2, none, null_mut(), 0);
        if answer == CUresult::CUDA_SUCCESS { sys::cuLibraryUnload(library) } else { answer }
    }
}

impl Module {
    /// Its kernels.
    pub(crate) fn kernels(&self) -> Vec<Kernel> {
        let mut count: c_uint = 0;
        // SAFETY: a handle, and a place for the count.
        unsafe { sys::cuModuleGetFunctionCount(&raw mut count, self.0) }.result().expect("the count");
        let mut kernels = vec![null_mut(); count as usize];
        // SAFETY: as many places as are counted.
        unsafe { sys::cuModuleEnumerateFunctions(kernels.as_mut_ptr(), count, self.0) }.result().expect("the kernels");
        kernels.into_iter().map(Kernel).collect()
    }

    /// Where a variable lies, and its bytes.
    pub(crate) fn variable(&self, name: &CStr) -> (sys::CUdeviceptr, usize) {
        let (mut address, mut bytes) = (0, 0);
        // SAFETY: a handle, a string, and places for both.
        unsafe { sys::cuModuleGetGlobal_v2(&raw mut address, &raw mut bytes, self.0, name.as_ptr()) }
            .result()
            .expect("the variable");
        (address, bytes)
    }
}

/// A kernel, as long as its module.
#[derive(Clone, Copy)]
pub(crate) struct Kernel(sys::CUfunction);

/// How many threads, and what they share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
    pub(crate) shared_bytes: u32,
}

/// One block of so many threads.
pub(crate) fn block(threads: u32) -> Shape {
    Shape { grid: [1; 3], block: [threads, 1, 1], shared_bytes: 0 }
}

impl Kernel {
    /// Offset and bytes of each parameter.
    pub(crate) fn parameters(self) -> Vec<(usize, usize)> {
        (0..)
            .map_while(|index| {
                let (mut offset, mut bytes) = (0, 0);
                // SAFETY: a handle, and places for both.
                let answer = unsafe { sys::cuFuncGetParamInfo(self.0, index, &raw mut offset, &raw mut bytes) };
                (answer == CUresult::CUDA_SUCCESS).then_some((offset, bytes))
            })
            .collect()
    }

    /// Launches it with its parameters laid out as it has them, and waits. The launch's answer, or else that of the wait.
    pub(crate) fn launch(self, shape: Shape, parameters: &[u8]) -> CUresult {
        let mut bytes = parameters.len();
        // CU_LAUNCH_PARAM_BUFFER_POINTER, _BUFFER_SIZE, _END.
        let name = std::ptr::without_provenance_mut::<c_void>;
        let mut extra = [name(1), parameters.as_ptr().cast_mut().cast(), name(2), (&raw mut bytes).cast(), name(0)];
        let ([gx, gy, gz], [bx, by, bz]) = (shape.grid, shape.block);
        // SAFETY: a handle, and a buffer with its size.
        let launched = unsafe {
            sys::cuLaunchKernel(
                self.0,
                gx,
                gy,
                gz,
                bx,
                by,
                bz,
                shape.shared_bytes,
                null_mut(),
                null_mut(),
                extra.as_mut_ptr(),
            )
        };
        // SAFETY: no argument.
        if launched == CUresult::CUDA_SUCCESS { unsafe { sys::cuCtxSynchronize() } } else { launched }
    }
}

/// Device memory with these bytes, until the context ends.
pub(crate) fn device_bytes(bytes: &[u8]) -> sys::CUdeviceptr {
    let mut address = 0;
    // SAFETY: a place for the address, and as many bytes as are copied.
    unsafe {
        sys::cuMemAlloc_v2(&raw mut address, bytes.len()).result().expect("memory");
        sys::cuMemcpyHtoD_v2(address, bytes.as_ptr().cast(), bytes.len()).result().expect("the copy");
    }
    address
}

/// So many bytes from an address on.
pub(crate) fn host_bytes(address: sys::CUdeviceptr, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    // SAFETY: as many bytes as the vector has.
    unsafe { sys::cuMemcpyDtoH_v2(bytes.as_mut_ptr().cast(), address, count) }.result().expect("the copy");
    bytes
}
