//! Numbers of any format as exact big-integer values, and rounding by its definition: the two neighbours in the format,
//! and which of them the mode takes.

use std::cmp::Ordering;

use num_bigint::{BigInt, BigUint, Sign};

/// A binary format.
#[derive(Clone, Copy)]
pub(super) struct Format {
    pub(super) exponent_bits: u32,
    pub(super) fraction_bits: u32,
    /// The NaN that its instructions give.
    pub(super) nan: u64,
}

pub(super) const F16: Format = Format { exponent_bits: 5, fraction_bits: 10, nan: 0x7fff };
pub(super) const BF16: Format = Format { exponent_bits: 8, fraction_bits: 7, nan: 0x7fff };
pub(super) const F32: Format = Format { exponent_bits: 8, fraction_bits: 23, nan: 0x7fff_ffff };
pub(super) const F64: Format = Format { exponent_bits: 11, fraction_bits: 52, nan: 0xfff8_0000_0000_0000 };

/// The format of a type's name.
pub(super) fn format(name: &str) -> Option<Format> {
    match name {
        "f16" | "f16x2" => Some(F16),
        "bf16" | "bf16x2" => Some(BF16),
        "f32" => Some(F32),
        "f64" => Some(F64),
        _ => None,
    }
}

/// An extended real number.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Nan,
    Infinite {
        negative: bool,
    },
    /// (-1)^negative n 2^e, and `more`: the magnitude is greater by less than 2^e.
    Finite {
        negative: bool,
        n: BigUint,
        e: i64,
        more: bool,
    },
}

/// `rn`, `rz`, `rm`, `rp`, or `rna`, also with the final i of the modes that round to an integer.
pub(super) fn mode<'a>(modifiers: &[&'a str]) -> &'a str {
    let is_mode = |m: &&&str| matches!(**m, "rn" | "rz" | "rm" | "rp" | "rna" | "rni" | "rzi" | "rmi" | "rpi");
    modifiers.iter().find(is_mode).copied().unwrap_or("rn")
}

impl Value {
    pub(super) fn integer(x: &BigInt) -> Value {
        Value::Finite { negative: x.sign() == Sign::Minus, n: x.magnitude().clone(), e: 0, more: false }
    }

    pub(super) fn negative(&self) -> bool {
        match self {
            Value::Nan => false,
            Value::Infinite { negative } | Value::Finite { negative, .. } => *negative,
        }
    }

    pub(super) fn is_nan(&self) -> bool {
        matches!(self, Value::Nan)
    }

    pub(super) fn is_zero(&self) -> bool {
        matches!(self, Value::Finite { n, more: false, .. } if *n == BigUint::ZERO)
    }

    pub(super) fn with_sign(self, negative: bool) -> Value {
        match self {
            Value::Nan => Value::Nan,
            Value::Infinite { .. } => Value::Infinite { negative },
            Value::Finite { n, e, more, .. } => Value::Finite { negative, n, e, more },
        }
    }

    /// n as a signed integer in units of 2^unit, for an exact value.
    fn scaled(&self, unit: i64) -> BigInt {
        match self {
            Value::Finite { negative, n, e, .. } => {
                let magnitude = BigInt::from(n.clone()) << (e - unit);
                if *negative { -magnitude } else { magnitude }
            }
            _ => panic!("not finite"),
        }
    }

    fn unit(&self) -> i64 {
        match self {
            Value::Finite { e, .. } => *e,
            _ => 0,
        }
    }

    /// The order of numbers, -0 equal to +0; none of a NaN. For exact values.
    pub(super) fn compare(&self, other: &Value) -> Option<Ordering> {
        let rank = |v: &Value| match v {
            Value::Infinite { negative } => {
                if *negative {
                    -1
                } else {
                    1
                }
            }
            _ => 0,
        };
        match (self, other) {
            (Value::Nan, _) | (_, Value::Nan) => None,
            (Value::Finite { .. }, Value::Finite { .. }) => {
                let unit = self.unit().min(other.unit());
                Some(self.scaled(unit).cmp(&other.scaled(unit)))
            }
            _ => Some(rank(self).cmp(&rank(other))),
        }
    }

    /// The sum; `mode` decides the sign of an exact zero.
    pub(super) fn plus(&self, other: &Value, mode: &str) -> Value {
        match (self, other) {
            (Value::Nan, _) | (_, Value::Nan) => Value::Nan,
            (Value::Infinite { negative: a }, Value::Infinite { negative: b }) if a != b => Value::Nan,
            (Value::Infinite { .. }, _) => self.clone(),
            (_, Value::Infinite { .. }) => other.clone(),
            _ => {
                let unit = self.unit().min(other.unit());
                let sum = self.scaled(unit) + other.scaled(unit);
                let negative = match sum.sign() {
                    Sign::Minus => true,
                    Sign::Plus => false,
                    Sign::NoSign if self.negative() == other.negative() => self.negative(),
                    Sign::NoSign => mode == "rm",
                };
                Value::Finite { negative, n: sum.magnitude().clone(), e: unit, more: false }
            }
        }
    }

    pub(super) fn times(&self, other: &Value) -> Value {
        let negative = self.negative() != other.negative();
        match (self, other) {
            (Value::Nan, _) | (_, Value::Nan) => Value::Nan,
            (Value::Finite { n: a, e: x, .. }, Value::Finite { n: b, e: y, .. }) => {
                Value::Finite { negative, n: a * b, e: x + y, more: false }
            }
            _ if self.is_zero() || other.is_zero() => Value::Nan,
            _ => Value::Infinite { negative },
        }
    }

    pub(super) fn over(&self, other: &Value) -> Value {
        let negative = self.negative() != other.negative();
        match (self, other) {
            (Value::Nan, _) | (_, Value::Nan) | (Value::Infinite { .. }, Value::Infinite { .. }) => Value::Nan,
            (Value::Infinite { .. }, _) => Value::Infinite { negative },
            (_, Value::Infinite { .. }) => Value::Finite { negative, n: BigUint::ZERO, e: 0, more: false },
            _ if other.is_zero() => {
                if self.is_zero() {
                    Value::Nan
                } else {
                    Value::Infinite { negative }
                }
            }
            (Value::Finite { n: a, e: x, .. }, Value::Finite { n: b, e: y, .. }) => {
                let dividend = a << 256_u32;
                let more = &dividend % b != BigUint::ZERO;
                Value::Finite { negative, n: dividend / b, e: x - y - 256, more }
            }
        }
    }

    pub(super) fn root(&self) -> Value {
        match self {
            Value::Finite { negative: true, .. } if !self.is_zero() => Value::Nan,
            Value::Infinite { negative: true } => Value::Nan,
            Value::Finite { negative, n, e, .. } => {
                let shift = 256 + (e & 1);
                let square = n << shift;
                let root = square.sqrt();
                Value::Finite { negative: *negative, more: &root * &root != square, n: root, e: (e - shift) / 2 }
            }
            _ => self.clone(),
        }
    }

    /// To an integer, by the modes `rni`, `rzi`, `rmi`, `rpi`. For exact values.
    pub(super) fn to_integer(&self, mode: &str) -> Value {
        let Value::Finite { negative, n, e, .. } = self else { return self.clone() };
        if *e >= 0 {
            return self.clone();
        }
        let places = e.unsigned_abs();
        let below = n >> places;
        let rest = n - (&below << places);
        let half = BigUint::from(1_u32) << (places - 1);
        let up = takes_upper(mode.trim_end_matches('i'), *negative, below.bit(0), &rest, &half, false);
        Value::Finite { negative: *negative, n: below + u32::from(up), e: 0, more: false }
    }
}

/// Whether rounding goes to the neighbour of greater magnitude, with `rest` of a step (of `2 half`) beyond the lower one.
fn takes_upper(mode: &str, negative: bool, odd: bool, rest: &BigUint, half: &BigUint, more: bool) -> bool {
    let exact = *rest == BigUint::ZERO && !more;
    match mode {
        "rz" => false,
        "rm" => negative && !exact,
        "rp" => !negative && !exact,
        "rna" => rest >= half,
        _ => rest > half || (rest == half && (more || odd)),
    }
}

impl Format {
    pub(super) fn bias(self) -> i64 {
        (1 << (self.exponent_bits - 1)) - 1
    }

    /// Exponent of the smallest subnormal.
    fn least(self) -> i64 {
        1 - self.bias() - i64::from(self.fraction_bits)
    }

    pub(super) fn sign_bit(self) -> u64 {
        1 << (self.exponent_bits + self.fraction_bits)
    }

    pub(super) fn infinity(self) -> u64 {
        ((1 << self.exponent_bits) - 1) << self.fraction_bits
    }

    pub(super) fn value(self, bits: u64) -> Value {
        let negative = bits & self.sign_bit() != 0;
        let magnitude = bits & (self.sign_bit() - 1);
        if magnitude >= self.infinity() {
            return if magnitude == self.infinity() { Value::Infinite { negative } } else { Value::Nan };
        }
        let fraction = magnitude & ((1 << self.fraction_bits) - 1);
        match magnitude >> self.fraction_bits {
            0 => Value::Finite { negative, n: fraction.into(), e: self.least(), more: false },
            exponent => Value::Finite {
                negative,
                n: (fraction + (1 << self.fraction_bits)).into(),
                e: self.least() + exponent as i64 - 1,
                more: false,
            },
        }
    }

    /// `.ftz` on a pattern.
    pub(super) fn flush(self, bits: u64) -> u64 {
        let magnitude = bits & (self.sign_bit() - 1);
        if magnitude < 1 << self.fraction_bits { bits & self.sign_bit() } else { bits }
    }

    /// The pattern that `mode` gives for `x`.
    pub(super) fn round(self, x: &Value, mode: &str) -> u64 {
        let sign = |negative: bool| if negative { self.sign_bit() } else { 0 };
        let (negative, n, e, more) = match x {
            Value::Nan => return self.nan,
            Value::Infinite { negative } => return sign(*negative) | self.infinity(),
            Value::Finite { negative, n, e, more } => (*negative, n, *e, *more),
        };
        if x.is_zero() {
            return sign(negative);
        }
        // The step between neighbours at this magnitude.
        let step = (e + n.bits() as i64 - 1 - i64::from(self.fraction_bits)).max(self.least());
        let (n, e) = if step > e { (n.clone(), e) } else { (n << (e - step + 1), step - 1) };
        let places = (step - e).unsigned_abs();
        let below = &n >> places;
        let rest = &n - (&below << places);
        let half = BigUint::from(1_u32) << (places - 1);
        let up = takes_upper(mode, negative, below.bit(0), &rest, &half, more);
        let steps = u64::try_from(below).unwrap() + u64::from(up);
        // Patterns count the steps from zero on: 2^fraction_bits for each exponent.
        let pattern = i128::from(steps) + (i128::from(step - self.least()) << self.fraction_bits);
        if pattern < i128::from(self.infinity()) {
            return sign(negative) | pattern as u64;
        }
        let to_largest = match mode {
            "rz" => true,
            "rm" => !negative,
            "rp" => negative,
            _ => false,
        };
        sign(negative) | (self.infinity() - u64::from(to_largest))
    }
}

#[test]
fn rounding_agrees_with_the_host() {
    let mut random = super::Random(1);
    for _ in 0..20_000 {
        let (a, b) = (random.next(), random.next());
        let (x, y) = (f64::from_bits(a), f64::from_bits(b));
        let (v, w) = (F64.value(a), F64.value(b));
        let same =
            |value: &Value, host: f64| F64.round(value, "rn") == if host.is_nan() { F64.nan } else { host.to_bits() };
        assert!(same(&v.plus(&w, "rn"), x + y), "{x} + {y}");
        assert!(same(&v.times(&w), x * y), "{x} * {y}");
        assert!(same(&v.over(&w), x / y), "{x} / {y}");
        assert!(same(&v.root(), x.sqrt()), "sqrt {x}");
    }
}
