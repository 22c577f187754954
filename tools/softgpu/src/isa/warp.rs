//! PTX ISA, "Parallel Synchronization and Communication Instructions": shfl, vote, match, redux, bar.warp.sync, and how
//! the lanes of a mask come together for them.

use crate::execute::Failure;
use crate::execute::block::Block;
use crate::execute::grid::Worker;
use crate::execute::registers::{lanes, predicate, row, wide_row};
use crate::execute::warp::{Flow, Step, Stopped, Wait, Warp};
use crate::inspect::finding::FindingKind;
use crate::program::{Kind, NONE, Op, Redux, Slot};

/// Lanes that execute an instruction together with others, maybe at another place.
struct Party<'a> {
    regs: *mut u32,
    op: &'a Op,
    mask: u32,
}

/// The operand of a `.sync` instruction that names its lanes.
fn member_slot(op: &Op) -> Slot {
    match op.kind {
        Kind::Shuffle => op.s[3],
        Kind::WarpBarrier => op.s[0],
        _ => op.s[1],
    }
}

/// A `.sync` instruction: those lanes execute whose whole mask is here; the others wait for theirs.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
pub(crate) unsafe fn together(step: &mut Step<'_, '_>, op: &Op, mask: u32) -> Result<Flow, Stopped> {
    // SAFETY: the caller's, here and below.
    let members = *unsafe { row(step.regs, member_slot(op)) };
    let first = members[mask.trailing_zeros() as usize & 31];
    let live = step.warp.live;
    if first & live == mask && lanes(mask).all(|lane| members[lane] == first) {
        // SAFETY: as above.
        unsafe { execute(&[Party { regs: step.regs, op, mask }], first) };
        met(step, op, first);
        return Ok(Flow::Next);
    }
    let mut rest = mask;
    let mut waiting = 0;
    while rest != 0 {
        let lane = rest.trailing_zeros() as usize;
        let named = members[lane];
        let same = lanes(rest).filter(|&lane| members[lane] == named).fold(0, |mask, lane| mask | 1 << lane);
        rest &= !same;
        if let Some(lane) = lanes(same & !named).next() {
            let detail = format!("lane {lane} is not in its own mask {named:#010x}");
            step.find(lane, FindingKind::MaskMismatch { detail });
            return Err(step.fail(Failure::LaunchFailed));
        }
        if named & live == same {
            // SAFETY: as above.
            unsafe { execute(&[Party { regs: step.regs, op, mask: same }], named) };
            met(step, op, named);
        } else {
            let mut group = step.group.split(same);
            group.wait = Wait::Lanes(named);
            step.warp.groups.push(group);
            waiting |= same;
        }
    }
    if waiting == 0 {
        return Ok(Flow::Next);
    }
    // What is left of the group goes on behind the instruction; those that wait are met again when the warp settles.
    step.group.op += 1;
    Ok(Flow::Leave)
}

/// What is accessed behind a bar.warp.sync is ordered after what was accessed before it. Of the others none says so.
fn met(step: &mut Step<'_, '_>, op: &Op, members: u32) {
    if op.kind == Kind::WarpBarrier {
        step.block.races.clocks.meet(step.warp.index, members, step.warp.live);
    }
}

/// Executes the instruction that a group waits at if all lanes of its mask wait at the same form with the same mask.
pub(crate) fn rendezvous(warp: &mut Warp, worker: &mut Worker<'_>, block: &mut Block, index: usize) {
    let program = worker.grid.program;
    let form = |op: u32| {
        let op = &program.ops[op as usize];
        (op.kind, op.extra)
    };
    let (wait, here) = (warp.groups[index].wait, form(warp.groups[index].op));
    let Wait::Lanes(mask) = wait else { return };
    let met: Vec<_> =
        (0..warp.groups.len()).filter(|&i| warp.groups[i].wait == wait && form(warp.groups[i].op) == here).collect();
    let present = met.iter().fold(0, |lanes, &i| lanes | warp.groups[i].mask);
    if present != mask & warp.live {
        return;
    }
    let parties: Vec<_> = met
        .iter()
        .map(|&i| {
            let (op, mask, window) = (warp.groups[i].op, warp.groups[i].mask, warp.groups[i].window);
            Party { regs: warp.registers.window(window as usize), op: &program.ops[op as usize], mask }
        })
        .collect();
    // SAFETY: each party's window covers its op's slots, as `decode` made them.
    unsafe { execute(&parties, mask) };
    if here.0 == Kind::WarpBarrier {
        block.races.clocks.meet(warp.index, mask, warp.live);
    }
    for i in met {
        warp.groups[i].op += 1;
        warp.groups[i].wait = Wait::Ready;
    }
}

/// # Safety
/// Each party's window covers its op's slots.
unsafe fn execute(parties: &[Party<'_>], members: u32) {
    // SAFETY: the caller's, for every access to a row below.
    unsafe {
        let gather = |slot: fn(&Op) -> Slot| {
            let mut values = [0; 32];
            for party in parties {
                let from = row(party.regs, slot(party.op));
                lanes(party.mask).for_each(|lane| values[lane] = from[lane]);
            }
            values
        };
        let scatter = |slot: fn(&Op) -> Slot, values: &[u32; 32]| {
            for party in parties.iter().filter(|party| slot(party.op) != NONE) {
                let to = row(party.regs, slot(party.op));
                lanes(party.mask).for_each(|lane| to[lane] = values[lane]);
            }
        };
        let op = parties[0].op;
        let active = parties.iter().fold(0, |mask, party| mask | party.mask);
        let truth = |holds: bool| if holds { u32::MAX } else { 0 };
        match op.kind {
            Kind::Shuffle => {
                let (values, inside) =
                    shfl(op.extra, &gather(|op| op.s[0]), &gather(|op| op.s[1]), &gather(|op| op.s[2]));
                scatter(|op| op.d[0], &values);
                scatter(|op| op.d[1], &std::array::from_fn(|lane| truth(inside[lane])));
            }
            Kind::Vote => {
                let holds = parties.iter().fold(0, |mask, party| {
                    let holds = predicate(party.regs, party.op.s[0]);
                    mask | (party.mask & holds)
                });
                let value = match op.extra {
                    0 => truth(holds == active),
                    1 => truth(holds != 0),
                    2 => truth(holds == active || holds == 0),
                    _ => holds,
                };
                scatter(|op| op.d[0], &[value; 32]);
            }
            Kind::Match => {
                let mut values = [0; 32];
                for party in parties {
                    let wide = op.extra & 1 != 0;
                    for lane in lanes(party.mask) {
                        values[lane] = if wide {
                            wide_row(party.regs, party.op.s[0])[lane]
                        } else {
                            u64::from(row(party.regs, party.op.s[0])[lane])
                        };
                    }
                }
                let same = |value| lanes(active).filter(|&i| values[i] == value).fold(0, |mask, i| mask | 1 << i);
                if op.extra < 2 {
                    scatter(|op| op.d[0], &std::array::from_fn(|lane| same(values[lane])));
                } else {
                    let all = same(values[active.trailing_zeros() as usize & 31]) == active;
                    scatter(|op| op.d[0], &[if all { members & active } else { 0 }; 32]);
                    scatter(|op| op.d[1], &[truth(all); 32]);
                }
            }
            Kind::Redux => {
                let values = gather(|op| op.s[0]);
                let value = lanes(active).map(|lane| values[lane]).reduce(|a, b| redux(op.extra, a, b));
                scatter(|op| op.d[0], &[value.unwrap_or(0); 32]);
            }
            Kind::Elect => {
                // The ISA leaves the choice open; cards take the lowest.
                let leader = active.trailing_zeros();
                scatter(|op| op.d[0], &[leader; 32]);
                scatter(|op| op.d[1], &std::array::from_fn(|lane| truth(lane as u32 == leader)));
            }
            _ => debug_assert_eq!(op.kind, Kind::WarpBarrier),
        }
    }
}

/// shfl: for each lane the value of the lane that it names, and whether that lies within its segment. Modes as in
/// [`Kind::Shuffle`]; the operand `c` has the clamp in bits 0 to 4 and the segment's mask in bits 8 to 12.
pub(crate) fn shfl(mode: u32, a: &[u32; 32], b: &[u32; 32], c: &[u32; 32]) -> ([u32; 32], [bool; 32]) {
    let mut values = [0; 32];
    let mut inside = [false; 32];
    for lane in 0..32u32 {
        let i = lane as usize;
        let (by, clamp, segment) = (b[i] & 0x1f, c[i] & 0x1f, c[i] >> 8 & 0x1f);
        let most = (lane & segment) | (clamp & !segment);
        let least = lane & segment;
        let (from, holds) = match mode {
            0 => (lane.wrapping_sub(by), lane.cast_signed() - by.cast_signed() >= most.cast_signed()),
            1 => (lane + by, lane + by <= most),
            2 => (lane ^ by, lane ^ by <= most),
            _ => {
                let from = least | (by & !segment);
                (from, from <= most)
            }
        };
        let from = if holds { from } else { lane };
        values[i] = a[from as usize & 31];
        inside[i] = holds;
    }
    (values, inside)
}

/// redux.sync, of two lanes.
fn redux(form: u32, a: u32, b: u32) -> u32 {
    const ADD: u32 = Redux::Add as u32;
    const MIN_U: u32 = Redux::MinU as u32;
    const MAX_U: u32 = Redux::MaxU as u32;
    const MIN_S: u32 = Redux::MinS as u32;
    const MAX_S: u32 = Redux::MaxS as u32;
    const AND: u32 = Redux::And as u32;
    const OR: u32 = Redux::Or as u32;
    match form {
        ADD => a.wrapping_add(b),
        MIN_U => a.min(b),
        MAX_U => a.max(b),
        MIN_S => a.cast_signed().min(b.cast_signed()).cast_unsigned(),
        MAX_S => a.cast_signed().max(b.cast_signed()).cast_unsigned(),
        AND => a & b,
        OR => a | b,
        _ => a ^ b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What CUDA's __shfl_*_sync promise for a width of 32, 16, 8 ...: by segments, out of range gives the own value.
    #[test]
    fn shuffles_by_segments() {
        let a: [u32; 32] = std::array::from_fn(|lane| 100 + lane as u32);
        for width in [32u32, 16, 8, 4, 2, 1] {
            let segment = (32 - width) << 8;
            for delta in 0..32u32 {
                for lane in 0..32u32 {
                    let first = lane / width * width;
                    let place = lane - first;
                    let check = |mode: u32, clamp: u32, expected: Option<u32>| {
                        let (values, inside) = shfl(mode, &a, &[delta; 32], &[segment | clamp; 32]);
                        let i = lane as usize;
                        assert_eq!(
                            (values[i], inside[i]),
                            (100 + expected.unwrap_or(lane), expected.is_some()),
                            "mode {mode} width {width} delta {delta} lane {lane}"
                        );
                    };
                    check(0, 0, place.checked_sub(delta).map(|place| first + place));
                    check(1, 31, (place + delta < width).then_some(lane + delta));
                    check(3, 31, Some(first + delta % width));
                    // With a narrow width an exclusive or may lead into an earlier segment, never into a later one.
                    check(2, 31, (lane ^ delta < first + width).then_some(lane ^ delta));
                }
            }
        }
    }

    #[test]
    fn reductions() {
        let minus = u32::MAX;
        assert_eq!(redux(Redux::Add as u32, minus, 3), 2);
        assert_eq!(redux(Redux::MinU as u32, minus, 3), 3);
        assert_eq!(redux(Redux::MaxU as u32, minus, 3), minus);
        assert_eq!(redux(Redux::MinS as u32, minus, 3), minus);
        assert_eq!(redux(Redux::MaxS as u32, minus, 3), 3);
        assert_eq!(redux(Redux::And as u32, 6, 3), 2);
        assert_eq!(redux(Redux::Or as u32, 6, 3), 7);
        assert_eq!(redux(Redux::Xor as u32, 6, 3), 5);
    }
}
