//! Integer, logic and bit-field instructions on big integers, and bit by bit where the ISA defines them so.

use num_bigint::BigInt;

use super::{Expected, Form};

/// Width and whether it is signed: `s32` is (32, true).
pub(super) fn integer_type(name: &str) -> Option<(u32, bool)> {
    let bits = name.get(1..)?.parse().ok()?;
    match name.get(..1)? {
        "u" | "b" => Some((bits, false)),
        "s" => Some((bits, true)),
        _ => None,
    }
}

/// The low `bits` of x as a number.
pub(super) fn number(x: u64, (bits, signed): (u32, bool)) -> BigInt {
    let unsigned = BigInt::from(x) & ((BigInt::from(1) << bits) - 1);
    if signed && (x >> (bits - 1)) & 1 == 1 { unsigned - (BigInt::from(1) << bits) } else { unsigned }
}

/// The low `bits` of x.
pub(super) fn wrap(x: &BigInt, bits: u32) -> u64 {
    let low: BigInt = x & ((BigInt::from(1) << bits) - 1);
    u64::try_from(low).unwrap()
}

fn clamp(x: BigInt, (bits, signed): (u32, bool)) -> BigInt {
    let (low, high) = limits((bits, signed));
    x.max(low).min(high)
}

pub(super) fn limits((bits, signed): (u32, bool)) -> (BigInt, BigInt) {
    let one = BigInt::from(1);
    if signed { (-(one.clone() << (bits - 1)), (one << (bits - 1)) - 1) } else { (BigInt::from(0), (one << bits) - 1) }
}

const ALL: u64 = 0xffff_ffff;

pub(super) fn expected(form: &Form, s: &[u64]) -> Option<Expected> {
    if form.kind(0) == "pred" {
        return predicate(form, s);
    }
    if matches!(form.base, "setp" | "set" | "cvt") {
        return None;
    }
    if let Some(parts) = form.base.strip_prefix("vabsdiff") {
        return Some(absolute_differences(form, parts.parse().ok()?, s).into());
    }
    if form.base == "prmt" {
        return Some(permute(form, s).into());
    }
    let t @ (bits, signed) = integer_type(form.kind(0))?;
    let mask = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
    let n = |i: usize| number(s[i], t);
    let zero = BigInt::from(0);
    let value = match form.base {
        "add" if form.has("cc") => return Some(carried(&(n_unsigned(s[0], bits) + n_unsigned(s[1], bits)), bits)),
        "sub" if form.has("cc") => return Some(carried(&(n_unsigned(s[0], bits) - n_unsigned(s[1], bits)), bits)),
        "addc" | "subc" | "madc" => return Some(with_carry(form, s, t)),
        "mad" if form.has("cc") => return Some(with_carry(form, s, t)),
        "add" if form.has("sat") => clamp(n(0) + n(1), t),
        "sub" if form.has("sat") => clamp(n(0) - n(1), t),
        "add" => n(0) + n(1),
        "sub" => n(0) - n(1),
        "mul" | "mad" => {
            let product = n(0) * n(1);
            let (part, bits) = if form.has("wide") {
                (product, 2 * bits)
            } else if form.has("hi") {
                (product >> bits, bits)
            } else {
                (product, bits)
            };
            let sum =
                if form.base == "mad" { wrapped(&part, (bits, signed)) + number(s[2], (bits, signed)) } else { part };
            let sum = if form.has("sat") { clamp(sum, t) } else { sum };
            return Some(wrap(&sum, bits).into());
        }
        "mul24" | "mad24" => {
            let product = number(s[0], (24, signed)) * number(s[1], (24, signed));
            let part = if form.has("hi") { product >> 16 } else { product };
            if form.base == "mad24" { part + n(2) } else { part }
        }
        // By zero: unspecified by the ISA, all ones and the dividend here.
        "div" if n(1) == zero => BigInt::from(-1),
        "div" => n(0) / n(1),
        "rem" if n(1) == zero => n(0),
        "rem" => n(0) % n(1),
        "abs" => n(0).max(-n(0)),
        "neg" => -n(0),
        "min" => n(0).min(n(1)),
        "max" => n(0).max(n(1)),
        "sad" => n(2) + (n(0) - n(1)).max(n(1) - n(0)),
        "and" => n(0) & n(1),
        "or" => n(0) | n(1),
        "xor" => n(0) ^ n(1),
        "not" => -n(0) - 1,
        "cnot" => BigInt::from(u32::from(n(0) == zero)),
        "shl" => n(0) << s[1].min(64),
        "shr" => n(0) >> s[1].min(64),
        "shf" => {
            let count = if form.has("wrap") { s[2] & 31 } else { s[2].min(32) };
            let joined = BigInt::from(s[1]) << 32 | BigInt::from(s[0]);
            if form.has("l") { joined << count >> 32 } else { joined >> count }
        }
        "lop3" => {
            let bit = |x: u64, i: u32| (x >> i) & 1;
            let entry = |i: u32| bit(s[0], i) << 2 | bit(s[1], i) << 1 | bit(s[2], i);
            BigInt::from((0..32).map(|i| ((s[3] >> entry(i)) & 1) << i).sum::<u64>())
        }
        "bfe" => BigInt::from(extract(s, bits, signed)),
        "bfi" => BigInt::from(insert(s, bits)),
        "bfind" => {
            let a = if signed && n(0) < zero { -n(0) - 1 } else { n(0) };
            let found = (0..bits).rev().find(|i| (&a >> i) & BigInt::from(1) == BigInt::from(1));
            let found = found.map(|i| if form.has("shiftamt") { bits - 1 - i } else { i });
            return Some(u64::from(found.unwrap_or(u32::MAX)).into());
        }
        "fns" => return Some(u64::from(nth_set(s[0] as u32, s[1] as u32, s[2] as u32 as i32)).into()),
        "brev" => BigInt::from((0..bits).map(|i| ((s[0] >> i) & 1) << (bits - 1 - i)).sum::<u64>()),
        "clz" => BigInt::from((0..bits).rev().take_while(|i| (s[0] >> i) & 1 == 0).count()),
        "popc" => BigInt::from((0..bits).filter(|i| (s[0] >> i) & 1 == 1).count()),
        "szext" => {
            let count = if form.has("wrap") { s[1] & 31 } else { s[1].min(32) } as u32;
            if count == 0 { zero } else { number(s[0], (count, signed)) }
        }
        "bmsk" => {
            let place = |x: u64| if form.has("wrap") { x & 31 } else { x.min(64) };
            let (first, length) = (place(s[0]), place(s[1]));
            BigInt::from((0..32).filter(|i| (first..first + length).contains(i)).map(|i| 1_u64 << i).sum::<u64>())
        }
        "dp4a" | "dp2a" => {
            let (at, bt) = (form.kind(1).starts_with('s'), form.kind(0).starts_with('s'));
            let (count, a_bits) = if form.base == "dp4a" { (4, 8) } else { (2, 16) };
            let skip = if form.has("hi") { 2 } else { 0 };
            let products = (0..count)
                .map(|i| number(s[0] >> (a_bits * i), (a_bits, at)) * number(s[1] >> (8 * (i + skip)), (8, bt)));
            products.sum::<BigInt>() + BigInt::from(s[2])
        }
        _ => return None,
    };
    Some((wrap(&value, bits) & mask).into())
}

fn n_unsigned(x: u64, bits: u32) -> BigInt {
    number(x, (bits, false))
}

fn wrapped(x: &BigInt, t: (u32, bool)) -> BigInt {
    number(wrap(x, t.0), t)
}

/// The low bits, and whether there was a carry or a borrow.
fn carried(x: &BigInt, bits: u32) -> Expected {
    let over = *x < BigInt::from(0) || *x >= BigInt::from(1) << bits;
    Expected::Bits(vec![wrap(x, bits), if over { ALL } else { 0 }])
}

fn with_carry(form: &Form, s: &[u64], t @ (bits, _): (u32, bool)) -> Expected {
    let carry = |i: usize| BigInt::from(u32::from(form.base.ends_with('c') && s[i] != 0));
    let sum = match form.base {
        "addc" => n_unsigned(s[0], bits) + n_unsigned(s[1], bits) + carry(2),
        "subc" => n_unsigned(s[0], bits) - n_unsigned(s[1], bits) - carry(2),
        _ => {
            let product = number(s[0], t) * number(s[1], t);
            let part = if form.has("hi") { product >> bits } else { product };
            let carry = if form.base == "madc" { carry(3) } else { BigInt::from(0) };
            n_unsigned(wrap(&part, bits), bits) + n_unsigned(s[2], bits) + carry
        }
    };
    if form.has("cc") { carried(&sum, bits) } else { wrap(&sum, bits).into() }
}

fn predicate(form: &Form, s: &[u64]) -> Option<Expected> {
    let value = match (form.base, form.kind(1)) {
        ("and", _) | ("lop3", "and") => s[0] != 0 && s[1] != 0,
        ("or", _) | ("lop3", "or") => s[0] != 0 || s[1] != 0,
        ("xor", _) => (s[0] != 0) != (s[1] != 0),
        ("not", _) => s[0] == 0,
        _ => return None,
    };
    Some(if value { ALL } else { 0 }.into())
}

/// The ISA's loop for `fns`.
fn nth_set(mask: u32, base: u32, offset: i32) -> u32 {
    let set = |place: i64| (mask >> place) & 1 == 1;
    let mut place = i64::from(base);
    if offset == 0 {
        return if place < 32 && set(place) { base } else { u32::MAX };
    }
    let mut count = i64::from(offset).abs() - 1;
    while (0..32).contains(&place) {
        if set(place) {
            if count == 0 {
                return place as u32;
            }
            count -= 1;
        }
        place += if offset > 0 { 1 } else { -1 };
    }
    u32::MAX
}

/// The ISA's loop for `bfe`.
fn extract(s: &[u64], bits: u32, signed: bool) -> u64 {
    let (position, length) = ((s[1] & 0xff) as u32, (s[2] & 0xff) as u32);
    let last = bits - 1;
    let sign = if !signed || length == 0 { 0 } else { (s[0] >> (position + length - 1).min(last)) & 1 };
    (0..bits)
        .map(|i| if i < length && position + i <= last { (s[0] >> (position + i)) & 1 } else { sign } << i)
        .fold(0, |d, bit| d | bit)
}

/// The ISA's loop for `bfi`.
fn insert(s: &[u64], bits: u32) -> u64 {
    let (position, length) = ((s[2] & 0xff) as u32, (s[3] & 0xff) as u32);
    let mut d = s[1];
    for i in (0..length).filter(|i| position + i < bits) {
        d = d & !(1 << (position + i)) | ((s[0] >> i) & 1) << (position + i);
    }
    d
}

/// Byte selections as the ISA's tables list them, from d's highest byte down.
fn permute(form: &Form, s: &[u64]) -> u64 {
    let control = (s[2] & 3) as usize;
    let table = match form.kind(0) {
        "f4e" => [[3, 2, 1, 0], [4, 3, 2, 1], [5, 4, 3, 2], [6, 5, 4, 3]],
        "b4e" => [[5, 6, 7, 0], [6, 7, 0, 1], [7, 0, 1, 2], [0, 1, 2, 3]],
        "rc8" => [[0; 4], [1; 4], [2; 4], [3; 4]],
        "ecl" => [[3, 2, 1, 0], [3, 2, 1, 1], [3, 2, 2, 2], [3, 3, 3, 3]],
        "ecr" => [[0, 0, 0, 0], [1, 1, 1, 0], [2, 2, 1, 0], [3, 2, 1, 0]],
        "rc16" => [[1, 0, 1, 0], [3, 2, 3, 2], [1, 0, 1, 0], [3, 2, 3, 2]],
        _ => {
            let nibble = |i: u64| (s[2] >> (4 * i)) & 15;
            let byte = |i: u64| ((s[1] << 32 | s[0]) >> (8 * (nibble(i) & 7))) as u8;
            let sign = |i: u64| if byte(i) >= 0x80 { 0xff } else { 0 };
            let pick = |i: u64| u64::from(if nibble(i) & 8 == 0 { byte(i) } else { sign(i) });
            return (0..4).map(|i| pick(i) << (8 * i)).sum();
        }
    };
    table[control].iter().fold(0, |d, source| d << 8 | ((s[1] << 32 | s[0]) >> (8 * source)) & 0xff)
}

/// Of the parts of two registers: packed, or added to c.
fn absolute_differences(form: &Form, parts: u32, s: &[u64]) -> u64 {
    let bits = 32 / parts;
    let part = |x: u64, i: u32| (x >> (i * bits)) & ((1 << bits) - 1);
    let difference = |i: u32| part(s[0], i).max(part(s[1], i)) - part(s[0], i).min(part(s[1], i));
    if form.has("add") {
        (s[2] + (0..parts).map(difference).sum::<u64>()) & 0xffff_ffff
    } else {
        (0..parts).map(|i| difference(i) << (i * bits)).sum()
    }
}
