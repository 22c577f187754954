//! The last accesses to global memory: one write and reads by two warps, for each line of 128 bytes, which is what a warp
//! accesses by a word of each lane; where a line is not accessed as a whole for each of its sectors, and where a sector is
//! not for each of its words.
//!
//! Workers stamp at the same time, by relaxed atomics: a stamp is one, and what it names is another, so that of two
//! accesses at the same moment one may be named with the other's instruction. The stamps of earlier launches are known by
//! their number and count for nothing.

use std::alloc::{Layout, handle_alloc_error};
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::clocks::Clocks;
use super::numbers::Seen;
use super::{Does, Earlier};

/// Bytes of the units that have stamps.
const LINE: usize = 128;
const SECTOR: usize = 32;
const WORD: usize = 4;

/// Of a stamp: the launch's number, the block, its time, the warp, the bytes of a word, whether the access was strong.
const LAUNCH: u32 = 58;
const BLOCK: u32 = 32;
const TIME: u32 = 10;
const WARP: u32 = 5;
const BYTES: u32 = 1;
const STRONG: u64 = 1;
const LAUNCHES: u64 = 0x3f << LAUNCH;
const BLOCKS: u64 = 0x3ff_ffff << BLOCK;
const WARPS: u64 = 0x1f << WARP;
const ALL_BYTES: u64 = 0xf;
/// In the place of a unit's write: look at its parts. No launch has the number 63.
const SPLIT: u64 = u64::MAX;

/// Blocks that stamps tell apart.
pub(crate) const MOST_BLOCKS: u64 = 1 << 26;

/// Of a name: the op, the logarithm of a lane's width, and the lane that has the first byte.
const NAME_OP: u32 = 8;
const NAME_WIDTH: u32 = 5;

#[derive(Debug)]
#[repr(C)]
struct Cell {
    /// The write, the reader that came first of those that a write would race with, the last reader.
    stamps: [AtomicU64; 3],
    names: [AtomicU32; 3],
    _unused: u32,
}

/// Zeroed cells that cost nothing until they are touched.
#[derive(Debug)]
struct Cells {
    first: NonNull<Cell>,
    count: usize,
}

// SAFETY: cells are atomics, and the memory is the value's own.
unsafe impl Send for Cells {}
// SAFETY: as above.
unsafe impl Sync for Cells {}

impl Cells {
    fn new(count: usize) -> Self {
        let bytes = count.max(1) * size_of::<Cell>();
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE);
        // SAFETY: a new mapping at an address of the system's choice.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0) };
        match NonNull::new(at.cast()) {
            Some(first) if at != libc::MAP_FAILED => Self { first, count },
            _ => handle_alloc_error(Layout::array::<Cell>(count).unwrap_or(Layout::new::<Cell>())),
        }
    }

    fn bytes(&self) -> usize {
        self.count.max(1) * size_of::<Cell>()
    }

    /// All are zero again.
    fn clear(&self) {
        // SAFETY: the value's own mapping, private and anonymous: its pages are zeros when they are next touched.
        let result = unsafe { libc::madvise(self.first.as_ptr().cast(), self.bytes(), libc::MADV_DONTNEED) };
        assert_eq!(result, 0, "a mapping can be given back");
    }
}

impl std::ops::Deref for Cells {
    type Target = [Cell];

    #[inline(always)]
    fn deref(&self) -> &[Cell] {
        // SAFETY: the mapping holds as many cells, of which all bytes are valid.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

impl Drop for Cells {
    fn drop(&mut self) {
        // SAFETY: the value's own mapping.
        unsafe { libc::munmap(self.first.as_ptr().cast(), self.bytes()) };
    }
}

/// The stamps of an allocation.
#[derive(Debug)]
pub(crate) struct Shadow {
    lines: Cells,
    sectors: OnceLock<Cells>,
    words: OnceLock<Cells>,
    seen: Seen,
}

/// A warp that accesses global memory.
#[derive(Clone, Copy)]
pub(crate) struct Warp<'a> {
    /// A stamp but for the bytes.
    stamp: u64,
    clocks: &'a Clocks,
    op: u32,
}

/// An access that a later one races with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) earlier: Earlier,
    /// The first byte on which they meet, within the allocation.
    pub(crate) offset: usize,
}

/// Lanes that lie one behind the other in memory, each with so many bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) offset: usize,
    pub(crate) bytes: usize,
    pub(crate) lane: u32,
    pub(crate) width: u32,
}

impl<'a> Warp<'a> {
    /// `number` is the launch's; `time` is the clock's, or an earlier one for a strong write.
    #[inline(always)]
    pub(crate) fn new(number: u64, block: u64, warp: u32, time: u32, clocks: &'a Clocks, op: u32) -> Self {
        let stamp = number << LAUNCH | block << BLOCK | u64::from(time) << TIME | u64::from(warp) << WARP;
        Self { stamp, clocks, op }
    }

    /// What can be said without looking far: the other access was of another launch, of this warp, or before a barrier.
    #[inline(always)]
    #[allow(
        clippy::needless_bitwise_bool,
        reason = "without branches: what is found first is different for each sector"
    )]
    fn follows(&self, other: u64) -> bool {
        let differs = self.stamp ^ other;
        let time = (other >> TIME) as u32 & super::clocks::LAST;
        (differs & LAUNCHES != 0)
            | (differs & (BLOCKS | WARPS) == 0)
            | ((differs & BLOCKS == 0) & (time <= self.clocks.block))
    }

    #[inline(always)]
    fn name(&self, run: &Run, at: usize) -> u32 {
        let lane = run.lane + ((at - run.offset) as u32 >> run.width.trailing_zeros());
        self.op << NAME_OP | run.width.trailing_zeros() << NAME_WIDTH | lane & 31
    }
}

/// What the stamps alone do not say: whether a warp follows (block, warp, time) of another block or by a named barrier.
pub(crate) trait Order {
    fn follows(&self, block: u32, warp: u32, time: u32) -> bool;
}

impl Shadow {
    pub(crate) fn new(bytes: u64) -> Self {
        let lines = Cells::new((bytes as usize).div_ceil(LINE));
        Self { lines, sectors: OnceLock::new(), words: OnceLock::new(), seen: Seen::anyone() }
    }

    /// A launch begins: no stamp may be left from one that had its number before.
    pub(crate) fn begin(&self, number: u64) {
        self.seen.begin(number, || {
            for cells in [Some(&self.lines), self.sectors.get(), self.words.get()].into_iter().flatten() {
                cells.clear();
            }
        });
    }

    /// Notes an access of a warp; the first access that it races with.
    #[inline(always)]
    pub(crate) fn access(&self, warp: &Warp<'_>, does: Does, run: &Run, order: &impl Order) -> Option<Conflict> {
        let (mut at, end) = (run.offset, run.offset + run.bytes);
        let mut found = None;
        while at < end {
            let to = (at / LINE * LINE + LINE).min(end);
            if to - at < LINE {
                found = found.or(self.part_of_line(warp, does, run, at..to, order));
            } else if !note(&self.lines[at / LINE], warp, does, ALL_BYTES, warp.name(run, at)) {
                found = found.or(self.line(warp, does, run, at, order));
            }
            at = to;
        }
        found
    }

    /// A whole line, where it is not as simple as [`note`] has it.
    #[inline(never)]
    fn line(&self, warp: &Warp<'_>, does: Does, run: &Run, at: usize, order: &impl Order) -> Option<Conflict> {
        let cell = &self.lines[at / LINE];
        if cell.is_split() {
            let sectors = &self.sectors(at / LINE)[at / SECTOR..][..LINE / SECTOR];
            joined(cell, sectors, warp, does, warp.name(run, at), || {
                self.part_of_line(warp, does, run, at..at + LINE, order)
            })
        } else {
            look(cell, warp, does, ALL_BYTES, warp.name(run, at), order)
                .map(|(earlier, _)| Conflict { earlier, offset: at })
        }
    }

    /// Bytes of one line, sector by sector.
    #[inline(never)]
    fn part_of_line(
        &self,
        warp: &Warp<'_>,
        does: Does,
        run: &Run,
        bytes: Range<usize>,
        order: &impl Order,
    ) -> Option<Conflict> {
        let sectors = self.sectors(bytes.start / LINE);
        let (mut at, mut found) = (bytes.start, None);
        while at < bytes.end {
            let to = (at / SECTOR * SECTOR + SECTOR).min(bytes.end);
            if to - at < SECTOR {
                found = found.or(self.part_of_sector(sectors, warp, does, run, at..to, order));
            } else if !note(&sectors[at / SECTOR], warp, does, ALL_BYTES, warp.name(run, at)) {
                found = found.or(self.sector(sectors, warp, does, run, at, order));
            }
            at = to;
        }
        found
    }

    /// A whole sector, where it is not as simple as [`note`] has it.
    fn sector(
        &self,
        sectors: &Cells,
        warp: &Warp<'_>,
        does: Does,
        run: &Run,
        at: usize,
        order: &impl Order,
    ) -> Option<Conflict> {
        let cell = &sectors[at / SECTOR];
        if cell.is_split() {
            let words = &self.words(sectors, at / SECTOR)[at / WORD..][..SECTOR / WORD];
            joined(cell, words, warp, does, warp.name(run, at), || {
                self.part_of_sector(sectors, warp, does, run, at..at + SECTOR, order)
            })
        } else {
            look(cell, warp, does, ALL_BYTES, warp.name(run, at), order)
                .map(|(earlier, _)| Conflict { earlier, offset: at })
        }
    }

    /// Bytes of one sector, word by word.
    fn part_of_sector(
        &self,
        sectors: &Cells,
        warp: &Warp<'_>,
        does: Does,
        run: &Run,
        bytes: Range<usize>,
        order: &impl Order,
    ) -> Option<Conflict> {
        let words = self.words(sectors, bytes.start / SECTOR);
        let mut found = None;
        for word in bytes.start / WORD..bytes.end.div_ceil(WORD) {
            let (first, end) = (bytes.start.max(WORD * word), bytes.end.min(WORD * word + WORD));
            let mask = (1u64 << (end - WORD * word)) - (1 << (first - WORD * word));
            let name = warp.name(run, first);
            if !note(&words[word], warp, does, mask, name)
                && let Some((earlier, byte)) = look(&words[word], warp, does, mask, name, order)
            {
                found = found.or(Some(Conflict { earlier, offset: WORD * word + byte }));
            }
        }
        found
    }

    /// The sectors, after a line's stamps have become theirs.
    fn sectors(&self, line: usize) -> &Cells {
        const PARTS: usize = LINE / SECTOR;
        let sectors = self.sectors.get_or_init(|| Cells::new(self.lines.len() * PARTS));
        self.lines[line].split(&sectors[line * PARTS..][..PARTS], SECTOR);
        sectors
    }

    /// The words, after a sector's stamps have become theirs.
    fn words(&self, sectors: &Cells, sector: usize) -> &Cells {
        const PARTS: usize = SECTOR / WORD;
        let words = self.words.get_or_init(|| Cells::new(sectors.len() * PARTS));
        sectors[sector].split(&words[sector * PARTS..][..PARTS], WORD);
        words
    }

    /// Who wrote a byte last in the launch of this number.
    pub(crate) fn writer(&self, number: u64, offset: usize) -> Option<Earlier> {
        let (mut cell, mut bytes) = (&self.lines[offset / LINE], LINE);
        for (parts, of_part) in [(&self.sectors, SECTOR), (&self.words, WORD)] {
            if cell.is_split() {
                (cell, bytes) = (&parts.get()?[offset / of_part], of_part);
            }
        }
        let stamp = cell.stamps[0].load(Relaxed);
        // A word is a lane's, or of several the first one's.
        let inside = if bytes == WORD { 0 } else { offset % bytes };
        let name = lane_at(cell.names[0].load(Relaxed), inside as u32);
        (stamp >> LAUNCH == number).then(|| earlier(stamp, name, true))
    }
}

impl Cell {
    fn is_split(&self) -> bool {
        self.stamps[0].load(Relaxed) == SPLIT
    }

    /// Its stamps become those of its parts, of so many bytes each, unless they have.
    fn split(&self, parts: &[Self], bytes: usize) {
        if self.is_split() {
            return;
        }
        for (i, part) in parts.iter().enumerate() {
            for slot in 0..3 {
                let name = self.names[slot].load(Relaxed);
                part.stamps[slot].store(self.stamps[slot].load(Relaxed), Relaxed);
                part.names[slot].store(lane_at(name, (bytes * i) as u32), Relaxed);
            }
        }
        self.stamps[0].store(SPLIT, Relaxed);
    }
}

/// An access to the whole of a unit that is split, which each of its `parts` is looked at for unless all have only stamps
/// of earlier launches. Where nothing but this access need be kept, the unit is whole again.
fn joined(
    cell: &Cell,
    parts: &[Cell],
    warp: &Warp<'_>,
    does: Does,
    name: u32,
    each: impl FnOnce() -> Option<Conflict>,
) -> Option<Conflict> {
    let is_old = |stamp: &AtomicU64| {
        let stamp = stamp.load(Relaxed);
        stamp != SPLIT && (stamp ^ warp.stamp) & LAUNCHES != 0
    };
    let fresh = parts.iter().all(|part| part.stamps.iter().all(is_old));
    let found = if fresh { None } else { each() };
    // A write is ordered after all that was, or found to race with it: like stamps of other launches, that need not be
    // kept.
    if fresh || does.writes {
        let slot = usize::from(!does.writes);
        cell.stamps[1].store(0, Relaxed);
        cell.stamps[2].store(0, Relaxed);
        cell.stamps[0].store(0, Relaxed);
        cell.names[slot].store(name, Relaxed);
        cell.stamps[slot].store(warp.stamp | ALL_BYTES << BYTES | u64::from(does.strong), Relaxed);
    }
    found
}

/// A name, so many bytes on.
fn lane_at(name: u32, bytes: u32) -> u32 {
    let lane = (name & 31) + (bytes >> (name >> NAME_WIDTH & 7));
    name & !31 | lane & 31
}

fn earlier(stamp: u64, name: u32, writes: bool) -> Earlier {
    let warp = ((stamp & WARPS) >> WARP) as u32;
    Earlier { block: (stamp & BLOCKS) >> BLOCK, thread: warp * 32 + (name & 31), op: name >> NAME_OP, writes }
}

/// Notes an access where it is plain to see that it races with nothing.
#[inline(always)]
fn note(cell: &Cell, warp: &Warp<'_>, does: Does, mask: u64, name: u32) -> bool {
    let [write, first, last] = &cell.stamps;
    let new = warp.stamp | mask << BYTES | u64::from(does.strong);
    let old = write.load(Relaxed);
    if old == SPLIT || !warp.follows(old) {
        return false;
    }
    let slot = if does.writes {
        if !(warp.follows(first.load(Relaxed)) && warp.follows(last.load(Relaxed))) {
            return false;
        }
        0
    } else {
        1 + usize::from(!warp.follows(first.load(Relaxed)))
    };
    cell.stamps[slot].store(new, Relaxed);
    cell.names[slot].store(name, Relaxed);
    true
}

/// Notes an access; the first that it races with, and the first byte of the word on which they meet.
#[inline(never)]
fn look(
    cell: &Cell,
    warp: &Warp<'_>,
    does: Does,
    mask: u64,
    name: u32,
    order: &impl Order,
) -> Option<(Earlier, usize)> {
    let follows = |stamp: u64| {
        warp.follows(stamp)
            || order.follows(
                ((stamp & BLOCKS) >> BLOCK) as u32,
                ((stamp & WARPS) >> WARP) as u32,
                (stamp >> TIME) as u32 & super::clocks::LAST,
            )
    };
    let races =
        |stamp: u64| stamp >> BYTES & ALL_BYTES & mask != 0 && !(does.strong && stamp & STRONG != 0) && !follows(stamp);
    let mut found = None;
    for slot in 0..if does.writes { 3 } else { 1 } {
        let stamp = cell.stamps[slot].load(Relaxed);
        if stamp != SPLIT && races(stamp) {
            let byte = (stamp >> BYTES & ALL_BYTES & mask).trailing_zeros() as usize;
            found = found.or(Some((earlier(stamp, cell.names[slot].load(Relaxed), slot == 0), byte)));
        }
    }
    let slot = if does.writes {
        0
    } else if follows(cell.stamps[1].load(Relaxed)) {
        1
    } else {
        2
    };
    let old = cell.stamps[slot].load(Relaxed);
    let new = warp.stamp | mask << BYTES | u64::from(does.strong);
    // What the warp did with the rest of the word at the same time stays.
    let joined = if (old ^ new) & !(ALL_BYTES << BYTES) == 0 { old | new } else { new };
    cell.stamps[slot].store(joined, Relaxed);
    cell.names[slot].store(name, Relaxed);
    found
}
