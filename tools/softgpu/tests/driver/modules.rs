//! Images, and those that do not load.

use std::ffi::{CStr, CString, c_void};
use std::ptr::{null, null_mut};

use cudarc::driver::sys::{self, CUjit_option, CUresult, CUresult::*};

use crate::support::{Context, KERNELS, function, module};

/// Loads text and gives the answer, and what the log says.
fn load(text: &str) -> (CUresult, String) {
    let text = CString::new(text).unwrap();
    let mut buffer = [0u8; 4096];
    let mut options = [CUjit_option::CU_JIT_ERROR_LOG_BUFFER, CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
    let mut values: [*mut c_void; 2] = [buffer.as_mut_ptr().cast(), 4096 as _];
    let mut module = null_mut();
    // SAFETY: an image, and as many options as values, which are a buffer and its size.
    let answer = unsafe {
        sys::cuModuleLoadDataEx(&raw mut module, text.as_ptr().cast(), 2, options.as_mut_ptr(), values.as_mut_ptr())
    };
    let log = CStr::from_bytes_until_nul(&buffer).unwrap().to_str().unwrap().to_owned();
    assert_eq!(values[1] as usize, log.len() + 1, "the size of the log");
    (answer, log)
}

fn kernel(body: &str) -> String {
    format!(
        ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k()\n{{\n.reg .b32 %r<4>;\n{body}\nret;\n}}\n"
    )
}

#[test]
fn what_does_not_load_says_why() {
    let _own = Context::new();
    assert_eq!(load(&kernel("mov.b32 %r1, 1;")), (CUDA_SUCCESS, String::new()));
    let (answer, log) = load(&kernel("frobnicate.b32 %r1, 1;"));
    assert_eq!(answer, CUDA_ERROR_INVALID_PTX);
    assert!(log.starts_with("PTX line 7: ") && log.contains("frobnicate.b32 %r1, 1;"), "{log}");
    let (answer, log) = load(&kernel("mov.b32 %r1, 1;").replace("8.0", "9.9"));
    assert_eq!(answer, CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
    assert_eq!(log, "the PTX is of version 9.9, newer than 9.0");
    let (answer, log) = load(&kernel("mov.b32 %r1, 1;").replace("sm_80", "sm_90a"));
    assert_eq!(answer, CUDA_ERROR_INVALID_PTX);
    assert_eq!(log, "the PTX is for sm_90a, the device is sm_80");
    let (answer, log) = load("no image");
    assert_eq!(answer, CUDA_ERROR_INVALID_IMAGE);
    assert_eq!(log, "not a fatbin, a cubin or PTX text: it begins with [6e, 6f, 20, 69, 6d, 61, 67, 65]");
}

#[test]
fn images_come_from_memory_and_from_files() {
    let _own = Context::new();
    let mut module = null_mut();
    let elf = b"\x7fELF\x02\x01\x01\0";
    let folder = std::env::temp_dir().join(format!("oblate-softgpu-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("kernels.ptx");
    std::fs::write(&path, &KERNELS[..KERNELS.len() - 1]).unwrap();
    let path = CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: images, strings, and places for handles, or none at all.
    unsafe {
        assert_eq!(sys::cuModuleLoad(&raw mut module, path.as_ptr()), CUDA_SUCCESS);
        assert_eq!(sys::cuModuleLoad(&raw mut module, c"/no/such/file".as_ptr()), CUDA_ERROR_FILE_NOT_FOUND);
        assert_eq!(sys::cuModuleLoad(&raw mut module, null()), CUDA_ERROR_INVALID_VALUE);
        assert_eq!(sys::cuModuleLoadData(&raw mut module, null()), CUDA_ERROR_INVALID_VALUE);
        assert_eq!(sys::cuModuleLoadData(null_mut(), KERNELS.as_ptr().cast()), CUDA_ERROR_INVALID_VALUE);
        assert_eq!(sys::cuModuleLoadData(&raw mut module, elf.as_ptr().cast()), CUDA_ERROR_NO_BINARY_FOR_GPU);
        assert_eq!(sys::cuModuleLoadFatBinary(&raw mut module, KERNELS.as_ptr().cast()), CUDA_SUCCESS);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_module_is_asked_for_what_it_has() {
    let _own = Context::new();
    let loaded = module();
    let none = 0x1234 as sys::CUmodule;
    let (mut kernel, mut address, mut count) = (null_mut(), 0, 0);
    let mut name = null();
    // SAFETY: handles, strings, and places for answers, or none at all.
    unsafe {
        let kernel = &raw mut kernel;
        assert_eq!(sys::cuModuleGetFunction(kernel, loaded, c"absent".as_ptr()), CUDA_ERROR_NOT_FOUND);
        assert_eq!(sys::cuModuleGetFunction(kernel, loaded, null()), CUDA_ERROR_INVALID_VALUE);
        assert_eq!(sys::cuModuleGetFunction(kernel, none, c"store".as_ptr()), CUDA_ERROR_INVALID_HANDLE);
        assert_eq!(sys::cuModuleGetFunction(null_mut(), loaded, c"store".as_ptr()), CUDA_ERROR_INVALID_VALUE);
        let absent = sys::cuModuleGetGlobal_v2(&raw mut address, null_mut(), loaded, c"store".as_ptr());
        assert_eq!(absent, CUDA_ERROR_NOT_FOUND, "a kernel is no variable");
        assert_eq!(sys::cuModuleGetFunctionCount(&raw mut count, loaded), CUDA_SUCCESS);
        assert_eq!(sys::cuFuncGetName(&raw mut name, function(loaded, "store")), CUDA_SUCCESS);
        assert_eq!(CStr::from_ptr(name), c"store");
        assert_eq!(sys::cuModuleUnload(none), CUDA_ERROR_INVALID_HANDLE);
    }
    assert_eq!(count, 9);
    assert_eq!(function(loaded, "store"), function(loaded, "store"), "one handle for a kernel");
}
