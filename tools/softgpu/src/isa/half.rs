//! PTX ISA, "Half Precision Floating Point Instructions": f16 and bf16, alone and in pairs.
//!
//! Sums and products are formed in f32 and rounded again: with 24 digits for 11 or 8 that is the same as rounding once
//! (Figueroa 1995). `fma` is rounded to odd on the way.

use super::Row;
use crate::inspect::Class;
use crate::numerics::{self, BF16, BF16x2, F16, F16x2, Float, Packed};

/// Every table of this chapter.
pub(super) const TABLES: &[&[Row]] = &[
    F16_ARITHMETIC,
    F16_MODIFIED,
    BF16_ARITHMETIC,
    F16_ORDER,
    F16_ORDER_MODIFIED,
    BF16_ORDER,
    BF16_ORDER_MODIFIED,
    SIGN,
    FUNCTIONS,
];

/// Forms of one type and of its pairs: a form is a function of numbers in f32, done on sources as `$prepare` leaves them,
/// and finished by `$finish`.
macro_rules! forms {
    ($table:ident, $t:ident $name:literal, $pair:ident $pair_name:literal $(, $rare:ident)?;
        $( $($form:literal)|+ ($($arg:ident),*) $prepare:expr, $result:expr, $finish:expr; )*) => {
        lanes! { $table, Class::Fp16 $(, $rare)?; $(
            $($form $name)|+ ($($arg: $t),*) -> $t {
                $(let $arg = $prepare($arg).wide();)*
                $finish($t::round($result))
            }
            $($form $pair_name)|+ ($($arg: $pair),*) -> $pair {
                let low = {
                    $(let $arg = $prepare($arg.low()).wide();)*
                    $finish($t::round($result))
                };
                let high = {
                    $(let $arg = $prepare($arg.high()).wide();)*
                    $finish($t::round($result))
                };
                $pair::pack(low, high)
            }
        )* }
    };
}

/// What a form without a modifier does to its sources and to its result.
#[inline(always)]
fn same<T>(x: T) -> T {
    x
}

forms! { F16_ARITHMETIC, F16 ".f16", F16x2 ".f16x2";
    "add" | "add.rn" (a, b) same, a + b, same;
    "sub" | "sub.rn" (a, b) same, a - b, same;
    "mul" | "mul.rn" (a, b) same, a * b, same;
    "fma.rn" (a, b, c) same, numerics::fma_to_odd(a, b, c), same;
}

forms! { F16_MODIFIED, F16 ".f16", F16x2 ".f16x2", rare;
    "add.ftz" | "add.rn.ftz" (a, b) F16::flushed, a + b, F16::flushed;
    "add.sat" | "add.rn.sat" (a, b) same, (a + b).saturated(), same;
    "add.ftz.sat" | "add.rn.ftz.sat" (a, b) F16::flushed, (a + b).saturated(), F16::flushed;
    "sub.ftz" | "sub.rn.ftz" (a, b) F16::flushed, a - b, F16::flushed;
    "sub.sat" | "sub.rn.sat" (a, b) same, (a - b).saturated(), same;
    "sub.ftz.sat" | "sub.rn.ftz.sat" (a, b) F16::flushed, (a - b).saturated(), F16::flushed;
    "mul.ftz" | "mul.rn.ftz" (a, b) F16::flushed, a * b, F16::flushed;
    "mul.sat" | "mul.rn.sat" (a, b) same, (a * b).saturated(), same;
    "mul.ftz.sat" | "mul.rn.ftz.sat" (a, b) F16::flushed, (a * b).saturated(), F16::flushed;
    "fma.rn.ftz" (a, b, c) F16::flushed, numerics::fma_to_odd(a, b, c), F16::flushed;
    "fma.rn.sat" (a, b, c) same, numerics::fma_to_odd(a, b, c).saturated(), same;
    "fma.rn.ftz.sat" (a, b, c) F16::flushed, numerics::fma_to_odd(a, b, c).saturated(), F16::flushed;
    "fma.rn.relu" (a, b, c) same, numerics::fma_to_odd(a, b, c).rectified(), same;
    "fma.rn.ftz.relu" (a, b, c) F16::flushed, numerics::fma_to_odd(a, b, c).rectified(), F16::flushed;
}

forms! { BF16_ARITHMETIC, BF16 ".bf16", BF16x2 ".bf16x2";
    "add" | "add.rn" (a, b) same, a + b, same;
    "sub" | "sub.rn" (a, b) same, a - b, same;
    "mul" | "mul.rn" (a, b) same, a * b, same;
    "fma.rn" (a, b, c) same, numerics::fma_to_odd(a, b, c), same;
    "fma.rn.relu" (a, b, c) same, numerics::fma_to_odd(a, b, c).rectified(), same;
}

forms! { F16_ORDER, F16 ".f16", F16x2 ".f16x2";
    "min" (a, b) same, a.lesser(b), same;
    "max" (a, b) same, a.greater(b), same;
    "min.NaN" (a, b) same, a.lesser_or_nan(b), same;
    "max.NaN" (a, b) same, a.greater_or_nan(b), same;
}

forms! { F16_ORDER_MODIFIED, F16 ".f16", F16x2 ".f16x2", rare;
    "min.ftz" (a, b) F16::flushed, a.lesser(b), same;
    "max.ftz" (a, b) F16::flushed, a.greater(b), same;
    "min.ftz.NaN" (a, b) F16::flushed, a.lesser_or_nan(b), same;
    "max.ftz.NaN" (a, b) F16::flushed, a.greater_or_nan(b), same;
    "min.ftz.xorsign.abs" (a, b) F16::flushed, a.abs().lesser(b.abs()).signed_as(a, b), same;
    "max.ftz.xorsign.abs" (a, b) F16::flushed, a.abs().greater(b.abs()).signed_as(a, b), same;
    "min.ftz.NaN.xorsign.abs" (a, b) F16::flushed, a.abs().lesser_or_nan(b.abs()).signed_as(a, b), same;
    "max.ftz.NaN.xorsign.abs" (a, b) F16::flushed, a.abs().greater_or_nan(b.abs()).signed_as(a, b), same;
    "min.xorsign.abs" (a, b) same, a.abs().lesser(b.abs()).signed_as(a, b), same;
    "max.xorsign.abs" (a, b) same, a.abs().greater(b.abs()).signed_as(a, b), same;
    "min.NaN.xorsign.abs" (a, b) same, a.abs().lesser_or_nan(b.abs()).signed_as(a, b), same;
    "max.NaN.xorsign.abs" (a, b) same, a.abs().greater_or_nan(b.abs()).signed_as(a, b), same;
}

forms! { BF16_ORDER, BF16 ".bf16", BF16x2 ".bf16x2";
    "min" (a, b) same, a.lesser(b), same;
    "max" (a, b) same, a.greater(b), same;
    "min.NaN" (a, b) same, a.lesser_or_nan(b), same;
    "max.NaN" (a, b) same, a.greater_or_nan(b), same;
}

forms! { BF16_ORDER_MODIFIED, BF16 ".bf16", BF16x2 ".bf16x2", rare;
    "min.xorsign.abs" (a, b) same, a.abs().lesser(b.abs()).signed_as(a, b), same;
    "max.xorsign.abs" (a, b) same, a.abs().greater(b.abs()).signed_as(a, b), same;
    "min.NaN.xorsign.abs" (a, b) same, a.abs().lesser_or_nan(b.abs()).signed_as(a, b), same;
    "max.NaN.xorsign.abs" (a, b) same, a.abs().greater_or_nan(b.abs()).signed_as(a, b), same;
}

// The sign alone, of a NaN too.
lanes! { SIGN, Class::Fp16;
    "neg.f16" | "neg.bf16" (a: u16) -> u16 { a ^ 0x8000 }
    "neg.ftz.f16" (a: F16) -> F16 { F16(a.flushed().0 ^ 0x8000) }
    "neg.f16x2" | "neg.bf16x2" (a: u32) -> u32 { a ^ 0x8000_8000 }
    "neg.ftz.f16x2" (a: F16x2) -> F16x2 { a.map(|x| F16(x.flushed().0 ^ 0x8000)) }
    "abs.f16" | "abs.bf16" (a: u16) -> u16 { a & 0x7fff }
    "abs.ftz.f16" (a: F16) -> F16 { F16(a.flushed().0 & 0x7fff) }
    "abs.f16x2" | "abs.bf16x2" (a: u32) -> u32 { a & 0x7fff_7fff }
    "abs.ftz.f16x2" (a: F16x2) -> F16x2 { a.map(|x| F16(x.flushed().0 & 0x7fff)) }
}

lanes! { FUNCTIONS, Class::Special;
    "ex2.approx.f16" (a: F16) -> F16 { a.function(numerics::ex2) }
    "ex2.approx.f16x2" (a: F16x2) -> F16x2 { a.map(|x| x.function(numerics::ex2)) }
    "ex2.approx.ftz.bf16" (a: BF16) -> BF16 { a.flushed().function(numerics::ex2).flushed() }
    "ex2.approx.ftz.bf16x2" (a: BF16x2) -> BF16x2 { a.map(|x| x.flushed().function(numerics::ex2).flushed()) }
    "tanh.approx.f16" (a: F16) -> F16 { a.function(numerics::tanh) }
    "tanh.approx.f16x2" (a: F16x2) -> F16x2 { a.map(|x| x.function(numerics::tanh)) }
    "tanh.approx.bf16" (a: BF16) -> BF16 { a.function(numerics::tanh) }
    "tanh.approx.bf16x2" (a: BF16x2) -> BF16x2 { a.map(|x| x.function(numerics::tanh)) }
}
