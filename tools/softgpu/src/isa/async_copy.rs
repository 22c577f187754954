//! PTX ISA, "Data Movement and Conversion Instructions: Asynchronous copy": cp.async and its groups.
//!
//! The bytes land at once, and are marked as in flight until the wait: a load that comes before it is a finding.

use super::access::{self, At, Span};
use super::chunks::{self, CHUNK};
use super::races;
use crate::execute::Failure;
use crate::execute::registers::{lanes, row};
use crate::execute::tally::Direction;
use crate::execute::warp::{Step, Stopped};
use crate::inspect::finding::FindingKind;
use crate::program::{Access, NONE, Op};
use crate::ptx::ast::Space;
use crate::races::Does;

/// Copies of one instruction that are in flight, of lanes that have committed as many groups.
#[derive(Clone, Copy, Debug)]
struct Copy {
    lanes: u32,
    group: u32,
    op: u32,
    bytes: usize,
    /// Where in shared memory each lane's go to.
    offsets: [u32; 32],
}

/// Copies in flight of a warp: more than have room side by side in any card's shared memory.
const MOST_IN_FLIGHT: usize = 1 << 16;

/// The asynchronous copies of a warp.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    /// Groups that each lane has committed.
    committed: [u32; 32],
    in_flight: Vec<Copy>,
    /// Of lanes.
    count: usize,
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
        self.in_flight
            .iter()
            .map(|copy| copy.lanes & mask)
            .find(|lanes| *lanes != 0)
            .map(|lanes| lanes.trailing_zeros() as usize)
    }

    fn begin(&mut self, copy: Copy) {
        self.count += copy.lanes.count_ones() as usize;
        let mut rest = copy.lanes;
        while rest != 0 {
            let group = self.committed[rest.trailing_zeros() as usize];
            let lanes =
                lanes(rest).filter(|&lane| self.committed[lane] == group).fold(0, |mask, lane| mask | 1 << lane);
            self.in_flight.push(Copy { lanes, group, ..copy });
            rest &= !lanes;
        }
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
    if step.warp.copies.count > MOST_IN_FLIGHT {
        let detail = format!("more than {MOST_IN_FLIGHT} asynchronous copies of a warp are in flight");
        step.find(mask.trailing_zeros() as usize & 31, FindingKind::AsyncCopy { detail });
        return Err(step.fail(Failure::LaunchFailed));
    }
    let in_shared = access.space == Space::Shared;
    if in_shared
        && width == CHUNK as u64
        && lanes(mask).all(|lane| sizes[lane] as usize == CHUNK)
        && chunks::copy_to_shared(step, &to, &from, mask)
    {
        begin(step, mask, &to, width);
        return Ok(());
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
    let (mut begun, mut offsets) = (0, [0; 32]);
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
            (begun, offsets[lane]) = (begun | 1 << lane, target.offset as u64);
            if let Some(found) = races::copy_begins(step, lane, target.offset, width) {
                races::report(step, "copy", width, &found, false);
            }
        }
    }
    begin(step, begun, &offsets, width);
    Ok(())
}

/// Copies of these lanes to shared memory are in flight from now on.
fn begin(step: &mut Step<'_, '_>, mask: u32, to: &[u64; 32], width: u64) {
    let bytes = width as usize;
    for lane in lanes(mask) {
        step.block.in_flight.assign(to[lane] as usize, bytes, true);
    }
    step.block.copies += u64::from(mask.count_ones());
    let offsets = to.map(|offset| offset as u32);
    step.warp.copies.begin(Copy { lanes: mask, group: 0, op: step.group.op, bytes, offsets });
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
    let Copies { committed, in_flight, .. } = &mut step.warp.copies;
    let (committed, mut in_flight) = (*committed, std::mem::take(in_flight));
    in_flight.retain_mut(|copy| {
        let mut lands = mask & copy.lanes;
        // A group counts as in flight from its commit on; what is not committed yet, only wait_all waits for.
        if keep != u32::MAX {
            lands =
                lanes(lands).filter(|&lane| copy.group + keep < committed[lane]).fold(0, |mask, lane| mask | 1 << lane);
        }
        for lane in lanes(lands) {
            let offset = copy.offsets[lane] as usize;
            step.block.in_flight.assign(offset, copy.bytes, false);
            races::copy_ends(step, lane, offset, copy.bytes, copy.op);
        }
        step.block.copies -= u64::from(lands.count_ones());
        step.warp.copies.count -= lands.count_ones() as usize;
        copy.lanes &= !lands;
        copy.lanes != 0
    });
    step.warp.copies.in_flight = in_flight;
}
