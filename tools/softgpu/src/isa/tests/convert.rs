//! `cvt`.

use num_bigint::BigInt;

use super::exact::{self, Format, Value};
use super::float::saturated;
use super::integer::{integer_type, limits, number, wrap};
use super::{Expected, Form};

pub(super) fn expected(form: &Form, s: &[u64]) -> Option<Expected> {
    if form.base != "cvt" {
        return None;
    }
    if form.has("pack") {
        return Some(pack(form, s)?.into());
    }
    let (to, from) = (form.kind(1), form.kind(0));
    if to == "tf32" {
        return Some(tf32(form, s[0]).into());
    }
    if to.ends_with("x2") {
        // The first source becomes the upper half.
        let format = exact::format(to)?;
        return Some(
            (to_float(form, format, exact::F32, s[0]) << 16 | to_float(form, format, exact::F32, s[1])).into(),
        );
    }
    Some(
        match (integer_type(to), integer_type(from)) {
            (Some(to), Some(from)) => {
                let x = number(s[0], from);
                extended(&if form.has("sat") { clamped(x, to) } else { number(wrap(&x, to.0), to) }, to)
            }
            (None, Some(from)) => {
                exact::format(to)?.round(&Value::integer(&number(s[0], from)), exact::mode(&form.modifiers))
            }
            (Some(to), None) => {
                let format = exact::format(from)?;
                let bits = if form.has("ftz") { format.flush(s[0]) } else { s[0] };
                let wide = format.fraction_bits == exact::F64.fraction_bits || to.0 == 64;
                extended(&to_integer(&format.value(bits), exact::mode(&form.modifiers), to, wide), to)
            }
            (None, None) => to_float(form, exact::format(to)?, exact::format(from)?, s[0]),
        }
        .into(),
    )
}

/// An 8-bit result stands extended in 16 bits.
fn extended(x: &BigInt, (bits, _): (u32, bool)) -> u64 {
    wrap(x, bits.max(16))
}

fn clamped(x: BigInt, to: (u32, bool)) -> BigInt {
    let (low, high) = limits(to);
    x.max(low).min(high)
}

/// A NaN gives 0, and where a type is `wide` the highest bit alone.
fn to_integer(x: &Value, mode: &str, to: (u32, bool), wide: bool) -> BigInt {
    let (low, high) = limits(to);
    match x.to_integer(mode) {
        Value::Nan if wide => number(1 << (to.0 - 1), to),
        Value::Nan => BigInt::from(0),
        Value::Infinite { negative } => {
            if negative {
                low
            } else {
                high
            }
        }
        Value::Finite { negative, n, e, .. } => {
            let magnitude = BigInt::from(n) << e.max(0);
            clamped(if negative { -magnitude } else { magnitude }, to)
        }
    }
}

fn to_float(form: &Form, to: Format, from: Format, bits: u64) -> u64 {
    let single = |format: Format| format.fraction_bits == 23;
    // .ftz is of f32 sources and results.
    let bits = if form.has("ftz") && single(from) { from.flush(bits) } else { bits };
    let mode = exact::mode(&form.modifiers);
    let value = from.value(bits);
    let value = if mode.ends_with('i') { value.to_integer(mode) } else { value };
    let rounded = to.round(&value, mode);
    let rounded = if form.has("ftz") && single(to) { to.flush(rounded) } else { rounded };
    let result = to.value(rounded);
    if form.has("sat") {
        saturated(&result, to)
    } else if form.has("relu") && result.negative() {
        0
    } else {
        finite(form, to, rounded)
    }
}

/// A number of 8 exponent and 10 fraction bits in an f32's place.
fn tf32(form: &Form, bits: u64) -> u64 {
    let format = Format { exponent_bits: 8, fraction_bits: 10, nan: 0 };
    let value = exact::F32.value(bits);
    if value.is_nan() {
        return exact::F32.nan;
    }
    if form.has("relu") && value.negative() {
        return 0;
    }
    let rounded = format.round(&value, exact::mode(&form.modifiers));
    finite(form, format, rounded) << 13
}

/// `.satfinite`: the largest number in place of infinity.
fn finite(form: &Form, format: Format, bits: u64) -> u64 {
    let infinite = bits & (format.sign_bit() - 1) == format.infinity();
    bits - u64::from(form.has("satfinite") && infinite)
}

fn pack(form: &Form, s: &[u64]) -> Option<u64> {
    let to = integer_type(form.modifiers[2])?;
    let part = |x: u64| wrap(&clamped(number(x, (32, true)), to), to.0);
    let low = part(s[0]) << to.0 | part(s[1]);
    Some(if to.0 == 8 { (s[2] << 16) & 0xffff_ffff | low } else { low })
}
