//! What launches do, and what becomes of a context whose kernel fails.

use std::ffi::c_void;
use std::ptr::null_mut;

use cudarc::driver::sys::{self, CUresult, CUresult::*};

use crate::support::{Context, function, launch, module, read, words};

#[test]
fn arguments_come_one_by_one_or_in_a_buffer() {
    let _own = Context::new();
    let store = function(module(), "store");
    let (mut a, mut b) = (words(&[0]), words(&[0]));
    assert_eq!(launch(store, [1, 1, 1], [1, 1, 1], 0, &mut [(&raw mut a).cast()]), CUDA_SUCCESS);
    assert_eq!(read(a, 1), [1]);

    let mut packed = |mut bytes: usize| {
        // CU_LAUNCH_PARAM_BUFFER_POINTER is 1, _SIZE 2, _END 0.
        let mut extra: [*mut c_void; 5] = [1 as _, (&raw mut b).cast(), 2 as _, (&raw mut bytes).cast(), null_mut()];
        let extra = extra.as_mut_ptr();
        // SAFETY: the buffer has the kernel's one parameter.
        unsafe { sys::cuLaunchKernel(store, 1, 1, 1, 1, 1, 1, 0, null_mut(), null_mut(), extra) }
    };
    assert_eq!(packed(4), CUDA_ERROR_INVALID_VALUE, "a buffer shorter than the parameters");
    assert_eq!(packed(8), CUDA_SUCCESS);
    assert_eq!(read(b, 1), [1]);
}

#[test]
fn variables_live_as_long_as_their_module() {
    let _own = Context::new();
    let loaded = module();
    let (mut counter, mut bytes) = (0, 0);
    // SAFETY: places for the answer, and a string.
    unsafe { sys::cuModuleGetGlobal_v2(&raw mut counter, &raw mut bytes, loaded, c"counter".as_ptr()) }
        .result()
        .unwrap();
    assert_eq!((read(counter, 1), bytes), (vec![5], 4));
    let mut by = 2i32;
    let count = function(loaded, "count");
    for _ in 0..2 {
        assert_eq!(launch(count, [3, 1, 1], [32, 1, 1], 0, &mut [(&raw mut by).cast()]), CUDA_SUCCESS);
    }
    assert_eq!(read(counter, 1), [5 + 2 * 3 * 32 * 2]);
    // Another load is another module, with variables of its own.
    let mut other = 0;
    // SAFETY: as above.
    unsafe { sys::cuModuleGetGlobal_v2(&raw mut other, null_mut(), module(), c"counter".as_ptr()) }.result().unwrap();
    assert_eq!(read(other, 1), [5]);
    let mut value = 0;
    // SAFETY: handles, and a place for what is no longer there.
    unsafe {
        assert_eq!(sys::cuModuleUnload(loaded), CUDA_SUCCESS);
        assert_eq!(sys::cuMemcpyDtoH_v2((&raw mut value).cast(), counter, 4), CUDA_ERROR_INVALID_VALUE);
    }
}

#[test]
fn shared_memory_is_the_kernels_and_the_launchs() {
    let _own = Context::new();
    let mut x = words(&(0..32).collect::<Vec<_>>());
    assert_eq!(
        launch(function(module(), "shared"), [1, 1, 1], [32, 1, 1], 128, &mut [(&raw mut x).cast()]),
        CUDA_SUCCESS
    );
    assert_eq!(read(x, 32), [31; 32]);
}

/// What later calls in a context answer after a launch; the launch itself is accepted, as on a card.
fn after(kernel: &str, argument: Option<u64>) -> (CUresult, oblate_softgpu::Record) {
    let own = Context::new();
    let there = words(&[1, 1]);
    let loaded = module();
    let failing = function(loaded, kernel);
    let (accepted, record) = oblate_softgpu::record(|| match argument {
        Some(mut argument) => launch(failing, [1, 1, 1], [1, 1, 1], 0, &mut [(&raw mut argument).cast()]),
        None => launch(failing, [1, 1, 1], [1, 1, 1], 0, &mut []),
    });
    assert_eq!(accepted, CUDA_SUCCESS);
    let (mut address, mut stream, mut value) = (0, null_mut(), 0);
    // SAFETY: places for answers that do not come.
    let answers = unsafe {
        [
            sys::cuCtxSynchronize(),
            sys::cuStreamSynchronize(null_mut()),
            sys::cuMemAlloc_v2(&raw mut address, 4),
            sys::cuMemFree_v2(there),
            sys::cuMemcpyDtoH_v2((&raw mut value).cast(), there, 4),
            sys::cuMemsetD8_v2(there, 0, 1),
            sys::cuStreamCreate(&raw mut stream, 0),
            sys::cuModuleUnload(loaded),
            launch(failing, [1, 1, 1], [1, 1, 1], 0, &mut []),
        ]
    };
    assert!(answers.iter().all(|&answer| answer == answers[0]), "{answers:?}");
    drop(own);
    let _next = Context::new();
    assert_eq!(read(words(&[3]), 1), [3], "the error ends with its context");
    (answers[0], record)
}

#[test]
fn a_failure_stays_until_its_context_ends() {
    let (error, record) = after("stop", None);
    assert_eq!(error, CUDA_ERROR_LAUNCH_FAILED);
    assert_eq!(record.launches[0].failure.map(|failure| failure.0), Some(error as u32));
    assert_eq!(after("store", Some(0)).0, CUDA_ERROR_ILLEGAL_ADDRESS);
    let (error, record) = after("store", Some(0x7000_0000_0002));
    assert_eq!(error, CUDA_ERROR_MISALIGNED_ADDRESS);
    assert_eq!(record.findings.len(), 1);
}

#[test]
fn a_host_pointer_is_a_finding() {
    let host = 0i32;
    let (error, record) = after("store", Some(&raw const host as u64));
    assert_eq!(error, CUDA_ERROR_ILLEGAL_ADDRESS);
    let text = record.findings[0].to_string();
    assert!(text.contains("which is memory of the host"), "{text}");
    assert_eq!(host, 0);
}

#[test]
fn occupancy_follows_from_the_kernels_needs() {
    let _own = Context::new();
    let loaded = module();
    let blocks = |name: &str, threads, bytes| {
        let mut blocks = 0;
        // SAFETY: a place for the answer.
        unsafe {
            sys::cuOccupancyMaxActiveBlocksPerMultiprocessor(&raw mut blocks, function(loaded, name), threads, bytes)
        }
        .result()
        .unwrap();
        blocks
    };
    assert_eq!(blocks("nothing", 32, 0), 32, "blocks");
    assert_eq!(blocks("shared", 32, 100 << 10), 1, "shared memory: 164 KB");
    assert_eq!(blocks("shared", 32, 164 << 10), 0, "more than a block may have");
    assert_eq!(blocks("bounded", 129, 0), 0, "the launch bounds");
    // PTX alone does not say how many registers: the most that lets its launch bounds be, 255 for 128 threads.
    assert_eq!(blocks("bounded", 128, 0), 2);
    let (mut grid, mut block) = (0, 0);
    // SAFETY: places for the answers.
    unsafe {
        sys::cuOccupancyMaxPotentialBlockSize(&raw mut grid, &raw mut block, function(loaded, "bounded"), None, 0, 0)
    }
    .result()
    .unwrap();
    assert_eq!((grid, block), (2 * 108, 128));
}
