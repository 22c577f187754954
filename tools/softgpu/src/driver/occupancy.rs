//! How many blocks of a kernel a multiprocessor holds at once.

use std::ffi::{c_int, c_uint};

use super::attributes::{Limits, REGISTERS, SHARED_RESERVED, WARP_THREADS};
use super::context::current;
use super::error::{Answer, CUDA_ERROR_INVALID_VALUE};
use super::function::Function;
use super::handle::Handle;
use super::types::Out;

/// Shared memory is given in pieces of this many bytes.
const SHARED_PIECE: u32 = 128;
/// Registers are given to a warp in pieces of this many.
const REGISTER_PIECE: u32 = 256;

/// Blocks that a multiprocessor holds: by their number, their warps, their registers and their shared memory.
pub(crate) fn blocks_per_multiprocessor(function: &Function, threads: u32, dynamic_shared_bytes: u32) -> u32 {
    let limits = Limits::current();
    let warps = threads.div_ceil(WARP_THREADS);
    let shared = function.kernel().shared_bytes.saturating_add(dynamic_shared_bytes);
    if warps == 0 || shared > limits.shared_per_block_optin {
        return 0;
    }
    let by_warps = limits.threads_per_multiprocessor / WARP_THREADS / warps;
    let by_shared = limits.shared_per_multiprocessor / (shared + SHARED_RESERVED).next_multiple_of(SHARED_PIECE);
    let warp_registers = (function.registers() * WARP_THREADS).next_multiple_of(REGISTER_PIECE);
    let by_registers = REGISTERS.checked_div(warp_registers).map_or(u32::MAX, |resident_warps| resident_warps / warps);
    limits.blocks_per_multiprocessor.min(by_warps).min(by_shared).min(by_registers)
}

fn blocks(function: &Function, threads: c_int, dynamic_shared_bytes: usize) -> Answer<c_int> {
    let threads = u32::try_from(threads).ok().filter(|&threads| threads > 0).ok_or(CUDA_ERROR_INVALID_VALUE)?;
    let bytes = u32::try_from(dynamic_shared_bytes).unwrap_or(u32::MAX);
    if threads > function.max_threads() {
        return Ok(0);
    }
    Ok(blocks_per_multiprocessor(function, threads, bytes).cast_signed())
}

/// The block size, a multiple of a warp, that keeps most threads resident, the largest of several; and the grid that fills
/// the device with it.
fn potential(
    grid: Out<c_int>,
    block: Out<c_int>,
    function: Handle<Function>,
    shared_of_block: Option<unsafe extern "C" fn(c_int) -> usize>,
    dynamic_shared_bytes: usize,
    limit: c_int,
) -> Answer {
    current()?;
    let function = function.get()?;
    grid.check()?;
    block.check()?;
    let limit = match u32::try_from(limit) {
        Ok(0) => function.max_threads(),
        Ok(limit) => limit.min(function.max_threads()),
        Err(_) => return Err(CUDA_ERROR_INVALID_VALUE),
    };
    let whole_warps = (WARP_THREADS..=limit).step_by(WARP_THREADS as usize);
    let mut best = (0, 0, 0);
    for threads in whole_warps.chain((!limit.is_multiple_of(WARP_THREADS)).then_some(limit)) {
        let threads = threads.cast_signed();
        // SAFETY: the caller hands over the function to be called with a block size.
        let bytes = shared_of_block.map_or(dynamic_shared_bytes, |of| unsafe { of(threads) });
        let blocks = blocks(&function, threads, bytes)?;
        best = best.max((blocks * threads, threads, blocks));
    }
    let (_, threads, blocks) = best;
    if blocks == 0 {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    block.set(threads)?;
    grid.set(blocks * Limits::current().multiprocessors.cast_signed())
}

const DISABLE_CACHING_OVERRIDE: c_uint = 1;

fn check_flags(flags: c_uint) -> Answer {
    if flags & !DISABLE_CACHING_OVERRIDE == 0 { Ok(()) } else { Err(CUDA_ERROR_INVALID_VALUE) }
}

api! {
    /// Blocks of a kernel that a multiprocessor holds at once.
    fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
        count: Out<c_int>,
        function: Handle<Function>,
        threads: c_int,
        dynamic_shared_bytes: usize,
    ) {
        current()?;
        count.check()?;
        count.set(blocks(&*function.get()?, threads, dynamic_shared_bytes)?)
    }

    /// As [`cuOccupancyMaxActiveBlocksPerMultiprocessor`]; the flag speaks of caches.
    fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
        count: Out<c_int>,
        function: Handle<Function>,
        threads: c_int,
        dynamic_shared_bytes: usize,
        flags: c_uint,
    ) {
        current()?;
        count.check()?;
        check_flags(flags)?;
        count.set(blocks(&*function.get()?, threads, dynamic_shared_bytes)?)
    }

    /// The block size that keeps most threads resident, and the grid that fills the device.
    fn cuOccupancyMaxPotentialBlockSize(
        grid: Out<c_int>,
        block: Out<c_int>,
        function: Handle<Function>,
        shared_of_block: Option<unsafe extern "C" fn(threads: c_int) -> usize>,
        dynamic_shared_bytes: usize,
        limit: c_int,
    ) {
        potential(grid, block, function, shared_of_block, dynamic_shared_bytes, limit)
    }

    /// As [`cuOccupancyMaxPotentialBlockSize`]; the flag speaks of caches.
    fn cuOccupancyMaxPotentialBlockSizeWithFlags(
        grid: Out<c_int>,
        block: Out<c_int>,
        function: Handle<Function>,
        shared_of_block: Option<unsafe extern "C" fn(threads: c_int) -> usize>,
        dynamic_shared_bytes: usize,
        limit: c_int,
        flags: c_uint,
    ) {
        current()?;
        check_flags(flags)?;
        potential(grid, block, function, shared_of_block, dynamic_shared_bytes, limit)
    }

    /// Dynamic shared memory that a block may have when `blocks` of them share a multiprocessor.
    fn cuOccupancyAvailableDynamicSMemPerBlock(
        bytes: Out<usize>,
        function: Handle<Function>,
        blocks: c_int,
        threads: c_int,
    ) {
        current()?;
        bytes.check()?;
        let function = function.get()?;
        let wanted = u32::try_from(blocks).ok().filter(|&blocks| blocks > 0).ok_or(CUDA_ERROR_INVALID_VALUE)?;
        if self::blocks(&function, threads, 0)? < blocks {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        let limits = Limits::current();
        let share = limits.shared_per_multiprocessor / wanted / SHARED_PIECE * SHARED_PIECE;
        let most = share.saturating_sub(SHARED_RESERVED).min(limits.shared_per_block_optin);
        bytes.set(most.saturating_sub(function.kernel().shared_bytes) as usize)
    }
}
