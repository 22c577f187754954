//! When an output is right: |got - reference| <= u |reference| + (1e-5 + n 2^-26) m + tiny, where u is the unit roundoff of
//! the output's dtype, n the number of terms of its longest matrix-product sum, m the magnitude that the reference carries
//! with its value, and tiny the least normal number of the dtype; n 2^-24 for inputs in f32, which take three products
//! each. For f16 and bf16, 4 u of that dtype times the root of the sum of the squared terms more where a computed value is
//! the operand of a further matrix product. NaN meets NaN, and beyond the dtype infinity is right. Integers are right when
//! they are within their magnitude, which is 0 but where they count what rounding may move.

use std::fmt;

use safetensors::Dtype;

use crate::tensor::{Tensor, is_float};

/// An output as the f64 reference has it.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The dtype that a device writes.
    pub dtype: Dtype,
    /// The shape.
    pub shape: Vec<usize>,
    /// Each value, unrounded.
    pub values: Vec<f64>,
    /// For each value the sum of its absolute terms, which its error is a multiple of.
    pub magnitudes: Vec<f64>,
    /// Terms of the longest matrix-product sum; 0 where there is none.
    pub terms: usize,
    /// What each of these may move the sum by, relative to the magnitude: by the dtype of the products' inputs.
    pub per_term: f64,
    /// For each value how far the rounding of computed operands may move it; empty where none is rounded.
    pub operands: Vec<f64>,
}

impl Expected {
    /// The values rounded to the dtype, or left in f64 where it is a float.
    pub fn tensor(&self, unrounded: bool) -> Tensor {
        let shape = self.shape.clone();
        match self.dtype {
            Dtype::U32 => Tensor::from_u32(shape, &self.values.iter().map(|&v| v as u32).collect::<Vec<_>>()),
            Dtype::U8 => Tensor::new(Dtype::U8, shape, self.values.iter().map(|&v| v as u8).collect()),
            _ => Tensor::from_f64(if unrounded { Dtype::F64 } else { self.dtype }, shape, &self.values),
        }
    }

    /// An output of which no entry comes of a matrix product.
    pub fn new(dtype: Dtype, shape: Vec<usize>, values: Vec<f64>, magnitudes: Vec<f64>) -> Self {
        Self { dtype, shape, values, magnitudes, terms: 0, per_term: 0.0, operands: Vec::new() }
    }

    /// The same of a matrix product, or of what follows from one, of that many terms on inputs of that dtype.
    #[must_use]
    pub fn of_products(self, terms: usize, inputs: Dtype) -> Self {
        // Tensor cores truncate once per eight products.
        let per_term = f64::powi(2.0, if inputs == Dtype::F32 { -24 } else { -26 });
        Self { terms, per_term, ..self }
    }

    /// The same where a computed value was an operand of the product, rounded to the dtype of its inputs. `roots` are those
    /// of the sums of each entry's squared terms.
    #[must_use]
    pub fn of_computed_operands(self, roots: &[f64], inputs: Dtype) -> Self {
        if inputs == Dtype::F32 {
            return self;
        }
        let roundoff = Format::of(inputs).roundoff;
        Self { operands: roots.iter().map(|root| 4.0 * roundoff * root).collect(), ..self }
    }

    /// Makes part `i` of the `parts` along the first axis NaN, of an integer 0; of one part, all.
    pub fn undefine(&mut self, parts: usize, i: usize) {
        let each = self.values.len() / parts.max(1);
        let part = i * each..(i + 1) * each;
        if is_float(self.dtype) {
            self.values[part].fill(f64::NAN);
        } else {
            self.values[part.clone()].fill(0.0);
            self.magnitudes[part].fill(0.0);
        }
    }

    /// How far entry `i` of an output may be from its value.
    pub fn bound(&self, i: usize) -> f64 {
        if !is_float(self.dtype) {
            return self.magnitudes[i] + 0.5;
        }
        let format = Format::of(self.dtype);
        let sums = 1e-5 + self.terms as f64 * self.per_term;
        let operands = self.operands.get(i).copied().unwrap_or(0.0);
        format.roundoff * self.values[i].abs() + sums * self.magnitudes[i] + operands + format.least_normal
    }
}

/// How an output compares with its reference.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// The largest error over its bound among the finite entries; at most 1 is right.
    pub worst: f64,
    /// How many entries are wrong.
    pub wrong: usize,
    /// The first of them.
    pub first: Option<Mismatch>,
}

/// An entry that is wrong.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Mismatch {
    /// The output tensor.
    pub tensor: String,
    /// The entry, one index an axis.
    pub index: Vec<usize>,
    /// What the device has.
    pub got: f64,
    /// What the reference has.
    pub expected: f64,
    /// How far apart they may be.
    pub bound: f64,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tensor, index, got, expected, bound } = self;
        write!(f, "{tensor}{index:?} is {got:e}, expected {expected:e} within {bound:.3e}")
    }
}

/// Compares the output `tensor` with its reference, entry by entry.
///
/// # Panics
/// When the two have not the same shape and dtype: a device writes what the card says.
pub fn compare(tensor: &str, got: &Tensor, expected: &Expected) -> Comparison {
    assert_eq!((got.dtype(), got.shape()), (expected.dtype, expected.shape.as_slice()), "{tensor}");
    let largest = if is_float(expected.dtype) { Format::of(expected.dtype).largest } else { f64::INFINITY };
    let mut comparison = Comparison::default();
    for (i, &want) in expected.values.iter().enumerate() {
        let (have, bound) = (got.at(i), expected.bound(i));
        let right = if want.is_nan() || have.is_nan() {
            want.is_nan() && have.is_nan()
        } else if want.is_infinite() {
            have == want
        } else if have.is_infinite() {
            // Rounding carries what is within its bound of the largest number over it.
            have.signum() == want.signum() && want.abs() + bound > largest
        } else {
            // A finite value whose bound is not finite cannot be judged, so it is wrong.
            let error = (have - want).abs();
            comparison.worst = comparison.worst.max(error / bound);
            error <= bound && bound.is_finite()
        };
        if !right {
            comparison.wrong += 1;
            comparison.first.get_or_insert_with(|| Mismatch {
                tensor: tensor.to_owned(),
                index: unflatten(i, &expected.shape),
                got: have,
                expected: want,
                bound,
            });
        }
    }
    comparison
}

/// The first entry whose bits differ between two tensors of one shape and dtype.
pub fn differing_bits(a: &Tensor, b: &Tensor) -> Option<Vec<usize>> {
    assert_eq!((a.dtype(), a.shape()), (b.dtype(), b.shape()));
    let width = crate::tensor::element_bytes(a.dtype());
    let i = a.bytes().chunks(width).zip(b.bytes().chunks(width)).position(|(a, b)| a != b)?;
    Some(unflatten(i, a.shape()))
}

fn unflatten(mut i: usize, shape: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let at = i % size;
            i /= size;
            at
        })
        .collect();
    index.reverse();
    index
}

/// What the bound needs of a float format.
struct Format {
    /// Half the distance from 1 to the next number.
    roundoff: f64,
    least_normal: f64,
    largest: f64,
}

impl Format {
    fn of(dtype: Dtype) -> Self {
        let (mantissa_bits, least_exponent, largest) = match dtype {
            Dtype::F16 => (10, -14, 65504.0),
            Dtype::BF16 => (7, -126, half::bf16::MAX.to_f64()),
            Dtype::F32 => (23, -126, f64::from(f32::MAX)),
            other => panic!("{other} is no float output of an operation"),
        };
        Self { roundoff: f64::powi(2.0, -mantissa_bits - 1), least_normal: f64::powi(2.0, least_exponent), largest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(dtype: Dtype, values: &[f64], magnitudes: &[f64]) -> Expected {
        Expected::new(dtype, vec![1, values.len()], values.into(), magnitudes.into())
    }

    /// How many of `got` are right against one reference value of magnitude 2.
    fn wrong(dtype: Dtype, reference: f64, got: &[f64]) -> Vec<bool> {
        let expected = expected(dtype, &[reference], &[2.0]);
        got.iter().map(|&v| compare("x", &Tensor::from_f64(dtype, [1, 1], &[v]), &expected).wrong == 1).collect()
    }

    #[test]
    fn the_bound_is_rounding_and_magnitude_and_tiny() {
        let format = f64::powi(2.0, -24) + 1e-5 * 2.0 + f64::powi(2.0, -126);
        assert_eq!(expected(Dtype::F32, &[1.0], &[2.0]).bound(0), format);
        let products = |inputs| expected(Dtype::F16, &[0.0], &[1.0]).of_products(64, inputs);
        assert_eq!(products(Dtype::F16).bound(0), 1e-5 + f64::powi(2.0, -20) + f64::powi(2.0, -14));
        assert_eq!(products(Dtype::F32).bound(0), 1e-5 + f64::powi(2.0, -18) + f64::powi(2.0, -14));
    }

    /// 4 u of the dtype that the operand is rounded to, whatever the dtype of the output.
    #[test]
    fn computed_operands_are_rounded() {
        let gradient =
            |inputs| expected(Dtype::F32, &[0.0, 0.0], &[0.0, 0.0]).of_computed_operands(&[0.5, 2.0], inputs);
        let tiny = f64::powi(2.0, -126);
        assert_eq!([0, 1].map(|i| gradient(Dtype::F32).bound(i)), [tiny, tiny]);
        assert_eq!([0, 1].map(|i| gradient(Dtype::F16).bound(i)), [f64::powi(2.0, -10), f64::powi(2.0, -8)]);
        assert_eq!([0, 1].map(|i| gradient(Dtype::BF16).bound(i)), [f64::powi(2.0, -7), f64::powi(2.0, -5)]);
    }

    #[test]
    fn just_inside_is_right_and_just_outside_is_caught() {
        let bound = expected(Dtype::F32, &[1.0], &[2.0]).bound(0);
        assert_eq!(wrong(Dtype::F32, 1.0, &[1.0, 1.0 + 0.99 * bound, 1.0 + 1.02 * bound]), [false, false, true]);
    }

    #[test]
    fn nan_meets_nan_and_nothing_else() {
        assert_eq!(wrong(Dtype::F32, f64::NAN, &[f64::NAN, 0.0, f64::INFINITY]), [false, true, true]);
        assert_eq!(wrong(Dtype::F32, 0.0, &[f64::NAN]), [true]);
    }

    #[test]
    fn beyond_the_dtype_infinity_is_right() {
        let infinity = f64::INFINITY;
        assert_eq!(wrong(Dtype::F16, 1e6, &[infinity, -infinity, 65504.0, f64::NAN]), [false, true, true, true]);
        assert_eq!(wrong(Dtype::F16, infinity, &[infinity, 65504.0]), [false, true]);
        assert_eq!(wrong(Dtype::F16, 65510.0, &[infinity, 65504.0]), [false, false]); // rounds to either
        assert_eq!(wrong(Dtype::F16, 1e4, &[infinity]), [true]);
    }

    #[test]
    fn integers_are_exact_but_for_what_they_may_move_by() {
        let expected = Expected::new(Dtype::U32, vec![2], vec![3.0, 3.0], vec![0.0, 2.0]);
        let wrong = |a, b| compare("rank", &Tensor::from_u32([2], &[a, b]), &expected).wrong;
        assert_eq!([wrong(3, 5), wrong(4, 1), wrong(2, 0), wrong(3, 6)], [0, 1, 2, 1]);
        assert_eq!(expected.tensor(true), Tensor::from_u32([2], &[3, 3]));
    }

    #[test]
    fn a_mismatch_says_where_and_by_how_much() {
        let expected = Expected::new(Dtype::F32, vec![2, 3], vec![0.0; 6], vec![1.0; 6]);
        let got = Tensor::from_f64(Dtype::F32, [2, 3], &[0.0, 0.0, 0.0, 0.0, 0.5, 0.25]);
        let comparison = compare("loss", &got, &expected);
        assert_eq!(comparison.wrong, 2);
        assert_eq!(comparison.first.unwrap().to_string(), "loss[1, 1] is 5e-1, expected 0e0 within 1.000e-5");
        assert_eq!(comparison.worst, 0.5 / expected.bound(0));
    }

    #[test]
    fn bits_differ_where_values_may_not() {
        let tensor = |v| Tensor::from_f64(Dtype::F16, [2, 2], &[1.0, 2.0, v, 3.0]);
        assert_eq!(differing_bits(&tensor(0.0), &tensor(0.0)), None);
        assert_eq!(differing_bits(&tensor(0.0), &tensor(-0.0)), Some(vec![1, 0]));
    }
}
