//! Streams. A call's work is done when it returns, so that a stream is in order and never behind.

use std::cell::Cell;
use std::ffi::{c_int, c_uint, c_void};
use std::sync::Arc;

use super::context::{Context, current, current_or_failed};
use super::device::DEVICE;
use super::entry::initialised;
use super::error::{
    Answer, CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NOT_PERMITTED, CUDA_SUCCESS, CUresult,
};
use super::event::Event;
use super::handle::{Handle, Registered, Registry};
use super::types::{CUdevice, CUhostFn, CUstreamCallback, Out};

/// What `CUstream` stands for, when it is none of the default streams.
#[derive(Debug)]
pub struct Stream {
    handle: Handle<Stream>,
    pub(crate) context: Handle<Context>,
    flags: c_uint,
}

impl Registered for Stream {
    const INVALID: CUresult = CUDA_ERROR_INVALID_HANDLE;

    fn registry() -> &'static Registry<Self> {
        static REGISTRY: Registry<Stream> = Registry::new();
        &REGISTRY
    }
}

const NON_BLOCKING: c_uint = 1;

impl Handle<Stream> {
    /// Null, `CU_STREAM_LEGACY` and `CU_STREAM_PER_THREAD`: a stream of whichever context is current.
    fn is_default(self) -> bool {
        self.0 <= 2
    }

    /// The context that the stream's work runs in.
    pub(crate) fn context_or_failed(self) -> Answer<Arc<Context>> {
        if self.is_default() {
            return current_or_failed();
        }
        initialised()?;
        if in_host_function() {
            return Err(CUDA_ERROR_NOT_PERMITTED);
        }
        self.get()?.context.get()
    }

    /// The context that the stream's work runs in, for work.
    pub(crate) fn context(self) -> Answer<Arc<Context>> {
        let context = self.context_or_failed()?;
        context.sound()?;
        Ok(context)
    }

    /// The current context, for work in a stream that must be one of its own.
    pub(crate) fn of_current(self) -> Answer<Arc<Context>> {
        let current = current()?;
        let stream = self.context_or_failed()?;
        if stream.handle == current.handle { Ok(current) } else { Err(CUDA_ERROR_INVALID_HANDLE) }
    }

    fn flags(self) -> Answer<c_uint> {
        if self.is_default() { Ok(0) } else { Ok(self.get()?.flags) }
    }
}

thread_local! {
    static HOST_FUNCTION: Cell<bool> = const { Cell::new(false) };
}

/// Whether the thread is in a function that cuLaunchHostFunc or cuStreamAddCallback called: it may not use the device.
pub(crate) fn in_host_function() -> bool {
    HOST_FUNCTION.get()
}

fn host_function(call: impl FnOnce()) {
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

fn create(stream: Out<Handle<Stream>>, flags: c_uint) -> Answer {
    let context = current()?;
    stream.check()?;
    if flags & !NON_BLOCKING != 0 {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    stream.set(Stream::registry().insert(|handle| Stream { handle, context: context.handle, flags }))
}

api! {
    /// Makes a stream in the current context.
    fn cuStreamCreate(stream: Out<Handle<Stream>>, flags: c_uint) {
        create(stream, flags)
    }

    /// As [`cuStreamCreate`]: any priority is taken to the only one.
    fn cuStreamCreateWithPriority(stream: Out<Handle<Stream>>, flags: c_uint, _priority: c_int) {
        create(stream, flags)
    }

    /// Ends a stream; the default ones stay.
    fn cuStreamDestroy_v2(stream: Handle<Stream>) {
        stream.context_or_failed()?;
        Stream::registry().remove(stream).map(drop).ok_or(CUDA_ERROR_INVALID_HANDLE)
    }

    /// Waits for the stream's work: it is done. Tells how it went.
    fn cuStreamSynchronize(stream: Handle<Stream>) {
        stream.context().map(drop)
    }

    /// Whether the stream's work is done: it is. Tells how it went.
    fn cuStreamQuery(stream: Handle<Stream>) {
        stream.context().map(drop)
    }

    /// Has the stream wait for an event: what it was recorded behind is done.
    fn cuStreamWaitEvent(stream: Handle<Stream>, event: Handle<Event>, flags: c_uint) {
        stream.context()?;
        event.get()?;
        if flags > 1 { Err(CUDA_ERROR_INVALID_VALUE) } else { Ok(()) }
    }

    /// The stream's context.
    fn cuStreamGetCtx(stream: Handle<Stream>, context: Out<Handle<Context>>) {
        context.set(stream.context_or_failed()?.handle)
    }

    /// The stream's device.
    fn cuStreamGetDevice(stream: Handle<Stream>, device: Out<CUdevice>) {
        stream.context_or_failed()?;
        device.set(DEVICE)
    }

    /// A number that no other stream of the process has.
    fn cuStreamGetId(stream: Handle<Stream>, id: Out<u64>) {
        let context = stream.context_or_failed()?;
        // Two default streams per context, told apart from each other and from every handle by an odd number.
        id.set(match stream.0 {
            0 | 1 => context.handle.0 as u64 + 1,
            2 => context.handle.0 as u64 + 3,
            _ => stream.get()?.handle.0 as u64,
        })
    }

    /// There is one priority.
    fn cuStreamGetPriority(stream: Handle<Stream>, priority: Out<c_int>) {
        stream.context_or_failed()?;
        priority.set(0)
    }

    /// The flags that the stream was made with.
    fn cuStreamGetFlags(stream: Handle<Stream>, flags: Out<c_uint>) {
        stream.context_or_failed()?;
        flags.set(stream.flags()?)
    }

    /// Whether work goes to a graph in place of the device: never.
    fn cuStreamIsCapturing(stream: Handle<Stream>, status: Out<c_uint>) {
        stream.context()?;
        status.set(0)
    }

    /// Calls a function of the host after the stream's work, at once.
    fn cuLaunchHostFunc(stream: Handle<Stream>, function: CUhostFn, data: *mut c_void) {
        stream.context()?;
        let function = function.ok_or(CUDA_ERROR_INVALID_VALUE)?;
        // SAFETY: the caller hands over the function to be called with this argument.
        host_function(|| unsafe { function(data) });
        Ok(())
    }

    /// Calls a function of the host after the stream's work, at once, and even where that failed.
    fn cuStreamAddCallback(stream: Handle<Stream>, callback: CUstreamCallback, data: *mut c_void, flags: c_uint) {
        let status = stream.context_or_failed()?.sound().err().unwrap_or(CUDA_SUCCESS);
        let callback = callback.ok_or(CUDA_ERROR_INVALID_VALUE)?;
        if flags != 0 {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        // SAFETY: the caller hands over the function to be called with these arguments.
        host_function(|| unsafe { callback(stream, status, data) });
        Ok(())
    }
}
