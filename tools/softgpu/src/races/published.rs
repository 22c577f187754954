//! What strong writes behind fences let others know: the release side of locks, tickets, flags and grid barriers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clocks::{Known, Times, raise};
use super::far::Far;

/// What whoever reads a word of memory by a strong read is then ordered after.
///
/// Writes add to it and never take away. A strong store that nobody was ordered before replaces what a reader may know,
/// by the letter; but the reader may still see the value before it, on another worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Published {
    pub(crate) far: Far,
    /// What a fence of a block's scope published, for the threads of that block: (block, times).
    pub(crate) near: Option<(u32, Times)>,
}

/// Of a launch: the words that publish, and for each block what its publications covered.
#[derive(Debug, Default)]
pub(crate) struct Publications {
    /// Whether there is anything at all, so that kernels without fences do not look.
    any: AtomicBool,
    words: Mutex<HashMap<u64, Arc<Published>>>,
    /// By block: publication n is at n - 1, and covers all before it.
    blocks: Mutex<HashMap<u32, Vec<Times>>>,
}

impl Publications {
    fn words(&self) -> MutexGuard<'_, HashMap<u64, Arc<Published>>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blocks(&self) -> MutexGuard<'_, HashMap<u32, Vec<Times>>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The times of its own warps that a block's publication covers.
    pub(crate) fn times(&self, block: u32, count: u32) -> Times {
        self.blocks()[&block][count as usize - 1]
    }

    /// What the word publishes.
    pub(crate) fn of(&self, address: u64) -> Option<Arc<Published>> {
        if !self.any.load(SeqCst) {
            return None;
        }
        self.words().get(&address).cloned()
    }

    /// Called before the bytes change, so that whoever sees them finds this too.
    pub(crate) fn publish(&self, address: u64, block: u32, device: Option<&Known>, near: Option<&Known>) {
        let count = device.map(|known| {
            let mut blocks = self.blocks();
            let publications = blocks.entry(block).or_default();
            let mut times = publications.last().copied().unwrap_or([0; 32]);
            raise(&mut times, &known.near);
            if publications.last() != Some(&times) {
                publications.push(times);
            }
            publications.len() as u32
        });
        let mut words = self.words();
        let published = Arc::make_mut(words.entry(address).or_default());
        if let (Some(known), Some(count)) = (device, count) {
            published.far.join(&known.far);
            published.far.raise(block, count);
        }
        if let Some(known) = near {
            match &mut published.near {
                Some((of, times)) if *of == block => raise(times, &known.near),
                near => *near = Some((block, known.near)),
            }
        }
        self.any.store(true, SeqCst);
    }
}
