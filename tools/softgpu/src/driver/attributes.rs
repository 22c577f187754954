//! What cuDeviceGetAttribute answers: the limits of a card of the capability, and no for what this device does not do.

use std::ffi::c_int;

use super::cards;
use super::types::CUdevice;
use crate::settings::machine;

/// What differs between cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) multiprocessors: u32,
    pub(crate) threads_per_multiprocessor: u32,
    pub(crate) blocks_per_multiprocessor: u32,
    /// Bytes.
    pub(crate) shared_per_multiprocessor: u32,
    /// Bytes that a block may have when its kernel asks for them.
    pub(crate) shared_per_block_optin: u32,
    pub(crate) l2_bytes: u32,
    pub(crate) clock_khz: u32,
    pub(crate) memory_clock_khz: u32,
    pub(crate) memory_bus_bits: u32,
    /// f32 operations for one of f64.
    pub(crate) single_to_double: u32,
}

impl Limits {
    /// Those of this device.
    pub(crate) fn current() -> Self {
        let machine = machine();
        machine.card.unwrap_or_else(|| cards::of(machine.capability)).limits
    }
}

pub(crate) const WARP_THREADS: u32 = 32;
pub(crate) const BLOCK_THREADS: u32 = 1024;
pub(crate) const BLOCK_DIMENSIONS: [u32; 3] = [1024, 1024, 64];
pub(crate) const GRID_DIMENSIONS: [u32; 3] = [i32::MAX as u32, 65_535, 65_535];
/// Bytes of shared memory that a block may have without asking.
pub(crate) const SHARED_PER_BLOCK: u32 = 48 << 10;
/// Bytes of shared memory that the driver takes of a multiprocessor for each resident block.
pub(crate) const SHARED_RESERVED: u32 = 1 << 10;
/// 32-bit registers of a multiprocessor, and of a block.
pub(crate) const REGISTERS: u32 = 64 << 10;
/// 32-bit registers of a thread.
pub(crate) const THREAD_REGISTERS: u32 = 255;

/// The value of an attribute by the number that cuda.h gives it; `None` where it gives none.
#[allow(clippy::match_same_arms, reason = "an attribute a line, by their numbers")]
pub(crate) fn attribute(number: u32, device: CUdevice) -> Option<c_int> {
    let (capability, limits) = (machine().capability, Limits::current());
    let value = match number {
        1 => BLOCK_THREADS,
        2..=4 => BLOCK_DIMENSIONS[number as usize - 2],
        5..=7 => GRID_DIMENSIONS[number as usize - 5],
        8 => SHARED_PER_BLOCK,
        9 => 64 << 10, // bytes of constant memory
        10 => WARP_THREADS,
        11 => i32::MAX as u32, // pitch of a copy
        12 | 82 => REGISTERS,
        13 => limits.clock_khz,
        14 | 30 => 512, // alignment of textures and surfaces
        16 => limits.multiprocessors,
        19 => 1,             // pinned memory is mapped
        31 => 1,             // concurrent kernels
        33 => device as u32, // the bus
        36 => limits.memory_clock_khz,
        37 => limits.memory_bus_bits,
        38 => limits.l2_bytes,
        39 => limits.threads_per_multiprocessor,
        41 => 1,  // unified addressing: an address says whether it is the host's
        51 => 32, // alignment of a texture's pitch
        50 => 0,  // the domain of the bus
        75 => capability.major,
        76 => capability.minor,
        78 => 1,      // stream priorities
        79 | 80 => 1, // caching in L1, of which this device knows nothing
        81 => limits.shared_per_multiprocessor,
        83 => 1, // managed memory
        87 => limits.single_to_double,
        89 => 1, // which the host may use while a kernel runs
        91 => 1, // registered memory has its own address
        95 => 1, // cooperative launch
        97 => limits.shared_per_block_optin,
        99 => 1, // registering memory
        106 => limits.blocks_per_multiprocessor,
        111 => SHARED_RESERVED,
        115 => 1,               // stream-ordered allocation
        134 => return Some(-1), // no NUMA node of the host is nearer than another
        // Everything else of cuda.h 13.0 is absent: textures and surfaces (21 to 29, 42 to 49, 52 to 74, 77), overlap of
        // copies (15, 40), pageable memory (88, 100), virtual memory management, exported handles, clusters, tensor maps,
        // multicast, and modes of the machine that do not apply.
        15
        | 17..=18
        | 20..=29
        | 32
        | 34..=35
        | 40
        | 42..=49
        | 52..=74
        | 77
        | 84..=86
        | 88
        | 90
        | 92..=94
        | 96
        | 98
        | 100..=105
        | 107..=110
        | 112..=114
        | 116..=133
        | 135..=147 => 0,
        _ => return None,
    };
    c_int::try_from(value).ok()
}
