//! Rounding, flushing, saturation and conversions: what the rows of [`isa`](crate::isa) are made of. Everything here is
//! free of branches where it is hot, so that the compiler makes vectors of it.
//!
//! NaN results are canonical: `0x7fffffff` in f32, `0x7fff` in f16 and bf16 (PTX ISA, "Floating Point Instructions").
//! The ISA names none for f64; cards and CUDA's headers give `0xfff8000000000000`, and so does this.

pub(crate) mod approximate;
pub(crate) mod modes;
mod narrow;
pub(crate) mod soft;
pub(crate) mod sums;

pub(crate) use approximate::{cos, ex2, high_half, lg2, rsqrt, sin, tanh};
pub(crate) use modes::Modes;
pub(crate) use narrow::{
    BF16, BF16x2, E4M3, E5M2, F16, F16x2, Packed, hold_finite, hold_finite_tf32, round_even_tf32, round_tf32,
    truncate_tf32,
};

/// How an inexact result is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// `.rn`: to nearest, ties to even.
    Nearest,
    /// `.rz`
    Zero,
    /// `.rm`: towards minus infinity.
    Down,
    /// `.rp`: towards plus infinity.
    Up,
}

/// The canonical NaN of f32.
pub(crate) const NAN: f32 = f32::from_bits(0x7fff_ffff);
/// The NaN that cards give in f64.
pub(crate) const NAN64: f64 = f64::from_bits(0xfff8_0000_0000_0000);

/// What the f32 and f64 rows share.
pub(crate) trait Float: Copy {
    /// Any NaN made canonical.
    fn canonical(self) -> Self;
    /// `.ftz`: a subnormal becomes zero of its sign.
    fn flushed(self) -> Self;
    /// `.sat`: within [0, 1], NaN to +0.
    fn saturated(self) -> Self;
    /// `.relu`: a negative number and -0 become +0; a NaN stays one.
    fn rectified(self) -> Self;
    /// The lesser, as -0 < +0; the other one if one is NaN.
    fn lesser(self, other: Self) -> Self;
    fn greater(self, other: Self) -> Self;
    /// `.NaN`: NaN if one is NaN.
    fn lesser_or_nan(self, other: Self) -> Self;
    fn greater_or_nan(self, other: Self) -> Self;
    /// `.xorsign`: negative where one of `a` and `b` is and the other is not; of a NaN nothing changes.
    fn signed_as(self, a: Self, b: Self) -> Self;
}

macro_rules! float {
    ($t:ident, $nan:ident) => {
        impl Float for $t {
            #[inline(always)]
            fn canonical(self) -> Self {
                // A choice between bits: one between numbers may be taken to leave a NaN as it is.
                $t::from_bits(if self.is_nan() { $nan.to_bits() } else { self.to_bits() })
            }
            #[inline(always)]
            fn flushed(self) -> Self {
                if self.abs() < $t::MIN_POSITIVE { (0.0 as $t).copysign(self) } else { self }
            }
            #[inline(always)]
            fn saturated(self) -> Self {
                let positive = if self > 0.0 { self } else { 0.0 };
                if positive > 1.0 { 1.0 } else { positive }
            }
            #[inline(always)]
            fn rectified(self) -> Self {
                if self <= 0.0 { 0.0 } else { self }
            }
            #[inline(always)]
            fn lesser(self, other: Self) -> Self {
                let bits = if (self < other) | other.is_nan() { self.to_bits() } else { other.to_bits() };
                // Equal numbers have equal bits, but for zeros: of them, the one with a sign.
                $t::from_bits(if self == other { self.to_bits() | other.to_bits() } else { bits }).canonical()
            }
            #[inline(always)]
            fn greater(self, other: Self) -> Self {
                let bits = if (self > other) | other.is_nan() { self.to_bits() } else { other.to_bits() };
                $t::from_bits(if self == other { self.to_bits() & other.to_bits() } else { bits }).canonical()
            }
            #[inline(always)]
            fn lesser_or_nan(self, other: Self) -> Self {
                if self.is_nan() | other.is_nan() { $nan } else { self.lesser(other) }
            }
            #[inline(always)]
            fn greater_or_nan(self, other: Self) -> Self {
                if self.is_nan() | other.is_nan() { $nan } else { self.greater(other) }
            }
            #[inline(always)]
            fn signed_as(self, a: Self, b: Self) -> Self {
                let negative = a.is_sign_negative() ^ b.is_sign_negative();
                if negative & !self.is_nan() { -self } else { self }
            }
        }
    };
}

float! { f32, NAN }
float! { f64, NAN64 }

/// The sum in f64, rounded to odd: an inexact one ends in a one bit, so that one more rounding to fewer digits gives what
/// rounding the exact sum at once gives (Boldo and Melquiond 2008). For operands whose sum does not overflow.
#[inline(always)]
pub(crate) fn add_to_odd(a: f64, b: f64) -> f64 {
    let sum = a + b;
    let b_part = sum - a;
    let error = (a - (sum - b_part)) + (b - b_part); // Knuth's two-sum: exact
    let bits = sum.to_bits();
    // The exact sum lies towards `error` from `sum`; its neighbour on that side is odd if `sum` is even.
    let away = if (error < 0.0) == (sum < 0.0) { bits.wrapping_add(1) } else { bits.wrapping_sub(1) };
    let inexact = error.abs() > 0.0; // not of a NaN, which infinities give
    if inexact && bits & 1 == 0 { f64::from_bits(away) } else { sum }
}

/// `x` in f32, where `x` is exact, or rounded to odd from a value that f32 cannot hold.
#[inline(always)]
pub(crate) fn round_f32(x: f64, rounding: Rounding) -> f32 {
    let near = x as f32;
    let wide = f64::from(near);
    let wrong = match rounding {
        Rounding::Nearest => false,
        Rounding::Zero => wide.abs() > x.abs(),
        Rounding::Down => wide > x,
        Rounding::Up => wide < x,
    };
    // One step: down in magnitude, or up where the directed mode goes away from zero.
    let bits = near.to_bits();
    let away = match rounding {
        Rounding::Down => bits >> 31 == 1,
        Rounding::Up => bits >> 31 == 0,
        _ => false,
    };
    let step = if away { bits.wrapping_add(1) } else { bits.wrapping_sub(1) };
    (if wrong { f32::from_bits(step) } else { near }).canonical()
}

/// a + b in f32.
#[inline(always)]
pub(crate) fn add_f32(a: f32, b: f32, rounding: Rounding) -> f32 {
    sum_f32(f64::from(a), f64::from(b), rounding)
}

/// a * b + c in f32, rounded once.
#[inline(always)]
pub(crate) fn fma_f32(a: f32, b: f32, c: f32, rounding: Rounding) -> f32 {
    sum_f32(f64::from(a) * f64::from(b), f64::from(c), rounding) // a product of two 24-bit significands is exact in f64
}

/// a * b + c, rounded to odd: what a format of 22 bits or fewer is rounded from.
#[inline(always)]
pub(crate) fn fma_to_odd(a: f32, b: f32, c: f32) -> f32 {
    let exact = add_to_odd(f64::from(a) * f64::from(b), f64::from(c));
    narrow_to_odd(exact)
}

/// `x` in f32, rounded to odd.
#[inline(always)]
pub(crate) fn narrow_to_odd(x: f64) -> f32 {
    let towards_zero = round_f32(x, Rounding::Zero);
    let inexact = f64::from(towards_zero) != x && !x.is_nan();
    f32::from_bits(towards_zero.to_bits() | u32::from(inexact))
}

/// a * b in f32.
#[inline(always)]
pub(crate) fn mul_f32(a: f32, b: f32, rounding: Rounding) -> f32 {
    round_f32(f64::from(a) * f64::from(b), rounding)
}

/// a / b in f32: an inexact quotient of two 24-bit significands is further than 2^-49 of itself from every f32 number, so
/// that its f64 rounding lies on the same side of each.
#[inline(always)]
pub(crate) fn div_f32(a: f32, b: f32, rounding: Rounding) -> f32 {
    round_f32(f64::from(a) / f64::from(b), rounding)
}

/// The square root in f32; as for the quotient.
#[inline(always)]
pub(crate) fn sqrt_f32(a: f32, rounding: Rounding) -> f32 {
    round_f32(f64::from(a).sqrt(), rounding)
}

#[inline(always)]
fn sum_f32(a: f64, b: f64, rounding: Rounding) -> f32 {
    let sum = add_to_odd(a, b);
    // An exact zero from unlike signs is -0 under .rm, else +0.
    let minus = rounding == Rounding::Down && sum == 0.0 && (a.is_sign_negative() || b.is_sign_negative());
    round_f32(if minus { -0.0 } else { sum }, rounding)
}
