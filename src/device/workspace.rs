//! Device memory that a handle needs while it runs, and what its kernels say about data that only they see.

use std::sync::atomic::{AtomicU64, Ordering};

use cudarc::driver::{CudaStream, sys};

use super::{Device, DevicePtr, Stream, driver};
use crate::status::{self, Expectation};
use crate::{Error, Result, check};

const OP: &str = "workspace";

/// Bytes before the part that handles use: the status, and what keeps that part on 256 bytes.
const STATUS_BYTES: u64 = 256;

/// A number that no other handle of the process has.
pub(crate) fn handle_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Device memory for one run at a time of any handle of its device: each run waits, by an event on its stream, for the one
/// before, on whatever stream that was.
#[derive(Debug)]
pub struct Workspace {
    device: Device,
    base: DevicePtr,
    bytes: usize,
    /// Recorded after each run.
    event: sys::CUevent,
    has_run: bool,
    /// Whose findings the status holds: the handle's number, and what it expects of its data.
    asked: Option<(u64, Expectation)>,
}

// SAFETY: an address and an event, which may be used from any thread.
unsafe impl Send for Workspace {}
// SAFETY: as above; what changes them takes `&mut`.
unsafe impl Sync for Workspace {}

impl Workspace {
    /// Memory for handles whose `workspace_bytes` are at most `bytes`. It never grows.
    ///
    /// # Errors
    /// `Driver` when there is not so much memory.
    pub fn new(device: &Device, bytes: usize) -> Result<Self> {
        let _current = device.enter(OP)?;
        let mut event = std::ptr::null_mut();
        let flags = sys::CUevent_flags::CU_EVENT_DISABLE_TIMING as u32;
        // SAFETY: `event` outlives the call.
        unsafe { driver::cuEventCreate(&raw mut event, flags) }.map_err(|failure| failure.of(OP))?;
        let device = device.clone();
        // Made first, so that its drop destroys the event when there is no memory.
        let mut workspace = Self { device, base: DevicePtr::NULL, bytes, event, has_run: false, asked: None };
        let total = bytes.saturating_add(usize::try_from(STATUS_BYTES).unwrap_or(0));
        // SAFETY: `base` outlives the call.
        unsafe { driver::cuMemAlloc_v2(&raw mut workspace.base.0, total) }.map_err(|failure| failure.of(OP))?;
        Ok(workspace)
    }

    /// Bytes that a handle can use.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the kernels have found in the data of the handle that ran last, since it was checked or another handle ran.
    pub fn status(&mut self) -> Status<'_> {
        Status { workspace: self }
    }

    /// Room for a run of the handle `number` on `stream`: where its memory is, and its status, which is clear or tells
    /// of earlier runs of the same handle. The context is current.
    pub(crate) fn begin(
        &mut self,
        operation: &'static str,
        device: &Device,
        stream: Stream,
        (number, expectation): (u64, Expectation),
        need_bytes: usize,
    ) -> Result<Room> {
        if self.device != *device {
            let (came, expected) = (self.device.context(), device.context());
            return Err(Error::WrongContext { operation, what: "the workspace", came, expected });
        }
        check::workspace(operation, self.bytes, need_bytes)?;
        // The event and the status of a workspace would be recorded into the graph, and not happen.
        if stream.is_capturing(operation)? {
            return Err(Error::Capturing { operation });
        }
        self.follow(operation, stream)?;
        if self.asked.is_none_or(|(asked, _)| asked != number) {
            self.clear(operation, stream)?;
        }
        self.asked = Some((number, expectation));
        Ok(Room { status: self.base, memory: self.base.add(STATUS_BYTES), bytes: self.bytes })
    }

    /// The run is on its stream, whole.
    pub(crate) fn end(&mut self, operation: &'static str, stream: Stream) -> Result<()> {
        self.has_run = true;
        // SAFETY: the event is the workspace's; the stream is alive: the caller borrows it.
        unsafe { driver::cuEventRecord(self.event, stream.raw()) }.map_err(|failure| failure.of(operation))
    }

    /// What is put on `stream` comes after the last run.
    fn follow(&self, operation: &'static str, stream: Stream) -> Result<()> {
        // Also where the stream seems the same: a stream that was destroyed leaves its address to another.
        if !self.has_run {
            return Ok(());
        }
        // SAFETY: the event is the workspace's; the stream is alive: the caller borrows it.
        unsafe { driver::cuStreamWaitEvent(stream.raw(), self.event, 0) }.map_err(|failure| failure.of(operation))
    }

    /// Nothing is found yet.
    fn clear(&mut self, operation: &'static str, stream: Stream) -> Result<()> {
        self.asked = None;
        // SAFETY: the status is the workspace's memory, the stream is alive.
        unsafe { driver::cuMemsetD8Async(self.base.0, 0xff, status::BYTES, stream.raw()) }
            .map_err(|failure| failure.of(operation))
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if let Ok(_current) = self.device.enter(OP) {
            // An answer other than success has nobody to hear it.
            if self.base != DevicePtr::NULL {
                // SAFETY: the memory is the workspace's; the driver waits for what still uses it.
                let _ = unsafe { driver::cuMemFree_v2(self.base.0) };
            }
            // SAFETY: the event is the workspace's.
            let _ = unsafe { driver::cuEventDestroy_v2(self.event) };
        }
    }
}

/// A run's part of a workspace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) status: DevicePtr,
    pub(crate) memory: DevicePtr,
    pub(crate) bytes: usize,
}

/// What the kernels have found in the data.
#[derive(Debug)]
pub struct Status<'a> {
    workspace: &'a mut Workspace,
}

impl Status<'_> {
    /// Waits for what is on `stream` and for the last run, and tells what was found. It is told once.
    ///
    /// # Errors
    /// What the handle's page says of its data: `TargetOutOfRange`; `WrongContext` for a stream of another context;
    /// `Driver` for what went wrong on the device.
    pub fn check(&mut self, stream: &CudaStream) -> Result<()> {
        let Some((_, expectation)) = self.workspace.asked else { return Ok(()) };
        let operation = expectation.operation;
        let (stream, _current) = self.workspace.device.enter_with(operation, stream)?;
        self.workspace.follow(operation, stream)?;
        let mut bytes = [0_u8; status::BYTES];
        // SAFETY: `bytes` is as long as what is read, and outlives the wait below.
        unsafe {
            driver::cuMemcpyDtoHAsync_v2(bytes.as_mut_ptr().cast(), self.workspace.base.0, bytes.len(), stream.raw())
        }
        .map_err(|failure| failure.of(operation))?;
        // SAFETY: the stream is alive: the caller borrows it.
        unsafe { driver::cuStreamSynchronize(stream.raw()) }.map_err(|failure| failure.of(operation))?;
        let told = expectation.meets(bytes);
        if told.is_err() {
            self.workspace.clear(operation, stream)?;
            self.workspace.end(operation, stream)?;
        }
        told
    }
}
