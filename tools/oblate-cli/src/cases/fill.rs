//! What logits are filled with: the ordinary, and what breaks kernels.

use safetensors::Dtype;

use crate::random::Random;
use crate::tensor::Tensor;

/// A way to fill a matrix of logits \[rows, classes\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Bell-shaped around 0, deviation 1.
    Bell,
    /// Bell-shaped with deviation 30: exponentials of a row differ by more than f32 holds.
    Wide,
    /// Small integers: many exact ties.
    Ties,
    /// Every entry 0.75: no variance.
    Constant,
    /// Every entry 0, half of them -0.
    Zero,
    /// 10^4 and noise of a few units in the last place: variance by cancellation fails.
    Shifted,
    /// A hundredth of the square root of the dtype's largest number: squares fit, sums of many squares do not in f16.
    Huge,
    /// A quarter of the dtype's largest number: squares overflow f32 (not in f16).
    Largest,
    /// Bell-shaped around 0, near the dtype's least normal number: squares underflow f32 (not in f16).
    Tiny,
    /// Nothing but subnormal numbers and zeros.
    Subnormal,
    /// One class of each row is 10^4 above the others.
    Peak,
    /// Stretches of 1,024 classes whose magnitudes are far apart, from row to row near the least, around 1, near the
    /// largest: statistics of parts of a row that differ by more than f32 holds meet.
    Stepped,
    /// The last eight classes are a hundred times the others: one that is left out shows, however long the row.
    Tail,
    /// A row, the middle one, has a NaN.
    NanRow,
    /// Row b has a NaN at class b, and row 0 nothing else than NaN.
    NanEverywhere,
    /// About a third of the entries are -inf, no row's target among them.
    Masked,
    /// The target of every second row is -inf.
    MaskedTarget,
    /// The middle row is -inf throughout.
    MaskedRow,
    /// One class of every second row is +inf.
    Infinite,
}

impl Fill {
    /// What any operation on logits is tried with.
    pub const FINITE: [Self; 12] = [
        Self::Bell,
        Self::Wide,
        Self::Ties,
        Self::Constant,
        Self::Zero,
        Self::Shifted,
        Self::Huge,
        Self::Largest,
        Self::Tiny,
        Self::Subnormal,
        Self::Peak,
        Self::Stepped,
    ];

    /// What holds NaN or infinity.
    pub const SPECIAL: [Self; 6] =
        [Self::NanRow, Self::NanEverywhere, Self::Masked, Self::MaskedTarget, Self::MaskedRow, Self::Infinite];

    /// As it stands in the name of a case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bell => "bell",
            Self::Wide => "wide",
            Self::Ties => "ties",
            Self::Constant => "constant",
            Self::Zero => "zero",
            Self::Shifted => "shifted",
            Self::Huge => "huge",
            Self::Largest => "largest",
            Self::Tiny => "tiny",
            Self::Subnormal => "subnormal",
            Self::Peak => "peak",
            Self::Stepped => "stepped",
            Self::Tail => "tail",
            Self::NanRow => "nan_row",
            Self::NanEverywhere => "nan_everywhere",
            Self::Masked => "masked",
            Self::MaskedTarget => "masked_target",
            Self::MaskedRow => "masked_row",
            Self::Infinite => "infinite",
        }
    }

    /// The logits, rounded to `dtype`; `targets` are `rows` times as many classes as a row has targets.
    pub fn logits(self, dtype: Dtype, [rows, classes]: [usize; 2], targets: &[i64], random: &mut Random) -> Tensor {
        let limits = Limits::of(dtype);
        let mut values: Vec<f64> = (0..rows * classes).map(|_| self.entry(&limits, random)).collect();
        if classes > 0 {
            let per_row = targets.len().checked_div(rows).unwrap_or(0);
            for (b, row) in values.chunks_exact_mut(classes).enumerate() {
                let own = &targets[b * per_row..(b + 1) * per_row];
                self.place(row, own, [b, rows / 2], &limits, random);
            }
        }
        Tensor::from_f64(dtype, [rows, classes], &values)
    }

    fn entry(self, limits: &Limits, random: &mut Random) -> f64 {
        match self {
            Self::Wide => 30.0 * random.bell(),
            Self::Ties => random.below(5) as f64 - 2.0,
            Self::Constant => 0.75,
            Self::Zero => [0.0, -0.0][random.below(2) as usize],
            Self::Shifted => 1e4 + 2.0 * limits.spacing_at_10_000 * random.bell(),
            Self::Huge => 0.01 * limits.largest.sqrt() * random.bell(),
            Self::Largest => 0.25 * limits.largest * random.bell(),
            Self::Tiny => 4.0 * limits.least_normal * random.bell(),
            Self::Subnormal => {
                let steps = (limits.least_normal / limits.least) as u64;
                limits.least * (random.below(2 * steps - 1) as f64 - (steps - 1) as f64)
            }
            _ => random.bell(),
        }
    }

    /// The single entries that make a row what it is, once it is filled.
    fn place(self, row: &mut [f64], targets: &[i64], [b, middle]: [usize; 2], limits: &Limits, random: &mut Random) {
        let one = random.below(row.len() as u64) as usize;
        let target = |k: usize| targets.contains(&(k as i64));
        match self {
            Self::Peak => row[one] += 1e4,
            Self::Stepped => {
                for (k, entry) in row.iter_mut().enumerate() {
                    *entry *= f64::powi(2.0, limits.steps[b % 3][k / 1024 % 3]);
                }
            }
            Self::Tail => row.iter_mut().rev().take(8).for_each(|entry| *entry *= 100.0),
            Self::NanRow if b == middle => row[one] = f64::NAN,
            Self::NanEverywhere if b == 0 => row.fill(f64::NAN),
            Self::NanEverywhere => {
                let k = b % row.len();
                row[k] = f64::NAN;
            }
            Self::Masked => {
                for (k, entry) in row.iter_mut().enumerate() {
                    if random.below(3) == 0 && !target(k) {
                        *entry = f64::NEG_INFINITY;
                    }
                }
            }
            Self::MaskedTarget if b.is_multiple_of(2) => {
                for (_, entry) in row.iter_mut().enumerate().filter(|(k, _)| target(*k)) {
                    *entry = f64::NEG_INFINITY;
                }
            }
            Self::MaskedRow if b == middle => row.fill(f64::NEG_INFINITY),
            Self::Infinite if b.is_multiple_of(2) => row[one] = f64::INFINITY,
            _ => {}
        }
    }
}

/// The numbers of a float dtype that fills go by.
struct Limits {
    largest: f64,
    least_normal: f64,
    /// The least positive number.
    least: f64,
    spacing_at_10_000: f64,
    /// Exponents of the stretches of a stepped row, by row.
    steps: [[i32; 3]; 3],
}

impl Limits {
    fn of(dtype: Dtype) -> Self {
        // 10^4 lies in [2^13, 2^14), where the spacing is 2^(13 - mantissa bits).
        let (largest, least_exponent, mantissa_bits) = match dtype {
            Dtype::F16 => (65504.0, -14, 10),
            Dtype::BF16 => (half::bf16::MAX.to_f64(), -126, 7),
            _ => (f64::from(f32::MAX), -126, 23),
        };
        Self {
            largest,
            least_normal: f64::powi(2.0, least_exponent),
            least: f64::powi(2.0, least_exponent - mantissa_bits),
            spacing_at_10_000: f64::powi(2.0, 13 - mantissa_bits),
            steps: match dtype {
                Dtype::F16 => [[-12, -9, -10], [0, 5, 10], [11, 10, 12]],
                // At 2^-40 and 2^40 the kernels scale what they square.
                _ => [[-44, -37, -41], [-60, 0, 60], [44, 37, 41]],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of the entries of a fill, over both float formats of f32's range and f16, that meet a condition.
    fn share(fill: Fill, dtype: Dtype, condition: impl Fn(f64) -> bool) -> f64 {
        let logits = fill.logits(dtype, [6, 100], &[7; 6], &mut Random::new("share", 0)).to_f64();
        logits.iter().filter(|&&v| condition(v)).count() as f64 / logits.len() as f64
    }

    #[test]
    fn fills_hold_what_they_say() {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            let limits = Limits::of(dtype);
            assert!(share(Fill::Subnormal, dtype, |v| v != 0.0 && v.abs() < limits.least_normal) > 0.95, "{dtype}");
            assert_eq!(share(Fill::Subnormal, dtype, |v| v.abs() >= limits.least_normal), 0.0, "{dtype}");
            assert_eq!(share(Fill::Largest, dtype, f64::is_finite), 1.0, "{dtype}");
            assert!(share(Fill::Largest, dtype, |v| v.abs() > limits.largest / 10.0) > 0.5, "{dtype}");
            assert!(share(Fill::Shifted, dtype, |v| v != 1e4) > 0.5, "{dtype}");
            assert_eq!(share(Fill::Zero, dtype, |v| v == 0.0), 1.0, "{dtype}");
            assert_eq!(share(Fill::NanEverywhere, dtype, f64::is_nan), 105.0 / 600.0, "{dtype}");
            assert_eq!(share(Fill::NanRow, dtype, f64::is_nan), 1.0 / 600.0, "{dtype}");
            assert_eq!(share(Fill::MaskedTarget, dtype, f64::is_infinite), 3.0 / 600.0, "{dtype}");
            assert_eq!(share(Fill::MaskedRow, dtype, f64::is_infinite), 100.0 / 600.0, "{dtype}");
            assert_eq!(share(Fill::Infinite, dtype, f64::is_infinite), 3.0 / 600.0, "{dtype}");
        }
    }
}
