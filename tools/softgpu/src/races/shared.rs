//! The last accesses to each word of a block's shared memory: one write, and reads by two threads.
//!
//! Two reads are enough to find a later write that is ordered after neither, whoever makes it: the first reader stays as
//! long as a write would race with it, the second is the last. Bytes of a word are told apart as far as one stamp goes: of
//! threads that write different bytes of a word only the last is kept, but for two halves by neighbouring lanes.

use super::clocks::{Clocks, Reach};
use super::{Does, Earlier};

/// Of a stamp: 17 bits of time, the thread, the bytes, whether the access was strong. Later stamps are greater.
const TIME: u32 = 15;
const THREAD: u32 = 5;
const BYTES: u32 = 1;
const STRONG: u32 = 1;
const THREADS: u32 = 0x3ff << THREAD;
const WARPS: u32 = 0x3e0 << THREAD;
const ALL_BYTES: u32 = 0xf;
/// In the place of the bytes: the low half is the thread's, the high half the next thread's.
const HALVES: u32 = 0;
const LAST_TIME: i64 = (1 << 17) - 1;

#[derive(Debug, Default)]
struct Slots {
    stamps: Vec<u32>,
    ops: Vec<u32>,
}

/// Stamps below these are ordered before the access: for any thread, and for threads of its warp.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    now: u32,
    block: u32,
    warp: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Shadow {
    write: Slots,
    reads: [Slots; 2],
    /// From the time of a block to that of its stamps, which go on from block to block: none need be wiped.
    offset: i64,
    /// The latest time of a stamp.
    latest: i64,
}

impl Shadow {
    pub(crate) fn new(bytes: usize) -> Self {
        let slots = || Slots { stamps: vec![0; bytes.div_ceil(4)], ops: vec![0; bytes.div_ceil(4)] };
        Self { write: slots(), reads: [slots(), slots()], offset: 0, latest: 0 }
    }

    /// A new block begins, its clock at 1.
    pub(crate) fn start(&mut self) {
        self.offset = self.latest;
    }

    /// When a warp's access is, for [`Shadow::piece`].
    #[inline(always)]
    pub(crate) fn moment(&mut self, clocks: &Clocks, warp: u32) -> Moment {
        let mut now = i64::from(clocks.now) + self.offset;
        if now > LAST_TIME {
            self.forget();
            self.offset = 1 - i64::from(clocks.now);
            now = 1;
        }
        self.latest = now;
        let after = |time: u32| (((i64::from(time) + self.offset).max(0) + 1) as u32) << TIME;
        Moment {
            now: (now as u32) << TIME,
            block: after(clocks.block),
            warp: after(clocks.block.max(clocks.warp[warp as usize])),
        }
    }

    /// The clock of 17 bits is at its end.
    #[cold]
    fn forget(&mut self) {
        let [first, last] = &mut self.reads;
        for slots in [&mut self.write, first, last] {
            slots.stamps.fill(0);
        }
    }

    /// A warp's access to a contiguous range, lane by lane in ascending order. False when it may race with another: then
    /// nothing is noted, and each lane is to be looked at.
    #[inline(always)]
    pub(crate) fn line(
        &mut self,
        clocks: &Clocks,
        writes: bool,
        warp: u32,
        offset: usize,
        width: u64,
        op: u32,
    ) -> bool {
        let word = offset / 4;
        if !offset.is_multiple_of(4) {
            return false;
        }
        let moment = self.moment(clocks, warp);
        let first = moment.now | (warp * 32) << THREAD;
        let whole = first | ALL_BYTES << BYTES;
        match width {
            2 => self.words::<16>(moment, writes, word, |i| (first | HALVES << BYTES) + ((2 * i) << THREAD), op),
            4 => self.words::<32>(moment, writes, word, |i| whole + (i << THREAD), op),
            8 => self.words::<64>(moment, writes, word, |i| whole + ((i / 2) << THREAD), op),
            16 => self.words::<128>(moment, writes, word, |i| whole + ((i / 4) << THREAD), op),
            _ => false,
        }
    }

    /// One lane's access to whole words: as for [`Shadow::line`].
    #[inline(always)]
    pub(crate) fn piece(
        &mut self,
        moment: Moment,
        writes: bool,
        thread: u32,
        offset: usize,
        width: u64,
        op: u32,
    ) -> bool {
        let word = offset / 4;
        let stamp = moment.now | thread << THREAD | ALL_BYTES << BYTES;
        match width {
            4 => self.words::<1>(moment, writes, word, |_| stamp, op),
            8 => self.words::<2>(moment, writes, word, |_| stamp, op),
            16 => self.words::<4>(moment, writes, word, |_| stamp, op),
            _ => false,
        }
    }

    #[inline(always)]
    #[allow(clippy::needless_bitwise_bool, reason = "without branches, the loops over words become vector operations")]
    fn words<const N: usize>(
        &mut self,
        moment: Moment,
        writes: bool,
        word: usize,
        stamp: impl Fn(u32) -> u32,
        op: u32,
    ) -> bool {
        let range = word..word + N;
        let ordered = |old: u32, new: u32| {
            let differs = old ^ new;
            (old < moment.block)
                | (differs & (THREADS | ALL_BYTES << BYTES) == 0)
                | ((differs & WARPS == 0) & (old < moment.warp))
        };
        let [first, last] = &mut self.reads;
        let write = &mut self.write.stamps[range.clone()];
        let mut all = true;
        if writes {
            let (first, last) = (&first.stamps[range.clone()], &last.stamps[range.clone()]);
            for i in 0..N {
                let new = stamp(i as u32);
                all &= ordered(write[i], new) & ordered(first[i], new) & ordered(last[i], new);
            }
            if all {
                (0..N).for_each(|i| write[i] = stamp(i as u32));
                self.write.ops[range].fill(op);
            }
            return all;
        }
        let stamps = &mut first.stamps[range.clone()];
        let mut replaces = true;
        for i in 0..N {
            let new = stamp(i as u32);
            all &= ordered(write[i], new);
            replaces &= ordered(stamps[i], new);
        }
        if !all {
            return false;
        }
        if replaces {
            (0..N).for_each(|i| stamps[i] = stamp(i as u32));
            first.ops[range].fill(op);
            return true;
        }
        let last_stamps = &mut last.stamps[range.clone()];
        let (ops, last_ops) = (&mut first.ops[range.clone()], &mut last.ops[range]);
        for i in 0..N {
            let new = stamp(i as u32);
            if ordered(stamps[i], new) {
                (stamps[i], ops[i]) = (new, op);
            } else {
                (last_stamps[i], last_ops[i]) = (new, op);
            }
        }
        true
    }

    /// One lane's access, noted; the first access that it races with.
    pub(crate) fn lane(
        &mut self,
        clocks: &Clocks,
        does: Does,
        thread: u32,
        offset: usize,
        bytes: usize,
        op: u32,
    ) -> Option<Earlier> {
        self.look(clocks, does, thread, offset, bytes, Some(op))
    }

    /// The first access that one of this kind would race with; nothing is noted.
    pub(crate) fn would_race(
        &mut self,
        clocks: &Clocks,
        does: Does,
        thread: u32,
        offset: usize,
        bytes: usize,
    ) -> Option<Earlier> {
        self.look(clocks, does, thread, offset, bytes, None)
    }

    fn look(
        &mut self,
        clocks: &Clocks,
        does: Does,
        thread: u32,
        offset: usize,
        bytes: usize,
        note: Option<u32>,
    ) -> Option<Earlier> {
        let mut moment = self.moment(clocks, thread / 32);
        if does.strong && does.writes {
            let time = i64::from(clocks.strong_time(thread / 32, Reach::Block)) + self.offset;
            moment.now = (time.max(1) as u32) << TIME;
        }
        let mut found = None;
        for word in offset / 4..(offset + bytes).div_ceil(4) {
            let from = offset.max(4 * word) - 4 * word;
            let to = (offset + bytes).min(4 * word + 4) - 4 * word;
            let mask = (1 << to) - (1 << from);
            let access = Access { moment, offset: self.offset, clocks, does, thread, mask };
            let [first, last] = &self.reads;
            let slots = [(&self.write, true), (first, false), (last, false)];
            for (slots, writes) in slots.into_iter().take(if does.writes { 3 } else { 1 }) {
                if found.is_none()
                    && let Some(thread) = access.races_with(slots.stamps[word])
                {
                    found = Some(Earlier { block: 0, thread, op: slots.ops[word], writes });
                }
            }
            let Some(op) = note else { continue };
            let [first, last] = &mut self.reads;
            let slots = if does.writes {
                &mut self.write
            } else if access.follows(first.stamps[word]) {
                first
            } else {
                last
            };
            slots.stamps[word] = access.joined_with(slots.stamps[word], slots.ops[word] == op);
            slots.ops[word] = op;
        }
        found
    }
}

/// A lane's access to bytes of one word.
struct Access<'a> {
    moment: Moment,
    offset: i64,
    clocks: &'a Clocks,
    does: Does,
    thread: u32,
    mask: u32,
}

impl Access<'_> {
    fn stamp(&self) -> u32 {
        self.moment.now | self.thread << THREAD | self.mask << BYTES | u32::from(self.does.strong)
    }

    fn follows_thread(&self, thread: u32, stamp: u32) -> bool {
        if thread == self.thread || stamp < self.moment.block {
            return true;
        }
        let time = (i64::from(stamp >> TIME) - self.offset) as u32;
        if thread / 32 == self.thread / 32 {
            self.clocks.follows_lane(thread / 32, self.thread % 32, thread % 32, time)
        } else {
            self.clocks.follows_warp(self.thread / 32, thread / 32, time)
        }
    }

    /// Whether the access is ordered after the stamp's, whatever bytes either has.
    fn follows(&self, stamp: u32) -> bool {
        threads(stamp).into_iter().all(|(thread, mask)| mask == 0 || self.follows_thread(thread, stamp))
    }

    /// The thread of the stamp, if the two race.
    fn races_with(&self, stamp: u32) -> Option<u32> {
        if stamp == 0 || (self.does.strong && stamp & STRONG != 0) {
            return None;
        }
        let racing = |&(thread, mask): &(u32, u32)| mask & self.mask != 0 && !self.follows_thread(thread, stamp);
        threads(stamp).into_iter().find(racing).map(|(thread, _)| thread)
    }

    /// The stamp that takes the place of an old one. What the same thread, or the same instruction in the lane before,
    /// did with the rest of the word stays.
    fn joined_with(&self, old: u32, same_op: bool) -> u32 {
        let new = self.stamp();
        let differs = old ^ new;
        if differs & !(ALL_BYTES << BYTES) == 0 && old >> BYTES & ALL_BYTES != HALVES {
            return old | new;
        }
        let halves = old + (1 << THREAD) == new & !(ALL_BYTES << BYTES) | 0b0011 << BYTES && self.mask == 0b1100;
        if same_op && halves { old & !(ALL_BYTES << BYTES) | HALVES << BYTES } else { new }
    }
}

/// The threads of a stamp with the bytes of each.
fn threads(stamp: u32) -> [(u32, u32); 2] {
    let (thread, mask) = ((stamp & THREADS) >> THREAD, stamp >> BYTES & ALL_BYTES);
    match mask {
        _ if stamp == 0 => [(0, 0); 2],
        HALVES => [(thread, 0b0011), (thread + 1, 0b1100)],
        _ => [(thread, mask), (0, 0)],
    }
}
