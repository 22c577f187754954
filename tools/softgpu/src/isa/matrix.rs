//! PTX ISA, "Warp Level Matrix Multiply-Accumulate Instructions": mma and ldmatrix, as the whole warp executes them. The
//! arithmetic and the layouts stand in `tensor_core`.

use super::access;
use super::sync::whole_warp;
use super::tensor_core;
use crate::execute::registers::row;
use crate::execute::tally::Direction;
use crate::execute::warp::{Flow, Step, Stopped};
use crate::program::{NONE, Op, TensorForm, TensorOp};
use crate::ptx::ast::Space;

/// Bytes of a row of a matrix of 8 x 8 16-bit elements.
const ROW_BYTES: u64 = 16;

/// An `.aligned` operation of the tensor cores: all lanes of the warp, or it waits for the others.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
pub(crate) unsafe fn tensor(step: &mut Step<'_, '_>, op: &Op, mask: u32) -> Result<Flow, Stopped> {
    if !whole_warp(step, mask) {
        return Ok(Flow::Leave);
    }
    let operation = &step.worker.grid.program.tensor_ops[op.extra as usize];
    step.worker.tally.tensor[op.extra as usize] += 1;
    // SAFETY: the caller's.
    unsafe {
        match operation.form {
            TensorForm::LoadMatrix { matrices, transposed } => {
                ldmatrix(step, operation, usize::from(matrices), transposed)?;
            }
            _ => tensor_core::mma(step.regs, operation),
        }
    }
    Ok(Flow::Next)
}

/// ldmatrix: lane 8 m + r has the address of row r of matrix m.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
unsafe fn ldmatrix(step: &mut Step<'_, '_>, op: &TensorOp, matrices: usize, transposed: bool) -> Result<(), Stopped> {
    // SAFETY: the caller's, here and below.
    let addresses = unsafe { access::addresses(step, Space::Shared, op.address, op.offset) };
    let named = (u64::MAX >> (64 - 8 * matrices)) as u32;
    let spans = access::by_lane(step, Space::Shared, "load", &addresses, named, ROW_BYTES)?;
    access::count_by_lane(step, Direction::Load, &spans, &addresses, ROW_BYTES);
    let mut rows = [[0; 16]; 32];
    for (lane, span) in spans.iter().enumerate() {
        let Some(span) = span else { continue };
        if !span.written(ROW_BYTES) {
            access::report_unwritten(step, "load", span, addresses[lane], ROW_BYTES, lane);
        }
        access::check_landed(step, span, ROW_BYTES, lane);
        // SAFETY: the span was checked for the row.
        rows[lane] = unsafe { span.at.cast::<[u8; 16]>().read() };
    }
    for (rows, &slot) in rows.as_chunks::<8>().0.iter().zip(&op.d) {
        let dealt = tensor_core::ldmatrix_distribute(rows, transposed);
        if slot != NONE {
            // SAFETY: as above; `whole_warp` has found all live lanes here, and of the others nobody reads.
            unsafe { *row(step.regs, slot) = dealt };
        }
    }
    Ok(())
}
