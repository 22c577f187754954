//! Events: moments in a stream. Since nothing is ever behind, an event is over once it is recorded.

use std::ffi::c_uint;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::context::{Context, current};
use super::error::{Answer, CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE, CUresult};
use super::handle::{Handle, Registered, Registry};
use super::stream::Stream;
use super::types::Out;

/// What `CUevent` stands for.
#[derive(Debug)]
pub struct Event {
    pub(crate) context: Handle<Context>,
    flags: c_uint,
    recorded: Mutex<Option<Instant>>,
}

impl Registered for Event {
    const INVALID: CUresult = CUDA_ERROR_INVALID_HANDLE;

    fn registry() -> &'static Registry<Self> {
        static REGISTRY: Registry<Event> = Registry::new();
        &REGISTRY
    }
}

const BLOCKING_SYNC: c_uint = 1;
const DISABLE_TIMING: c_uint = 2;

impl Event {
    /// When it was recorded, of an event that has the time.
    fn time(&self) -> Answer<Instant> {
        let recorded = *self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.filter(|_| self.flags & DISABLE_TIMING == 0).ok_or(CUDA_ERROR_INVALID_HANDLE)
    }
}

fn record(event: Handle<Event>, stream: Handle<Stream>) -> Answer {
    let context = stream.context()?;
    let event = event.get()?;
    if event.context != context.handle {
        return Err(CUDA_ERROR_INVALID_HANDLE);
    }
    *event.recorded.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    Ok(())
}

/// The context's error, if its work failed.
fn wait(event: Handle<Event>) -> Answer {
    super::entry::initialised()?;
    event.get()?.context.get()?.sound()
}

fn elapsed(milliseconds: Out<f32>, start: Handle<Event>, end: Handle<Event>) -> Answer {
    wait(start)?;
    wait(end)?;
    milliseconds.check()?;
    let (start, end) = (start.get()?, end.get()?);
    if start.context != end.context {
        return Err(CUDA_ERROR_INVALID_HANDLE);
    }
    let (start, end) = (start.time()?, end.time()?);
    // Negative where the events came in the other order.
    let forward = end.saturating_duration_since(start).as_secs_f32();
    let backward = start.saturating_duration_since(end).as_secs_f32();
    milliseconds.set((forward - backward) * 1e3)
}

api! {
    /// Makes an event in the current context; none is shared between processes.
    fn cuEventCreate(event: Out<Handle<Event>>, flags: c_uint) {
        let context = current()?;
        event.check()?;
        if flags & !(BLOCKING_SYNC | DISABLE_TIMING) != 0 {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        event.set(Event::registry().insert(|_| Event { context: context.handle, flags, recorded: Mutex::new(None) }))
    }

    /// Records an event behind the stream's work, in its own context.
    fn cuEventRecord(event: Handle<Event>, stream: Handle<Stream>) {
        record(event, stream)
    }

    /// As [`cuEventRecord`]; the flag speaks of graphs.
    fn cuEventRecordWithFlags(event: Handle<Event>, stream: Handle<Stream>, flags: c_uint) {
        stream.context()?;
        if flags > 1 { Err(CUDA_ERROR_INVALID_VALUE) } else { record(event, stream) }
    }

    /// Whether the event is over: it is. Tells how the work before it went.
    fn cuEventQuery(event: Handle<Event>) {
        wait(event)
    }

    /// Waits for the event: it is over. Tells how the work before it went.
    fn cuEventSynchronize(event: Handle<Event>) {
        wait(event)
    }

    /// The host's time between two recorded events, in milliseconds. It says nothing of a card's.
    fn cuEventElapsedTime(milliseconds: Out<f32>, start: Handle<Event>, end: Handle<Event>) {
        elapsed(milliseconds, start, end)
    }

    /// As [`cuEventElapsedTime`].
    fn cuEventElapsedTime_v2(milliseconds: Out<f32>, start: Handle<Event>, end: Handle<Event>) {
        elapsed(milliseconds, start, end)
    }

    /// Ends an event.
    fn cuEventDestroy_v2(event: Handle<Event>) {
        super::entry::initialised()?;
        Event::registry().remove(event).map(drop).ok_or(CUDA_ERROR_INVALID_HANDLE)
    }
}
