//! PTX ISA, "Comparison and Selection Instructions".

#![allow(clippy::neg_cmp_op_on_partial_ord, reason = "an unordered comparison is the negation of its opposite")]

use super::{Flushed, Row};
use crate::inspect::Class;
use crate::numerics::{BF16, BF16x2, F16, F16x2, Float, Packed};

/// Every table of this chapter.
pub(super) const TABLES: &[&[Row]] = &[
    SETP_16,
    SETP_32,
    SETP_64,
    SETP_F32,
    SETP_F32_FTZ,
    SETP_F64,
    SETP_F16,
    SETP_F16_FTZ,
    SETP_BF16,
    SETP_F16X2,
    SETP_F16X2_FTZ,
    SETP_BF16X2,
    COMBINED_16,
    COMBINED_32,
    COMBINED_64,
    COMBINED_F32,
    COMBINED_F32_FTZ,
    COMBINED_F64,
    COMBINED_F16,
    COMBINED_F16_FTZ,
    COMBINED_BF16,
    SET_32,
    SET_F32,
    SET_F32_FTZ,
    SET_F16X2,
    SET_F16X2_FTZ,
    SET_BF16X2,
    SELECT,
];

/// `setp`, and its forms that combine the comparison with a predicate: p = (a ? b) op c, q = !(a ? b) op c.
macro_rules! setp {
    ($plain:ident, $combined:ident, $class:expr, $t:ty;
        $( $($cmp:literal $ty:literal)|+ , |$a:ident, $b:ident| $holds:expr; )*) => {
        lanes! { $plain, $class; $(
            $("setp." $cmp "." $ty)|+ ($a: $t, $b: $t) -> bool { $holds }
        )* }
        lanes! { $combined, $class, rare; $(
            $("setp." $cmp ".and." $ty)|+ ($a: $t, $b: $t, c: bool) -> (bool, bool) {
                let t = $holds;
                (t & c, !t & c)
            }
            $("setp." $cmp ".or." $ty)|+ ($a: $t, $b: $t, c: bool) -> (bool, bool) {
                let t = $holds;
                (t | c, !t | c)
            }
            $("setp." $cmp ".xor." $ty)|+ ($a: $t, $b: $t, c: bool) -> (bool, bool) {
                let t = $holds;
                (t ^ c, !t ^ c)
            }
        )* }
    };
}

macro_rules! setp_integer {
    ($plain:ident, $combined:ident, $u:ident, $s:ident, $bt:literal, $ut:literal, $st:literal) => {
        setp! { $plain, $combined, Class::Integer, $u;
            "eq" $bt | "eq" $ut | "eq" $st, |a, b| a == b;
            "ne" $bt | "ne" $ut | "ne" $st, |a, b| a != b;
            "lt" $ut | "lo" $ut, |a, b| a < b;
            "le" $ut | "ls" $ut, |a, b| a <= b;
            "gt" $ut | "hi" $ut, |a, b| a > b;
            "ge" $ut | "hs" $ut, |a, b| a >= b;
            "lt" $st, |a, b| (a as $s) < (b as $s);
            "le" $st, |a, b| (a as $s) <= (b as $s);
            "gt" $st, |a, b| (a as $s) > (b as $s);
            "ge" $st, |a, b| (a as $s) >= (b as $s);
        }
    };
}

setp_integer! { SETP_16, COMBINED_16, u16, i16, "b16", "u16", "s16" }
setp_integer! { SETP_32, COMBINED_32, u32, i32, "b32", "u32", "s32" }
setp_integer! { SETP_64, COMBINED_64, u64, i64, "b64", "u64", "s64" }

/// The comparisons of numbers, without branches; those that end in u hold also when an operand is NaN.
macro_rules! float_comparisons {
    ($then:ident! { $($arguments:tt)* }) => {
        $then! { $($arguments)*
            "eq" |a, b| a == b;
            "ne" |a, b| (a < b) | (a > b);
            "lt" |a, b| a < b;
            "le" |a, b| a <= b;
            "gt" |a, b| a > b;
            "ge" |a, b| a >= b;
            "equ" |a, b| !((a < b) | (a > b));
            "neu" |a, b| a != b;
            "ltu" |a, b| !(a >= b);
            "leu" |a, b| !(a > b);
            "gtu" |a, b| !(a <= b);
            "geu" |a, b| !(a < b);
            "num" |a, b| (a == a) & (b == b);
            "nan" |a, b| (a != a) | (b != b);
        }
    };
}

macro_rules! setp_float {
    ($plain:ident, $combined:ident, $class:expr, $t:ty, $ty:literal;
        $( $cmp:literal |$a:ident, $b:ident| $holds:expr; )*) => {
        setp! { $plain, $combined, $class, $t; $( $cmp $ty, |$a, $b| $holds; )* }
    };
}

float_comparisons! { setp_float! { SETP_F32, COMBINED_F32, Class::Fp32, f32, "f32"; } }
float_comparisons! { setp_float! { SETP_F32_FTZ, COMBINED_F32_FTZ, Class::Fp32, Flushed<f32>, "ftz.f32"; } }
float_comparisons! { setp_float! { SETP_F64, COMBINED_F64, Class::Fp64, f64, "f64"; } }
float_comparisons! { setp_float! { SETP_F16, COMBINED_F16, Class::Fp16, F16, "f16"; } }
float_comparisons! { setp_float! { SETP_F16_FTZ, COMBINED_F16_FTZ, Class::Fp16, Flushed<F16>, "ftz.f16"; } }
float_comparisons! { setp_float! { SETP_BF16, COMBINED_BF16, Class::Fp16, BF16, "bf16"; } }

/// What holds for the lower and for the upper halves.
macro_rules! both {
    ($pa:ident, $pb:ident, $prepare:expr, |$a:ident, $b:ident| $holds:expr) => {{
        let low = {
            let ($a, $b) = ($prepare($pa.low()), $prepare($pb.low()));
            $holds
        };
        let high = {
            let ($a, $b) = ($prepare($pa.high()), $prepare($pb.high()));
            $holds
        };
        (low, high)
    }};
}

/// `setp` of pairs: p for the lower halves, q for the upper ones. And `set` of pairs, which gives 1.0 or, as u32, all
/// ones in each half.
macro_rules! pairs {
    ($setp:ident, $set:ident, $pair:ident, $prepare:expr, $one:literal, $ftz:literal, $ty:literal;
        $( $cmp:literal |$a:ident, $b:ident| $holds:expr; )*) => {
        lanes! { $setp, Class::Fp16, rare; $(
            "setp." $cmp $ftz $ty (a: $pair, b: $pair) -> (bool, bool) { both!(a, b, $prepare, |$a, $b| $holds) }
        )* }
        lanes! { $set, Class::Fp16, rare; $(
            "set." $cmp $ftz $ty "." $ty (a: $pair, b: $pair) -> u32 {
                let (low, high) = both!(a, b, $prepare, |$a, $b| $holds);
                (u32::from(low) * $one) | (u32::from(high) * ($one << 16))
            }
            "set." $cmp $ftz "u32." $ty | "set." $cmp $ftz "s32." $ty (a: $pair, b: $pair) -> u32 {
                let (low, high) = both!(a, b, $prepare, |$a, $b| $holds);
                (u32::from(low) * 0xffff) | (u32::from(high) * 0xffff_0000)
            }
        )* }
    };
}

float_comparisons! { pairs! { SETP_F16X2, SET_F16X2, F16x2, |x: F16| x, 0x3c00, ".", "f16x2"; } }
float_comparisons! { pairs! { SETP_F16X2_FTZ, SET_F16X2_FTZ, F16x2, F16::flushed, 0x3c00, ".ftz.", "f16x2"; } }
float_comparisons! { pairs! { SETP_BF16X2, SET_BF16X2, BF16x2, |x: BF16| x, 0x3f80, ".", "bf16x2"; } }

/// `set`: all ones, or 1.0, where the comparison holds.
macro_rules! set {
    ($table:ident, $class:expr, $t:ty; $( $($cmp:literal $ty:literal)|+ , |$a:ident, $b:ident| $holds:expr; )*) => {
        lanes! { $table, $class, rare; $(
            $("set." $cmp ".u32." $ty | "set." $cmp ".s32." $ty)|+ ($a: $t, $b: $t) -> u32 {
                0_u32.wrapping_sub(u32::from($holds))
            }
            $("set." $cmp ".f32." $ty)|+ ($a: $t, $b: $t) -> f32 { f32::from(u8::from($holds)) }
        )* }
    };
}

set! { SET_32, Class::Integer, u32;
    "eq" "b32" | "eq" "u32" | "eq" "s32", |a, b| a == b;
    "ne" "b32" | "ne" "u32" | "ne" "s32", |a, b| a != b;
    "lt" "u32" | "lo" "u32", |a, b| a < b;
    "le" "u32" | "ls" "u32", |a, b| a <= b;
    "gt" "u32" | "hi" "u32", |a, b| a > b;
    "ge" "u32" | "hs" "u32", |a, b| a >= b;
    "lt" "s32", |a, b| (a as i32) < (b as i32);
    "le" "s32", |a, b| (a as i32) <= (b as i32);
    "gt" "s32", |a, b| (a as i32) > (b as i32);
    "ge" "s32", |a, b| (a as i32) >= (b as i32);
}

macro_rules! set_float {
    ($table:ident, $t:ty, $ftz:literal;
        $( $cmp:literal |$a:ident, $b:ident| $holds:expr; )*) => {
        lanes! { $table, Class::Fp32, rare; $(
            "set." $cmp $ftz ".u32.f32" | "set." $cmp $ftz ".s32.f32" ($a: $t, $b: $t) -> u32 {
                0_u32.wrapping_sub(u32::from($holds))
            }
            "set." $cmp $ftz ".f32.f32" ($a: $t, $b: $t) -> f32 { f32::from(u8::from($holds)) }
        )* }
    };
}

float_comparisons! { set_float! { SET_F32, f32, ""; } }
float_comparisons! { set_float! { SET_F32_FTZ, Flushed<f32>, ".ftz"; } }

lanes! { SELECT, Class::Move;
    "selp.b16" | "selp.u16" | "selp.s16" (a: u16, b: u16, p: bool) -> u16 { if p { a } else { b } }
    "selp.b32" | "selp.u32" | "selp.s32" | "selp.f32" (a: u32, b: u32, p: bool) -> u32 { if p { a } else { b } }
    "selp.b64" | "selp.u64" | "selp.s64" | "selp.f64" (a: u64, b: u64, p: bool) -> u64 {
        // By bits: choosing between values of another width than the predicate's lane is not made into vectors.
        let chosen = u64::from(p).wrapping_neg();
        (a & chosen) | (b & !chosen)
    }
    "slct.b16.s32" | "slct.u16.s32" | "slct.s16.s32" (a: u16, b: u16, c: i32) -> u16 { if c >= 0 { a } else { b } }
    "slct.b32.s32" | "slct.u32.s32" | "slct.s32.s32" | "slct.f32.s32" (a: u32, b: u32, c: i32) -> u32 {
        if c >= 0 { a } else { b }
    }
    "slct.b64.s32" | "slct.u64.s32" | "slct.s64.s32" | "slct.f64.s32" (a: u64, b: u64, c: i32) -> u64 {
        if c >= 0 { a } else { b }
    }
    // A NaN is not at least 0: b. -0 is.
    "slct.b32.f32" | "slct.u32.f32" | "slct.s32.f32" | "slct.f32.f32" (a: u32, b: u32, c: f32) -> u32 {
        if c >= 0.0 { a } else { b }
    }
    "slct.ftz.b32.f32" | "slct.ftz.u32.f32" | "slct.ftz.s32.f32" | "slct.ftz.f32.f32" (a: u32, b: u32, c: f32) -> u32 {
        if c.flushed() >= 0.0 { a } else { b }
    }
    "slct.b64.f32" | "slct.u64.f32" | "slct.s64.f32" | "slct.f64.f32" (a: u64, b: u64, c: f32) -> u64 {
        if c >= 0.0 { a } else { b }
    }
}
