//! What the race checks are told of an access, and what is said when two race. The stamps and the clocks stand in
//! [`crate::races`].

use std::sync::Arc;

use super::access::{self, At, Span};
use super::chunks::CHUNK;
use crate::execute::party;
use crate::execute::registers::lanes;
use crate::execute::warp::Step;
use crate::inspect::finding::{FindingKind, Race};
use crate::memory::SHARED_BASE;
use crate::program::{Access, Kind};
use crate::ptx::ast::Space;
use crate::races::clocks::{Clocks, Reach};
use crate::races::global::{Conflict, Order, Run, Warp};
use crate::races::published::Publications;
use crate::races::{Does, Earlier};

/// Two accesses that race: the lane that makes the later one, and the first byte on which they meet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    lane: usize,
    kind: At,
    offset: usize,
    earlier: Earlier,
}

/// What a warp knows beyond what a stamp shows.
struct Beyond<'a> {
    clocks: &'a Clocks,
    block: u64,
    warp: u32,
    publications: &'a Publications,
}

impl Order for Beyond<'_> {
    fn follows(&self, block: u32, warp: u32, time: u32) -> bool {
        if u64::from(block) == self.block {
            self.clocks.follows_warp(self.warp, warp, time)
        } else {
            self.clocks.follows_block(self.warp, (block, warp, time), self.publications)
        }
    }
}

/// Notes the access of a whole warp to a contiguous range, or to one place; the first race of it.
#[inline(always)]
pub(super) fn whole(step: &mut Step<'_, '_>, does: Does, span: &Span, bytes: u64, width: u64) -> Option<Found> {
    if !step.worker.grid.races {
        return None;
    }
    match span.kind {
        At::Global(region) => {
            let run = Run { offset: span.offset, bytes: bytes as usize, lane: 0, width: width as u32 };
            global(step, does, region, &run)
        }
        At::Shared => {
            let (warp, op) = (step.warp.index, step.group.op);
            let races = &mut step.block.races;
            if bytes != width {
                let in_order = races.shared.line(&races.clocks, does.writes, warp, span.offset, width, op);
                return if in_order { None } else { line_by_lane(step, does, span, width) };
            }
            // Of all lanes on one word, the first and the last say as much as all.
            let moment = races.shared.moment(&races.clocks, warp);
            let mut in_order = |lane| races.shared.piece(moment, does.writes, warp * 32 + lane, span.offset, width, op);
            if in_order(0) && in_order(31) {
                None
            } else {
                by_lane(step, does, &[Some(*span); 32], width).into_iter().next()
            }
        }
        At::Constant | At::Local | At::Param => None,
    }
}

#[cold]
fn line_by_lane(step: &mut Step<'_, '_>, does: Does, span: &Span, width: u64) -> Option<Found> {
    let spans = span.line(width);
    by_lane(step, does, &spans, width).into_iter().next()
}

#[inline(always)]
fn global(step: &mut Step<'_, '_>, does: Does, region: usize, run: &Run) -> Option<Found> {
    let grid = step.worker.grid;
    let (clocks, block, warp) = (&step.block.races.clocks, step.block.index, step.warp.index);
    let time = if does.strong && does.writes { clocks.strong_time(warp, Reach::Device) } else { clocks.now };
    let accessing = Warp::new(grid.view.number.get(), block, warp, time, clocks, step.group.op);
    let order = Beyond { clocks, block, warp, publications: &grid.publications };
    let Conflict { earlier, offset } = grid.view.regions[region].races().access(&accessing, does, run, &order)?;
    let lane = run.lane as usize + (offset - run.offset) / run.width as usize;
    Some(Found { lane: lane & 31, kind: At::Global(region), offset, earlier })
}

/// Notes an access lane by lane; its races.
pub(super) fn by_lane(step: &mut Step<'_, '_>, does: Does, spans: &[Option<Span>; 32], width: u64) -> Vec<Found> {
    let mut found = Vec::new();
    if !step.worker.grid.races {
        return found;
    }
    let mut open: Option<(usize, Run)> = None;
    for (lane, span) in spans.iter().enumerate() {
        let Some(span) = span else { continue };
        match span.kind {
            At::Shared => found.extend(shared(step, does, lane, span.offset, width)),
            At::Global(region) => {
                // Lanes that lie one behind the other are one range.
                match &mut open {
                    Some((of, run))
                        if *of == region
                            && run.offset + run.bytes == span.offset
                            && run.lane as usize + run.bytes / width as usize == lane =>
                    {
                        run.bytes += width as usize;
                    }
                    _ => {
                        let run =
                            Run { offset: span.offset, bytes: width as usize, lane: lane as u32, width: width as u32 };
                        if let Some((of, before)) = open.replace((region, run)) {
                            found.extend(global(step, does, of, &before));
                        }
                    }
                }
            }
            At::Constant | At::Local | At::Param => {}
        }
    }
    if let Some((region, run)) = open {
        found.extend(global(step, does, region, &run));
    }
    found
}

fn shared(step: &mut Step<'_, '_>, does: Does, lane: usize, offset: usize, width: u64) -> Option<Found> {
    let (thread, op) = (step.warp.index * 32 + lane as u32, step.group.op);
    let races = &mut step.block.races;
    if !does.strong {
        let moment = races.shared.moment(&races.clocks, step.warp.index);
        if races.shared.piece(moment, does.writes, thread, offset, width, op) {
            return None;
        }
    }
    let earlier = races.shared.lane(&races.clocks, does, thread, offset, width as usize, op)?;
    Some(Found { lane, kind: At::Shared, offset, earlier: Earlier { block: step.block.index, ..earlier } })
}

/// Notes that each lane reads 16 bytes of shared memory. False when that may be a race: then each lane is to be looked at.
#[inline(always)]
pub(super) fn chunks_loaded(step: &mut Step<'_, '_>, offsets: &[u64; 32], mask: u32) -> bool {
    if !step.worker.grid.races {
        return true;
    }
    let (warp, op) = (step.warp.index, step.group.op);
    let races = &mut step.block.races;
    let moment = races.shared.moment(&races.clocks, warp);
    for lane in lanes(mask) {
        let (thread, offset) = (warp * 32 + lane as u32, offsets[lane] as usize);
        if !races.shared.piece(moment, false, thread, offset, CHUNK as u64, op) {
            return false;
        }
    }
    true
}

/// Notes that each lane begins to copy 16 bytes of a region to shared memory. False when that may be a race: then each
/// lane is to be looked at.
#[inline(always)]
pub(super) fn chunks_copied(
    step: &mut Step<'_, '_>,
    to: &[u64; 32],
    (region, from): (usize, &[u64; 32]),
    mask: u32,
) -> bool {
    if !step.worker.grid.races {
        return true;
    }
    let warp = step.warp.index;
    let races = &mut step.block.races;
    let moment = races.shared.moment(&races.clocks, warp);
    for lane in lanes(mask) {
        if !races.shared.chunk_in_order(moment, warp * 32 + lane as u32, to[lane] as usize) {
            return false;
        }
    }
    // Lanes that lie one behind the other are one range.
    let mut rest = mask;
    while rest != 0 {
        let lane = rest.trailing_zeros() as usize;
        let follows =
            |&next: &usize| rest >> next & 1 == 1 && from[next] == from[lane] + ((next - lane) * CHUNK) as u64;
        let end = (lane + 1..32).find(|next| !follows(next)).unwrap_or(32);
        let bytes = (end - lane) * CHUNK;
        let run = Run { offset: from[lane] as usize, bytes, lane: lane as u32, width: CHUNK as u32 };
        if let Some(found) = global(step, Does::READ, region, &run) {
            report(step, "copy", CHUNK as u64, &found, false);
        }
        rest &= u32::MAX.checked_shl(end as u32).unwrap_or(0);
    }
    true
}

/// An asynchronous copy into shared memory begins: the bytes change at any time from now on to the wait, at which they
/// are noted as written.
pub(super) fn copy_begins(step: &mut Step<'_, '_>, lane: usize, offset: usize, width: u64) -> Option<Found> {
    if !step.worker.grid.races {
        return None;
    }
    let thread = step.warp.index * 32 + lane as u32;
    let races = &mut step.block.races;
    let earlier = races.shared.would_race(&races.clocks, Does::WRITE, thread, offset, width as usize)?;
    Some(Found { lane, kind: At::Shared, offset, earlier: Earlier { block: step.block.index, ..earlier } })
}

/// The wait for an asynchronous copy: its lane has written, by the copy's instruction.
pub(super) fn copy_ends(step: &mut Step<'_, '_>, lane: usize, offset: usize, bytes: usize, op: u32) {
    if step.worker.grid.races {
        let thread = step.warp.index * 32 + lane as u32;
        let races = &mut step.block.races;
        let moment = races.shared.moment(&races.clocks, step.warp.index);
        if races.shared.piece(moment, true, thread, offset, bytes as u64, op) {
            return;
        }
        // What it races with was there at its begin, or reads before the wait, which is a finding of its own.
        let _ = races.shared.lane(&races.clocks, Does::WRITE, thread, offset, bytes, op);
    }
}

/// A strong write is about to be made: with it others learn what the warp's last fence covers.
pub(super) fn publish(step: &mut Step<'_, '_>, access: &Access, spans: &[Option<Span>; 32], mask: u32, width: u64) {
    if !step.worker.grid.races {
        return;
    }
    let warp = step.warp.index;
    if let Some(reach) = access.releases {
        step.block.races.clocks.fence(warp, reach);
    }
    let near = step.block.races.clocks.fenced(warp, Reach::Block).cloned();
    let Some(near) = near else { return };
    let device = step.block.races.clocks.fenced(warp, Reach::Device).cloned();
    for word in words(spans, mask, width) {
        match word {
            Word::Global(address) => {
                let block = step.block.index as u32;
                step.worker.grid.publications.publish(address, block, device.as_ref(), Some(&near));
            }
            Word::Shared(word) => step.block.races.published.entry(word).or_default().join(&near),
        }
    }
}

/// A strong read has been made: the warp is ordered after what was published with what it saw.
pub(super) fn acquire(step: &mut Step<'_, '_>, spans: &[Option<Span>; 32], mask: u32, width: u64) {
    if !step.worker.grid.races {
        return;
    }
    let lanes = (step.warp.index, mask);
    let races = &mut step.block.races;
    let publications = &step.worker.grid.publications;
    let mut last: Option<Arc<_>> = None;
    for word in words(spans, mask, width) {
        match word {
            Word::Global(address) => {
                let Some(published) = publications.of(address) else { continue };
                if last.as_ref().is_none_or(|last| !Arc::ptr_eq(last, &published)) {
                    races.clocks.acquire(lanes, step.block.index as u32, &published, publications);
                    last = Some(published);
                }
            }
            Word::Shared(word) => {
                if let Some(known) = races.published.get(&word) {
                    races.clocks.acquire_near(lanes, known);
                }
            }
        }
    }
}

/// An mbarrier begins or ends: who arrived at one that was there before is of no account.
pub(super) fn mbarrier_begins(step: &mut Step<'_, '_>, offset: usize) {
    let published = &mut step.block.races.published;
    published.remove(&(offset / 4));
    published.remove(&(offset / 4 + 1));
}

/// A lane has arrived at an mbarrier, and by that may have completed its phase.
pub(super) fn mbarrier_arrives(step: &mut Step<'_, '_>, offset: usize, completes: bool) {
    if !step.worker.grid.races {
        return;
    }
    let races = &mut step.block.races;
    let known = races.clocks.release(step.warp.index);
    let (pending, complete) = (offset / 4, offset / 4 + 1);
    races.published.entry(pending).or_default().join(&known);
    if completes && let Some(arrived) = races.published.remove(&pending) {
        races.published.entry(complete).or_default().join(&arrived);
    }
}

/// A lane has seen that a phase of an mbarrier is complete.
pub(super) fn mbarrier_passes(step: &mut Step<'_, '_>, lane: usize, offset: usize) {
    if !step.worker.grid.races {
        return;
    }
    let races = &mut step.block.races;
    if let Some(known) = races.published.get(&(offset / 4 + 1)) {
        races.clocks.acquire_near((step.warp.index, 1 << lane), known);
    }
}

enum Word {
    /// By 4 bytes of the region, whose number stands above.
    Global(u64),
    Shared(usize),
}

/// The words of the lanes' accesses.
fn words(spans: &[Option<Span>; 32], mask: u32, width: u64) -> impl Iterator<Item = Word> {
    lanes(mask).filter_map(|lane| spans[lane]).flat_map(move |span| {
        let words = span.offset / 4..(span.offset + width as usize).div_ceil(4);
        words.filter_map(move |word| match span.kind {
            At::Global(region) => Some(Word::Global((region as u64) << 40 | word as u64)),
            At::Shared => Some(Word::Shared(word)),
            _ => None,
        })
    })
}

/// Says that two accesses race. `equal`: both write, and the same bits.
#[cold]
pub(super) fn report(step: &mut Step<'_, '_>, access: &str, width: u64, found: &Found, equal: bool) {
    if equal && !step.worker.grid.launch.settings.checks.equal_writes {
        return;
    }
    let kind_of = |race| match found.kind {
        _ if equal => FindingKind::EqualWrites(race),
        At::Shared => FindingKind::SharedRace(race),
        _ => FindingKind::GlobalRace(race),
    };
    let thread = step.warp.index * 32 + found.lane as u32;
    if step.worker.repeats(step.block, step.group.op, thread, &kind_of(Race::default())) {
        return;
    }
    let grid = step.worker.grid;
    let (address, near) = if let At::Global(region) = found.kind {
        let address = grid.view.regions[region].base + found.offset as u64;
        (address, grid.view.place(address))
    } else {
        let offset = found.offset as u64;
        (offset, access::place(step, Space::Generic, SHARED_BASE + offset))
    };
    let earlier = party(grid.launch, &found.earlier);
    let race = Race { access: access.to_owned(), bytes: width as u32, address, near, earlier };
    step.find(found.lane, kind_of(race));
}

/// What an instruction does to memory, as findings call it.
pub(crate) fn access_name(kind: Kind, writes: bool) -> &'static str {
    match kind {
        Kind::Atomic => "atomic",
        Kind::CopyAsync => "copy",
        _ if writes => "store",
        _ => "load",
    }
}

impl Found {
    /// Found for an access that one lane makes.
    pub(super) fn by(self, lane: usize) -> Self {
        Self { lane, ..self }
    }

    /// Whether the later access, by bytes `values` of its lanes, leaves what the earlier one wrote: what is in memory, or
    /// what another lane of the same instruction is about to write.
    pub(super) fn writes_equal_bits<const N: usize>(
        &self,
        step: &Step<'_, '_>,
        spans: &[Option<Span>; 32],
        values: &[[u8; N]; 32],
        width: u64,
    ) -> bool {
        let Some(own) = spans[self.lane].filter(|_| self.earlier.writes) else { return false };
        let end = (self.offset / 4 * 4 + 4).min(own.offset + width as usize);
        let range = self.offset..end;
        let bytes_of = |lane: usize| {
            let span = spans[lane]?;
            let inside =
                span.kind == self.kind && span.offset <= range.start && range.end <= span.offset + width as usize;
            inside.then(|| &values[lane][range.start - span.offset..range.end - span.offset])
        };
        let Some(new) = bytes_of(self.lane) else { return false };
        let (block, thread, op) = (self.earlier.block, self.earlier.thread, self.earlier.op);
        let together = (block, thread / 32, op) == (step.block.index, step.warp.index, step.group.op);
        if let Some(old) = bytes_of(thread as usize % 32).filter(|_| together) {
            return old == new;
        }
        // SAFETY: the lane's span was checked for its width, which holds the range.
        let old = unsafe { std::slice::from_raw_parts(own.at.add(range.start - own.offset), range.len()) };
        old == new
    }
}
