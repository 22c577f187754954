//! `cvt` between formats of floating point.

use crate::inspect::Class;
use crate::isa::Row;
use crate::numerics::{
    self, BF16, BF16x2, E4M3, E5M2, F16, F16x2, Float, Packed, Rounding, hold_finite, round_f32, soft,
};

pub(in crate::isa) const TABLES: &[&[Row]] = &[
    WIDEN,
    WIDEN_MODIFIED,
    F32_F32,
    F32_F32_FTZ,
    F64_F64,
    F32_F64,
    F32_F64_MODIFIED,
    TO_HALF,
    TO_HALF_MODIFIED,
    HALF_DIRECTED,
    PAIRS,
    PAIRS_MODIFIED,
    BETWEEN_HALVES,
    INTEGRAL_HALVES,
    TF32,
    TF32_MODIFIED,
    FINITE,
    EIGHT_BITS,
];

lanes! { WIDEN, Class::Convert;
    "cvt.f32.f16" | "cvt.ftz.f32.f16" (a: F16) -> f32 { a.wide().canonical() } // no f16 is subnormal in f32
    "cvt.f32.bf16" (a: BF16) -> f32 { a.wide().canonical() }
    "cvt.ftz.f32.bf16" (a: BF16) -> f32 { a.wide().flushed().canonical() }
    "cvt.f64.f32" (a: f32) -> f64 { f64::from(a).canonical() }
    "cvt.ftz.f64.f32" (a: f32) -> f64 { f64::from(a.flushed()).canonical() }
}

lanes! { WIDEN_MODIFIED, Class::Convert, rare;
    "cvt.sat.f32.f16" | "cvt.ftz.sat.f32.f16" (a: F16) -> f32 { a.wide().saturated() }
    "cvt.sat.f32.bf16" (a: BF16) -> f32 { a.wide().saturated() }
    "cvt.ftz.sat.f32.bf16" (a: BF16) -> f32 { a.wide().flushed().saturated() }
    "cvt.sat.f64.f32" (a: f32) -> f64 { f64::from(a).saturated() }
    "cvt.ftz.sat.f64.f32" (a: f32) -> f64 { f64::from(a.flushed()).saturated() }
    "cvt.f64.f16" (a: F16) -> f64 { f64::from(a.wide()).canonical() }
    "cvt.sat.f64.f16" (a: F16) -> f64 { f64::from(a.wide()).saturated() }
    "cvt.f64.bf16" (a: BF16) -> f64 { f64::from(a.wide()).canonical() }
    "cvt.sat.f64.bf16" (a: BF16) -> f64 { f64::from(a.wide()).saturated() }
}

/// To an integer in the same format, and what `.sat` makes of it.
macro_rules! integral {
    ($table:ident, $t:ident, $name:literal $(, $rare:ident)?; $( $rounding:literal |$a:ident| $x:expr; )*) => {
        lanes! { $table, Class::Convert $(, $rare)?; $(
            "cvt" $rounding $name ($a: $t) -> $t { $x.canonical() }
            "cvt" $rounding ".sat" $name ($a: $t) -> $t { $x.saturated() }
        )* }
    };
}

integral! { F32_F32, f32, ".f32.f32";
    "" |a| a;
    ".rni" |a| a.round_ties_even();
    ".rzi" |a| a.trunc();
    ".rmi" |a| a.floor();
    ".rpi" |a| a.ceil();
}

integral! { F32_F32_FTZ, f32, ".f32.f32", rare;
    ".ftz" |a| a.flushed();
    ".rni.ftz" |a| a.flushed().round_ties_even();
    ".rzi.ftz" |a| a.flushed().trunc();
    ".rmi.ftz" |a| a.flushed().floor();
    ".rpi.ftz" |a| a.flushed().ceil();
}

integral! { F64_F64, f64, ".f64.f64", rare;
    "" |a| a;
    ".rni" |a| a.round_ties_even();
    ".rzi" |a| a.trunc();
    ".rmi" |a| a.floor();
    ".rpi" |a| a.ceil();
}

lanes! { F32_F64, Class::Convert;
    "cvt.rn.f32.f64" (a: f64) -> f32 { (a as f32).canonical() }
}

lanes! { F32_F64_MODIFIED, Class::Convert, rare;
    "cvt.rz.f32.f64" (a: f64) -> f32 { round_f32(a, Rounding::Zero) }
    "cvt.rm.f32.f64" (a: f64) -> f32 { round_f32(a, Rounding::Down) }
    "cvt.rp.f32.f64" (a: f64) -> f32 { round_f32(a, Rounding::Up) }
    "cvt.rn.ftz.f32.f64" (a: f64) -> f32 { (a as f32).flushed().canonical() }
    "cvt.rz.ftz.f32.f64" (a: f64) -> f32 { round_f32(a, Rounding::Zero).flushed() }
    "cvt.rm.ftz.f32.f64" (a: f64) -> f32 { round_f32(a, Rounding::Down).flushed() }
    "cvt.rp.ftz.f32.f64" (a: f64) -> f32 { round_f32(a, Rounding::Up).flushed() }
    "cvt.rn.sat.f32.f64" (a: f64) -> f32 { (a as f32).saturated() }
    "cvt.rz.sat.f32.f64" (a: f64) -> f32 { round_f32(a, Rounding::Zero).saturated() }
    "cvt.rm.sat.f32.f64" (a: f64) -> f32 { round_f32(a, Rounding::Down).saturated() }
    "cvt.rp.sat.f32.f64" (a: f64) -> f32 { round_f32(a, Rounding::Up).saturated() }
}

lanes! { TO_HALF, Class::Convert;
    "cvt.rn.f16.f32" (a: f32) -> F16 { F16::round(a) }
    "cvt.rn.bf16.f32" (a: f32) -> BF16 { BF16::round(a) }
    "cvt.rz.bf16.f32" (a: f32) -> BF16 { BF16::truncate(a) }
}

lanes! { TO_HALF_MODIFIED, Class::Convert, rare;
    "cvt.rn.ftz.f16.f32" (a: f32) -> F16 { F16::round(a.flushed()) }
    "cvt.rn.sat.f16.f32" (a: f32) -> F16 { F16::round(a.saturated()) }
    "cvt.rn.ftz.sat.f16.f32" (a: f32) -> F16 { F16::round(a.flushed().saturated()) }
    "cvt.rn.relu.f16.f32" (a: f32) -> F16 { F16::round(a.rectified()) }
    "cvt.rn.relu.bf16.f32" (a: f32) -> BF16 { BF16::round(a.rectified()) }
    "cvt.rz.relu.bf16.f32" (a: f32) -> BF16 { BF16::truncate(a.rectified()) }
    "cvt.rz.f16.f32" (a: f32) -> F16 { F16::truncate(a) }
    "cvt.rz.relu.f16.f32" (a: f32) -> F16 { F16::truncate(a.rectified()) }
    "cvt.rz.ftz.f16.f32" (a: f32) -> F16 { F16::truncate(a.flushed()) }
    "cvt.rz.sat.f16.f32" (a: f32) -> F16 { F16::truncate(a.saturated()) }
}

/// From one format's bits to another's, by integers.
macro_rules! soft {
    ($a:expr, $from:ident, $to:ident, $rounding:ident) => {
        soft::convert(soft::$from, soft::$to, u64::from($a), Rounding::$rounding)
    };
}

lanes! { HALF_DIRECTED, Class::Convert, rare;
    "cvt.rm.f16.f32" (a: u32) -> u16 { soft!(a, F32, F16, Down) as u16 }
    "cvt.rp.f16.f32" (a: u32) -> u16 { soft!(a, F32, F16, Up) as u16 }
    "cvt.rm.bf16.f32" (a: u32) -> u16 { soft!(a, F32, BF16, Down) as u16 }
    "cvt.rp.bf16.f32" (a: u32) -> u16 { soft!(a, F32, BF16, Up) as u16 }
    "cvt.rn.f16.f64" (a: u64) -> u16 { soft!(a, F64, F16, Nearest) as u16 }
    "cvt.rz.f16.f64" (a: u64) -> u16 { soft!(a, F64, F16, Zero) as u16 }
    "cvt.rm.f16.f64" (a: u64) -> u16 { soft!(a, F64, F16, Down) as u16 }
    "cvt.rp.f16.f64" (a: u64) -> u16 { soft!(a, F64, F16, Up) as u16 }
    "cvt.rn.bf16.f64" (a: u64) -> u16 { soft!(a, F64, BF16, Nearest) as u16 }
    "cvt.rz.bf16.f64" (a: u64) -> u16 { soft!(a, F64, BF16, Zero) as u16 }
    "cvt.rm.bf16.f64" (a: u64) -> u16 { soft!(a, F64, BF16, Down) as u16 }
    "cvt.rp.bf16.f64" (a: u64) -> u16 { soft!(a, F64, BF16, Up) as u16 }
}

// a becomes the upper half, b the lower.
lanes! { PAIRS, Class::Convert;
    "cvt.rn.f16x2.f32" (a: f32, b: f32) -> F16x2 { F16x2::pack(F16::round(b), F16::round(a)) }
    "cvt.rn.bf16x2.f32" (a: f32, b: f32) -> BF16x2 { BF16x2::pack(BF16::round(b), BF16::round(a)) }
}

lanes! { PAIRS_MODIFIED, Class::Convert, rare;
    "cvt.rn.relu.f16x2.f32" (a: f32, b: f32) -> F16x2 {
        F16x2::pack(F16::round(b.rectified()), F16::round(a.rectified()))
    }
    "cvt.rz.f16x2.f32" (a: f32, b: f32) -> F16x2 { F16x2::pack(F16::truncate(b), F16::truncate(a)) }
    "cvt.rz.relu.f16x2.f32" (a: f32, b: f32) -> F16x2 {
        F16x2::pack(F16::truncate(b.rectified()), F16::truncate(a.rectified()))
    }
    "cvt.rn.relu.bf16x2.f32" (a: f32, b: f32) -> BF16x2 {
        BF16x2::pack(BF16::round(b.rectified()), BF16::round(a.rectified()))
    }
    "cvt.rz.bf16x2.f32" (a: f32, b: f32) -> BF16x2 { BF16x2::pack(BF16::truncate(b), BF16::truncate(a)) }
    "cvt.rz.relu.bf16x2.f32" (a: f32, b: f32) -> BF16x2 {
        BF16x2::pack(BF16::truncate(b.rectified()), BF16::truncate(a.rectified()))
    }
}

lanes! { BETWEEN_HALVES, Class::Convert, rare;
    "cvt.rn.bf16.f16" (a: u16) -> u16 { soft!(a, F16, BF16, Nearest) as u16 }
    "cvt.rz.bf16.f16" (a: u16) -> u16 { soft!(a, F16, BF16, Zero) as u16 }
    "cvt.rm.bf16.f16" (a: u16) -> u16 { soft!(a, F16, BF16, Down) as u16 }
    "cvt.rp.bf16.f16" (a: u16) -> u16 { soft!(a, F16, BF16, Up) as u16 }
    "cvt.rn.f16.bf16" (a: u16) -> u16 { soft!(a, BF16, F16, Nearest) as u16 }
    "cvt.rz.f16.bf16" (a: u16) -> u16 { soft!(a, BF16, F16, Zero) as u16 }
    "cvt.rm.f16.bf16" (a: u16) -> u16 { soft!(a, BF16, F16, Down) as u16 }
    "cvt.rp.f16.bf16" (a: u16) -> u16 { soft!(a, BF16, F16, Up) as u16 }
}

lanes! { INTEGRAL_HALVES, Class::Convert, rare;
    "cvt.rni.f16.f16" (a: F16) -> F16 { F16::round(a.wide().round_ties_even()) }
    "cvt.rzi.f16.f16" (a: F16) -> F16 { F16::round(a.wide().trunc()) }
    "cvt.rmi.f16.f16" (a: F16) -> F16 { F16::round(a.wide().floor()) }
    "cvt.rpi.f16.f16" (a: F16) -> F16 { F16::round(a.wide().ceil()) }
    "cvt.sat.f16.f16" (a: F16) -> F16 { F16::round(a.wide().saturated()) }
    "cvt.rni.bf16.bf16" (a: BF16) -> BF16 { BF16::round(a.wide().round_ties_even()) }
    "cvt.rzi.bf16.bf16" (a: BF16) -> BF16 { BF16::round(a.wide().trunc()) }
    "cvt.rmi.bf16.bf16" (a: BF16) -> BF16 { BF16::round(a.wide().floor()) }
    "cvt.rpi.bf16.bf16" (a: BF16) -> BF16 { BF16::round(a.wide().ceil()) }
}

lanes! { TF32, Class::Convert;
    "cvt.rna.tf32.f32" (a: f32) -> u32 { numerics::round_tf32(a) }
}

lanes! { TF32_MODIFIED, Class::Convert, rare;
    "cvt.rna.satfinite.tf32.f32" (a: f32) -> u32 { numerics::hold_finite_tf32(numerics::round_tf32(a)) }
    "cvt.rn.tf32.f32" (a: f32) -> u32 { numerics::round_even_tf32(a) }
    "cvt.rz.tf32.f32" (a: f32) -> u32 { numerics::truncate_tf32(a) }
    "cvt.rn.relu.tf32.f32" (a: f32) -> u32 { numerics::round_even_tf32(a.rectified()) }
    "cvt.rz.relu.tf32.f32" (a: f32) -> u32 { numerics::truncate_tf32(a.rectified()) }
}

/// `.satfinite` to a 16-bit format and its pairs.
macro_rules! finite {
    ($table:ident; $( $rounding:literal $round:ident, $relu:literal |$x:ident| $prepared:expr; )*) => {
        lanes! { $table, Class::Convert, rare; $(
            "cvt" $rounding $relu ".satfinite.f16.f32" ($x: f32) -> u16 {
                hold_finite(F16::$round($prepared).0, 0x7c00)
            }
            "cvt" $rounding $relu ".satfinite.bf16.f32" ($x: f32) -> u16 {
                hold_finite(BF16::$round($prepared).0, 0x7f80)
            }
            "cvt" $rounding $relu ".satfinite.f16x2.f32" (a: f32, b: f32) -> u32 {
                let half = |$x: f32| u32::from(hold_finite(F16::$round($prepared).0, 0x7c00));
                half(a) << 16 | half(b)
            }
            "cvt" $rounding $relu ".satfinite.bf16x2.f32" (a: f32, b: f32) -> u32 {
                let half = |$x: f32| u32::from(hold_finite(BF16::$round($prepared).0, 0x7f80));
                half(a) << 16 | half(b)
            }
        )* }
    };
}

finite! { FINITE;
    ".rn" round, "" |x| x;
    ".rz" truncate, "" |x| x;
    ".rn" round, ".relu" |x| x.rectified();
    ".rz" truncate, ".relu" |x| x.rectified();
}

/// Between the formats of eight bits, always in pairs, and the wider ones. a goes to the upper half, b to the lower.
macro_rules! eight_bits {
    ($table:ident; $( $format:ident $name:literal; )*) => {
        lanes! { $table, Class::Convert, rare; $(
            "cvt.rn.satfinite." $name "x2.f32" (a: f32, b: f32) -> u16 {
                u16::from($format::round(a).0) << 8 | u16::from($format::round(b).0)
            }
            "cvt.rn.satfinite.relu." $name "x2.f32" (a: f32, b: f32) -> u16 {
                u16::from($format::round(a.rectified()).0) << 8 | u16::from($format::round(b.rectified()).0)
            }
            "cvt.rn.satfinite." $name "x2.f16x2" (a: F16x2) -> u16 {
                u16::from($format::round(a.high().wide()).0) << 8 | u16::from($format::round(a.low().wide()).0)
            }
            "cvt.rn.satfinite.relu." $name "x2.f16x2" (a: F16x2) -> u16 {
                let [high, low] = [a.high(), a.low()].map(|x| $format::round(x.wide().rectified()).0);
                u16::from(high) << 8 | u16::from(low)
            }
            "cvt.rn.f16x2." $name "x2" (a: u16) -> F16x2 {
                F16x2::pack(F16::round($format(a as u8).wide()), F16::round($format((a >> 8) as u8).wide()))
            }
            "cvt.rn.relu.f16x2." $name "x2" (a: u16) -> F16x2 {
                let [low, high] = [a as u8, (a >> 8) as u8].map(|x| F16::round($format(x).wide().rectified()));
                F16x2::pack(low, high)
            }
        )* }
    };
}

eight_bits! { EIGHT_BITS;
    E4M3 "e4m3";
    E5M2 "e5m2";
}
