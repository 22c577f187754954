//! A warp: groups of lanes that progress independently, and the loop over operations.
//!
//! A warp is a short list of groups (place, lanes, calls). The one to run is the lowest: deepest in calls first, then
//! earliest in block order. A branch that splits a group makes two; at the start of a block groups at the same place
//! merge, and if another is now lower it gets the turn. So lanes that diverged meet again at the first block that both
//! come to, as blocks are in a reverse post-order with loops contiguous.
//!
//! Lanes that spin on a lane ahead of them would starve it: a backward branch costs patience, and when that is gone
//! another group gets a turn, the one that waited longest. A loop that polls (volatile loads, atomics) is taken to spin
//! after 64 rounds; any other only after 65,536, so that an ordinary loop which some lanes leave early converges.

use super::Failure;
use std::fmt::Write;

use super::block::Block;
use super::grid::Worker;
use super::module::function_address;
use super::registers::{Registers, lanes, predicate, row, wide_row};
use super::schedule::Shuffle;
use crate::inspect::finding::FindingKind;
use crate::isa::{MASKED, address, control, level, matrix, mbarrier, memory, sync, warp as ops};
use crate::memory::store::Store;
use crate::program::{Constant, Kind, NONE, Op};
use crate::ptx::ast::Special;

/// What a group that is not polling may take of backward branches before another gets a turn.
const PATIENCE: u32 = 64 * POLL_COST;
const POLL_COST: u32 = 1024;
/// Blocks that a group out of its order may run before the lowest is looked for again.
const TURN: u32 = 64;

/// Where a call returns to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) op: u32,
    pub(crate) function: u32,
    pub(crate) window: u32,
    pub(crate) local: u32,
    /// Index into the program's calls: its results are copied at the return.
    pub(crate) call: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Nothing: it can run.
    Ready,
    /// For the other lanes of this mask, at a `.sync` instruction.
    Lanes(u32),
    /// For the rest of the warp, at an `.aligned` instruction.
    Warp,
    /// At this barrier of the block.
    Barrier(u32),
}

/// Lanes that are at the same place.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The op to run next.
    pub(crate) op: u32,
    pub(crate) mask: u32,
    pub(crate) function: u32,
    /// First slot of the function's window.
    pub(crate) window: u32,
    /// Where the function's frame begins in each lane's local memory.
    pub(crate) local: u32,
    pub(crate) calls: Vec<Frame>,
    /// Bytes of stack that the calls take.
    pub(crate) stack: u64,
    pub(crate) wait: Wait,
    patience: u32,
    /// Blocks left of a turn out of order; 0: in order.
    turn: u32,
    /// When it last ran.
    last: u64,
}

impl Group {
    fn key(&self) -> (std::cmp::Reverse<usize>, u32) {
        (std::cmp::Reverse(self.calls.len()), self.op)
    }

    fn meets(&self, other: &Self) -> bool {
        self.op == other.op && self.wait == other.wait && self.calls == other.calls
    }

    /// The lanes of `mask` as a group of their own, here.
    pub(crate) fn split(&mut self, mask: u32) -> Self {
        let apart = Self { mask, ..self.clone() };
        self.mask &= !mask;
        self.patience = PATIENCE;
        apart
    }
}

/// Why a warp stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// All its lanes have left the kernel.
    Done,
    /// All that are left wait at this barrier.
    Barrier(u32),
    /// Some wait at a barrier, the others for them.
    Blocked,
    /// Its turn is over.
    Turn,
    /// It polls memory and gets nowhere by itself.
    Spin,
    /// The launch has failed; the finding is recorded.
    Failed,
}

/// What an operation that can end a group's run says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// On with the next operation.
    Next,
    /// The group's place has changed.
    Jump,
    /// The group waits, or has no lanes left: look for another.
    Leave,
    /// The warp lets others go first.
    Yield,
}

/// A launch that cannot go on; the finding is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

/// A warp between its turns.
#[derive(Debug, Default)]
pub(crate) struct Warp {
    /// In its block.
    pub(crate) index: u32,
    pub(crate) registers: Registers,
    /// All but the one that runs.
    pub(crate) groups: Vec<Group>,
    /// Lanes that have not left the kernel.
    pub(crate) live: u32,
    /// The lanes' local memories, one after the other.
    pub(crate) local: Option<Store>,
    /// Bytes of one of them.
    pub(crate) local_bytes: usize,
    /// Warp instructions so far: the clock.
    pub(crate) executed: u64,
    pub(crate) copies: memory::Copies,
    turns: u64,
    /// A group has just parted by chance: what it left is at the same place and does not join it again yet.
    parted: bool,
}

/// A warp that runs: what the operations work on.
pub(crate) struct Step<'s, 'g> {
    pub(crate) worker: &'s mut Worker<'g>,
    pub(crate) block: &'s mut Block,
    pub(crate) warp: &'s mut Warp,
    pub(crate) group: Group,
    /// The group's window.
    pub(crate) regs: *mut u32,
    /// Something polled memory since the last backward branch.
    pub(crate) polled: bool,
    /// Warp instructions left of the turn.
    left: u64,
}

impl Warp {
    /// Puts the warp at the start of the kernel, with these lanes.
    pub(crate) fn start(&mut self, worker: &Worker<'_>, block: &Block, index: u32, lanes: u32) {
        let grid = worker.grid;
        let id = grid.launch.function;
        let function = &grid.program.functions[id as usize];
        self.index = index;
        self.live = lanes;
        self.executed = 0;
        self.turns = 0;
        self.parted = false;
        self.copies = memory::Copies::default();
        if let Some(local) = &self.local {
            local.forget();
        }
        self.registers.reserve(function.slots as usize);
        let group = Group {
            op: function.first_op,
            mask: lanes,
            function: id,
            window: 0,
            local: 0,
            calls: Vec::new(),
            stack: 0,
            wait: Wait::Ready,
            patience: PATIENCE,
            turn: 0,
            last: 0,
        };
        self.reserve_local(function.frame_bytes as usize);
        self.fill(worker, block, &group);
        self.groups.clear();
        self.groups.push(group);
    }

    /// Makes room for `bytes` of local memory in each lane.
    pub(crate) fn reserve_local(&mut self, bytes: usize) {
        if bytes > self.local_bytes {
            let new_bytes = bytes.next_power_of_two().max(64);
            let new = Store::new(new_bytes * 32);
            if let Some(old) = &self.local {
                for lane in 0..32 {
                    new.copy_from(lane * new_bytes, old, lane * self.local_bytes, self.local_bytes);
                }
            }
            self.local = Some(new);
            self.local_bytes = new_bytes;
        }
    }

    /// Fills the slots of a function's constants and special registers, for the lanes of the group.
    pub(crate) fn fill(&mut self, worker: &Worker<'_>, block: &Block, group: &Group) {
        let function = &worker.grid.program.functions[group.function as usize];
        let regs = self.registers.window(group.window as usize);
        for &(slot, constant) in &function.constants {
            let value = match constant {
                Constant::Bits32(bits) => {
                    // SAFETY: the window covers the function's slots; nothing else refers to it here.
                    fill_lanes(unsafe { row(regs, slot) }, group.mask, bits);
                    continue;
                }
                Constant::Bits64(bits) => bits,
                Constant::Variable(id, offset) => {
                    worker.grid.launch.module.addresses[id as usize].wrapping_add_signed(offset)
                }
                Constant::Function(id) => function_address(id),
                Constant::Local(offset) => u64::from(group.local) + offset,
            };
            // SAFETY: as above; the constant takes two slots.
            fill_lanes(unsafe { wide_row(regs, slot) }, group.mask, value);
        }
        for &(slot, special) in &function.specials {
            if !is_wide(special) && !differs_by_lane(special) {
                let value = self.special(worker, block, special, 0) as u32;
                // SAFETY: as above.
                fill_lanes(unsafe { row(regs, slot) }, group.mask, value);
                continue;
            }
            for lane in lanes(group.mask) {
                let value = self.special(worker, block, special, lane as u32);
                if is_wide(special) {
                    // SAFETY: as above.
                    unsafe { wide_row(regs, slot)[lane] = value };
                } else {
                    // SAFETY: as above.
                    unsafe { row(regs, slot)[lane] = value as u32 };
                }
            }
        }
    }

    /// What a special register holds for a lane.
    pub(crate) fn special(&self, worker: &Worker<'_>, block: &Block, special: Special, lane: u32) -> u64 {
        let grid = worker.grid;
        let [x, y, _] = grid.launch.block;
        let thread = self.index * 32 + lane;
        let below = (1u64 << lane) - 1;
        let static_bytes = grid.function.shared_bytes;
        match special {
            Special::Tid(0) => u64::from(thread % x),
            Special::Tid(1) => u64::from(thread / x % y),
            Special::Tid(_) => u64::from(thread / (x * y)),
            Special::Ntid(axis) => u64::from(*grid.launch.block.get(usize::from(axis)).unwrap_or(&0)),
            Special::Ctaid(axis) => u64::from(*block.place.get(usize::from(axis)).unwrap_or(&0)),
            Special::Nctaid(axis) => u64::from(*grid.launch.grid.get(usize::from(axis)).unwrap_or(&0)),
            Special::LaneId => u64::from(lane),
            Special::WarpId => u64::from(self.index),
            Special::NwarpId => u64::from(grid.threads.div_ceil(32)),
            Special::SmId => block.index % u64::from(grid.launch.settings.multiprocessors.max(1)),
            Special::NsmId => u64::from(grid.launch.settings.multiprocessors),
            Special::GridId | Special::EnvReg(_) => 0,
            Special::LanemaskEq => 1 << lane,
            Special::LanemaskLt => below,
            Special::LanemaskLe => below | 1 << lane,
            Special::LanemaskGt => u64::from(!(below | 1 << lane) as u32),
            Special::LanemaskGe => u64::from(!below as u32),
            // A cycle and a nanosecond an instruction: time passes, and the same way in every run.
            Special::Clock | Special::Clock64 | Special::GlobalTimer | Special::GlobalTimerLo => self.executed,
            Special::ClockHi | Special::GlobalTimerHi => self.executed >> 32,
            Special::DynamicSmemSize => u64::from(grid.launch.dynamic_shared_bytes),
            Special::TotalSmemSize => u64::from(static_bytes) + u64::from(grid.launch.dynamic_shared_bytes),
            Special::WarpSize => 32,
        }
    }

    /// Lets waiting lanes go on whose wait is over, and merges groups that are at the same place.
    fn settle(&mut self, worker: &mut Worker<'_>, block: &mut Block) {
        let mut i = 0;
        while i < self.groups.len() {
            let mut j = i + 1;
            while j < self.groups.len() {
                if self.groups[i].meets(&self.groups[j]) {
                    let other = self.groups.swap_remove(j);
                    let group = &mut self.groups[i];
                    group.mask |= other.mask;
                    group.last = group.last.min(other.last);
                    group.patience = PATIENCE;
                    group.turn = 0;
                } else {
                    j += 1;
                }
            }
            i += 1;
        }
        for i in 0..self.groups.len() {
            match self.groups[i].wait {
                Wait::Warp if self.groups[i].mask == self.live => self.groups[i].wait = Wait::Ready,
                Wait::Lanes(_) => ops::rendezvous(self, worker, block, i),
                _ => {}
            }
        }
    }

    /// The group to run: on request the one that waited longest, otherwise the lowest, or any of them where turns are
    /// shuffled.
    fn choose(&self, after_yield: Option<u64>, shuffle: Option<&mut Shuffle>) -> Option<usize> {
        let ready = || self.groups.iter().enumerate().filter(|(_, group)| group.wait == Wait::Ready);
        let oldest = after_yield.and_then(|turn| {
            ready().filter(|(_, group)| group.last != turn).min_by_key(|(_, group)| group.last).map(|(i, _)| i)
        });
        if let (None, Some(shuffle)) = (oldest, shuffle) {
            let count = ready().count() as u64;
            return (count != 0).then(|| ready().nth(shuffle.below(count) as usize)).flatten().map(|(i, _)| i);
        }
        oldest.or_else(|| ready().min_by_key(|(_, group)| group.key()).map(|(i, _)| i))
    }

    /// Lets some lanes of a group stay behind, now and then.
    fn part(&mut self, group: &mut Group, shuffle: &mut Shuffle) {
        if self.groups.is_empty() && shuffle.one_in(8) {
            let behind = shuffle.part(group.mask);
            if behind != 0 && behind != group.mask {
                let behind = group.split(behind);
                self.groups.push(behind);
                self.parted = true;
            }
        }
    }

    /// What a warp is waiting for when none of its groups can run.
    fn stuck(&self, worker: &mut Worker<'_>, block: &Block) -> Pause {
        let Some(first) = self.groups.first() else { return Pause::Done };
        if let Wait::Barrier(number) = first.wait
            && self.groups.iter().all(|group| group.wait == first.wait)
        {
            return Pause::Barrier(number);
        }
        if self.groups.iter().any(|group| matches!(group.wait, Wait::Barrier(_))) {
            return Pause::Blocked;
        }
        self.report_stuck(worker, block);
        Pause::Failed
    }

    /// The finding for lanes that wait for others of their warp that can never come.
    pub(crate) fn report_stuck(&self, worker: &mut Worker<'_>, block: &Block) {
        let module = worker.grid.launch.module;
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|group| group.op);
        let Some(first) = groups.iter().find(|group| !matches!(group.wait, Wait::Barrier(_))).or(groups.first()) else {
            return;
        };
        let mut places = String::new();
        for group in &groups {
            let _ = write!(places, "\n    lanes {} at {}", Lanes(group.mask), module.describe(group.op));
        }
        let (kind, failure) = if let Wait::Lanes(mask) = first.wait {
            let here = groups
                .iter()
                .filter(|group| group.op == first.op && group.wait == first.wait)
                .fold(0, |mask, group| mask | group.mask);
            let missing = Lanes(mask & self.live & !here);
            let detail = format!("lanes {missing} of the mask {mask:#010x} never reach the instruction{places}");
            // A card would wait for ever.
            (FindingKind::MaskMismatch { detail }, Failure::Timeout)
        } else {
            let detail = format!("parts of a warp are at different instructions that need the whole warp{places}");
            (FindingKind::BarrierDivergence { detail }, Failure::LaunchFailed)
        };
        let lane = first.mask.trailing_zeros();
        worker.find(block, first.op, self.index * 32 + lane, kind);
        worker.fail(block, failure);
    }

    /// Runs until the warp waits, ends or has executed about `budget` instructions.
    pub(crate) fn run(&mut self, worker: &mut Worker<'_>, block: &mut Block, budget: u64) -> Pause {
        let mut left = budget;
        let mut yielded = None;
        let mut yields = 0;
        loop {
            if self.groups.len() > 1 || self.groups.first().is_some_and(|group| group.wait != Wait::Ready) {
                self.settle(worker, block);
            }
            let Some(index) = self.choose(yielded, worker.shuffle.as_mut()) else { return self.stuck(worker, block) };
            let mut group = self.groups.swap_remove(index);
            self.turns += 1;
            group.last = self.turns;
            group.turn = if yielded.is_some() { TURN } else { 0 };
            if let Some(shuffle) = &mut worker.shuffle {
                group.turn = 1 + shuffle.below(u64::from(TURN)) as u32;
                self.part(&mut group, shuffle);
            }
            let regs = self.registers.window(group.window as usize);
            let mut step = Step { worker, block, warp: self, group, regs, polled: false, left };
            // SAFETY: `decode` made the ops: each names slots of its function's window alone, and `lanes` are the
            // instances that this processor can run.
            let end = unsafe {
                match level() {
                    2 => step.run::<2>(),
                    1 => step.run::<1>(),
                    _ => step.run::<0>(),
                }
            };
            left = step.left;
            let group = step.group;
            let spun = end == Ok(Flow::Yield);
            yielded = spun.then_some(group.last);
            if group.mask != 0 {
                self.groups.push(group);
            }
            if end.is_err() {
                return Pause::Failed;
            }
            let others = self.groups.iter().filter(|group| group.wait == Wait::Ready).count();
            yields = if spun { yields + 1 } else { 0 };
            // Each has had its turn, and none got anywhere but to where it polls.
            if yields > 2 * others || (spun && others <= 1) {
                return Pause::Spin;
            }
            if left == 0 {
                return Pause::Turn;
            }
        }
    }
}

/// The same value in the lanes of a mask.
fn fill_lanes<T: Copy>(row: &mut [T; 32], mask: u32, value: T) {
    if mask == u32::MAX {
        row.fill(value);
    } else {
        lanes(mask).for_each(|lane| row[lane] = value);
    }
}

fn differs_by_lane(special: Special) -> bool {
    matches!(
        special,
        Special::Tid(_)
            | Special::LaneId
            | Special::LanemaskEq
            | Special::LanemaskLt
            | Special::LanemaskLe
            | Special::LanemaskGt
            | Special::LanemaskGe
    )
}

fn is_wide(special: Special) -> bool {
    matches!(special, Special::Clock64 | Special::GlobalTimer | Special::GridId)
}

impl Step<'_, '_> {
    /// Lanes for which the operation's guard holds.
    ///
    /// # Safety
    /// As for [`LaneFn`](crate::program::LaneFn).
    #[inline(always)]
    pub(crate) unsafe fn guarded(&self, op: &Op) -> u32 {
        if op.guard == NONE {
            return self.group.mask;
        }
        // SAFETY: the caller's.
        let holds = unsafe { predicate(self.regs, op.guard) };
        self.group.mask & if op.guard_negated { !holds } else { holds }
    }

    /// The loop over operations; `LEVEL` is what [`level`] found, so that what it calls is known when it is compiled.
    ///
    /// # Safety
    /// The group's window covers every slot that the program's ops name.
    unsafe fn run<const LEVEL: usize>(&mut self) -> Result<Flow, Stopped> {
        let program = self.worker.grid.program;
        let module = self.worker.grid.launch.module;
        loop {
            let mut at = self.group.op as usize;
            let block = program.block_of[at] as usize;
            let end = module.block_ends[block] as usize;
            if program.blocks[block].first as usize == at && !self.enter_block(block, end - at) {
                return Ok(Flow::Leave);
            }
            while at < end {
                let op = &program.ops[at];
                if op.kind == Kind::Lanes && op.guard == NONE {
                    let ops = &program.ops[at..at + op.extra as usize];
                    // SAFETY: the caller's, here and below.
                    unsafe { run_lanes::<LEVEL>(self.regs, ops, self.group.mask) };
                    at += ops.len();
                    continue;
                }
                // SAFETY: as above.
                let mask = unsafe { self.guarded(op) };
                self.group.op = at as u32;
                // Nothing for no lane, but that the special registers of the decoder's own are read for the warp.
                if mask == 0 && op.kind != Kind::ReadSpecial {
                    at += 1;
                    continue;
                }
                // SAFETY: as above.
                let flow = unsafe {
                    match op.kind {
                        Kind::Lanes => {
                            run_lanes::<LEVEL>(self.regs, std::slice::from_ref(op), mask);
                            Flow::Next
                        }
                        Kind::Load => {
                            memory::LOAD[LEVEL](self, &program.accesses[op.extra as usize], mask)?;
                            Flow::Next
                        }
                        Kind::Store => {
                            memory::STORE[LEVEL](self, &program.accesses[op.extra as usize], mask)?;
                            Flow::Next
                        }
                        Kind::Branch => control::bra(self, op.extra, mask),
                        _ => self.other(op, mask)?,
                    }
                };
                match flow {
                    Flow::Next => at += 1,
                    Flow::Jump => break,
                    flow => return Ok(flow),
                }
            }
            if at == end {
                self.group.op = end as u32;
            }
        }
    }

    /// Counts a block's operations; false when another group of the warp is to run first.
    #[inline(always)]
    fn enter_block(&mut self, block: usize, ops: usize) -> bool {
        if (!self.warp.groups.is_empty() || self.left == 0) && !self.keeps_turn() {
            return false;
        }
        let (warps, threads) = &mut self.worker.tally.blocks[block];
        *warps += 1;
        *threads += u64::from(self.group.mask.count_ones());
        self.warp.executed += ops as u64;
        self.left = self.left.saturating_sub(ops as u64);
        true
    }

    /// At the start of a block: whether the group goes on, after groups that are here too have joined it.
    #[inline(never)]
    fn keeps_turn(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        let mut i = 0;
        if std::mem::take(&mut self.warp.parted) {
            i = self.warp.groups.len();
        }
        while i < self.warp.groups.len() {
            if self.group.meets(&self.warp.groups[i]) {
                let other = self.warp.groups.swap_remove(i);
                self.group.mask |= other.mask;
                self.group.patience = PATIENCE;
                self.group.turn = 0;
            } else {
                i += 1;
            }
        }
        if self.group.turn > 0 {
            self.group.turn -= 1;
            return self.group.turn > 0;
        }
        let key = self.group.key();
        !self.warp.groups.iter().any(|group| group.wait == Wait::Ready && group.key() < key)
    }

    /// Goes to an op; going back costs patience.
    pub(crate) fn jump(&mut self, to: u32) -> Flow {
        let back = to <= self.group.op;
        self.group.op = to;
        if back {
            let cost = if std::mem::take(&mut self.polled) { POLL_COST } else { 1 };
            self.group.patience = self.group.patience.saturating_sub(cost);
            if self.group.patience == 0 {
                self.group.patience = PATIENCE;
                // Alone and not polling: nothing that others do could end this loop.
                if cost == POLL_COST || !self.warp.groups.is_empty() {
                    return Flow::Yield;
                }
            }
        }
        Flow::Jump
    }

    /// The operations beyond plain lanes, loads and stores.
    ///
    /// # Safety
    /// As for [`LaneFn`](crate::program::LaneFn).
    #[inline(never)]
    unsafe fn other(&mut self, op: &Op, mask: u32) -> Result<Flow, Stopped> {
        let program = self.worker.grid.program;
        // SAFETY: the caller's, for every function below.
        unsafe {
            match op.kind {
                Kind::Lanes | Kind::Load | Kind::Store | Kind::Branch => unreachable!("the loop runs these itself"),
                Kind::Atomic => {
                    memory::atom(self, op, &program.accesses[op.extra as usize], mask)?;
                    // Others may come in between what an atomic told and what is done about it.
                    if self.worker.shuffle.as_mut().is_some_and(|shuffle| shuffle.one_in(4)) {
                        self.group.op += 1;
                        self.left = 0;
                        return Ok(Flow::Leave);
                    }
                }
                Kind::CopyAsync => memory::cp_async(self, op, &program.accesses[op.extra as usize], mask)?,
                Kind::CopyCommit => self.warp.copies.commit(mask),
                Kind::CopyWait => memory::cp_async_wait(self, op.extra, mask),
                Kind::Tensor => return matrix::tensor(self, op, mask),
                Kind::BranchIndexed => {
                    return control::brx_idx(self, op, &program.branch_tables[op.extra as usize], mask);
                }
                Kind::Call => return control::call(self, op, mask),
                Kind::Return => return Ok(control::ret(self, mask)),
                Kind::Exit => return Ok(control::exit(self, mask)),
                Kind::Trap => return Err(control::trap(self, "the kernel executed trap", mask)),
                Kind::Breakpoint => return Err(control::trap(self, "the kernel executed brkpt", mask)),
                Kind::Barrier => return sync::barrier(self, op, &program.barriers[op.extra as usize], mask),
                Kind::Mbarrier => mbarrier::mbarrier(self, op, &program.mbarriers[op.extra as usize], mask)?,
                Kind::IsSpace => address::isspacep(self, op, program.spaces[op.extra as usize], mask),
                Kind::WarpBarrier | Kind::Shuffle | Kind::Vote | Kind::Match | Kind::Redux | Kind::Elect => {
                    return ops::together(self, op, mask);
                }
                Kind::Fence => sync::fence(self, op.extra),
                Kind::ActiveMask => lanes(mask).for_each(|lane| row(self.regs, op.d[0])[lane] = mask),
                Kind::Nanosleep => {
                    self.group.op += 1;
                    return Ok(Flow::Yield);
                }
                Kind::ReadSpecial => {
                    let special = program.dynamic_specials[op.extra as usize];
                    for lane in lanes(mask) {
                        let value = self.warp.special(self.worker, self.block, special, lane as u32);
                        if is_wide(special) {
                            wide_row(self.regs, op.d[0])[lane] = value;
                        } else {
                            row(self.regs, op.d[0])[lane] = value as u32;
                        }
                    }
                }
                Kind::Nop => {}
            }
        }
        Ok(Flow::Next)
    }

    /// Records a finding at the current operation.
    pub(crate) fn find(&mut self, lane: usize, kind: FindingKind) {
        self.worker.find(self.block, self.group.op, self.warp.index * 32 + lane as u32, kind);
    }

    /// Ends the launch.
    pub(crate) fn fail(&mut self, failure: Failure) -> Stopped {
        self.worker.fail(self.block, failure);
        Stopped
    }
}

/// Plain lanes, one operation after the other.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn), for each of the operations; they are of [`Kind::Lanes`].
#[inline(always)]
unsafe fn run_lanes<const LEVEL: usize>(regs: *mut u32, ops: &[Op], mask: u32) {
    for op in ops {
        // SAFETY: the caller's.
        unsafe {
            if mask == u32::MAX {
                (op.lanes)(regs, op);
            } else {
                MASKED[LEVEL](regs, op, mask);
            }
        }
    }
}

/// Lanes as people write them: `0-3, 17`.
pub(crate) struct Lanes(pub(crate) u32);

impl std::fmt::Display for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.0;
        let mut separator = "";
        while rest != 0 {
            let first = rest.trailing_zeros();
            let run = (rest >> first).trailing_ones();
            f.write_str(separator)?;
            if run == 1 {
                write!(f, "{first}")?;
            } else {
                write!(f, "{first}-{}", first + run - 1)?;
            }
            separator = ", ";
            rest &= !((((1u64 << run) - 1) << first) as u32);
        }
        Ok(())
    }
}
