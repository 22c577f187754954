//! What every exported function answers before cuInit, and after it without a context. One test, alone in its process: the
//! state is the process's.

#![allow(clippy::undocumented_unsafe_blocks, reason = "each call is of a function with arguments that it refuses")]

use std::ffi::{CString, c_void};

use oblate_softgpu::{Choice, install_as};

macro_rules! names {
    ($($name:ident),* $(,)?) => { &[$(stringify!($name)),*] };
}
const NAMES: &[&str] = oblate_softgpu::exports!(names);

const SUCCESS: u32 = 0;
const INVALID_VALUE: u32 = 1;
const NOT_INITIALIZED: u32 = 3;
const INVALID_CONTEXT: u32 = 201;
const INVALID_HANDLE: u32 = 400;

/// Need no initialisation.
const FREE: [&str; 5] = ["cuInit", "cuDriverGetVersion", "cuGetErrorName", "cuGetErrorString", "cuGetProcAddress_v2"];

fn symbol(name: &str) -> *mut c_void {
    let name = CString::new(name).unwrap();
    unsafe {
        let library = libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_LAZY);
        assert!(!library.is_null());
        libc::dlsym(library, name.as_ptr())
    }
}

/// Calls a function with zeros and null pointers. It takes integers and pointers alone, which the C calling conventions of
/// both architectures pass one after the other, and ignores those that are too many.
fn call(name: &str) -> u32 {
    type Any = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize, usize, usize, usize, usize, usize) -> u32;
    let symbol = symbol(name);
    assert!(!symbol.is_null(), "{name} is not exported");
    unsafe { std::mem::transmute::<*mut c_void, Any>(symbol)(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) }
}

#[test]
fn every_function_refuses_to_work_before_init_and_without_a_context() {
    install_as(Choice::Software).unwrap();

    for absent in ["cuMemCreate", "cuTexObjectCreate", "cuMemAlloc", "oblate_softgpu_init"] {
        assert!(symbol(absent).is_null(), "{absent} is exported");
    }
    for name in NAMES.iter().filter(|name| !FREE.contains(name)) {
        assert_eq!(call(name), NOT_INITIALIZED, "{name} before cuInit");
    }
    for name in &FREE[1..] {
        assert_eq!(call(name), INVALID_VALUE, "{name} without anywhere to put its answer");
    }

    assert_eq!(call("cuInit"), SUCCESS);
    for name in NAMES.iter().filter(|name| !FREE.contains(name)) {
        let expected = match *name {
            // Devices and contexts by themselves need no current one; null has no room for an answer.
            name if name.starts_with("cuDevicePrimaryCtxRe") && name.ends_with("_v2") => match name {
                "cuDevicePrimaryCtxReset_v2" => SUCCESS, // nothing to reset
                _ => INVALID_CONTEXT,                    // nobody holds it
            },
            "cuDevicePrimaryCtxSetFlags_v2" | "cuCtxSetCurrent" => SUCCESS,
            "cuCtxCreate_v2" | "cuCtxCreate_v3" | "cuCtxCreate_v4" | "cuCtxGetCurrent" => INVALID_VALUE,
            name if name.starts_with("cuDevice") => INVALID_VALUE,
            // Graphs and libraries belong to no context.
            name if name.starts_with("cuGraph") => INVALID_VALUE,
            "cuLibraryLoadData" | "cuLibraryLoadFromFile" | "cuLibraryGetKernel" | "cuKernelGetAttribute" => {
                INVALID_VALUE
            }
            "cuThreadExchangeStreamCaptureMode" | "cuModuleGetLoadingMode" | "cuGetExportTable" => INVALID_VALUE,
            name if name.starts_with("cuMemPool") => INVALID_VALUE,
            "cuLibraryGetModule" | "cuLibraryGetGlobal" | "cuKernelGetFunction" => INVALID_CONTEXT,
            name if name.starts_with("cuLibrary") || name.starts_with("cuKernel") => INVALID_HANDLE,
            "cuEventQuery"
            | "cuEventSynchronize"
            | "cuEventDestroy_v2"
            | "cuEventElapsedTime"
            | "cuEventElapsedTime_v2" => INVALID_HANDLE,
            _ => INVALID_CONTEXT,
        };
        assert_eq!(call(name), expected, "{name} without a context");
    }
}
