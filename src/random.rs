//! Numbers for the tests of the references.

/// Numbers of SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e3779b97f4a7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d049bb133111eb);
        x ^ (x >> 31)
    }

    /// Uniform in [low, high).
    pub(crate) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        let unit = f64::from(u32::try_from(self.next() >> 32).expect("32 bits")) / 4294967296.0;
        low + (high - low) * unit
    }

    pub(crate) fn uniforms(&mut self, count: usize, low: f64, high: f64) -> Vec<f64> {
        (0..count).map(|_| self.uniform(low, high)).collect()
    }

    /// Below `end`.
    pub(crate) fn below(&mut self, end: usize) -> i64 {
        i64::try_from(self.next() % u64::try_from(end).expect("64 bits")).expect("a small number")
    }
}

/// The gradient of `f` at `x` by central differences of fourth order.
pub(crate) fn differences(x: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let at = |k: usize, step: f64| {
        let mut moved = x.to_vec();
        moved[k] += step;
        f(&moved)
    };
    let h = 1e-3;
    (0..x.len()).map(|k| (8.0 * (at(k, h) - at(k, -h)) - (at(k, 2.0 * h) - at(k, -2.0 * h))) / (12.0 * h)).collect()
}
