//! A warp's register file.

/// 32 lanes of 32 bits: a slot.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Row([u32; 32]);

/// Slots; a function's window of them begins anywhere.
#[derive(Debug, Default)]
pub(crate) struct Registers {
    rows: Vec<Row>,
}

impl Registers {
    /// Makes sure that there are `slots`.
    pub(crate) fn reserve(&mut self, slots: usize) {
        if self.rows.len() < slots {
            self.rows.resize(slots, Row([0; 32]));
        }
    }

    /// The window that begins at a slot: valid until the next [`Registers::reserve`].
    pub(crate) fn window(&mut self, slot: usize) -> *mut u32 {
        self.rows[slot..].as_mut_ptr().cast()
    }
}

/// The bits of a 32-bit slot, lane by lane.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
#[inline(always)]
pub(crate) unsafe fn row<'a>(regs: *mut u32, slot: u16) -> &'a mut [u32; 32] {
    // SAFETY: the window covers the slot; the caller holds no second reference to it.
    unsafe { &mut *regs.add(usize::from(slot) * 32).cast() }
}

/// The bits of a 64-bit pair of slots, lane by lane.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
#[inline(always)]
pub(crate) unsafe fn wide_row<'a>(regs: *mut u32, slot: u16) -> &'a mut [u64; 32] {
    // SAFETY: as for `row`; a window is aligned to 64 bytes.
    unsafe { &mut *regs.add(usize::from(slot) * 32).cast() }
}

/// The lanes of a mask, ascending.
#[inline(always)]
pub(crate) fn lanes(mask: u32) -> impl Iterator<Item = usize> {
    let mut rest = mask;
    std::iter::from_fn(move || {
        let lane = rest.trailing_zeros() as usize;
        rest &= rest.wrapping_sub(1);
        (lane < 32).then_some(lane)
    })
}
