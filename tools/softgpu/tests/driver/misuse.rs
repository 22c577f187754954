//! Each function, misused in each way that the driver documents, answers as documented.

#![allow(clippy::undocumented_unsafe_blocks, reason = "each call is of a function with arguments that it refuses")]

use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};

use cudarc::driver::sys::{
    self, CUdevice_attribute as Attribute, CUfunction_attribute as FunctionAttribute, CUresult, CUresult::*,
};

use crate::support::{Context, function, installed, launch, module, words};

/// What came, what was expected: all rows are tried before any fails.
struct Table(Vec<String>);

impl Table {
    fn check(&mut self, what: &str, came: CUresult, expected: CUresult) {
        if came != expected {
            self.0.push(format!("{what}: came {came:?}, expected {expected:?}"));
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "{}", self.0.join("\n"));
        }
    }
}

/// `check!(table; call(arguments) => RESULT; ...)`
macro_rules! check {
    ($table:expr; $($function:ident($($argument:expr),* $(,)?) => $expected:ident;)*) => {
        $($table.check(
            stringify!($function($($argument),*)),
            unsafe { sys::$function($($argument),*) },
            $expected,
        );)*
    };
}

fn table() -> Table {
    Table(Vec::new())
}

#[test]
fn devices() {
    installed();
    let (mut number, mut bytes, mut uuid) = (0, 0usize, sys::CUuuid { bytes: [0; 16] });
    let mut text = [0u8; 8];
    let attribute = Attribute::CU_DEVICE_ATTRIBUTE_WARP_SIZE;
    check!(table();
        cuInit(1) => CUDA_ERROR_INVALID_VALUE;
        cuDeviceGet(&raw mut number, 1) => CUDA_ERROR_INVALID_DEVICE;
        cuDeviceGet(&raw mut number, -1) => CUDA_ERROR_INVALID_DEVICE;
        cuDeviceGet(null_mut(), 0) => CUDA_ERROR_INVALID_VALUE;
        cuDeviceGetCount(null_mut()) => CUDA_ERROR_INVALID_VALUE;
        cuDeviceGetName(null_mut(), 8, 0) => CUDA_ERROR_INVALID_VALUE;
        cuDeviceGetName(text.as_mut_ptr().cast(), 0, 0) => CUDA_ERROR_INVALID_VALUE;
        cuDeviceGetName(text.as_mut_ptr().cast(), 8, 1) => CUDA_ERROR_INVALID_DEVICE;
        cuDeviceGetName(text.as_mut_ptr().cast(), 8, 0) => CUDA_SUCCESS;
        cuDeviceGetUuid(&raw mut uuid, 1) => CUDA_ERROR_INVALID_DEVICE;
        cuDeviceGetUuid(null_mut(), 0) => CUDA_ERROR_INVALID_VALUE;
        cuDeviceTotalMem_v2(&raw mut bytes, 1) => CUDA_ERROR_INVALID_DEVICE;
        cuDeviceTotalMem_v2(null_mut(), 0) => CUDA_ERROR_INVALID_VALUE;
        cuDeviceGetAttribute(null_mut(), attribute, 0) => CUDA_ERROR_INVALID_VALUE;
        cuDeviceGetAttribute(&raw mut number, attribute, 1) => CUDA_ERROR_INVALID_DEVICE;
        cuDeviceGetPCIBusId(text.as_mut_ptr().cast(), 8, 1) => CUDA_ERROR_INVALID_DEVICE;
        cuDeviceGetByPCIBusId(&raw mut number, c"0000:01:00.0".as_ptr()) => CUDA_ERROR_INVALID_DEVICE;
        cuDeviceGetByPCIBusId(&raw mut number, null()) => CUDA_ERROR_INVALID_VALUE;
        cuDeviceGetByPCIBusId(&raw mut number, c"0000:00:00.0".as_ptr()) => CUDA_SUCCESS;
    );
    assert_eq!(text, *b"oblate \0", "cut to fit, with its NUL");
}

#[test]
fn contexts() {
    let outer = Context::new();
    let own = Context::new();
    let mut handle = null_mut();
    let (mut number, mut bytes) = (0, 0usize);
    let stack = sys::CUlimit::CU_LIMIT_STACK_SIZE;
    check!(table();
        cuCtxCreate_v2(null_mut(), 0, 0) => CUDA_ERROR_INVALID_VALUE;
        cuCtxCreate_v2(&raw mut handle, 0, 1) => CUDA_ERROR_INVALID_DEVICE;
        cuCtxCreate_v2(&raw mut handle, 3, 0) => CUDA_ERROR_INVALID_VALUE;
        cuCtxCreate_v2(&raw mut handle, 0x100, 0) => CUDA_ERROR_INVALID_VALUE;
        cuCtxCreate_v3(&raw mut handle, null_mut(), 1, 0, 0) => CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
        cuCtxDestroy_v2(null_mut()) => CUDA_ERROR_INVALID_CONTEXT;
        cuCtxDestroy_v2(0x1234 as sys::CUcontext) => CUDA_ERROR_INVALID_CONTEXT;
        cuCtxSetCurrent(0x1234 as sys::CUcontext) => CUDA_ERROR_INVALID_CONTEXT;
        cuCtxPushCurrent_v2(null_mut()) => CUDA_ERROR_INVALID_CONTEXT;
        cuCtxGetCurrent(null_mut()) => CUDA_ERROR_INVALID_VALUE;
        cuCtxGetDevice(null_mut()) => CUDA_ERROR_INVALID_VALUE;
        cuCtxGetFlags(null_mut()) => CUDA_ERROR_INVALID_VALUE;
        cuCtxGetApiVersion(0x1234 as sys::CUcontext, &raw mut number) => CUDA_ERROR_INVALID_CONTEXT;
        cuCtxGetApiVersion(own.0, null_mut()) => CUDA_ERROR_INVALID_VALUE;
        cuCtxGetLimit(null_mut(), stack) => CUDA_ERROR_INVALID_VALUE;
        cuCtxGetLimit(&raw mut bytes, sys::CUlimit::CU_LIMIT_SHMEM_SIZE) => CUDA_ERROR_UNSUPPORTED_LIMIT;
        cuCtxSetLimit(sys::CUlimit::CU_LIMIT_SHMEM_SIZE, 1) => CUDA_ERROR_UNSUPPORTED_LIMIT;
        cuCtxGetLimit(&raw mut bytes, sys::CUlimit::CU_LIMIT_DEV_RUNTIME_SYNC_DEPTH) => CUDA_SUCCESS;
        cuCtxSetLimit(sys::CUlimit::CU_LIMIT_MAX_L2_FETCH_GRANULARITY, 129) => CUDA_ERROR_INVALID_VALUE;
        cuCtxSetLimit(stack, 4096) => CUDA_SUCCESS;
        cuCtxGetLimit(&raw mut bytes, stack) => CUDA_SUCCESS;
        cuDevicePrimaryCtxRetain(null_mut(), 0) => CUDA_ERROR_INVALID_VALUE;
        cuDevicePrimaryCtxRetain(&raw mut handle, 1) => CUDA_ERROR_INVALID_DEVICE;
        cuDevicePrimaryCtxRelease_v2(1) => CUDA_ERROR_INVALID_DEVICE;
        cuDevicePrimaryCtxSetFlags_v2(0, 3) => CUDA_ERROR_INVALID_VALUE;
    );
    assert_eq!(bytes, 4096);
    // Destroyed while current: popped here, and gone for whoever pushes it again.
    let mut current = null_mut();
    check!(table();
        cuCtxDestroy_v2(own.0) => CUDA_SUCCESS;
        cuCtxDestroy_v2(own.0) => CUDA_ERROR_INVALID_CONTEXT;
        cuCtxPushCurrent_v2(own.0) => CUDA_ERROR_INVALID_CONTEXT;
        cuCtxGetCurrent(&raw mut current) => CUDA_SUCCESS;
    );
    assert_eq!(current, outer.0);
}

#[test]
fn a_context_destroyed_elsewhere_is_found() {
    let own = Context::new();
    let address = own.0 as usize;
    std::thread::spawn(move || unsafe { sys::cuCtxDestroy_v2(address as sys::CUcontext) }.result())
        .join()
        .unwrap()
        .unwrap();
    let mut current = null_mut();
    check!(table();
        cuCtxSynchronize() => CUDA_ERROR_CONTEXT_IS_DESTROYED;
        cuCtxGetCurrent(&raw mut current) => CUDA_SUCCESS;
        cuCtxPopCurrent_v2(null_mut()) => CUDA_SUCCESS;
        cuCtxPopCurrent_v2(null_mut()) => CUDA_ERROR_INVALID_CONTEXT;
        cuCtxSynchronize() => CUDA_ERROR_INVALID_CONTEXT;
    );
    assert_eq!(current, own.0);
}

#[test]
fn memory() {
    let _own = Context::new();
    let there = words(&[1, 2, 3, 4]);
    let freed = words(&[1]);
    unsafe { sys::cuMemFree_v2(freed) }.result().unwrap();
    let mut address = 0;
    let mut host = [0i32; 4];
    let (to_host, from_host): (*mut c_void, *const c_void) = (host.as_mut_ptr().cast(), host.as_ptr().cast());
    let host_as_device = host.as_ptr() as u64;
    check!(table();
        cuMemAlloc_v2(null_mut(), 4) => CUDA_ERROR_INVALID_VALUE;
        cuMemAlloc_v2(&raw mut address, 0) => CUDA_ERROR_INVALID_VALUE;
        cuMemAlloc_v2(&raw mut address, 17 << 30) => CUDA_ERROR_OUT_OF_MEMORY;
        cuMemAlloc_v2(&raw mut address, usize::MAX) => CUDA_ERROR_OUT_OF_MEMORY;
        cuMemAllocAsync(&raw mut address, 0, null_mut()) => CUDA_ERROR_INVALID_VALUE;
        cuMemAllocAsync(&raw mut address, 4, 0x1234 as sys::CUstream) => CUDA_ERROR_INVALID_HANDLE;
        cuMemFree_v2(there + 4) => CUDA_ERROR_INVALID_VALUE;
        cuMemFree_v2(freed) => CUDA_ERROR_INVALID_VALUE;
        cuMemFree_v2(host_as_device) => CUDA_ERROR_INVALID_VALUE;
        cuMemFreeAsync(freed, null_mut()) => CUDA_ERROR_INVALID_VALUE;
        cuMemcpyHtoD_v2(there, from_host, 17) => CUDA_ERROR_INVALID_VALUE;
        cuMemcpyHtoD_v2(there + 1, from_host, 16) => CUDA_ERROR_INVALID_VALUE;
        cuMemcpyHtoD_v2(there, null(), 16) => CUDA_ERROR_INVALID_VALUE;
        cuMemcpyHtoD_v2(there, there as *const c_void, 16) => CUDA_ERROR_INVALID_VALUE;
        cuMemcpyHtoD_v2(host_as_device, from_host, 16) => CUDA_ERROR_INVALID_VALUE;
        cuMemcpyHtoD_v2(freed, from_host, 4) => CUDA_ERROR_INVALID_VALUE;
        cuMemcpyHtoD_v2(there, null(), 0) => CUDA_SUCCESS;
        cuMemcpyDtoH_v2(to_host, there, 17) => CUDA_ERROR_INVALID_VALUE;
        cuMemcpyDtoH_v2(null_mut(), there, 16) => CUDA_ERROR_INVALID_VALUE;
        cuMemcpyDtoH_v2(there as *mut c_void, there, 16) => CUDA_ERROR_INVALID_VALUE;
        cuMemcpyDtoH_v2(to_host, host_as_device, 16) => CUDA_ERROR_INVALID_VALUE;
        cuMemcpyDtoD_v2(there, freed, 4) => CUDA_ERROR_INVALID_VALUE;
        cuMemcpyDtoD_v2(there, host_as_device, 4) => CUDA_ERROR_INVALID_VALUE;
        cuMemcpyDtoHAsync_v2(to_host, there, 16, 0x1234 as sys::CUstream) => CUDA_ERROR_INVALID_HANDLE;
        cuMemcpy(0, there, 16) => CUDA_ERROR_INVALID_VALUE;
        cuMemcpy(host_as_device, there, 16) => CUDA_SUCCESS;
        cuMemsetD8_v2(there, 0, 17) => CUDA_ERROR_INVALID_VALUE;
        cuMemsetD16_v2(there + 1, 0, 1) => CUDA_ERROR_INVALID_VALUE;
        cuMemsetD32_v2(there + 2, 0, 1) => CUDA_ERROR_INVALID_VALUE;
        cuMemsetD32_v2(there, 0, usize::MAX) => CUDA_ERROR_INVALID_VALUE;
        cuMemsetD8Async(freed, 0, 1, null_mut()) => CUDA_ERROR_INVALID_VALUE;
        cuMemGetAddressRange_v2(&raw mut address, null_mut(), freed) => CUDA_ERROR_NOT_FOUND;
    );
    assert_eq!(host, [1, 2, 3, 4]);
    let mut page = null_mut();
    let mut kind = 0;
    let mut base = 0u64;
    let data: *mut c_void = (&raw mut kind).cast();
    let memory_type = sys::CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE;
    let start = sys::CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR;
    check!(table();
        cuMemHostAlloc(&raw mut page, 0, 0) => CUDA_ERROR_INVALID_VALUE;
        cuMemHostAlloc(&raw mut page, 8, 64) => CUDA_ERROR_INVALID_VALUE;
        cuMemHostAlloc(&raw mut page, 8, 2) => CUDA_SUCCESS;
        cuMemFreeHost(page) => CUDA_SUCCESS;
        cuMemAllocHost_v2(null_mut(), 8) => CUDA_ERROR_INVALID_VALUE;
        cuMemFreeHost(to_host) => CUDA_ERROR_INVALID_VALUE;
        cuPointerGetAttribute(null_mut(), memory_type, there) => CUDA_ERROR_INVALID_VALUE;
        cuPointerGetAttribute(data, memory_type, freed) => CUDA_ERROR_INVALID_VALUE;
        cuPointerGetAttribute(data, memory_type, there + 5) => CUDA_SUCCESS;
        cuPointerGetAttribute((&raw mut base).cast(), start, there + 5) => CUDA_SUCCESS;
    );
    assert_eq!((kind, base), (sys::CUmemorytype::CU_MEMORYTYPE_DEVICE as c_int, there));
}

#[test]
fn streams_and_events() {
    let _other = Context::new();
    let (mut foreign, mut foreign_event) = (null_mut(), null_mut());
    unsafe { sys::cuStreamCreate(&raw mut foreign, 0) }.result().unwrap();
    unsafe { sys::cuEventCreate(&raw mut foreign_event, 0) }.result().unwrap();
    let own = Context::new();
    let (mut stream, mut event, mut untimed) = (null_mut(), null_mut(), null_mut());
    let (mut milliseconds, mut number, mut context) = (0.0, 0, null_mut());
    let mut status = sys::CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_ACTIVE;
    check!(table();
        cuStreamCreate(null_mut(), 0) => CUDA_ERROR_INVALID_VALUE;
        cuStreamCreate(&raw mut stream, 2) => CUDA_ERROR_INVALID_VALUE;
        cuStreamCreate(&raw mut stream, 1) => CUDA_SUCCESS;
        cuEventCreate(null_mut(), 0) => CUDA_ERROR_INVALID_VALUE;
        cuEventCreate(&raw mut event, 8) => CUDA_ERROR_INVALID_VALUE;
        cuEventCreate(&raw mut event, 0) => CUDA_SUCCESS;
        cuEventCreate(&raw mut untimed, 2) => CUDA_SUCCESS;
    );
    check!(table();
        cuEventElapsedTime(&raw mut milliseconds, event, event) => CUDA_ERROR_INVALID_HANDLE; // not recorded
        cuEventRecord(event, stream) => CUDA_SUCCESS;
        cuEventRecord(untimed, stream) => CUDA_SUCCESS;
        cuEventRecord(event, foreign) => CUDA_ERROR_INVALID_HANDLE;
        cuEventRecord(foreign_event, null_mut()) => CUDA_ERROR_INVALID_HANDLE;
        cuEventRecord(stream.cast(), null_mut()) => CUDA_ERROR_INVALID_HANDLE; // of another kind
        cuEventElapsedTime(null_mut(), event, event) => CUDA_ERROR_INVALID_VALUE;
        cuEventElapsedTime(&raw mut milliseconds, event, untimed) => CUDA_ERROR_INVALID_HANDLE;
        cuEventElapsedTime(&raw mut milliseconds, event, event) => CUDA_SUCCESS;
        cuEventQuery(null_mut()) => CUDA_ERROR_INVALID_HANDLE;
        cuStreamWaitEvent(stream, foreign_event, 0) => CUDA_SUCCESS; // contexts may differ
        cuStreamWaitEvent(stream, event, 2) => CUDA_ERROR_INVALID_VALUE;
        cuStreamWaitEvent(stream, stream.cast(), 0) => CUDA_ERROR_INVALID_HANDLE;
        cuStreamGetFlags(stream, null_mut()) => CUDA_ERROR_INVALID_VALUE;
        cuStreamGetFlags(stream, &raw mut number) => CUDA_SUCCESS;
        cuStreamGetCtx(stream, &raw mut context) => CUDA_SUCCESS;
        cuStreamIsCapturing(stream, &raw mut status) => CUDA_SUCCESS;
        cuLaunchHostFunc(stream, None, null_mut()) => CUDA_ERROR_INVALID_VALUE;
        cuStreamAddCallback(stream, None, null_mut(), 0) => CUDA_ERROR_INVALID_VALUE;
        cuStreamDestroy_v2(null_mut()) => CUDA_ERROR_INVALID_HANDLE;
        cuStreamDestroy_v2(stream) => CUDA_SUCCESS;
        cuStreamDestroy_v2(stream) => CUDA_ERROR_INVALID_HANDLE;
        cuStreamSynchronize(stream) => CUDA_ERROR_INVALID_HANDLE;
        cuEventRecord(event, stream) => CUDA_ERROR_INVALID_HANDLE;
        cuEventDestroy_v2(event) => CUDA_SUCCESS;
        cuEventDestroy_v2(event) => CUDA_ERROR_INVALID_HANDLE;
        cuEventSynchronize(event) => CUDA_ERROR_INVALID_HANDLE;
    );
    assert_eq!(number, 1);
    assert_eq!(context, own.0);
    assert_eq!(status, sys::CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE);
}

unsafe extern "C" fn call(answer: *mut c_void) {
    // SAFETY: the test hands over the place of an answer.
    unsafe { answer.cast::<CUresult>().write(sys::cuCtxSynchronize()) }
}

#[test]
fn a_function_of_the_host_may_not_use_the_device() {
    let _own = Context::new();
    let mut answer = CUDA_SUCCESS;
    unsafe { sys::cuLaunchHostFunc(null_mut(), Some(call), (&raw mut answer).cast()) }.result().unwrap();
    assert_eq!(answer, CUDA_ERROR_NOT_PERMITTED);
    assert_eq!(unsafe { sys::cuCtxSynchronize() }, CUDA_SUCCESS);
}

#[test]
fn functions() {
    let _own = Context::new();
    let module = module();
    let (bounded, shared, nothing) =
        (function(module, "bounded"), function(module, "shared"), function(module, "nothing"));
    let dynamic = FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    let threads = FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK;
    let none = 0x1234 as sys::CUfunction;
    let (mut value, mut blocks, mut bytes) = (0, 0, 0usize);
    check!(table();
        cuFuncGetAttribute(null_mut(), threads, bounded) => CUDA_ERROR_INVALID_VALUE;
        cuFuncGetAttribute(&raw mut value, threads, none) => CUDA_ERROR_INVALID_HANDLE;
        cuFuncGetAttribute(&raw mut value, threads, null_mut()) => CUDA_ERROR_INVALID_HANDLE;
        cuFuncSetAttribute(shared, threads, 1) => CUDA_ERROR_INVALID_VALUE;
        cuFuncSetAttribute(shared, dynamic, -1) => CUDA_ERROR_INVALID_VALUE;
        cuFuncSetAttribute(shared, dynamic, 163 * 1024 - 127) => CUDA_ERROR_INVALID_VALUE; // 128 are its own
        cuFuncSetAttribute(shared, dynamic, 163 * 1024 - 128) => CUDA_SUCCESS;
        cuFuncSetAttribute(none, dynamic, 0) => CUDA_ERROR_INVALID_HANDLE;
        cuFuncSetCacheConfig(none, sys::CUfunc_cache::CU_FUNC_CACHE_PREFER_L1) => CUDA_ERROR_INVALID_HANDLE;
        cuFuncGetAttribute(&raw mut value, threads, bounded) => CUDA_SUCCESS;
        cuOccupancyMaxActiveBlocksPerMultiprocessor(null_mut(), nothing, 32, 0) => CUDA_ERROR_INVALID_VALUE;
        cuOccupancyMaxActiveBlocksPerMultiprocessor(&raw mut blocks, none, 32, 0) => CUDA_ERROR_INVALID_HANDLE;
        cuOccupancyMaxActiveBlocksPerMultiprocessor(&raw mut blocks, nothing, 0, 0) => CUDA_ERROR_INVALID_VALUE;
        cuOccupancyMaxPotentialBlockSize(null_mut(), &raw mut value, nothing, None, 0, 0) => CUDA_ERROR_INVALID_VALUE;
        cuOccupancyAvailableDynamicSMemPerBlock(&raw mut bytes, nothing, 0, 32) => CUDA_ERROR_INVALID_VALUE;
    );
    assert_eq!(value, 128, "the launch bounds");
}

#[test]
fn launches() {
    let _other = Context::new();
    let foreign = function(module(), "nothing");
    let own = Context::new();
    let loaded = module();
    let (nothing, bounded, shared) =
        (function(loaded, "nothing"), function(loaded, "bounded"), function(loaded, "shared"));
    let mut x = words(&[0; 128]);
    let one = [1, 1, 1];
    let mut table = table();
    let mut pointer: *mut c_void = (&raw mut x).cast();
    let arguments = &mut [pointer][..];
    for (what, came, expected) in [
        ("no function", launch(null_mut(), one, one, 0, &mut []), CUDA_ERROR_INVALID_HANDLE),
        ("no such function", launch(0x1234 as sys::CUfunction, one, one, 0, &mut []), CUDA_ERROR_INVALID_HANDLE),
        ("a function of another context", launch(foreign, one, one, 0, &mut []), CUDA_ERROR_INVALID_HANDLE),
        ("no blocks", launch(nothing, [0, 1, 1], one, 0, &mut []), CUDA_ERROR_INVALID_VALUE),
        ("no threads", launch(nothing, one, [1, 0, 1], 0, &mut []), CUDA_ERROR_INVALID_VALUE),
        ("too many blocks in x", launch(nothing, [1 << 31, 1, 1], one, 0, &mut []), CUDA_ERROR_INVALID_VALUE),
        ("too many blocks in y", launch(nothing, [1, 65_536, 1], one, 0, &mut []), CUDA_ERROR_INVALID_VALUE),
        ("too many blocks in z", launch(nothing, [1, 1, 65_536], one, 0, &mut []), CUDA_ERROR_INVALID_VALUE),
        ("too many threads", launch(nothing, one, [1025, 1, 1], 0, &mut []), CUDA_ERROR_INVALID_VALUE),
        ("too many threads together", launch(nothing, one, [32, 33, 1], 0, &mut []), CUDA_ERROR_INVALID_VALUE),
        ("too many threads in z", launch(nothing, one, [1, 1, 65], 0, &mut []), CUDA_ERROR_INVALID_VALUE),
        ("beyond the launch bounds", launch(bounded, one, [129, 1, 1], 0, arguments), CUDA_ERROR_INVALID_VALUE),
        ("at the launch bounds", launch(bounded, one, [128, 1, 1], 0, arguments), CUDA_SUCCESS),
        ("no arguments", launch(bounded, one, one, 0, &mut []), CUDA_ERROR_INVALID_VALUE),
        ("a null argument", launch(bounded, one, one, 0, &mut [null_mut()]), CUDA_ERROR_INVALID_VALUE),
        ("48 KB with its own", launch(shared, one, [32, 1, 1], (48 << 10) - 128, arguments), CUDA_SUCCESS),
        ("more than 48 KB", launch(shared, one, [32, 1, 1], (48 << 10) - 127, arguments), CUDA_ERROR_INVALID_VALUE),
    ] {
        table.check(what, came, expected);
    }
    let dynamic = FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    unsafe { sys::cuFuncSetAttribute(shared, dynamic, 100_000) }.result().unwrap();
    table.check("more, as asked for", launch(shared, one, [32, 1, 1], 100_000, arguments), CUDA_SUCCESS);
    table.check("still more", launch(shared, one, [32, 1, 1], 100_001, arguments), CUDA_ERROR_INVALID_VALUE);

    // 108 multiprocessors of 32 blocks.
    check!(table;
        cuLaunchCooperativeKernel(nothing, 3456, 1, 1, 32, 1, 1, 0, null_mut(), null_mut()) => CUDA_SUCCESS;
        cuLaunchCooperativeKernel(nothing, 3457, 1, 1, 32, 1, 1, 0, null_mut(), null_mut())
            => CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
        cuLaunchKernelEx(null(), nothing, null_mut(), null_mut()) => CUDA_ERROR_INVALID_VALUE;
        cuLaunchKernel(bounded, 1, 1, 1, 1, 1, 1, 0, null_mut(), &raw mut pointer, &raw mut pointer)
            => CUDA_ERROR_INVALID_VALUE;
        cuLaunchKernel(nothing, 1, 1, 1, 1, 1, 1, 0, 0x1234 as sys::CUstream, null_mut(), null_mut())
            => CUDA_ERROR_INVALID_HANDLE;
        cuModuleUnload(loaded) => CUDA_SUCCESS;
        cuModuleUnload(loaded) => CUDA_ERROR_INVALID_HANDLE;
    );
    table.check("unloaded", launch(nothing, one, one, 0, &mut []), CUDA_ERROR_INVALID_HANDLE);
    drop(own);
}
