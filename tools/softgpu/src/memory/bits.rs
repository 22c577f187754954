//! A bit per byte of memory, set by several workers at once.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A set of indices. Ranges are `first..first + count`; those beyond the set's length panic.
#[derive(Debug)]
pub(crate) struct Bits {
    words: Box<[AtomicU64]>,
    /// The bits of a word that holds nothing but zeros: all or none.
    blank: u64,
}

impl Bits {
    /// `length` bits, all clear. Untouched pages of a large set cost nothing.
    pub(crate) fn new(length: usize) -> Self {
        Self::blank(length, 0)
    }

    /// `length` bits, all set, which costs no more.
    pub(crate) fn full(length: usize) -> Self {
        Self::blank(length, u64::MAX)
    }

    fn blank(length: usize, blank: u64) -> Self {
        let words = Box::into_raw(vec![0u64; length.div_ceil(64)].into_boxed_slice());
        // SAFETY: an AtomicU64 has the size and alignment of a u64 and any bits are valid for it; the box is passed on whole.
        let words = unsafe { Box::from_raw(words as *mut [AtomicU64]) };
        Self { words, blank }
    }

    /// Calls `each` with every word that the range meets and the range's bits in it, until it answers false.
    #[inline(always)]
    fn words(&self, first: usize, count: usize, mut each: impl FnMut(&AtomicU64, u64) -> bool) -> bool {
        let Some(more) = count.checked_sub(1) else { return true };
        let last = first + more;
        let (from, to) = (u64::MAX << (first % 64), u64::MAX >> (63 - last % 64));
        let end = last / 64 + 1;
        match &self.words[first / 64..end] {
            [] => true,
            [word] => each(word, from & to),
            [head, middle @ .., tail] => {
                each(head, from) && middle.iter().all(|word| each(word, u64::MAX)) && each(tail, to)
            }
        }
    }

    /// The two words of 128 bits that begin where a word does: what a warp accesses most.
    #[inline(always)]
    fn pair(&self, first: usize, count: usize) -> Option<&[AtomicU64; 2]> {
        if count == 128 && first.is_multiple_of(64) { self.words[first / 64..].first_chunk() } else { None }
    }

    #[inline(always)]
    pub(crate) fn all(&self, first: usize, count: usize) -> bool {
        if let Some([a, b]) = self.pair(first, count) {
            return (a.load(Relaxed) ^ self.blank) & (b.load(Relaxed) ^ self.blank) == u64::MAX;
        }
        self.words(first, count, |word, bits| (word.load(Relaxed) ^ self.blank) & bits == bits)
    }

    pub(crate) fn any(&self, first: usize, count: usize) -> bool {
        !self.words(first, count, |word, bits| (word.load(Relaxed) ^ self.blank) & bits == 0)
    }

    /// The 16 bits from `first` on, a multiple of 16.
    #[inline(always)]
    pub(crate) fn sixteen(&self, first: usize) -> u16 {
        (self.words[first / 64].load(Relaxed) >> (first % 64)) as u16
    }

    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> bool {
        (self.words[index / 64].load(Relaxed) ^ self.blank) & (1 << (index % 64)) != 0
    }

    /// An atomic update only where a bit changes and another of its word does not: most ranges are set once and met often,
    /// and whole words need none, for nothing clears bits while workers set them.
    #[inline(always)]
    pub(crate) fn set(&self, first: usize, count: usize) {
        if let Some([a, b]) = self.pair(first, count) {
            a.store(u64::MAX ^ self.blank, Relaxed);
            b.store(u64::MAX ^ self.blank, Relaxed);
            return;
        }
        self.words(first, count, |word, bits| {
            if bits == u64::MAX {
                word.store(bits ^ self.blank, Relaxed);
            } else if (word.load(Relaxed) ^ self.blank) & bits != bits {
                if self.blank == 0 {
                    word.fetch_or(bits, Relaxed)
                } else {
                    word.fetch_and(!bits, Relaxed)
                };
            }
            true
        });
    }

    /// As `set` or `clear`, by the only one who has the set: without atomic updates.
    pub(crate) fn assign(&mut self, first: usize, count: usize, value: bool) {
        self.words(first, count, |word, bits| {
            let old = word.load(Relaxed);
            word.store(if value { old | bits } else { old & !bits }, Relaxed);
            true
        });
    }

    pub(crate) fn clear(&self, first: usize, count: usize) {
        self.words(first, count, |word, bits| {
            if (word.load(Relaxed) ^ self.blank) & bits != 0 {
                if self.blank == 0 {
                    word.fetch_and(!bits, Relaxed)
                } else {
                    word.fetch_or(bits, Relaxed)
                };
            }
            true
        });
    }

    /// Copies a range of another set, bit by bit where the two are not aligned alike.
    pub(crate) fn copy_from(&self, first: usize, from: &Self, from_first: usize, count: usize) {
        if from.all(from_first, count) {
            return self.set(first, count);
        }
        // Snapshot first: the two ranges may lie in one set and overlap.
        let bits: Vec<bool> = (0..count).map(|i| from.get(from_first + i)).collect();
        for (i, bit) in bits.into_iter().enumerate() {
            if bit { self.set(first + i, 1) } else { self.clear(first + i, 1) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let mut bits = Bits::new(200);
        bits.set(3, 130);
        assert!(bits.all(3, 130) && !bits.all(2, 2) && !bits.all(3, 131));
        assert!(bits.any(0, 4) && !bits.any(0, 3) && !bits.any(133, 67));
        bits.clear(64, 64);
        assert!(bits.get(63) && !bits.get(64) && !bits.get(127) && bits.get(128));
        assert!(bits.all(70, 0) && !bits.any(3, 0));
        assert_eq!([0, 48, 128].map(|first| bits.sixteen(first)), [0xfff8, 0xffff, 0x001f]);
        bits.assign(60, 20, true);
        assert!(bits.all(60, 20) && !bits.get(80));
        bits.assign(62, 4, false);
        assert!(bits.get(61) && !bits.any(62, 4) && bits.get(66));
    }

    #[test]
    fn a_full_set() {
        let bits = Bits::full(200);
        assert!(bits.all(0, 200) && bits.any(199, 1));
        bits.clear(3, 130);
        bits.set(64, 1);
        assert!(bits.all(0, 3) && !bits.any(3, 61) && bits.get(64) && !bits.any(65, 68) && bits.all(133, 67));
        let copy = Bits::new(200);
        copy.copy_from(0, &bits, 0, 200);
        assert!((0..200).all(|i| copy.get(i) == bits.get(i)));
        bits.set(0, 200);
        assert!(bits.all(0, 200));
    }

    #[test]
    fn copies_that_overlap() {
        let bits = Bits::new(64);
        bits.set(0, 3);
        bits.copy_from(2, &bits, 0, 5);
        assert_eq!(
            (0..8).map(|i| bits.get(i)).collect::<Vec<_>>(),
            [true, true, true, true, true, false, false, false]
        );
    }
}
