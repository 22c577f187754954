//! Register slots: liveness of a function's registers, and a linear scan that lets those share a slot whose lives do not
//! meet. A slot holds a value for each lane, and lanes write under their masks alone, so that what holds for one lane's
//! way through the blocks holds for the warp.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use smallvec::SmallVec;

use super::{NONE, Slot};
use crate::ptx::ast::RegisterId;

/// What one operation does to registers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    pub(crate) uses: SmallVec<[RegisterId; 6]>,
    pub(crate) defs: SmallVec<[RegisterId; 4]>,
    /// Some lanes may keep the old value: the operation is guarded.
    pub(crate) keeps: bool,
    /// Every source is read before a result is written, so a result may take a source's slot.
    pub(crate) in_place: bool,
}

/// A block in layout order: its steps, and who follows (indices of blocks).
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) first: u32,
    pub(crate) end: u32,
    pub(crate) successors: Vec<u32>,
}

/// The slots of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// By register; [`NONE`] for one that no reachable operation names.
    pub(crate) slots: Vec<Slot>,
    /// Slots in use, those below `first` among them.
    pub(crate) count: u32,
}

/// More registers are live at once than slots can be numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManySlots;

/// A set of registers.
#[derive(Clone, PartialEq, Eq)]
struct Set(Vec<u64>);

impl Set {
    fn new(registers: usize) -> Self {
        Self(vec![0; registers.div_ceil(64)])
    }
    fn insert(&mut self, register: RegisterId) {
        self.0[register as usize / 64] |= 1 << (register % 64);
    }
    fn remove(&mut self, register: RegisterId) {
        self.0[register as usize / 64] &= !(1 << (register % 64));
    }
    /// Adds another set; whether that changed this one.
    fn add(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            changed |= *other & !*word != 0;
            *word |= other;
        }
        changed
    }
    fn take_away(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= !other);
    }
    /// What is live behind a block.
    fn become_live_out(&mut self, block: &Span, live_in: &[Self]) {
        self.0.fill(0);
        for &successor in &block.successors {
            self.add(&live_in[successor as usize]);
        }
    }
    fn each(&self) -> impl Iterator<Item = RegisterId> {
        self.0.iter().zip(0u32..).flat_map(|(&word, index)| {
            std::iter::successors(Some(word), |w| Some(w & w.wrapping_sub(1)))
                .take_while(|&w| w != 0)
                .map(move |w| index * 64 + w.trailing_zeros())
        })
    }
}

/// Where a register is live, from its first to its last point. A step is two points: its reads, then its writes.
#[derive(Clone, Copy)]
struct Interval {
    register: RegisterId,
    first: u32,
    last: u32,
}

/// Gives each register of `widths` (1 or 2 slots) its slot, from `first` on: first those of one slot, then those of two.
///
/// The two kinds never share: 64-bit lanes lie side by side over both slots, so that lane 1's value is where lanes 2 and
/// 3 of a 32-bit register would be. Lanes that have diverged are at different places, where different registers live; a
/// lane that writes its own part of a shared slot must not meet another lane's part of another register.
pub(crate) fn assign(widths: &[u8], first: Slot, blocks: &[Span], steps: &[Step]) -> Result<Assignment, TooManySlots> {
    let mut intervals = intervals(widths.len(), blocks, steps);
    intervals.sort_unstable_by_key(|interval| u64::from(interval.first) << 32 | u64::from(interval.register));
    let mut slots = vec![NONE; widths.len()];
    let mut next = usize::from(first);
    for width in [1, 2] {
        let of_width = intervals.iter().filter(|interval| widths[interval.register as usize] == width);
        // Places of this width: those taken, by when they come free, and those free, the lowest first.
        let mut taken: BinaryHeap<Reverse<(u32, usize)>> = BinaryHeap::new();
        let mut free: BinaryHeap<Reverse<usize>> = BinaryHeap::new();
        let mut places = 0;
        for &interval in of_width {
            while let Some(&Reverse((_, at))) = taken.peek().filter(|Reverse((last, _))| *last < interval.first) {
                taken.pop();
                free.push(Reverse(at));
            }
            let at = free.pop().map_or(places, |Reverse(at)| at);
            places = places.max(at + 1);
            taken.push(Reverse((interval.last, at)));
            let slot = next + at * usize::from(width);
            if slot + usize::from(width) > usize::from(NONE) {
                return Err(TooManySlots);
            }
            slots[interval.register as usize] = Slot::try_from(slot).map_err(|_| TooManySlots)?;
        }
        next += places * usize::from(width);
    }
    Ok(Assignment { slots, count: u32::try_from(next).map_err(|_| TooManySlots)? })
}

/// What a block does to the registers that are live where it ends.
struct Effect {
    /// Read before the block writes them.
    reads: Set,
    /// Written for all lanes.
    writes: Set,
}

impl Effect {
    fn of(registers: usize, block: &Span, steps: &[Step]) -> Self {
        let mut effect = Self { reads: Set::new(registers), writes: Set::new(registers) };
        for step in steps[block.first as usize..block.end as usize].iter().rev() {
            if !step.keeps {
                for &register in &step.defs {
                    effect.reads.remove(register);
                    effect.writes.insert(register);
                }
            }
            step.uses.iter().for_each(|&register| effect.reads.insert(register));
        }
        effect
    }
}

/// The hull of each register's live points, in layout order.
fn intervals(registers: usize, blocks: &[Span], steps: &[Step]) -> Vec<Interval> {
    let effects: Vec<Effect> = blocks.iter().map(|block| Effect::of(registers, block, steps)).collect();
    let mut live_in: Vec<Set> = effects.iter().map(|effect| effect.reads.clone()).collect();
    let mut live = Set::new(registers);
    let mut changed = true;
    while changed {
        changed = false;
        for (index, effect) in effects.iter().enumerate().rev() {
            live.become_live_out(&blocks[index], &live_in);
            live.take_away(&effect.writes);
            changed |= live_in[index].add(&live);
        }
    }
    let mut hulls = vec![(u32::MAX, 0u32); registers];
    let mut live_over = |register: RegisterId, first: u32, last: u32| {
        let hull = &mut hulls[register as usize];
        *hull = (hull.0.min(first), hull.1.max(last));
    };
    for (index, block) in blocks.iter().enumerate() {
        let (start, end) = (2 * block.first, 2 * block.end);
        live_in[index].each().for_each(|register| live_over(register, start, start));
        live.become_live_out(block, &live_in);
        live.each().for_each(|register| live_over(register, end, end));
        for at in block.first..block.end {
            let step = &steps[at as usize];
            let (reads, writes) = (2 * at, 2 * at + 1);
            let read_until = if step.in_place { reads } else { writes };
            let written_from = if step.keeps { reads } else { writes };
            step.uses.iter().for_each(|&register| live_over(register, reads, read_until));
            step.defs.iter().for_each(|&register| live_over(register, written_from, writes));
        }
    }
    let named = hulls.into_iter().zip(0..).filter(|((first, _), _)| *first != u32::MAX);
    named.map(|((first, last), register)| Interval { register, first, last }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Span, Step, assign};

    fn step(uses: &[u32], defs: &[u32]) -> Step {
        Step { uses: uses.into(), defs: defs.into(), keeps: false, in_place: true }
    }

    #[test]
    fn a_result_takes_the_slot_of_a_source_that_dies() {
        let steps = [step(&[], &[0]), step(&[0], &[1]), step(&[1], &[])];
        let blocks = [Span { first: 0, end: 3, successors: vec![] }];
        let given = assign(&[1, 1, 1], 4, &blocks, &steps).unwrap();
        assert_eq!(given.slots, [4, 4, super::NONE]);
        assert_eq!(given.count, 5);
        let apart = [step(&[], &[0]), Step { in_place: false, ..step(&[0], &[1]) }, step(&[1], &[])];
        assert_eq!(assign(&[1, 1, 1], 4, &blocks, &apart).unwrap().slots, [4, 5, super::NONE]);
    }

    #[test]
    fn wide_registers_take_neighbours() {
        let steps = [step(&[], &[0]), step(&[], &[1]), step(&[0], &[]), step(&[1], &[2]), step(&[1, 2], &[])];
        let blocks = [Span { first: 0, end: 5, successors: vec![] }];
        let given = assign(&[1, 2, 1], 0, &blocks, &steps).unwrap();
        assert_eq!(given.slots, [0, 1, 0]);
        assert_eq!(given.count, 3);
    }

    #[test]
    fn registers_of_two_widths_never_share_a_slot() {
        // One lives in a branch, the other in its sibling: lanes of both branches may be under way at once.
        let steps = [step(&[], &[]), step(&[], &[0]), step(&[0], &[]), step(&[], &[1]), step(&[1], &[])];
        let blocks = [
            Span { first: 0, end: 1, successors: vec![1, 2] },
            Span { first: 1, end: 3, successors: vec![] },
            Span { first: 3, end: 5, successors: vec![] },
        ];
        assert_eq!(assign(&[2, 1], 0, &blocks, &steps).unwrap().slots, [1, 0]);
    }

    #[test]
    fn a_value_carried_round_a_loop_keeps_its_slot() {
        // Register 0 is set before the loop and read at its head only; register 1 lives within the body.
        let steps = [step(&[], &[0]), step(&[0], &[]), step(&[], &[1]), step(&[1], &[])];
        let blocks = [
            Span { first: 0, end: 1, successors: vec![1] },
            Span { first: 1, end: 2, successors: vec![2] },
            Span { first: 2, end: 4, successors: vec![1] },
        ];
        let given = assign(&[1, 1], 0, &blocks, &steps).unwrap();
        assert_ne!(given.slots[0], given.slots[1]);
    }

    #[test]
    fn a_guarded_result_keeps_what_was_there() {
        let steps = [step(&[], &[0]), step(&[], &[1]), Step { keeps: true, ..step(&[1], &[0]) }, step(&[0], &[])];
        let blocks = [Span { first: 0, end: 4, successors: vec![] }];
        let given = assign(&[1, 1], 0, &blocks, &steps).unwrap();
        assert_ne!(given.slots[0], given.slots[1]);
    }

    proptest! {
        /// Random code on random graphs: along a random path, what a step reads through slots is what it reads through
        /// registers.
        #[test]
        fn slots_hold_what_registers_hold(
            widths in proptest::collection::vec(1u8..=2, 6),
            code in proptest::collection::vec((0u32..6, 0u32..6, 0u32..6, any::<bool>(), any::<bool>()), 12),
            edges in proptest::collection::vec(0u32..4, 8),
            path in proptest::collection::vec(0usize..2, 30),
        ) {
            let mut steps: Vec<Step> = (0..6).map(|register| step(&[], &[register])).collect(); // all are set at first
            steps.extend(code.iter().map(|&(a, b, d, keeps, in_place)| Step { uses: smallvec::smallvec![a, b], defs: smallvec::smallvec![d], keeps, in_place }));
            let blocks: Vec<Span> = (0..5u32).map(|b| {
                let (first, end) = if b == 0 { (0, 6) } else { (6 + 3 * (b - 1), 6 + 3 * b) };
                let successors = if b == 0 { vec![1] } else { edges[2 * (b as usize - 1)..2 * b as usize].iter().map(|e| e + 1).collect() };
                Span { first, end, successors }
            }).collect();
            let given = assign(&widths, 1, &blocks, &steps).unwrap();
            let mut registers = [0u64; 6];
            let mut memory = vec![0u64; given.count as usize];
            let mut block = 0usize;
            let mut serial = 0;
            for turn in path {
                for at in blocks[block].first..blocks[block].end {
                    let step = &steps[at as usize];
                    for &r in &step.uses {
                        let slot = usize::from(given.slots[r as usize]);
                        for part in 0..usize::from(widths[r as usize]) {
                            prop_assert_eq!(memory[slot + part], registers[r as usize]);
                        }
                    }
                    serial += 1;
                    // A guarded step writes on every second turn.
                    if step.keeps && serial % 2 == 0 {
                        continue;
                    }
                    for &r in &step.defs {
                        registers[r as usize] = serial;
                        let slot = usize::from(given.slots[r as usize]);
                        memory[slot..slot + usize::from(widths[r as usize])].fill(serial);
                    }
                }
                block = blocks[block].successors[turn % blocks[block].successors.len()] as usize;
            }
        }
    }
}
