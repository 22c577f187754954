//! How a module's instructions compute where the ISA leaves it open.

use super::approximate::Approximation;
use super::sums::{Factors, MatrixSums, Sums};
use crate::program::Element;

/// Chosen when a module is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Modes {
    pub(crate) approximation: Approximation,
    /// Multiplications and additions are fused where the ISA allows it.
    pub(crate) contract: bool,
    pub(crate) matrix_sums: MatrixSums,
    /// Major compute capability of the card that `card` stands for.
    pub(crate) major: u32,
}

impl Default for Modes {
    fn default() -> Self {
        Self { approximation: Approximation::Nearest, contract: false, matrix_sums: MatrixSums::default(), major: 8 }
    }
}

impl Modes {
    /// How products of two elements of this kind are summed.
    pub(crate) fn sums(self, factors: Element) -> Sums {
        let factors = match factors {
            Element::Tf32 => Factors::Tf32,
            Element::E4M3 | Element::E5M2 => Factors::Eight,
            _ => Factors::Half,
        };
        Sums::of(self.matrix_sums, factors, self.major)
    }
}
