//! Memory that host and kernels share: pinned, registered, managed.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each call is of a function with handles and places of the test's"
)]

use std::ffi::c_void;
use std::ptr::null_mut;

use cudarc::driver::sys::{self, CUmem_advise_enum as Advice, CUpointer_attribute as Attribute, CUresult::*};
use oblate_softgpu::inspect::finding::FindingKind;

use crate::support::{Context, done, function, launch, module, read, words};

/// Adds to a word.
fn add(mut to: u64, mut by: i32) -> (sys::CUresult, oblate_softgpu::Record) {
    let add = function(module(), "add");
    oblate_softgpu::record(|| launch(add, [1, 1, 1], [1, 1, 1], 0, &mut [(&raw mut to).cast(), (&raw mut by).cast()]))
}

#[test]
fn kernels_reach_pinned_memory_under_its_address() {
    let _own = Context::new();
    let mut page: *mut c_void = null_mut();
    done!(cuMemAllocHost_v2(&raw mut page, 8));
    let word: *mut i32 = page.cast();
    unsafe { word.write(40) };
    let (mut address, mut flags) = (0, 0);
    done!(cuMemHostGetDevicePointer_v2(&raw mut address, page, 0));
    done!(cuMemHostGetFlags(&raw mut flags, page));
    assert_eq!((address, flags), (page as u64, 2));
    let (answer, record) = add(address, 2);
    assert_eq!((answer, unsafe { word.read() }), (CUDA_SUCCESS, 42));
    assert_eq!(record.findings, []);
    // The driver's copies and fills take the address for the device's, too.
    let x = words(&[5]);
    done!(cuMemcpyDtoD_v2(address, x, 4));
    assert_eq!(unsafe { word.read() }, 5);
    done!(cuMemsetD32_v2(address, 6, 2));
    assert_eq!(read(address, 2), [6, 6]);
    let beyond = unsafe { sys::cuMemsetD32_v2(address, 7, 3) };
    assert_eq!(beyond, CUDA_ERROR_INVALID_VALUE, "past its end");
    done!(cuMemFreeHost(page));
    let (_, record) = add(address, 2);
    assert!(matches!(record.findings[0].kind, FindingKind::HostPointer { .. } | FindingKind::OutOfBounds { .. }));
}

#[test]
fn memory_of_the_program_is_registered() {
    let _own = Context::new();
    let mut words = vec![1i32; 16];
    let start: *mut c_void = words.as_mut_ptr().cast();
    let inner = start.wrapping_byte_add(4);
    done!(cuMemHostRegister_v2(start, 64, 0));
    assert_eq!(add(start as u64 + 60, 10).0, CUDA_SUCCESS);
    let refused = unsafe {
        [
            ("twice", sys::cuMemHostRegister_v2(start, 64, 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED),
            ("in part", sys::cuMemHostRegister_v2(inner, 4, 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED),
            ("not where it began", sys::cuMemHostUnregister(inner), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED),
            ("not as pinned memory", sys::cuMemFreeHost(start), CUDA_ERROR_INVALID_VALUE),
            ("nothing", sys::cuMemHostRegister_v2(null_mut(), 4, 0), CUDA_ERROR_INVALID_VALUE),
            ("no bytes", sys::cuMemHostRegister_v2(start, 0, 0), CUDA_ERROR_INVALID_VALUE),
            ("unknown flags", sys::cuMemHostRegister_v2(start, 64, 64), CUDA_ERROR_INVALID_VALUE),
            ("read-only", sys::cuMemHostRegister_v2(start, 64, 8), CUDA_ERROR_NOT_SUPPORTED),
            ("null", sys::cuMemHostUnregister(null_mut()), CUDA_ERROR_INVALID_VALUE),
        ]
    };
    for (what, came, expected) in refused {
        assert_eq!(came, expected, "{what}");
    }
    done!(cuMemHostUnregister(start));
    assert_eq!(unsafe { start.cast::<i32>().add(15).read() }, 11);
    let (_, record) = add(start as u64, 10);
    assert!(matches!(record.findings[0].kind, FindingKind::HostPointer { .. }));
    assert_eq!(words[0], 1, "no kernel reaches it any more");
}

#[test]
fn managed_memory_is_on_both_sides() {
    let _own = Context::new();
    let mut address = 0;
    done!(cuMemAllocManaged(&raw mut address, 8, 1));
    let word = address as *mut i32;
    unsafe { word.write(1) };
    assert_eq!(add(address, 2).0, CUDA_SUCCESS);
    assert_eq!(unsafe { word.read() }, 3);
    done!(cuMemPrefetchAsync(address, 8, 0, null_mut()));
    done!(cuMemAdvise(address, 8, Advice::CU_MEM_ADVISE_SET_READ_MOSTLY, -1));
    done!(cuStreamAttachMemAsync(null_mut(), address, 0, 1));
    let (mut managed, mut kind, mut start) = (false, 0, 0u64);
    done!(cuPointerGetAttribute((&raw mut managed).cast(), Attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED, address + 4));
    done!(cuPointerGetAttribute((&raw mut kind).cast(), Attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address + 4));
    let start_of = Attribute::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR;
    done!(cuPointerGetAttribute((&raw mut start).cast(), start_of, address + 4));
    assert_eq!((managed, kind, start), (true, 2, address));
    let x = words(&[0]);
    let refused = unsafe {
        [
            ("no bytes", sys::cuMemAllocManaged(&raw mut start, 0, 1)),
            ("no place", sys::cuMemAllocManaged(null_mut(), 4, 1)),
            ("no flag", sys::cuMemAllocManaged(&raw mut start, 4, 0)),
            ("past its end", sys::cuMemPrefetchAsync(address, 9, 0, null_mut())),
            ("not managed", sys::cuMemPrefetchAsync(x, 4, 0, null_mut())),
            ("not managed", sys::cuMemAdvise(x, 4, Advice::CU_MEM_ADVISE_SET_READ_MOSTLY, 0)),
            ("not where it begins", sys::cuMemFree_v2(address + 4)),
        ]
    };
    for (what, came) in refused {
        assert_eq!(came, CUDA_ERROR_INVALID_VALUE, "{what}");
    }
    assert_eq!(unsafe { sys::cuMemPrefetchAsync(address, 8, 7, null_mut()) }, CUDA_ERROR_INVALID_DEVICE);
    done!(cuMemFree_v2(address));
    assert_eq!(unsafe { sys::cuMemFree_v2(address) }, CUDA_ERROR_INVALID_VALUE);
}

#[test]
fn cudarc_takes_managed_and_pinned_memory() {
    crate::support::installed();
    let context = cudarc::driver::CudaContext::new(0).unwrap();
    let stream = context.default_stream();
    let mut managed = unsafe { context.alloc_unified::<f32>(4, true) }.unwrap();
    managed.as_mut_slice().unwrap().copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
    let copy = stream.clone_dtod(&managed).unwrap();
    assert_eq!(stream.clone_dtoh(&copy).unwrap(), [1.0, 2.0, 3.0, 4.0]);
    let mut pinned = unsafe { context.alloc_pinned::<f32>(4) }.unwrap();
    stream.memcpy_dtoh(&copy, &mut pinned).unwrap();
    assert_eq!(pinned.as_slice().unwrap(), [1.0, 2.0, 3.0, 4.0]);
}
