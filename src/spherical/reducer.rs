//! The launches of a reduction around an operation's row kernels.

use crate::bindings::{REDUCTION_THREADS, ReductionDenominatorParams, ReductionSumParams};
use crate::device::{Kernel, Stream};
use crate::fatbin::fatbin;
use crate::{Device, Reduction, Result};

/// The kernels of `mean` and `sum`; none for `none`.
#[derive(Debug)]
pub(super) struct Reducer {
    operation: &'static str,
    denominator: Option<Kernel>,
    sum: Option<Kernel>,
}

impl Reducer {
    pub(super) fn new(device: &Device, operation: &'static str, reduction: Reduction) -> Result<Self> {
        let kernel = |name| device.kernel(operation, fatbin!("spherical/reduction"), name, 0);
        let denominator = (reduction == Reduction::Mean).then(|| kernel("reduction_denominator")).transpose()?;
        let sum = (reduction != Reduction::None).then(|| kernel("reduction_sum")).transpose()?;
        Ok(Self { operation, denominator, sum })
    }

    /// Before the row kernels, which divide their gradients by it.
    ///
    /// # Safety
    /// `params` points to what its header says.
    pub(super) unsafe fn denominator(&self, stream: Stream, params: &ReductionDenominatorParams) -> Result<()> {
        let Some(kernel) = &self.denominator else { return Ok(()) };
        // SAFETY: the kernel's own struct; the caller vouches for it.
        unsafe { kernel.launch(self.operation, stream, [1, 1, 1], REDUCTION_THREADS, params) }
    }

    /// After the row kernels.
    ///
    /// # Safety
    /// `params` points to what its header says.
    pub(super) unsafe fn sum(&self, stream: Stream, params: &ReductionSumParams) -> Result<()> {
        let Some(kernel) = &self.sum else { return Ok(()) };
        let blocks = if params.row_penalties.is_null() { 1 } else { 2 };
        // SAFETY: the kernel's own struct; the caller vouches for it.
        unsafe { kernel.launch(self.operation, stream, [blocks, 1, 1], REDUCTION_THREADS, params) }
    }
}
