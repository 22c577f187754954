//! PTX ISA, "Floating Point Instructions": f32 and f64.

use super::Row;
use crate::inspect::Class;
use crate::numerics::{self, Float, Rounding, soft};

/// Every table of this chapter.
pub(super) const TABLES: &[&[Row]] = &[
    F32_SAT,
    F32_FMA_SAT,
    F32_DIRECTED_SAT,
    F32_DIRECTED_FMA_SAT,
    F32,
    F32_FMA,
    F32_DIRECTED,
    F32_DIRECTED_FMA,
    F32_ORDER,
    F32_SIGN,
    F32_DIVISION,
    F32_FUNCTIONS,
    F64,
    F64_DIRECTED,
    SPECIAL,
    TESTS,
    TESTS_64,
];

/// A form and what `.ftz`, `.sat` and both make of it: subnormal sources and results become zero of their sign, the
/// result is held within [0, 1].
macro_rules! modified {
    ($table:ident, $saturating:ident, $class:expr;
        $( $($base:literal $rounding:literal)|+ ($($arg:ident),*) $result:expr; )*) => {
        lanes! { $table, $class; $(
            $($base $rounding ".f32")|+ ($($arg: f32),*) -> f32 { $result.canonical() }
            $($base $rounding ".ftz.f32")|+ ($($arg: f32),*) -> f32 {
                $(let $arg = $arg.flushed();)*
                $result.flushed().canonical()
            }
        )* }
        lanes! { $saturating, $class, rare; $(
            $($base $rounding ".sat.f32")|+ ($($arg: f32),*) -> f32 { $result.saturated() }
            $($base $rounding ".ftz.sat.f32")|+ ($($arg: f32),*) -> f32 {
                $(let $arg = $arg.flushed();)*
                $result.flushed().saturated()
            }
        )* }
    };
}

modified! { F32, F32_SAT, Class::Fp32;
    "add" "" | "add" ".rn" (a, b) (a + b);
    "sub" "" | "sub" ".rn" (a, b) (a - b);
    "mul" "" | "mul" ".rn" (a, b) (a * b);
}

modified! { F32_FMA, F32_FMA_SAT, Class::Fp32Fma;
    "fma" ".rn" | "mad" ".rn" (a, b, c) a.mul_add(b, c);
}

modified! { F32_DIRECTED, F32_DIRECTED_SAT, Class::Fp32;
    "add" ".rz" (a, b) numerics::add_f32(a, b, Rounding::Zero);
    "add" ".rm" (a, b) numerics::add_f32(a, b, Rounding::Down);
    "add" ".rp" (a, b) numerics::add_f32(a, b, Rounding::Up);
    "sub" ".rz" (a, b) numerics::add_f32(a, -b, Rounding::Zero);
    "sub" ".rm" (a, b) numerics::add_f32(a, -b, Rounding::Down);
    "sub" ".rp" (a, b) numerics::add_f32(a, -b, Rounding::Up);
    "mul" ".rz" (a, b) numerics::mul_f32(a, b, Rounding::Zero);
    "mul" ".rm" (a, b) numerics::mul_f32(a, b, Rounding::Down);
    "mul" ".rp" (a, b) numerics::mul_f32(a, b, Rounding::Up);
}

modified! { F32_DIRECTED_FMA, F32_DIRECTED_FMA_SAT, Class::Fp32Fma;
    "fma" ".rz" | "mad" ".rz" (a, b, c) numerics::fma_f32(a, b, c, Rounding::Zero);
    "fma" ".rm" | "mad" ".rm" (a, b, c) numerics::fma_f32(a, b, c, Rounding::Down);
    "fma" ".rp" | "mad" ".rp" (a, b, c) numerics::fma_f32(a, b, c, Rounding::Up);
}

/// A form and what `.ftz` makes of it.
macro_rules! flushing {
    ($table:ident, $class:expr; $( $($base:literal $suffix:literal)|+ ($($arg:ident),*) $result:expr; )*) => {
        lanes! { $table, $class; $(
            $($base $suffix ".f32")|+ ($($arg: f32),*) -> f32 { $result.canonical() }
            $($base ".ftz" $suffix ".f32")|+ ($($arg: f32),*) -> f32 {
                $(let $arg = $arg.flushed();)*
                $result.flushed().canonical()
            }
        )* }
    };
}

flushing! { F32_ORDER, Class::Fp32;
    "min" "" (a, b) a.lesser(b);
    "max" "" (a, b) a.greater(b);
    "min" ".NaN" (a, b) a.lesser_or_nan(b);
    "max" ".NaN" (a, b) a.greater_or_nan(b);
    "min" ".xorsign.abs" (a, b) a.abs().lesser(b.abs()).signed_as(a, b);
    "max" ".xorsign.abs" (a, b) a.abs().greater(b.abs()).signed_as(a, b);
    "min" ".NaN.xorsign.abs" (a, b) a.abs().lesser_or_nan(b.abs()).signed_as(a, b);
    "max" ".NaN.xorsign.abs" (a, b) a.abs().greater_or_nan(b.abs()).signed_as(a, b);
}

// neg, abs and copysign touch the sign alone, of a NaN too.
lanes! { F32_SIGN, Class::Fp32;
    "neg.f32" (a: f32) -> f32 { -a }
    "neg.ftz.f32" (a: f32) -> f32 { -a.flushed() }
    "abs.f32" (a: f32) -> f32 { a.abs() }
    "abs.ftz.f32" (a: f32) -> f32 { a.flushed().abs() }
    "copysign.f32" (a: f32, b: f32) -> f32 { b.copysign(a) }
}

flushing! { F32_DIVISION, Class::Special;
    "div.rn" "" | "div.full" "" (a, b) (a / b);
    "div.rz" "" (a, b) numerics::div_f32(a, b, Rounding::Zero);
    "div.rm" "" (a, b) numerics::div_f32(a, b, Rounding::Down);
    "div.rp" "" (a, b) numerics::div_f32(a, b, Rounding::Up);
    "div.approx" "" (a, b) approximate_quotient(a, b);
    "rcp.rn" "" | "rcp.approx" "" (a) (1.0 / a);
    "rcp.rz" "" (a) numerics::div_f32(1.0, a, Rounding::Zero);
    "rcp.rm" "" (a) numerics::div_f32(1.0, a, Rounding::Down);
    "rcp.rp" "" (a) numerics::div_f32(1.0, a, Rounding::Up);
    "sqrt.rn" "" | "sqrt.approx" "" (a) a.sqrt();
    "sqrt.rz" "" (a) numerics::sqrt_f32(a, Rounding::Zero);
    "sqrt.rm" "" (a) numerics::sqrt_f32(a, Rounding::Down);
    "sqrt.rp" "" (a) numerics::sqrt_f32(a, Rounding::Up);
    "rsqrt.approx" "" (a) (numerics::rsqrt(f64::from(a)) as f32);
}

/// `div.approx`: a divisor above 2^126 counts as infinite.
#[inline(always)]
pub(super) fn approximate_quotient(a: f32, b: f32) -> f32 {
    const LARGEST: f32 = (1_u128 << 126) as f32;
    if b.abs() > LARGEST { a * 0.0_f32.copysign(b) } else { a / b }
}

flushing! { F32_FUNCTIONS, Class::Special;
    "ex2.approx" "" (a) (numerics::ex2(f64::from(a)) as f32);
    "lg2.approx" "" (a) (numerics::lg2(f64::from(a)) as f32);
    "sin.approx" "" (a) (numerics::sin(f64::from(a)) as f32);
    "cos.approx" "" (a) (numerics::cos(f64::from(a)) as f32);
}

lanes! { SPECIAL, Class::Special;
    "tanh.approx.f32" (a: f32) -> f32 { (numerics::tanh(f64::from(a)) as f32).canonical() }
    // The ISA states no bound for these three.
    "rcp.approx.ftz.f64" (a: f64) -> f64 { upper_half(1.0 / numerics::high_half(a.flushed())) }
    "rsqrt.approx.ftz.f64" (a: f64) -> f64 { upper_half(numerics::rsqrt(numerics::high_half(a.flushed()))) }
    "rsqrt.approx.f64" (a: f64) -> f64 { numerics::rsqrt(a).canonical() }
}

/// The result of `rcp.approx.ftz.f64` and its like, which has 32 bits, and a NaN of its own.
#[inline(always)]
fn upper_half(x: f64) -> f64 {
    const NAN: f64 = f64::from_bits(0x7fff_ffff_0000_0000);
    if x.is_nan() { NAN } else { numerics::high_half(x.flushed()) }
}

lanes! { F64, Class::Fp64;
    "add.f64" | "add.rn.f64" (a: f64, b: f64) -> f64 { (a + b).canonical() }
    "sub.f64" | "sub.rn.f64" (a: f64, b: f64) -> f64 { (a - b).canonical() }
    "mul.f64" | "mul.rn.f64" (a: f64, b: f64) -> f64 { (a * b).canonical() }
    "fma.rn.f64" | "mad.rn.f64" (a: f64, b: f64, c: f64) -> f64 { a.mul_add(b, c).canonical() }
    "div.rn.f64" (a: f64, b: f64) -> f64 { (a / b).canonical() }
    "rcp.rn.f64" (a: f64) -> f64 { (1.0 / a).canonical() }
    "sqrt.rn.f64" (a: f64) -> f64 { a.sqrt().canonical() }
    "neg.f64" (a: f64) -> f64 { -a }
    "abs.f64" (a: f64) -> f64 { a.abs() }
    "copysign.f64" (a: f64, b: f64) -> f64 { b.copysign(a) }
    "min.f64" (a: f64, b: f64) -> f64 { a.lesser(b) }
    "max.f64" (a: f64, b: f64) -> f64 { a.greater(b) }
}

macro_rules! f64_directed {
    ($table:ident; $( $rnd:literal $rounding:expr; )*) => {
        lanes! { $table, Class::Fp64, rare; $(
            "add" $rnd ".f64" (a: u64, b: u64) -> u64 { soft::F64.add(a, b, $rounding) }
            "sub" $rnd ".f64" (a: u64, b: u64) -> u64 { soft::F64.add(a, b ^ (1 << 63), $rounding) }
            "mul" $rnd ".f64" (a: u64, b: u64) -> u64 { soft::F64.mul(a, b, $rounding) }
            "fma" $rnd ".f64" | "mad" $rnd ".f64" (a: u64, b: u64, c: u64) -> u64 { soft::F64.fma(a, b, c, $rounding) }
            "div" $rnd ".f64" (a: u64, b: u64) -> u64 { soft::F64.div(a, b, $rounding) }
            "rcp" $rnd ".f64" (a: u64) -> u64 { soft::F64.div(1.0_f64.to_bits(), a, $rounding) }
            "sqrt" $rnd ".f64" (a: u64) -> u64 { soft::F64.sqrt(a, $rounding) }
        )* }
    };
}

f64_directed! { F64_DIRECTED;
    ".rz" Rounding::Zero;
    ".rm" Rounding::Down;
    ".rp" Rounding::Up;
}

lanes! { TESTS, Class::Fp32;
    "testp.finite.f32" (a: f32) -> bool { a.is_finite() }
    "testp.infinite.f32" (a: f32) -> bool { a.is_infinite() }
    "testp.number.f32" (a: f32) -> bool { !a.is_nan() }
    "testp.notanumber.f32" (a: f32) -> bool { a.is_nan() }
    "testp.normal.f32" (a: f32) -> bool { a.is_normal() || a == 0.0 } // zero counts as normal
    "testp.subnormal.f32" (a: f32) -> bool { a.is_subnormal() }
}

lanes! { TESTS_64, Class::Fp64;
    "testp.finite.f64" (a: f64) -> bool { a.is_finite() }
    "testp.infinite.f64" (a: f64) -> bool { a.is_infinite() }
    "testp.number.f64" (a: f64) -> bool { !a.is_nan() }
    "testp.notanumber.f64" (a: f64) -> bool { a.is_nan() }
    "testp.normal.f64" (a: f64) -> bool { a.is_normal() || a == 0.0 } // zero counts as normal
    "testp.subnormal.f64" (a: f64) -> bool { a.is_subnormal() }
}
