//! What the device has to say of a launch, as data: findings and counters.

pub mod counters;
pub mod finding;
mod flops;

pub use flops::FloatType;
pub(crate) use flops::flops;

/// Classes of instructions that are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Class {
    /// Integer and logic, comparisons and selections of integers.
    Integer,
    /// f32 add, mul, min, max, compare: one flop a lane.
    Fp32,
    /// f32 fma: two flops a lane.
    Fp32Fma,
    /// f16 and bf16 arithmetic, a lane; packed forms count once.
    Fp16,
    /// f64.
    Fp64,
    /// ex2, lg2, rcp, rsqrt, sqrt, sin, cos, tanh: the special-function unit.
    Special,
    /// cvt.
    Convert,
    /// mov, selp, packing.
    Move,
    /// Loads, stores, asynchronous copies; counted further by their bytes.
    Memory,
    /// Atomics and reductions in memory.
    Atomic,
    /// shfl, vote, match, redux, activemask.
    Warp,
    /// mma, ldmatrix.
    Tensor,
    /// Branches, calls, returns.
    Control,
    /// Barriers, fences.
    Sync,
}
