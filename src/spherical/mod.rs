//! Losses of a row of logits o in R^D with target class c, by way of s = Σ_k o_k, q = Σ_k o_k² and o_c; and their peer,
//! softmax cross entropy.
//!
//! | operation | in | out |
//! | --- | --- | --- |
//! | [`dense`] | `logits`, `targets` (`values`) | `loss`, `grad_logits` |
//! | [`softmax_cross_entropy`] | `logits`, `targets` | `loss`, `penalty`, `lse`, `grad_logits` |
//! | [`factored`] | `weight`, steps of `hidden`, `targets` (`values`) | `weight` after them, `loss`, `grad_hidden` |
//! | [`linear`] | `hidden`, `weight`, `targets` (`values`, `gram`, `row_sum`) | `loss`, `s`, `q`, `target_logits`, `grad_hidden` |
//! | [`linear_cross_entropy`] | `hidden`, `weight`, `targets` (`bias`, `segments`) | `loss`, `penalty`, `lse`, gradients of each |
//! | [`hierarchical_softmax`] | `hidden`, `weight`, `cluster_weight`, `cluster_offsets`, `targets` | `loss`, gradients of each |
//! | [`rank`] | `logits`, or `hidden` and `weight`; `targets` | `rank`, `hits` |
//!
//! B is `rows`, D `classes`, d `width`, K `targets_per_row`, S `segments`, C `clusters`. mu = s/D, sigma² = q/D - mu², z_k =
//! (o_k - mu)/sigma. A loss is *spherical* when it depends on o through (s, q, o_c) alone: dL/do_k = L_s + 2 L_q o_k +
//! \[k = c\] L_c.

pub mod dense;
pub mod factored;
mod head;
pub mod hierarchical_softmax;
pub mod linear;
pub mod linear_cross_entropy;
mod product;
pub mod rank;
mod reducer;
mod rows;
mod softmax;
pub mod softmax_cross_entropy;
mod sums;
mod targets;

pub use dense::{Dense, DenseConfig, DenseOutputs, DensePointers, DenseTensors, Loss};
pub use factored::{
    Condition, Factored, FactoredConfig, FactoredLayer, FactoredOutputs, FactoredPointers, FactoredTensors,
};
pub use hierarchical_softmax::{
    HierarchicalSoftmax, HierarchicalSoftmaxConfig, HierarchicalSoftmaxOutputs, HierarchicalSoftmaxPointers,
    HierarchicalSoftmaxTensors,
};
pub use linear::{Gram, GramPointers, Linear, LinearConfig, LinearOutputs, LinearPointers, LinearTensors};
pub use linear_cross_entropy::{
    LinearCrossEntropy, LinearCrossEntropyConfig, LinearCrossEntropyOutputs, LinearCrossEntropyPointers,
    LinearCrossEntropyTensors,
};
pub use rank::{Rank, RankConfig, RankOutputs, RankPointers, RankTensors};
pub use softmax_cross_entropy::{
    SoftmaxCrossEntropy, SoftmaxCrossEntropyConfig, SoftmaxCrossEntropyOutputs, SoftmaxCrossEntropyPointers,
    SoftmaxCrossEntropyTensors,
};

use crate::Dtype;
use crate::bindings::{INDEX_I64, INDEX_U32};

/// The number of `targets` in a status.
const TARGETS_TENSOR: u32 = 1;
/// The number of a singular step in a status.
const STEP_TENSOR: u32 = 3;
/// The number of `segments` in a status.
const SEGMENTS_TENSOR: u32 = 2;
/// The number of `cluster_offsets` in a status.
const OFFSETS_TENSOR: u32 = 4;

/// The dtype of `targets` as kernels are told it.
fn index_dtype(dtype: Dtype) -> u32 {
    if dtype == Dtype::U32 { INDEX_U32 } else { INDEX_I64 }
}
