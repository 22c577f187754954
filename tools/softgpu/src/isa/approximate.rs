//! The approximate functions with their results moved within the bounds that the ISA states for them. A row has the name
//! and the sources of the one that gives the nearest result, and one source more: how the result is moved.
//!
//! | | bound, PTX ISA 9.0 |
//! | --- | --- |
//! | rcp.approx.f32 | 1 ulp |
//! | div.approx.f32, div.full.f32, ex2.approx.f32 | 2 ulp |
//! | sqrt.approx.f32 | 2^-23 of the value |
//! | rsqrt.approx.f32 | 2^-22.9 of the value |
//! | lg2.approx.f32 | 2^-22 between 1/2 and 2, elsewhere 2^-22 of the value |
//! | sin.approx.f32, cos.approx.f32 | 2^-20.5 within 2 pi, 2^-14.7 within 100 pi; beyond none is stated, and that is kept |
//! | tanh.approx.f32 | 2^-11 of the value |
//! | tanh.approx.f16, tanh.approx.bf16 | 2^-10.987, 2^-8 |
//! | ex2.approx.f16, ex2.approx.bf16 | 2^-9.9, 2^-7 of the value |

use std::collections::HashMap;
use std::f64::consts::{SQRT_2, TAU};
use std::sync::OnceLock;

use super::float::approximate_quotient;
use super::{Immediate, Lane, Row};
use crate::inspect::Class;
use crate::numerics::approximate::{Bound, moved};
use crate::numerics::{self, BF16, BF16x2, F16, F16x2, Float, Packed};

/// Every table.
pub(super) const TABLES: &[&[Row]] = &[F32, TANH, HALVES];

/// 2^-20.5, 2^-14.7 and so on.
const E_9_9: f64 = 0.535_886_731_268_146_5 / 512.0;
const E_10_987: f64 = 0.504_525_816_922_340_7 / 1024.0;
const E_14_7: f64 = 0.615_572_206_672_458_2 / 16384.0;
const E_20_5: f64 = 0.5 * SQRT_2 / 1048576.0;
const E_22: f64 = 1.0 / 4194304.0;
const E_22_9: f64 = 0.535_886_731_268_147_1 / 4194304.0;

/// An angle's bound.
#[inline(always)]
fn of_angle(x: f64) -> Bound {
    Bound::Absolute(if x.abs() <= TAU { E_20_5 } else { E_14_7 })
}

/// A logarithm's.
#[inline(always)]
fn of_logarithm(x: f64) -> Bound {
    if x > 0.5 && x < 2.0 { Bound::Absolute(E_22) } else { Bound::Relative(E_22) }
}

macro_rules! moved {
    ($table:ident; $( $($base:literal $suffix:literal)|+ ($($arg:ident),*) $value:expr, $bound:expr; )*) => {
        lanes! { $table, Class::Special, rare; $(
            $($base $suffix ".f32")|+ ($($arg: f32,)* how: Immediate) -> u32 {
                let operands = [$($arg.raw()),*];
                $(let $arg = f64::from($arg);)*
                moved::<f32>($value, $bound, how.0, hash(&operands))
            }
            $($base ".ftz" $suffix ".f32")|+ ($($arg: f32,)* how: Immediate) -> f32 {
                $(let $arg = $arg.flushed();)*
                let operands = [$($arg.raw()),*];
                $(let $arg = f64::from($arg);)*
                // A result that is flushed to zero is a zero, and is not moved.
                let nearest = ($value as f32).flushed();
                let moved = f32::from_bits(moved::<f32>($value, $bound, how.0, hash(&operands))).flushed();
                if nearest == 0.0 { nearest } else { moved }
            }
        )* }
    };
}

/// The operands' bits as one number.
#[inline(always)]
fn hash(operands: &[u32]) -> u64 {
    operands.iter().fold(0, |bits, operand| bits << 32 | u64::from(*operand))
}

moved! { F32;
    "div.full" "" (a, b) a / b, Bound::Ulps(2);
    "div.approx" "" (a, b) f64::from(approximate_quotient(a as f32, b as f32)), Bound::Ulps(2);
    "rcp.approx" "" (a) 1.0 / a, Bound::Ulps(1);
    "sqrt.approx" "" (a) a.sqrt(), Bound::Relative(E_22 / 2.0);
    "rsqrt.approx" "" (a) numerics::rsqrt(a), Bound::Relative(E_22_9);
    "ex2.approx" "" (a) numerics::ex2(a), Bound::Ulps(if a == 0.0 { 0 } else { 2 });
    "lg2.approx" "" (a) numerics::lg2(a), of_logarithm(a);
    "sin.approx" "" (a) numerics::sin(a), of_angle(a);
    "cos.approx" "" (a) numerics::cos(a), if a == 0.0 { Bound::Ulps(0) } else { of_angle(a) };
}

lanes! { TANH, Class::Special, rare;
    "tanh.approx.f32" (a: f32, how: Immediate) -> u32 {
        // Subnormal numbers pass through, and an infinity gives 1.
        let bound = if a.is_subnormal() || a.is_infinite() { Bound::Ulps(0) } else { Bound::Relative(1.0 / 2048.0) };
        moved::<f32>(numerics::tanh(f64::from(a)), bound, how.0, u64::from(a.to_bits()))
    }
}

/// A function of a 16-bit format.
macro_rules! half {
    ($a:expr, $half:ident, $function:path, $bound:expr, $how:expr) => {{
        let x = f64::from($a.wide());
        // Of zeros and infinities the ISA's tables say the result.
        let bound = if x == 0.0 || x.is_infinite() { Bound::Ulps(0) } else { $bound };
        $half(moved::<$half>($function(x), bound, $how.0, u64::from($a.0)) as u16)
    }};
}

const EX2_F16: Bound = Bound::Relative(E_9_9);
const EX2_BF16: Bound = Bound::Relative(1.0 / 128.0);
const TANH_F16: Bound = Bound::Absolute(E_10_987);
const TANH_BF16: Bound = Bound::Absolute(1.0 / 256.0);

lanes! { HALVES, Class::Special, rare;
    "ex2.approx.f16" (a: F16, how: Immediate) -> F16 { half!(a, F16, numerics::ex2, EX2_F16, how) }
    "ex2.approx.f16x2" (a: F16x2, how: Immediate) -> F16x2 { a.map(|x| half!(x, F16, numerics::ex2, EX2_F16, how)) }
    "ex2.approx.ftz.bf16" (a: BF16, how: Immediate) -> BF16 {
        half!(a.flushed(), BF16, numerics::ex2, EX2_BF16, how).flushed()
    }
    "ex2.approx.ftz.bf16x2" (a: BF16x2, how: Immediate) -> BF16x2 {
        a.map(|x| half!(x.flushed(), BF16, numerics::ex2, EX2_BF16, how).flushed())
    }
    "tanh.approx.f16" (a: F16, how: Immediate) -> F16 { half!(a, F16, numerics::tanh, TANH_F16, how) }
    "tanh.approx.f16x2" (a: F16x2, how: Immediate) -> F16x2 { a.map(|x| half!(x, F16, numerics::tanh, TANH_F16, how)) }
    "tanh.approx.bf16" (a: BF16, how: Immediate) -> BF16 { half!(a, BF16, numerics::tanh, TANH_BF16, how) }
    "tanh.approx.bf16x2" (a: BF16x2, how: Immediate) -> BF16x2 {
        a.map(|x| half!(x, BF16, numerics::tanh, TANH_BF16, how))
    }
}

/// The row that moves the results of an approximate function, by the name of the function's own.
pub(crate) fn row(name: &str) -> Option<&'static Row> {
    static ROWS: OnceLock<HashMap<&'static str, &'static Row>> = OnceLock::new();
    let rows = || TABLES.iter().flat_map(|table| table.iter());
    let by_name = ROWS.get_or_init(|| rows().flat_map(|row| row.names.iter().map(move |name| (*name, row))).collect());
    by_name.get(name).copied()
}
