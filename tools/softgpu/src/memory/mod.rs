//! Device memory of one context, and what it reaches beside.
//!
//! Every allocation has host memory of its own and a made-up address: device addresses are never host addresses, lie
//! apart with guard gaps between them, and are never used twice, so that a stray pointer is recognised for what it is.
//! Freed allocations stay known by their address.

pub(crate) mod bits;
pub(crate) mod host;
pub(crate) mod image;
pub(crate) mod store;
pub(crate) mod view;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::inspect::finding::Place;
use store::Store;

/// Where global memory begins.
pub(crate) const GLOBAL_BASE: u64 = 0x0000_7000_0000_0000;
/// Where it would meet the host's own mappings.
const GLOBAL_END: u64 = 0x0000_7e00_0000_0000;
/// The generic addresses of a block's shared memory.
pub(crate) const SHARED_BASE: u64 = 0x0000_6e00_0000_0000;
/// The generic addresses of a thread's local memory.
pub(crate) const LOCAL_BASE: u64 = 0x0000_6d00_0000_0000;
/// The generic addresses of a kernel's parameters.
pub(crate) const PARAM_BASE: u64 = 0x0000_6c00_0000_0000;
/// Each of the three windows above, far more than can be in it.
pub(crate) const WINDOW: u64 = 1 << 40;

/// Whether an address is one that the device makes up, in use or not: none of them is the host's.
pub(crate) fn is_device_address(address: u64) -> bool {
    (PARAM_BASE..GLOBAL_END).contains(&address)
}

/// The addresses of each of several devices.
fn part(devices: u32) -> u64 {
    (GLOBAL_END - GLOBAL_BASE) / u64::from(devices) / ALIGN * ALIGN
}

/// Which of several devices an address of global memory would be of.
pub(crate) fn device_of(address: u64, devices: u32) -> Option<u32> {
    let offset = address.checked_sub(GLOBAL_BASE).filter(|_| address < GLOBAL_END)?;
    Some(((offset / part(devices)) as u32).min(devices - 1))
}

/// What cuMemAlloc promises is 256; 512 is what cards give.
const ALIGN: u64 = 512;
/// Between allocations: an index that is off by less than this finds no neighbour.
const GUARD: u64 = 1 << 16;
/// Freed allocations that stay known.
const REMEMBERED: usize = 1 << 16;

/// What an allocation is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// cuMemAlloc and its kind.
    Allocation,
    /// A `.global` or `.const` variable of a module.
    Variable(Arc<str>),
}

/// The context has not this much memory left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("out of device memory: {asked} bytes asked for, {free} of {total} free")]
pub(crate) struct OutOfMemory {
    pub(crate) asked: u64,
    pub(crate) free: u64,
    pub(crate) total: u64,
}

/// An address that no allocation starts at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address:#x} is not the start of an allocation{}", if *.freed { ": it was freed before" } else { "" })]
pub(crate) struct NotAllocated {
    pub(crate) address: u64,
    pub(crate) freed: bool,
}

/// A range that does not lie in one allocation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes at {address:#x} do not lie within one allocation{}", describe(near.as_ref()))]
pub(crate) struct BadRange {
    pub(crate) address: u64,
    pub(crate) bytes: u64,
    pub(crate) near: Option<Place>,
}

fn describe(near: Option<&Place>) -> String {
    near.map_or_else(String::new, |place| format!("; nearest is {}, at byte {} of it", place.name, place.offset))
}

/// An allocation, or what is known of a freed one.
#[derive(Debug)]
struct Record {
    base: u64,
    bytes: u64,
    /// Counts the allocations of the context from 1; variables count apart and do not show it.
    number: u64,
    origin: Origin,
    /// `None` once freed.
    store: Option<Arc<Store>>,
}

impl Record {
    fn holds(&self, address: u64) -> bool {
        address >= self.base && address - self.base < self.bytes
    }

    /// From the address to the nearest byte.
    fn distance(&self, address: u64) -> u64 {
        if address < self.base { self.base - address } else { (address - self.base).saturating_sub(self.bytes - 1) }
    }

    fn place(&self, address: u64) -> Place {
        let name = match &self.origin {
            Origin::Allocation => format!("allocation {}", self.number),
            Origin::Variable(name) => format!("variable {name}"),
        };
        Place {
            name: format!("{name} ({} bytes)", self.bytes),
            offset: address.cast_signed().wrapping_sub(self.base.cast_signed()),
            bytes: self.bytes,
        }
    }
}

#[derive(Debug)]
struct Table {
    /// By address, which is the order in which they were made.
    records: Vec<Record>,
    next: u64,
    end: u64,
    used: u64,
    numbered: u64,
    freed: usize,
}

impl Table {
    /// The last record that starts at or before the address.
    fn at(&self, address: u64) -> Option<usize> {
        self.records.partition_point(|record| record.base <= address).checked_sub(1)
    }

    fn nearest(&self, address: u64) -> Option<&Record> {
        let after = self.records.partition_point(|record| record.base <= address);
        let around = after.saturating_sub(1)..(after + 1).min(self.records.len());
        self.records[around].iter().min_by_key(|record| record.distance(address))
    }

    /// The store that holds the whole range, and where in it: memory of the device, or shared with the host.
    fn range(&self, address: u64, bytes: u64) -> Result<(Arc<Store>, usize), BadRange> {
        let fits = |offset: u64, size: u64| offset <= size && bytes <= size - offset;
        if !is_device_address(address)
            && let Some((base, store)) = host::find(address)
            && fits(address - base, store.bytes() as u64)
        {
            return Ok((store, (address - base) as usize));
        }
        self.at(address)
            .map(|i| &self.records[i])
            .and_then(|record| {
                let offset = address - record.base;
                let store = record.store.as_ref().filter(|_| fits(offset, record.bytes));
                store.map(|store| (Arc::clone(store), offset as usize))
            })
            .ok_or_else(|| BadRange { address, bytes, near: self.nearest(address).map(|record| record.place(address)) })
    }
}

/// Device memory of one context. Calls may come from several threads.
#[derive(Debug)]
pub(crate) struct Memory {
    total: u64,
    device: u32,
    devices: u32,
    table: RwLock<Table>,
    /// Memories of other devices that kernels here may reach.
    peers: RwLock<Vec<Arc<Memory>>>,
}

impl Memory {
    /// Of the first device of one.
    #[cfg(test)]
    pub(crate) fn new(total_bytes: u64) -> Self {
        Self::of_device(total_bytes, 0, 1)
    }

    /// Of one device of several, which share the addresses in equal parts.
    pub(crate) fn of_device(total_bytes: u64, device: u32, devices: u32) -> Self {
        let (base, part) = (GLOBAL_BASE + u64::from(device) * part(devices), part(devices));
        let table = Table { records: Vec::new(), next: base, end: base + part, used: 0, numbered: 0, freed: 0 };
        Self { total: total_bytes, device, devices, table: RwLock::new(table), peers: RwLock::default() }
    }

    /// What is allocated, by address.
    fn live(&self) -> Vec<(u64, Arc<Store>)> {
        let table = self.table();
        table.records.iter().filter_map(|record| Some((record.base, record.store.clone()?))).collect()
    }

    /// Whether the address would be its device's.
    fn is_of_device(&self, address: u64) -> bool {
        device_of(address, self.devices) == Some(self.device)
    }

    /// Which other device the address would be of.
    fn other_device(&self, address: u64) -> Option<u32> {
        device_of(address, self.devices).filter(|&device| device != self.device)
    }

    fn peers(&self) -> RwLockReadGuard<'_, Vec<Arc<Memory>>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has kernels reach another device's memory, or no longer; whether that is a change.
    pub(crate) fn reach(&self, peer: &Arc<Memory>, reached: bool) -> bool {
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        let known = peers.iter().position(|known| Arc::ptr_eq(known, peer));
        match known {
            None if reached => peers.push(Arc::clone(peer)),
            Some(at) if !reached => drop(peers.remove(at)),
            _ => return false,
        }
        true
    }

    /// Where in which allocation an address lies, or which is nearest.
    pub(crate) fn place(&self, address: u64) -> Option<Place> {
        self.table().nearest(address).map(|record| record.place(address))
    }

    // A panic of another thread cannot leave the table half-changed: nothing in its updates panics.
    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory, aligned to 512 bytes: zeros for a variable, as the ISA has it, else nothing that was ever written.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the context's total, or the host's memory, is exhausted.
    pub(crate) fn allocate(&self, bytes: u64, origin: Origin) -> Result<u64, OutOfMemory> {
        let mut table = self.table_mut();
        let full = OutOfMemory { asked: bytes, free: self.total - table.used, total: self.total };
        let rounded = bytes.checked_next_multiple_of(ALIGN).ok_or(full)?;
        if rounded > full.free || rounded > table.end.saturating_sub(table.next) {
            return Err(full);
        }
        let made = match origin {
            Origin::Allocation => Store::try_new,
            Origin::Variable(_) => Store::try_zeroed,
        };
        let store = usize::try_from(bytes).ok().and_then(made).ok_or(full)?;
        let base = table.next;
        if origin == Origin::Allocation {
            table.numbered += 1;
        }
        let number = table.numbered;
        table.records.push(Record { base, bytes, number, origin, store: Some(Arc::new(store)) });
        table.used += rounded;
        table.next = base + rounded + GUARD;
        Ok(base)
    }

    /// Gives an allocation back. A launch that is under way keeps its bytes alive.
    ///
    /// # Errors
    /// [`NotAllocated`] unless `address` is what [`Memory::allocate`] gave.
    pub(crate) fn free(&self, address: u64) -> Result<(), NotAllocated> {
        let mut table = self.table_mut();
        let missing = NotAllocated { address, freed: false };
        let index = table.at(address).ok_or(missing)?;
        let record = &mut table.records[index];
        if record.base != address {
            return Err(missing);
        }
        let bytes = record.bytes;
        record.store.take().ok_or(NotAllocated { address, freed: true })?;
        table.used -= bytes.next_multiple_of(ALIGN);
        table.freed += 1;
        if table.freed > 2 * REMEMBERED {
            let mut forget = table.freed - REMEMBERED;
            table.records.retain(|record| {
                let kept = record.store.is_some() || forget == 0;
                forget -= usize::from(!kept);
                kept
            });
            table.freed = REMEMBERED;
        }
        Ok(())
    }

    /// Start and size of the allocation that the address lies in.
    pub(crate) fn range(&self, address: u64) -> Option<(u64, u64)> {
        let table = self.table();
        let record = &table.records[table.at(address)?];
        (record.holds(address) && record.store.is_some()).then_some((record.base, record.bytes))
    }

    /// # Errors
    /// [`BadRange`] when the bytes do not lie within one allocation.
    pub(crate) fn check(&self, address: u64, bytes: u64) -> Result<(), BadRange> {
        self.table().range(address, bytes).map(drop)
    }

    /// # Errors
    /// [`BadRange`] when the bytes do not lie within one allocation; nothing is written then.
    pub(crate) fn write(&self, address: u64, from: &[u8]) -> Result<(), BadRange> {
        let table = self.table();
        let (store, offset) = table.range(address, from.len() as u64)?;
        store.write(offset, from);
        Ok(())
    }

    /// # Errors
    /// [`BadRange`] when the bytes do not lie within one allocation.
    pub(crate) fn read(&self, address: u64, to: &mut [u8]) -> Result<(), BadRange> {
        let table = self.table();
        let (store, offset) = table.range(address, to.len() as u64)?;
        store.read(offset, to);
        Ok(())
    }

    /// Writes `pattern` `count` times.
    ///
    /// # Errors
    /// [`BadRange`] when the bytes do not lie within one allocation; nothing is written then.
    pub(crate) fn fill(&self, address: u64, pattern: &[u8], count: u64) -> Result<(), BadRange> {
        let table = self.table();
        let bytes = (pattern.len() as u64).saturating_mul(count);
        let (store, offset) = table.range(address, bytes)?;
        // In pieces of some pages, so that a large fill needs no second buffer of its size.
        let piece = pattern.repeat((1 << 16) / pattern.len().max(1));
        for at in (0..bytes as usize).step_by(piece.len().max(1)) {
            store.write(offset + at, &piece[..piece.len().min(bytes as usize - at)]);
        }
        Ok(())
    }

    /// Copies bytes, and with them whether they were ever written; the ranges may overlap.
    ///
    /// # Errors
    /// [`BadRange`] when either range does not lie within one allocation; nothing is written then.
    pub(crate) fn copy(&self, to: u64, from: u64, bytes: u64) -> Result<(), BadRange> {
        let table = self.table();
        let (to, to_offset) = table.range(to, bytes)?;
        let (from, from_offset) = table.range(from, bytes)?;
        to.copy_from(to_offset, &from, from_offset, bytes as usize);
        Ok(())
    }

    /// The bytes of the allocation that an address lies in, and where in them.
    pub(crate) fn store(&self, address: u64) -> Option<(Arc<Store>, usize)> {
        self.table().range(address, 1).ok()
    }

    /// Free and total bytes.
    pub(crate) fn info(&self) -> (u64, u64) {
        (self.total - self.table().used, self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_apart_and_never_used_twice() {
        let memory = Memory::new(1 << 20);
        let a = memory.allocate(100, Origin::Allocation).unwrap();
        let b = memory.allocate(1, Origin::Allocation).unwrap();
        assert_eq!((a % 512, b % 512), (0, 0));
        assert!(b >= a + 512 + GUARD);
        memory.free(a).unwrap();
        assert_eq!(memory.free(a), Err(NotAllocated { address: a, freed: true }));
        assert_eq!(memory.free(b + 1), Err(NotAllocated { address: b + 1, freed: false }));
        assert_ne!(memory.allocate(100, Origin::Allocation).unwrap(), a);
        assert_eq!(memory.range(a), None);
        assert_eq!(memory.range(b), Some((b, 1)));
        assert_eq!(memory.range(b + 1), None);
    }

    #[test]
    fn accounts_in_whole_pieces() {
        let memory = Memory::new(1024);
        let a = memory.allocate(513, Origin::Allocation).unwrap();
        assert_eq!(memory.info(), (0, 1024));
        let error = memory.allocate(1, Origin::Allocation).unwrap_err();
        assert_eq!(error.to_string(), "out of device memory: 1 bytes asked for, 0 of 1024 free");
        memory.free(a).unwrap();
        assert_eq!(memory.info(), (1024, 1024));
        assert!(memory.allocate(u64::MAX, Origin::Allocation).is_err());
    }

    #[test]
    fn ranges_are_checked_before_a_byte_moves() {
        let memory = Memory::new(1 << 20);
        let a = memory.allocate(8, Origin::Allocation).unwrap();
        memory.write(a, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        let error = memory.write(a + 6, &[9, 9, 9]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "3 bytes at 0x700000000006 do not lie within one allocation; nearest is allocation 1 (8 bytes), at byte 6 of it"
        );
        memory.copy(a + 2, a, 4).unwrap();
        let mut back = [0; 8];
        memory.read(a, &mut back).unwrap();
        assert_eq!(back, [1, 2, 1, 2, 3, 4, 7, 8]);
        memory.fill(a, &[7, 0], 4).unwrap();
        memory.read(a, &mut back).unwrap();
        assert_eq!(back, [7, 0, 7, 0, 7, 0, 7, 0]);
        assert!(memory.fill(a, &[7, 0], 5).is_err());
        assert!(memory.read(a + 8, &mut []).is_ok() && memory.read(a + 9, &mut []).is_err());
    }

    #[test]
    fn large_allocations_are_not_committed() {
        let memory = Memory::new(1 << 42);
        let a = memory.allocate(1 << 33, Origin::Allocation).unwrap();
        memory.write(a + (1 << 32), &[1]).unwrap();
        let mut back = [0];
        memory.read(a + (1 << 32), &mut back).unwrap();
        assert_eq!(back, [1]);
    }

    #[test]
    fn freed_allocations_are_forgotten_in_the_end() {
        let memory = Memory::new(1 << 20);
        let kept = memory.allocate(4, Origin::Allocation).unwrap();
        for _ in 0..=2 * REMEMBERED {
            let a = memory.allocate(4, Origin::Allocation).unwrap();
            memory.free(a).unwrap();
        }
        assert_eq!(memory.table().records.len(), REMEMBERED + 1);
        assert_eq!(memory.range(kept), Some((kept, 4)));
    }
}
