//! Approximate functions: within half a unit of the last place of the host's f64 function, and a little; exact where
//! the ISA's tables say what special values give.

use super::exact::{self, Format};
use super::{Expected, Form};

pub(super) fn expected(form: &Form, s: &[u64]) -> Option<Expected> {
    let function: fn(f64) -> f64 = match form.base {
        "ex2" => f64::exp2,
        "lg2" => f64::log2,
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tanh" => f64::tanh,
        "rsqrt" => |x| if x == 0.0 { f64::INFINITY.copysign(x) } else { 1.0 / x.sqrt() },
        "rcp" if form.kind(0) == "f64" && form.has("approx") => |x| 1.0 / x,
        _ => return None,
    };
    let name = form.kind(0);
    let format = exact::format(name)?;
    if name == "f64" {
        return Some(double(form, function, s[0]));
    }
    let ftz = form.has("ftz");
    let source = s.to_vec();
    let pair = name.ends_with("x2");
    Some(Expected::Within(Box::new(move |got| {
        near(function, format, ftz, source[0] & half_mask(format), got & half_mask(format))?;
        if pair { near(function, format, ftz, source[0] >> 16, got >> 16) } else { Ok(()) }
    })))
}

fn half_mask(format: Format) -> u64 {
    format.sign_bit() | (format.sign_bit() - 1)
}

/// The result lies between what the function's f64 value, moved by 2^-40 of itself either way, rounds to.
fn near(function: fn(f64) -> f64, format: Format, ftz: bool, source: u64, got: u64) -> Result<(), String> {
    let x = widen(format, if ftz { format.flush(source) } else { source });
    let y = function(x);
    let round = |y: f64| {
        let bits = format.round(&exact::F64.value(y.to_bits()), "rn");
        if ftz { format.flush(bits) } else { bits }
    };
    let slack = 2.0_f64.powi(-40);
    let (a, b) = (round(y * (1.0 - slack)), round(y * (1.0 + slack)));
    if got == a || got == b { Ok(()) } else { Err(format!("of {x} it is {got:#x}, not {a:#x} or {b:#x}")) }
}

fn widen(format: Format, bits: u64) -> f64 {
    f64::from_bits(exact::F64.round(&format.value(bits), "rn"))
}

/// The .ftz forms read and give the upper 32 bits.
fn double(form: &Form, function: fn(f64) -> f64, source: u64) -> Expected {
    let upper = 0xffff_ffff_0000_0000;
    let canonical = |x: f64| if x.is_nan() { exact::F64.nan } else { x.to_bits() };
    if form.has("ftz") {
        let x = f64::from_bits(exact::F64.flush(source) & upper);
        let y = function(x);
        if y.is_nan() { 0x7fff_ffff_0000_0000 } else { exact::F64.flush(y.to_bits()) & upper }.into()
    } else {
        canonical(function(f64::from_bits(source))).into()
    }
}
