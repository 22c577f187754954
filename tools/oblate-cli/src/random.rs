//! Numbers for the cases: the same on every machine, from a name and a seed.

use crate::hash::fnv1a;

/// SplitMix64 (Steele, Lea and Flood 2014): small, fast, and good enough for test data.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A stream of numbers that `name` and `seed` alone decide (FNV-1a of the name).
    pub fn new(name: &str, seed: u64) -> Self {
        let mut random = Self(fnv1a(name.bytes()) ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.bits();
        random
    }

    /// 64 uniform bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, which is not 0; the bias of the multiplication is under n 2^-64.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * f64::powi(2.0, -53)
    }

    /// Bell-shaped with mean 0 and variance 1, within 3.47: the sum of four uniform numbers of 16 bits, which takes no
    /// function of the machine's mathematical library and so has the same bits everywhere.
    pub fn bell(&mut self) -> f64 {
        let bits = self.bits();
        let sum: u64 = (0..4).map(|i| (bits >> (16 * i)) & 0xffff).sum();
        (sum as f64 - 131070.0) / 37837.2 // the square root of 4 (65536^2 - 1)/12
    }

    /// Puts the slice in a uniformly random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, slice: &mut [T]) {
        for i in (1..slice.len()).rev() {
            slice.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_seed_decide_the_numbers() {
        let draw = |name, seed| Random::new(name, seed).bits();
        assert_eq!(draw("a", 1), draw("a", 1));
        assert_ne!(draw("a", 1), draw("a", 2));
        assert_ne!(draw("a", 1), draw("b", 1));
    }

    #[test]
    fn the_bell_has_mean_0_and_variance_1() {
        let mut random = Random::new("bell", 0);
        let values: Vec<f64> = (0..100_000).map(|_| random.bell()).collect();
        let mean = values.iter().sum::<f64>() / 1e5;
        let variance = values.iter().map(|v| v * v).sum::<f64>() / 1e5 - mean * mean;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
        assert!(values.iter().all(|v| v.abs() < 3.47));
    }
}
