//! PTX ISA, "Data Movement and Conversion Instructions": ld and st.
//!
//! An access first tries to be what most are, all lanes on one contiguous range or all on one address: bounds, alignment,
//! state and counters are then one step each. Anything else, and anything wrong, goes lane by lane.

use super::access::{self, At, Shape, Span};
use super::races;
use crate::execute::registers::{lanes, row, wide_row};
use crate::execute::tally::Direction;
use crate::execute::warp::{Step, Stopped};
use crate::program::{Access, NONE, Number};
use crate::races::Does;

pub(crate) use super::async_copy::{Copies, cp_async, cp_async_wait};
pub(crate) use super::atomic::atom;

/// ld, ld.volatile, ld.acquire, of one element or a vector.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
#[inline(always)]
unsafe fn load(step: &mut Step<'_, '_>, access: &Access, mask: u32) -> Result<(), Stopped> {
    let width = access::width(access);
    if mask == u32::MAX && !access.strong {
        // SAFETY: the caller's, here and below.
        let (shape, address) = unsafe { access::shape(step, access, width) };
        if let Some((span, bytes)) = access::whole(step, access.space, shape, address, width)
            && span.written(bytes)
            && !access::in_flight(step, &span, bytes)
        {
            access::count(step, Direction::Load, &span, address, bytes, width);
            if let Some(found) = races::whole(step, Does::READ, &span, bytes, width) {
                races::report(step, "load", width, &found, false);
            }
            // SAFETY: the span holds `bytes` from here on.
            unsafe {
                if shape == Shape::Line {
                    read_line(step.regs, access, span.at);
                } else {
                    read_point(step.regs, access, span.at);
                }
            }
            return Ok(());
        }
    }
    // SAFETY: the caller's.
    unsafe { load_by_lane(step, access, mask) }
}

by_level! {
    pub(crate) const LOAD = load(step: &mut Step<'_, '_>, access: &Access, mask: u32) -> Result<(), Stopped>;
}

by_level! {
    pub(crate) const STORE = store(step: &mut Step<'_, '_>, access: &Access, mask: u32) -> Result<(), Stopped>;
}

/// # Safety
/// As for [`load`].
#[inline(never)]
unsafe fn load_by_lane(step: &mut Step<'_, '_>, access: &Access, mask: u32) -> Result<(), Stopped> {
    // SAFETY: the caller's.
    let addresses = &unsafe { access::addresses(step, access.space, access.base, access.offset) };
    let width = access::width(access);
    let spans = access::by_lane(step, access.space, "load", addresses, mask, width)?;
    for lane in lanes(mask) {
        let Some(span) = spans[lane] else { continue };
        if !span.written(width) {
            access::report_unwritten(step, "load", &span, addresses[lane], width, lane);
        }
        access::check_landed(step, &span, width, lane);
    }
    access::count_by_lane(step, Direction::Load, &spans, addresses, width);
    for found in races::by_lane(step, Does { writes: false, strong: access.strong }, &spans, width) {
        races::report(step, "load", width, &found, false);
    }
    let at = |lane: usize| spans[lane].map_or(std::ptr::null(), |span: Span| span.at.cast_const());
    if access.strong {
        step.polled = true;
        // SAFETY: `by_lane` checked bounds and alignment of every lane of the mask.
        unsafe { read_strong(step.regs, access, mask, at) };
        races::acquire(step, &spans, mask, width);
    } else {
        // SAFETY: as above.
        unsafe { read(step.regs, access, mask, |lane| at(lane).cast_mut()) };
    }
    Ok(())
}

/// st, st.volatile, st.release, of one element or a vector.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
#[inline(always)]
unsafe fn store(step: &mut Step<'_, '_>, access: &Access, mask: u32) -> Result<(), Stopped> {
    let width = access::width(access);
    step.worker.changes += 1;
    if mask == u32::MAX && !access.strong {
        // SAFETY: the caller's, here and below.
        let (shape, address) = unsafe { access::shape(step, access, width) };
        if shape == Shape::Line
            && let Some((span, bytes)) = access::whole(step, access.space, shape, address, width)
            && span.kind != At::Constant
        {
            access::count(step, Direction::Store, &span, address, bytes, width);
            span.set_written(bytes);
            if let Some(found) = races::whole(step, Does::WRITE, &span, bytes, width) {
                // SAFETY: as above.
                unsafe { report_store(step, access, mask, &span.line(width), &found) };
            }
            // SAFETY: the span holds `bytes` from here on.
            unsafe { write_line(step.regs, access, span.at) };
            return Ok(());
        }
    }
    // SAFETY: the caller's.
    unsafe { store_by_lane(step, access, mask) }
}

/// # Safety
/// As for [`store`].
#[inline(never)]
unsafe fn store_by_lane(step: &mut Step<'_, '_>, access: &Access, mask: u32) -> Result<(), Stopped> {
    // SAFETY: the caller's.
    let addresses = &unsafe { access::addresses(step, access.space, access.base, access.offset) };
    let width = access::width(access);
    let spans = access::by_lane(step, access.space, "store", addresses, mask, width)?;
    access::count_by_lane(step, Direction::Store, &spans, addresses, width);
    for span in spans.iter().flatten() {
        span.set_written(width);
    }
    for found in races::by_lane(step, Does { writes: true, strong: access.strong }, &spans, width) {
        // SAFETY: as above.
        unsafe { report_store(step, access, mask, &spans, &found) };
    }
    let at = |lane: usize| spans[lane].map_or(std::ptr::null_mut(), |span: Span| span.at);
    if access.strong {
        races::publish(step, access, &spans, mask, width);
        // SAFETY: `by_lane` checked bounds and alignment of every lane of the mask.
        unsafe { write_strong(step.regs, access, mask, at) };
    } else {
        // SAFETY: as above.
        unsafe { write(step.regs, access, mask, at) };
    }
    Ok(())
}

/// Says that a store races, before it is made.
///
/// # Safety
/// As for [`store`].
#[cold]
unsafe fn report_store(
    step: &mut Step<'_, '_>,
    access: &Access,
    mask: u32,
    spans: &[Option<Span>; 32],
    found: &races::Found,
) {
    let mut values = Lanes([[0; 32]; 32]);
    let first: *mut u8 = values.0.as_mut_ptr().cast();
    // SAFETY: a lane's row has 32 bytes, more than any access.
    unsafe { write(step.regs, access, mask, |lane| first.add(lane * 32)) };
    let width = access::width(access);
    let equal = found.writes_equal_bits(step, spans, &values.0, width);
    races::report(step, "store", width, found, equal);
}

/// Bytes of each lane's access, aligned for the widest.
#[repr(align(32))]
struct Lanes([[u8; 32]; 32]);

/// [`read`] of all lanes from one contiguous range: the forms that kernels use most, each compiled for itself, and any
/// other.
///
/// # Safety
/// The range is readable for 32 times the access's width and aligned to the width.
#[inline(always)]
unsafe fn read_line(regs: *mut u32, access: &Access, at: *mut u8) {
    let signed = access.number == Number::Signed;
    // SAFETY: the caller's.
    unsafe {
        match (access.elements, access.element_bytes, access.register_bytes) {
            (1, 2, 2 | 4) if !signed => unpack::<u16, u32, 1>(regs, access, at, u32::from),
            (2, 2, 2 | 4) if !signed => unpack::<u16, u32, 2>(regs, access, at, u32::from),
            (4, 2, 2 | 4) if !signed => unpack::<u16, u32, 4>(regs, access, at, u32::from),
            (1, 4, 4) if access.registers[0] != NONE => {
                at.cast_const().copy_to_nonoverlapping(row_at(regs, access.registers[0]), 32 * 4);
            }
            (2, 4, 4) => unpack::<u32, u32, 2>(regs, access, at, |v| v),
            (4, 4, 4) => unpack::<u32, u32, 4>(regs, access, at, |v| v),
            (1, 8, 8) => unpack::<u64, u64, 1>(regs, access, at, |v| v),
            (2, 8, 8) => unpack::<u64, u64, 2>(regs, access, at, |v| v),
            _ => read(regs, access, u32::MAX, |lane| at.add(lane * access::width(access) as usize)),
        }
    }
}

/// [`write`] of all lanes to one contiguous range.
///
/// # Safety
/// The range is writable for 32 times the access's width and aligned to the width.
#[inline(always)]
unsafe fn write_line(regs: *mut u32, access: &Access, at: *mut u8) {
    // SAFETY: the caller's.
    unsafe {
        match (access.elements, access.element_bytes, access.register_bytes) {
            (1, 2, 2 | 4) => pack::<u32, u16, 1>(regs, access, at, |v| v as u16),
            (2, 2, 2 | 4) => pack::<u32, u16, 2>(regs, access, at, |v| v as u16),
            (4, 2, 2 | 4) => pack::<u32, u16, 4>(regs, access, at, |v| v as u16),
            (1, 4, 4) => at.copy_from_nonoverlapping(row_at(regs, access.registers[0]), 32 * 4),
            (2, 4, 4) => pack::<u32, u32, 2>(regs, access, at, |v| v),
            (4, 4, 4) => pack::<u32, u32, 4>(regs, access, at, |v| v),
            (1, 8, 8) => pack::<u64, u64, 1>(regs, access, at, |v| v),
            (2, 8, 8) => pack::<u64, u64, 2>(regs, access, at, |v| v),
            _ => write(regs, access, u32::MAX, |lane| at.add(lane * access::width(access) as usize)),
        }
    }
}

/// The first byte of a register: no memory of the device overlaps it.
///
/// # Safety
/// The window covers the slot.
#[inline(always)]
unsafe fn row_at(regs: *mut u32, slot: u16) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { regs.add(usize::from(slot) * 32).cast() }
}

/// 32 times N elements in memory to N registers. The range is copied first: so the compiler sees that no register lies
/// in it, and deals it out by vectors.
///
/// # Safety
/// As for [`read_line`]; N is the access's count of elements, T an element, R a register's lane.
#[inline(always)]
unsafe fn unpack<T: Copy, R: Copy + Default, const N: usize>(
    regs: *mut u32,
    access: &Access,
    at: *const u8,
    widen: impl Fn(T) -> R,
) {
    // SAFETY: the caller's.
    let line = unsafe { at.cast::<[[T; N]; 32]>().read_unaligned() };
    for (element, &slot) in access.registers[..N].iter().enumerate().filter(|&(_, &slot)| slot != NONE) {
        let mut row = [R::default(); 32];
        for (to, from) in row.iter_mut().zip(&line) {
            *to = widen(from[element]);
        }
        // SAFETY: the window covers the register's slots.
        unsafe { regs.add(usize::from(slot) * 32).cast::<[R; 32]>().write(row) };
    }
}

/// N registers to 32 times N elements in memory.
///
/// # Safety
/// As for [`write_line`]; N is the access's count of elements, R a register's lane, T an element.
#[inline(always)]
unsafe fn pack<R: Copy, T: Copy + Default, const N: usize>(
    regs: *mut u32,
    access: &Access,
    at: *mut u8,
    narrow: impl Fn(R) -> T,
) {
    let mut line = [[T::default(); N]; 32];
    for (element, &slot) in access.registers[..N].iter().enumerate() {
        // SAFETY: the window covers the register's slots.
        let row = unsafe { regs.add(usize::from(slot) * 32).cast::<[R; 32]>().read() };
        for (to, from) in line.iter_mut().zip(row) {
            to[element] = narrow(from);
        }
    }
    // SAFETY: the caller's.
    unsafe { at.cast::<[[T; N]; 32]>().write_unaligned(line) };
}

/// [`read`] of all lanes from one address.
///
/// # Safety
/// `at` is readable for the access's width and aligned to it.
#[inline(always)]
unsafe fn read_point(regs: *mut u32, access: &Access, at: *mut u8) {
    let signed = access.number == Number::Signed;
    for (element, &slot) in access.registers[..usize::from(access.elements)].iter().enumerate() {
        if slot == NONE {
            continue;
        }
        // SAFETY: the caller's; the window covers the register's slots.
        unsafe {
            let from = at.add(element * usize::from(access.element_bytes));
            let bits = match (access.element_bytes, signed) {
                (1, false) => u64::from(from.read()),
                (1, true) => i64::from(from.cast::<i8>().read()) as u64,
                (2, false) => u64::from(from.cast::<u16>().read()),
                (2, true) => i64::from(from.cast::<i16>().read()) as u64,
                (4, false) => u64::from(from.cast::<u32>().read()),
                (4, true) => i64::from(from.cast::<i32>().read()) as u64,
                _ => from.cast::<u64>().read(),
            };
            match access.register_bytes {
                8 => *wide_row(regs, slot) = [bits; 32],
                4 => *row(regs, slot) = [bits as u32; 32],
                // A 16-bit register is zero-extended in its slot, whatever it holds.
                _ => *row(regs, slot) = [bits as u32 & 0xffff; 32],
            }
        }
    }
}

/// One element of every lane of the mask into a 32-bit slot.
///
/// # Safety
/// `from` gives readable, aligned pointers for the lanes of the mask; the window covers the slot.
#[inline(always)]
unsafe fn read_row<T: Copy>(to: &mut [u32; 32], mask: u32, from: impl Fn(usize) -> *mut u8, widen: impl Fn(T) -> u32) {
    if mask == u32::MAX {
        for (lane, to) in to.iter_mut().enumerate() {
            // SAFETY: the caller's.
            *to = widen(unsafe { from(lane).cast::<T>().read() });
        }
    } else {
        for lane in lanes(mask) {
            // SAFETY: the caller's.
            to[lane] = widen(unsafe { from(lane).cast::<T>().read() });
        }
    }
}

/// The same, into two slots.
///
/// # Safety
/// As for [`read_row`].
#[inline(always)]
unsafe fn read_wide<T: Copy>(to: &mut [u64; 32], mask: u32, from: impl Fn(usize) -> *mut u8, widen: impl Fn(T) -> u64) {
    if mask == u32::MAX {
        for (lane, to) in to.iter_mut().enumerate() {
            // SAFETY: the caller's.
            *to = widen(unsafe { from(lane).cast::<T>().read() });
        }
    } else {
        for lane in lanes(mask) {
            // SAFETY: the caller's.
            to[lane] = widen(unsafe { from(lane).cast::<T>().read() });
        }
    }
}

/// Elements in memory to registers. A narrower element is extended to its register, by sign where its type has one.
///
/// # Safety
/// `at` gives, for the lanes of the mask, aligned pointers that are good for the access's width.
#[inline(always)]
unsafe fn read(regs: *mut u32, access: &Access, mask: u32, at: impl Fn(usize) -> *mut u8) {
    let signed = access.number == Number::Signed;
    for element in 0..usize::from(access.elements) {
        let slot = access.registers[element];
        if slot == NONE {
            continue;
        }
        let skip = element * usize::from(access.element_bytes);
        // SAFETY: the caller's, for everything below.
        let from = |lane| unsafe { at(lane).add(skip) };
        // SAFETY: as above.
        unsafe {
            if access.register_bytes == 8 {
                let to = wide_row(regs, slot);
                match (access.element_bytes, signed) {
                    (1, false) => read_wide(to, mask, from, |v: u8| u64::from(v)),
                    (1, true) => read_wide(to, mask, from, |v: i8| i64::from(v) as u64),
                    (2, false) => read_wide(to, mask, from, |v: u16| u64::from(v)),
                    (2, true) => read_wide(to, mask, from, |v: i16| i64::from(v) as u64),
                    (4, false) => read_wide(to, mask, from, |v: u32| u64::from(v)),
                    (4, true) => read_wide(to, mask, from, |v: i32| i64::from(v) as u64),
                    _ => read_wide(to, mask, from, |v: u64| v),
                }
            } else {
                let to = row(regs, slot);
                // A 16-bit register is zero-extended in its slot, whatever it holds.
                let kept = if access.register_bytes == 4 { u32::MAX } else { 0xffff };
                match (access.element_bytes, signed) {
                    (1, false) => read_row(to, mask, from, |v: u8| u32::from(v)),
                    (1, true) => read_row(to, mask, from, |v: i8| i32::from(v) as u32 & kept),
                    (2, false) => read_row(to, mask, from, |v: u16| u32::from(v)),
                    (2, true) => read_row(to, mask, from, |v: i16| i32::from(v) as u32 & kept),
                    _ => read_row(to, mask, from, |v: u32| v),
                }
            }
        }
    }
}

/// [`read`], by atomic loads: another worker may be writing what this one polls.
///
/// # Safety
/// As for [`read`].
unsafe fn read_strong(regs: *mut u32, access: &Access, mask: u32, at: impl Fn(usize) -> *const u8) {
    let mut copies = [[0u8; 32]; 32];
    for lane in lanes(mask) {
        for element in 0..usize::from(access.elements) {
            let bytes = usize::from(access.element_bytes);
            // SAFETY: the caller's; an element is aligned to its size.
            let bits = unsafe { super::atomic::load(at(lane).add(element * bytes).cast_mut(), access.element_bytes) };
            copies[lane][element * bytes..][..bytes].copy_from_slice(&bits.to_le_bytes()[..bytes]);
        }
    }
    // SAFETY: rows of 32 bytes are aligned as far as `read` needs it once they are copied by elements.
    unsafe { read_copies(regs, access, mask, &mut copies) }
}

/// # Safety
/// The window covers the access's registers.
unsafe fn read_copies(regs: *mut u32, access: &Access, mask: u32, copies: &mut [[u8; 32]; 32]) {
    let mut aligned = Lanes(*copies);
    let first: *mut u8 = aligned.0.as_mut_ptr().cast();
    // SAFETY: a lane's row has 32 bytes, more than any access.
    unsafe { read(regs, access, mask, |lane| first.add(lane * 32)) }
}

/// Registers to elements in memory: the low bits of each.
///
/// # Safety
/// `at` gives, for the lanes of the mask, aligned pointers that are good for the access's width.
#[inline(always)]
unsafe fn write(regs: *mut u32, access: &Access, mask: u32, at: impl Fn(usize) -> *mut u8) {
    for element in 0..usize::from(access.elements) {
        let slot = access.registers[element];
        let skip = element * usize::from(access.element_bytes);
        // SAFETY: the caller's, for everything below.
        let to = |lane| unsafe { at(lane).add(skip) };
        // SAFETY: as above.
        unsafe {
            if access.register_bytes == 8 {
                let from = wide_row(regs, slot);
                match access.element_bytes {
                    1 => write_row(mask, to, |lane| from[lane] as u8),
                    2 => write_row(mask, to, |lane| from[lane] as u16),
                    4 => write_row(mask, to, |lane| from[lane] as u32),
                    _ => write_row(mask, to, |lane| from[lane]),
                }
            } else {
                let from = row(regs, slot);
                match access.element_bytes {
                    1 => write_row(mask, to, |lane| from[lane] as u8),
                    2 => write_row(mask, to, |lane| from[lane] as u16),
                    _ => write_row(mask, to, |lane| from[lane]),
                }
            }
        }
    }
}

/// # Safety
/// `to` gives writable, aligned pointers for the lanes of the mask.
#[inline(always)]
unsafe fn write_row<T: Copy>(mask: u32, to: impl Fn(usize) -> *mut u8, from: impl Fn(usize) -> T) {
    if mask == u32::MAX {
        for lane in 0..32 {
            // SAFETY: the caller's.
            unsafe { to(lane).cast::<T>().write(from(lane)) };
        }
    } else {
        for lane in lanes(mask) {
            // SAFETY: the caller's.
            unsafe { to(lane).cast::<T>().write(from(lane)) };
        }
    }
}

/// [`write`], by atomic stores.
///
/// # Safety
/// As for [`write`].
unsafe fn write_strong(regs: *mut u32, access: &Access, mask: u32, at: impl Fn(usize) -> *mut u8) {
    for lane in lanes(mask) {
        for element in 0..usize::from(access.elements) {
            let slot = access.registers[element];
            // SAFETY: the caller's; an element is aligned to its size.
            unsafe {
                let bits = if access.register_bytes == 8 {
                    wide_row(regs, slot)[lane]
                } else {
                    u64::from(row(regs, slot)[lane])
                };
                let to = at(lane).add(element * usize::from(access.element_bytes));
                super::atomic::store(to, access.element_bytes, bits);
            }
        }
    }
}
