//! PTX ISA, "Data Movement and Conversion Instructions: Asynchronous copy": cp.async and its groups.
//!
//! The bytes land at once, and are marked as in flight until the wait: a load that comes before it is a finding.

use super::access::{self, At, Span};
use super::races;
use crate::execute::Failure;
use crate::execute::registers::{lanes, row};
use crate::execute::tally::Direction;
use crate::execute::warp::{Step, Stopped};
use crate::inspect::finding::FindingKind;
use crate::program::{Access, NONE, Op};
use crate::ptx::ast::Space;
use crate::races::Does;

/// A lane's copy that is in flight: its group, and the bytes of shared memory that it goes to.
#[derive(Clone, Copy, Debug)]
struct Copy {
    lane: u8,
    group: u32,
    offset: usize,
    bytes: usize,
    op: u32,
}

/// Copies in flight of a warp: more than have room side by side in any card's shared memory.
const MOST_IN_FLIGHT: usize = 1 << 16;

/// The asynchronous copies of a warp.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    /// Groups that each lane has committed.
    committed: [u32; 32],
    in_flight: Vec<Copy>,
}

impl Copies {
    /// cp.async.commit_group: the copies so far become a group.
    pub(crate) fn commit(&mut self, mask: u32) {
        for lane in lanes(mask) {
            self.committed[lane] += 1;
        }
    }

    /// Whether these lanes leave the kernel with copies in flight.
    pub(crate) fn pending(&self, mask: u32) -> Option<usize> {
        self.in_flight.iter().map(|copy| usize::from(copy.lane)).find(|lane| mask & (1 << lane) != 0)
    }
}

/// cp.async.ca and .cg: 4, 8 or 16 bytes from global to shared memory, the rest beyond the source size zero.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
pub(crate) unsafe fn cp_async(step: &mut Step<'_, '_>, op: &Op, access: &Access, mask: u32) -> Result<(), Stopped> {
    let width = access::width(access);
    // SAFETY: the caller's, here and below.
    let (to, from, sizes) = unsafe {
        let sizes = match op.s[2] {
            NONE => [width as u32; 32],
            slot => *row(step.regs, slot),
        };
        (
            access::addresses(step, access.space, access.base, access.offset),
            access::addresses(step, Space::Global, access.source, access.source_offset),
            sizes,
        )
    };
    if step.warp.copies.in_flight.len() > MOST_IN_FLIGHT {
        let detail = format!("more than {MOST_IN_FLIGHT} asynchronous copies of a warp are in flight");
        step.find(mask.trailing_zeros() as usize & 31, FindingKind::AsyncCopy { detail });
        return Err(step.fail(Failure::LaunchFailed));
    }
    // Lanes that copy nothing do not touch their source, which may be anywhere.
    let reading = lanes(mask).filter(|&lane| sizes[lane] != 0).fold(0, |mask, lane| mask | 1 << lane);
    let targets = access::by_lane(step, access.space, "copy", &to, mask, width)?;
    // The source is aligned to the whole copy, but only its own bytes are read.
    let sources = sources(step, &from, &sizes, reading, width)?;
    access::count_by_lane(step, Direction::Load, &sources, &from, width);
    access::count_by_lane(step, Direction::Store, &targets, &to, width);
    let whole = std::array::from_fn(|lane| sources[lane].filter(|_| u64::from(sizes[lane]) >= width));
    for found in races::by_lane(step, Does::READ, &whole, width) {
        races::report(step, "copy", width, &found, false);
    }
    for lane in lanes(mask) {
        let Some(target) = targets[lane] else { continue };
        let bytes = u64::from(sizes[lane]).min(width);
        let mut buffer = [0u8; 16];
        if let Some(source) = sources[lane] {
            if bytes < width
                && let Some(found) = races::whole(step, Does::READ, &source, bytes, bytes)
            {
                races::report(step, "copy", bytes, &found.by(lane), false);
            }
            if !source.written(bytes) {
                access::report_unwritten(step, "copy", &source, from[lane], bytes, lane);
            }
            // SAFETY: the span was checked for these bytes.
            unsafe { source.at.copy_to_nonoverlapping(buffer.as_mut_ptr(), bytes as usize) };
        }
        // SAFETY: the span was checked for the width, at most 16.
        unsafe { target.at.copy_from_nonoverlapping(buffer.as_ptr(), width as usize) };
        target.set_written(width);
        if target.kind == At::Shared {
            step.block.in_flight.set(target.offset, width as usize);
            step.block.copies += 1;
            if let Some(found) = races::copy_begins(step, lane, target.offset, width) {
                races::report(step, "copy", width, &found, false);
            }
            let (group, op) = (step.warp.copies.committed[lane], step.group.op);
            let copy = Copy { lane: lane as u8, group, offset: target.offset, bytes: width as usize, op };
            step.warp.copies.in_flight.push(copy);
        }
    }
    Ok(())
}

/// The sources' spans. A copy may read less than its width at the end of an allocation.
fn sources(
    step: &mut Step<'_, '_>,
    from: &[u64; 32],
    sizes: &[u32; 32],
    mask: u32,
    width: u64,
) -> Result<[Option<Span>; 32], Stopped> {
    let mut spans = [None; 32];
    for lane in lanes(mask) {
        if !from[lane].is_multiple_of(width) {
            let near = step.worker.grid.view.place(from[lane]);
            let kind =
                FindingKind::Misaligned { access: "copy".to_owned(), bytes: width as u32, address: from[lane], near };
            step.find(lane, kind);
            return Err(step.fail(Failure::MisalignedAddress));
        }
        let bytes = u64::from(sizes[lane]).min(width);
        spans[lane] = access::locate(step, Space::Global, lane, from[lane]).filter(|span| span.holds(bytes));
        if spans[lane].is_some() {
            continue;
        }
        // Said as of the last byte, or else of the first: `by_lane` would ask for alignment to the bytes between.
        let mut last = *from;
        last[lane] = last[lane].wrapping_add(bytes - 1);
        access::by_lane(step, Space::Global, "copy", &last, 1 << lane, 1)?;
        access::by_lane(step, Space::Global, "copy", from, 1 << lane, 1)?;
        // Both are there, but in two allocations of the host's that touch each other.
        return Err(access::stray(step, Space::Global, "copy", from[lane], bytes, lane));
    }
    Ok(spans)
}

/// cp.async.wait_group and wait_all: of each lane's groups all but the last `keep` have landed. `u32::MAX` is wait_all.
pub(crate) fn cp_async_wait(step: &mut Step<'_, '_>, keep: u32, mask: u32) {
    let committed = step.warp.copies.committed;
    let mut landed = Vec::new();
    step.warp.copies.in_flight.retain(|copy| {
        let waits = mask & (1 << copy.lane) != 0;
        // A group counts as in flight from its commit on; what is not committed yet, only wait_all waits for.
        let groups = committed[usize::from(copy.lane)];
        let lands = waits && (keep == u32::MAX || copy.group + keep < groups);
        if lands {
            landed.push(*copy);
        }
        !lands
    });
    for copy in landed {
        step.block.in_flight.clear(copy.offset, copy.bytes);
        step.block.copies -= 1;
        races::copy_ends(step, usize::from(copy.lane), copy.offset, copy.bytes, copy.op);
    }
}
