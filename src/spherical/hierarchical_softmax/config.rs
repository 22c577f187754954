//! What a `spherical.hierarchical_softmax` is made for.

use super::{CARD, OP};
use crate::operations::Parameters;
use crate::{Dtype, Reduction, Result, check};

/// What a `spherical.hierarchical_softmax` is made for. The defaults: f32, no rows of one class in one cluster, a width of 1,
/// i64 targets, rows with target -100 ignored, no reduction, with the gradient of hidden alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HierarchicalSoftmaxConfig {
    /// Of `hidden`, `weight`, `cluster_weight` and their gradients: f32, f16 or bf16.
    pub dtype: Dtype,
    /// Of `targets`: i64 or u32.
    pub index_dtype: Dtype,
    /// B, from 0 to 2³¹ - 1.
    pub rows: usize,
    /// D, from 1 to 2³¹ - 1.
    pub classes: usize,
    /// C, from 1 to 2³¹ - 1.
    pub clusters: usize,
    /// d, from 1 to 2³¹ - 1.
    pub width: usize,
    /// The target that marks an ignored row: its loss and gradient are 0, and it is no term of any sum.
    pub ignore_index: i64,
    /// What becomes of the losses of the rows.
    pub reduction: Reduction,
    /// Whether any gradient is written.
    pub need_grad: bool,
    /// Whether, with `need_grad`, `grad_weight` and `grad_cluster_weight` are written.
    pub need_grad_weight: bool,
    /// Of these two: none for that of `weight`, or f32.
    pub grad_weight_dtype: Option<Dtype>,
}

impl Default for HierarchicalSoftmaxConfig {
    fn default() -> Self {
        Self {
            dtype: Dtype::F32,
            index_dtype: Dtype::I64,
            rows: 0,
            classes: 1,
            clusters: 1,
            width: 1,
            ignore_index: -100,
            reduction: Reduction::None,
            need_grad: true,
            need_grad_weight: false,
            grad_weight_dtype: None,
        }
    }
}

impl HierarchicalSoftmaxConfig {
    /// The same sizes and dtypes with the parameters of the operation's card.
    #[must_use]
    pub fn with(self, parameters: &Parameters) -> Self {
        let grad_weight_dtype = match parameters.choice("grad_weight_dtype") {
            Some("f32") => Some(Dtype::F32),
            Some(_) => None,
            None => self.grad_weight_dtype,
        };
        Self {
            ignore_index: parameters.integer("ignore_index").unwrap_or(self.ignore_index),
            reduction: parameters.choice("reduction").and_then(Reduction::named).unwrap_or(self.reduction),
            need_grad: parameters.boolean("need_grad").unwrap_or(self.need_grad),
            need_grad_weight: parameters.boolean("need_grad_weight").unwrap_or(self.need_grad_weight),
            grad_weight_dtype,
            ..self
        }
    }

    /// Whether `grad_weight` and `grad_cluster_weight` are written.
    pub(super) fn has_grad_weight(&self) -> bool {
        self.need_grad && self.need_grad_weight
    }

    /// The dtype of these two.
    pub(super) fn dtype_of_grad_weight(&self) -> Dtype {
        self.grad_weight_dtype.unwrap_or(self.dtype)
    }

    /// Every field lies in its range.
    pub(super) fn check(&self) -> Result<()> {
        check::dtype(OP, "hidden", self.dtype, &Dtype::FLOATS)?;
        check::dtype(OP, "targets", self.index_dtype, &Dtype::INDICES)?;
        let of_grad_weight: &[Dtype] = if self.dtype == Dtype::F32 { &[Dtype::F32] } else { &[self.dtype, Dtype::F32] };
        check::dtype(OP, "grad_weight", self.dtype_of_grad_weight(), of_grad_weight)?;
        check::size(CARD, "rows", self.rows)?;
        check::size(CARD, "classes", self.classes)?;
        check::size(CARD, "clusters", self.clusters)?;
        check::size(CARD, "width", self.width)
    }
}
