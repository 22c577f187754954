//! Stream capture: work that goes to a graph in place of the device.
//!
//! A capture begins in a stream, its origin. A stream that waits for an event recorded in a capture joins it, and its work
//! is behind what the event was behind. The capture ends in its origin, which all others must have been joined to again.
//! What would break it by a dependency that a graph cannot have invalidates it: it then has to be ended, and gives nothing.

use std::cell::Cell;
use std::ffi::c_uint;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::ThreadId;

use super::context::Context;
use super::entry::initialised;
use super::error::{
    Answer, CUDA_ERROR_CAPTURED_EVENT, CUDA_ERROR_ILLEGAL_STATE, CUDA_ERROR_INVALID_VALUE,
    CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, CUDA_ERROR_STREAM_CAPTURE_MERGE,
    CUDA_ERROR_STREAM_CAPTURE_UNJOINED, CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
    CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD,
};
use super::graph::{CUgraphEdgeData, Graph, Node, check_edge_data};
use super::handle::Handle;
use super::stream::Stream;
use super::types::{Out, listed};
use super::work::Work;

/// Which calls of other threads a capture forbids, and which captures of others forbid a thread's calls:
/// `CUstreamCaptureMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Global,
    ThreadLocal,
    Relaxed,
}

impl Mode {
    fn new(number: c_uint) -> Answer<Self> {
        match number {
            0 => Ok(Self::Global),
            1 => Ok(Self::ThreadLocal),
            2 => Ok(Self::Relaxed),
            _ => Err(CUDA_ERROR_INVALID_VALUE),
        }
    }
}

thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::Global) };
}

/// A capture that has not ended.
#[derive(Debug)]
pub(crate) struct Capture {
    id: u64,
    graph: Handle<Graph>,
    /// Whether the graph was there before, and stays whatever becomes of the capture.
    into_existing: bool,
    origin: Weak<Stream>,
    mode: Mode,
    thread: ThreadId,
    valid: AtomicBool,
    ended: AtomicBool,
    /// Whether a stream of it would wait for the legacy stream.
    blocking: AtomicBool,
    streams: Mutex<Vec<Weak<Stream>>>,
}

/// A stream's part in a capture.
#[derive(Clone, Debug)]
pub(crate) struct Taking {
    capture: Arc<Capture>,
    /// What the stream's next work is behind.
    after: Vec<Handle<Node>>,
}

/// What an event that was recorded in a capture stands for.
pub(crate) type Captured = Taking;

impl Capture {
    fn invalidate(&self) {
        self.valid.store(false, Ordering::Release);
    }

    fn check(&self) -> Answer {
        if self.valid.load(Ordering::Acquire) { Ok(()) } else { Err(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED) }
    }

    fn streams(&self) -> Vec<Arc<Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect()
    }

    fn join(self: &Arc<Self>, stream: &Arc<Stream>, after: Vec<Handle<Node>>) {
        if !stream.is_non_blocking() {
            self.blocking.store(true, Ordering::Release);
        }
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(stream));
        *stream.taking() = Some(Taking { capture: Arc::clone(self), after });
    }

    /// Lets go of all streams; the graph is the caller's.
    fn finish(&self) {
        self.ended.store(true, Ordering::Release);
        for stream in self.streams() {
            let mut taking = stream.taking();
            if taking.as_ref().is_some_and(|taking| taking.capture.id == self.id) {
                *taking = None;
            }
            drop(taking);
            if let Ok(context) = stream.context.get() {
                context.captures.remove(self.id);
            }
        }
    }

    /// Ends it without a result.
    pub(crate) fn abandon(&self) {
        self.invalidate();
        self.finish();
        if !self.into_existing {
            // Whoever has destroyed it already was told its handle by cuStreamGetCaptureInfo.
            let _ = Graph::destroy(self.graph);
        }
    }
}

/// The captures of a context that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Captures {
    any: AtomicBool,
    all: Mutex<Vec<Arc<Capture>>>,
}

impl Captures {
    fn change<T>(&self, change: impl FnOnce(&mut Vec<Arc<Capture>>) -> T) -> T {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let value = change(&mut all);
        self.any.store(!all.is_empty(), Ordering::Release);
        value
    }

    fn remove(&self, id: u64) {
        self.change(|all| all.retain(|capture| capture.id != id));
    }

    /// Ends all of them.
    pub(crate) fn abandon(&self) {
        let all = self.change(std::mem::take);
        for capture in all {
            capture.abandon();
        }
    }

    /// Invalidates those that the predicate names, and tells whether there are any.
    fn invalidate(&self, which: impl Fn(&Capture) -> bool) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        self.change(|all| {
            let broken = all.iter().filter(|capture| which(capture));
            broken.inspect(|capture| capture.invalidate()).count() > 0
        })
    }

    /// Refuses a call that a capture forbids, since it may wait for work that is not done: it invalidates that capture.
    pub(crate) fn permit(&self) -> Answer {
        let (mode, here) = (MODE.get(), std::thread::current().id());
        let forbids = |capture: &Capture| match capture.mode {
            Mode::Relaxed => false,
            Mode::ThreadLocal => capture.thread == here,
            Mode::Global => capture.thread == here || mode == Mode::Global,
        };
        if mode != Mode::Relaxed && self.invalidate(forbids) {
            return Err(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
        }
        Ok(())
    }

    /// Refuses work in the legacy stream, which would wait for streams that are captured: it invalidates those captures.
    pub(crate) fn permit_legacy(&self) -> Answer {
        let blocks = |capture: &Capture| capture.blocking.load(Ordering::Acquire);
        if self.invalidate(blocks) { Err(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT) } else { Ok(()) }
    }

    /// As [`Captures::permit_legacy`], for a question that changes nothing.
    fn legacy_is_implicit(&self) -> bool {
        self.change(|all| all.iter().any(|capture| capture.blocking.load(Ordering::Acquire)))
    }
}

impl Stream {
    /// Gives work to the stream: it is done, or becomes a node.
    pub(crate) fn give(&self, context: &Context, work: Work) -> Answer {
        if self.is_legacy() {
            context.captures.permit_legacy()?;
        }
        if let Some(taking) = &mut *self.taking() {
            taking.capture.check()?;
            let node = taking.capture.graph.get()?.add(work, &taking.after)?;
            taking.after = vec![node];
            return Ok(());
        }
        self.perform(context, &work)
    }

    /// Refuses what cannot be captured: it invalidates the capture.
    pub(crate) fn permit_uncaptured(&self) -> Answer {
        let Some(taking) = &*self.taking() else { return Ok(()) };
        taking.capture.invalidate();
        Err(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED)
    }

    /// What an event recorded now stands for; `None` when the stream is not captured.
    pub(crate) fn captured(&self) -> Answer<Option<Captured>> {
        let taking = self.taking();
        taking.as_ref().map_or(Ok(()), |taking| taking.capture.check())?;
        Ok(taking.clone())
    }

    /// Waits for an event that was recorded in a capture.
    pub(crate) fn wait_captured(self: &Arc<Self>, event: &Captured) -> Answer {
        if event.capture.ended.load(Ordering::Acquire) {
            return Err(CUDA_ERROR_CAPTURED_EVENT);
        }
        event.capture.check()?;
        let mut taking = self.taking();
        let Some(taking) = &mut *taking else {
            drop(taking);
            if self.is_legacy() {
                event.capture.invalidate();
                return Err(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
            }
            event.capture.join(self, event.after.clone());
            return Ok(());
        };
        if taking.capture.id != event.capture.id {
            taking.capture.invalidate();
            event.capture.invalidate();
            return Err(CUDA_ERROR_STREAM_CAPTURE_MERGE);
        }
        let new = event.after.iter().filter(|node| !taking.after.contains(node)).copied().collect::<Vec<_>>();
        taking.after.extend(new);
        Ok(())
    }

    /// Ends a capture that the stream takes part in, as the stream ends.
    pub(crate) fn leave_capture(self: &Arc<Self>) {
        let taking = self.taking().clone();
        let Some(Taking { capture, .. }) = taking else { return };
        if capture.origin.ptr_eq(&Arc::downgrade(self)) { capture.abandon() } else { capture.invalidate() }
    }
}

fn begin(
    stream: Handle<Stream>,
    mode: c_uint,
    graph: impl FnOnce() -> Answer<(Handle<Graph>, Vec<Handle<Node>>)>,
    into_existing: bool,
) -> Answer {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let (stream, context) = stream.for_work()?;
    let mode = Mode::new(mode)?;
    if stream.is_legacy() {
        return Err(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    }
    if stream.taking().is_some() {
        return Err(CUDA_ERROR_ILLEGAL_STATE);
    }
    let (graph, after) = graph()?;
    let capture = Arc::new(Capture {
        id: NEXT.fetch_add(1, Ordering::Relaxed),
        graph,
        into_existing,
        origin: Arc::downgrade(&stream),
        mode,
        thread: std::thread::current().id(),
        valid: AtomicBool::new(true),
        ended: AtomicBool::new(false),
        blocking: AtomicBool::new(false),
        streams: Mutex::default(),
    });
    capture.join(&stream, after);
    context.captures.change(|all| all.push(capture));
    Ok(())
}

fn end(stream: Handle<Stream>, graph: Out<Handle<Graph>>) -> Answer {
    let (stream, _) = stream.resolve()?;
    graph.check()?;
    let Some(Taking { capture, after }) = stream.taking().clone() else { return Err(CUDA_ERROR_ILLEGAL_STATE) };
    if !capture.origin.ptr_eq(&Arc::downgrade(&stream)) {
        capture.invalidate();
        return Err(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
    }
    if capture.mode != Mode::Relaxed && capture.thread != std::thread::current().id() {
        return Err(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
    }
    graph.set_if_asked(Handle::NULL);
    if let Err(error) = capture.check() {
        capture.abandon();
        return Err(error);
    }
    let captured = capture.graph.get()?;
    let others = capture.streams();
    let joined = others
        .iter()
        .filter_map(|other| other.taking().clone())
        .all(|other| other.capture.id != capture.id || captured.all_before(&other.after, &after));
    if !joined {
        capture.abandon();
        return Err(CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
    }
    capture.finish();
    graph.set(capture.graph)
}

const NOT_CAPTURING: c_uint = 0;
const ACTIVE: c_uint = 1;
const INVALIDATED: c_uint = 2;

/// A stream's status, and its part in a capture. The legacy stream cannot be asked while it would have to wait for a capture.
fn status(stream: &Stream, context: &Context) -> Answer<c_uint> {
    if stream.is_legacy() && context.captures.legacy_is_implicit() {
        return Err(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    }
    Ok(match &*stream.taking() {
        None => NOT_CAPTURING,
        Some(taking) if taking.capture.check().is_ok() => ACTIVE,
        Some(_) => INVALIDATED,
    })
}

fn info(
    stream: Handle<Stream>,
    capture_status: Out<c_uint>,
    id: Out<u64>,
    graph: Out<Handle<Graph>>,
    after: Out<*const Handle<Node>>,
    count: Out<usize>,
) -> Answer {
    let (stream, context) = stream.resolve()?;
    capture_status.check()?;
    let found = status(&stream, &context)?;
    if let Some(taking) = stream.taking().as_ref().filter(|_| found == ACTIVE) {
        id.set_if_asked(taking.capture.id);
        graph.set_if_asked(taking.capture.graph);
        // Valid until the stream is given something, as the driver documents.
        after.set_if_asked(taking.after.as_ptr());
        count.set_if_asked(taking.after.len());
    }
    capture_status.set(found)
}

/// # Safety
/// `nodes` has `count` elements.
unsafe fn update(stream: Handle<Stream>, nodes: *const Handle<Node>, count: usize, flags: c_uint) -> Answer {
    const ADD: c_uint = 0;
    const SET: c_uint = 1;
    let (stream, _) = stream.resolve()?;
    // SAFETY: the caller's promise.
    let nodes = unsafe { listed(nodes, count)? };
    let mut taking = stream.taking();
    let taking = taking.as_mut().ok_or(CUDA_ERROR_ILLEGAL_STATE)?;
    taking.capture.check()?;
    if !nodes.iter().all(|node| node.is_of(taking.capture.graph)) {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    match flags {
        ADD => {
            let new = nodes.iter().filter(|node| !taking.after.contains(node)).copied().collect::<Vec<_>>();
            taking.after.extend(new);
        }
        SET => taking.after = nodes.to_vec(),
        _ => return Err(CUDA_ERROR_INVALID_VALUE),
    }
    Ok(())
}

api! {
    /// Begins a capture: the stream's work goes to a graph.
    fn cuStreamBeginCapture_v2(stream: Handle<Stream>, mode: c_uint) {
        begin(stream, mode, || Ok((Graph::create(), Vec::new())), false)
    }

    /// As [`cuStreamBeginCapture_v2`], into a graph that is there, behind some of its nodes.
    fn cuStreamBeginCaptureToGraph(
        stream: Handle<Stream>,
        graph: Handle<Graph>,
        after: *const Handle<Node>,
        data: *const CUgraphEdgeData,
        count: usize,
        mode: c_uint,
    ) {
        initialised()?;
        let nodes = || {
            graph.get()?;
            // SAFETY: the function's safety section.
            let nodes = unsafe {
                check_edge_data(data, count)?;
                listed(after, count)?
            };
            let known = nodes.iter().all(|node| node.is_of(graph));
            if known { Ok((graph, nodes.to_vec())) } else { Err(CUDA_ERROR_INVALID_VALUE) }
        };
        begin(stream, mode, nodes, true)
    }

    /// Ends a capture in the stream that it began in, and gives its graph.
    fn cuStreamEndCapture(stream: Handle<Stream>, graph: Out<Handle<Graph>>) {
        end(stream, graph)
    }

    /// Whether the stream's work goes to a graph (1), or to one that was invalidated (2).
    fn cuStreamIsCapturing(stream: Handle<Stream>, capture_status: Out<c_uint>) {
        let (stream, context) = stream.resolve()?;
        capture_status.check()?;
        capture_status.set(status(&stream, &context)?)
    }

    /// The capture, its graph, and what the stream's next work is behind.
    fn cuStreamGetCaptureInfo_v2(
        stream: Handle<Stream>,
        capture_status: Out<c_uint>,
        id: Out<u64>,
        graph: Out<Handle<Graph>>,
        after: Out<*const Handle<Node>>,
        count: Out<usize>,
    ) {
        info(stream, capture_status, id, graph, after, count)
    }

    /// As [`cuStreamGetCaptureInfo_v2`]; edges say no more than an order.
    fn cuStreamGetCaptureInfo_v3(
        stream: Handle<Stream>,
        capture_status: Out<c_uint>,
        id: Out<u64>,
        graph: Out<Handle<Graph>>,
        after: Out<*const Handle<Node>>,
        data: Out<*const CUgraphEdgeData>,
        count: Out<usize>,
    ) {
        info(stream, capture_status, id, graph, after, count)?;
        data.set_if_asked(std::ptr::null());
        Ok(())
    }

    /// Adds to what the stream's next work is behind (flags 0), or replaces it (1).
    fn cuStreamUpdateCaptureDependencies(
        stream: Handle<Stream>,
        nodes: *const Handle<Node>,
        count: usize,
        flags: c_uint,
    ) {
        // SAFETY: the function's safety section.
        unsafe { update(stream, nodes, count, flags) }
    }

    /// As [`cuStreamUpdateCaptureDependencies`].
    fn cuStreamUpdateCaptureDependencies_v2(
        stream: Handle<Stream>,
        nodes: *const Handle<Node>,
        data: *const CUgraphEdgeData,
        count: usize,
        flags: c_uint,
    ) {
        stream.resolve()?;
        // SAFETY: the function's safety section.
        unsafe {
            check_edge_data(data, count)?;
            update(stream, nodes, count, flags)
        }
    }

    /// Changes which captures forbid the thread's calls, and gives what it was.
    fn cuThreadExchangeStreamCaptureMode(mode: Out<c_uint>) {
        initialised()?;
        let was = MODE.replace(Mode::new(mode.get()?)?);
        mode.set(was as c_uint)
    }
}
