//! PTX ISA, "Parallel Synchronization and Communication Instructions": atom and red.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::SeqCst};

use super::access;
use super::races;
use crate::execute::registers::{lanes, row, wide_row};
use crate::execute::warp::{Step, Stopped};
use crate::program::{Access, AtomicOp, NONE, Number, Op};
use crate::races::Does;

/// An element's bits, by an atomic load.
///
/// # Safety
/// `at` is readable for `bytes` and aligned to them.
pub(crate) unsafe fn load(at: *mut u8, bytes: u8) -> u64 {
    // SAFETY: the caller's. What else goes through the same bytes is another worker's emulated access.
    unsafe {
        match bytes {
            1 => u64::from(AtomicU8::from_ptr(at).load(SeqCst)),
            2 => u64::from(AtomicU16::from_ptr(at.cast()).load(SeqCst)),
            4 => u64::from(AtomicU32::from_ptr(at.cast()).load(SeqCst)),
            _ => AtomicU64::from_ptr(at.cast()).load(SeqCst),
        }
    }
}

/// The low bits of `value`, by an atomic store.
///
/// # Safety
/// `at` is writable for `bytes` and aligned to them.
pub(crate) unsafe fn store(at: *mut u8, bytes: u8, value: u64) {
    // SAFETY: as for `load`.
    unsafe {
        match bytes {
            1 => AtomicU8::from_ptr(at).store(value as u8, SeqCst),
            2 => AtomicU16::from_ptr(at.cast()).store(value as u16, SeqCst),
            4 => AtomicU32::from_ptr(at.cast()).store(value as u32, SeqCst),
            _ => AtomicU64::from_ptr(at.cast()).store(value, SeqCst),
        }
    }
}

/// Replaces an element by `change` of it; gives what was there.
///
/// # Safety
/// `at` is writable for `bytes` and aligned to them.
unsafe fn update(at: *mut u8, bytes: u8, change: impl Fn(u64) -> u64) -> u64 {
    // SAFETY: as for `load`. `fetch_update` cannot fail, as the closure always answers.
    unsafe {
        match bytes {
            2 => {
                let cell = AtomicU16::from_ptr(at.cast());
                let old = cell.fetch_update(SeqCst, SeqCst, |old| Some(change(u64::from(old)) as u16));
                u64::from(old.unwrap_or_else(|old| old))
            }
            4 => {
                let cell = AtomicU32::from_ptr(at.cast());
                let old = cell.fetch_update(SeqCst, SeqCst, |old| Some(change(u64::from(old)) as u32));
                u64::from(old.unwrap_or_else(|old| old))
            }
            _ => {
                let cell = AtomicU64::from_ptr(at.cast());
                cell.fetch_update(SeqCst, SeqCst, |old| Some(change(old))).unwrap_or_else(|old| old)
            }
        }
    }
}

/// What an atomic puts in the place of `a`; the bits above the element's width are of no account.
pub(crate) fn apply(op: AtomicOp, number: Number, bytes: u8, a: u64, b: u64, c: u64) -> u64 {
    let narrow = bytes == 4;
    let signed = |v: u64| if narrow { i64::from(v as i32) } else { v.cast_signed() };
    match (op, number) {
        (AtomicOp::Add, Number::F32) => u64::from((f32::from_bits(a as u32) + f32::from_bits(b as u32)).to_bits()),
        (AtomicOp::Add, Number::F64) => (f64::from_bits(a) + f64::from_bits(b)).to_bits(),
        (AtomicOp::Add, Number::F16) => u64::from(halves::add_f16(a as u16, b as u16)),
        (AtomicOp::Add, Number::BF16) => u64::from(halves::add_bf16(a as u16, b as u16)),
        (AtomicOp::Add, Number::F16x2) => halves::packed(halves::add_f16, a, b),
        (AtomicOp::Add, Number::BF16x2) => halves::packed(halves::add_bf16, a, b),
        (AtomicOp::Add, _) => a.wrapping_add(b),
        (AtomicOp::Min, Number::Signed) => {
            if signed(a) <= signed(b) {
                a
            } else {
                b
            }
        }
        (AtomicOp::Max, Number::Signed) => {
            if signed(a) >= signed(b) {
                a
            } else {
                b
            }
        }
        (AtomicOp::Min, _) => a.min(b),
        (AtomicOp::Max, _) => a.max(b),
        (AtomicOp::Inc, _) => {
            if a >= b {
                0
            } else {
                a + 1
            }
        }
        (AtomicOp::Dec, _) => {
            if a == 0 || a > b {
                b
            } else {
                a - 1
            }
        }
        (AtomicOp::And, _) => a & b,
        (AtomicOp::Or, _) => a | b,
        (AtomicOp::Xor, _) => a ^ b,
        (AtomicOp::Exchange, _) => b,
        (AtomicOp::CompareAndSwap, _) => {
            if a == b {
                c
            } else {
                a
            }
        }
    }
}

/// atom and red: lane by lane in ascending order, where the ISA leaves the order open.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
pub(crate) unsafe fn atom(step: &mut Step<'_, '_>, _: &Op, access: &Access, mask: u32) -> Result<(), Stopped> {
    // SAFETY: the caller's, here and below.
    let addresses = unsafe { access::addresses(step, access.space, access.base, access.offset) };
    let bytes = access.element_bytes;
    let elements = usize::from(access.elements);
    let width = access::width(access);
    let spans = access::by_lane(step, access.space, "atomic", &addresses, mask, width)?;
    let Some(op) = access.atomic else { unreachable!("an atomic access has its operation") };
    let keep = if bytes < 8 { (1u64 << (8 * bytes)) - 1 } else { u64::MAX };
    // A register's bits, zero-extended.
    // SAFETY: as above.
    let read = |regs, slot, lane: usize| unsafe {
        if access.register_bytes == 8 { wide_row(regs, slot)[lane] } else { u64::from(row(regs, slot)[lane]) }
    };
    access::count_atomic(step, &spans, &addresses, width);
    step.polled = true;
    for found in races::by_lane(step, Does { writes: true, strong: true }, &spans, width) {
        races::report(step, "atomic", width, &found, false);
    }
    races::publish(step, access, &spans, mask, width);
    let mut results = [0; 32];
    for lane in lanes(mask) {
        let Some(span) = spans[lane] else { continue };
        // An exchange takes the place of whatever was there; all others read it first.
        if !span.written(width) && op != AtomicOp::Exchange {
            access::report_unwritten(step, "atomic", &span, addresses[lane], width, lane);
        }
        span.set_written(width);
        debug_assert_eq!(elements, 1, "vector reductions are for capability 9.0");
        let b = read(step.regs, access.operands[0], lane) & keep;
        let c = if access.operands[1] == NONE { 0 } else { read(step.regs, access.operands[1], lane) & keep };
        // SAFETY: `by_lane` checked bounds and alignment.
        let old = unsafe { update(span.at, bytes, |a| apply(op, access.number, bytes, a, b, c)) };
        step.worker.changes += u64::from(apply(op, access.number, bytes, old, b, c) & keep != old);
        results[lane] = old;
    }
    let to = access.registers[0];
    if to != NONE {
        races::acquire(step, &spans, mask, width);
        for lane in lanes(mask) {
            // SAFETY: as above.
            unsafe {
                if access.register_bytes == 8 {
                    wide_row(step.regs, to)[lane] = results[lane];
                } else {
                    row(step.regs, to)[lane] = results[lane] as u32;
                }
            }
        }
    }
    Ok(())
}

/// Additions of 16-bit floats, rounded once: the f32 sum of two is exact enough for that.
mod halves {
    use crate::numerics::{BF16, F16};

    pub(super) fn add_f16(a: u16, b: u16) -> u16 {
        F16::round(F16(a).wide() + F16(b).wide()).0
    }

    pub(super) fn add_bf16(a: u16, b: u16) -> u16 {
        BF16::round(BF16(a).wide() + BF16(b).wide()).0
    }

    pub(super) fn packed(add: fn(u16, u16) -> u16, a: u64, b: u64) -> u64 {
        u64::from(add(a as u16, b as u16)) | u64::from(add((a >> 16) as u16, (b >> 16) as u16)) << 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions() {
        use AtomicOp::{Add, CompareAndSwap, Dec, Exchange, Inc, Max, Min};
        use Number::{F32, Signed, Unsigned};
        let minus = u64::from(u32::MAX);
        for (op, number, a, b, c, expected) in [
            (Add, Unsigned, minus, 2, 0, 1),
            (Min, Unsigned, minus, 2, 0, 2),
            (Min, Signed, minus, 2, 0, minus),
            (Max, Signed, minus, 2, 0, 2),
            (Max, Unsigned, minus, 2, 0, minus),
            (Inc, Unsigned, 4, 5, 0, 5),
            (Inc, Unsigned, 5, 5, 0, 0),
            (Inc, Unsigned, 9, 5, 0, 0),
            (Dec, Unsigned, 0, 5, 0, 5),
            (Dec, Unsigned, 6, 5, 0, 5),
            (Dec, Unsigned, 5, 5, 0, 4),
            (Exchange, Unsigned, 1, 2, 0, 2),
            (CompareAndSwap, Unsigned, 1, 1, 7, 7),
            (CompareAndSwap, Unsigned, 2, 1, 7, 2),
            (Add, F32, u64::from(1.5f32.to_bits()), u64::from(2f32.to_bits()), 0, u64::from(3.5f32.to_bits())),
        ] {
            assert_eq!(apply(op, number, 4, a, b, c) & 0xffff_ffff, expected, "{op:?} {number:?} {a} {b} {c}");
        }
        assert_eq!(apply(Min, Signed, 8, u64::MAX, 0, 0), u64::MAX);
    }
}
