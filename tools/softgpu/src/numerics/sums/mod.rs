//! The sums of the tensor cores: c + a_0 b_0 + a_1 b_1 + ... in ascending k, of products of 11-bit significands or fewer.
//!
//! The ISA asks for "at least single precision" and says no more. Cards add blocks of products: c and the exact products
//! of a block are aligned to the largest exponent among them (that of a product before it is normalised: the sum of its
//! factors'), cut off below a last bit, added as integers, and the sum is rounded once. Measured by Fasi, Higham, Mikaitis
//! and Pranesh (2021); blocks, bits and roundings here are those of the models of Khattak and Mikaitis (2025,
//! arXiv 2512.07004), which agree with the cards bit for bit.

mod blocks;

use super::{F16, Float, Rounding, fma_f32, narrow_to_odd};

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
/// Rows that are: what is summed has whole fours of them.
pub(crate) const ROWS: usize = 4;

/// Sums of some rows, all columns of each.
type Tile = [[f32; COLUMNS]; ROWS];

/// The factors of a product with sums of `K` terms: rows of A, and B in rows of eight columns.
pub(crate) struct Operands<'a, const K: usize> {
    pub(crate) a: &'a [[f32; K]],
    pub(crate) b: &'a [[f32; COLUMNS]; K],
    /// The least exponents of the two formats: a subnormal number has this one.
    pub(crate) least: [i32; 2],
}

/// Adds A B to the rows of `sums`, which are of f16 if `half`. `FUSED`: the processor multiplies and adds in one.
#[inline(always)]
pub(crate) fn accumulate<const FUSED: bool, const K: usize>(
    mode: Sums,
    operands: &Operands<'_, K>,
    half: bool,
    sums: &mut [[f32; COLUMNS]],
) {
    let (sums, rest) = sums.as_chunks_mut::<ROWS>();
    let a = operands.a.as_chunks::<ROWS>().0;
    debug_assert!(rest.is_empty() && a.len() == sums.len(), "matrices have whole fours of rows");
    // Loops, not closures: a closure that is not inlined has none of the processor's features.
    match mode {
        Sums::Fma => {
            for (sums, a) in sums.iter_mut().zip(a) {
                chain::<FUSED, K>(a, operands.b, half, sums);
            }
        }
        Sums::Exact => {
            for (sums, a) in sums.iter_mut().zip(a) {
                exact(a, operands.b, half, sums);
            }
        }
        Sums::Blocks(blocks) => blocks::add(blocks, operands, half, sums),
    }
    for x in sums.as_flattened_mut().as_flattened_mut() {
        *x = x.canonical();
    }
}

#[inline(always)]
fn chain<const FUSED: bool, const K: usize>(
    a: &[[f32; K]; ROWS],
    b: &[[f32; COLUMNS]; K],
    half: bool,
    sums: &mut Tile,
) {
    let mut chain = *sums;
    for (k, b) in b.iter().enumerate() {
        for (chain, a) in chain.iter_mut().zip(a) {
            for n in 0..COLUMNS {
                // The same number: without the instruction, mul_add would be a call into the C library.
                chain[n] =
                    if FUSED { a[k].mul_add(b[n], chain[n]) } else { fma_f32(a[k], b[n], chain[n], Rounding::Nearest) };
            }
        }
    }
    if half {
        for x in chain.as_flattened_mut() {
            *x = F16::round(*x).wide();
        }
    }
    *sums = chain;
}

#[inline(always)]
fn exact<const K: usize>(a: &[[f32; K]; ROWS], b: &[[f32; COLUMNS]; K], half: bool, sums: &mut Tile) {
    for (sum, a) in sums.iter_mut().zip(a) {
        let mut wide = sum.map(f64::from);
        for (a, b) in a.iter().zip(b) {
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
