//! The CUDA driver: whether it is there, and the functions of it that the library calls. cudarc panics where the library or
//! a function is missing, so each is looked up first: no driver, or one that lacks a function, is an error value.

use std::ffi::{CStr, c_char, c_int, c_uchar, c_uint, c_void};
use std::sync::OnceLock;

use cudarc::driver::sys::{self, CUresult};

use crate::fatbin::NVCC_RELEASE;
use crate::{Error, Result};

/// An answer of the driver that is not success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    function: &'static str,
    code: CUresult,
}

impl Failure {
    /// As an error of `operation`.
    pub(crate) fn of(self, operation: &'static str) -> Error {
        let mut name = std::ptr::null();
        // SAFETY: the driver writes a pointer to a string of its own, or null for a code that it does not know.
        let known =
            unsafe { sys::cuGetErrorName(self.code, &raw mut name) } == CUresult::CUDA_SUCCESS && !name.is_null();
        // SAFETY: the driver's strings end with NUL and live as long as it does.
        let name = if known { unsafe { CStr::from_ptr(name) }.to_string_lossy() } else { "an unknown code".into() };
        Error::Driver { operation, function: self.function, code: self.code as u32, name: name.into_owned() }
    }
}

/// Declares the functions that the library calls: a wrapper of each, which turns a CUresult into a `Result`, and the table
/// of their names, which `present` looks up.
macro_rules! functions {
    ($(fn $name:ident($($argument:ident: $kind:ty),*);)*) => {
        /// What the library calls, by the names that libcuda exports.
        const FUNCTIONS: &[&str] = &["cuGetErrorName", $(stringify!($name)),*];

        $(
            #[allow(non_snake_case, clippy::too_many_arguments, reason = "the driver's own name and arguments")]
            pub(crate) unsafe fn $name($($argument: $kind),*) -> std::result::Result<(), Failure> {
                // SAFETY: the caller vouches for the arguments; `present` found the function.
                match unsafe { sys::$name($($argument),*) } {
                    CUresult::CUDA_SUCCESS => Ok(()),
                    code => Err(Failure { function: stringify!($name), code }),
                }
            }
        )*
    };
}

functions! {
    fn cuInit(flags: c_uint);
    fn cuDriverGetVersion(version: *mut c_int);
    fn cuDeviceGet(device: *mut sys::CUdevice, ordinal: c_int);
    fn cuDeviceGetCount(count: *mut c_int);
    fn cuDeviceGetName(name: *mut c_char, length: c_int, device: sys::CUdevice);
    fn cuDeviceGetAttribute(value: *mut c_int, attribute: sys::CUdevice_attribute, device: sys::CUdevice);
    fn cuDeviceTotalMem_v2(bytes: *mut usize, device: sys::CUdevice);
    fn cuDevicePrimaryCtxRetain(context: *mut sys::CUcontext, device: sys::CUdevice);
    fn cuDevicePrimaryCtxRelease_v2(device: sys::CUdevice);
    fn cuDevicePrimaryCtxGetState(device: sys::CUdevice, flags: *mut c_uint, active: *mut c_int);
    fn cuCtxGetCurrent(context: *mut sys::CUcontext);
    fn cuCtxPushCurrent_v2(context: sys::CUcontext);
    fn cuCtxPopCurrent_v2(context: *mut sys::CUcontext);
    fn cuCtxGetDevice(device: *mut sys::CUdevice);
    fn cuModuleLoadData(module: *mut sys::CUmodule, image: *const c_void);
    fn cuModuleUnload(module: sys::CUmodule);
    fn cuModuleGetFunction(function: *mut sys::CUfunction, module: sys::CUmodule, name: *const c_char);
    fn cuFuncGetAttribute(value: *mut c_int, attribute: sys::CUfunction_attribute, function: sys::CUfunction);
    fn cuFuncSetAttribute(function: sys::CUfunction, attribute: sys::CUfunction_attribute, value: c_int);
    fn cuLaunchKernel(
        function: sys::CUfunction, grid_x: c_uint, grid_y: c_uint, grid_z: c_uint, block_x: c_uint, block_y: c_uint,
        block_z: c_uint, shared_bytes: c_uint, stream: sys::CUstream, params: *mut *mut c_void, extra: *mut *mut c_void
    );
    fn cuStreamGetCtx(stream: sys::CUstream, context: *mut sys::CUcontext);
    fn cuStreamIsCapturing(stream: sys::CUstream, status: *mut sys::CUstreamCaptureStatus);
    fn cuStreamSynchronize(stream: sys::CUstream);
    fn cuStreamWaitEvent(stream: sys::CUstream, event: sys::CUevent, flags: c_uint);
    fn cuEventCreate(event: *mut sys::CUevent, flags: c_uint);
    fn cuEventRecord(event: sys::CUevent, stream: sys::CUstream);
    fn cuEventDestroy_v2(event: sys::CUevent);
    fn cuMemAlloc_v2(pointer: *mut sys::CUdeviceptr, bytes: usize);
    fn cuMemFree_v2(pointer: sys::CUdeviceptr);
    fn cuMemsetD8Async(pointer: sys::CUdeviceptr, value: c_uchar, bytes: usize, stream: sys::CUstream);
    fn cuMemcpyHtoDAsync_v2(pointer: sys::CUdeviceptr, host: *const c_void, bytes: usize, stream: sys::CUstream);
    fn cuMemcpyDtoHAsync_v2(host: *mut c_void, pointer: sys::CUdeviceptr, bytes: usize, stream: sys::CUstream);
}

/// The driver is there, has every function, is new enough and initialised; `false` when it says that there is no device.
/// Looked into until it is so, then never again.
///
/// # Errors
/// `NoDriver`, `DriverLacks`, `DriverTooOld`; `Driver` when it does not initialise.
pub(crate) fn present(operation: &'static str) -> Result<bool> {
    static PRESENT: OnceLock<()> = OnceLock::new();
    let is_present = PRESENT.get().is_some() || look(operation)?;
    if is_present {
        PRESENT.get_or_init(|| ());
    }
    Ok(is_present)
}

fn look(operation: &'static str) -> Result<bool> {
    // The names that cudarc tries, and the first of them that is there, as it does: what is looked into is what is called.
    let names = ["libcuda.so", "libcuda.so.1", "nvcuda.dll"];
    // SAFETY: loading a driver runs its initialisers, which is what a program that calls it is for.
    let library =
        names.iter().find_map(|name| unsafe { libloading::Library::new(*name) }.ok()).ok_or(Error::NoDriver)?;
    for symbol in FUNCTIONS {
        // SAFETY: the address is not called.
        if unsafe { library.get::<*const c_void>(symbol.as_bytes()) }.is_err() {
            return Err(Error::DriverLacks { symbol, need: NVCC_RELEASE });
        }
    }
    let mut version = 0;
    // SAFETY: the function is there, and `version` outlives the call. It needs no initialised driver.
    unsafe { cuDriverGetVersion(&raw mut version) }.map_err(|failure| failure.of(operation))?;
    new_enough(version, NVCC_RELEASE)?;
    // cudarc opens it again, but a driver does not survive being unloaded and loaded.
    std::mem::forget(library);
    // SAFETY: the function is there.
    match unsafe { cuInit(0) } {
        Ok(()) => Ok(true),
        Err(failure) if failure.code == CUresult::CUDA_ERROR_NO_DEVICE => Ok(false),
        Err(failure) => Err(failure.of(operation)),
    }
}

/// `version` as the driver gives it: 1000 major + 10 minor.
fn new_enough(version: c_int, need: (u32, u32)) -> Result<()> {
    let version = u32::try_from(version).unwrap_or(0);
    let have = (version / 1000, version % 1000 / 10);
    if have < need { Err(Error::DriverTooOld { have, need }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn an_older_driver_is_named_with_what_is_needed() {
        assert_eq!(new_enough(13_000, (13, 0)), Ok(()));
        assert_eq!(new_enough(14_010, (13, 2)), Ok(()));
        let error = new_enough(12_080, (13, 0)).expect_err("too old");
        assert_eq!(error, Error::DriverTooOld { have: (12, 8), need: (13, 0) });
        assert_eq!(error.to_string(), "the CUDA driver is for CUDA 12.8, expected 13.0 or newer");
    }

    /// What `child` says in a process of its own, in which the software device lacks the function `hidden`, or is not there.
    fn says(hidden: Option<&str>) -> String {
        let mut command = Command::new(std::env::current_exe().expect("the test's own program"));
        command.args(["--exact", "--ignored", "--nocapture", "device::driver::tests::child"]);
        command.env_remove("SOFTGPU_HIDE").env_remove(SOFTWARE);
        if let Some(hidden) = hidden {
            command.env("SOFTGPU_HIDE", hidden).env(SOFTWARE, "1");
        }
        let output = command.output().expect("the test's own program runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{hidden:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        let line = text.lines().find_map(|line| line.split_once("Device::new: "));
        line.unwrap_or_else(|| panic!("{hidden:?}: {text}")).1.to_string()
    }

    /// Set for a child that shall have the software device.
    const SOFTWARE: &str = "OBLATE_TEST_SOFTWARE";

    #[test]
    #[ignore = "the child of the tests below, whose environment it needs"]
    fn child() {
        if std::env::var_os(SOFTWARE).is_some() {
            oblate_softgpu::install_as(oblate_softgpu::Choice::Software).expect("the software device");
        }
        match crate::Device::new(0) {
            Ok(device) => println!("Device::new: {}", device.name()),
            Err(error) => println!("Device::new: {error}"),
        }
    }

    #[test]
    fn a_driver_without_a_function_is_an_error_value() {
        let (major, minor) = NVCC_RELEASE;
        for function in FUNCTIONS {
            let expected =
                format!("the CUDA driver has no {function}: expected a driver for CUDA {major}.{minor} or newer");
            assert_eq!(says(Some(function)), expected);
        }
    }

    #[test]
    fn no_driver_is_an_error_value() {
        // SAFETY: loading a driver runs its initialisers, as the library's own look does.
        let is_there = unsafe { sys::is_culib_present() };
        let said = says(None);
        assert_eq!(said == "no CUDA driver: libcuda is not found on this machine", !is_there, "{said}");
    }
}
