//! Libraries: code of no context.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each call is of a function with handles and places of the test's"
)]

use std::ffi::CStr;
use std::ptr::{null, null_mut};

use cudarc::driver::sys::{self, CUfunction_attribute as Attribute, CUresult::*};

use crate::support::{Context, KERNELS, done, installed, launch, read, words};

fn library() -> sys::CUlibrary {
    let mut library = null_mut();
    let image = KERNELS.as_ptr().cast();
    done!(cuLibraryLoadData(&raw mut library, image, null_mut(), null_mut(), 0, null_mut(), null_mut(), 0));
    library
}

fn kernel(library: sys::CUlibrary, name: &CStr) -> sys::CUkernel {
    let mut kernel = null_mut();
    done!(cuLibraryGetKernel(&raw mut kernel, library, name.as_ptr()));
    kernel
}

#[test]
fn a_kernel_of_a_library_runs_in_every_context() {
    installed();
    let library = library();
    let (add, count) = (kernel(library, c"add"), kernel(library, c"count"));
    for _ in 0..2 {
        let _own = Context::new();
        let mut x = words(&[1]);
        let mut by = 41i32;
        let (mut function, mut counter, mut bytes) = (null_mut(), 0, 0);
        done!(cuKernelGetFunction(&raw mut function, add));
        let arguments = &mut [(&raw mut x).cast(), (&raw mut by).cast()];
        assert_eq!(launch(function, [1, 1, 1], [1, 1, 1], 0, arguments), CUDA_SUCCESS);
        // A kernel stands for its function.
        assert_eq!(launch(count.cast(), [1, 1, 1], [1, 1, 1], 0, &mut [(&raw mut by).cast()]), CUDA_SUCCESS);
        done!(cuLibraryGetGlobal(&raw mut counter, &raw mut bytes, library, c"counter".as_ptr()));
        assert_eq!((read(x, 1), read(counter, 1), bytes), (vec![42], vec![5 + 41], 4), "variables of its own");
    }
    done!(cuLibraryUnload(library));
    let _own = Context::new();
    let mut function = null_mut();
    assert_eq!(unsafe { sys::cuKernelGetFunction(&raw mut function, add) }, CUDA_ERROR_INVALID_HANDLE);
    assert_eq!(unsafe { sys::cuLibraryUnload(library) }, CUDA_ERROR_INVALID_HANDLE);
}

#[test]
fn a_library_is_asked_for_what_it_has() {
    let _own = Context::new();
    let library = library();
    let (mut count, mut kernels, mut found, mut name) = (0, [null_mut(); 20], null_mut(), null());
    done!(cuLibraryGetKernelCount(&raw mut count, library));
    assert_eq!(count, 9);
    done!(cuLibraryEnumerateKernels(kernels.as_mut_ptr(), 20, library));
    let bounded = kernel(library, c"bounded");
    assert!(kernels[..9].contains(&bounded) && kernels[9].is_null());
    done!(cuKernelGetName(&raw mut name, bounded));
    assert_eq!(unsafe { CStr::from_ptr(name) }, c"bounded");
    done!(cuKernelGetLibrary(&raw mut found, bounded));
    assert_eq!(found, library);
    let mut threads = 0;
    let attribute = Attribute::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK;
    done!(cuKernelGetAttribute(&raw mut threads, attribute, bounded, 0));
    assert_eq!(threads, 128);
    let (mut offset, mut bytes, mut kernel) = (0, 0, null_mut());
    done!(cuKernelGetParamInfo(self::kernel(library, c"add"), 1, &raw mut offset, &raw mut bytes));
    assert_eq!((offset, bytes), (8, 4));
    let refused = unsafe {
        [
            (sys::cuLibraryGetKernel(&raw mut kernel, library, c"absent".as_ptr()), CUDA_ERROR_NOT_FOUND),
            (sys::cuLibraryGetKernel(null_mut(), library, c"add".as_ptr()), CUDA_ERROR_INVALID_VALUE),
            (sys::cuLibraryGetKernel(&raw mut kernel, library, null()), CUDA_ERROR_INVALID_VALUE),
            (sys::cuKernelGetAttribute(&raw mut threads, attribute, bounded, 1), CUDA_ERROR_INVALID_DEVICE),
            (
                sys::cuLibraryLoadFromFile(
                    &raw mut found,
                    c"/no/such/file".as_ptr(),
                    null_mut(),
                    null_mut(),
                    0,
                    null_mut(),
                    null_mut(),
                    0,
                ),
                CUDA_ERROR_FILE_NOT_FOUND,
            ),
        ]
    };
    for (i, (came, expected)) in refused.into_iter().enumerate() {
        assert_eq!(came, expected, "row {i}");
    }
    let mut mode = sys::CUmoduleLoadingMode::CU_MODULE_LAZY_LOADING;
    done!(cuModuleGetLoadingMode(&raw mut mode));
    assert_eq!(mode, sys::CUmoduleLoadingMode::CU_MODULE_EAGER_LOADING);
}
