//! Streams. A call's work is done when it returns, so that a stream is in order and never behind.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{c_int, c_uint, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use super::capture::Taking;
use super::context::{Context, current, current_or_failed};
use super::entry::initialised;
use super::error::{
    Answer, CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NOT_PERMITTED,
    CUDA_ERROR_STREAM_CAPTURE_ISOLATION, CUDA_SUCCESS, CUresult,
};
use super::event::{EXTERNAL, Event, State};
use super::graph::GraphExec;
use super::handle::{Handle, Registered, Registry};
use super::late::Behind;
use super::types::{CUdevice, CUhostFn, CUstreamCallback, Out};
use super::work::{HostFunction, Work};
use super::{Call, this_call};

/// What `CUstream` stands for.
#[derive(Debug)]
pub struct Stream {
    handle: Handle<Stream>,
    pub(crate) context: Handle<Context>,
    flags: c_uint,
    priority: c_int,
    pub(crate) made_by: Call,
    taking: Mutex<Option<Taking>>,
    pub(crate) behind: Mutex<Behind>,
}

impl Registered for Stream {
    const INVALID: CUresult = CUDA_ERROR_INVALID_HANDLE;

    fn registry() -> &'static Registry<Self> {
        static REGISTRY: Registry<Stream> = Registry::new();
        &REGISTRY
    }
}

const NON_BLOCKING: c_uint = 1;
/// Priorities, the least first.
const PRIORITIES: [c_int; 2] = [0, -5];

/// The streams that a context has without being asked.
#[derive(Debug)]
pub(crate) struct DefaultStreams {
    legacy: Arc<Stream>,
    of_threads: Mutex<HashMap<ThreadId, Arc<Stream>>>,
}

impl DefaultStreams {
    pub(crate) fn new(context: Handle<Context>) -> Self {
        Self { legacy: Arc::new(Stream::new(LEGACY, context, 0, 0)), of_threads: Mutex::default() }
    }

    pub(crate) fn legacy(&self) -> &Stream {
        &self.legacy
    }

    pub(crate) fn all(&self) -> Vec<Arc<Stream>> {
        let streams = self.of_threads.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(&self.legacy).chain(streams.values()).cloned().collect()
    }

    fn get(&self, handle: Handle<Stream>, context: Handle<Context>) -> Arc<Stream> {
        if handle != PER_THREAD {
            return Arc::clone(&self.legacy);
        }
        let mut streams = self.of_threads.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(Stream::new(PER_THREAD, context, 0, 0));
        Arc::clone(streams.entry(std::thread::current().id()).or_insert_with(make))
    }
}

const LEGACY: Handle<Stream> = Handle::of(1);
const PER_THREAD: Handle<Stream> = Handle::of(2);

impl Stream {
    fn new(handle: Handle<Self>, context: Handle<Context>, flags: c_uint, priority: c_int) -> Self {
        let (taking, behind) = (Mutex::new(None), Mutex::default());
        Self { handle, context, flags, priority, made_by: this_call(), taking, behind }
    }

    pub(crate) fn is_legacy(&self) -> bool {
        self.handle == LEGACY
    }

    pub(crate) fn is_non_blocking(&self) -> bool {
        self.flags & NON_BLOCKING != 0
    }

    /// Its part in a capture.
    pub(crate) fn taking(&self) -> MutexGuard<'_, Option<Taking>> {
        // Nothing in its updates panics.
        self.taking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handle<Stream> {
    /// Null, `CU_STREAM_LEGACY` and `CU_STREAM_PER_THREAD`: a stream of whichever context is current.
    fn is_default(self) -> bool {
        self.0 <= PER_THREAD.0
    }

    /// The stream, and the context that its work runs in, whether or not a launch has failed there.
    pub(crate) fn resolve(self) -> Answer<(Arc<Stream>, Arc<Context>)> {
        if self.is_default() {
            let context = current_or_failed()?;
            return Ok((context.default_streams.get(self, context.handle), context));
        }
        initialised()?;
        if in_host_function() {
            return Err(CUDA_ERROR_NOT_PERMITTED);
        }
        let stream = self.get()?;
        let context = stream.context.get()?;
        Ok((stream, context))
    }

    /// The stream and its context, for work.
    pub(crate) fn for_work(self) -> Answer<(Arc<Stream>, Arc<Context>)> {
        let (stream, context) = self.resolve()?;
        context.sound()?;
        Ok((stream, context))
    }

    /// The context that the stream's work runs in, for work.
    pub(crate) fn work_context(self) -> Answer<Arc<Context>> {
        self.for_work().map(|(_, context)| context)
    }

    /// Gives work to a stream of the current context: it is done, or becomes a node of a graph.
    pub(crate) fn submit(self, work: Work) -> Answer {
        let current = current()?;
        let (stream, context) = self.for_work()?;
        if context.handle != current.handle {
            return Err(CUDA_ERROR_INVALID_HANDLE);
        }
        work.check()?;
        stream.give(&context, work)
    }

    /// Runs a graph in the stream, or makes it a node of another.
    pub(crate) fn launch(self, graph: &GraphExec) -> Answer {
        let (stream, context) = self.for_work()?;
        if stream.captured()?.is_some() {
            return stream.give(&context, Work::Graph(graph.as_graph()?));
        }
        if stream.is_legacy() {
            context.captures.permit_legacy()?;
        }
        graph.run(&stream, &context)
    }
}

/// Does work for a function that returns when it is done.
pub(crate) fn synchronously(work: &Work) -> Answer {
    let context = current()?;
    work.check()?;
    context.captures.permit_legacy()?;
    context.captures.permit()?;
    context.default_streams.legacy().wait_over(&context);
    work.run()
}

thread_local! {
    static HOST_FUNCTION: Cell<bool> = const { Cell::new(false) };
}

/// Whether the thread is in a function that cuLaunchHostFunc or cuStreamAddCallback called: it may not use the device.
pub(crate) fn in_host_function() -> bool {
    HOST_FUNCTION.get()
}

pub(crate) fn host_function(call: impl FnOnce()) {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            HOST_FUNCTION.set(false);
        }
    }
    let _leave = Leave;
    HOST_FUNCTION.set(true);
    call();
}

fn create(stream: Out<Handle<Stream>>, flags: c_uint, priority: c_int) -> Answer {
    let context = current()?;
    stream.check()?;
    if flags & !NON_BLOCKING != 0 {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    let [least, greatest] = PRIORITIES;
    let priority = priority.clamp(greatest, least);
    stream.set(Stream::registry().insert(|handle| Stream::new(handle, context.handle, flags, priority)))
}

/// Has the stream wait for an event, or join the capture that it was recorded in.
fn wait(stream: Handle<Stream>, event: Handle<Event>, flags: c_uint) -> Answer {
    let (stream, context) = stream.for_work()?;
    let event = event.get()?;
    if flags & !EXTERNAL != 0 {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    let state = event.state();
    match &*state {
        State::Captured(captured) if flags & EXTERNAL == 0 => stream.wait_captured(captured),
        State::New if flags & EXTERNAL == 0 => Ok(()),
        _ if flags & EXTERNAL == 0 && stream.captured()?.is_some() => {
            // The graph would depend on work that is not in it.
            let _ = stream.permit_uncaptured();
            Err(CUDA_ERROR_STREAM_CAPTURE_ISOLATION)
        }
        State::Recorded { behind, .. } if stream.captured()?.is_none() => {
            stream.is_behind(behind);
            Ok(())
        }
        _ => {
            drop(state);
            stream.give(&context, Work::Wait(event))
        }
    }
}

api! {
    /// Makes a stream in the current context.
    fn cuStreamCreate(stream: Out<Handle<Stream>>, flags: c_uint) {
        create(stream, flags, 0)
    }

    /// As [`cuStreamCreate`], with a priority, which is kept within those that there are and hastens nothing.
    fn cuStreamCreateWithPriority(stream: Out<Handle<Stream>>, flags: c_uint, priority: c_int) {
        create(stream, flags, priority)
    }

    /// The least priority and the greatest, which is the lower number.
    fn cuCtxGetStreamPriorityRange(least: Out<c_int>, greatest: Out<c_int>) {
        current_or_failed()?;
        least.set_if_asked(PRIORITIES[0]);
        greatest.set_if_asked(PRIORITIES[1]);
        Ok(())
    }

    /// Ends a stream; the default ones stay. It invalidates a capture that the stream takes part in.
    fn cuStreamDestroy_v2(stream: Handle<Stream>) {
        stream.resolve()?;
        let stream = Stream::registry().remove(stream).ok_or(CUDA_ERROR_INVALID_HANDLE)?;
        stream.leave_capture();
        Ok(())
    }

    /// Waits for the stream's work: it is done. Tells how it went.
    fn cuStreamSynchronize(stream: Handle<Stream>) {
        let (stream, context) = stream.for_work()?;
        stream.permit_uncaptured()?;
        stream.wait_over(&context);
        Ok(())
    }

    /// Whether the stream's work is done: it is, unless it is slow on request. Tells how it went.
    fn cuStreamQuery(stream: Handle<Stream>) {
        let (stream, context) = stream.for_work()?;
        stream.permit_uncaptured()?;
        stream.check_over()?;
        stream.wait_over(&context);
        Ok(())
    }

    /// Has the stream wait for an event: what it was recorded behind is done, or the stream joins its capture.
    fn cuStreamWaitEvent(stream: Handle<Stream>, event: Handle<Event>, flags: c_uint) {
        wait(stream, event, flags)
    }

    /// The stream's context.
    fn cuStreamGetCtx(stream: Handle<Stream>, context: Out<Handle<Context>>) {
        context.set(stream.resolve()?.1.handle)
    }

    /// The stream's device.
    fn cuStreamGetDevice(stream: Handle<Stream>, device: Out<CUdevice>) {
        device.set(stream.resolve()?.1.device)
    }

    /// A number that no other stream of the process has.
    fn cuStreamGetId(stream: Handle<Stream>, id: Out<u64>) {
        let (stream, context) = stream.resolve()?;
        // Two default streams per context, told apart from each other and from every handle by an odd number.
        id.set(match stream.handle {
            default if default == LEGACY => context.handle.0 as u64 + 1,
            default if default == PER_THREAD => context.handle.0 as u64 + 3,
            handle => handle.0 as u64,
        })
    }

    /// The priority that the stream was made with.
    fn cuStreamGetPriority(stream: Handle<Stream>, priority: Out<c_int>) {
        priority.set(stream.resolve()?.0.priority)
    }

    /// The flags that the stream was made with.
    fn cuStreamGetFlags(stream: Handle<Stream>, flags: Out<c_uint>) {
        flags.set(stream.resolve()?.0.flags)
    }

    /// Calls a function of the host after the stream's work.
    fn cuLaunchHostFunc(stream: Handle<Stream>, function: CUhostFn, data: *mut c_void) {
        let (stream, context) = stream.for_work()?;
        stream.give(&context, Work::Host(HostFunction::new(function, data)?))
    }

    /// Calls a function of the host after the stream's work, at once, and even where that failed.
    fn cuStreamAddCallback(stream: Handle<Stream>, callback: CUstreamCallback, data: *mut c_void, flags: c_uint) {
        let (found, context) = stream.resolve()?;
        let status = context.sound().err().unwrap_or(CUDA_SUCCESS);
        let callback = callback.ok_or(CUDA_ERROR_INVALID_VALUE)?;
        if flags != 0 {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        found.permit_uncaptured()?;
        found.wait_over(&context);
        // SAFETY: the caller hands over the function to be called with these arguments.
        host_function(|| unsafe { callback(stream, status, data) });
        Ok(())
    }
}
