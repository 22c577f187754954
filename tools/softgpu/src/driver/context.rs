//! Contexts: device memory, what is loaded into it, and the error that ends it; and each thread's stack of them.

use std::cell::RefCell;
use std::ffi::{c_int, c_uint, c_void};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::capture::Captures;
use super::device::{self, is_primary, primary_on};
use super::entry::initialised;
use super::error::{
    Answer, CUDA_ERROR_CONTEXT_IS_DESTROYED, CUDA_ERROR_INVALID_CONTEXT, CUDA_ERROR_INVALID_VALUE,
    CUDA_ERROR_NOT_PERMITTED, CUDA_ERROR_NOT_SUPPORTED, CUDA_ERROR_OUT_OF_MEMORY, CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY,
    CUDA_ERROR_UNSUPPORTED_LIMIT, CUresult,
};
use super::event::Event;
use super::fault::Injected;
use super::function::Function;
use super::handle::{Handle, Registered, Registry};
use super::late::{self, LateCopies};
use super::leaks;
use super::memory::Allocations;
use super::module::Module;
use super::stream::{DefaultStreams, Stream, in_host_function};
use super::types::{CUdevice, Out};
use crate::memory::{self, Memory};
use crate::program::MOST_LOCAL_BYTES;
use crate::settings::{Settings, capability, machine};

/// What `CUcontext` stands for.
#[derive(Debug)]
pub struct Context {
    pub(crate) handle: Handle<Context>,
    pub(crate) device: CUdevice,
    pub(crate) memory: Arc<Memory>,
    pub(crate) settings: Settings,
    pub(crate) default_streams: DefaultStreams,
    pub(crate) captures: Captures,
    pub(crate) allocations: Allocations,
    pub(crate) late: LateCopies,
    pub(crate) faults: Injected,
    flags: AtomicU32,
    cache_preference: AtomicU32,
    /// By their numbers in cuda.h: stack of a thread, printf buffer and heap in bytes; depth and launches of dynamic
    /// parallelism; bytes that L2 fetches at once, and that it keeps.
    limits: [AtomicUsize; 7],
    /// The result of a launch that failed: every later call in the context has it, as on a card.
    failed: OnceLock<CUresult>,
}

impl Registered for Context {
    const INVALID: CUresult = CUDA_ERROR_INVALID_CONTEXT;

    fn registry() -> &'static Registry<Self> {
        static REGISTRY: Registry<Context> = Registry::new();
        &REGISTRY
    }
}

impl Context {
    pub(crate) fn create(device: CUdevice, flags: c_uint) -> Handle<Self> {
        let settings = Settings::for_context();
        Self::registry().insert(|handle| Self {
            handle,
            device,
            memory: Arc::new(Memory::of_device(settings.memory_bytes, device.cast_unsigned(), machine().devices)),
            settings,
            default_streams: DefaultStreams::new(handle),
            captures: Captures::default(),
            allocations: Allocations::default(),
            late: LateCopies::default(),
            faults: Injected::default(),
            flags: AtomicU32::new(flags),
            cache_preference: AtomicU32::new(0),
            limits: [1 << 10, 1 << 20, 8 << 20, 2, 2048, 64, 0].map(AtomicUsize::new),
            failed: OnceLock::new(),
        })
    }

    /// Ends the context and all that belongs to it; threads on whose stacks it is find it gone.
    pub(crate) fn destroy(handle: Handle<Self>) -> Answer {
        let context = Self::registry().remove(handle).ok_or(CUDA_ERROR_INVALID_CONTEXT)?;
        late::wait_for_all(&context);
        context.captures.abandon();
        leaks::tell(&context);
        Stream::registry().remove_all(|stream| stream.context == context.handle);
        Event::registry().remove_all(|event| event.context == context.handle);
        Function::registry().remove_all(|function| function.module.context == context.handle);
        Module::registry().remove_all(|module| module.context == context.handle);
        Ok(())
    }

    pub(crate) fn set_flags(&self, flags: c_uint) {
        self.flags.store(flags, Ordering::Relaxed);
    }

    /// The first failure stays.
    pub(crate) fn fail(&self, error: CUresult) {
        let _ = self.failed.set(error);
    }

    /// The error of an earlier launch, which the context does not survive.
    pub(crate) fn sound(&self) -> Answer {
        self.call_may_fail();
        self.failed.get().map_or(Ok(()), |&error| Err(error))
    }

    /// The context whose memory an address would be in: this one, or one of the address's device.
    pub(crate) fn holder_of(&self, address: u64) -> Handle<Self> {
        let device = memory::device_of(address, machine().devices).map(u32::cast_signed);
        let Some(device) = device.filter(|&device| device != self.device) else { return self.handle };
        let holds = |context: &Self| context.device == device && context.memory.check(address, 1).is_ok();
        let found = Self::registry().collect(|context| holds(context).then_some(context.handle));
        found.first().copied().or_else(|| primary_on(device)).unwrap_or(self.handle)
    }

    /// All streams, those without handles too.
    pub(crate) fn streams(&self) -> Vec<Arc<Stream>> {
        let mut streams = self.default_streams.all();
        streams.extend(Stream::registry().all(|stream| stream.context == self.handle));
        streams
    }

    /// Those that wait for the legacy stream, and it for them.
    pub(crate) fn blocking_streams(&self) -> Vec<Arc<Stream>> {
        self.streams().into_iter().filter(|stream| !stream.is_non_blocking() && !stream.is_legacy()).collect()
    }

    fn limit(&self, number: c_uint) -> Answer<&AtomicUsize> {
        // As the driver documents: no synchronisation from a kernel since compute capability 9.0.
        let is_supported = number != SYNC_DEPTH || capability().major < 9;
        self.limits.get(number as usize).filter(|_| is_supported).ok_or(CUDA_ERROR_UNSUPPORTED_LIMIT)
    }

    /// Bytes that a launch may print; of more, the last stay.
    pub(crate) fn printf_bytes(&self) -> usize {
        self.limits[1].load(Ordering::Relaxed)
    }

    /// Bytes that a thread's calls may take.
    pub(crate) fn stack_bytes(&self) -> usize {
        self.limits[0].load(Ordering::Relaxed)
    }
}

const STACK_SIZE: c_uint = 0;
const PRINTF_FIFO_SIZE: c_uint = 1;
const MALLOC_HEAP_SIZE: c_uint = 2;
const SYNC_DEPTH: c_uint = 3;
const FETCH_GRANULARITY: c_uint = 5;
const PERSISTING_L2: c_uint = 6;

thread_local! {
    /// The last is current.
    static STACK: RefCell<Vec<Handle<Context>>> = const { RefCell::new(Vec::new()) };
}

/// The calling thread's context, whether or not a launch has failed in it.
pub(crate) fn current_or_failed() -> Answer<Arc<Context>> {
    initialised()?;
    if in_host_function() {
        return Err(CUDA_ERROR_NOT_PERMITTED);
    }
    let top = STACK.with_borrow(|stack| stack.last().copied()).ok_or(CUDA_ERROR_INVALID_CONTEXT)?;
    top.get().map_err(|_| CUDA_ERROR_CONTEXT_IS_DESTROYED)
}

/// The calling thread's context, or null.
pub(crate) fn current_handle() -> Handle<Context> {
    STACK.with_borrow(|stack| stack.last().copied()).unwrap_or(Handle::NULL)
}

/// The calling thread's context, for work.
pub(crate) fn current() -> Answer<Arc<Context>> {
    let context = current_or_failed()?;
    context.sound()?;
    Ok(context)
}

/// One way of waiting at most, and flags that the device knows; it makes no core dumps.
pub(crate) fn check_flags(flags: c_uint) -> Answer {
    const SCHEDULING: c_uint = 0x07;
    const MAP_HOST_LMEM_RESIZE_SYNC_MEMOPS: c_uint = 0x08 | 0x10 | 0x80;
    let known = flags & !(SCHEDULING | MAP_HOST_LMEM_RESIZE_SYNC_MEMOPS) == 0;
    if known && (flags & SCHEDULING).count_ones() <= 1 { Ok(()) } else { Err(CUDA_ERROR_INVALID_VALUE) }
}

fn create(context: Out<Handle<Context>>, flags: c_uint, device: CUdevice) -> Answer {
    initialised()?;
    context.check()?;
    device::check(device)?;
    check_flags(flags)?;
    let made = Context::create(device, flags);
    STACK.with_borrow_mut(|stack| stack.push(made));
    context.set(made)
}

/// How a context is made for part of a device, or for a graphics interface: neither is supported.
#[derive(Debug)]
#[repr(C)]
pub struct CUctxCreateParams {
    /// Shares of the device, `affinities` of them.
    pub affinity: *mut c_void,
    /// How many.
    pub affinities: c_int,
    /// A graphics interface.
    pub graphics: *mut c_void,
}

api! {
    /// Makes a context and makes it current.
    fn cuCtxCreate_v2(context: Out<Handle<Context>>, flags: c_uint, device: CUdevice) {
        create(context, flags, device)
    }

    /// Makes a context and makes it current; for part of a device there is none.
    fn cuCtxCreate_v3(
        context: Out<Handle<Context>>,
        _affinity: *const c_void,
        affinities: c_int,
        flags: c_uint,
        device: CUdevice,
    ) {
        initialised()?;
        if affinities != 0 {
            return Err(CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY);
        }
        create(context, flags, device)
    }

    /// Makes a context and makes it current; `params` is null or asks for nothing.
    fn cuCtxCreate_v4(
        context: Out<Handle<Context>>,
        params: *const CUctxCreateParams,
        flags: c_uint,
        device: CUdevice,
    ) {
        // SAFETY: null, or the caller's struct, as the function's safety section demands.
        if let Some(params) = unsafe { params.as_ref() } {
            if params.affinities != 0 {
                return Err(CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY);
            }
            if !params.graphics.is_null() {
                return Err(CUDA_ERROR_NOT_SUPPORTED);
            }
        }
        create(context, flags, device)
    }

    /// Ends a context that cuCtxCreate made, with its memory, modules, streams and events.
    fn cuCtxDestroy_v2(context: Handle<Context>) {
        initialised()?;
        if is_primary(context) {
            return Err(CUDA_ERROR_INVALID_CONTEXT);
        }
        Context::destroy(context)?;
        STACK.with_borrow_mut(|stack| stack.pop_if(|top| *top == context));
        Ok(())
    }

    /// Makes a context current, above the one that was.
    fn cuCtxPushCurrent_v2(context: Handle<Context>) {
        initialised()?;
        context.get()?;
        STACK.with_borrow_mut(|stack| stack.push(context));
        Ok(())
    }

    /// Makes the context below current again.
    fn cuCtxPopCurrent_v2(context: Out<Handle<Context>>) {
        initialised()?;
        let top = STACK.with_borrow_mut(Vec::pop).ok_or(CUDA_ERROR_INVALID_CONTEXT)?;
        context.set_if_asked(top);
        Ok(())
    }

    /// Replaces the current context; null takes it away.
    fn cuCtxSetCurrent(context: Handle<Context>) {
        initialised()?;
        if !context.is_null() {
            context.get()?;
        }
        STACK.with_borrow_mut(|stack| {
            stack.pop();
            if !context.is_null() {
                stack.push(context);
            }
        });
        Ok(())
    }

    /// The current context, or null.
    fn cuCtxGetCurrent(context: Out<Handle<Context>>) {
        initialised()?;
        context.set(current_handle())
    }

    /// The current context's device.
    fn cuCtxGetDevice(device: Out<CUdevice>) {
        device.set(current_or_failed()?.device)
    }

    /// A number that no other context of the process has; null for the current one.
    fn cuCtxGetId(context: Handle<Context>, id: Out<u64>) {
        initialised()?;
        let context = if context.is_null() { current_or_failed()? } else { context.get()? };
        id.set(context.handle.0 as u64)
    }

    /// Waits for the context's work: it is done. Tells how it went.
    fn cuCtxSynchronize() {
        let context = current()?;
        context.captures.permit()?;
        late::wait_for_all(&context);
        context.sound()
    }

    /// The current context's flags.
    fn cuCtxGetFlags(flags: Out<c_uint>) {
        flags.set(current_or_failed()?.flags.load(Ordering::Relaxed))
    }

    /// Sets the current context's flags.
    fn cuCtxSetFlags(flags: c_uint) {
        let context = current_or_failed()?;
        check_flags(flags)?;
        context.set_flags(flags);
        Ok(())
    }

    /// A limit by its number in cuda.h.
    fn cuCtxGetLimit(value: Out<usize>, limit: c_uint) {
        let context = current()?;
        value.check()?;
        value.set(context.limit(limit)?.load(Ordering::Relaxed))
    }

    /// Sets a limit. That of the stack and that of the printf buffer matter here; the others are remembered.
    fn cuCtxSetLimit(limit: c_uint, value: usize) {
        let context = current()?;
        let value = match limit {
            STACK_SIZE if value as u64 > MOST_LOCAL_BYTES => return Err(CUDA_ERROR_INVALID_VALUE),
            // The card sets this memory aside.
            PRINTF_FIFO_SIZE | MALLOC_HEAP_SIZE if value as u64 > context.settings.memory_bytes => {
                return Err(CUDA_ERROR_OUT_OF_MEMORY);
            }
            FETCH_GRANULARITY if value > 128 => return Err(CUDA_ERROR_INVALID_VALUE),
            PERSISTING_L2 => 0, // there is no such cache
            _ => value,
        };
        context.limit(limit)?.store(value, Ordering::Relaxed);
        Ok(())
    }

    /// The version of the context's interface, as cuda.h counts; null for the current one.
    fn cuCtxGetApiVersion(context: Handle<Context>, version: Out<c_uint>) {
        initialised()?;
        if context.is_null() { current_or_failed()? } else { context.get()? };
        // What contexts have had since cuCtxCreate_v2.
        version.set(3020)
    }

    /// The preference between L1 and shared memory.
    fn cuCtxGetCacheConfig(preference: Out<c_uint>) {
        preference.set(current_or_failed()?.cache_preference.load(Ordering::Relaxed))
    }

    /// Sets the preference, which changes nothing here: every kernel gets the shared memory that it asks for.
    fn cuCtxSetCacheConfig(preference: c_uint) {
        let context = current_or_failed()?;
        if preference > 3 {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        context.cache_preference.store(preference, Ordering::Relaxed);
        Ok(())
    }
}
