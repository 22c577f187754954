//! `cvt` to and from e4m3x2 and e5m2x2, by the formats' definition: the code whose value is nearest, of all 256.

use super::exact;
use super::{Expected, Form};

/// The value of a code; infinite beyond the numbers, and NaN.
pub(super) fn value(code: u8, exponent_bits: u32) -> f64 {
    let fraction_bits = 7 - exponent_bits;
    let bias = (1 << (exponent_bits - 1)) - 1;
    let exponent = i32::from(code >> fraction_bits) & ((1 << exponent_bits) - 1);
    let fraction = code & ((1 << fraction_bits) - 1);
    // e4m3 uses its largest exponent for numbers too, and has one code for NaN; e5m2 is as IEEE has it.
    let magnitude = match (exponent_bits, code & 0x7f) {
        (4, 0x7f) | (5, 0x7d..) => f64::NAN,
        (5, 0x7c) => f64::INFINITY,
        _ if exponent == 0 => f64::from(fraction) * 2.0_f64.powi(1 - bias - fraction_bits as i32),
        _ => (1.0 + f64::from(fraction) / f64::from(1 << fraction_bits)) * 2.0_f64.powi(exponent - bias),
    };
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

/// `.rn.satfinite`: the nearest finite code, of two the even one.
fn nearest(x: f64, exponent_bits: u32) -> u64 {
    if x.is_nan() {
        return 0x7f;
    }
    let codes = (0..=0x7f_u8).filter(|code| value(*code, exponent_bits).is_finite());
    let distance = |code: &u8| (value(*code, exponent_bits) - x.abs().min(1e9)).abs();
    let code = codes
        .min_by(|a, b| distance(a).total_cmp(&distance(b)).then((a & 1).cmp(&(b & 1))))
        .expect("a format has numbers");
    u64::from(code) | u64::from(x.is_sign_negative()) << 7
}

pub(super) fn expected(form: &Form, s: &[u64]) -> Option<Expected> {
    let exponent_bits = |name: &str| match name {
        "e4m3x2" => Some(4),
        "e5m2x2" => Some(5),
        _ => None,
    };
    if form.base != "cvt" {
        return None;
    }
    let (to, from) = (form.kind(1), form.kind(0));
    let wide = |format: exact::Format, bits: u64| f64::from_bits(exact::F64.round(&format.value(bits), "rn"));
    let rectified = |x: f64| if form.has("relu") && x <= 0.0 { 0.0 } else { x };
    if let Some(bits) = exponent_bits(from) {
        let half = |code: u64| {
            let x = rectified(value(code as u8, bits));
            exact::F16.round(&exact::F64.value(x.to_bits()), "rn")
        };
        return Some((half(s[0] >> 8) << 16 | half(s[0] & 0xff)).into());
    }
    let bits = exponent_bits(to)?;
    let [high, low] = if from == "f32" {
        [wide(exact::F32, s[0]), wide(exact::F32, s[1])]
    } else {
        [wide(exact::F16, s[0] >> 16), wide(exact::F16, s[0] & 0xffff)]
    };
    Some((nearest(rectified(high), bits) << 8 | nearest(rectified(low), bits)).into())
}
