//! What memory held at a moment, to go back to and to compare with.

use std::sync::Arc;

use super::Memory;
use super::store::Store;

/// Pieces that nothing was ever written to are left out: a large allocation costs what is used of it.
const PIECE: usize = 1 << 16;

#[derive(Debug)]
struct Copied {
    base: u64,
    store: Arc<Store>,
    copy: Store,
}

/// Every live allocation.
#[derive(Debug)]
pub(crate) struct Image(Vec<Copied>);

/// The first bytes in which memory differs from an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// A multiple of 4.
    pub(crate) address: u64,
    /// Of the 4 bytes, or as many as there are.
    pub(crate) bytes: u64,
    pub(crate) image: u32,
    pub(crate) now: u32,
}

impl Memory {
    pub(crate) fn image(&self) -> Image {
        Image(
            self.live()
                .into_iter()
                .map(|(base, store)| {
                    let copy = Store::new(store.bytes());
                    for_pieces(&store, |at, bytes| copy.copy_from(at, &store, at, bytes));
                    Copied { base, store, copy }
                })
                .collect(),
        )
    }
}

/// Calls `each` with the pieces of which anything is written.
fn for_pieces(store: &Store, mut each: impl FnMut(usize, usize)) {
    for at in (0..store.bytes()).step_by(PIECE) {
        let bytes = PIECE.min(store.bytes() - at);
        if store.written.any(at, bytes) {
            each(at, bytes);
        }
    }
}

impl Image {
    /// Memory is as it was.
    pub(crate) fn restore(&self) {
        for Copied { store, copy, .. } in &self.0 {
            for_pieces(store, |at, bytes| store.copy_from(at, copy, at, bytes));
        }
    }

    /// Where memory is not as it was, first by address.
    pub(crate) fn difference(&self) -> Option<Difference> {
        self.0.iter().find_map(|Copied { base, store, copy }| {
            let mut found = None;
            let (mut then, mut now) = (vec![0; PIECE], vec![0; PIECE]);
            for_pieces(store, |at, bytes| {
                if found.is_some() {
                    return;
                }
                copy.read(at, &mut then[..bytes]);
                store.read(at, &mut now[..bytes]);
                found = (0..bytes).step_by(4).find_map(|i| {
                    let end = (i + 4).min(bytes);
                    let word = |from: &[u8]| {
                        let mut word = [0; 4];
                        word[..end - i].copy_from_slice(&from[i..end]);
                        u32::from_le_bytes(word)
                    };
                    let (image, now) = (word(&then), word(&now));
                    let address = base + (at + i) as u64;
                    (image != now).then_some(Difference { address, bytes: (end - i) as u64, image, now })
                });
            });
            found
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Origin;

    #[test]
    fn is_gone_back_to_and_compared_with() {
        let memory = Memory::new(1 << 40);
        let a = memory.allocate(10, Origin::Allocation).unwrap();
        let large = memory.allocate(1 << 33, Origin::Allocation).unwrap();
        memory.write(a, &[1; 9]).unwrap();
        memory.write(large + (1 << 32), &[7]).unwrap();
        let image = memory.image();
        assert_eq!(image.difference(), None);
        memory.write(large + (1 << 32) + 5, &[3]).unwrap();
        let address = large + (1 << 32) + 4;
        assert_eq!(image.difference(), Some(Difference { address, bytes: 4, image: 0, now: 0x300 }));
        memory.write(a + 8, &[2, 2]).unwrap();
        assert_eq!(image.difference(), Some(Difference { address: a + 8, bytes: 2, image: 1, now: 0x202 }));
        image.restore();
        assert_eq!(image.difference(), None);
        let (store, _) = memory.store(a).unwrap();
        assert!(store.written.all(0, 9) && !store.written.get(9));
    }
}
