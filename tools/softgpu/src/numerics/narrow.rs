//! The formats of 16 bits, alone and packed in pairs, those of 8, and tf32.

use super::{NAN, narrow_to_odd};

/// IEEE binary16: its bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct F16(pub(crate) u16);
/// bfloat16: the upper half of an f32.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BF16(pub(crate) u16);
/// Two f16, the first in the lower half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct F16x2(pub(crate) u32);
/// Two bf16, the first in the lower half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BF16x2(pub(crate) u32);

/// Eight bits, four of them exponent: no infinity, and one NaN of each sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct E4M3(pub(crate) u8);
/// Eight bits, five of them exponent: the upper half of an f16.
#[derive(Clone, Copy, Debug)]
pub(crate) struct E5M2(pub(crate) u8);

impl E4M3 {
    /// Exact.
    #[inline(always)]
    pub(crate) fn wide(self) -> f32 {
        let sign = u32::from(self.0 & 0x80) << 24;
        let magnitude = u32::from(self.0 & 0x7f) << 20; // exponent and fraction in their places in f32
        // As for f16: the exponent is moved by 127 - 7, and a subnormal is its fraction times 2^-9.
        let normal = magnitude + (120 << 23);
        let subnormal = (f32::from_bits(magnitude + (121 << 23)) - f32::from_bits(121 << 23)).to_bits();
        let bits = if magnitude < 1 << 23 { subnormal } else { normal };
        let bits = if magnitude == 0x7f << 20 { NAN.to_bits() } else { bits };
        f32::from_bits(bits | sign)
    }
}

/// To eight bits with so many of fraction, to nearest, ties to even; beyond the largest number, that (`.satfinite`). Of a
/// NaN all ones below the sign.
#[inline(always)]
fn round_to_eight(x: f32, fraction_bits: i32, least_exponent: i32, largest: u8) -> u8 {
    let bits = x.to_bits();
    let exponent = (((bits >> 23) & 0xff) as i32 - 127).clamp(least_exponent, 16);
    // The number in units of the last place: a power of two is exact, and so is what it scales.
    let unit = f32::from_bits(((127 + fraction_bits - exponent) as u32) << 23);
    let units = (x.abs() * unit).round_ties_even() as i32;
    // Codes count the units from zero on; a step of the exponent is 2^fraction_bits of them.
    let code = units.saturating_add((exponent - least_exponent) << fraction_bits);
    let held = code.min(i32::from(largest)) as u8;
    let magnitude = if x.is_nan() { 0x7f } else { held };
    if x.is_nan() { magnitude } else { magnitude | (bits >> 24) as u8 & 0x80 }
}

impl E4M3 {
    /// `.rn.satfinite`
    #[inline(always)]
    pub(crate) fn round(x: f32) -> E4M3 {
        E4M3(round_to_eight(x, 3, -6, 0x7e))
    }
}

impl E5M2 {
    /// `.rn.satfinite`
    #[inline(always)]
    pub(crate) fn round(x: f32) -> E5M2 {
        E5M2(round_to_eight(x, 2, -14, 0x7b))
    }

    /// Exact.
    #[inline(always)]
    pub(crate) fn wide(self) -> f32 {
        F16(u16::from(self.0) << 8).wide()
    }
}

impl F16 {
    /// Exact.
    #[inline(always)]
    pub(crate) fn wide(self) -> f32 {
        let sign = u32::from(self.0 & 0x8000) << 16;
        let magnitude = u32::from(self.0 & 0x7fff) << 13; // exponent and fraction in their places in f32
        // A normal number needs its exponent moved by 127 - 15; infinity and NaN to the largest, twice that.
        let normal = magnitude + (112 << 23);
        let special = magnitude + (224 << 23);
        // A subnormal is its fraction times 2^-24: put under the exponent of 2^-14 and what that adds taken off.
        let subnormal = (f32::from_bits(magnitude + (113 << 23)) - f32::from_bits(113 << 23)).to_bits();
        let bits = if magnitude < 1 << 23 { subnormal } else { normal };
        let bits = if magnitude >= 31 << 23 { special } else { bits };
        f32::from_bits(bits | sign)
    }

    /// To nearest, ties to even.
    #[inline(always)]
    pub(crate) fn round(x: f32) -> F16 {
        let sign = (x.to_bits() >> 16) & 0x8000;
        let magnitude = x.to_bits() & 0x7fff_ffff;
        let normal = (magnitude.wrapping_sub(112 << 23).wrapping_add(0xfff + ((magnitude >> 13) & 1))) >> 13;
        // Below 2^-14: adding 1/2 leaves a multiple of 2^-24 in the fraction, rounded as the addition rounds.
        let subnormal = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0x3f00_0000);
        let bits = if magnitude < 113 << 23 { subnormal } else { normal };
        let bits = if magnitude >= 0x477f_f000 { 0x7c00 } else { bits }; // from 65,520 on
        let bits = if magnitude > 0x7f80_0000 { 0x7fff } else { bits | sign };
        F16(bits as u16)
    }

    /// Towards zero; beyond the largest number, that.
    #[inline(always)]
    pub(crate) fn truncate(x: f32) -> F16 {
        let sign = (x.to_bits() >> 16) & 0x8000;
        let magnitude = x.to_bits() & 0x7fff_ffff;
        let normal = magnitude.wrapping_sub(112 << 23) >> 13;
        let subnormal = (f32::from_bits(magnitude) * 16_777_216.0) as u32; // in units of 2^-24
        let bits = if magnitude < 113 << 23 { subnormal } else { normal };
        let bits = if magnitude >= 143 << 23 { 0x7bff } else { bits };
        let bits = if magnitude == 0x7f80_0000 { 0x7c00 } else { bits };
        let bits = if magnitude > 0x7f80_0000 { 0x7fff } else { bits | sign };
        F16(bits as u16)
    }

    /// `.ftz`: a subnormal becomes zero of its sign.
    #[inline(always)]
    pub(crate) fn flushed(self) -> F16 {
        F16(if self.0 & 0x7c00 == 0 { self.0 & 0x8000 } else { self.0 })
    }

    /// A function of f64, rounded once.
    #[inline(always)]
    pub(crate) fn function(self, f: impl Fn(f64) -> f64) -> F16 {
        F16::round(narrow_to_odd(f(f64::from(self.wide()))))
    }
}

impl BF16 {
    /// Exact.
    #[inline(always)]
    pub(crate) fn wide(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    /// To nearest, ties to even.
    #[inline(always)]
    pub(crate) fn round(x: f32) -> BF16 {
        let bits = x.to_bits();
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
        BF16(if x.is_nan() { 0x7fff } else { rounded as u16 })
    }

    /// Towards zero.
    #[inline(always)]
    pub(crate) fn truncate(x: f32) -> BF16 {
        BF16(if x.is_nan() { 0x7fff } else { (x.to_bits() >> 16) as u16 })
    }

    /// `.ftz`: a subnormal becomes zero of its sign.
    #[inline(always)]
    pub(crate) fn flushed(self) -> BF16 {
        BF16(if self.0 & 0x7f80 == 0 { self.0 & 0x8000 } else { self.0 })
    }

    /// A function of f64, rounded once.
    #[inline(always)]
    pub(crate) fn function(self, f: impl Fn(f64) -> f64) -> BF16 {
        BF16::round(narrow_to_odd(f(f64::from(self.wide()))))
    }
}

macro_rules! compare_as_numbers {
    ($($t:ident)*) => {$(
        impl PartialEq for $t {
            #[inline(always)]
            fn eq(&self, other: &$t) -> bool {
                self.wide() == other.wide()
            }
        }
        impl PartialOrd for $t {
            #[inline(always)]
            fn partial_cmp(&self, other: &$t) -> Option<std::cmp::Ordering> {
                self.wide().partial_cmp(&other.wide())
            }
            #[inline(always)]
            fn lt(&self, other: &$t) -> bool {
                self.wide() < other.wide()
            }
            #[inline(always)]
            fn le(&self, other: &$t) -> bool {
                self.wide() <= other.wide()
            }
            #[inline(always)]
            fn gt(&self, other: &$t) -> bool {
                self.wide() > other.wide()
            }
            #[inline(always)]
            fn ge(&self, other: &$t) -> bool {
                self.wide() >= other.wide()
            }
        }
    )*};
}

compare_as_numbers! { F16 BF16 }

/// `.satfinite` on a result in the bits of a 16-bit format: the largest number in place of infinity.
#[inline(always)]
pub(crate) fn hold_finite(bits: u16, infinity: u16) -> u16 {
    if bits & 0x7fff == infinity { bits - 1 } else { bits }
}

/// `.rn.tf32`: 10 bits of fraction, to nearest, ties to even, in an f32's bits.
#[inline(always)]
pub(crate) fn round_even_tf32(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0xfff + (bits >> 13 & 1)) & !0x1fff;
    if x.is_nan() { NAN.to_bits() } else { rounded }
}

/// `.rz.tf32`: the lower 13 bits cut off.
#[inline(always)]
pub(crate) fn truncate_tf32(x: f32) -> u32 {
    if x.is_nan() { NAN.to_bits() } else { x.to_bits() & !0x1fff }
}

/// `.satfinite` of tf32.
#[inline(always)]
pub(crate) fn hold_finite_tf32(bits: u32) -> u32 {
    if bits & 0x7fff_ffff == f32::INFINITY.to_bits() { bits - 0x2000 } else { bits }
}

/// `.rna.tf32`: 10 bits of fraction, to nearest, ties away from zero, in an f32's bits.
#[inline(always)]
pub(crate) fn round_tf32(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x1000) & !0x1fff;
    let finite = if bits & 0x7f80_0000 == 0x7f80_0000 { bits } else { rounded };
    if x.is_nan() { NAN.to_bits() } else { finite }
}

/// Two values in a register: the rows of a packed type do the same to both.
pub(crate) trait Packed: Copy {
    type Half: Copy;
    fn pack(low: Self::Half, high: Self::Half) -> Self;
    fn low(self) -> Self::Half;
    fn high(self) -> Self::Half;

    #[inline(always)]
    fn map(self, f: impl Fn(Self::Half) -> Self::Half) -> Self {
        Self::pack(f(self.low()), f(self.high()))
    }
}

macro_rules! packed {
    ($pair:ident, $half:ident) => {
        impl Packed for $pair {
            type Half = $half;
            #[inline(always)]
            fn pack(low: $half, high: $half) -> Self {
                $pair(u32::from(low.0) | (u32::from(high.0) << 16))
            }
            #[inline(always)]
            fn low(self) -> $half {
                $half(self.0 as u16)
            }
            #[inline(always)]
            fn high(self) -> $half {
                $half((self.0 >> 16) as u16)
            }
        }
    };
}

packed! { F16x2, F16 }
packed! { BF16x2, BF16 }
