//! What a context still holds as it ends.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each call is of a function with handles and places of the test's"
)]

use std::ptr::null_mut;

use cudarc::driver::sys;
use oblate_softgpu::inspect::finding::FindingKind;

use crate::support::{Context, KERNELS, done, function, installed, launch, module};

/// What is told as the context of `body` ends.
fn leaks(body: impl FnOnce() + Send) -> Vec<oblate_softgpu::inspect::finding::Finding> {
    installed();
    // On a thread of its own, whose calls are counted from 1.
    let run = || {
        let mut context = null_mut();
        done!(cuCtxCreate_v2(&raw mut context, 0, 0));
        body();
        oblate_softgpu::record(|| done!(cuCtxDestroy_v2(context))).1.findings
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

#[test]
fn all_that_is_left_is_told_with_the_call_that_made_it() {
    let found = leaks(|| {
        let (mut a, mut b, mut c, mut page) = (0, 0, 0, null_mut());
        done!(cuMemAlloc_v2(&raw mut a, 100)); // call 2
        done!(cuMemAlloc_v2(&raw mut b, 4096));
        done!(cuMemAllocAsync(&raw mut c, 8, null_mut()));
        done!(cuMemFree_v2(a));
        done!(cuMemHostAlloc(&raw mut page, 64, 0));
        let (mut loaded, mut stream, mut event, mut graph, mut exec) =
            (null_mut(), null_mut(), null_mut(), null_mut(), null_mut());
        done!(cuModuleLoadData(&raw mut loaded, KERNELS.as_ptr().cast()));
        done!(cuStreamCreate(&raw mut stream, 0));
        done!(cuEventCreate(&raw mut event, 0));
        done!(cuGraphCreate(&raw mut graph, 0));
        done!(cuGraphInstantiateWithFlags(&raw mut exec, graph, 0));
    });
    let text: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "allocation 2 (4096 bytes) was never given back\n  made by  cuMemAlloc_v2, call 3 of its thread",
            "allocation 3 (8 bytes) was never given back\n  made by  cuMemAllocAsync, call 4 of its thread",
            "host memory (64 bytes) was never given back\n  made by  cuMemHostAlloc, call 6 of its thread",
            "a module was never given back\n  made by  cuModuleLoadData, call 7 of its thread",
            "a stream was never given back\n  made by  cuStreamCreate, call 8 of its thread",
            "an event was never given back\n  made by  cuEventCreate, call 9 of its thread",
            "a graph was never given back\n  made by  cuGraphCreate, call 10 of its thread",
            "an instantiated graph was never given back\n  made by  cuGraphInstantiateWithFlags, call 11 of its thread",
        ]
    );
    assert!(matches!(&found[0].kind, FindingKind::Leak { bytes: Some(4096), call: 3, .. }));
    assert!(found.iter().all(|finding| finding.kernel.is_empty() && finding.ptx_line == 0));
}

#[test]
fn who_gives_everything_back_is_told_nothing() {
    let found = leaks(|| {
        let (mut address, mut stream, mut graph) = (0, null_mut(), null_mut());
        done!(cuMemAlloc_v2(&raw mut address, 100));
        let loaded = module();
        done!(cuStreamCreate(&raw mut stream, 1));
        done!(cuStreamBeginCapture_v2(stream, sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED));
        done!(cuStreamEndCapture(stream, &raw mut graph));
        done!(cuGraphDestroy(graph));
        done!(cuStreamDestroy_v2(stream));
        done!(cuModuleUnload(loaded));
        done!(cuMemFreeAsync(address, null_mut()));
    });
    assert_eq!(found, []);
}

#[test]
fn a_context_that_failed_could_give_nothing_back() {
    let found = leaks(|| {
        let stop = function(module(), "stop");
        let _ = oblate_softgpu::record(|| launch(stop, [1, 1, 1], [1, 1, 1], 0, &mut []));
    });
    assert_eq!(found, []);
}

#[test]
fn cudarc_leaves_nothing() {
    let _other = Context::new();
    let ((), record) = oblate_softgpu::record(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let context = cudarc::driver::CudaContext::new(0).unwrap();
                let stream = context.new_stream().unwrap();
                let there = stream.clone_htod(&[1.0f32; 8]).unwrap();
                assert_eq!(stream.clone_dtoh(&there).unwrap(), [1.0; 8]);
            });
        });
    });
    assert_eq!(record.findings, []);
}
