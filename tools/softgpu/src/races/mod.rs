//! Data races: two accesses to one byte of which one writes, made by threads that nothing brings into an order.
//!
//! What is looked for is happens-before, not the order in which things were run here: an access is stamped with who made
//! it and when, on the clock of its block; [`clocks`] says which stamps a thread is ordered after. Barriers,
//! `bar.warp.sync` and mbarriers make such orders, and so do a fence followed by a strong write (volatile, relaxed, an
//! atomic) with the strong read that sees it, [`published`]. The stamps are kept in [`shared`], for the memory of a block,
//! where the lanes of a warp are told apart, and in [`global`], where warps are.
//!
//! A lost stamp is a race that is missed, never one that is imagined: stamps of global memory are relaxed atomics.

pub(crate) mod clocks;
pub(crate) mod far;
pub(crate) mod global;
pub(crate) mod numbers;
pub(crate) mod published;
pub(crate) mod shared;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use clocks::{Clocks, Known};

/// Of a block: its clocks, and the stamps of its shared memory.
#[derive(Debug)]
pub(crate) struct Races {
    pub(crate) clocks: Clocks,
    pub(crate) shared: shared::Shadow,
    /// By word of shared memory: what a strong read of it is ordered after. Of an mbarrier, the first word has what has
    /// arrived in the phase that is under way, the second what is known to all who see an earlier one complete.
    pub(crate) published: HashMap<usize, Known>,
}

impl Races {
    pub(crate) fn new(warps: usize, shared_bytes: usize) -> Self {
        Self { clocks: Clocks::new(warps), shared: shared::Shadow::new(shared_bytes), published: HashMap::new() }
    }

    pub(crate) fn start(&mut self) {
        self.clocks.start();
        self.shared.start();
        self.published.clear();
    }
}

/// What an access does to memory, as far as races go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Does {
    pub(crate) writes: bool,
    /// Volatile, relaxed or stronger, or an atomic: such accesses do not race with each other.
    pub(crate) strong: bool,
}

impl Does {
    pub(crate) const READ: Self = Self { writes: false, strong: false };
    pub(crate) const WRITE: Self = Self { writes: true, strong: false };
}

/// The earlier party of a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Earlier {
    /// Index of its block in the grid.
    pub(crate) block: u64,
    /// Linear in its block.
    pub(crate) thread: u32,
    pub(crate) op: u32,
    pub(crate) writes: bool,
}
