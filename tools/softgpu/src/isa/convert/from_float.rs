//! `cvt` from floating point to integers: rounded to an integer, held within the type. A NaN becomes 0, or where either
//! type has 64 bits the highest bit alone.

use crate::inspect::Class;
use crate::isa::{Flushed, Row};
use crate::numerics::{BF16, F16};

pub(in crate::isa) const TABLES: &[&[Row]] =
    &[F32, F32_LONG, F32_FTZ, F64, F32_NARROW, F32_NARROW_FTZ, F64_NARROW, HALF, BHALF];

/// A whole number as an integer; Rust's cast saturates as PTX does.
macro_rules! integer {
    ($from:ty, $to:ty, $x:expr) => {{
        let wide = size_of::<$from>() == 8 || size_of::<$to>() == 8;
        if wide && $x.is_nan() { (1 as $to) << (<$to>::BITS - 1) } else { $x as $to }
    }};
}

/// `$x` is the operand, as a number that has the host's rounding functions.
macro_rules! from_float {
    ($table:ident, $($rare:ident)?, $from:ty, $name:literal, $ftz:literal, |$a:ident| $x:expr;
        $( $to:ident $to_name:literal )*) => {
        lanes! { $table, Class::Convert $(, $rare)?; $(
            "cvt.rni" $ftz "." $to_name $name | "cvt.rni" $ftz ".sat." $to_name $name ($a: $from) -> $to {
                integer!($from, $to, $x.round_ties_even())
            }
            "cvt.rzi" $ftz "." $to_name $name | "cvt.rzi" $ftz ".sat." $to_name $name ($a: $from) -> $to {
                integer!($from, $to, $x)
            }
            "cvt.rmi" $ftz "." $to_name $name | "cvt.rmi" $ftz ".sat." $to_name $name ($a: $from) -> $to {
                integer!($from, $to, $x.floor())
            }
            "cvt.rpi" $ftz "." $to_name $name | "cvt.rpi" $ftz ".sat." $to_name $name ($a: $from) -> $to {
                integer!($from, $to, $x.ceil())
            }
        )* }
    };
}

from_float! { F32, , f32, ".f32", "", |a| a; u32 "u32" i32 "s32" }
from_float! { F32_LONG, rare, f32, ".f32", "", |a| a; u64 "u64" i64 "s64" }
from_float! { F32_FTZ, rare, Flushed<f32>, ".f32", ".ftz", |a| a.0; u32 "u32" i32 "s32" u64 "u64" i64 "s64" }
from_float! { F64, rare, f64, ".f64", "", |a| a; u32 "u32" i32 "s32" u64 "u64" i64 "s64" }
from_float! { F32_NARROW, rare, f32, ".f32", "", |a| a; u8 "u8" i8 "s8" u16 "u16" i16 "s16" }
from_float! { F32_NARROW_FTZ, rare, Flushed<f32>, ".f32", ".ftz", |a| a.0; u8 "u8" i8 "s8" u16 "u16" i16 "s16" }
from_float! { F64_NARROW, rare, f64, ".f64", "", |a| a; u8 "u8" i8 "s8" u16 "u16" i16 "s16" }
from_float! { HALF, rare, F16, ".f16", "", |a| a.wide();
u8 "u8" i8 "s8" u16 "u16" i16 "s16" u32 "u32" i32 "s32" u64 "u64" i64 "s64" }
from_float! { BHALF, rare, BF16, ".bf16", "", |a| a.wide();
u8 "u8" i8 "s8" u16 "u16" i16 "s16" u32 "u32" i32 "s32" u64 "u64" i64 "s64" }
