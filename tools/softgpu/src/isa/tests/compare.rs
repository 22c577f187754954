//! `setp` and `set`.

use std::cmp::Ordering;

use super::exact::{self, Value};
use super::integer::{integer_type, number};
use super::{Expected, Form};

const ALL: u64 = 0xffff_ffff;

pub(super) fn expected(form: &Form, s: &[u64]) -> Option<Expected> {
    if !matches!(form.base, "setp" | "set") {
        return None;
    }
    let (comparison, source) = (form.modifiers[0], form.kind(0));
    let holds = |shift: u32| {
        let (a, b) = (s[0] >> shift, s[1] >> shift);
        if let Some(t) = integer_type(source) {
            return relation(comparison, Some(number(a, t).cmp(&number(b, t))));
        }
        let format = exact::format(source)?;
        let value = |bits: u64| -> Value {
            let bits = bits & (format.sign_bit() | (format.sign_bit() - 1));
            format.value(if form.has("ftz") { format.flush(bits) } else { bits })
        };
        relation(comparison, value(a).compare(&value(b)))
    };
    let low = holds(0)?;
    let mask = |p: bool| if p { ALL } else { 0 };
    if form.base == "set" {
        let (one, bits) = match form.kind(1) {
            "f32" => (0x3f80_0000, 0),
            "f16x2" => (0x3c00, 16),
            "bf16x2" => (0x3f80, 16),
            _ if source.ends_with("x2") => (0xffff, 16),
            _ => (ALL, 0),
        };
        let high = if bits == 16 && holds(16)? { one << 16 } else { 0 };
        return Some((if low { one } else { 0 } | high).into());
    }
    if source.ends_with("x2") {
        return Some(Expected::Bits(vec![mask(low), mask(holds(16)?)]));
    }
    let combine = |t: bool| match form.modifiers[1] {
        "and" => t && s[2] != 0,
        "or" => t || s[2] != 0,
        _ => t != (s[2] != 0),
    };
    Some(if matches!(form.modifiers[1], "and" | "or" | "xor") {
        Expected::Bits(vec![mask(combine(low)), mask(combine(!low))])
    } else {
        mask(low).into()
    })
}

/// By the ISA's tables of comparison operators; no order means that an operand is NaN.
fn relation(comparison: &str, order: Option<Ordering>) -> Option<bool> {
    Some(match comparison {
        "num" => order.is_some(),
        "nan" => order.is_none(),
        "equ" | "neu" | "ltu" | "leu" | "gtu" | "geu" if order.is_none() => true,
        _ => match comparison.trim_end_matches('u') {
            "eq" => order == Some(Ordering::Equal),
            "ne" => matches!(order, Some(Ordering::Less | Ordering::Greater)),
            "lt" | "lo" => order == Some(Ordering::Less),
            "le" | "ls" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            "gt" | "hi" => order == Some(Ordering::Greater),
            "ge" | "hs" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            _ => return None,
        },
    })
}
