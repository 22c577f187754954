//! Where the lanes of an access land, and what is checked and counted of it. What an instruction means stands in
//! `memory`, `atomic` and `async_copy`.

use crate::execute::Failure;
use crate::execute::registers::{lanes, row, wide_row};
use crate::execute::tally::Direction;
use crate::execute::warp::{Step, Stopped};
use crate::inspect::finding::{FindingKind, Place};
use crate::memory::bits::Bits;
use crate::memory::store::Store;
use crate::memory::view::{SECTOR, Stray};
use crate::memory::{LOCAL_BASE, PARAM_BASE, SHARED_BASE, WINDOW};
use crate::program::{Access, Address};
use crate::ptx::ast::Space;

/// Which memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Index into the view's regions.
    Global(usize),
    Constant,
    Shared,
    Local,
    Param,
}

/// Bytes that an access may touch, from its address to the end of the memory that holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) kind: At,
    /// The host's address of the first byte.
    pub(crate) at: *mut u8,
    /// Bytes from there to the end.
    room: u64,
    written: *const Bits,
    /// Index of the first byte in `written`.
    pub(crate) offset: usize,
}

impl Span {
    /// `room` is less than the store has left where a thread's local memory ends.
    fn new(kind: At, store: &Store, offset: u64, room: u64) -> Self {
        // SAFETY: the callers have checked that `offset` lies in the store.
        let at = unsafe { store.data().add(offset as usize) };
        Self { kind, at, room, written: &raw const store.written, offset: offset as usize }
    }

    /// Whether the memory goes on for so many bytes.
    pub(crate) fn holds(&self, bytes: u64) -> bool {
        bytes <= self.room
    }

    /// Whether all of the first bytes were ever written.
    #[inline(always)]
    pub(crate) fn written(&self, bytes: u64) -> bool {
        // SAFETY: stores outlive the access that looks at them: the block, the warp and the view hold them.
        unsafe { (*self.written).all(self.offset, bytes as usize) }
    }

    /// The lanes' spans of a contiguous range.
    pub(crate) fn line(&self, width: u64) -> [Option<Self>; 32] {
        std::array::from_fn(|lane| {
            let skip = lane as u64 * width;
            // SAFETY: the range was checked for 32 times the width.
            let at = unsafe { self.at.add(skip as usize) };
            Some(Self { at, room: self.room - skip, offset: self.offset + skip as usize, ..*self })
        })
    }

    #[inline(always)]
    pub(crate) fn set_written(&self, bytes: u64) {
        // SAFETY: as for `written`.
        unsafe { (*self.written).set(self.offset, bytes as usize) }
    }
}

/// Bytes that a lane accesses.
#[inline(always)]
pub(crate) fn width(access: &Access) -> u64 {
    u64::from(access.element_bytes) * u64::from(access.elements)
}

/// The lanes' addresses within the space.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
#[inline(always)]
pub(crate) unsafe fn addresses(step: &Step<'_, '_>, space: Space, base: Address, offset: i64) -> [u64; 32] {
    let mut addresses = [0; 32];
    match base {
        Address::Slot64(slot) => {
            // SAFETY: the caller's.
            let from = unsafe { wide_row(step.regs, slot) };
            for (to, from) in addresses.iter_mut().zip(from) {
                *to = from.wrapping_add_signed(offset);
            }
        }
        Address::Slot32(slot) => {
            // SAFETY: the caller's.
            let from = unsafe { row(step.regs, slot) };
            for (to, from) in addresses.iter_mut().zip(from) {
                *to = u64::from(*from).wrapping_add_signed(offset);
            }
        }
        Address::Constant => {
            let frame = space == Space::Local || (space == Space::Param && !step.group.calls.is_empty());
            let frame = if frame { u64::from(step.group.local) } else { 0 };
            addresses.fill(frame.wrapping_add_signed(offset));
        }
        Address::Variable(id) => {
            addresses.fill(step.worker.grid.launch.module.addresses[id as usize].wrapping_add_signed(offset));
        }
    }
    addresses
}

/// How the lanes' addresses lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Each lane's bytes follow the last's.
    Line,
    /// All lanes have one address.
    Point,
    Scattered,
}

/// The shape of a full warp's access, and the first lane's address.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
#[inline(always)]
pub(crate) unsafe fn shape(step: &Step<'_, '_>, access: &Access, width: u64) -> (Shape, u64) {
    // SAFETY: the caller's, for each branch.
    unsafe {
        match access.base {
            Address::Slot64(slot) => {
                let row = wide_row(step.regs, slot);
                (shape_of(row, width), row[0].wrapping_add_signed(access.offset))
            }
            Address::Slot32(slot) => {
                let row = row(step.regs, slot);
                (narrow_shape_of(row, width as u32), u64::from(row[0]).wrapping_add_signed(access.offset))
            }
            base => (Shape::Point, fixed_address(step, access.space, base).wrapping_add_signed(access.offset)),
        }
    }
}

/// What has no register to depend on: the same for all lanes.
#[inline(always)]
fn fixed_address(step: &Step<'_, '_>, space: Space, base: Address) -> u64 {
    match base {
        Address::Variable(id) => step.worker.grid.launch.module.addresses[id as usize],
        _ if space == Space::Local || (space == Space::Param && !step.group.calls.is_empty()) => {
            u64::from(step.group.local)
        }
        _ => 0,
    }
}

macro_rules! shape_of {
    ($name:ident, $t:ty) => {
        /// `width` is a power of two.
        #[inline(always)]
        fn $name(addresses: &[$t; 32], width: $t) -> Shape {
            // The last lane says what it can be; whether it is takes a few vector operations, the same for both.
            let (first, last) = (addresses[0], addresses[31]);
            let (shape, kept) = if last == first {
                (Shape::Point, 0)
            } else if last.wrapping_sub(first) == 31 * width {
                (Shape::Line, <$t>::MAX)
            } else {
                return Shape::Scattered;
            };
            let shift = width.trailing_zeros();
            let mut off = 0;
            for lane in 0..32 {
                off |= addresses[lane] ^ first.wrapping_add(((lane as $t) << shift) & kept);
            }
            if off == 0 { shape } else { Shape::Scattered }
        }
    };
}

shape_of! { shape_of, u64 }
shape_of! { narrow_shape_of, u32 }

/// The span of a whole warp's access and its bytes, if the lanes form one and it is in order.
#[inline(always)]
pub(crate) fn whole(
    step: &mut Step<'_, '_>,
    space: Space,
    shape: Shape,
    address: u64,
    width: u64,
) -> Option<(Span, u64)> {
    let bytes = match shape {
        Shape::Line => 32 * width,
        Shape::Point => width,
        Shape::Scattered => return None,
    };
    if !address.is_multiple_of(width) {
        return None;
    }
    let span = match space {
        Space::Global => global(step, address)?,
        Space::Shared => shared(step, address)?,
        // A thread's own memory lies apart from its neighbour's.
        _ => locate(step, space, 0, address).filter(|span| span.kind != At::Local)?,
    };
    (bytes <= span.room).then_some((span, bytes))
}

/// Index of the region of device memory that an address lies in.
#[inline(always)]
pub(crate) fn region(step: &mut Step<'_, '_>, address: u64) -> Option<usize> {
    let view = &step.worker.grid.view;
    let holds =
        |index: usize| view.regions.get(index).is_some_and(|region| address.wrapping_sub(region.base) < region.bytes);
    let [mut index, before] = step.worker.regions;
    if !holds(index) {
        // Most loops go back and forth between two.
        index = if holds(before) { before } else { view.find(address)? };
        step.worker.regions = [index, step.worker.regions[0]];
    }
    Some(index)
}

#[inline(always)]
fn global(step: &mut Step<'_, '_>, address: u64) -> Option<Span> {
    let index = region(step, address)?;
    let region = &step.worker.grid.view.regions[index];
    let offset = address - region.base;
    Some(Span::new(At::Global(index), &region.store, offset, region.bytes - offset))
}

#[inline(always)]
fn shared(step: &Step<'_, '_>, address: u64) -> Option<Span> {
    in_store(At::Shared, &step.block.shared, address)
}

#[inline(always)]
fn in_store(kind: At, store: &Store, offset: u64) -> Option<Span> {
    let bytes = store.bytes() as u64;
    (offset < bytes).then(|| Span::new(kind, store, offset, bytes - offset))
}

/// Where a lane's address leads, if to anything.
pub(crate) fn locate(step: &mut Step<'_, '_>, space: Space, lane: usize, address: u64) -> Option<Span> {
    match resolve(step, space, address) {
        (Space::Shared, offset) => shared(step, offset),
        (Space::Param, offset) => in_store(At::Param, &step.worker.grid.params, offset),
        (Space::Local, offset) => {
            let (bytes, stride) = (local_bytes(step), step.warp.local_bytes as u64);
            let store = step.warp.local.as_ref()?;
            (offset < bytes).then(|| Span::new(At::Local, store, lane as u64 * stride + offset, bytes - offset))
        }
        (Space::Const, address) => global(step, address).map(|span| Span { kind: At::Constant, ..span }),
        (_, address) => global(step, address),
    }
}

/// Local memory up to the end of the group's frame; the callers' frames lie below it.
fn local_bytes(step: &Step<'_, '_>) -> u64 {
    let function = &step.worker.grid.program.functions[step.group.function as usize];
    u64::from(step.group.local) + u64::from(function.frame_bytes)
}

/// A generic address's own space, and the address there.
fn resolve(step: &Step<'_, '_>, space: Space, address: u64) -> (Space, u64) {
    match space {
        Space::Generic => {
            for (space, base) in [(Space::Shared, SHARED_BASE), (Space::Local, LOCAL_BASE), (Space::Param, PARAM_BASE)]
            {
                if (base..base + WINDOW).contains(&address) {
                    return (space, address - base);
                }
            }
            (Space::Global, address)
        }
        // A function's parameters are in its frame; a kernel's in the launch's buffer.
        Space::Param if !step.group.calls.is_empty() => (Space::Local, address),
        space => (space, address),
    }
}

/// Counts an access that `whole` has found in order; `bytes` is `width` when all lanes have one address.
#[inline(always)]
pub(crate) fn count(step: &mut Step<'_, '_>, direction: Direction, span: &Span, address: u64, bytes: u64, width: u64) {
    match span.kind {
        At::Global(index) => {
            let sectors = (address + bytes - 1) / SECTOR - address / SECTOR + 1;
            let region = &step.worker.grid.view.regions[index];
            if direction == Direction::Load {
                region.load_touches(span.offset as u64, bytes);
            } else {
                region.store_touches(span.offset as u64, bytes);
            }
            step.worker.tally.global(direction, sectors, 32, width);
        }
        // Contiguous or one word: each part of the warp is served in one pass.
        At::Shared => {
            let parts = (width / 4).max(1);
            step.worker.tally.shared(parts, parts);
        }
        At::Local => step.worker.tally.local_bytes += 32 * width,
        At::Constant | At::Param => {}
    }
}

/// The lanes' spans, checked for bounds and alignment.
///
/// # Errors
/// When any lane's access is wrong: each is found, the first ends the launch.
pub(crate) fn by_lane(
    step: &mut Step<'_, '_>,
    space: Space,
    access: &str,
    addresses: &[u64; 32],
    mask: u32,
    width: u64,
) -> Result<[Option<Span>; 32], Stopped> {
    let mut spans = [None; 32];
    let mut failure = None;
    for lane in lanes(mask) {
        let address = addresses[lane];
        let span = match space {
            Space::Global => global(step, address),
            Space::Shared => shared(step, address),
            _ => locate(step, space, lane, address),
        };
        let span = span.filter(|span| span.room >= width);
        // A wild address is reported as such, aligned or not.
        match span {
            None => {
                report_stray(step, space, access, address, width, lane);
                failure = failure.or(Some(Failure::IllegalAddress));
            }
            Some(_) if !address.is_multiple_of(width) => {
                let near = place(step, space, address);
                let kind = FindingKind::Misaligned { access: access.to_owned(), bytes: width as u32, address, near };
                step.find(lane, kind);
                failure = failure.or(Some(Failure::MisalignedAddress));
            }
            span => spans[lane] = span,
        }
    }
    failure.map_or(Ok(spans), |failure| Err(step.fail(failure)))
}

/// Where an address lies, in words.
pub(super) fn place(step: &Step<'_, '_>, space: Space, address: u64) -> Option<Place> {
    let own = |name: &str, offset: u64, bytes: u64| {
        Some(Place { name: format!("{name} ({bytes} bytes)"), offset: offset.cast_signed(), bytes })
    };
    match resolve(step, space, address) {
        (Space::Shared, offset) => own("shared memory", offset, step.block.shared.bytes() as u64),
        (Space::Local, offset) => own("the thread's local memory", offset, local_bytes(step)),
        (Space::Param, offset) => own("the kernel's parameters", offset, step.worker.grid.params.bytes() as u64),
        (_, address) => step.worker.grid.view.place(address),
    }
}

/// Ends the launch for an access that no memory holds whole.
pub(crate) fn stray(
    step: &mut Step<'_, '_>,
    space: Space,
    access: &str,
    address: u64,
    width: u64,
    lane: usize,
) -> Stopped {
    report_stray(step, space, access, address, width, lane);
    step.fail(Failure::IllegalAddress)
}

fn report_stray(step: &mut Step<'_, '_>, space: Space, access: &str, address: u64, width: u64, lane: usize) {
    let (access, bytes) = (access.to_owned(), width as u32);
    let (space, own) = (resolve(step, space, address).0, place(step, space, address));
    let kind = if matches!(space, Space::Shared | Space::Local | Space::Param) {
        FindingKind::OutOfBounds { access, bytes, address, near: own }
    } else {
        match step.worker.grid.view.stray(address) {
            Stray::Freed(near) => FindingKind::UseAfterFree { access, bytes, address, near },
            Stray::Host => FindingKind::HostPointer { access, bytes, address },
            Stray::Peer(device) => FindingKind::PeerAccess { access, bytes, address, device },
            Stray::Outside(near) => FindingKind::OutOfBounds { access, bytes, address, near },
        }
    };
    step.find(lane, kind);
}

/// A read of bytes that nothing has written: a finding, and the launch goes on.
pub(crate) fn report_unwritten(
    step: &mut Step<'_, '_>,
    access: &str,
    span: &Span,
    address: u64,
    width: u64,
    lane: usize,
) {
    let thread = step.warp.index * 32 + lane as u32;
    let (access, bytes) = (access.to_owned(), width as u32);
    let bare = FindingKind::Uninitialised { access, bytes, address, near: None };
    if step.worker.repeats(step.block, step.group.op, thread, &bare) {
        return;
    }
    let space = match span.kind {
        At::Global(_) | At::Constant => Space::Global,
        At::Shared => Space::Shared,
        At::Local => Space::Local,
        At::Param => Space::Param,
    };
    // The space's own address, whether the access went through a generic one or not.
    let base = match space {
        Space::Shared => SHARED_BASE,
        Space::Local => LOCAL_BASE,
        Space::Param => PARAM_BASE,
        _ => 0,
    };
    let inner = if base != 0 && (base..base + WINDOW).contains(&address) { address - base } else { address };
    let near = place(step, space, inner);
    if let FindingKind::Uninitialised { access, bytes, address, .. } = bare {
        step.find(lane, FindingKind::Uninitialised { access, bytes, address, near });
    }
}

/// Whether an asynchronous copy into some of the bytes is still under way.
#[inline(always)]
pub(crate) fn in_flight(step: &Step<'_, '_>, span: &Span, bytes: u64) -> bool {
    span.kind == At::Shared && step.block.copies != 0 && step.block.in_flight.any(span.offset, bytes as usize)
}

/// A read of shared memory into which an asynchronous copy is still under way: a finding.
pub(crate) fn check_landed(step: &mut Step<'_, '_>, span: &Span, width: u64, lane: usize) {
    if in_flight(step, span, width) {
        let detail = format!(
            "load of {width} bytes of shared memory at byte {} while an asynchronous copy into it is in flight",
            span.offset
        );
        step.find(lane, FindingKind::AsyncCopy { detail });
    }
}

/// Counts an access lane by lane.
pub(crate) fn count_by_lane(
    step: &mut Step<'_, '_>,
    direction: Direction,
    spans: &[Option<Span>; 32],
    addresses: &[u64; 32],
    width: u64,
) {
    let mut sectors = Sectors::default();
    let mut global_lanes = 0;
    let mut shared = [None; 32];
    for (lane, span) in spans.iter().enumerate() {
        let Some(span) = span else { continue };
        match span.kind {
            At::Global(index) => {
                let region = &step.worker.grid.view.regions[index];
                if direction == Direction::Load {
                    region.load_touches(span.offset as u64, width);
                } else {
                    region.store_touches(span.offset as u64, width);
                }
                global_lanes += 1;
                sectors.meet(addresses[lane]);
            }
            At::Shared => shared[lane] = Some(span.offset as u64),
            At::Local => step.worker.tally.local_bytes += width,
            At::Constant | At::Param => {}
        }
    }
    if global_lanes != 0 {
        step.worker.tally.global(direction, sectors.count(), global_lanes, width);
    }
    if shared.iter().any(Option::is_some) {
        let (wavefronts, parts) = wavefronts(&shared, width);
        step.worker.tally.shared(wavefronts, parts);
    }
}

/// The sectors that a warp's lanes meet, each once.
#[derive(Default)]
pub(crate) struct Sectors {
    met: [u64; 32],
    count: usize,
    greatest: u64,
}

impl Sectors {
    /// The sector of a lane's access: aligned to its width, it lies in one.
    #[inline(always)]
    pub(crate) fn meet(&mut self, address: u64) {
        let sector = address / SECTOR;
        // Most lanes ascend.
        if self.count == 0 || sector > self.greatest || !self.met[..self.count].contains(&sector) {
            self.greatest = self.greatest.max(sector);
            self.met[self.count] = sector;
            self.count += 1;
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count as u64
    }
}

/// Counts a warp's atomics: what they read they write, so a sector of global memory is touched both ways.
pub(crate) fn count_atomic(step: &mut Step<'_, '_>, spans: &[Option<Span>; 32], addresses: &[u64; 32], width: u64) {
    let mut sectors = Sectors::default();
    let (mut global, mut others) = (0, 0);
    let mut shared = [None; 32];
    for (lane, span) in spans.iter().enumerate() {
        let Some(span) = span else { continue };
        match span.kind {
            At::Global(index) => {
                let region = &step.worker.grid.view.regions[index];
                region.load_touches(span.offset as u64, width);
                region.store_touches(span.offset as u64, width);
                sectors.meet(addresses[lane]);
                global += 1;
            }
            At::Shared => {
                shared[lane] = Some(span.offset as u64);
                others += 1;
            }
            _ => others += 1,
        }
    }
    let tally = &mut step.worker.tally;
    if global != 0 {
        tally.global_atomics.requests += 1;
        tally.global_atomics.operations += global;
        tally.global_atomics.sectors += sectors.count();
    }
    tally.shared_atomics += others;
    if shared.iter().any(Option::is_some) {
        let (wavefronts, parts) = atomic_wavefronts(&shared, width);
        tally.shared(wavefronts, parts);
    }
}

/// Passes over the banks for these offsets, each a multiple of the width, and the parts that the warp is served in: a pass
/// serves one word of each of the 32 banks, to any number of lanes.
pub(crate) fn wavefronts(offsets: &[Option<u64>; 32], width: u64) -> (u64, u64) {
    passes(offsets, width, true)
}

/// The same for atomics: lanes that meet in a word take turns, so a pass serves one lane of each bank.
fn atomic_wavefronts(offsets: &[Option<u64>; 32], width: u64) -> (u64, u64) {
    passes(offsets, width, false)
}

fn passes(offsets: &[Option<u64>; 32], width: u64, together: bool) -> (u64, u64) {
    // What a lane accesses lies on as many banks as it has words, beginning at a multiple of that.
    let bytes = width.max(4).trailing_zeros();
    let lanes_of_part = 128 >> bytes;
    let (mut total, mut parts) = (0, 0);
    for part in offsets.chunks(lanes_of_part) {
        let units = || part.iter().flatten().map(|offset| offset >> bytes);
        let bank = |unit: u64| unit as usize % lanes_of_part;
        let (mut met, mut lanes) = (0_u32, 0);
        for unit in units() {
            met |= 1 << bank(unit);
            lanes += 1;
        }
        total += match lanes {
            0 => continue,
            lanes if lanes == met.count_ones() => 1,
            _ => conflicts(units(), bank, together),
        };
        parts += 1;
    }
    (total, parts)
}

/// The passes where lanes may meet on a bank.
fn conflicts(units: impl Iterator<Item = u64>, bank: impl Fn(u64) -> usize, together: bool) -> u64 {
    let (mut banks, mut served) = ([0; 32], [0; 32]);
    let mut met = 0;
    for unit in units {
        let asked = &mut banks[bank(unit)];
        // What the pass serves already costs nothing more: look where its bank has been asked before.
        if together && *asked != 0 && served[..met].contains(&unit) {
            continue;
        }
        *asked += 1;
        served[met] = unit;
        met += 1;
    }
    banks.into_iter().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strided(stride: u64, width: u64) -> (u64, u64) {
        wavefronts(&std::array::from_fn(|lane| Some(lane as u64 * stride)), width)
    }

    #[test]
    fn bank_conflicts() {
        assert_eq!(strided(4, 4), (1, 1));
        assert_eq!(strided(0, 4), (1, 1), "one word for all is a broadcast");
        assert_eq!(strided(8, 4), (2, 1));
        assert_eq!(strided(128, 4), (32, 1));
        assert_eq!(strided(132, 4), (1, 1), "a row padded by a word");
        assert_eq!(strided(2, 2), (1, 1), "two lanes share a word");
        assert_eq!(strided(8, 8), (2, 2), "two halves");
        assert_eq!(strided(16, 16), (4, 4), "four quarters");
        assert_eq!(strided(128, 16), (4 * 8, 4), "a quarter's 8 lanes on the same 4 banks");
        assert_eq!(strided(32, 16), (4 * 2, 4), "two of a quarter's lanes on the same 4 banks");
        assert_eq!(strided(32, 32), (8, 8), "eight parts of four lanes");
        assert_eq!(strided(0, 16), (4, 4), "each quarter one chunk");
        assert_eq!(atomic_wavefronts(&[Some(4); 32], 4), (32, 1), "one word for all atomics: one after another");
        let mut one = [None; 32];
        one[31] = Some(4);
        assert_eq!(wavefronts(&one, 16), (1, 1));
    }

    #[test]
    fn shapes() {
        let line: [u64; 32] = std::array::from_fn(|lane| 64 + 4 * lane as u64);
        assert_eq!((shape_of(&line, 4), shape_of(&line, 8)), (Shape::Line, Shape::Scattered));
        assert_eq!(shape_of(&[7; 32], 4), Shape::Point);
    }
}
