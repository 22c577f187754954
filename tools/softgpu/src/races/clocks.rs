//! The clocks of a block: which accesses happened before what a thread does now.
//!
//! A block has one clock, which moves on whenever any of its warps synchronises; an access is stamped with its time. What
//! differs between warps is what they know: of each warp of the block the time up to which they are ordered after it, and
//! of other blocks a count of publications. Most kernels know one barrier for all, and everything beyond that is kept
//! only once it is needed.

use super::far::Far;
use super::published::{Publications, Published};
use crate::execute::registers::lanes;

/// The last time of a clock: from then on it stands, and nothing more is found. Stamps of global memory have 22 bits.
pub(crate) const LAST: u32 = (1 << 22) - 1;

/// Times of each warp of the block.
pub(crate) type Times = [u32; 32];

/// What a warp is ordered after.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// By warp of the block.
    pub(crate) near: Times,
    pub(crate) far: Far,
}

impl Known {
    pub(crate) fn join(&mut self, other: &Self) {
        raise(&mut self.near, &other.near);
        self.far.join(&other.far);
    }
}

pub(crate) fn raise(times: &mut Times, others: &Times) {
    times.iter_mut().zip(others).for_each(|(time, &other)| *time = other.max(*time));
}

/// Who sees what a fence orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Block,
    Device,
}

/// A warp's knowledge, and the part of it that its fences let others have.
#[derive(Clone, Debug, Default)]
struct Warp {
    knows: Known,
    /// By [`Reach`]: what a strong write publishes to the threads of the block, and to all.
    fenced: [Option<Known>; 2],
}

/// What those bring along who have arrived at a barrier.
#[derive(Clone, Debug, Default)]
struct Arrived {
    knows: Known,
    fenced: [Option<Known>; 2],
}

#[derive(Debug, Default)]
pub(crate) struct Clocks {
    /// The time: what is accessed now is stamped with it.
    pub(crate) now: u32,
    /// All that any thread does from now on is ordered after what happened up to here.
    pub(crate) block: u32,
    /// The same for the lanes of each warp among each other.
    pub(crate) warp: Times,
    /// By warp, once a part of it has synchronised: of each lane, up to when it is ordered after each other lane.
    lanes: Vec<Option<Box<[Times; 32]>>>,
    /// What is known beyond `block`; empty as long as nothing is.
    warps: Vec<Warp>,
    arrived: Vec<Arrived>,
    count: usize,
}

impl Clocks {
    pub(crate) fn new(warps: usize) -> Self {
        Self { now: 1, count: warps, ..Self::default() }
    }

    /// A new block begins.
    pub(crate) fn start(&mut self) {
        self.now = 1;
        self.block = 0;
        self.warp = [0; 32];
        self.lanes.clear();
        self.warps.clear();
        self.arrived.clear();
    }

    fn tick(&mut self) {
        self.now = (self.now + 1).min(LAST);
    }

    fn warps(&mut self) -> &mut [Warp] {
        self.warps.resize_with(self.count, Warp::default);
        &mut self.warps
    }

    /// Whether a warp is ordered after what another of the block did at a time.
    pub(crate) fn follows_warp(&self, warp: u32, other: u32, time: u32) -> bool {
        warp == other
            || time <= self.block
            || self.warps.get(warp as usize).is_some_and(|w| time <= w.knows.near[other as usize])
    }

    /// Whether a lane is ordered after what another lane of its warp did at a time.
    pub(crate) fn follows_lane(&self, warp: u32, lane: u32, other: u32, time: u32) -> bool {
        lane == other
            || time <= self.block.max(self.warp[warp as usize])
            || matches!(self.lanes.get(warp as usize), Some(Some(l)) if time <= l[lane as usize][other as usize])
    }

    /// Whether a warp is ordered after what a warp of another block did at a time.
    pub(crate) fn follows_block(
        &self,
        warp: u32,
        (block, other, time): (u32, u32, u32),
        publications: &Publications,
    ) -> bool {
        let Some(knows) = self.warps.get(warp as usize).map(|warp| &warp.knows) else { return false };
        let count = knows.far.get(block);
        count != 0 && time <= publications.times(block, count)[other as usize]
    }

    /// All that a warp is ordered after, itself included.
    fn known(&self, warp: usize) -> Known {
        let mut known = self.warps.get(warp).map(|warp| warp.knows.clone()).unwrap_or_default();
        known.near.iter_mut().for_each(|time| *time = self.block.max(*time));
        known.near[warp] = self.now;
        known
    }

    /// A barrier for every warp of the block.
    pub(crate) fn barrier(&mut self) {
        self.block = self.now;
        self.tick();
        if self.warps.is_empty() {
            return;
        }
        let mut all = Arrived::default();
        for warp in &self.warps {
            all.knows.far.join(&warp.knows.far);
            join_fenced(&mut all.fenced, &warp.fenced);
        }
        for warp in &mut self.warps {
            warp.knows.far.clone_from(&all.knows.far);
            warp.fenced.clone_from(&all.fenced);
        }
    }

    /// A warp comes to a barrier: those who leave it are ordered after what the warp has done so far.
    pub(crate) fn arrive(&mut self, barrier: u32, warp: u32) {
        let known = self.known(warp as usize);
        let fenced = self.warps.get(warp as usize).map(|warp| warp.fenced.clone()).unwrap_or_default();
        self.arrived.resize_with(16, Arrived::default);
        let arrived = &mut self.arrived[barrier as usize];
        arrived.knows.join(&known);
        join_fenced(&mut arrived.fenced, &fenced);
        self.tick();
    }

    /// The warps that waited at a barrier go on.
    pub(crate) fn leave(&mut self, barrier: u32, warps: impl Iterator<Item = u32>) {
        let arrived = self.arrived.get_mut(barrier as usize).map(std::mem::take).unwrap_or_default();
        for warp in warps {
            let warp = &mut self.warps()[warp as usize];
            warp.knows.join(&arrived.knows);
            join_fenced(&mut warp.fenced, &arrived.fenced);
        }
        self.tick();
    }

    /// bar.warp.sync: the lanes of a mask come together.
    pub(crate) fn meet(&mut self, warp: u32, mask: u32, live: u32) {
        if mask & live == live {
            self.warp[warp as usize] = self.now;
            if self.count == 1 {
                self.block = self.now;
            }
        } else {
            self.lanes.resize_with(self.count, || None);
            let table = self.lanes[warp as usize].get_or_insert_default();
            let mut met = [0; 32];
            lanes(mask).for_each(|lane| raise(&mut met, &table[lane]));
            lanes(mask).for_each(|lane| met[lane] = self.now);
            lanes(mask).for_each(|lane| table[lane] = met);
        }
        self.tick();
    }

    /// A fence: what the warp's strong writes publish from now on.
    pub(crate) fn fence(&mut self, warp: u32, reach: Reach) {
        let known = self.known(warp as usize);
        let fenced = &mut self.warps()[warp as usize].fenced;
        if reach == Reach::Device {
            fenced[1] = Some(known.clone());
        }
        fenced[0] = Some(known);
        self.tick();
    }

    /// An arrival at an mbarrier: what those are ordered after who see its phase complete.
    pub(crate) fn release(&mut self, warp: u32) -> Known {
        let known = self.known(warp as usize);
        self.tick();
        known
    }

    /// The time with which a strong write is stamped. One behind a fence publishes itself with what went before: whoever
    /// reads it is ordered after it.
    pub(crate) fn strong_time(&self, warp: u32, reach: Reach) -> u32 {
        let fenced = self.warps.get(warp as usize).and_then(|w| w.fenced[reach as usize].as_ref());
        fenced.map_or(self.now, |known| known.near[warp as usize])
    }

    /// What a strong write publishes, if anything.
    pub(crate) fn fenced(&self, warp: u32, reach: Reach) -> Option<&Known> {
        self.warps.get(warp as usize)?.fenced[reach as usize].as_ref()
    }

    /// A strong read of something published in global memory: the warp is ordered after what that covers.
    pub(crate) fn acquire(
        &mut self,
        (warp, mask): (u32, u32),
        block: u32,
        published: &Published,
        publications: &Publications,
    ) {
        let mut known = Known { near: [0; 32], far: published.far.clone() };
        let own = published.far.get(block);
        if own != 0 {
            known.near = publications.times(block, own);
        }
        if let Some((of, times)) = &published.near
            && *of == block
        {
            raise(&mut known.near, times);
        }
        self.acquire_near((warp, mask), &known);
    }

    /// The same for what a thread of the block published in its shared memory, which may be one of the same warp.
    pub(crate) fn acquire_near(&mut self, (warp, mask): (u32, u32), known: &Known) {
        self.warps()[warp as usize].knows.join(known);
        let time = known.near[warp as usize];
        if time > self.warp[warp as usize] {
            self.lanes.resize_with(self.count, || None);
            let table = self.lanes[warp as usize].get_or_insert_default();
            lanes(mask).for_each(|lane| raise(&mut table[lane], &[time; 32]));
        }
    }
}

fn join_fenced(fenced: &mut [Option<Known>; 2], others: &[Option<Known>; 2]) {
    for (fenced, other) in fenced.iter_mut().zip(others) {
        if let Some(other) = other {
            fenced.get_or_insert_default().join(other);
        }
    }
}
