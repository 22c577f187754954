//! f32 and f64 arithmetic on exact values, rounded once.

use std::cmp::Ordering;

use super::exact::{self, Format, Value};
use super::{Expected, Form};

pub(super) fn expected(form: &Form, s: &[u64]) -> Option<Expected> {
    let format = exact::format(form.kind(0))?;
    if form.base == "testp" {
        return Some(if property(form.modifiers[0], format, s[0])? { 0xffff_ffff } else { 0 }.into());
    }
    Some(arithmetic(form, format, s)?.into())
}

/// What an arithmetic form gives for patterns of its format; the halves of packed forms too.
pub(super) fn arithmetic(form: &Form, format: Format, s: &[u64]) -> Option<u64> {
    let ftz = form.has("ftz");
    let s: Vec<u64> = s.iter().map(|bits| if ftz { format.flush(*bits) } else { *bits }).collect();
    let sign = format.sign_bit();
    match form.base {
        // The sign alone.
        "neg" => return Some(s[0] ^ sign),
        "abs" => return Some(s[0] & !sign),
        "copysign" => return Some((s[1] & !sign) | (s[0] & sign)),
        _ => {}
    }
    let mode = exact::mode(&form.modifiers);
    let v: Vec<Value> = s.iter().map(|bits| format.value(*bits)).collect();
    let one = Value::integer(&1.into());
    let result = match form.base {
        "add" => v[0].plus(&v[1], mode),
        "sub" => v[0].plus(&v[1].clone().with_sign(!v[1].negative()), mode),
        "mul" => v[0].times(&v[1]),
        "fma" | "mad" => v[0].times(&v[1]).plus(&v[2], mode),
        "div" if form.has("approx") && large(&v[1], format) => {
            v[0].over(&Value::Infinite { negative: v[1].negative() })
        }
        "div" => v[0].over(&v[1]),
        "rcp" => one.over(&v[0]),
        "sqrt" => v[0].root(),
        "min" => order(form, &v, Ordering::Less),
        "max" => order(form, &v, Ordering::Greater),
        _ => return None,
    };
    let bits = format.round(&result, mode);
    // .xorsign: the sign of the product of the operands' signs, a NaN's counted.
    let flip = form.has("xorsign") && !result.is_nan() && (s[0] ^ s[1]) & sign != 0;
    let bits = if flip { bits | sign } else { bits };
    let bits = if ftz { format.flush(bits) } else { bits };
    let rounded = format.value(bits);
    Some(if form.has("sat") {
        saturated(&rounded, format)
    } else if form.has("relu") && rounded.negative() {
        0
    } else {
        bits
    })
}

/// div.approx takes a divisor above 2^126 for an infinite one.
fn large(b: &Value, format: Format) -> bool {
    let limit = format.value(0x7e80_0000);
    b.clone().with_sign(false).compare(&limit) == Some(Ordering::Greater)
}

/// Held within [0, 1]; NaN to +0.
pub(super) fn saturated(x: &Value, format: Format) -> u64 {
    let one = Value::integer(&1.into());
    match x.compare(&one) {
        None => 0,
        Some(Ordering::Greater) => format.round(&one, "rn"),
        Some(_) if x.negative() => 0,
        Some(_) => format.round(x, "rn"),
    }
}

/// min or max: the one of two that is `wanted` to the other, with -0 below +0, and a number before a NaN.
fn order(form: &Form, v: &[Value], wanted: Ordering) -> Value {
    let absolute = form.has("abs");
    let [a, b] = [&v[0], &v[1]].map(|x| if absolute { x.clone().with_sign(false) } else { x.clone() });
    match a.compare(&b) {
        None if form.has("NaN") => Value::Nan,
        None => {
            if a.is_nan() {
                b
            } else {
                a
            }
        }
        Some(Ordering::Equal) if a.negative() == (wanted == Ordering::Less) => a,
        Some(Ordering::Equal) => b,
        Some(order) => {
            if order == wanted {
                a
            } else {
                b
            }
        }
    }
}

fn property(name: &str, format: Format, bits: u64) -> Option<bool> {
    let magnitude = bits & (format.sign_bit() - 1);
    let subnormal = magnitude != 0 && magnitude < 1 << format.fraction_bits;
    Some(match name {
        "finite" => magnitude < format.infinity(),
        "infinite" => magnitude == format.infinity(),
        "number" => magnitude <= format.infinity(),
        "notanumber" => magnitude > format.infinity(),
        "normal" => magnitude < format.infinity() && !subnormal, // zero counts as normal
        "subnormal" => subnormal,
        _ => return None,
    })
}
