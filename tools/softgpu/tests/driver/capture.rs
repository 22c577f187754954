//! Streams whose work goes to a graph, and what a capture forbids.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each call is of a function with handles and places of the test's"
)]

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use cudarc::driver::sys::{
    self, CUgraphNodeType as Type, CUresult, CUresult::*, CUstreamCaptureMode as Mode, CUstreamCaptureStatus as Status,
};

use crate::support::{Context, done, function, module, read, words};

fn stream(flags: u32) -> sys::CUstream {
    let mut stream = null_mut();
    done!(cuStreamCreate(&raw mut stream, flags));
    stream
}

fn event() -> sys::CUevent {
    let mut event = null_mut();
    done!(cuEventCreate(&raw mut event, 0));
    event
}

fn begin(stream: sys::CUstream, mode: Mode) {
    done!(cuStreamBeginCapture_v2(stream, mode));
}

fn end(stream: sys::CUstream) -> (CUresult, sys::CUgraph) {
    let mut graph = 0x1234 as sys::CUgraph;
    let answer = unsafe { sys::cuStreamEndCapture(stream, &raw mut graph) };
    (answer, graph)
}

fn status(stream: sys::CUstream) -> Status {
    let mut status = Status::CU_STREAM_CAPTURE_STATUS_NONE;
    done!(cuStreamIsCapturing(stream, &raw mut status));
    status
}

fn run(graph: sys::CUgraph, stream: sys::CUstream) {
    let mut exec = null_mut();
    done!(cuGraphInstantiateWithFlags(&raw mut exec, graph, 0));
    done!(cuGraphLaunch(exec, stream));
    done!(cuStreamSynchronize(stream));
    done!(cuGraphExecDestroy(exec));
}

fn types(graph: sys::CUgraph) -> Vec<Type> {
    let mut count = 0;
    done!(cuGraphGetNodes(graph, null_mut(), &raw mut count));
    let mut nodes = vec![null_mut(); count];
    done!(cuGraphGetNodes(graph, nodes.as_mut_ptr(), &raw mut count));
    let kind = |node| {
        let mut kind = Type::CU_GRAPH_NODE_TYPE_EMPTY;
        done!(cuGraphNodeGetType(node, &raw mut kind));
        kind
    };
    nodes.into_iter().map(kind).collect()
}

#[test]
fn a_capture_is_replayed() {
    let _own = Context::new();
    let stream = stream(1);
    let x = words(&[1]);
    let add = function(module(), "add");
    let mut host = [0i32];
    begin(stream, Mode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    done!(cuMemsetD32Async(x, 5, 1, stream));
    for mut by in [2i32, 30] {
        let mut to = x;
        let mut arguments: [*mut c_void; 2] = [(&raw mut to).cast(), (&raw mut by).cast()];
        done!(cuLaunchKernel(add, 1, 1, 1, 1, 1, 1, 0, stream, arguments.as_mut_ptr(), null_mut()));
    }
    done!(cuMemcpyDtoHAsync_v2(host.as_mut_ptr().cast(), x, 4, stream));
    let (answer, graph) = end(stream);
    assert_eq!(answer, CUDA_SUCCESS);
    assert_eq!(status(stream), Status::CU_STREAM_CAPTURE_STATUS_NONE);
    assert_eq!((read(x, 1), host), (vec![1], [0]), "nothing has run");
    run(graph, stream);
    assert_eq!(host, [37]);
    let (fill, kernel, copy) =
        (Type::CU_GRAPH_NODE_TYPE_MEMSET, Type::CU_GRAPH_NODE_TYPE_KERNEL, Type::CU_GRAPH_NODE_TYPE_MEMCPY);
    assert_eq!(types(graph), [fill, kernel, kernel, copy]);
    done!(cuGraphDestroy(graph));
}

#[test]
fn events_fork_a_capture_and_join_it() {
    let _own = Context::new();
    let (origin, side) = (stream(1), stream(0));
    let (forked, joined) = (event(), event());
    let x = words(&[0, 0, 0]);
    begin(origin, Mode::CU_STREAM_CAPTURE_MODE_GLOBAL);
    done!(cuMemsetD32Async(x, 1, 1, origin));
    done!(cuEventRecord(forked, origin));
    done!(cuStreamWaitEvent(side, forked, 0));
    assert_eq!(status(side), Status::CU_STREAM_CAPTURE_STATUS_ACTIVE);
    done!(cuMemsetD32Async(x + 4, 2, 1, side));
    done!(cuMemsetD32Async(x + 8, 3, 1, origin));
    let (mut state, mut id, mut other, mut graph) = (Status::CU_STREAM_CAPTURE_STATUS_NONE, 0, 0, null_mut());
    let (mut after, mut count) = (null(), 0);
    done!(cuStreamGetCaptureInfo_v2(
        origin,
        &raw mut state,
        &raw mut id,
        &raw mut graph,
        &raw mut after,
        &raw mut count
    ));
    done!(cuStreamGetCaptureInfo_v2(side, &raw mut state, &raw mut other, null_mut(), null_mut(), null_mut()));
    assert!(id == other && count == 1 && !graph.is_null() && state == Status::CU_STREAM_CAPTURE_STATUS_ACTIVE);
    assert_eq!(end(side).0, CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "it began in the other stream");
    assert_eq!(end(origin).0, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);

    begin(origin, Mode::CU_STREAM_CAPTURE_MODE_GLOBAL);
    done!(cuMemsetD32Async(x, 1, 1, origin));
    done!(cuEventRecord(forked, origin));
    done!(cuStreamWaitEvent(side, forked, 0));
    done!(cuMemsetD32Async(x + 4, 2, 1, side));
    done!(cuMemsetD32Async(x + 8, 3, 1, origin));
    done!(cuEventRecord(joined, side));
    done!(cuStreamWaitEvent(origin, joined, 0));
    let (answer, graph) = end(origin);
    assert_eq!(answer, CUDA_SUCCESS);
    assert_eq!(status(side), Status::CU_STREAM_CAPTURE_STATUS_NONE, "all streams are let go");
    let mut edges = 0;
    done!(cuGraphGetEdges(graph, null_mut(), null_mut(), &raw mut edges));
    assert_eq!(edges, 2, "both fills are behind the first");
    run(graph, side);
    assert_eq!(read(x, 3), [1, 2, 3]);
}

#[test]
fn what_breaks_a_capture_is_told() {
    let _own = Context::new();
    let (origin, side, third) = (stream(1), stream(1), stream(1));
    let (captured, outside) = (event(), event());
    let x = words(&[0]);
    done!(cuEventRecord(outside, side));
    let global = Mode::CU_STREAM_CAPTURE_MODE_GLOBAL;
    let broken = |what: &str, expected: CUresult, call: &dyn Fn() -> CUresult| {
        begin(origin, global);
        done!(cuEventRecord(captured, origin));
        assert_eq!(call(), expected, "{what}");
        let mut state = Status::CU_STREAM_CAPTURE_STATUS_NONE;
        done!(cuStreamIsCapturing(origin, &raw mut state));
        assert_eq!(state, Status::CU_STREAM_CAPTURE_STATUS_INVALIDATED, "{what}");
        let later = unsafe { sys::cuMemsetD32Async(x, 1, 1, origin) };
        assert_eq!(later, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "{what}");
        assert_eq!(end(origin), (CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, null_mut()), "{what}");
    };
    let unsupported = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    broken("waiting for the stream", unsupported, &|| unsafe { sys::cuStreamSynchronize(origin) });
    broken("asking after it", unsupported, &|| unsafe { sys::cuStreamQuery(origin) });
    broken("waiting for the context", unsupported, &|| unsafe { sys::cuCtxSynchronize() });
    broken("allocating", unsupported, &|| unsafe { sys::cuMemAlloc_v2(std::ptr::from_mut(&mut 0), 4) });
    broken("a copy that is waited for", unsupported, &|| unsafe {
        sys::cuMemcpyDtoH_v2(std::ptr::from_mut(&mut 0i32).cast(), x, 4)
    });
    broken("an event of no capture", CUDA_ERROR_STREAM_CAPTURE_ISOLATION, &|| unsafe {
        sys::cuStreamWaitEvent(origin, outside, 0)
    });
    broken("two captures that meet", CUDA_ERROR_STREAM_CAPTURE_MERGE, &|| {
        begin(third, global);
        let answer = unsafe { sys::cuStreamWaitEvent(third, captured, 0) };
        assert_eq!(end(third).0, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
        answer
    });

    // A stream that was forked and not joined.
    begin(origin, global);
    done!(cuMemsetD32Async(x, 1, 1, origin));
    done!(cuEventRecord(captured, origin));
    done!(cuStreamWaitEvent(side, captured, 0));
    done!(cuMemsetD32Async(x, 2, 1, side));
    assert_eq!(end(origin), (CUDA_ERROR_STREAM_CAPTURE_UNJOINED, null_mut()));
    assert_eq!(status(side), Status::CU_STREAM_CAPTURE_STATUS_NONE);
    let of_ended = unsafe { [sys::cuEventQuery(captured), sys::cuStreamWaitEvent(side, captured, 0)] };
    assert_eq!(of_ended, [CUDA_ERROR_CAPTURED_EVENT; 2], "no moment, and no capture either");

    // One that waits for the legacy stream, which is then of no use.
    let blocking = stream(0);
    begin(blocking, global);
    let answer = unsafe { sys::cuMemsetD32Async(x, 1, 1, null_mut()) };
    assert_eq!(answer, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    assert_eq!(end(blocking).0, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);

    for (what, came, expected) in [
        ("no capture", end(origin).0, CUDA_ERROR_ILLEGAL_STATE),
        (
            "the legacy stream",
            unsafe { sys::cuStreamBeginCapture_v2(null_mut(), global) },
            CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
        ),
    ] {
        assert_eq!(came, expected, "{what}");
    }
    begin(origin, global);
    assert_eq!(unsafe { sys::cuStreamBeginCapture_v2(origin, global) }, CUDA_ERROR_ILLEGAL_STATE, "twice");
    let address = origin as usize;
    let elsewhere = std::thread::spawn(move || end(address as sys::CUstream).0).join().unwrap();
    assert_eq!(elsewhere, CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
    assert_eq!(end(origin).0, CUDA_SUCCESS, "it went on");
}

#[test]
fn a_relaxed_thread_may_do_as_it_likes() {
    let _own = Context::new();
    let stream = stream(1);
    let mut mode = Mode::CU_STREAM_CAPTURE_MODE_RELAXED;
    done!(cuThreadExchangeStreamCaptureMode(&raw mut mode));
    assert_eq!(mode, Mode::CU_STREAM_CAPTURE_MODE_GLOBAL, "what it was");
    begin(stream, Mode::CU_STREAM_CAPTURE_MODE_GLOBAL);
    let x = words(&[7]);
    done!(cuMemsetD32Async(x, 8, 1, stream));
    let (answer, graph) = end(stream);
    assert_eq!(answer, CUDA_SUCCESS);
    done!(cuThreadExchangeStreamCaptureMode(&raw mut mode));
    run(graph, stream);
    assert_eq!(read(x, 1), [8]);
}

#[test]
fn a_graph_is_captured_in_another() {
    let _own = Context::new();
    let stream = stream(1);
    let x = words(&[0, 0]);
    begin(stream, Mode::CU_STREAM_CAPTURE_MODE_GLOBAL);
    done!(cuMemsetD32Async(x, 1, 1, stream));
    let inner = end(stream).1;
    let mut exec = null_mut();
    done!(cuGraphInstantiateWithFlags(&raw mut exec, inner, 0));
    begin(stream, Mode::CU_STREAM_CAPTURE_MODE_GLOBAL);
    done!(cuGraphLaunch(exec, stream));
    done!(cuMemcpyDtoDAsync_v2(x + 4, x, 4, stream));
    let outer = end(stream).1;
    assert_eq!(read(x, 2), [0, 0]);
    let kinds = types(outer);
    assert_eq!(kinds, [Type::CU_GRAPH_NODE_TYPE_GRAPH, Type::CU_GRAPH_NODE_TYPE_MEMCPY]);
    run(outer, stream);
    assert_eq!(read(x, 2), [1, 1]);
}

#[test]
fn a_capture_ends_with_its_stream() {
    let _own = Context::new();
    let stream = stream(1);
    begin(stream, Mode::CU_STREAM_CAPTURE_MODE_GLOBAL);
    done!(cuStreamDestroy_v2(stream));
    let x = words(&[1]); // which a capture would forbid
    assert_eq!(read(x, 1), [1]);
}
