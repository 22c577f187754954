//! Pools of stream-ordered memory.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each call is of a function with handles and places of the test's"
)]

use std::mem::MaybeUninit;
use std::ptr::null_mut;

use cudarc::driver::sys::{self, CUmemPool_attribute as Attribute, CUmemPoolProps, CUresult::*};

use crate::support::{Context, done, installed};

fn props(most_bytes: usize) -> CUmemPoolProps {
    let mut props = MaybeUninit::<CUmemPoolProps>::zeroed();
    let at = props.as_mut_ptr();
    // SAFETY: enumerations get their values; all else is zero.
    unsafe {
        (&raw mut (*at).allocType).write(sys::CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED);
        (&raw mut (*at).location.type_).write(sys::CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE);
        (&raw mut (*at).maxSize).write(most_bytes);
        props.assume_init()
    }
}

fn pool(most_bytes: usize) -> sys::CUmemoryPool {
    let (mut pool, props) = (null_mut(), props(most_bytes));
    done!(cuMemPoolCreate(&raw mut pool, &raw const props));
    pool
}

fn bytes(pool: sys::CUmemoryPool, attribute: Attribute) -> u64 {
    let mut value = 0u64;
    done!(cuMemPoolGetAttribute(pool, attribute, (&raw mut value).cast()));
    value
}

#[test]
fn a_pool_keeps_account() {
    use Attribute::*;
    let _own = Context::new();
    let pool = pool(1000);
    let (mut a, mut b, mut c) = (0, 0, 0);
    done!(cuMemAllocFromPoolAsync(&raw mut a, 600, pool, null_mut()));
    done!(cuMemAllocFromPoolAsync(&raw mut b, 400, pool, null_mut()));
    let full = unsafe { sys::cuMemAllocFromPoolAsync(&raw mut c, 1, pool, null_mut()) };
    assert_eq!(full, CUDA_ERROR_OUT_OF_MEMORY);
    let mut threshold = 700u64;
    done!(cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, (&raw mut threshold).cast()));
    done!(cuMemFreeAsync(a, null_mut()));
    assert_eq!(bytes(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT), 400);
    assert_eq!(bytes(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH), 1000);
    assert_eq!(bytes(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), 700, "the threshold");
    done!(cuMemPoolTrimTo(pool, 0));
    assert_eq!(bytes(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), 400);
    let mut again = 0u64;
    done!(cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH, (&raw mut again).cast()));
    assert_eq!(bytes(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH), 400);
    let mut of = null_mut::<std::ffi::c_void>();
    let handle = sys::CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE;
    done!(cuPointerGetAttribute((&raw mut of).cast(), handle, b));
    assert_eq!(of, pool.cast());
    done!(cuMemPoolDestroy(pool));
    done!(cuMemFree_v2(b));
}

#[test]
fn a_device_has_a_pool() {
    let _own = Context::new();
    let (mut pool, mut current) = (null_mut(), null_mut());
    done!(cuDeviceGetDefaultMemPool(&raw mut pool, 0));
    done!(cuDeviceGetMemPool(&raw mut current, 0));
    assert!(!pool.is_null() && current == pool);
    let mut flags = sys::CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_NONE;
    let mut location = props(0).location;
    done!(cuMemPoolGetAccess(&raw mut flags, pool, &raw mut location));
    assert_eq!(flags, sys::CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
    assert_eq!(unsafe { sys::cuMemPoolDestroy(pool) }, CUDA_ERROR_INVALID_VALUE);
}

#[test]
fn misuse_is_refused() {
    installed();
    let _own = Context::new();
    let (mut made, mut address, mut value) = (null_mut(), 0, 1u64);
    let none = 0x1234 as sys::CUmemoryPool;
    let (mut managed, mut exported, mut nowhere) = (props(0), props(0), props(0));
    managed.allocType = sys::CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_INVALID;
    exported.handleTypes = sys::CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    nowhere.location.id = 7;
    let own = pool(0);
    let used = Attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT;
    let refused = unsafe {
        [
            ("no place", sys::cuMemPoolCreate(null_mut(), &raw const exported), CUDA_ERROR_INVALID_VALUE),
            ("no properties", sys::cuMemPoolCreate(&raw mut made, null_mut()), CUDA_ERROR_INVALID_VALUE),
            ("no kind", sys::cuMemPoolCreate(&raw mut made, &raw const managed), CUDA_ERROR_INVALID_VALUE),
            ("for other processes", sys::cuMemPoolCreate(&raw mut made, &raw const exported), CUDA_ERROR_NOT_SUPPORTED),
            ("no device", sys::cuMemPoolCreate(&raw mut made, &raw const nowhere), CUDA_ERROR_INVALID_DEVICE),
            ("no pool", sys::cuMemPoolDestroy(none), CUDA_ERROR_INVALID_VALUE),
            (
                "from no pool",
                sys::cuMemAllocFromPoolAsync(&raw mut address, 4, none, null_mut()),
                CUDA_ERROR_INVALID_VALUE,
            ),
            ("no bytes", sys::cuMemAllocFromPoolAsync(&raw mut address, 0, own, null_mut()), CUDA_ERROR_INVALID_VALUE),
            ("what is used", sys::cuMemPoolSetAttribute(own, used, (&raw mut value).cast()), CUDA_ERROR_INVALID_VALUE),
            ("for no device", sys::cuDeviceSetMemPool(7, own), CUDA_ERROR_INVALID_DEVICE),
            ("no pool of a device", sys::cuDeviceSetMemPool(0, none), CUDA_ERROR_INVALID_VALUE),
        ]
    };
    for (what, came, expected) in refused {
        assert_eq!(came, expected, "{what}");
    }
    assert_eq!(bytes(own, used), 0, "what was refused is not counted");
}
