//! A block: its warps between barriers, as data, so that a worker can put it aside and take it up again.

use std::fmt::Write;

use super::grid::{Grid, Worker};
use super::registers::{lanes, row};
use super::warp::{Lanes, Pause, Wait, Warp};
use super::{Failure, findings};
use crate::inspect::finding::FindingKind;
use crate::memory::bits::Bits;
use crate::memory::store::Store;
use crate::program::{BarrierKind, NONE};
use crate::races::Races;

/// Warp instructions of a warp's turn: long, as the next warp brings its own registers into the cache.
const TURN: u64 = 4096;
/// At most, where turns are shuffled.
const SHUFFLED_TURN: u64 = 256;

/// One of the 16 barriers of a block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Barrier {
    /// Threads that wait for; `None`: all of the block.
    pub(crate) expected: Option<u32>,
    /// Warps that wait, whole.
    waiting: u32,
    /// Threads of warps that arrived without waiting.
    pub(crate) arrived: u32,
    /// Of a reduction: lanes that take part, and those whose predicate holds.
    pub(crate) lanes: u32,
    pub(crate) holds: u32,
}

/// What the warps of a block share.
#[derive(Debug)]
pub(crate) struct Block {
    /// In its grid, linear and as x, y, z.
    pub(crate) index: u64,
    pub(crate) place: [u32; 3],
    pub(crate) shared: Store,
    /// Bytes of shared memory with an asynchronous copy in flight; empty when `copies` is 0.
    pub(crate) in_flight: Bits,
    pub(crate) copies: u64,
    pub(crate) barriers: [Barrier; 16],
    pub(crate) races: Races,
    /// A barrier has had an arrival since it was last looked at.
    pub(crate) arrival: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Runnable,
    Waiting,
    Done,
}

/// Why a block was put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slice {
    Done,
    Budget,
    /// It polls memory that only another block can change.
    Spin,
    Failed,
}

/// A block on a worker, with its warps.
#[derive(Debug)]
pub(crate) struct Resident {
    pub(crate) block: Block,
    pub(crate) warps: Vec<Warp>,
    states: Vec<State>,
    /// The warps in the order of their turns.
    order: Vec<u32>,
    live: u32,
    executed: u64,
    /// Completed so far.
    barriers: u64,
}

impl Resident {
    pub(crate) fn new(grid: &Grid<'_>) -> Self {
        let warps = grid.threads.div_ceil(32) as usize;
        let block = Block {
            index: 0,
            place: [0; 3],
            shared: Store::new(grid.shared_bytes),
            in_flight: Bits::new(grid.shared_bytes),
            copies: 0,
            barriers: [Barrier::default(); 16],
            races: Races::new(warps, if grid.races { grid.shared_bytes } else { 0 }),
            arrival: false,
        };
        Self {
            block,
            warps: std::iter::repeat_with(Warp::default).take(warps).collect(),
            states: vec![State::Runnable; warps],
            order: (0..warps as u32).collect(),
            live: 0,
            executed: 0,
            barriers: 0,
        }
    }

    /// Becomes the block of this index, at its start.
    pub(crate) fn start(&mut self, worker: &Worker<'_>, index: u64) {
        let threads = worker.grid.threads;
        let block = &mut self.block;
        block.index = index;
        block.place = findings::unflatten(index, worker.grid.launch.grid);
        block.shared.forget();
        block.in_flight.clear(0, block.shared.bytes());
        block.copies = 0;
        block.barriers = [Barrier::default(); 16];
        block.races.start();
        block.arrival = false;
        self.live = self.warps.len() as u32;
        self.executed = 0;
        self.barriers = 0;
        self.states.fill(State::Runnable);
        for (i, warp) in self.warps.iter_mut().enumerate() {
            let lanes = (threads - i as u32 * 32).min(32);
            warp.start(worker, &self.block, i as u32, (u64::MAX >> (64 - lanes)) as u32);
        }
    }

    /// Runs until the block ends, spins, or has executed about `budget` warp instructions.
    pub(crate) fn run(&mut self, worker: &mut Worker<'_>, budget: u64) -> Slice {
        let limit = self.executed + budget;
        loop {
            let changes = worker.changes;
            let (mut ran, mut spins) = (false, true);
            if let Some(shuffle) = &mut worker.shuffle {
                shuffle.order(&mut self.order);
            }
            for at in 0..self.order.len() {
                let i = self.order[at] as usize;
                if self.states[i] != State::Runnable {
                    continue;
                }
                ran = true;
                let warp = &mut self.warps[i];
                let before = warp.executed;
                let turn = worker.shuffle.as_mut().map_or(TURN, |shuffle| 1 + shuffle.below(SHUFFLED_TURN));
                let pause = warp.run(worker, &mut self.block, turn);
                self.executed += warp.executed - before;
                spins &= pause == Pause::Spin;
                match pause {
                    Pause::Turn => {}
                    Pause::Spin => worker.tally.spins += 1,
                    Pause::Failed => return Slice::Failed,
                    Pause::Blocked => self.states[i] = State::Waiting,
                    Pause::Barrier(number) => {
                        self.states[i] = State::Waiting;
                        self.block.barriers[number as usize].waiting += 1;
                        self.block.arrival = true;
                    }
                    Pause::Done => {
                        self.states[i] = State::Done;
                        self.live -= 1;
                        self.block.arrival = true;
                    }
                }
                if self.block.arrival {
                    self.release(worker);
                }
            }
            if self.live == 0 {
                return Slice::Done;
            }
            if !ran {
                self.report_divergence(worker);
                return Slice::Failed;
            }
            if self.executed > worker.grid.launch.settings.watchdog {
                let op = self.place();
                worker.find(&self.block, op, 0, FindingKind::Watchdog { executed: self.executed });
                worker.fail(&self.block, Failure::Timeout);
                return Slice::Failed;
            }
            if spins && worker.changes == changes {
                return Slice::Spin;
            }
            if self.executed >= limit {
                return Slice::Budget;
            }
        }
    }

    /// Completes the barriers at which everybody has arrived.
    fn release(&mut self, worker: &mut Worker<'_>) {
        self.block.arrival = false;
        for number in 0..16u32 {
            let barrier = self.block.barriers[number as usize];
            let complete = barrier.waiting + barrier.arrived > 0
                && match barrier.expected {
                    None => barrier.waiting == self.live,
                    Some(threads) => barrier.arrived.saturating_add(barrier.waiting * 32) >= threads,
                };
            if !complete {
                continue;
            }
            self.block.barriers[number as usize] = Barrier::default();
            worker.tally.barriers += 1;
            self.barriers += 1;
            worker.tally.barrier_chain = worker.tally.barrier_chain.max(self.barriers);
            worker.changes += 1;
            let mut waited = 0;
            for (warp, state) in self.warps.iter_mut().zip(&mut self.states) {
                for i in 0..warp.groups.len() {
                    if warp.groups[i].wait == Wait::Barrier(number) {
                        *state = State::Runnable;
                        waited |= 1 << warp.index;
                        leave(warp, i, worker.grid, &barrier);
                    }
                }
            }
            let clocks = &mut self.block.races.clocks;
            if barrier.waiting == self.live && barrier.arrived == 0 {
                clocks.barrier();
            } else {
                // Nothing has happened to a warp that waits since it came.
                lanes(waited).for_each(|warp| clocks.arrive(number, warp as u32));
                clocks.leave(number, lanes(waited).map(|warp| warp as u32));
            }
        }
    }

    /// The op of the first warp that still runs.
    pub(crate) fn place(&self) -> u32 {
        self.warps.iter().flat_map(|warp| &warp.groups).map(|group| group.op).next().unwrap_or(0)
    }

    /// The finding for warps that wait at a barrier to which the others do not come.
    fn report_divergence(&self, worker: &mut Worker<'_>) {
        let module = worker.grid.launch.module;
        let waiting = |warp: &&Warp| warp.groups.iter().any(|group| matches!(group.wait, Wait::Barrier(_)));
        let Some(first) = self.warps.iter().find(waiting) else { return };
        let Some(group) = first.groups.iter().find(|group| matches!(group.wait, Wait::Barrier(_))) else { return };
        let Wait::Barrier(number) = group.wait else { return };
        let mut detail = format!("barrier {number} is never complete");
        if let Some(threads) = self.block.barriers[number as usize].expected {
            let _ = write!(detail, ", as it waits for {threads} threads");
        }
        // One line for all the warps that are at the same place.
        let mut lines: Vec<(String, u32)> = Vec::new();
        for warp in &self.warps {
            let mut places = Vec::new();
            for group in &warp.groups {
                let lanes =
                    if group.mask == warp.live { String::new() } else { format!("lanes {} ", Lanes(group.mask)) };
                places.push(format!("{lanes}at {}", module.describe(group.op)));
            }
            let place = if places.is_empty() {
                "left the kernel".to_owned()
            } else {
                format!("waits {}", places.join(" and "))
            };
            match lines.iter_mut().find(|(line, _)| *line == place) {
                Some((_, warps)) => *warps |= 1 << warp.index,
                None => lines.push((place, 1 << warp.index)),
            }
        }
        for (place, warps) in lines {
            let _ = write!(detail, "\n    warp {}: {place}", Lanes(warps));
        }
        let (op, thread) = (group.op, first.index * 32 + group.mask.trailing_zeros());
        worker.find(&self.block, op, thread, FindingKind::BarrierDivergence { detail });
        // A card would wait for ever.
        worker.fail(&self.block, Failure::Timeout);
    }
}

/// Lets a group go on behind its barrier, with the reduction's result.
fn leave(warp: &mut Warp, group: usize, grid: &Grid<'_>, barrier: &Barrier) {
    let group = &mut warp.groups[group];
    let op = &grid.program.ops[group.op as usize];
    let value = match grid.program.barriers[op.extra as usize].kind {
        BarrierKind::Sync | BarrierKind::Arrive => None,
        BarrierKind::ReducePopc => Some(barrier.holds),
        BarrierKind::ReduceAnd => Some(if barrier.holds == barrier.lanes { u32::MAX } else { 0 }),
        BarrierKind::ReduceOr => Some(if barrier.holds > 0 { u32::MAX } else { 0 }),
    };
    if let Some(value) = value.filter(|_| op.d[0] != NONE) {
        let regs = warp.registers.window(group.window as usize);
        // SAFETY: the window covers the op's slots; nothing else refers to them here.
        let row = unsafe { row(regs, op.d[0]) };
        lanes(group.mask).for_each(|lane| row[lane] = value);
    }
    group.op += 1;
    group.wait = Wait::Ready;
}
