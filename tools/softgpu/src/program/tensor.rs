//! Operations of the tensor cores, and moves of matrices: the whole warp's.

use super::{Address, Slot};
use crate::numerics::Rounding;
use crate::numerics::sums::Sums;
use crate::ptx::ast::Space;

/// A tensor-core or matrix-move operation, its registers in the order of the ISA's fragments.
#[derive(Clone, Debug)]
pub(crate) struct TensorOp {
    pub(crate) form: TensorForm,
    pub(crate) d: Vec<Slot>,
    pub(crate) a: Vec<Slot>,
    pub(crate) b: Vec<Slot>,
    pub(crate) c: Vec<Slot>,
    /// Of ldmatrix and stmatrix: the row address of each lane, in shared memory. Of wmma.load and wmma.store: the matrix.
    pub(crate) space: Space,
    pub(crate) address: Address,
    pub(crate) offset: i64,
    /// Of a product: where the elements of the fragments go.
    pub(crate) places: Places,
    /// wmma.load and wmma.store: elements from one row (or column) to the next; absent: they lie without gaps.
    pub(crate) stride: Option<Slot>,
}

/// By register, lane and element within the register: row and column as two bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) a: Vec<u16>,
    pub(crate) b: Vec<u16>,
    pub(crate) c: Vec<u16>,
    pub(crate) d: Vec<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TensorForm {
    /// mma.sync, wmma.mma.
    Product(Product),
    /// ldmatrix .x1, .x2, .x4, and .trans, of 8 x 8 matrices of 16-bit elements.
    LoadMatrix { matrices: u8, transposed: bool },
    /// stmatrix, likewise.
    StoreMatrix { matrices: u8, transposed: bool },
    /// movmatrix.trans.
    MoveMatrix,
    /// wmma.load.
    LoadFragment(Fragment),
    /// wmma.store.
    StoreFragment(Fragment),
}

/// What the elements of a matrix are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Element {
    F16,
    BF16,
    /// An f32 whose lower 13 bits do not count.
    Tf32,
    E4M3,
    E5M2,
    F32,
    F64,
    S8,
    U8,
    S4,
    U4,
    B1,
    S32,
}

/// The elements that PTX names.
const NAMES: [(&str, Element); 13] = [
    ("f16", Element::F16),
    ("bf16", Element::BF16),
    ("tf32", Element::Tf32),
    ("e4m3", Element::E4M3),
    ("e5m2", Element::E5M2),
    ("f32", Element::F32),
    ("f64", Element::F64),
    ("s8", Element::S8),
    ("u8", Element::U8),
    ("s4", Element::S4),
    ("u4", Element::U4),
    ("b1", Element::B1),
    ("s32", Element::S32),
];

impl Element {
    pub(crate) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, element)| *element)
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, element)| *element == self).map_or("", |(name, _)| name)
    }

    pub(crate) fn bits(self) -> usize {
        match self {
            Self::B1 => 1,
            Self::S4 | Self::U4 => 4,
            Self::S8 | Self::U8 | Self::E4M3 | Self::E5M2 => 8,
            Self::F16 | Self::BF16 => 16,
            Self::Tf32 | Self::F32 | Self::S32 => 32,
            Self::F64 => 64,
        }
    }

    /// Elements of one register; a register of f64 has 64 bits, all others 32.
    pub(crate) fn per_register(self) -> usize {
        (32 / self.bits()).max(1)
    }
}

/// Rows of A and D, columns of B and D, and what they have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
}

impl Shape {
    /// `m16n8k16`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (m, rest) = text.strip_prefix('m')?.split_once('n')?;
        let (n, k) = rest.split_once('k')?;
        Some(Self { m: m.parse().ok()?, n: n.parse().ok()?, k: k.parse().ok()? })
    }
}

/// Which matrix of D = A B + C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    A,
    B,
    /// C and D.
    C,
}

/// How a product of single bits is formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bitwise {
    Xor,
    And,
}

/// How the elements of a matrix are dealt out to the lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// By the figures of the ISA for mma.
    Mma,
    /// mma.m8n8k4 of f16: four products by quarters of the warp; whether A and B lie by columns in their registers.
    Quarters { a_by_columns: bool, b_by_columns: bool },
    /// wmma: the ISA leaves it open.
    Wmma,
}

/// D = A B + C.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) shape: Shape,
    pub(crate) layout: Layout,
    pub(crate) a: Element,
    pub(crate) b: Element,
    pub(crate) c: Element,
    pub(crate) d: Element,
    /// Of integers: whether the sum stops at the limits of s32.
    pub(crate) saturates: bool,
    pub(crate) bitwise: Option<Bitwise>,
    /// Of f64.
    pub(crate) rounding: Rounding,
    /// Of the narrower formats.
    pub(crate) sums: Sums,
}

impl Product {
    /// Rows and columns of a matrix; of single bits, in words of 32.
    pub(crate) fn matrix(&self, side: Side) -> (usize, usize) {
        let Shape { m, n, k } = self.shape;
        let k = if self.a == Element::B1 { k / 32 } else { k };
        match side {
            Side::A => (m, k),
            Side::B => (k, n),
            Side::C => (m, n),
        }
    }
}

/// A matrix that wmma loads or stores; of single bits, by words of 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) element: Element,
    /// Elements of a column, not of a row, are neighbours in memory.
    pub(crate) by_columns: bool,
    /// Bits in which the distance from one line to the next is counted.
    pub(crate) stride_bits: u64,
}
