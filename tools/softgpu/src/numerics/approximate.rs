//! The approximate functions of PTX, computed in f64 and rounded once by the caller. Written with plain multiplications
//! and additions, so that every processor gives the same bits. On request ([`Approximation`]) the result is moved within
//! what the ISA allows.

use super::{BF16, F16, Float, narrow_to_odd};

/// The sum of c[k] x^k, its even and its odd terms apart: two short chains of additions in place of a long one.
#[inline(always)]
fn polynomial<const N: usize>(c: &[f64; N], x: f64) -> f64 {
    let square = x * x;
    let last = (N - 1) & !1;
    let (mut even, mut odd) = (c[last], if last + 1 < N { c[last + 1] } else { 0.0 });
    let mut k = last;
    while k > 0 {
        k -= 2;
        even = even * square + c[k];
        odd = odd * square + c[k + 1];
    }
    even + x * odd
}

/// 2^x, to about 2^-41 of itself; zero far below f32's range, and infinite in f32 far above.
#[inline(always)]
pub(crate) fn ex2(x: f64) -> f64 {
    // ln(2)^k / k!
    const C: [f64; 11] = {
        let mut c = [1.0; 11];
        let mut k = 1;
        while k < 11 {
            c[k] = c[k - 1] * std::f64::consts::LN_2 / k as f64;
            k += 1;
        }
        c
    };
    // Added to |x| < 2^51 it leaves the nearest integer in the low bits.
    const ROUNDER: f64 = 1.5 * (1_u64 << 52) as f64;
    let x = if x > 200.0 { 200.0 } else { x };
    let x = if x < -200.0 { -200.0 } else { x };
    let rounded = x + ROUNDER;
    let r = x - (rounded - ROUNDER); // within [-1/2, 1/2]: the series ends below 2^-41
    let sum = polynomial(&C, r);
    let scale = f64::from_bits(rounded.to_bits().wrapping_add(1023) << 52);
    sum * scale
}

/// log2 x, to about 2^-44 of itself, for an `x` that came from f32.
#[inline(always)]
pub(crate) fn lg2(x: f64) -> f64 {
    // 2 / (ln(2) (2 k + 1)): log2 m = sum of C[k] s^(2 k + 1) with s = (m - 1) / (m + 1).
    const C: [f64; 9] = {
        let mut c = [0.0; 9];
        let mut k = 0;
        while k < 9 {
            c[k] = 2.0 / (std::f64::consts::LN_2 * (2 * k + 1) as f64);
            k += 1;
        }
        c
    };
    const SQRT_HALF: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();
    // x = m 2^e with m in [sqrt(1/2), sqrt(2)).
    let above = x.to_bits().wrapping_sub(SQRT_HALF) as i64;
    let e = above >> 52;
    let m = f64::from_bits(x.to_bits().wrapping_sub((e << 52) as u64));
    let s = (m - 1.0) / (m + 1.0); // |s| < 0.172, and exact to an ulp: m - 1 is exact
    let sum = polynomial(&C, s * s);
    let log = e as i32 as f64 + s * sum;
    let log = if x == 0.0 { f64::NEG_INFINITY } else { log };
    let log = if x == f64::INFINITY { x } else { log };
    if x >= 0.0 { log } else { f64::NAN }
}

/// 1 / sqrt x: of -0 it is -inf, of a negative number NaN.
#[inline(always)]
pub(crate) fn rsqrt(x: f64) -> f64 {
    1.0 / x.sqrt()
}

/// sin x.
#[inline(always)]
pub(crate) fn sin(x: f64) -> f64 {
    x.sin()
}

/// cos x.
#[inline(always)]
pub(crate) fn cos(x: f64) -> f64 {
    x.cos()
}

/// tanh x.
#[inline(always)]
pub(crate) fn tanh(x: f64) -> f64 {
    x.tanh()
}

/// What `rcp.approx.ftz.f64` and `rsqrt.approx.ftz.f64` keep of their argument and of their result: the upper 32 bits.
#[inline(always)]
pub(crate) fn high_half(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & 0xffff_ffff_0000_0000)
}

/// How far the ISA lets an approximate result be from its function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    /// Of the value.
    Relative(f64),
    Absolute(f64),
    /// Units in the last place of the correctly rounded result.
    Ulps(i32),
}

/// A format that approximate results come in.
pub(crate) trait Rounded: Copy {
    /// Bits of the format, in the low bits.
    fn nearest(x: f64) -> u32;
    fn value(bits: u32) -> f64;
    const SIGN: u32;
}

impl Rounded for f32 {
    #[inline(always)]
    fn nearest(x: f64) -> u32 {
        (x as f32).canonical().to_bits()
    }
    #[inline(always)]
    fn value(bits: u32) -> f64 {
        f64::from(f32::from_bits(bits))
    }
    const SIGN: u32 = 1 << 31;
}

macro_rules! rounded_half {
    ($($half:ident)*) => {$(
        impl Rounded for $half {
            #[inline(always)]
            fn nearest(x: f64) -> u32 {
                u32::from($half::round(narrow_to_odd(x)).0)
            }
            #[inline(always)]
            fn value(bits: u32) -> f64 {
                f64::from($half(bits as u16).wide())
            }
            const SIGN: u32 = 1 << 15;
        }
    )*};
}

rounded_half! { F16 BF16 }

/// Which of the results within the bound is given.
///
/// Zeros and infinities, and what the ISA's tables say of special operands, are never moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Approximation {
    /// The nearest to the function's value.
    #[default]
    Nearest,
    /// The lowest.
    Low,
    /// The highest.
    High,
    /// Any, by a hash of the operands and the seed: equal operands give equal results. 30 bits of the seed count.
    Seeded(u32),
}

impl Approximation {
    /// For a constant operand of the rows that move their results.
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Nearest => 0,
            Self::Low => 1,
            Self::High => 2,
            Self::Seeded(seed) => 3 | seed << 2,
        }
    }
}

/// A mode's code and the operands' bits as a part of the bound, from -1 to 1.
#[inline(always)]
fn part(code: u32, operands: u64) -> f64 {
    match code & 3 {
        0 => 0.0,
        1 => -1.0,
        2 => 1.0,
        _ => {
            let mut hash = operands ^ u64::from(code >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            for _ in 0..2 {
                hash = (hash ^ hash >> 31).wrapping_mul(0xd6e8_feb8_6659_fd93);
            }
            (hash >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        }
    }
}

/// A function's value `y` as an approximate instruction may give it, in the bits of the format `T`. What rounding takes
/// over the bound is taken back by a step towards the value.
#[inline(always)]
pub(crate) fn moved<T: Rounded>(y: f64, bound: Bound, code: u32, operands: u64) -> u32 {
    let nearest = T::nearest(y);
    let near = T::value(nearest);
    if near == 0.0 || !near.is_finite() {
        return nearest;
    }
    let part = part(code, operands);
    let most = match bound {
        Bound::Ulps(ulps) => {
            let steps = (part * f64::from(ulps)).round() as i32 * if near < 0.0 { -1 } else { 1 };
            let magnitude = (nearest & !T::SIGN).saturating_add_signed(steps);
            let moved = magnitude | nearest & T::SIGN;
            // Codes that differ in the last bit are one unit apart. Beyond a power of two units are twice as large: there
            // a step less is as far as it goes.
            let unit = (T::value(nearest ^ 1) - near).abs();
            let beyond = (T::value(moved) - near).abs() > f64::from(ulps) * unit;
            let moved = if beyond { moved - 1 } else { moved };
            return if T::value(moved).is_finite() { moved } else { nearest };
        }
        Bound::Relative(r) => r * y.abs(),
        Bound::Absolute(d) => d,
    };
    let moved = T::nearest(y + part * most);
    let value = T::value(moved);
    if moved == nearest || (value - y).abs() <= most {
        moved
    } else if value == 0.0 {
        1 | nearest & T::SIGN
    } else if (value > near) == (value > 0.0) {
        moved - 1
    } else {
        moved + 1
    }
}
