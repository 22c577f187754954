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

/// The lanes whose predicate holds.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
#[inline(always)]
pub(crate) unsafe fn predicate(regs: *mut u32, slot: u16) -> u32 {
    // SAFETY: the caller's.
    let row = unsafe { row(regs, slot) };
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{__m128i, _mm_load_si128, _mm_movemask_epi8, _mm_packs_epi16, _mm_packs_epi32};
        // A lane is all zeros or all ones, so that narrowing keeps it, down to a byte whose sign is its bit.
        let sixteen = |from: usize| {
            let quarter = |i: usize| {
                // SAFETY: SSE2 is in every x86-64; a row has eight quarters of 16 bytes and is aligned to 64.
                unsafe { _mm_load_si128(row.as_ptr().cast::<__m128i>().add(from + i)) }
            };
            // SAFETY: as above.
            unsafe {
                let low = _mm_packs_epi32(quarter(0), quarter(1));
                let high = _mm_packs_epi32(quarter(2), quarter(3));
                _mm_movemask_epi8(_mm_packs_epi16(low, high)) as u32
            }
        };
        sixteen(0) | sixteen(4) << 16
    }
    #[cfg(not(target_arch = "x86_64"))]
    row.iter().enumerate().fold(0, |mask, (lane, &value)| mask | u32::from(value != 0) << lane)
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
