//! A tensor on the host: what a file holds, what a case is made of, what a device is given and gives back.

use half::{bf16, f16};
use safetensors::Dtype;

/// A dense row-major tensor, little-endian as in a safetensors file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// The name of a dtype as the command line and the cards write it: `f32`, `bf16`, `i64`.
pub fn dtype_name(dtype: Dtype) -> String {
    dtype.to_string().to_lowercase()
}

/// A dtype of the library as files have it.
///
/// # Panics
/// For one that this command line does not know.
pub fn dtype_of(dtype: oblate::Dtype) -> Dtype {
    match dtype {
        oblate::Dtype::F32 => Dtype::F32,
        oblate::Dtype::F16 => Dtype::F16,
        oblate::Dtype::Bf16 => Dtype::BF16,
        oblate::Dtype::I64 => Dtype::I64,
        oblate::Dtype::U32 => Dtype::U32,
        oblate::Dtype::U8 => Dtype::U8,
        other => panic!("{other} is not known to the command line"),
    }
}

/// The float dtype of a name, as the cards have it.
pub fn float_named(name: &str) -> Option<Dtype> {
    oblate::Dtype::FLOATS.into_iter().find(|dtype| dtype.name() == name).map(dtype_of)
}

/// Bytes of one element; the dtypes of less than a byte, which no operation takes, count as one.
pub fn element_bytes(dtype: Dtype) -> usize {
    dtype.bitsize().div_ceil(8)
}

/// Whether values of the dtype are rounded: f64, f32, f16 and bf16.
pub fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16)
}

impl Tensor {
    /// A tensor of these bytes, whose number must be that of `shape` and `dtype`.
    ///
    /// # Panics
    /// When it is not.
    pub fn new(dtype: Dtype, shape: impl Into<Vec<usize>>, bytes: Vec<u8>) -> Self {
        let shape = shape.into();
        assert_eq!(bytes.len(), shape.iter().product::<usize>() * element_bytes(dtype), "{dtype} {shape:?}");
        Self { dtype, shape, bytes }
    }

    /// Values rounded to nearest even, in the order of the rows.
    ///
    /// # Panics
    /// When `values` are not as many as `shape` says, or `dtype` is not a float.
    pub fn from_f64(dtype: Dtype, shape: impl Into<Vec<usize>>, values: &[f64]) -> Self {
        let bytes = match dtype {
            Dtype::F64 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Dtype::F32 => values.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect(),
            Dtype::F16 => values.iter().flat_map(|&v| f16::from_f64(v).to_le_bytes()).collect(),
            Dtype::BF16 => values.iter().flat_map(|&v| bf16::from_f64(v).to_le_bytes()).collect(),
            _ => panic!("{dtype} is not a float"),
        };
        Self::new(dtype, shape, bytes)
    }

    /// An i64 tensor.
    ///
    /// # Panics
    /// When `values` are not as many as `shape` says.
    pub fn from_i64(shape: impl Into<Vec<usize>>, values: &[i64]) -> Self {
        Self::new(Dtype::I64, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// A u32 tensor.
    ///
    /// # Panics
    /// When `values` are not as many as `shape` says.
    pub fn from_u32(shape: impl Into<Vec<usize>>, values: &[u32]) -> Self {
        Self::new(Dtype::U32, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// The dtype.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The sizes, slowest first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as they are stored.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Element `i`, widened exactly; of an i64 beyond 2^53 the nearest f64.
    ///
    /// # Panics
    /// When there is no element `i`, or the dtype is one that no operation takes.
    pub fn at(&self, i: usize) -> f64 {
        match self.dtype {
            Dtype::F64 => f64::from_le_bytes(self.element(i)),
            Dtype::F32 => f64::from(f32::from_le_bytes(self.element(i))),
            Dtype::F16 => f16::from_le_bytes(self.element(i)).to_f64(),
            Dtype::BF16 => bf16::from_le_bytes(self.element(i)).to_f64(),
            Dtype::I64 => i64::from_le_bytes(self.element(i)) as f64,
            Dtype::U32 => f64::from(u32::from_le_bytes(self.element(i))),
            Dtype::U8 => f64::from(self.bytes[i]),
            other => panic!("{other} is no dtype of an operation"),
        }
    }

    /// Every element, widened as `at` widens one.
    pub fn to_f64(&self) -> Vec<f64> {
        (0..self.len()).map(|i| self.at(i)).collect()
    }

    /// The elements of an index tensor.
    ///
    /// # Panics
    /// For another dtype than i64 and u32.
    pub fn to_i64(&self) -> Vec<i64> {
        match self.dtype {
            Dtype::I64 => (0..self.len()).map(|i| i64::from_le_bytes(self.element(i))).collect(),
            Dtype::U32 => (0..self.len()).map(|i| i64::from(u32::from_le_bytes(self.element(i)))).collect(),
            other => panic!("{other} is no dtype of an index tensor"),
        }
    }

    /// The elements of a u32 tensor.
    ///
    /// # Panics
    /// For another dtype.
    pub fn to_u32(&self) -> Vec<u32> {
        assert_eq!(self.dtype, Dtype::U32);
        (0..self.len()).map(|i| u32::from_le_bytes(self.element(i))).collect()
    }

    /// Rows `first..first + rows` along the first axis.
    ///
    /// # Panics
    /// When there are not so many, or the tensor has no axis.
    #[must_use]
    pub fn rows(&self, first: usize, rows: usize) -> Self {
        let row_bytes = self.shape[1..].iter().product::<usize>() * element_bytes(self.dtype);
        let mut shape = self.shape.clone();
        shape[0] = rows;
        Self::new(self.dtype, shape, self.bytes[first * row_bytes..(first + rows) * row_bytes].to_vec())
    }

    fn element<const N: usize>(&self, i: usize) -> [u8; N] {
        self.bytes[i * N..][..N].try_into().expect("a slice of N bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_round_to_nearest_even_and_widen_exactly() {
        let values = [0.0, -0.0, 1.0, 1.0 + f64::powi(2.0, -9), 1e-45, 65519.9, f64::INFINITY, f64::NEG_INFINITY];
        let expected: [(Dtype, [f64; 8]); 3] = [
            (
                Dtype::F32,
                [0.0, -0.0, 1.0, 1.001953125, f64::powi(2.0, -149), 65519.8984375, f64::INFINITY, f64::NEG_INFINITY],
            ),
            (Dtype::F16, [0.0, -0.0, 1.0, 1.001953125, 0.0, 65504.0, f64::INFINITY, f64::NEG_INFINITY]),
            (Dtype::BF16, [0.0, -0.0, 1.0, 1.0, 0.0, 65536.0, f64::INFINITY, f64::NEG_INFINITY]),
        ];
        for (dtype, want) in expected {
            let got = Tensor::from_f64(dtype, [8], &values).to_f64();
            for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                assert_eq!(got.to_bits(), want.to_bits(), "{dtype} of {}", values[i]);
            }
        }
        assert!(Tensor::from_f64(Dtype::F16, [1], &[f64::NAN]).at(0).is_nan());
    }

    #[test]
    fn rows_are_cut_from_the_first_axis() {
        let tensor = Tensor::from_i64([3, 2], &[0, 1, 2, 3, 4, 5]);
        assert_eq!(tensor.rows(1, 2), Tensor::from_i64([2, 2], &[2, 3, 4, 5]));
        assert_eq!(tensor.rows(3, 0), Tensor::from_i64([0, 2], &[]));
    }
}
