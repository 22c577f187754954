//! Runs a launch: the blocks of a grid on the cores of the host.
//!
//! `grid` hands blocks to workers, `block` runs the warps of a block between barriers, `warp` keeps the groups of lanes
//! that a warp diverged into and holds the loop over operations. What an operation does that needs memory or the warp is
//! a function of [`crate::isa`], by the chapters of the PTX ISA.

pub(crate) mod block;
pub(crate) mod findings;
pub(crate) mod format;
pub(crate) mod grid;
pub(crate) mod module;
pub(crate) mod printed;
pub(crate) mod registers;
pub(crate) mod schedule;
pub(crate) mod tally;
pub(crate) mod warp;

pub(crate) use module::Module;

use crate::inspect::counters::Counters;
use crate::inspect::finding::{Finding, Party};
use crate::isa::races::access_name;
use crate::memory::Memory;
use crate::races::Earlier;
use crate::settings::Checks;

/// How a context's launches run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Threads of the host; 0 for one per core.
    pub(crate) workers: usize,
    /// Warp instructions after which a block is taken not to end.
    pub(crate) watchdog: u64,
    pub(crate) checks: Checks,
    /// Shuffles blocks, warps and lanes; in turn without.
    pub(crate) seed: Option<u64>,
    /// Findings that a report keeps.
    pub(crate) findings: usize,
    /// Multiprocessors of the device: with each kernel's occupancy they bound how many blocks are resident at once.
    pub(crate) multiprocessors: u32,
    /// Of a thread, in bytes: what its calls take of local memory and of registers must fit.
    pub(crate) stack_bytes: u64,
    /// Of a launch: of more that it prints, the last stay.
    pub(crate) printf_bytes: usize,
    /// Whether the report has the lines that ran.
    pub(crate) lines: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 0,
            watchdog: 2_000_000_000,
            checks: Checks::default(),
            seed: None,
            findings: 100,
            multiprocessors: 108,
            stack_bytes: 64 << 10,
            printf_bytes: 1 << 20,
            lines: false,
        }
    }
}

/// One kernel launch, its limits checked by the caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) module: &'a Module,
    /// Index into the program's functions: an entry.
    pub(crate) function: u32,
    /// Blocks as x, y, z, each at least 1.
    pub(crate) grid: [u32; 3],
    /// Threads of a block as x, y, z; at most 1024 together.
    pub(crate) block: [u32; 3],
    pub(crate) dynamic_shared_bytes: u32,
    /// The kernel's parameters at their offsets: at least `param_bytes` of them.
    pub(crate) params: &'a [u8],
    pub(crate) memory: &'a Memory,
    pub(crate) settings: &'a Settings,
}

/// Why a launch came to an end before its kernel did. What is wrong is in the findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    IllegalAddress,
    MisalignedAddress,
    /// An assertion of the kernel.
    Assert,
    /// trap, a call that cannot be made, or lanes that can never go on.
    LaunchFailed,
    /// Blocks that wait for ever, or a loop that does not end.
    Timeout,
}

/// What became of a launch.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// By block, the first of each instruction and kind; the same however many workers ran.
    pub(crate) findings: Vec<Finding>,
    /// Complete unless the launch failed; then they cover what had run.
    pub(crate) counters: Counters,
    /// What `printf` and `assert` wrote, in the order of the blocks: the last bytes of it, as many as the settings allow.
    pub(crate) printed: String,
    /// The first failure by block.
    pub(crate) failure: Option<Failure>,
    /// The number that its stamps have.
    pub(crate) number: u64,
    /// Lines of PTX that some warp came to, where they are asked for.
    pub(crate) lines: Vec<u32>,
}

/// Runs a launch to its end.
pub(crate) fn run(launch: &Launch<'_>) -> Report {
    grid::run(launch)
}

/// Who made an access.
pub(crate) fn party(launch: &Launch<'_>, &Earlier { block, thread, op, writes }: &Earlier) -> Party {
    let module = launch.module;
    let (ptx_line, instruction) = module.instruction(op);
    Party {
        access: access_name(module.program.ops[op as usize].kind, writes).to_owned(),
        ptx_line,
        instruction,
        source: module.source(op),
        block: findings::unflatten(block, launch.grid),
        thread: findings::unflatten(u64::from(thread), launch.block),
    }
}

/// Who wrote a byte last in a launch that has just run, by its number; unknown when races were not looked for.
pub(crate) fn writer(launch: &Launch<'_>, number: u64, address: u64) -> Option<Party> {
    let (store, offset) = launch.memory.store(address)?;
    let writer = store.races.get()?.writer(number, offset)?;
    Some(party(launch, &writer))
}

#[cfg(test)]
mod tests;
