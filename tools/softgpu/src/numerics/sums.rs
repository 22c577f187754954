//! The sums of the tensor cores: c + a_0 b_0 + a_1 b_1 + ... in ascending k, of products of 11-bit significands or fewer.
//!
//! The ISA asks for "at least single precision" and says no more. Cards add blocks of products: c and the exact products
//! of a block are aligned to the largest exponent among them (that of a product before it is normalised: the sum of its
//! factors'), cut off below a last bit, added as integers, and the sum is rounded once. Measured by Fasi, Higham, Mikaitis
//! and Pranesh (2021); blocks, bits and roundings here are those of the models of Khattak and Mikaitis (2025,
//! arXiv 2512.07004), which agree with the cards bit for bit.

use super::{F16, Float, Rounding, fma_f32, narrow_to_odd, round_f32};

/// How matrix products are summed, where the ISA leaves it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatrixSums {
    /// A chain of f32 multiply-adds, each rounded to nearest: the fastest.
    Fma,
    /// In f64, rounded once at the end.
    Exact,
    /// As the card of the device's compute capability does it: in blocks, aligned and truncated.
    #[default]
    Card,
}

/// [`MatrixSums`], for one instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sums {
    Fma,
    Exact,
    Blocks(Blocks),
}

/// How a card adds a block of products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocks {
    pub(crate) products: usize,
    /// Bits that aligned terms keep below the 24 of the largest.
    pub(crate) extra_bits: i32,
    /// Of the sum, where it is an f32.
    pub(crate) fraction_bits: u32,
}

/// What is multiplied, as far as its sums differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Factors {
    Half,
    Tf32,
    Eight,
}

impl Sums {
    /// Of `factors`, on a card of this major compute capability.
    pub(crate) fn of(mode: MatrixSums, factors: Factors, major: u32) -> Self {
        let hopper = major >= 9;
        let (products, extra_bits, fraction_bits) = match factors {
            Factors::Half => (if hopper { 16 } else { 8 }, if hopper { 2 } else { 1 }, 23),
            Factors::Tf32 => (if hopper { 8 } else { 4 }, if hopper { 2 } else { 1 }, 23),
            Factors::Eight => (if hopper { 32 } else { 16 }, -10, 13),
        };
        match mode {
            MatrixSums::Fma => Self::Fma,
            MatrixSums::Exact => Self::Exact,
            MatrixSums::Card => Self::Blocks(Blocks { products, extra_bits, fraction_bits }),
        }
    }
}

/// Columns that are summed side by side.
pub(crate) const COLUMNS: usize = 8;
/// The longest sum.
pub(crate) const MOST_TERMS: usize = 32;

/// The factors of a product: rows of A, and B in rows of eight columns.
pub(crate) struct Operands<'a> {
    pub(crate) a: &'a [[f32; MOST_TERMS]],
    pub(crate) b: &'a [[f32; COLUMNS]],
    /// The least exponents of the two formats: a subnormal number has this one.
    pub(crate) least: [i32; 2],
}

/// Adds A B to the rows of `sums`, which are of f16 if `half`. `FUSED`: the processor multiplies and adds in one.
#[inline(always)]
pub(crate) fn accumulate<const FUSED: bool>(
    mode: Sums,
    operands: &Operands<'_>,
    half: bool,
    sums: &mut [[f32; COLUMNS]],
) {
    match mode {
        Sums::Fma => chain::<FUSED>(operands, half, sums),
        Sums::Exact => exact(operands, half, sums),
        Sums::Blocks(blocks) => match special(operands, sums) {
            None => aligned(blocks, operands, half, sums),
            // An infinity or a NaN goes the same way in every mode; the sums beside it are a card's.
            Some(meets) => {
                let mut through = [[0.0; COLUMNS]; MOST_TERMS];
                through[..sums.len()].copy_from_slice(sums);
                exact(operands, false, &mut through[..sums.len()]);
                aligned(blocks, operands, half, sums);
                for (sum, (through, meets)) in sums.iter_mut().zip(through.iter().zip(&meets)) {
                    for n in 0..COLUMNS {
                        sum[n] = if meets[n] { through[n] } else { sum[n] };
                    }
                }
            }
        },
    }
    for x in sums.iter_mut().flatten() {
        *x = x.canonical();
    }
}

#[inline(always)]
fn chain<const FUSED: bool>(operands: &Operands<'_>, half: bool, sums: &mut [[f32; COLUMNS]]) {
    for (sum, a) in sums.iter_mut().zip(operands.a) {
        let mut chain = *sum;
        for (a, b) in a.iter().zip(operands.b) {
            for n in 0..COLUMNS {
                // The same number: without the instruction, mul_add would be a call into the C library.
                chain[n] =
                    if FUSED { a.mul_add(b[n], chain[n]) } else { fma_f32(*a, b[n], chain[n], Rounding::Nearest) };
            }
        }
        *sum = if half { chain.map(|x| F16::round(x).wide()) } else { chain };
    }
}

#[inline(always)]
fn exact(operands: &Operands<'_>, half: bool, sums: &mut [[f32; COLUMNS]]) {
    for (sum, a) in sums.iter_mut().zip(operands.a) {
        let mut wide = sum.map(f64::from);
        for (a, b) in a.iter().zip(operands.b) {
            for n in 0..COLUMNS {
                wide[n] += f64::from(*a) * f64::from(b[n]);
            }
        }
        *sum = if half { wide.map(round_half) } else { wide.map(|x| x as f32) };
    }
}

/// To f16, to nearest.
#[inline(always)]
fn round_half(x: f64) -> f32 {
    F16::round(narrow_to_odd(x)).wide()
}

/// Exponent of a zero: it is never the largest.
const OF_ZERO: i32 = -1000;

/// x as s 2^(e - 10): an integer of at most 11 bits, not normalised below the exponent `least`.
#[inline(always)]
fn split_factor(x: f32, least: i32) -> (i32, i32) {
    let (significand, exponent) = split_term(x);
    let raise = (least - exponent).clamp(0, 31);
    let magnitude = significand.abs() >> (13 + raise).min(31);
    let signed = if significand < 0 { -magnitude } else { magnitude };
    (signed, if x == 0.0 { OF_ZERO } else { exponent.max(least) })
}

/// x as s 2^(e - 23).
#[inline(always)]
fn split_term(x: f32) -> (i32, i32) {
    let bits = x.to_bits();
    let field = ((bits >> 23) & 0xff) as i32;
    let fraction = (bits & 0x7f_ffff) as i32;
    let magnitude = if field == 0 { fraction } else { fraction | 1 << 23 };
    let signed = if bits >> 31 == 1 { -magnitude } else { magnitude };
    (signed, if x == 0.0 { OF_ZERO } else { field.max(1) - 127 })
}

/// `s` with `down` bits fewer, cut off towards zero.
#[inline(always)]
fn cut(s: i32, down: i32) -> i32 {
    let sign = s >> 31;
    let magnitude = ((s ^ sign) - sign) as u32 >> down.min(31);
    (magnitude as i32 ^ sign) - sign
}

#[inline(always)]
fn aligned(blocks: Blocks, operands: &Operands<'_>, half: bool, sums: &mut [[f32; COLUMNS]]) {
    let terms = operands.b.len();
    // A product of two factors in units of 2^-10 each, and the last bit at 2^-(23 + extra_bits).
    let (up, down) = ((3 + blocks.extra_bits).max(0), (-3 - blocks.extra_bits).max(0));
    let (c_up, c_down) = (blocks.extra_bits.max(0), (-blocks.extra_bits).max(0));
    let (mut b_significands, mut b_exponents) = ([[0; COLUMNS]; MOST_TERMS], [[0; COLUMNS]; MOST_TERMS]);
    for (k, b) in operands.b.iter().enumerate() {
        for n in 0..COLUMNS {
            (b_significands[k][n], b_exponents[k][n]) = split_factor(b[n], operands.least[1]);
        }
    }
    for (sum, a) in sums.iter_mut().zip(operands.a) {
        let (mut a_significands, mut a_exponents) = ([0; MOST_TERMS], [0; MOST_TERMS]);
        for k in 0..MOST_TERMS {
            (a_significands[k], a_exponents[k]) = split_factor(a[k], operands.least[0]);
        }
        let mut start = 0;
        while start < terms {
            let block = start..(start + blocks.products).min(terms);
            let (mut c, mut largest) = ([0; COLUMNS], [0; COLUMNS]);
            for n in 0..COLUMNS {
                (c[n], largest[n]) = split_term(sum[n]);
            }
            let c_exponents = largest;
            for k in block.clone() {
                for n in 0..COLUMNS {
                    largest[n] = largest[n].max(a_exponents[k] + b_exponents[k][n]);
                }
            }
            let mut total = [0; COLUMNS];
            for k in block.clone() {
                for n in 0..COLUMNS {
                    let product = (a_significands[k] * b_significands[k][n]) << up;
                    total[n] += cut(product, down + largest[n] - (a_exponents[k] + b_exponents[k][n]));
                }
            }
            for n in 0..COLUMNS {
                let c = cut(c[n] << c_up, c_down + largest[n] - c_exponents[n]);
                let unit = largest[n].max(-600) - 23 - blocks.extra_bits;
                let scale = f64::from_bits(((1023 + unit) as u64) << 52);
                // Two integers of 32 bits: their sum is exact.
                let exact = (f64::from(total[n]) + f64::from(c)) * scale;
                let rounded = if half { round_half(exact) } else { truncate(exact, blocks.fraction_bits) };
                // A sum that has become infinite in an earlier block stays so.
                sum[n] = if sum[n].is_infinite() { sum[n] } else { rounded };
            }
            start = block.end;
        }
    }
}

/// To an f32 of so many bits of fraction, towards zero, but beyond the largest number infinite.
#[inline(always)]
fn truncate(x: f64, fraction_bits: u32) -> f32 {
    const BEYOND: f64 = 2.0 * (1_u128 << 127) as f64;
    let towards_zero = round_f32(x, Rounding::Zero).to_bits() & (u32::MAX << (23 - fraction_bits));
    if x.abs() >= BEYOND { f32::INFINITY.copysign(x as f32) } else { f32::from_bits(towards_zero) }
}

/// Whether an infinity or a NaN is among what is added, and which sums it goes into.
#[inline(always)]
fn special(operands: &Operands<'_>, sums: &[[f32; COLUMNS]]) -> Option<[[bool; COLUMNS]; MOST_TERMS]> {
    let largest = |rows: &[f32]| rows.iter().fold(0, |most, x| (x.to_bits() & 0x7fff_ffff).max(most));
    let most =
        largest(operands.a.as_flattened()).max(largest(operands.b.as_flattened())).max(largest(sums.as_flattened()));
    if most < f32::INFINITY.to_bits() {
        return None;
    }
    let mut meets = [[false; COLUMNS]; MOST_TERMS];
    for (meets, (a, sum)) in meets.iter_mut().zip(operands.a.iter().zip(sums)) {
        let row = a.iter().any(|x| !x.is_finite());
        for n in 0..COLUMNS {
            meets[n] = row || !sum[n].is_finite() || operands.b.iter().any(|b| !b[n].is_finite());
        }
    }
    Some(meets)
}
