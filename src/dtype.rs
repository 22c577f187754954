//! The dtypes of tensors.

use std::fmt;

/// The dtype of a tensor. Displayed as in the names of kernels: `f32`, `f16`, `bf16`, `i64`, `u32`, `u8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// IEEE binary32.
    F32,
    /// IEEE binary16.
    F16,
    /// bfloat16: the upper half of an f32.
    Bf16,
    /// 64-bit signed integers.
    I64,
    /// 32-bit unsigned integers.
    U32,
    /// 8-bit unsigned integers.
    U8,
}

impl Dtype {
    /// What an `f` tensor of an operation may be.
    pub const FLOATS: [Self; 3] = [Self::F32, Self::F16, Self::Bf16];
    /// What an index tensor may be.
    pub const INDICES: [Self; 2] = [Self::I64, Self::U32];

    /// Bytes of an element.
    pub const fn size(self) -> usize {
        match self {
            Self::I64 => 8,
            Self::F32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::U8 => 1,
        }
    }

    /// The name, as `Display` writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I64 => "i64",
            Self::U32 => "u32",
            Self::U8 => "u8",
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
