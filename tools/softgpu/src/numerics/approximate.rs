//! The approximate functions of PTX, computed in f64 and rounded once by the caller. Written with plain multiplications
//! and additions, so that every processor gives the same bits.

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
