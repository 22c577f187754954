//! The sums of the tensor cores as cards form them, against the models' definition in exact arithmetic.

use num_bigint::{BigInt, BigUint};

use super::Random;
use super::exact::{self, Format, Value};
use crate::numerics::sums::{Blocks, COLUMNS, Factors, MatrixSums, Operands, ROWS, Sums, accumulate};

const TF32: Format = Format { exponent_bits: 8, fraction_bits: 10, nan: 0 };
const E5M2: Format = Format { exponent_bits: 5, fraction_bits: 2, nan: 0 };

/// Integer n and exponent e of n 2^e, where n is not normalised below the format's least exponent; none of zero.
fn parts(format: Format, x: f32) -> Option<(BigInt, i64)> {
    let bits = format.round(&exact::F32.value(u64::from(x.to_bits())), "rn");
    match format.value(bits) {
        Value::Finite { negative, n, e, .. } if n != BigUint::ZERO => {
            let n = BigInt::from(n);
            Some((if negative { -n } else { n }, e))
        }
        _ => None,
    }
}

/// One block: every term cut off towards zero below the last bit, which lies so far below the largest exponent.
fn block(blocks: Blocks, format: Format, half: bool, a: &[f32], b: &[f32], c: f32) -> f32 {
    if c.is_infinite() {
        return c; // an earlier block has overflowed
    }
    let fraction_bits = i64::from(format.fraction_bits);
    let mut terms = Vec::new();
    for (a, b) in a.iter().zip(b) {
        if let (Some((m, d)), Some((n, e))) = (parts(format, *a), parts(format, *b)) {
            terms.push((m * n, d + e, d + e + 2 * fraction_bits));
        }
    }
    if let Some((n, e)) = parts(exact::F32, c) {
        terms.push((n, e, e + 23));
    }
    let Some(largest) = terms.iter().map(|(_, _, exponent)| *exponent).max() else { return 0.0 };
    let last = largest - 23 - i64::from(blocks.extra_bits);
    // Division of big integers is towards zero.
    let cut = |(n, e, _): &(BigInt, i64, i64)| {
        if *e >= last { n << (e - last) } else { n / (BigInt::from(1) << (last - e)) }
    };
    let sum: BigInt = terms.iter().map(cut).sum();
    let value = Value::integer(&sum);
    let Value::Finite { negative, n, .. } = value else { panic!("an integer") };
    let value = Value::Finite { negative, n, e: last, more: false };
    if half {
        let bits = exact::F16.round(&value, "rn");
        return half::f16::from_bits(bits as u16).to_f32();
    }
    let format = Format { fraction_bits: blocks.fraction_bits, ..exact::F32 };
    let bits = format.round(&value, "rz") << (23 - blocks.fraction_bits);
    f32::from_bits(bits as u32)
}

fn model(blocks: Blocks, format: Format, half: bool, a: &[f32], b: &[f32], c: f32) -> f32 {
    let pairs = a.chunks(blocks.products).zip(b.chunks(blocks.products));
    pairs.fold(c, |c, (a, b)| block(blocks, format, half, a, b, c))
}

/// A number of the format, its exponent within `spread` of 0 or, now and then, among the least.
fn factor(format: Format, spread: u64, random: &mut Random) -> f32 {
    let fraction = random.next() & ((1 << format.fraction_bits) - 1);
    let sign = (random.next() & 1) << (format.exponent_bits + format.fraction_bits);
    let exponent = match random.next() % 16 {
        0 => 0,
        1 => random.next() % 4,
        _ => format.bias() as u64 + random.next() % (2 * spread + 1) - spread,
    };
    let bits = sign | exponent << format.fraction_bits | fraction;
    let value = exact::F32.round(&format.value(bits), "rn");
    f32::from_bits(value as u32)
}

fn blocks_of(factors: Factors, major: u32) -> Blocks {
    match Sums::of(MatrixSums::Card, factors, major) {
        Sums::Blocks(blocks) => blocks,
        other => panic!("{other:?}"),
    }
}

/// Products with sums of `K` terms, against the model.
fn check<const K: usize>(factors: Factors, format: Format, least: i32, half: bool, major: u32, random: &mut Random) {
    let blocks = blocks_of(factors, major);
    for round in 0..60 {
        let spread = [2, 6, 12][round % 3].min(format.bias() as u64 - 1);
        let mut a = [[0.0; K]; ROWS];
        a.as_flattened_mut().fill_with(|| factor(format, spread, random));
        let mut b = [[0.0; COLUMNS]; K];
        b.as_flattened_mut().fill_with(|| factor(format, spread, random));
        let c_format = if half { exact::F16 } else { exact::F32 };
        let mut sums = [[0.0; COLUMNS]; ROWS];
        sums.as_flattened_mut().fill_with(|| factor(c_format, 14, random));
        let c = sums;
        let operands = Operands { a: &a, b: &b, least: [least; 2] };
        accumulate::<false, K>(Sums::Blocks(blocks), &operands, half, &mut sums);
        for (i, row) in a.iter().enumerate() {
            for n in 0..COLUMNS {
                let column = b.map(|b| b[n]);
                let expected = model(blocks, format, half, row, &column, c[i][n]);
                assert_eq!(
                    sums[i][n].to_bits(),
                    expected.to_bits(),
                    "{factors:?} {major} {half}: {row:?} {column:?} {}",
                    c[i][n]
                );
            }
        }
    }
}

#[test]
fn cards_cut_off_below_the_largest_term() {
    let mut random = Random(11);
    for (factors, format, least) in [
        (Factors::Half, exact::F16, -14),
        (Factors::Half, exact::BF16, -126),
        (Factors::Tf32, TF32, -126),
        (Factors::Eight, E5M2, -14),
    ] {
        check::<16>(factors, format, least, false, 8, &mut random);
        check::<16>(factors, format, least, false, 9, &mut random);
        check::<8>(factors, format, least, false, 8, &mut random);
        check::<32>(factors, format, least, false, 8, &mut random);
        // Sums of f16 go with factors that it can hold.
        if format.exponent_bits != 8 {
            check::<16>(factors, format, least, true, 8, &mut random);
        }
    }
}

/// What Fasi, Higham, Mikaitis and Pranesh saw on an A100: nothing is rounded to nearest, one more bit is kept than f32
/// has, and small terms that would add up to a bit are lost one by one.
#[test]
fn what_is_known_of_cards() {
    let ulp = 2.0_f32.powi(-23);
    let sum = |major, products: &[(f32, f32)], c: f32| {
        let mut a = [[0.0; 16]; ROWS];
        let mut b = [[0.0; COLUMNS]; 16];
        for (k, (x, y)) in products.iter().enumerate() {
            (a[0][k], b[k][0]) = (*x, *y);
        }
        let mut sums = [[c; COLUMNS]; ROWS];
        let sums_of = Sums::of(MatrixSums::Card, Factors::Half, major);
        accumulate::<false, 16>(sums_of, &Operands { a: &a, b: &b, least: [-126; 2] }, false, &mut sums);
        sums[0][0]
    };
    let half_ulp = (2.0_f32.powi(-12), 2.0_f32.powi(-12));
    let quarter_ulp = (2.0_f32.powi(-12), 2.0_f32.powi(-13));
    assert_eq!(sum(8, &[half_ulp], 1.0), 1.0, "cut off");
    assert_eq!(sum(8, &[(-half_ulp.0, half_ulp.1)], 1.0), 1.0 - ulp / 2.0, "below 1 the digits are finer");
    assert_eq!(sum(8, &[half_ulp; 2], 1.0), 1.0 + ulp, "the extra bit");
    assert_eq!(sum(8, &[quarter_ulp; 4], 1.0), 1.0, "each is below the extra bit");
    assert_eq!(sum(9, &[quarter_ulp; 4], 1.0), 1.0 + ulp, "an H100 keeps two");
    let ninth: Vec<_> = [half_ulp].into_iter().chain([(0.0, 0.0); 7]).chain([half_ulp]).collect();
    assert_eq!(sum(8, &ninth, 1.0), 1.0, "the ninth product is of another block");
    assert_eq!(sum(9, &ninth, 1.0), 1.0 + ulp, "an H100 adds sixteen at once");
    assert_eq!(sum(8, &[(f32::MAX, 2.0)], 0.0), f32::INFINITY);
}

/// NaNs, infinities and what they meet, in every mode; sums beside them are not touched.
#[test]
fn infinities_go_through() {
    for mode in [MatrixSums::Fma, MatrixSums::Exact, MatrixSums::Card] {
        let mut a = [[0.5; 8]; ROWS];
        let mut b = [[2.0; COLUMNS]; 8];
        a[1][3] = f32::INFINITY;
        a[2][4] = f32::NAN;
        b[5][6] = f32::NEG_INFINITY;
        let mut sums = [[1.0; COLUMNS]; ROWS];
        sums[3][1] = f32::INFINITY;
        sums[1][2] = f32::NEG_INFINITY;
        let operands = Operands { a: &a, b: &b, least: [-126; 2] };
        accumulate::<false, 8>(Sums::of(mode, Factors::Half, 8), &operands, false, &mut sums);
        let nan = 0x7fff_ffff_u32;
        for (row, sums) in sums.iter().enumerate() {
            for (column, sum) in sums.iter().enumerate() {
                let expected = match (row, column) {
                    (2, _) | (1, 2 | 6) => nan,
                    (_, 6) => f32::NEG_INFINITY.to_bits(),
                    (1, _) | (3, 1) => f32::INFINITY.to_bits(),
                    _ => 9.0_f32.to_bits(),
                };
                assert_eq!(sum.to_bits(), expected, "{mode:?}: row {row}, column {column}");
            }
        }
    }
}
