//! `cvt` from integers.

use crate::inspect::Class;
use crate::isa::Row;
use crate::numerics::Rounding;
use crate::numerics::soft::{self, Exact};

pub(in crate::isa) const TABLES: &[&[Row]] = &[
    U8,
    S8,
    U16,
    S16,
    U32,
    S32,
    U64,
    S64,
    SAT_U8,
    SAT_S8,
    SAT_U16,
    SAT_S16,
    SAT_U32,
    SAT_S32,
    SAT_U64,
    SAT_S64,
    ROUNDED_U8,
    ROUNDED_S8,
    ROUNDED_U16,
    ROUNDED_S16,
    ROUNDED_U32,
    ROUNDED_S32,
    ROUNDED_U64,
    ROUNDED_S64,
    PACKS,
];

/// The nearest value of the type.
macro_rules! saturate {
    ($a:expr, $to:ident) => {
        i128::from($a).clamp(i128::from($to::MIN), i128::from($to::MAX)) as $to
    };
}

macro_rules! rounded {
    ($a:expr, $format:ident, $rounding:ident) => {
        soft::$format.round(Exact::integer(i128::from($a)), Rounding::$rounding)
    };
}

macro_rules! from_integer {
    ($table:ident, $saturating:ident, $rounded:ident, $from:ident, $name:literal) => {
        lanes! { $table, Class::Convert;
            "cvt.u8." $name (a: $from) -> u8 { a as u8 }
            "cvt.s8." $name (a: $from) -> i8 { a as i8 }
            "cvt.u16." $name (a: $from) -> u16 { a as u16 }
            "cvt.s16." $name (a: $from) -> i16 { a as i16 }
            "cvt.u32." $name (a: $from) -> u32 { a as u32 }
            "cvt.s32." $name (a: $from) -> i32 { a as i32 }
            "cvt.u64." $name (a: $from) -> u64 { a as u64 }
            "cvt.s64." $name (a: $from) -> i64 { a as i64 }
            "cvt.rn.f32." $name (a: $from) -> f32 { a as f32 }
            "cvt.rn.f64." $name (a: $from) -> f64 { a as f64 }
        }
        lanes! { $saturating, Class::Convert, rare;
            "cvt.sat.u8." $name (a: $from) -> u8 { saturate!(a, u8) }
            "cvt.sat.s8." $name (a: $from) -> i8 { saturate!(a, i8) }
            "cvt.sat.u16." $name (a: $from) -> u16 { saturate!(a, u16) }
            "cvt.sat.s16." $name (a: $from) -> i16 { saturate!(a, i16) }
            "cvt.sat.u32." $name (a: $from) -> u32 { saturate!(a, u32) }
            "cvt.sat.s32." $name (a: $from) -> i32 { saturate!(a, i32) }
            "cvt.sat.u64." $name (a: $from) -> u64 { saturate!(a, u64) }
            "cvt.sat.s64." $name (a: $from) -> i64 { saturate!(a, i64) }
        }
        lanes! { $rounded, Class::Convert, rare;
            "cvt.rz.f32." $name (a: $from) -> u32 { rounded!(a, F32, Zero) as u32 }
            "cvt.rm.f32." $name (a: $from) -> u32 { rounded!(a, F32, Down) as u32 }
            "cvt.rp.f32." $name (a: $from) -> u32 { rounded!(a, F32, Up) as u32 }
            "cvt.rz.f64." $name (a: $from) -> u64 { rounded!(a, F64, Zero) }
            "cvt.rm.f64." $name (a: $from) -> u64 { rounded!(a, F64, Down) }
            "cvt.rp.f64." $name (a: $from) -> u64 { rounded!(a, F64, Up) }
            "cvt.rn.f16." $name (a: $from) -> u16 { rounded!(a, F16, Nearest) as u16 }
            "cvt.rz.f16." $name (a: $from) -> u16 { rounded!(a, F16, Zero) as u16 }
            "cvt.rm.f16." $name (a: $from) -> u16 { rounded!(a, F16, Down) as u16 }
            "cvt.rp.f16." $name (a: $from) -> u16 { rounded!(a, F16, Up) as u16 }
            "cvt.rn.bf16." $name (a: $from) -> u16 { rounded!(a, BF16, Nearest) as u16 }
            "cvt.rz.bf16." $name (a: $from) -> u16 { rounded!(a, BF16, Zero) as u16 }
            "cvt.rm.bf16." $name (a: $from) -> u16 { rounded!(a, BF16, Down) as u16 }
            "cvt.rp.bf16." $name (a: $from) -> u16 { rounded!(a, BF16, Up) as u16 }
        }
    };
}

from_integer! { U8, SAT_U8, ROUNDED_U8, u8, "u8" }
from_integer! { S8, SAT_S8, ROUNDED_S8, i8, "s8" }
from_integer! { U16, SAT_U16, ROUNDED_U16, u16, "u16" }
from_integer! { S16, SAT_S16, ROUNDED_S16, i16, "s16" }
from_integer! { U32, SAT_U32, ROUNDED_U32, u32, "u32" }
from_integer! { S32, SAT_S32, ROUNDED_S32, i32, "s32" }
from_integer! { U64, SAT_U64, ROUNDED_U64, u64, "u64" }
from_integer! { S64, SAT_S64, ROUNDED_S64, i64, "s64" }

// a goes to the upper half of what the result holds, b to the lower; c is shifted in above two bytes.
lanes! { PACKS, Class::Convert, rare;
    "cvt.pack.sat.u16.s32" (a: i32, b: i32) -> u32 {
        (u32::from(saturate!(a, u16)) << 16) | u32::from(saturate!(b, u16))
    }
    "cvt.pack.sat.s16.s32" (a: i32, b: i32) -> u32 {
        (u32::from(saturate!(a, i16) as u16) << 16) | u32::from(saturate!(b, i16) as u16)
    }
    "cvt.pack.sat.u8.s32.b32" (a: i32, b: i32, c: u32) -> u32 {
        (c << 16) | (u32::from(saturate!(a, u8)) << 8) | u32::from(saturate!(b, u8))
    }
    "cvt.pack.sat.s8.s32.b32" (a: i32, b: i32, c: u32) -> u32 {
        (c << 16) | (u32::from(saturate!(a, i8) as u8) << 8) | u32::from(saturate!(b, i8) as u8)
    }
}
