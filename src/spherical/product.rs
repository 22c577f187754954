//! Matrix products in f64, as the references of the operations on a head have them.

use crate::Tracked;

/// A matrix product one of whose operands is computed, so that it is rounded to the dtype of the other before it is
/// multiplied. That moves an entry by a random walk over its terms.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// The entries.
    pub entries: Vec<Tracked>,
    /// Of each entry the square root of the sum of its terms' squares.
    pub roots: Vec<f64>,
}

/// `start` and the products of two rows, which are exact.
pub(super) fn dot(start: Tracked, a: &[f64], b: &[f64]) -> Tracked {
    let products = a.iter().zip(b).map(|(a, b)| a * b);
    products
        .fold(start, |sum, product| Tracked { value: sum.value + product, magnitude: sum.magnitude + product.abs() })
}

/// The sums of a matrix product, row by row: of the terms, of what their errors come to, of their squares.
pub(super) struct Sums {
    width: usize,
    values: Vec<f64>,
    magnitudes: Vec<f64>,
    squares: Vec<f64>,
}

impl Sums {
    pub(super) fn new(rows: usize, width: usize) -> Self {
        let zeros = || vec![0.0; rows * width];
        Self { width, values: zeros(), magnitudes: zeros(), squares: zeros() }
    }

    /// Adds `factor` times a row that is exact to row `row`.
    pub(super) fn add(&mut self, row: usize, factor: Tracked, exact: &[f64]) {
        let of_row = row * self.width..(row + 1) * self.width;
        let sums = self.values[of_row.clone()].iter_mut().zip(&mut self.magnitudes[of_row.clone()]);
        // The term's own error and what it is itself, both a multiple of the exact operand.
        let error = factor.magnitude + factor.value.abs();
        for (((value, magnitude), square), exact) in sums.zip(&mut self.squares[of_row]).zip(exact) {
            let term = factor.value * exact;
            *value += term;
            *magnitude += error * exact.abs();
            *square += term * term;
        }
    }

    pub(super) fn finish(self) -> Product {
        let entries = self.values.into_iter().zip(self.magnitudes);
        Product {
            entries: entries.map(|(value, magnitude)| Tracked { value, magnitude }).collect(),
            roots: self.squares.into_iter().map(f64::sqrt).collect(),
        }
    }
}
