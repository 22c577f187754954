//! An output against float64.

use half::{bf16, f16};

use crate::prepared::{Element, Expected};

/// How an output compares, at the element that comes nearest to its bound or goes furthest beyond.
pub(crate) struct Verdict {
    pub(crate) output: String,
    pub(crate) elements: usize,
    /// Elements beyond their bound.
    pub(crate) wrong: usize,
    /// The largest error, over its bound.
    pub(crate) share: f64,
    pub(crate) at: Vec<usize>,
    pub(crate) got: f64,
    pub(crate) expected: f64,
}

impl Verdict {
    pub(crate) fn is_right(&self) -> bool {
        self.wrong == 0
    }
}

/// Compares every element; NaN, where a number is expected, is beyond any bound.
pub(crate) fn verdict(output: &str, element: Element, bytes: &[u8], expected: &Expected) -> Verdict {
    let got = numbers(element, bytes);
    let shares: Vec<f64> = (got.iter().zip(&expected.value).zip(&expected.bound))
        .map(|((&got, &value), &bound)| share(got, value, bound))
        .collect();
    let worst = (0..shares.len()).max_by(|&i, &j| shares[i].total_cmp(&shares[j])).unwrap_or(0);
    let short = expected.value.len().abs_diff(got.len()); // an output of another size has no element right there
    Verdict {
        output: output.into(),
        elements: expected.value.len(),
        wrong: shares.iter().filter(|&&share| share > 1.0).count() + short,
        share: shares.get(worst).copied().unwrap_or(0.0),
        at: index(worst, &expected.shape),
        got: got.get(worst).copied().unwrap_or(f64::NAN),
        expected: expected.value.get(worst).copied().unwrap_or(f64::NAN),
    }
}

fn share(got: f64, value: f64, bound: f64) -> f64 {
    let error = (got - value).abs();
    match error == 0.0 || got == value {
        true => 0.0,
        false if error.is_nan() => f64::INFINITY,
        false => error / bound,
    }
}

fn numbers(element: Element, bytes: &[u8]) -> Vec<f64> {
    match element {
        Element::Bf16 => bytes.as_chunks().0.iter().map(|&bytes| bf16::from_le_bytes(bytes).to_f64()).collect(),
        Element::F16 => bytes.as_chunks().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f64()).collect(),
        Element::F32 => bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes).into()).collect(),
    }
}

/// The index of an element in each dimension.
fn index(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let here = at % size.max(1);
            at /= size.max(1);
            here
        })
        .collect();
    index.reverse();
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(got: &[f32], value: &[f64]) -> Verdict {
        let bytes: Vec<u8> = got.iter().flat_map(|x| x.to_le_bytes()).collect();
        let expected = Expected { shape: vec![1, value.len()], value: value.into(), bound: vec![0.5; value.len()] };
        verdict("y", Element::F32, &bytes, &expected)
    }

    #[test]
    fn the_worst_element_is_named() {
        let verdict = of(&[1.0, 2.25, 3.0], &[1.0, 2.0, 3.0]);
        assert!(verdict.is_right());
        assert_eq!((verdict.at, verdict.share, verdict.got), (vec![0, 1], 0.5, 2.25));
        let verdict = of(&[1.0, 2.0, 4.0], &[1.0, 2.0, 3.0]);
        assert_eq!((verdict.wrong, verdict.at), (1, vec![0, 2]));
    }

    #[test]
    fn nan_infinity_and_missing_elements_are_wrong() {
        assert_eq!(of(&[f32::NAN], &[0.0]).wrong, 1);
        assert_eq!(of(&[f32::INFINITY], &[0.0]).wrong, 1);
        assert_eq!(of(&[f32::NEG_INFINITY], &[f64::NEG_INFINITY]).wrong, 0);
        assert_eq!(of(&[f32::INFINITY], &[f64::NEG_INFINITY]).wrong, 1);
        assert_eq!(of(&[1.0], &[1.0, 2.0]).wrong, 1);
    }
}
