//! In which order blocks, warps and groups of lanes run: in turn, or as a seed has it.
//!
//! A card makes no promise. In turn is what is fastest here, and the kindest order there is: a seed admits blocks in any
//! order and holds several at once, takes warps in any order and for a few instructions at a time, lets the lanes of a warp
//! part where they need not be together, and takes the turn away behind atomics. It runs on one worker, so that the
//! same seed gives the same run.

/// Random numbers of a seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Shuffle(u64);

impl Shuffle {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A part of the lanes: each by chance.
    pub(crate) fn part(&mut self, lanes: u32) -> u32 {
        self.next() as u32 & lanes
    }

    pub(crate) fn order<T>(&mut self, of: &mut [T]) {
        for i in (1..of.len()).rev() {
            of.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

/// The order in which the blocks of a grid begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admission {
    blocks: u64,
    /// Coprime to `blocks`.
    stride: u64,
    first: u64,
}

impl Admission {
    pub(crate) fn new(blocks: u64, shuffle: Option<&mut Shuffle>) -> Self {
        let Some(shuffle) = shuffle else { return Self { blocks, stride: 1, first: 0 } };
        let mut stride = 1 + shuffle.below(blocks);
        while gcd(stride, blocks) != 1 {
            stride += 1;
        }
        Self { blocks, stride, first: shuffle.below(blocks) }
    }

    /// The `turn`-th block to begin.
    pub(crate) fn block(&self, turn: u64) -> u64 {
        ((u128::from(turn) * u128::from(self.stride) + u128::from(self.first)) % u128::from(self.blocks)) as u64
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_begins_once() {
        for (blocks, seed) in [(1, 1), (2, 1), (12, 3), (1000, 7), (1009, 9)] {
            let admission = Admission::new(blocks, Some(&mut Shuffle::new(seed)));
            let mut begun: Vec<u64> = (0..blocks).map(|turn| admission.block(turn)).collect();
            assert!(blocks < 3 || begun != (0..blocks).collect::<Vec<_>>(), "{blocks} blocks are in order");
            begun.sort_unstable();
            assert_eq!(begun, (0..blocks).collect::<Vec<_>>());
        }
        assert_eq!((0..3).map(|turn| Admission::new(3, None).block(turn)).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn a_seed_gives_one_order() {
        let order = |seed| {
            let mut of: Vec<u32> = (0..32).collect();
            Shuffle::new(seed).order(&mut of);
            of
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
