//! Memory of the host that kernels reach too: pinned, registered or managed. It has one address on both sides, in every
//! context. Whatever the host may have written counts as written.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::store::Store;
use crate::inspect::finding::Place;

type Shared = BTreeMap<u64, Arc<Store>>;

static SHARED: RwLock<Shared> = RwLock::new(BTreeMap::new());

// A panic of another thread cannot leave the map half-changed.
fn shared() -> RwLockReadGuard<'static, Shared> {
    SHARED.read().unwrap_or_else(PoisonError::into_inner)
}

fn shared_mut() -> RwLockWriteGuard<'static, Shared> {
    SHARED.write().unwrap_or_else(PoisonError::into_inner)
}

fn address(store: &Store) -> u64 {
    store.data().expose_provenance() as u64
}

/// Shares memory, under its own address; `None` when some of it is shared already.
pub(crate) fn share(store: Store) -> Option<u64> {
    let (first, bytes) = (address(&store), store.bytes() as u64);
    let mut shared = shared_mut();
    let before = shared.range(..first.saturating_add(bytes)).next_back();
    if before.is_some_and(|(&base, other)| base + other.bytes() as u64 > first) {
        return None;
    }
    shared.insert(first, Arc::new(store));
    Some(first)
}

/// Takes memory away from the kernels; a launch that is under way keeps what is not the caller's own.
pub(crate) fn unshare(address: u64) {
    shared_mut().remove(&address);
}

/// What holds the address, and where it begins.
pub(crate) fn find(address: u64) -> Option<(u64, Arc<Store>)> {
    let shared = shared();
    let (&base, store) = shared.range(..=address).next_back()?;
    (address - base < store.bytes() as u64).then(|| (base, Arc::clone(store)))
}

/// All of it, by address.
pub(crate) fn all() -> Vec<(u64, Arc<Store>)> {
    shared().iter().map(|(&base, store)| (base, Arc::clone(store))).collect()
}

/// Where in which of it an address lies.
pub(crate) fn place(address: u64) -> Option<Place> {
    let (base, store) = find(address)?;
    let bytes = store.bytes() as u64;
    Some(Place { name: format!("host memory ({bytes} bytes)"), offset: (address - base).cast_signed(), bytes })
}
