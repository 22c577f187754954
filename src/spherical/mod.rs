//! Losses of a row of logits o in R^D with target class c, by way of s = Σ_k o_k, q = Σ_k o_k² and o_c; and their peer,
//! softmax cross entropy.
//!
//! | operation | in | out |
//! | --- | --- | --- |
//! | [`dense`] | `logits`, `targets` (`values`) | `loss`, `grad_logits` |
//! | [`softmax_cross_entropy`] | `logits`, `targets` | `loss`, `penalty`, `lse`, `grad_logits` |
//!
//! B is `rows`, D `classes`, K `targets_per_row`. mu = s/D, sigma² = q/D - mu², z_k = (o_k - mu)/sigma. A loss is
//! *spherical* when it depends on o through (s, q, o_c) alone: dL/do_k = L_s + 2 L_q o_k + \[k = c\] L_c.

pub mod dense;
pub mod softmax_cross_entropy;
mod targets;

pub use dense::{DenseConfig, Loss};
pub use softmax_cross_entropy::SoftmaxCrossEntropyConfig;
