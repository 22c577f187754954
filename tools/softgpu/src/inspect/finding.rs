//! What is wrong with a kernel or a launch, and where.

use std::fmt;

/// One thing that the device found, with everything needed to find it in the source.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// The kernel's entry point.
    pub kernel: String,
    /// Line of the PTX text, from 1; 0 where no instruction is to blame.
    pub ptx_line: u32,
    /// The instruction as the PTX has it.
    pub instruction: String,
    /// Source places from `-lineinfo`, the innermost first, each inlined at the next.
    pub source: Vec<SourceLine>,
    /// The block, x y z.
    pub block: [u32; 3],
    /// The thread in its block, x y z.
    pub thread: [u32; 3],
    /// How many other lanes and launches of this instruction had the same finding.
    pub repeated: u64,
}

/// A line of a source file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SourceLine {
    /// As the compiler was given it.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// The function that was inlined here, demangled by nobody.
    pub function: Option<String>,
}

/// An allocation, as a finding names it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// Which one: `allocation 3 (4096 bytes)`, `variable table`, `shared memory`, `host memory`.
    pub name: String,
    /// Bytes from its start; negative before it.
    pub offset: i64,
    /// Its size.
    pub bytes: u64,
}

/// Kinds of findings.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// An access outside every allocation (or outside shared, local or parameter memory).
    OutOfBounds {
        #[doc = "load, store, atomic, copy"]
        access: String,
        #[doc = "its width"]
        bytes: u32,
        #[doc = "where"]
        address: u64,
        #[doc = "the nearest allocation"]
        near: Option<Place>,
    },
    /// An access to memory that was freed.
    UseAfterFree {
        #[doc = "load, store, atomic, copy"]
        access: String,
        #[doc = "its width"]
        bytes: u32,
        #[doc = "where"]
        address: u64,
        #[doc = "what it was"]
        near: Place,
    },
    /// A pointer of the host, handed to a kernel.
    HostPointer {
        #[doc = "load, store, atomic, copy"]
        access: String,
        #[doc = "its width"]
        bytes: u32,
        #[doc = "where"]
        address: u64,
    },
    /// An address that is not a multiple of the access's width.
    Misaligned {
        #[doc = "load, store, atomic, copy"]
        access: String,
        #[doc = "its width"]
        bytes: u32,
        #[doc = "where"]
        address: u64,
        #[doc = "in what"]
        near: Option<Place>,
    },
    /// A read of memory that nothing has written.
    Uninitialised {
        #[doc = "load, atomic, copy"]
        access: String,
        #[doc = "its width"]
        bytes: u32,
        #[doc = "where"]
        address: u64,
        #[doc = "in what"]
        near: Option<Place>,
    },
    /// A barrier that a part of the block does not reach, or reaches at another instruction.
    BarrierDivergence {
        #[doc = "in words: who waits where, who does not"]
        detail: String,
    },
    /// A `.sync` instruction whose mask names lanes that never come, or lacks the lane itself.
    MaskMismatch {
        #[doc = "in words"]
        detail: String,
    },
    /// trap, assert, or a call that cannot be made.
    Trap {
        #[doc = "in words: the assertion and its place"]
        detail: String,
    },
    /// The launch ran longer than its budget of instructions.
    Watchdog {
        #[doc = "warp instructions executed"]
        executed: u64,
    },
    /// Every block waits for another.
    Deadlock {
        #[doc = "each block's place"]
        detail: String,
    },
    /// Leaves the kernel with asynchronous copies in flight, or reads one before its wait.
    AsyncCopy {
        #[doc = "in words"]
        detail: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}
