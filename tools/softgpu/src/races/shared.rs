//! The last accesses to each word of a block's shared memory: one write, and reads by two threads. Of a line of 32 words
//! that whole warps access, lane by lane in ascending order, one stamp says it for all of its words.
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

/// Words of a line, and its bytes.
const LINE_WORDS: usize = 32;
const LINE: usize = 4 * LINE_WORDS;
/// Of a line's stamp, below the time: the warp, the lane that has the first word, the logarithm of a lane's bytes.
const LINE_WARP: u32 = 10;
const LINE_LANE: u32 = 3;
const LINE_WARPS: u32 = 0x1f << LINE_WARP;
/// In the place of a line's write: look at its words. No stamp has all of these bits.
const SPLIT: u32 = u32::MAX;

/// The stamps of a line: the write, the first read, the last.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    stamps: [u32; 3],
    ops: [u32; 3],
}

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
    lines: Vec<Line>,
    write: Slots,
    reads: [Slots; 2],
    /// From the time of a block to that of its stamps, which go on from block to block: none need be wiped.
    offset: i64,
    /// The latest time of a stamp.
    latest: i64,
}

impl Shadow {
    pub(crate) fn new(bytes: usize) -> Self {
        let lines = bytes.div_ceil(LINE);
        let slots = || Slots { stamps: vec![0; lines * LINE_WORDS], ops: vec![0; lines * LINE_WORDS] };
        let lines = vec![Line::default(); lines];
        Self { lines, write: slots(), reads: [slots(), slots()], offset: 0, latest: 0 }
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
        self.lines.fill(Line::default());
        let [first, last] = &mut self.reads;
        for slots in [&mut self.write, first, last] {
            slots.stamps.fill(0);
        }
    }

    /// A warp's access to a contiguous range, lane by lane in ascending order. False when it may race with another: then
    /// each lane is to be looked at.
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
        let moment = self.moment(clocks, warp);
        let log = width.trailing_zeros();
        if !offset.is_multiple_of(LINE) || log < 2 {
            return self.range(moment, writes, warp, offset, width, op);
        }
        let first = moment.now | warp << LINE_WARP | log;
        let lanes = (LINE as u32) >> log;
        for i in 0..1 << (log - 2) {
            let stamp = first | (i * lanes) << LINE_LANE;
            let index = offset / LINE + i as usize;
            if !(self.lines[index].note(moment, writes, stamp, op)
                || self.line_of_words(moment, writes, index, stamp, op))
            {
                return false;
            }
        }
        true
    }

    /// A line of which its stamps do not say that the access is in order.
    #[inline(never)]
    fn line_of_words(&mut self, moment: Moment, writes: bool, index: usize, stamp: u32, op: u32) -> bool {
        if self.lines[index].stamps[0] != SPLIT {
            return false;
        }
        let word = index * LINE_WORDS;
        let [first, last] = &self.reads;
        let all = [&self.write, first, last].map(|slots| &slots.stamps[word..word + LINE_WORDS]);
        let latest = (0..LINE_WORDS).map(|i| all[0][i].max(all[1][i]).max(all[2][i])).max();
        if latest < Some(moment.block) {
            // A barrier has been since: nothing of that need be kept.
            self.lines[index] = Line::default();
            return self.lines[index].note(moment, writes, stamp, op);
        }
        self.words::<LINE_WORDS>(moment, writes, word, |i| word_of(stamp, i), op)
    }

    /// [`Shadow::line`] of a range that does not begin where a line does.
    #[inline(never)]
    fn range(&mut self, moment: Moment, writes: bool, warp: u32, offset: usize, width: u64, op: u32) -> bool {
        if !offset.is_multiple_of(4) {
            return false;
        }
        (offset / LINE..=(offset + 32 * width as usize - 1) / LINE).for_each(|line| self.split(line));
        let word = offset / 4;
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

    /// A line's stamps become those of its words, unless they have.
    #[inline(always)]
    fn split(&mut self, line: usize) {
        if self.lines[line].stamps[0] != SPLIT {
            self.split_whole(line);
        }
    }

    #[inline(never)]
    fn split_whole(&mut self, line: usize) {
        let Line { stamps, ops } = self.lines[line];
        let range = line * LINE_WORDS..(line + 1) * LINE_WORDS;
        let [first, last] = &mut self.reads;
        for ((slots, stamp), op) in [&mut self.write, first, last].into_iter().zip(stamps).zip(ops) {
            for (i, word) in slots.stamps[range.clone()].iter_mut().enumerate() {
                *word = word_of(stamp, i as u32);
            }
            slots.ops[range.clone()].fill(op);
        }
        self.lines[line].stamps[0] = SPLIT;
    }

    /// One lane's access to whole words: as for [`Shadow::line`], but that nothing is noted when it may race.
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
        // Aligned to its width, it lies in one line.
        self.split(offset / LINE);
        let word = offset / 4;
        let stamp = moment.now | thread << THREAD | ALL_BYTES << BYTES;
        match width {
            4 => self.words::<1>(moment, writes, word, |_| stamp, op),
            8 => self.words::<2>(moment, writes, word, |_| stamp, op),
            16 => self.words::<4>(moment, writes, word, |_| stamp, op),
            _ => false,
        }
    }

    /// Whether a lane's write of 16 bytes is ordered after all that their words show. False when it may not be.
    #[inline(always)]
    pub(crate) fn chunk_in_order(&mut self, moment: Moment, thread: u32, offset: usize) -> bool {
        self.split(offset / LINE);
        let new = [moment.now | thread << THREAD | ALL_BYTES << BYTES; 4];
        let [first, last] = &mut self.reads;
        let late = [&mut self.write, first, last].map(|slots| moment.any_late(slots.at::<4>(offset / 4).0, &new));
        late == [0; 3]
    }

    /// Stamps words, if the access is ordered after what they show.
    #[inline(always)]
    fn words<const N: usize>(
        &mut self,
        moment: Moment,
        writes: bool,
        word: usize,
        stamp: impl Fn(u32) -> u32,
        op: u32,
    ) -> bool {
        let new: [u32; N] = std::array::from_fn(|i| stamp(i as u32));
        let [first, last] = &mut self.reads;
        let (write, write_ops) = self.write.at::<N>(word);
        let (first, first_ops) = first.at::<N>(word);
        let (last, last_ops) = last.at::<N>(word);
        if writes {
            let late = moment.any_late(write, &new) | moment.any_late(first, &new) | moment.any_late(last, &new);
            if late == 0 {
                (*write, *write_ops) = (new, [op; N]);
            }
            return late == 0;
        }
        if moment.any_late(write, &new) != 0 {
            return false;
        }
        if moment.any_late(first, &new) == 0 {
            (*first, *first_ops) = (new, [op; N]);
            return true;
        }
        for i in 0..N {
            if moment.late(first[i], new[i]) == 0 {
                (first[i], first_ops[i]) = (new[i], op);
            } else {
                (last[i], last_ops[i]) = (new[i], op);
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
            self.split(word / LINE_WORDS);
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

impl Slots {
    #[inline(always)]
    fn at<const N: usize>(&mut self, word: usize) -> (&mut [u32; N], &mut [u32; N]) {
        let (stamps, _) = self.stamps[word..].as_chunks_mut();
        let (ops, _) = self.ops[word..].as_chunks_mut();
        (&mut stamps[0], &mut ops[0])
    }
}

// Numbers in the place of booleans, and no branches: so the loops over words become vector operations.
#[allow(clippy::needless_bitwise_bool, reason = "as above")]
impl Moment {
    /// Not 0 where a word's access is not ordered after the stamp's, as far as the stamps say.
    #[inline(always)]
    fn late(self, old: u32, new: u32) -> u32 {
        let differs = old ^ new;
        let other = u32::from(differs & (THREADS | ALL_BYTES << BYTES) != 0);
        let apart = u32::from(differs & WARPS != 0) | u32::from(old >= self.warp);
        u32::from(old >= self.block) & other & apart
    }

    #[inline(always)]
    fn any_late<const N: usize>(self, old: &[u32; N], new: &[u32; N]) -> u32 {
        let mut late = 0;
        for i in 0..N {
            late |= self.late(old[i], new[i]);
        }
        late
    }
}

impl Line {
    /// Stamps a line that is not split, if the access is ordered after what it shows.
    #[inline(always)]
    fn note(&mut self, moment: Moment, writes: bool, new: u32, op: u32) -> bool {
        let ordered = |old: u32| {
            let differs = (old ^ new) & ((1 << TIME) - 1);
            old < moment.block || differs == 0 || (differs & LINE_WARPS == 0 && old < moment.warp)
        };
        let [write, first, last] = self.stamps;
        if write == SPLIT || !ordered(write) {
            return false;
        }
        let slot = if writes {
            if !(ordered(first) && ordered(last)) {
                return false;
            }
            0
        } else {
            1 + usize::from(!ordered(first))
        };
        (self.stamps[slot], self.ops[slot]) = (new, op);
        true
    }
}

/// The stamp of a line's word.
#[inline(always)]
fn word_of(line: u32, word: u32) -> u32 {
    let (time, log) = (line >> TIME, line & ((1 << LINE_LANE) - 1));
    let lane = (line >> LINE_LANE & 0x1f) + ((4 * word) >> log);
    let warp = (line & LINE_WARPS) >> LINE_WARP;
    if line == 0 { 0 } else { time << TIME | (warp * 32 + lane) << THREAD | ALL_BYTES << BYTES }
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
