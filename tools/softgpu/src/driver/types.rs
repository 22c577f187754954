//! C types of the driver API, as the functions' arguments.

use std::ffi::{CStr, c_char, c_int, c_void};

use super::error::{Answer, CUDA_ERROR_INVALID_VALUE, CUresult};
use super::handle::Handle;
use super::stream::Stream;

/// An address of device memory.
pub type CUdeviceptr = u64;
/// A device's number.
pub type CUdevice = c_int;
/// Called by cuLaunchHostFunc.
pub type CUhostFn = Option<unsafe extern "C" fn(data: *mut c_void)>;
/// Called by cuStreamAddCallback.
pub type CUstreamCallback = Option<unsafe extern "C" fn(stream: Handle<Stream>, status: CUresult, data: *mut c_void)>;

/// A device's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CUuuid {
    /// In the order in which it is printed.
    pub bytes: [u8; 16],
}

/// Where a function writes one result: null, or valid for a write, as the function's safety section demands.
#[derive(Debug)]
#[repr(transparent)]
pub struct Out<T>(*mut T);

impl<T> Clone for Out<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Out<T> {}

impl<T> Out<T> {
    /// A place whose type another argument tells; the caller of the exported function vouches for its room.
    pub(crate) fn at(data: *mut c_void) -> Self {
        Self(data.cast())
    }

    /// Writes the result; null is an invalid value.
    pub(crate) fn set(self, value: T) -> Answer {
        self.check()?;
        self.set_if_asked(value);
        Ok(())
    }

    /// Writes the result where the caller wants it.
    pub(crate) fn set_if_asked(self, value: T) {
        if !self.0.is_null() {
            // SAFETY: an `Out` is an argument of an exported function, whose caller vouches for a pointer that is not null.
            // It need not be aligned: C callers pass members of packed structs.
            unsafe { self.0.write_unaligned(value) }
        }
    }

    /// What is there, of a place that is read before it is written.
    pub(crate) fn get(self) -> Answer<T> {
        self.check()?;
        // SAFETY: as for `set_if_asked`; the driver documents that the caller has put a value there.
        Ok(unsafe { self.0.read_unaligned() })
    }

    /// Refuses null, before anything changes.
    pub(crate) fn check(self) -> Answer {
        if self.0.is_null() { Err(CUDA_ERROR_INVALID_VALUE) } else { Ok(()) }
    }
}

/// A C string: null, or ending in a NUL.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Text(*const c_char);

impl Text {
    /// The string; null is an invalid value.
    pub(crate) fn get(&self) -> Answer<&CStr> {
        if self.0.is_null() {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        // SAFETY: a `Text` is an argument of an exported function, whose caller vouches for a pointer that is not null.
        Ok(unsafe { CStr::from_ptr(self.0) })
    }
}

/// Writes a string into a buffer of `length` bytes, cut to fit, always with its NUL.
pub(crate) fn write_text(buffer: *mut c_char, length: c_int, text: &str) -> Answer {
    let room = usize::try_from(length).ok().and_then(|length| length.checked_sub(1));
    let room = room.filter(|_| !buffer.is_null()).ok_or(CUDA_ERROR_INVALID_VALUE)?;
    let text = &text.as_bytes()[..text.len().min(room)];
    // SAFETY: the caller of the exported function vouches for `length` bytes at `buffer`, and this writes no more.
    unsafe {
        buffer.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len());
        buffer.add(text.len()).write(0);
    }
    Ok(())
}

/// An array of the caller's; null is one without elements.
///
/// # Safety
/// `elements` is null, or has `count` elements.
pub(crate) unsafe fn listed<'a, T>(elements: *const T, count: usize) -> Answer<&'a [T]> {
    match count {
        0 => Ok(&[]),
        _ if elements.is_null() => Err(CUDA_ERROR_INVALID_VALUE),
        // SAFETY: the caller's promise.
        _ => Ok(unsafe { std::slice::from_raw_parts(elements, count) }),
    }
}

/// Gives a list as the driver does: how many there are, without a place for them; else as many as there is room for, which
/// `count` tells, `nothing` in what room is left, and how many these were.
pub(crate) fn list<T: Copy>(all: &[T], to: *mut T, nothing: T, count: Out<usize>) -> Answer {
    if to.is_null() {
        return count.set(all.len());
    }
    let room = count.get()?;
    for i in 0..room {
        // SAFETY: the caller of the exported function vouches for as many places as it says.
        unsafe { to.add(i).write_unaligned(all.get(i).copied().unwrap_or(nothing)) };
    }
    count.set(room.min(all.len()))
}
