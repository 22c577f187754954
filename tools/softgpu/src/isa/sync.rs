//! PTX ISA, "Parallel Synchronization and Communication Instructions": bar, barrier, membar and fence; and how the
//! `.aligned` instructions of a whole warp begin.

use std::sync::atomic::{Ordering, fence as host_fence};

use crate::execute::Failure;
use crate::execute::registers::{predicate, row};
use crate::execute::warp::{Flow, Step, Stopped, Wait};
use crate::inspect::finding::FindingKind;
use crate::program::{Barrier, BarrierKind, NONE, Op};
use crate::races::clocks::Reach;

/// Lets `mask` alone meet the current instruction: the group's other lanes go on behind it.
fn part(step: &mut Step<'_, '_>, mask: u32) {
    let others = step.group.mask & !mask;
    if others != 0 {
        let mut behind = step.group.split(others);
        behind.op += 1;
        step.warp.groups.push(behind);
    }
}

/// Whether the whole warp is here, as an `.aligned` instruction needs it; otherwise the group waits for the rest.
pub(crate) fn whole_warp(step: &mut Step<'_, '_>, mask: u32) -> bool {
    if mask == step.warp.live {
        return true;
    }
    part(step, mask);
    step.group.wait = Wait::Warp;
    false
}

/// bar.sync, bar.arrive, bar.red and their barrier.cta forms.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
pub(crate) unsafe fn barrier(step: &mut Step<'_, '_>, op: &Op, barrier: &Barrier, mask: u32) -> Result<Flow, Stopped> {
    if barrier.aligned && !whole_warp(step, mask) {
        return Ok(Flow::Leave);
    }
    let lane = mask.trailing_zeros() as usize & 31;
    // SAFETY: the caller's, here and below.
    let (number, expected) =
        unsafe { (row(step.regs, op.s[0])[lane], (op.s[1] != NONE).then(|| row(step.regs, op.s[1])[lane])) };
    if number >= 16 || expected.is_some_and(|threads| threads == 0 || !threads.is_multiple_of(32)) {
        let threads = expected.map_or(String::new(), |threads| format!(" for {threads} threads"));
        let detail = format!("barrier {number}{threads}: a block has barriers 0 to 15, for whole warps");
        step.find(lane, FindingKind::Trap { detail });
        return Err(step.fail(Failure::LaunchFailed));
    }
    let state = &mut step.block.barriers[number as usize];
    state.expected = expected;
    if barrier.kind == BarrierKind::Arrive {
        state.arrived = state.arrived.saturating_add(32);
        step.block.arrival = true;
        step.block.races.clocks.arrive(number, step.warp.index);
        return Ok(Flow::Next);
    }
    if barrier.kind != BarrierKind::Sync {
        // SAFETY: as above.
        let holds = unsafe { predicate(step.regs, op.s[2]) } & mask;
        state.lanes += mask.count_ones();
        state.holds += holds.count_ones();
    }
    part(step, mask);
    step.group.wait = Wait::Barrier(number);
    Ok(Flow::Leave)
}

/// membar and fence: the host's own, as within a worker everything is in order already. `reach` is 0 for a block.
pub(crate) fn fence(step: &mut Step<'_, '_>, reach: u32) {
    let reach = if reach == 0 { Reach::Block } else { Reach::Device };
    step.block.races.clocks.fence(step.warp.index, reach);
    host_fence(Ordering::SeqCst);
}
