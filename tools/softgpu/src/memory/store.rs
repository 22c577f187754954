//! The host memory behind an allocation, a block's shared memory or a thread's local memory.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::OnceLock;

use super::bits::Bits;
use crate::races::global::Shadow;

/// Bytes, and for each whether anything has written it.
///
/// Kernels read and write it from several threads at once. A kernel with a data race gets some of the bytes that were
/// written, as on a card; atomics and volatile accesses go through atomics of the host.
#[derive(Debug)]
pub(crate) struct Store {
    data: NonNull<u8>,
    bytes: usize,
    /// How it was allocated; `None` where the bytes are the host's own.
    layout: Option<Layout>,
    pub(crate) written: Bits,
    /// Of device memory: who accessed it last.
    pub(crate) races: OnceLock<Shadow>,
}

// SAFETY: the bytes are only reached through raw pointers, by the rules that the type states; `Bits` is atomic.
unsafe impl Send for Store {}
// SAFETY: as above.
unsafe impl Sync for Store {}

impl Store {
    /// Aligned for every access that PTX has. More would keep the allocator from handing out untouched pages, which
    /// cost nothing until they are used.
    const ALIGN: usize = 16;

    const PAGE: usize = 4096;

    fn layout(bytes: usize) -> Option<Layout> {
        Layout::from_size_align(bytes.max(1), Self::ALIGN).ok()
    }

    fn allocate(bytes: usize, layout: Layout, written: fn(usize) -> Bits) -> Option<Self> {
        // SAFETY: every layout of this file has at least one byte.
        let data = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { data, bytes, layout: Some(layout), written: written(bytes), races: OnceLock::new() })
    }

    /// `None` when the host has not that much.
    pub(crate) fn try_new(bytes: usize) -> Option<Self> {
        Self::allocate(bytes, Self::layout(bytes)?, Bits::new)
    }

    /// As [`Store::try_new`], written with zeros: untouched pages cost nothing all the same.
    pub(crate) fn try_zeroed(bytes: usize) -> Option<Self> {
        Self::allocate(bytes, Self::layout(bytes)?, Bits::full)
    }

    /// As [`Store::try_zeroed`], aligned to a page.
    pub(crate) fn of_pages(bytes: usize) -> Option<Self> {
        Self::allocate(bytes, Layout::from_size_align(bytes.max(1), Self::PAGE).ok()?, Bits::full)
    }

    /// Memory of the host's own, all of it written; `None` for null, or a range past the end of the address space.
    ///
    /// # Safety
    /// The bytes are valid for reads and writes as long as the store is, and nobody takes references to them meanwhile.
    pub(crate) unsafe fn of_host(data: *mut u8, bytes: usize) -> Option<Self> {
        isize::try_from(bytes).ok().and_then(|_| data.addr().checked_add(bytes))?;
        let written = Bits::full(bytes);
        Some(Self { data: NonNull::new(data)?, bytes, layout: None, written, races: OnceLock::new() })
    }

    /// For the small memories of blocks and threads.
    pub(crate) fn new(bytes: usize) -> Self {
        Self::try_new(bytes).unwrap_or_else(|| {
            handle_alloc_error(Self::layout(bytes).unwrap_or(Layout::new::<u8>()));
        })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline(always)]
    pub(crate) fn data(&self) -> *mut u8 {
        self.data.as_ptr()
    }

    /// # Panics
    /// When the range does not lie within the store.
    pub(crate) fn write(&self, offset: usize, from: &[u8]) {
        assert!(offset <= self.bytes && from.len() <= self.bytes - offset);
        // SAFETY: the range was checked; `from` is Rust memory, which a store never overlaps.
        unsafe { self.data().add(offset).copy_from_nonoverlapping(from.as_ptr(), from.len()) };
        self.written.set(offset, from.len());
    }

    /// # Panics
    /// When the range does not lie within the store.
    pub(crate) fn read(&self, offset: usize, to: &mut [u8]) {
        assert!(offset <= self.bytes && to.len() <= self.bytes - offset);
        // SAFETY: as for `write`.
        unsafe { to.as_mut_ptr().copy_from_nonoverlapping(self.data().add(offset), to.len()) };
    }

    /// Bytes and their state; the ranges may overlap.
    ///
    /// # Panics
    /// When a range does not lie within its store.
    pub(crate) fn copy_from(&self, offset: usize, from: &Self, from_offset: usize, bytes: usize) {
        assert!(offset <= self.bytes && bytes <= self.bytes - offset);
        assert!(from_offset <= from.bytes && bytes <= from.bytes - from_offset);
        // SAFETY: both ranges were checked.
        unsafe { self.data().add(offset).copy_from(from.data().add(from_offset), bytes) };
        self.written.copy_from(offset, &from.written, from_offset, bytes);
    }

    /// Everything is as never written; the bytes stay.
    pub(crate) fn forget(&self) {
        self.written.clear(0, self.bytes);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(layout) = self.layout {
            // SAFETY: allocated with this layout, and dropped once.
            unsafe { dealloc(self.data.as_ptr(), layout) }
        }
    }
}
