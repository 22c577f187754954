//! A copy and a fill as data: where from, where to, how much. Both are done at once, or kept as nodes of a graph.

use std::ffi::c_void;

use super::context::Context;
use super::error::{Answer, CUDA_ERROR_INVALID_VALUE, CUresult};
use super::handle::Handle;
use crate::memory::{self, BadRange};

/// One end of a copy: its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// An address in the memory of a context.
    Device(u64, Handle<Context>),
    /// An address of the host.
    Host(usize),
}

impl End {
    /// A pointer that the caller says is the device's.
    pub(crate) fn device(address: u64, context: &Context) -> Self {
        Self::Device(address, context.holder_of(address))
    }

    /// With one address space for both, an address says where it lies.
    pub(crate) fn of(address: u64, context: &Context) -> Self {
        let shared = || memory::host::find(address).is_some();
        if memory::is_device_address(address) || shared() {
            Self::device(address, context)
        } else {
            Self::Host(address as usize)
        }
    }

    /// A pointer that the caller says is the host's.
    pub(crate) fn host(pointer: *const c_void) -> Answer<Self> {
        if pointer.is_null() || memory::is_device_address(pointer as u64) {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        Ok(Self::Host(pointer.addr()))
    }

    pub(crate) fn context(self) -> Option<Handle<Context>> {
        if let Self::Device(_, context) = self { Some(context) } else { None }
    }

    pub(crate) fn is_device(self) -> bool {
        matches!(self, Self::Device(..))
    }

    pub(crate) fn offset(self, bytes: usize) -> Self {
        match self {
            Self::Device(address, context) => Self::Device(address.wrapping_add(bytes as u64), context),
            Self::Host(address) => Self::Host(address.wrapping_add(bytes)),
        }
    }

    /// Refuses device memory that is not within one allocation, before a byte moves. The caller of the exported function
    /// vouches for the host's.
    fn check(self, bytes: usize) -> Answer {
        match self {
            Self::Device(address, context) => context.get()?.memory.check(address, bytes as u64).map_err(bad),
            Self::Host(0) => Err(CUDA_ERROR_INVALID_VALUE),
            Self::Host(_) => Ok(()),
        }
    }
}

fn bad(_: BadRange) -> CUresult {
    CUDA_ERROR_INVALID_VALUE
}

/// How the rows of an end lie: a row every `pitch` bytes, a plane every `rows` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Side {
    pub(crate) end: End,
    pub(crate) pitch: usize,
    pub(crate) rows: usize,
}

impl Side {
    /// Bytes in a row.
    pub(crate) fn linear(end: End) -> Self {
        Self { end, pitch: 0, rows: 0 }
    }

    /// Bytes from the first to behind the last.
    pub(crate) fn span(&self, [width, height, depth]: [usize; 3]) -> Answer<usize> {
        let planes = (depth - 1).checked_mul(self.rows).and_then(|rows| rows.checked_add(height - 1));
        let rows = planes.and_then(|rows| rows.checked_mul(self.pitch));
        rows.and_then(|bytes| bytes.checked_add(width)).ok_or(CUDA_ERROR_INVALID_VALUE)
    }

    fn row(&self, y: usize, z: usize) -> End {
        self.end.offset((z * self.rows + y) * self.pitch)
    }
}

/// A copy of a box of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) to: Side,
    pub(crate) from: Side,
    /// Bytes of a row, rows, planes.
    pub(crate) extent: [usize; 3],
}

impl Copy {
    pub(crate) fn linear(to: End, from: End, bytes: usize) -> Self {
        Self { to: Side::linear(to), from: Side::linear(from), extent: [bytes, 1, 1] }
    }

    /// Of an end on the device.
    pub(crate) fn context(&self) -> Option<Handle<Context>> {
        self.to.end.context().or(self.from.end.context())
    }

    fn is_empty(&self) -> bool {
        self.extent.contains(&0)
    }

    /// Refuses what does not fit, before a byte moves.
    pub(crate) fn check(&self) -> Answer {
        if self.is_empty() {
            return Ok(());
        }
        self.to.end.check(self.to.span(self.extent)?)?;
        self.from.end.check(self.from.span(self.extent)?)
    }

    /// Copies; the caller of the exported function vouches for the host's ends.
    pub(crate) fn run(&self) -> Answer {
        self.check()?;
        let [width, height, depth] = self.extent;
        if width == 0 {
            return Ok(());
        }
        for z in 0..depth {
            for y in 0..height {
                copy_row(self.to.row(y, z), self.from.row(y, z), width)?;
            }
        }
        Ok(())
    }
}

fn copy_row(to: End, from: End, bytes: usize) -> Answer {
    match (to, from) {
        (End::Device(to, to_context), End::Device(from, from_context)) => {
            let to_context = to_context.get()?;
            if to_context.handle == from_context {
                return to_context.memory.copy(to, from, bytes as u64).map_err(bad);
            }
            // Between contexts, through the host.
            let mut between = vec![0; bytes];
            from_context.get()?.memory.read(from, &mut between).map_err(bad)?;
            to_context.memory.write(to, &between).map_err(bad)
        }
        (End::Device(to, context), End::Host(from)) => {
            // SAFETY: as the caller of the exported function vouches; the slice lives for this call alone.
            let from = unsafe { std::slice::from_raw_parts(from as *const u8, bytes) };
            context.get()?.memory.write(to, from).map_err(bad)
        }
        (End::Host(to), End::Device(from, context)) => {
            // SAFETY: as the caller vouches; any byte is a valid u8, and they are written, not read.
            let to = unsafe { std::slice::from_raw_parts_mut(to as *mut u8, bytes) };
            context.get()?.memory.read(from, to).map_err(bad)
        }
        (End::Host(to), End::Host(from)) => {
            // SAFETY: as the caller vouches for both; they may overlap.
            unsafe { (to as *mut u8).copy_from(from as *const u8, bytes) };
            Ok(())
        }
    }
}

/// A fill of rows with a pattern of 1, 2 or 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fill {
    pub(crate) context: Handle<Context>,
    pub(crate) to: u64,
    /// Bytes from a row to the next.
    pub(crate) pitch: usize,
    pub(crate) value: u32,
    /// Of the pattern.
    pub(crate) bytes: usize,
    /// Patterns of a row.
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Fill {
    /// Of one row.
    pub(crate) fn linear(context: &Context, to: u64, value: u32, bytes: usize, count: usize) -> Self {
        Self { context: context.handle, to, pitch: 0, value, bytes, width: count, height: 1 }
    }

    pub(crate) fn check(&self) -> Answer {
        if !matches!(self.bytes, 1 | 2 | 4) {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        if self.width == 0 || self.height == 0 {
            return Ok(());
        }
        let aligned =
            self.to.is_multiple_of(self.bytes as u64) && (self.height == 1 || self.pitch.is_multiple_of(self.bytes));
        let row = self.width.checked_mul(self.bytes).filter(|&row| self.height == 1 || row <= self.pitch);
        let Some(row) = row.filter(|_| aligned) else { return Err(CUDA_ERROR_INVALID_VALUE) };
        let end = Side { end: End::Device(self.to, self.context), pitch: self.pitch, rows: 0 };
        end.end.check(end.span([row, self.height, 1])?)
    }

    pub(crate) fn run(&self) -> Answer {
        self.check()?;
        if self.width == 0 {
            return Ok(());
        }
        let context = self.context.get()?;
        let pattern = &self.value.to_le_bytes()[..self.bytes];
        for row in 0..self.height {
            let to = self.to + (row * self.pitch) as u64;
            context.memory.fill(to, pattern, self.width as u64).map_err(bad)?;
        }
        Ok(())
    }
}
