//! Events: moments in a stream. Since nothing is ever behind, an event is over once it is recorded.

use std::ffi::c_uint;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::capture::Captured;
use super::context::{Context, current};
use super::entry::initialised;
use super::error::{Answer, CUDA_ERROR_CAPTURED_EVENT, CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE, CUresult};
use super::handle::{Handle, Registered, Registry};
use super::late::{self, Behind};
use super::stream::Stream;
use super::types::Out;
use super::work::Work;
use super::{Call, this_call};

/// What `CUevent` stands for.
#[derive(Debug)]
pub struct Event {
    pub(crate) handle: Handle<Event>,
    pub(crate) context: Handle<Context>,
    flags: c_uint,
    pub(crate) made_by: Call,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(crate) enum State {
    New,
    Recorded {
        time: Instant,
        behind: Behind,
    },
    /// A place in a graph that is being captured, and no moment.
    Captured(Captured),
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
/// A record or a wait that becomes a node of a graph, where it would else only order its nodes.
pub(crate) const EXTERNAL: c_uint = 1;

impl Event {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in its updates panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is recorded, and over when the work before it is.
    pub(crate) fn happens(&self, behind: Behind) {
        let now = Instant::now();
        *self.state() = State::Recorded { time: behind.over.map_or(now, |over| over.max(now)), behind };
    }

    /// When it was recorded, of an event that has the time.
    fn time(&self) -> Answer<Instant> {
        match *self.state() {
            State::Recorded { time, .. } if self.flags & DISABLE_TIMING == 0 => Ok(time),
            _ => Err(CUDA_ERROR_INVALID_HANDLE),
        }
    }
}

fn record(event: Handle<Event>, stream: Handle<Stream>, flags: c_uint) -> Answer {
    let (stream, context) = stream.for_work()?;
    if flags & !EXTERNAL != 0 {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    let event = event.get()?;
    if event.context != context.handle {
        return Err(CUDA_ERROR_INVALID_HANDLE);
    }
    match stream.captured()? {
        Some(captured) if flags & EXTERNAL == 0 => {
            *event.state() = State::Captured(captured);
            Ok(())
        }
        _ => stream.give(&context, Work::Record(event)),
    }
}

/// The context's error, if its work failed; whether the work before the event is over, or a wait for that.
fn over(event: Handle<Event>, wait: bool) -> Answer {
    initialised()?;
    let event = event.get()?;
    let context = event.context.get()?;
    context.sound()?;
    let behind = match &*event.state() {
        State::Captured(_) => return Err(CUDA_ERROR_CAPTURED_EVENT),
        State::New => return Ok(()),
        State::Recorded { behind, .. } => behind.clone(),
    };
    if !wait {
        behind.check()?;
    }
    late::wait(&context, &behind);
    Ok(())
}

fn elapsed(milliseconds: Out<f32>, start: Handle<Event>, end: Handle<Event>) -> Answer {
    over(start, false)?;
    over(end, false)?;
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
        let make = |handle| Event { handle, context: context.handle, flags, made_by: this_call(), state: Mutex::new(State::New) };
        event.set(Event::registry().insert(make))
    }

    /// Records an event behind the stream's work, in its own context.
    fn cuEventRecord(event: Handle<Event>, stream: Handle<Stream>) {
        record(event, stream, 0)
    }

    /// As [`cuEventRecord`]; with the flag, a capture gets a node of it.
    fn cuEventRecordWithFlags(event: Handle<Event>, stream: Handle<Stream>, flags: c_uint) {
        record(event, stream, flags)
    }

    /// Whether the event is over: it is, unless its stream is slow on request. Tells how the work before it went.
    fn cuEventQuery(event: Handle<Event>) {
        over(event, false)
    }

    /// Waits for the event: it is over. Tells how the work before it went.
    fn cuEventSynchronize(event: Handle<Event>) {
        over(event, true)
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
        initialised()?;
        Event::registry().remove(event).map(drop).ok_or(CUDA_ERROR_INVALID_HANDLE)
    }
}
