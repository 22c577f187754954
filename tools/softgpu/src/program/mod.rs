//! A decoded module: what the executor runs. `decode` makes it from a parsed one; nothing of the text is left but names.
//!
//! Registers are bits: a *slot* is 32 lanes of 32 bits, one `[u32; 32]` of the warp's register file. 8- and 16-bit values
//! and predicates take one slot (a 16-bit value is zero-extended; a predicate lane is 0 or !0), 32-bit ones one, 64-bit
//! ones two that follow each other and are read as one `[u64; 32]`. PTX types live in the operation, never in the slot.
//! Since the lanes of two widths lie differently, a slot is only ever used with one: lanes that have diverged may be at
//! places where different registers live in it. Windows of functions that lanes of one warp are in at the same time must
//! therefore be apart.
//! Constants and special registers have slots of their own, filled when a warp enters the function, so that an operation
//! knows slots alone.

pub(crate) mod contract;
mod control_flow;
mod decode;
mod slots;
mod tensor;

#[cfg(test)]
pub(crate) use decode::decode;
pub(crate) use decode::decode_for;
pub(crate) use tensor::{Bitwise, Element, Fragment, Layout, Places, Product, Shape, Side, TensorForm, TensorOp};

use std::sync::Arc;

use crate::inspect::{Class, FloatType};
use crate::isa::Row;
use crate::ptx::ast::{Location, Sources, Space, Special};
use crate::races::clocks::Reach;

/// Index of a register slot within a function's window of the register file.
pub(crate) type Slot = u16;
/// No slot: an absent guard, destination or operand.
pub(crate) const NONE: Slot = Slot::MAX;

/// What one lane can do alone, on all 32: reads `op.s`, writes `op.d`.
///
/// # Safety
/// `regs` is the function's window of a register file that covers every slot that `op` names, aligned to 64 bytes, and
/// the processor has the features that the instance was compiled for.
pub(crate) type LaneFn = unsafe fn(regs: *mut u32, op: &Op);

/// One operation: 32 bytes.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(crate) struct Op {
    /// For [`Kind::Lanes`]; a function that panics otherwise.
    pub(crate) lanes: LaneFn,
    pub(crate) kind: Kind,
    pub(crate) guard_negated: bool,
    /// The predicate under which lanes take part, or [`NONE`].
    pub(crate) guard: Slot,
    pub(crate) d: [Slot; 2],
    pub(crate) s: [Slot; 4],
    /// By kind: an index into a side table, a target, a count.
    pub(crate) extra: u32,
    /// Of [`Kind::Lanes`]: whether each result takes two slots.
    pub(crate) wide: [bool; 2],
}

impl Op {
    /// An operation that runs a row, unguarded and by itself.
    pub(crate) fn lanes(row: &Row, level: usize, d: [Slot; 2], s: [Slot; 4]) -> Self {
        let wide = [0, 1].map(|i| row.results.get(i) == Some(&8));
        Op { lanes: row.lanes[level], kind: Kind::Lanes, guard_negated: false, guard: NONE, d, s, extra: 1, wide }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// `op.lanes`. `extra`: how many such operations there are from this one on, without a guard, up to the block's end.
    Lanes,
    /// `extra`: index into [`Program::accesses`].
    Load,
    Store,
    Atomic,
    /// cp.async of 4, 8 or 16 bytes; `extra` as for a load; s[0] shared address, s[1] global address (through the two
    /// `Access` bases: destination in `Access::base`, source in `Access::source`), s[2] source size or NONE.
    CopyAsync,
    CopyCommit,
    /// `extra`: groups that may stay in flight; `u32::MAX` for wait_all.
    CopyWait,
    /// mma, wmma, ldmatrix, stmatrix, movmatrix: `extra` indexes [`Program::tensor_ops`].
    Tensor,
    /// `extra`: op index of the target. Unguarded: every lane.
    Branch,
    /// brx.idx: s[0] the index; `extra` indexes [`Program::branch_tables`].
    BranchIndexed,
    /// `extra` indexes [`Program::calls`].
    Call,
    /// From a function to its caller; from a kernel: exit.
    Return,
    Exit,
    Trap,
    /// Ends the kernel's thread with a breakpoint: reported as a trap.
    Breakpoint,
    /// `extra` indexes [`Program::barriers`].
    Barrier,
    /// bar.warp.sync: s[0] the member mask.
    WarpBarrier,
    /// `extra` indexes [`Program::mbarriers`]. d[0] state or predicate; s[0] count, state or parity.
    Mbarrier,
    /// isspacep: d[0] predicate, s[0] address; `extra` indexes [`Program::spaces`].
    IsSpace,
    /// elect.sync: d[0] the leader, d[1] whether the lane is it; s[1] the member mask.
    Elect,
    /// membar, fence. `extra`: 0 cta, 1 gpu, 2 system.
    Fence,
    /// `extra`: 0 up, 1 down, 2 bfly, 3 idx. d[0] value, d[1] predicate or NONE; s: value, lane, clamp, member mask.
    Shuffle,
    /// `extra`: 0 all, 1 any, 2 uni, 3 ballot. d[0]; s[0] predicate (may be negated: guard of its own slot), s[1] mask.
    Vote,
    /// `extra`: 0 any.b32, 1 any.b64, 2 all.b32, 3 all.b64. d[0] mask, d[1] predicate; s[0] value, s[1] mask.
    Match,
    /// `extra`: [`Redux`] as u32. d[0]; s[0] value, s[1] mask.
    Redux,
    ActiveMask,
    Nanosleep,
    /// d[0] gets a special register that changes as the warp runs; `extra` indexes [`Program::dynamic_specials`].
    ReadSpecial,
    /// Accepted and without effect: prefetch, cache hints, griddepcontrol where it cannot wait.
    Nop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Redux {
    Add,
    MinU,
    MaxU,
    MinS,
    MaxS,
    And,
    Or,
    Xor,
}

/// Where an address comes from; the access's `offset` is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// A 32-bit slot (shared and local addresses may be held in one).
    Slot32(Slot),
    Slot64(Slot),
    /// Known at decode: an offset into the space (param, shared, local frame), or an absolute address.
    Constant,
    /// A module variable in global or constant memory: its address is known once the module is loaded.
    Variable(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtomicOp {
    Add,
    Min,
    Max,
    Inc,
    Dec,
    And,
    Or,
    Xor,
    Exchange,
    CompareAndSwap,
}

/// How a memory element or an atomic's operand is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    Bits,
    Unsigned,
    Signed,
    F16,
    BF16,
    F16x2,
    BF16x2,
    F32,
    F64,
}

/// A load, store, atomic or asynchronous copy.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) space: Space,
    pub(crate) base: Address,
    pub(crate) offset: i64,
    /// cp.async: where from (always global).
    pub(crate) source: Address,
    pub(crate) source_offset: i64,
    /// Bytes of one element: 1, 2, 4, 8 or 16.
    pub(crate) element_bytes: u8,
    /// 1, 2, 4 or 8.
    pub(crate) elements: u8,
    pub(crate) number: Number,
    /// A destination or source register of 64 bits takes two slots (even for a narrower element, which is widened by
    /// `number`).
    pub(crate) register_bytes: u8,
    /// Element by element: destinations of a load, sources of a store, NONE for `_`. An atomic: [result or NONE].
    pub(crate) registers: [Slot; 8],
    /// An atomic's operands: b, and c for compare-and-swap.
    pub(crate) operands: [Slot; 2],
    pub(crate) atomic: Option<AtomicOp>,
    /// .volatile, .relaxed, .acquire, .release, .acq_rel: what a spinning block polls with.
    pub(crate) strong: bool,
    /// .release and .acq_rel: as with a fence before it, of this scope.
    pub(crate) releases: Option<Reach>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BarrierKind {
    Sync,
    Arrive,
    /// bar.red.popc / and / or: d[0]; s[2] the predicate.
    ReducePopc,
    ReduceAnd,
    ReduceOr,
}

/// bar.sync, barrier.sync, bar.arrive, bar.red: s[0] the barrier's number, s[1] the thread count or NONE for all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Barrier {
    pub(crate) kind: BarrierKind,
    /// `bar` and `barrier.*.aligned`: all lanes of the warp together.
    pub(crate) aligned: bool,
}

/// An operation on an mbarrier object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mbarrier {
    pub(crate) action: MbarrierAction,
    /// `.relaxed`: an arrival releases nothing, a test acquires nothing.
    pub(crate) relaxed: bool,
    pub(crate) space: Space,
    pub(crate) address: Address,
    pub(crate) offset: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MbarrierAction {
    Init,
    Invalidate,
    /// arrive, arrive_drop, and .noComplete.
    Arrive {
        drops: bool,
        completes: bool,
    },
    /// test_wait, try_wait.
    Test {
        parity: bool,
    },
    /// cp.async.mbarrier.arrive; with .noinc the arrivals are not counted beforehand.
    CopiesArrive {
        counted: bool,
    },
}

/// Arguments and results are copied between local frames: an argument is a `.param` variable of the caller's frame and a
/// parameter of the callee's.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) target: CallTarget,
    /// (offset in the caller's frame, offset in the callee's, bytes); for a builtin the callee's offsets pack the
    /// arguments in order, each at its natural alignment.
    pub(crate) arguments: Vec<(u32, u32, u32)>,
    /// (offset in the callee's frame, offset in the caller's, bytes).
    pub(crate) results: Vec<(u32, u32, u32)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallTarget {
    /// Index into [`Program::functions`].
    Function(u32),
    /// A 64-bit slot that holds a function's address ([`FUNCTION_BASE`]).
    Indirect(Slot),
    Builtin(Builtin),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    Vprintf,
    Assertfail,
    Malloc,
    Free,
}

/// Local memory of a thread, which is the card's limit too (CUDA Programming Guide, "Technical Specifications per Compute
/// Capability").
pub(crate) const MOST_LOCAL_BYTES: u64 = 512 << 10;

/// A function's address is this plus 16 times its index.
pub(crate) const FUNCTION_BASE: u64 = 0x0000_6f00_0000_0000;

/// What a constant slot is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Constant {
    /// Broadcast into one slot.
    Bits32(u32),
    /// Broadcast into two.
    Bits64(u64),
    /// The global address of module variable n, plus an offset: two slots.
    Variable(u32, i64),
    /// The address of a function: two slots.
    Function(u32),
    /// An offset in the function's local frame, which the executor makes absolute within local memory: two slots.
    Local(u64),
}

/// A straight run of operations.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// First op; the block ends where the next begins.
    pub(crate) first: u32,
    /// Ops by class: what one execution of the block adds to the counters.
    pub(crate) classes: Vec<(Class, u32)>,
    /// Floating-point operations of a lane, likewise.
    pub(crate) flops: Vec<(FloatType, u32)>,
}

/// Where an op came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) ptx_line: u32,
    /// Index into [`Program::locations`].
    pub(crate) location: Option<u32>,
}

/// A kernel or a device function.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: Arc<str>,
    pub(crate) is_entry: bool,
    /// Its ops are contiguous in [`Program::ops`]; they begin at `first_op`, in reverse post-order with loops contiguous,
    /// so that "lower op index" is "earlier in block order".
    pub(crate) first_op: u32,
    /// Size of its register window.
    pub(crate) slots: u32,
    pub(crate) constants: Vec<(Slot, Constant)>,
    /// Special registers that do not change while a thread runs.
    pub(crate) specials: Vec<(Slot, Special)>,
    /// Offset and bytes of each parameter: in the launch's argument buffer for a kernel, in the local frame for a
    /// function.
    pub(crate) params: Vec<Parameter>,
    pub(crate) param_bytes: u32,
    /// Local memory of one call: parameters and returns (functions), `.local` and call-scope `.param` variables.
    pub(crate) frame_bytes: u32,
    /// Static shared memory of a kernel (its own and the module's); dynamic shared memory follows, aligned to 16.
    pub(crate) shared_bytes: u32,
    pub(crate) max_threads: Option<[u32; 3]>,
    pub(crate) required_threads: Option<[u32; 3]>,
    pub(crate) min_blocks: Option<u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) offset: u32,
    pub(crate) bytes: u32,
}

/// A module variable in global or constant memory.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) name: Arc<str>,
    pub(crate) space: Space,
    pub(crate) bytes: u64,
    /// What it starts with where that is not zero: bytes, and the offset of the first. Where two overlap, the later one
    /// holds.
    pub(crate) initial: Vec<(u64, Vec<u8>)>,
    /// (byte offset, whose address), applied when the module is loaded.
    pub(crate) relocations: Vec<(u64, Relocation)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relocation {
    Variable(u32, i64),
    Function(u32),
}

/// A decoded module.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) functions: Vec<Function>,
    pub(crate) ops: Vec<Op>,
    /// One per op.
    pub(crate) sites: Vec<Site>,
    /// All functions' blocks, ascending; `block_of` gives an op's.
    pub(crate) blocks: Vec<Block>,
    /// One per op: index into `blocks`.
    pub(crate) block_of: Vec<u32>,
    pub(crate) accesses: Vec<Access>,
    pub(crate) tensor_ops: Vec<TensorOp>,
    pub(crate) barriers: Vec<Barrier>,
    pub(crate) mbarriers: Vec<Mbarrier>,
    /// What isspacep asks for.
    pub(crate) spaces: Vec<Space>,
    pub(crate) calls: Vec<Call>,
    /// brx.idx: op indices.
    pub(crate) branch_tables: Vec<Vec<u32>>,
    pub(crate) dynamic_specials: Vec<Special>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) locations: Vec<Location>,
    /// What locations name.
    pub(crate) sources: Sources,
}
