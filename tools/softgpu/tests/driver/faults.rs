//! Faults on request.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each call is of a function with handles and places of the test's"
)]

use std::ffi::c_void;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use cudarc::driver::sys::{self, CUresult, CUresult::*};
use oblate_softgpu::Settings;

use crate::support::{Context, done, function, launch, module, read, words};

/// A context in which these faults happen.
fn context(faults: &str) -> Context {
    let mut settings = Settings::default();
    settings.faults = faults.parse().unwrap();
    settings.with(Context::new)
}

fn allocate(bytes: usize) -> CUresult {
    let mut address = 0;
    unsafe { sys::cuMemAlloc_v2(&raw mut address, bytes) }
}

#[test]
fn an_allocation_fails() {
    let _own = context("allocation=3");
    let answers = [4, 4, 4, 4].map(allocate);
    assert_eq!(answers, [CUDA_SUCCESS, CUDA_SUCCESS, CUDA_ERROR_OUT_OF_MEMORY, CUDA_SUCCESS]);
}

#[test]
fn memory_runs_out_at_a_chosen_total() {
    let _own = context("memory=8K");
    assert_eq!([4096, 4096, 1].map(allocate), [CUDA_SUCCESS, CUDA_SUCCESS, CUDA_ERROR_OUT_OF_MEMORY]);
    let (mut free, mut total) = (0, 0);
    done!(cuMemGetInfo_v2(&raw mut free, &raw mut total));
    assert_eq!((total, total - free), (16 << 30, 8192), "as if there were more");
}

#[test]
fn a_launch_is_refused() {
    let _own = context("launch=2");
    let nothing = function(module(), "nothing");
    let answers = [(); 3].map(|()| launch(nothing, [1, 1, 1], [1, 1, 1], 0, &mut []));
    assert_eq!(answers, [CUDA_SUCCESS, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, CUDA_SUCCESS]);
}

#[test]
fn an_error_stays_from_a_call_on() {
    let own = context("sticky=3");
    let answers = [(); 5].map(|()| unsafe { sys::cuCtxSynchronize() });
    let failed = CUDA_ERROR_LAUNCH_FAILED;
    assert_eq!(answers, [CUDA_SUCCESS, CUDA_SUCCESS, failed, failed, failed]);
    drop(own);
    let _next = Context::new();
    done!(cuCtxSynchronize());
}

#[test]
fn a_slow_stream_is_not_ready() {
    const SLOW: Duration = Duration::from_millis(60);
    let _own = context("slow=60");
    let x = words(&[0]);
    let (mut first, mut second, mut event, mut start) = (null_mut(), null_mut(), null_mut(), null_mut());
    done!(cuStreamCreate(&raw mut first, 1));
    done!(cuStreamCreate(&raw mut second, 1));
    done!(cuEventCreate(&raw mut event, 0));
    done!(cuEventCreate(&raw mut start, 0));
    done!(cuEventRecord(start, first));
    let begun = Instant::now();
    done!(cuMemsetD32Async(x, 1, 1, first));
    done!(cuEventRecord(event, first));
    done!(cuStreamWaitEvent(second, event, 0));
    let asked = unsafe { [sys::cuStreamQuery(first), sys::cuEventQuery(event), sys::cuStreamQuery(second)] };
    assert_eq!(asked, [CUDA_ERROR_NOT_READY; 3]);
    let mut milliseconds = 0.0;
    let elapsed = unsafe { sys::cuEventElapsedTime(&raw mut milliseconds, start, event) };
    assert_eq!(elapsed, CUDA_ERROR_NOT_READY);
    done!(cuStreamSynchronize(second));
    assert!(begun.elapsed() >= SLOW);
    done!(cuStreamQuery(first));
    done!(cuEventElapsedTime(&raw mut milliseconds, start, event));
    assert!(milliseconds >= 60.0, "{milliseconds}");
}

/// Pinned words, all ones.
fn pinned(count: usize) -> *mut i32 {
    let mut page: *mut c_void = null_mut();
    done!(cuMemHostAlloc(&raw mut page, count * 4, 0));
    let words: *mut i32 = page.cast();
    (0..count).for_each(|i| unsafe { words.add(i).write(-1) });
    words
}

const POISON: i32 = i32::from_ne_bytes([0xA5; 4]);

#[test]
fn a_late_copy_is_there_when_it_is_waited_for() {
    let _own = context("late");
    let x = words(&[7, 8]);
    let (mut stream, mut other, mut event) = (null_mut(), null_mut(), null_mut());
    done!(cuStreamCreate(&raw mut stream, 1));
    done!(cuStreamCreate(&raw mut other, 1));
    done!(cuEventCreate(&raw mut event, 0));
    let there = pinned(2);
    let seen = || unsafe { (there.read_volatile(), there.add(1).read_volatile()) };
    let copy = |to: usize| {
        done!(cuMemcpyDtoHAsync_v2(there.wrapping_add(to).cast(), x + 4 * to as u64, 4, stream));
    };
    copy(0);
    done!(cuEventRecord(event, stream));
    copy(1);
    done!(cuMemsetD32Async(x, 99, 2, stream));
    assert_eq!(seen(), (POISON, POISON), "nobody has waited");
    done!(cuStreamSynchronize(other));
    assert_eq!(seen(), (POISON, POISON), "another stream");
    done!(cuEventSynchronize(event));
    assert_eq!(seen(), (7, POISON), "what came before the event");
    done!(cuStreamSynchronize(stream));
    assert_eq!(seen(), (7, 8), "as it was when it was copied");

    // A wait for a stream that waits for another, a function of the host, a copy back.
    copy(0);
    done!(cuEventRecord(event, stream));
    done!(cuStreamWaitEvent(other, event, 0));
    assert_eq!(seen().0, POISON);
    done!(cuStreamSynchronize(other));
    assert_eq!(seen().0, 99);
    copy(1);
    done!(cuMemcpyHtoDAsync_v2(x, there.wrapping_add(1).cast(), 4, stream));
    assert_eq!((read(x, 1), seen().1), (vec![99], 99), "the copy back comes after");
    // Other memory is as a card has it: there at once.
    let mut host = [0i32; 1];
    done!(cuMemcpyDtoHAsync_v2(host.as_mut_ptr().cast(), x, 4, stream));
    assert_eq!(host, [99]);
    done!(cuMemFreeHost(there.cast()));
}

#[test]
fn every_copy_is_late_on_request() {
    let _own = context("late=pageable");
    let x = words(&[7]);
    let mut host = [0i32; 1];
    let there = host.as_mut_ptr();
    done!(cuMemcpyDtoHAsync_v2(there.cast(), x, 4, null_mut()));
    assert_eq!(unsafe { there.read_volatile() }, POISON);
    done!(cuCtxSynchronize());
    assert_eq!(unsafe { there.read_volatile() }, 7);
    done!(cuMemcpyDtoH_v2(there.cast(), x, 4));
    assert_eq!(unsafe { there.read_volatile() }, 7, "a call that waits");
}
