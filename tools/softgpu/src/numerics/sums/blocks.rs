//! Sums in blocks, as cards form them, in two ways that give the same bits.
//!
//! By integers, as defined: every term is taken apart into significand and exponent, and shifted. And by scaling, many
//! times faster: well within f32's range a product is exact, so is its product with the power of two that makes the
//! block's last bit 1, and a conversion to an integer cuts off towards zero.

use super::{Blocks, COLUMNS, Operands, ROWS, Tile, exact, round_half};
use crate::numerics::{F16, Rounding, round_f32};

/// Exponent of a zero: it is never the largest.
const OF_ZERO: i32 = -1000;
/// Exponent of an infinity or a NaN.
const OF_SPECIAL: i32 = 128;
/// Least exponent of f32.
const OF_SUBNORMAL: i32 = -126;

/// Greatest exponent of terms that are summed by scaling: 33 of them do not come near f32's largest number.
const GREATEST: i32 = 100;
/// Least exponent of a block's largest term where it is summed by scaling: no sum is subnormal in f32, and a product that
/// is, and may have been rounded, is cut off to zero.
const LEAST: i32 = -96;

/// Adds A B to `sums`, a tile after the other.
#[inline(always)]
pub(super) fn add<const K: usize>(blocks: Blocks, operands: &Operands<'_, K>, half: bool, sums: &mut [Tile]) {
    let moderate = of_moderate_size(operands, sums);
    let b = (operands.b, &exponents(operands.b, operands.least[1]));
    for (a, sums) in operands.a.as_chunks::<ROWS>().0.iter().zip(sums) {
        if moderate {
            let a = (a, &exponents(a, operands.least[0]));
            // SAFETY: so are those of a part.
            let new = unsafe {
                match blocks.products.min(K) {
                    4 => by_scaling::<K, 4>(blocks, a, b, half, sums),
                    8 => by_scaling::<K, 8>(blocks, a, b, half, sums),
                    16 => by_scaling::<K, 16>(blocks, a, b, half, sums),
                    _ => by_scaling::<K, K>(blocks, a, b, half, sums),
                }
            };
            if let Some(new) = new {
                *sums = new;
                continue;
            }
        }
        of_any_size(blocks, a, operands, half, sums);
    }
}

/// Whether all numbers are finite, no sum's exponent is above [`GREATEST`], nor that of any number of A and any of B
/// together.
#[inline(always)]
fn of_moderate_size<const K: usize>(operands: &Operands<'_, K>, sums: &[Tile]) -> bool {
    let (a, b) = (most(operands.a.as_flattened()), most(operands.b.as_flattened()));
    let c = most(sums.as_flattened().as_flattened());
    a.max(b).max(c) < OF_SPECIAL && (a + b).max(c) <= GREATEST
}

/// The greatest exponent; of zeros and subnormal numbers less than the least.
#[inline(always)]
fn most(numbers: &[f32]) -> i32 {
    let mut most = 0;
    for x in numbers {
        most = most.max(x.to_bits() & 0x7fff_ffff);
    }
    (most >> 23) as i32 - 127
}

/// The exponent of x, but `least` of a subnormal number.
#[inline(always)]
fn exponent(x: f32, least: i32) -> i32 {
    let field = (x.to_bits() >> 23 & 0xff) as i32;
    if x == 0.0 { OF_ZERO } else { (field - 127).max(least) }
}

#[inline(always)]
fn exponents<const R: usize, const C: usize>(numbers: &[[f32; C]; R], least: i32) -> [[i32; C]; R] {
    let mut exponents = [[0; C]; R];
    for (e, x) in exponents.as_flattened_mut().iter_mut().zip(numbers.as_flattened()) {
        *e = exponent(*x, least);
    }
    exponents
}

/// Numbers and their exponents.
type Factors<'a, const R: usize, const C: usize> = (&'a [[f32; C]; R], &'a [[i32; C]; R]);

/// A tile's sums, in blocks of `P` products; none if a block's terms are too small for it, or a sum of f16 is infinite.
///
/// # Safety
/// The numbers are [of moderate size](of_moderate_size).
#[inline(always)]
#[allow(clippy::needless_bitwise_bool, reason = "without branches, the loop over columns becomes vector operations")]
unsafe fn by_scaling<const K: usize, const P: usize>(
    blocks: Blocks,
    (a, a_exponents): Factors<'_, ROWS, K>,
    (b, b_exponents): Factors<'_, K, COLUMNS>,
    half: bool,
    sums: &Tile,
) -> Option<Tile> {
    let last_bit = 23 + blocks.extra_bits;
    let kept = u64::MAX << (52 - if half { 23 } else { blocks.fraction_bits });
    let mut sums = *sums;
    let mut too_small = false;
    for start in (0..K).step_by(P) {
        // A row's sum of this block is the next's first term: meanwhile the other rows' are formed.
        for (i, sum) in sums.iter_mut().enumerate() {
            let (a, a_exponents) = (&a[i][start..][..P], &a_exponents[i][start..][..P]);
            let (b, b_exponents) = (&b[start..][..P], &b_exponents[start..][..P]);
            let mut inexact = [0; COLUMNS];
            // The loops over a block's products are unrolled, and the one over columns is made vectors of.
            for n in 0..COLUMNS {
                let mut largest = exponent(sum[n], OF_SUBNORMAL);
                for k in 0..P {
                    largest = largest.max(a_exponents[k] + b_exponents[k][n]);
                }
                // Of zeros alone the sum is zero at any scale.
                too_small |= (largest < LEAST) & (largest > OF_ZERO / 2);
                let up = last_bit - largest.max(LEAST);
                let scale = f32::from_bits(((127 + up) as u32) << 23);
                // SAFETY: a term of exponent e <= largest is finite and less than 2^(e + 2), so it is scaled to less than
                // 2^(last_bit + 2), that is 2^27. Sums of earlier blocks are terms too: the caller's numbers make none above
                // 2^108, and up to there the scale is a normal number.
                let cut = |x: f32| unsafe { (x * scale).to_int_unchecked::<i32>() };
                let mut total = 0;
                for k in 0..P {
                    total += cut(a[k] * b[k][n]);
                }
                // Two integers of 32 bits: their sum is exact.
                let unit = f64::from_bits(((1023 - up) as u64) << 52);
                let exact = (f64::from(total) + f64::from(cut(sum[n]))) * unit;
                let rounded = f64::from_bits(exact.to_bits() & kept);
                sum[n] = rounded as f32;
                inexact[n] = u32::from(rounded != exact);
            }
            if half {
                for n in 0..COLUMNS {
                    // Rounded to odd: one more rounding gives what rounding the exact sum does.
                    sum[n] = F16::round(f32::from_bits(sum[n].to_bits() | inexact[n])).wide();
                }
                if most(sum) >= OF_SPECIAL {
                    return None;
                }
            }
        }
    }
    (!too_small).then_some(sums)
}

/// The tile's sums, of any terms. An infinity or a NaN goes the same way in every mode; the sums beside it are a card's.
#[cold]
#[inline(never)]
fn of_any_size<const K: usize>(
    blocks: Blocks,
    a: &[[f32; K]; ROWS],
    operands: &Operands<'_, K>,
    half: bool,
    sums: &mut Tile,
) {
    let c = *sums;
    let mut through = c;
    exact(a, operands.b, false, &mut through);
    by_integers(blocks, a, operands, half, sums);
    for i in 0..ROWS {
        for n in 0..COLUMNS {
            let mut terms = a[i].iter().chain(operands.b.iter().map(|b| &b[n])).chain([&c[i][n]]);
            if terms.any(|x| !x.is_finite()) {
                sums[i][n] = through[i][n];
            }
        }
    }
}

/// The tile's sums, of finite terms.
fn by_integers<const K: usize>(
    blocks: Blocks,
    a: &[[f32; K]; ROWS],
    operands: &Operands<'_, K>,
    half: bool,
    sums: &mut Tile,
) {
    // A product of two factors in units of 2^-10 each, and the last bit at 2^-(23 + extra_bits).
    let (up, down) = ((3 + blocks.extra_bits).max(0), (-3 - blocks.extra_bits).max(0));
    let (c_up, c_down) = (blocks.extra_bits.max(0), (-blocks.extra_bits).max(0));
    let b = operands.b.map(|row| row.map(|x| split_factor(x, operands.least[1])));
    for (sum, a) in sums.iter_mut().zip(a) {
        let a = a.map(|x| split_factor(x, operands.least[0]));
        for start in (0..K).step_by(blocks.products) {
            let block = start..(start + blocks.products).min(K);
            for n in 0..COLUMNS {
                let (c, c_exponent) = split_term(sum[n]);
                let products = block.clone().map(|k| (a[k].0 * b[k][n].0, a[k].1 + b[k][n].1));
                let largest = products.clone().fold(c_exponent, |largest, (_, exponent)| largest.max(exponent));
                let total: i32 = products.map(|(product, e)| cut(product << up, down + largest - e)).sum();
                let c = cut(c << c_up, c_down + largest - c_exponent);
                let unit = largest.max(-600) - 23 - blocks.extra_bits;
                let scale = f64::from_bits(((1023 + unit) as u64) << 52);
                // Two integers of 32 bits: their sum is exact.
                let exact = (f64::from(total) + f64::from(c)) * scale;
                let rounded = if half { round_half(exact) } else { truncate(exact, blocks.fraction_bits) };
                // A sum that has become infinite in an earlier block stays so.
                sum[n] = if sum[n].is_infinite() { sum[n] } else { rounded };
            }
        }
    }
}

/// x as s 2^(e - 10): an integer of at most 11 bits, not normalised below the exponent `least`.
fn split_factor(x: f32, least: i32) -> (i32, i32) {
    let (significand, exponent) = split_term(x);
    let raise = (least - exponent).clamp(0, 31);
    let magnitude = significand.abs() >> (13 + raise).min(31);
    let signed = if significand < 0 { -magnitude } else { magnitude };
    (signed, if x == 0.0 { OF_ZERO } else { exponent.max(least) })
}

/// x as s 2^(e - 23).
fn split_term(x: f32) -> (i32, i32) {
    let bits = x.to_bits();
    let field = ((bits >> 23) & 0xff) as i32;
    let fraction = (bits & 0x7f_ffff) as i32;
    let magnitude = if field == 0 { fraction } else { fraction | 1 << 23 };
    let signed = if bits >> 31 == 1 { -magnitude } else { magnitude };
    (signed, if x == 0.0 { OF_ZERO } else { field.max(1) - 127 })
}

/// `s` with `down` bits fewer, cut off towards zero.
fn cut(s: i32, down: i32) -> i32 {
    let sign = s >> 31;
    let magnitude = ((s ^ sign) - sign) as u32 >> down.min(31);
    (magnitude as i32 ^ sign) - sign
}

/// To an f32 of so many bits of fraction, towards zero, but beyond the largest number infinite.
fn truncate(x: f64, fraction_bits: u32) -> f32 {
    const BEYOND: f64 = 2.0 * (1_u128 << 127) as f64;
    let towards_zero = round_f32(x, Rounding::Zero).to_bits() & (u32::MAX << (23 - fraction_bits));
    if x.abs() >= BEYOND { f32::INFINITY.copysign(x as f32) } else { f32::from_bits(towards_zero) }
}

#[cfg(test)]
mod tests {
    use super::super::{Factors, MatrixSums, Sums};
    use super::*;
    use crate::numerics::{BF16, E4M3, E5M2};

    struct Random(u64);

    impl Random {
        /// Knuth's multiplier; the upper bits are good.
        fn next(&mut self) -> u32 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as u32 ^ (self.0 >> 60) as u32
        }

        fn below(&mut self, end: u32) -> u32 {
            self.next() % end
        }
    }

    /// A format: the number of a code, its bits, and its least exponent.
    #[derive(Clone, Copy)]
    struct Format {
        wide: fn(u32) -> f32,
        bits: u32,
        least: i32,
    }

    const F16S: Format = Format { wide: |code| F16(code as u16).wide(), bits: 16, least: -14 };
    const BF16S: Format = Format { wide: |code| BF16(code as u16).wide(), bits: 16, least: -126 };
    const TF32S: Format = Format { wide: |code| f32::from_bits(code << 13), bits: 19, least: -126 };
    const E4M3S: Format = Format { wide: |code| E4M3(code as u8).wide(), bits: 8, least: -6 };
    const E5M2S: Format = Format { wide: |code| E5M2(code as u8).wide(), bits: 8, least: -14 };
    const F32S: Format = Format { wide: f32::from_bits, bits: 32, least: -126 };

    /// What a matrix is filled with.
    #[derive(Clone, Copy, Debug)]
    enum Fill {
        /// Any code: all exponents, infinities and NaNs.
        Codes,
        /// As `Codes`, but finite.
        Finite,
        /// Exponents about one in the middle, zeros among them.
        Near(i32),
        /// A power of two by so many.
        Power(i32),
        /// The least numbers of the format.
        Subnormal,
        Zero,
    }

    const FILLS: [Fill; 10] = [
        Fill::Codes,
        Fill::Finite,
        Fill::Near(1),
        Fill::Near(4),
        Fill::Near(14),
        Fill::Power(-60),
        Fill::Power(-48),
        Fill::Power(50),
        Fill::Subnormal,
        Fill::Zero,
    ];

    fn number(format: Format, fill: Fill, random: &mut Random) -> f32 {
        let any = random.next() ^ random.next() << 16;
        let code = any & (u32::MAX >> (32 - format.bits));
        let x = (format.wide)(code);
        match fill {
            Fill::Codes => x,
            Fill::Finite => {
                if x.is_finite() {
                    x
                } else {
                    1.0
                }
            }
            Fill::Near(_) | Fill::Power(_) if any.is_multiple_of(7) => 0.0_f32.copysign(any.cast_signed() as f32),
            Fill::Near(_) if x.is_nan() => 1.0,
            Fill::Near(spread) => {
                let spread = spread.min(-format.least);
                // Between 1 and 2, with the fraction of the code.
                let fraction = f32::from_bits(x.to_bits() & 0x807f_ffff | 127 << 23);
                fraction * 2.0_f32.powi(random.below(2 * spread as u32 + 1).cast_signed() - spread)
            }
            Fill::Power(exponent) => {
                let held = if format.least == -126 { exponent } else { exponent / 8 };
                2.0_f32.powi(held + random.below(3).cast_signed())
            }
            Fill::Subnormal => (format.wide)(code & 7 | (code & 8) << (format.bits - 4)),
            Fill::Zero => 0.0_f32.copysign(any.cast_signed() as f32),
        }
    }

    /// Compares the two ways on products of all kinds; of how many tiles each is chosen.
    fn compare<const K: usize>(factors: Factors, format: Format, half: bool, major: u32) -> [usize; 2] {
        let Sums::Blocks(blocks) = Sums::of(MatrixSums::Card, factors, major) else { panic!("a card's sums") };
        let c_format = if half { F16S } else { F32S };
        let mut random = Random(u64::from(major));
        let mut tiles = [0; 2];
        for (i, j) in (0..FILLS.len()).flat_map(|i| (0..FILLS.len()).map(move |j| (i, j))) {
            for c_fill in FILLS {
                let mut a = [[0.0; K]; ROWS];
                a.as_flattened_mut().fill_with(|| number(format, FILLS[i], &mut random));
                let mut b = [[0.0; COLUMNS]; K];
                b.as_flattened_mut().fill_with(|| number(format, FILLS[j], &mut random));
                let mut c = [[0.0; COLUMNS]; ROWS];
                c.as_flattened_mut().fill_with(|| number(c_format, c_fill, &mut random));
                let operands = Operands { a: &a, b: &b, least: [format.least; 2] };
                let (mut got, mut expected) = ([c], c);
                add(blocks, &operands, half, &mut got);
                of_any_size(blocks, &a, &operands, half, &mut expected);
                for (got, expected) in got.as_flattened().as_flattened().iter().zip(expected.as_flattened()) {
                    assert!(
                        got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan(),
                        "{factors:?} {major} {half}, {:?} {:?} {c_fill:?}: {got:e} for {expected:e}\n{a:?}\n{b:?}\n{c:?}",
                        FILLS[i],
                        FILLS[j]
                    );
                }
                tiles[usize::from(of_moderate_size(&operands, &[c]))] += 1;
            }
        }
        tiles
    }

    #[test]
    fn scaling_gives_what_integers_give() {
        for major in [8, 9] {
            for tiles in [
                compare::<16>(Factors::Half, F16S, false, major),
                compare::<8>(Factors::Half, F16S, false, major),
                compare::<16>(Factors::Half, F16S, true, major),
                compare::<4>(Factors::Half, F16S, true, major),
                compare::<16>(Factors::Half, BF16S, false, major),
                compare::<8>(Factors::Tf32, TF32S, false, major),
                compare::<4>(Factors::Tf32, TF32S, false, major),
                compare::<32>(Factors::Eight, E4M3S, false, major),
                compare::<32>(Factors::Eight, E5M2S, false, major),
                compare::<16>(Factors::Eight, E5M2S, true, major),
            ] {
                assert!(tiles.iter().all(|tiles| *tiles > 100), "both ways are taken: {tiles:?}");
            }
        }
    }
}
