//! PTX ISA, "Parallel Synchronization and Communication Instructions: mbarrier".
//!
//! An mbarrier object is 64 bits of shared memory, which the ISA leaves opaque: here bits 0 to 19 are the arrivals that the
//! phase still waits for, 20 to 39 those of the next one, 40 to 62 the number of the phase, and bit 63 is set as long as
//! the object is valid. A state, which an arrival gives, is the object as it was before.

use super::Row;
use super::access::{self, At};
use super::async_copy::cp_async_wait;
use super::races;
use crate::execute::Failure;
use crate::execute::registers::{lanes, row, wide_row};
use crate::execute::tally::Direction;
use crate::execute::warp::{Step, Stopped};
use crate::inspect::Class;
use crate::inspect::finding::FindingKind;
use crate::program::{Mbarrier, MbarrierAction, NONE, Op};

/// Every table of this chapter: what a state tells by itself.
pub(super) const TABLES: &[&[Row]] = &[STATES];

const COUNT_BITS: u32 = 20;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
const PHASE: u64 = 1 << (2 * COUNT_BITS);
const VALID: u64 = 1 << 63;
const BYTES: u64 = 8;

lanes! { STATES, Class::Sync, rare;
    "mbarrier.pending_count.b64" (state: u64) -> u32 { (state & COUNT) as u32 }
}

/// `mbarrier.init`.
fn initial(count: u64) -> u64 {
    VALID | count << COUNT_BITS | count
}

/// An object after so many arrivals; of a drop, later phases wait for as many fewer. `None` when it waits for fewer.
fn arrive(object: u64, count: u64, drop: bool) -> Option<u64> {
    let pending = (object & COUNT).checked_sub(count)?;
    let next = (object >> COUNT_BITS & COUNT).checked_sub(if drop { count } else { 0 })?;
    let phase = object & !(COUNT | COUNT << COUNT_BITS);
    Some(if pending == 0 {
        // The last: the next phase begins.
        (phase.wrapping_add(PHASE) & !VALID) | VALID | next << COUNT_BITS | next
    } else {
        phase | next << COUNT_BITS | pending
    })
}

/// The number of an object's or a state's phase.
fn phase(of: u64) -> u64 {
    (of & !VALID) >> (2 * COUNT_BITS)
}

/// Any operation on an mbarrier object, lane by lane.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
pub(crate) unsafe fn mbarrier(step: &mut Step<'_, '_>, op: &Op, mbarrier: &Mbarrier, mask: u32) -> Result<(), Stopped> {
    // SAFETY: the caller's, here and below.
    let addresses = unsafe { access::addresses(step, mbarrier.space, mbarrier.address, mbarrier.offset) };
    let spans = access::by_lane(step, mbarrier.space, "mbarrier operation", &addresses, mask, BYTES)?;
    access::count_by_lane(step, Direction::Load, &spans, &addresses, BYTES);
    for lane in lanes(mask) {
        let Some(span) = spans[lane] else { continue };
        if span.kind != At::Shared {
            return Err(misuse(step, lane, "an mbarrier object outside shared memory".to_owned()));
        }
        // SAFETY: `by_lane` has checked bounds and alignment.
        let object = unsafe { span.at.cast::<u64>().read() };
        if mbarrier.action == MbarrierAction::Init {
            // SAFETY: as above.
            let count = u64::from(unsafe { row(step.regs, op.s[0]) }[lane]);
            if count == 0 || count > COUNT {
                return Err(misuse(step, lane, format!("an mbarrier for {count} arrivals, expected 1 to {COUNT}")));
            }
            span.set_written(BYTES);
            // SAFETY: as above.
            unsafe { span.at.cast::<u64>().write(initial(count)) };
            races::mbarrier_begins(step, span.offset);
            step.worker.changes += 1;
            continue;
        }
        if !span.written(BYTES) || object & VALID == 0 {
            return Err(misuse(step, lane, "an operation on an mbarrier that is not initialised".to_owned()));
        }
        let changed = match mbarrier.action {
            MbarrierAction::Init => unreachable!("done above"),
            MbarrierAction::Invalidate => {
                races::mbarrier_begins(step, span.offset);
                0
            }
            MbarrierAction::Arrive { drops, completes } => {
                let count = match op.s[0] {
                    NONE => 1,
                    // SAFETY: as above.
                    slot => u64::from(unsafe { row(step.regs, slot) }[lane]),
                };
                let Some(changed) = arrive(object, count, drops) else {
                    let waits = object & COUNT;
                    return Err(misuse(step, lane, format!("{count} arrivals at an mbarrier that waits for {waits}")));
                };
                if !completes && phase(changed) != phase(object) {
                    let detail = "mbarrier.arrive.noComplete completes the phase".to_owned();
                    return Err(misuse(step, lane, detail));
                }
                if op.d[0] != NONE {
                    // SAFETY: as above.
                    unsafe { wide_row(step.regs, op.d[0])[lane] = object };
                }
                changed
            }
            MbarrierAction::Test { parity } => {
                step.polled = true;
                // SAFETY: as above.
                let complete = unsafe {
                    if parity {
                        phase(object) & 1 != u64::from(row(step.regs, op.s[0])[lane]) & 1
                    } else {
                        phase(object) != phase(wide_row(step.regs, op.s[0])[lane])
                    }
                };
                // SAFETY: as above.
                unsafe { row(step.regs, op.d[0])[lane] = if complete { u32::MAX } else { 0 } };
                if complete && !mbarrier.relaxed {
                    races::mbarrier_passes(step, lane, span.offset);
                }
                continue;
            }
            MbarrierAction::CopiesArrive { counted } => {
                // The copies have landed already; what an arrival of theirs adds to the count, it takes away again.
                cp_async_wait(step, u32::MAX, 1 << lane);
                if counted {
                    continue;
                }
                let Some(changed) = arrive(object, 1, false) else {
                    return Err(misuse(step, lane, "an arrival at an mbarrier that waits for none".to_owned()));
                };
                changed
            }
        };
        // SAFETY: as above.
        unsafe { span.at.cast::<u64>().write(changed) };
        if mbarrier.action != MbarrierAction::Invalidate && !mbarrier.relaxed {
            races::mbarrier_arrives(step, span.offset, phase(changed) != phase(object));
        }
        step.worker.changes += 1;
    }
    Ok(())
}

fn misuse(step: &mut Step<'_, '_>, lane: usize, detail: String) -> Stopped {
    step.find(lane, FindingKind::Trap { detail });
    step.fail(Failure::LaunchFailed)
}
