//! How many blocks of a kernel a multiprocessor holds, by the published limits.

use serde::Serialize;

use super::cards::Multiprocessor;

const WARP_THREADS: u32 = 32;
/// Registers are given to a warp in pieces of this many, from the quarter of them that its scheduler has.
const REGISTER_PIECE: u32 = 256;
/// Shared memory is given in pieces of this many bytes, of which the driver takes some for each block.
const SHARED_PIECE: u32 = 128;
const SHARED_RESERVED: u32 = 1024;

/// What a block takes of its multiprocessor.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Threads.
    pub threads: u32,
    /// 32-bit registers of a thread.
    pub registers: u32,
    /// Static and dynamic.
    pub shared_bytes: u32,
}

/// What a multiprocessor holds of a kernel at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Occupancy {
    /// Blocks; 0 when one does not fit.
    pub blocks: u32,
    /// Their warps.
    pub warps: u32,
    /// The warps by those that the multiprocessor could hold.
    pub share: f64,
    /// What allows no more blocks.
    pub bound_by: &'static str,
}

impl Occupancy {
    /// Of a kernel's block.
    pub fn of(block: Block, has: &Multiprocessor) -> Self {
        let whole = |figure: &super::cards::Figure| figure.0 as u32;
        let warps = block.threads.div_ceil(WARP_THREADS).max(1);
        let of_scheduler = whole(&has.registers) / whole(&has.schedulers);
        let of_warp = (block.registers * WARP_THREADS).next_multiple_of(REGISTER_PIECE);
        let by_registers =
            of_scheduler.checked_div(of_warp).map_or(u32::MAX, |resident| resident * whole(&has.schedulers) / warps);
        let shared = (block.shared_bytes + SHARED_RESERVED).next_multiple_of(SHARED_PIECE);
        let fits = block.shared_bytes <= whole(&has.shared_bytes_of_block);
        let by_shared = if fits { whole(&has.shared_bytes) / shared } else { 0 };
        let limits = [
            (whole(&has.warps) / warps, "warps"),
            (whole(&has.blocks), "blocks"),
            (by_registers, "registers"),
            (by_shared, "shared memory"),
        ];
        // The first of those that allow as few.
        let (blocks, bound_by) = limits.into_iter().min_by_key(|(blocks, _)| *blocks).unwrap_or((0, ""));
        Self { blocks, warps: blocks * warps, share: f64::from(blocks * warps) / has.warps.0, bound_by }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::cards::architecture;

    /// By hand, from the tables of the programming guide.
    #[test]
    fn by_hand() {
        for (name, threads, registers, shared_bytes, blocks, warps, bound_by) in [
            // 64 warps of 32 registers: 1,024 x 64 = 65,536, all of them.
            ("sm_80", 256, 32, 0, 8, 64, "warps"),
            // 80 registers: 2,560 a warp, 6 in a quarter of 16,384, so 24 warps, 3 blocks of 8.
            ("sm_80", 256, 80, 0, 3, 24, "registers"),
            // 167,936 / (62,400 + 1,024, to 63,488) = 2.6.
            ("sm_80", 320, 63, 62_400, 2, 20, "shared memory"),
            ("sm_86", 320, 63, 62_400, 1, 10, "shared memory"),
            ("sm_90a", 320, 63, 62_400, 3, 30, "registers"),
            ("sm_86", 32, 16, 0, 16, 16, "blocks"),
            ("sm_89", 32, 16, 0, 24, 24, "blocks"),
            ("sm_120", 1024, 32, 0, 1, 32, "warps"),
            ("sm_120", 128, 32, 101_377, 0, 0, "shared memory"),
        ] {
            let got = Occupancy::of(Block { threads, registers, shared_bytes }, architecture(name).unwrap());
            assert_eq!(
                (got.blocks, got.warps, got.bound_by),
                (blocks, warps, bound_by),
                "{name} {threads} {registers}"
            );
        }
    }
}
