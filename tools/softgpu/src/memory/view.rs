//! What a launch sees of device memory: the allocations that were live when it began, and which sectors it touches.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use super::store::Store;
use super::{Memory, host};
use crate::inspect::finding::Place;
use crate::races::global::Shadow;
use crate::races::numbers::Number;

/// Bytes of a sector, the unit in which device memory moves.
pub(crate) const SECTOR: u64 = 32;

/// Farther from every allocation than this, an address has nothing to do with one.
const NEAR: u64 = 1 << 32;

/// An allocation during a launch.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) base: u64,
    pub(crate) bytes: u64,
    /// Keeps the bytes alive, whatever the host frees meanwhile.
    pub(crate) store: Arc<Store>,
    loaded: OnceLock<Touched>,
    stored: OnceLock<Touched>,
}

/// Sectors that a launch has touched: a byte each, so that workers set them by plain stores, which on fresh memory are
/// several times as fast as atomic updates of bits.
#[derive(Debug)]
struct Touched(Box<[AtomicU8]>);

impl Touched {
    /// None of a region of so many bytes. Untouched pages of a large set cost nothing.
    fn new(bytes: u64) -> Self {
        let sectors = Box::into_raw(vec![0u8; bytes.div_ceil(SECTOR) as usize].into_boxed_slice());
        // SAFETY: an AtomicU8 has the size and alignment of a u8 and any bits are valid for it; the box is passed on whole.
        Self(unsafe { Box::from_raw(sectors as *mut [AtomicU8]) })
    }

    #[inline(always)]
    fn set(&self, offset: u64, bytes: u64) {
        let (first, end) = (offset / SECTOR, (offset + bytes).div_ceil(SECTOR));
        for sector in &self.0[first as usize..end as usize] {
            sector.store(1, Relaxed);
        }
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|sector| u64::from(sector.load(Relaxed))).sum()
    }
}

impl Region {
    /// Who accessed the bytes last.
    #[inline(always)]
    pub(crate) fn races(&self) -> &Shadow {
        self.store.races.get_or_init(|| Shadow::new(self.bytes))
    }

    /// Notes that the sectors from `offset` on were read.
    #[inline(always)]
    pub(crate) fn load_touches(&self, offset: u64, bytes: u64) {
        self.loaded.get_or_init(|| Touched::new(self.bytes)).set(offset, bytes);
    }

    /// Notes that the sectors from `offset` on were written.
    #[inline(always)]
    pub(crate) fn store_touches(&self, offset: u64, bytes: u64) {
        self.stored.get_or_init(|| Touched::new(self.bytes)).set(offset, bytes);
    }
}

/// The live allocations, by address.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) regions: Vec<Region>,
    /// The launch's number, for as long as it runs.
    pub(crate) number: Number,
    memory: &'a Memory,
}

/// What an address that no live allocation holds turns out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stray {
    /// In an allocation that was freed.
    Freed(Place),
    /// The host's own memory.
    Host,
    /// Another device, which the kernel does not reach.
    Peer(u32),
    /// Outside; the nearest allocation, if there is any.
    Outside(Option<Place>),
}

impl<'a> View<'a> {
    pub(crate) fn new(memory: &'a Memory) -> Self {
        let number = Number::take();
        let mut regions = memory.live();
        let others = memory.peers().iter().flat_map(|peer| peer.live()).collect::<Vec<_>>();
        let shared = host::all();
        if !others.is_empty() || !shared.is_empty() {
            regions.extend(others);
            regions.extend(shared);
            regions.sort_by_key(|(base, _)| *base);
        }
        let region = |(base, store): (u64, Arc<Store>)| {
            if let Some(races) = store.races.get() {
                races.begin(number.get());
            }
            Region { base, bytes: store.bytes() as u64, store, loaded: OnceLock::new(), stored: OnceLock::new() }
        };
        Self { regions: regions.into_iter().map(region).collect(), number, memory }
    }

    /// The region that holds the address.
    pub(crate) fn find(&self, address: u64) -> Option<usize> {
        let index = self.regions.partition_point(|region| region.base <= address).checked_sub(1)?;
        (address - self.regions[index].base < self.regions[index].bytes).then_some(index)
    }

    /// Sectors that the launch read and wrote, each counted once.
    pub(crate) fn distinct_sectors(&self) -> (u64, u64) {
        let count = |sectors: &OnceLock<Touched>| sectors.get().map_or(0, Touched::count);
        self.regions.iter().fold((0, 0), |(l, s), region| (l + count(&region.loaded), s + count(&region.stored)))
    }

    /// Where in which allocation an address lies.
    pub(crate) fn place(&self, address: u64) -> Option<Place> {
        if let Some(peer) = self.memory.peers().iter().find(|peer| peer.is_of_device(address)) {
            return peer.place(address);
        }
        host::place(address).or_else(|| self.memory.place(address))
    }

    /// Why an access is outside every live allocation.
    pub(crate) fn stray(&self, address: u64) -> Stray {
        let peers = self.memory.peers();
        let of_peer = peers.iter().find(|peer| peer.is_of_device(address));
        if let (None, Some(device)) = (of_peer, self.memory.other_device(address)) {
            return Stray::Peer(device);
        }
        let table = of_peer.map_or(self.memory, |peer| peer).table();
        match table.nearest(address) {
            Some(record) if record.holds(address) && record.store.is_none() => Stray::Freed(record.place(address)),
            _ if is_host_memory(address) => Stray::Host,

            record => {
                let near = record.filter(|record| record.distance(address) < NEAR);
                Stray::Outside(near.map(|record| record.place(address)))
            }
        }
    }
}

/// Whether the process has something mapped at the address. The kernel's own list answers: no byte is touched.
fn is_host_memory(address: u64) -> bool {
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return false };
    maps.lines().any(|line| {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        range.is_some_and(|(first, end)| {
            let parse = |text| u64::from_str_radix(text, 16);
            matches!((parse(first), parse(end)), (Ok(first), Ok(end)) if (first..end).contains(&address))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Origin;

    #[test]
    fn strays_are_told_apart() {
        let memory = Memory::new(1 << 20);
        let a = memory.allocate(64, Origin::Allocation).unwrap();
        let b = memory.allocate(64, Origin::Allocation).unwrap();
        memory.free(a).unwrap();
        let view = View::new(&memory);
        assert_eq!(view.find(a), None);
        assert_eq!(view.find(b + 63), Some(0));
        assert_eq!(view.find(b + 64), None);
        let freed = Place { name: "allocation 1 (64 bytes)".into(), offset: 3, bytes: 64 };
        assert_eq!(view.stray(a + 3), Stray::Freed(freed));
        let near = Place { name: "allocation 2 (64 bytes)".into(), offset: 64, bytes: 64 };
        assert_eq!(view.stray(b + 64), Stray::Outside(Some(near)));
        assert_eq!(view.stray(&raw const view as u64), Stray::Host);
        assert_eq!(View::new(&Memory::new(0)).stray(16), Stray::Outside(None));
    }

    #[test]
    fn sectors_are_counted_once() {
        let memory = Memory::new(1 << 20);
        let a = memory.allocate(256, Origin::Allocation).unwrap();
        let view = View::new(&memory);
        let region = &view.regions[view.find(a).unwrap()];
        region.load_touches(0, 32);
        region.load_touches(28, 8);
        region.store_touches(255, 1);
        assert_eq!(view.distinct_sectors(), (2, 1));
    }
}
