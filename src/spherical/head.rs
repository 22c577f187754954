//! What the operations over a linear head share: tiles of rows by classes, as `cuda/common/matmul.cuh` has them.

use crate::bindings::LINEAR_TILE;
use crate::device::Kernel;
use crate::{Device, DevicePtr, Dtype, Result, check};

/// Rows, or classes, of a tile.
pub(super) const TILE: usize = LINEAR_TILE as usize;

/// A launch of fewer blocks leaves multiprocessors idle at its end.
pub(super) const BUSY_BLOCKS: usize = 432;

/// Threads of a block of tiles.
pub(super) fn threads(dtype: Dtype) -> u32 {
    if dtype == Dtype::F32 { 256 } else { 128 }
}

/// Shared memory of its stages.
pub(super) fn stage_bytes(dtype: Dtype) -> u32 {
    if dtype == Dtype::F32 { 96 << 10 } else { 64 << 10 }
}

/// Rows, or columns, of a small tile, and the threads of its block.
pub(super) const SMALL_TILE: usize = 64;
pub(super) const SMALL_THREADS: u32 = 128;

/// Shared memory of the stages of a small tile.
pub(super) fn small_stage_bytes(dtype: Dtype) -> u32 {
    if dtype == Dtype::F32 { 64 << 10 } else { 32 << 10 }
}

/// So many blocks of tiles.
pub(super) fn blocks_of(operation: &'static str, blocks: usize) -> Result<[u32; 3]> {
    Ok([check::to_u32(operation, "rows times classes in tiles", blocks)?, 1, 1])
}

/// Whether a kernel that wants its operands on 16 bytes can have these, with rows of `width`.
pub(super) fn are_aligned<const N: usize>(operands: [DevicePtr; N], width: usize, dtype: Dtype) -> bool {
    (width * dtype.size()).is_multiple_of(16) && operands.iter().all(|operand| operand.0.is_multiple_of(16))
}

/// A kernel for operands whose rows begin at multiples of 16 bytes, and one for any.
#[derive(Debug)]
pub(super) struct Copies {
    aligned: Kernel,
    any: Kernel,
}

impl Copies {
    pub(super) fn new(
        device: &Device,
        operation: &'static str,
        image: &'static [u8],
        name: &str,
        shared_bytes: u32,
    ) -> Result<Self> {
        let kernel = |name: &str| device.kernel(operation, image, name, shared_bytes);
        Ok(Self { aligned: kernel(name)?, any: kernel(&format!("{name}_unaligned"))? })
    }

    pub(super) fn choose(&self, are_aligned: bool) -> &Kernel {
        if are_aligned { &self.aligned } else { &self.any }
    }
}
