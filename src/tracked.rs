//! f64 arithmetic that carries, beside each value, how far roundings can have moved it: what every bound follows from.

use std::iter;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A value in f64, and its magnitude: when every operation that leads to the value errs by at most ε relative to its
/// result, a sum of any number of terms by ε relative to the sum of their absolute values, then the value errs by at most
/// ε times the magnitude, to first order in ε.
///
/// So a plain sum has the magnitude Σ|terms|, and a bound on a computed result is a factor, which the arithmetic of its
/// dtype gives, times the magnitude.
///
/// ```
/// use oblate::Tracked;
///
/// let q = Tracked::sum([3.0, -4.0].map(|o| Tracked::exact(o) * Tracked::exact(o)));
/// assert_eq!(q.value, 25.0);
/// assert_eq!(q.magnitude, 50.0); // 25 of the products' roundings, 25 of the sum's
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tracked {
    /// The value.
    pub value: f64,
    /// By how many ε the value can be wrong.
    pub magnitude: f64,
}

/// `error` carried through an operation of derivative `slope`. What a slope of 0 multiplies does not count, infinite or
/// not: exp(-∞) is 0 however far -∞ is.
fn carried(slope: f64, error: f64) -> f64 {
    if slope == 0.0 || error == 0.0 { 0.0 } else { slope.abs() * error }
}

impl Tracked {
    /// An input, which is what it is.
    pub const fn exact(value: f64) -> Self {
        Self { value, magnitude: 0.0 }
    }

    /// An input that the computation rounds before it uses it: a parameter.
    pub const fn rounded(value: f64) -> Self {
        Self { value, magnitude: value.abs() }
    }

    /// A size, exactly.
    ///
    /// # Panics
    /// At 2³² or more, where no size is.
    pub fn count(size: usize) -> Self {
        Self::exact(f64::from(u32::try_from(size).expect("sizes are below 2^32")))
    }

    /// The sum of the terms, in any order and grouping.
    pub fn sum(terms: impl IntoIterator<Item = Self>) -> Self {
        terms.into_iter().fold(Self::default(), |sum, term| Self {
            value: sum.value + term.value,
            magnitude: sum.magnitude + term.magnitude + term.value.abs(),
        })
    }

    /// A result of this value, whose operands' errors come to `error` through it.
    fn result(value: f64, error: f64) -> Self {
        Self { value, magnitude: error + value.abs() }
    }

    /// e to the value.
    #[must_use]
    pub fn exp(self) -> Self {
        let value = self.value.exp();
        Self::result(value, carried(value, self.magnitude))
    }

    /// The natural logarithm.
    #[must_use]
    pub fn ln(self) -> Self {
        Self::result(self.value.ln(), carried(self.value.recip(), self.magnitude))
    }

    /// The square root.
    #[must_use]
    pub fn sqrt(self) -> Self {
        let value = self.value.sqrt();
        Self::result(value, carried(0.5 / value, self.magnitude))
    }

    /// log(1 + value), without the rounding of that sum.
    #[must_use]
    pub fn ln_1p(self) -> Self {
        Self::result(self.value.ln_1p(), carried((1.0 + self.value).recip(), self.magnitude))
    }

    /// log(1 + exp(value)) = max(value, 0) + log1p(exp(-|value|)).
    #[must_use]
    pub fn softplus(self) -> Self {
        let value = self.value.max(0.0) + (-self.value.abs()).exp().ln_1p();
        // f64::max takes the number where the other side is NaN.
        let value = if self.value.is_nan() { f64::NAN } else { value };
        Self::result(value, carried(sigmoid(self.value), self.magnitude))
    }

    /// 1 / (1 + exp(-value)).
    #[must_use]
    pub fn sigmoid(self) -> Self {
        Self::result(sigmoid(self.value), carried(sigmoid(self.value) * sigmoid(-self.value), self.magnitude))
    }

    /// The hyperbolic tangent.
    #[must_use]
    pub fn tanh(self) -> Self {
        // 1 - tanh² without its cancellation, where the tangent is near 1.
        let e = (-2.0 * self.value.abs()).exp();
        let slope = 4.0 * e / ((1.0 + e) * (1.0 + e));
        Self::result(self.value.tanh(), carried(slope, self.magnitude))
    }

    /// The product with itself.
    #[must_use]
    pub fn squared(self) -> Self {
        self * self
    }
}

/// By the exponential that does not overflow.
fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
}

impl From<f64> for Tracked {
    fn from(value: f64) -> Self {
        Self::exact(value)
    }
}

impl Neg for Tracked {
    type Output = Self;

    fn neg(self) -> Self {
        Self { value: -self.value, magnitude: self.magnitude }
    }
}

impl Add for Tracked {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::result(self.value + other.value, self.magnitude + other.magnitude)
    }
}

impl Sub for Tracked {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::result(self.value - other.value, self.magnitude + other.magnitude)
    }
}

impl Mul for Tracked {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let error = carried(self.value, other.magnitude) + carried(other.value, self.magnitude);
        Self::result(self.value * other.value, error)
    }
}

impl Div for Tracked {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        let error = carried(other.value.recip(), self.magnitude) + carried(value / other.value, other.magnitude);
        Self::result(value, error)
    }
}

impl iter::Sum for Tracked {
    fn sum<I: Iterator<Item = Self>>(terms: I) -> Self {
        Self::sum(terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each operation against its own definition: operands moved by ±ε magnitude, the result by ±ε of itself.
    #[test]
    fn a_magnitude_is_the_worst_case_of_its_operation() {
        type Two = (fn(Tracked, Tracked) -> Tracked, fn(f64, f64) -> f64);
        let operations: [Two; 11] = [
            (|a, b| a + b, |a, b| a + b),
            (|a, b| a - b, |a, b| a - b),
            (|a, b| a * b, |a, b| a * b),
            (|a, b| a / b, |a, b| a / b),
            (|a, _| a.exp(), |a, _| a.exp()),
            (|_, b| b.ln(), |_, b| b.ln()),
            (|_, b| b.sqrt(), |_, b| b.sqrt()),
            (|_, b| b.ln_1p(), |_, b| b.ln_1p()),
            (|a, _| a.softplus(), |a, _| a.exp().ln_1p()),
            (|a, _| a.sigmoid(), |a, _| 1.0 / (1.0 + (-a).exp())),
            (|_, b| b.tanh(), |_, b| b.tanh()),
        ];
        let epsilon = 1e-7;
        for (n, (tracked, plain)) in operations.into_iter().enumerate() {
            for (a, b) in [(0.5, 3.0), (-2.0, 0.25), (3.0, 7.0), (-0.125, 1.5)] {
                let operand = |value: f64, magnitude| Tracked { value, magnitude };
                let result = tracked(operand(a, 2.0), operand(b, 0.75));
                assert!((result.value - plain(a, b)).abs() <= 1e-15 * result.value.abs(), "{n}: {a} {b}");
                let corners = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)].map(|(da, db)| {
                    let moved = plain(a + da * 2.0 * epsilon, b + db * 0.75 * epsilon);
                    (moved - result.value).abs() + epsilon * moved.abs()
                });
                let worst = corners.into_iter().fold(0.0, f64::max) / epsilon;
                assert!((worst / result.magnitude - 1.0).abs() < 1e-5, "{n}: {a} {b}: {worst} {}", result.magnitude);
            }
        }
    }

    #[test]
    fn a_sum_has_the_magnitude_of_its_absolute_terms() {
        let sum = Tracked::sum([1.0, -2.0, 4.0].map(Tracked::exact));
        assert_eq!((sum.value, sum.magnitude), (3.0, 7.0));
        let sum: Tracked = [Tracked { value: -1.0, magnitude: 2.0 }, Tracked::rounded(0.5)].into_iter().sum();
        assert_eq!((sum.value, sum.magnitude), (-0.5, 4.0));
        assert_eq!(Tracked::sum([]), Tracked::exact(0.0));
    }

    #[test]
    fn softplus_and_sigmoid_do_not_overflow() {
        for (x, softplus, sigmoid) in [(1e300, 1e300, 1.0), (-1e300, 0.0, 0.0), (800.0, 800.0, 1.0)] {
            assert_eq!(Tracked::exact(x).softplus().value, softplus);
            assert_eq!(Tracked::exact(x).sigmoid().value, sigmoid);
        }
        assert!(Tracked::exact(f64::NAN).softplus().value.is_nan());
        assert!(Tracked::exact(f64::NAN).sigmoid().value.is_nan());
    }

    #[test]
    fn nothing_comes_through_a_slope_of_zero() {
        let masked = (Tracked::exact(f64::NEG_INFINITY) - Tracked::exact(1.0)).exp();
        assert_eq!((masked.value, masked.magnitude), (0.0, 0.0));
    }
}
