//! Floating point by integers: any format of up to 64 bits, any rounding. Slow, and used where no host instruction
//! gives the result: directed rounding in f64, conversions with directed rounding.

use super::Rounding;

/// An IEEE-like binary format with infinities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) exponent_bits: u32,
    pub(crate) fraction_bits: u32,
    pub(crate) nan: u64,
}

pub(crate) const F16: Format = Format { exponent_bits: 5, fraction_bits: 10, nan: 0x7fff };
pub(crate) const BF16: Format = Format { exponent_bits: 8, fraction_bits: 7, nan: 0x7fff };
pub(crate) const F32: Format = Format { exponent_bits: 8, fraction_bits: 23, nan: 0x7fff_ffff };
pub(crate) const F64: Format = Format { exponent_bits: 11, fraction_bits: 52, nan: 0xfff8_0000_0000_0000 };

/// (-1)^negative * magnitude * 2^exponent; `inexact` says that the true magnitude is a little more, by less than one
/// unit of the last place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact {
    pub(crate) negative: bool,
    pub(crate) magnitude: u128,
    pub(crate) exponent: i32,
    pub(crate) inexact: bool,
}

/// The number that `to` has for `bits` of `from`.
pub(crate) fn convert(from: Format, to: Format, bits: u64, rounding: Rounding) -> u64 {
    match from.value(bits) {
        Value::Nan => to.nan,
        Value::Infinite { negative } => to.sign(negative) | to.infinity(),
        Value::Finite(x) => to.round(x, rounding),
    }
}

/// What a pattern of bits stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    Nan,
    Infinite { negative: bool },
    Finite(Exact),
}

impl Format {
    fn bias(self) -> i32 {
        (1 << (self.exponent_bits - 1)) - 1
    }

    fn infinity(self) -> u64 {
        ((1 << self.exponent_bits) - 1) << self.fraction_bits
    }

    fn sign(self, negative: bool) -> u64 {
        u64::from(negative) << (self.exponent_bits + self.fraction_bits)
    }

    pub(crate) fn value(self, bits: u64) -> Value {
        let negative = bits >> (self.exponent_bits + self.fraction_bits) & 1 == 1;
        let fraction = bits & ((1 << self.fraction_bits) - 1);
        let exponent = (bits & self.infinity()) >> self.fraction_bits;
        if bits & self.infinity() == self.infinity() {
            return if fraction == 0 { Value::Infinite { negative } } else { Value::Nan };
        }
        let hidden = u64::from(exponent != 0) << self.fraction_bits;
        Value::Finite(Exact {
            negative,
            magnitude: u128::from(fraction | hidden),
            exponent: exponent.max(1) as i32 - self.bias() - self.fraction_bits as i32,
            inexact: false,
        })
    }

    /// The number of this format that `rounding` makes of `x`.
    pub(crate) fn round(self, x: Exact, rounding: Rounding) -> u64 {
        let sign = self.sign(x.negative);
        if x.magnitude == 0 && !x.inexact {
            return sign;
        }
        let length = 128 - x.magnitude.leading_zeros() as i32;
        // Exponent of the last place: of a number with all digits, or of the subnormals.
        let place =
            (x.exponent + length - 1 - self.fraction_bits as i32).max(1 - self.bias() - self.fraction_bits as i32);
        let drop = place - x.exponent;
        let (kept, half, rest) = if drop <= 0 {
            debug_assert!(!x.inexact, "an inexact value must bring more digits than the format has");
            (x.magnitude << -drop, false, false)
        } else if drop > 128 {
            (0, false, true)
        } else {
            let kept = x.magnitude.checked_shr(drop as u32).unwrap_or(0);
            let half = x.magnitude >> (drop - 1) & 1 == 1;
            let rest = x.magnitude & ((1_u128 << (drop - 1)) - 1) != 0;
            (kept, half, rest || x.inexact)
        };
        let up = match rounding {
            Rounding::Nearest => half && (rest || kept & 1 == 1),
            Rounding::Zero => false,
            Rounding::Down => x.negative && (half || rest),
            Rounding::Up => !x.negative && (half || rest),
        };
        let kept = kept as u64 + u64::from(up);
        // The hidden bit counts one exponent: adding it to the biased exponent less one is right for subnormals too, and
        // for a carry out of the fraction.
        let biased = (place + self.bias() + self.fraction_bits as i32 - 1) as u64;
        if biased >= 1 << self.exponent_bits || (biased << self.fraction_bits) + kept >= self.infinity() {
            let to_largest = match rounding {
                Rounding::Nearest => false,
                Rounding::Zero => true,
                Rounding::Down => !x.negative,
                Rounding::Up => x.negative,
            };
            return sign | (self.infinity() - u64::from(to_largest));
        }
        sign | ((biased << self.fraction_bits) + kept)
    }

    /// a * b + c, rounded once.
    pub(crate) fn fma(self, a: u64, b: u64, c: u64, rounding: Rounding) -> u64 {
        let (x, y, z) = match (self.value(a), self.value(b), self.value(c)) {
            (Value::Finite(x), Value::Finite(y), Value::Finite(z)) => (x, y, z),
            (Value::Nan, ..) | (_, Value::Nan, _) | (.., Value::Nan) => return self.nan,
            (Value::Finite(_), Value::Finite(_), Value::Infinite { negative }) => {
                return self.sign(negative) | self.infinity();
            }
            (x, y, z) => {
                // The product is infinite, or zero times infinity.
                if x.is_zero() || y.is_zero() {
                    return self.nan;
                }
                let negative = x.negative() != y.negative();
                let opposed = matches!(z, Value::Infinite { negative: other } if other != negative);
                return if opposed { self.nan } else { self.sign(negative) | self.infinity() };
            }
        };
        let product = Exact {
            negative: x.negative != y.negative,
            magnitude: x.magnitude * y.magnitude,
            exponent: x.exponent + y.exponent,
            inexact: false,
        };
        self.round(product.plus(z, rounding), rounding)
    }

    /// a + b.
    pub(crate) fn add(self, a: u64, b: u64, rounding: Rounding) -> u64 {
        let one = (self.bias() as u64) << self.fraction_bits;
        self.fma(a, one, b, rounding)
    }

    /// a * b.
    pub(crate) fn mul(self, a: u64, b: u64, rounding: Rounding) -> u64 {
        let sign = self.sign(true);
        self.fma(a, b, (a ^ b) & sign, rounding) // a zero of the product's sign changes nothing
    }

    /// a / b.
    pub(crate) fn div(self, a: u64, b: u64, rounding: Rounding) -> u64 {
        let (x, y) = match (self.value(a), self.value(b)) {
            (Value::Finite(x), Value::Finite(y)) => (x, y),
            (Value::Nan, _) | (_, Value::Nan) | (Value::Infinite { .. }, Value::Infinite { .. }) => return self.nan,
            (Value::Infinite { negative }, Value::Finite(y)) => {
                return self.sign(negative != y.negative) | self.infinity();
            }
            (Value::Finite(x), Value::Infinite { negative }) => return self.sign(x.negative != negative),
        };
        let negative = x.negative != y.negative;
        if y.magnitude == 0 {
            return if x.magnitude == 0 { self.nan } else { self.sign(negative) | self.infinity() };
        }
        // The dividend takes the top bits, the divisor at most 53: the quotient has at least 74 digits, unless it is 0.
        let shift = x.magnitude.leading_zeros().min(127);
        let dividend = x.magnitude << shift;
        let quotient = Exact {
            negative,
            magnitude: dividend / y.magnitude,
            exponent: x.exponent - shift as i32 - y.exponent,
            inexact: dividend % y.magnitude != 0,
        };
        self.round(quotient, rounding)
    }

    /// The square root of a.
    pub(crate) fn sqrt(self, a: u64, rounding: Rounding) -> u64 {
        let x = match self.value(a) {
            Value::Nan => return self.nan,
            Value::Infinite { negative } => return if negative { self.nan } else { self.infinity() },
            Value::Finite(x) if x.magnitude == 0 => return a,
            Value::Finite(x) if x.negative => return self.nan,
            Value::Finite(x) => x,
        };
        // An even exponent, and 126 or 127 digits: a root of 63 or 64.
        let shift = x.magnitude.leading_zeros() as i32 - 1;
        let shift = shift - ((x.exponent - shift) & 1);
        let square = x.magnitude << shift;
        let root = square.isqrt();
        let exact = Exact {
            negative: false,
            magnitude: root,
            exponent: (x.exponent - shift) / 2,
            inexact: root * root != square,
        };
        self.round(exact, rounding)
    }
}

impl Value {
    fn is_zero(self) -> bool {
        matches!(self, Value::Finite(x) if x.magnitude == 0)
    }

    fn negative(self) -> bool {
        match self {
            Value::Nan => false,
            Value::Infinite { negative } => negative,
            Value::Finite(x) => x.negative,
        }
    }
}

impl Exact {
    /// An integer.
    pub(crate) fn integer(x: i128) -> Exact {
        Exact { negative: x < 0, magnitude: x.unsigned_abs(), exponent: 0, inexact: false }
    }

    /// The sum of two exact values of at most 106 digits; what lies far below the greater is kept as a last bit of one.
    fn plus(self, other: Exact, rounding: Rounding) -> Exact {
        if self.magnitude == 0 && other.magnitude == 0 {
            let negative = if self.negative == other.negative { self.negative } else { rounding == Rounding::Down };
            return Exact { negative, ..self };
        }
        if self.magnitude == 0 {
            return other;
        }
        if other.magnitude == 0 {
            return self;
        }
        // 126 digits each: bit 126 is room for a carry, and the low 20 bits are zeros.
        let normal = |x: Exact| {
            let shift = x.magnitude.leading_zeros() - 2;
            Exact { magnitude: x.magnitude << shift, exponent: x.exponent - shift as i32, ..x }
        };
        let (x, y) = (normal(self), normal(other));
        let (high, low) = if x.exponent >= y.exponent { (x, y) } else { (y, x) };
        let distance = (high.exponent - low.exponent) as u32;
        let shifted = low.magnitude.checked_shr(distance).unwrap_or(0);
        let lost = distance >= 128 || shifted << distance != low.magnitude;
        let low_magnitude = shifted | u128::from(lost);
        if high.negative == low.negative {
            return Exact { magnitude: high.magnitude + low_magnitude, ..high };
        }
        match high.magnitude.cmp(&low_magnitude) {
            std::cmp::Ordering::Equal => Exact { negative: rounding == Rounding::Down, magnitude: 0, ..high },
            std::cmp::Ordering::Greater => Exact { magnitude: high.magnitude - low_magnitude, ..high },
            std::cmp::Ordering::Less => {
                Exact { negative: low.negative, magnitude: low_magnitude - high.magnitude, ..high }
            }
        }
    }
}
