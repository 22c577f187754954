//! What is wrong with a kernel or a launch, and where.

use std::fmt;

/// One thing that the device found, with everything needed to find it in the source.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// The kernel's entry point; empty where none is to blame.
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

impl Finding {
    /// One that no kernel is to blame for.
    pub(crate) fn of_no_kernel(kind: FindingKind) -> Self {
        Self {
            kind,
            kernel: String::new(),
            ptx_line: 0,
            instruction: String::new(),
            source: Vec::new(),
            block: [0; 3],
            thread: [0; 3],
            repeated: 0,
        }
    }
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
    /// An access to the memory of another device that nobody has enabled.
    PeerAccess {
        #[doc = "load, store, atomic, copy"]
        access: String,
        #[doc = "its width"]
        bytes: u32,
        #[doc = "where"]
        address: u64,
        #[doc = "whose memory it is"]
        device: u32,
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
    /// What a context still held as it ended. No kernel is to blame.
    Leak {
        #[doc = "`allocation 3 (4096 bytes)`, `a stream`"]
        object: String,
        #[doc = "its size, of memory"]
        bytes: Option<u64>,
        #[doc = "the driver's function that made it"]
        made_by: String,
        #[doc = "counts the calls of the thread that made it, from 1"]
        call: u64,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.cast_signed();
        if self.offset < 0 {
            write!(f, "{} bytes before {}", -self.offset, self.name)
        } else if self.offset < bytes {
            write!(f, "byte {} of {}", self.offset, self.name)
        } else {
            write!(f, "{} bytes past the end of {}", self.offset - bytes, self.name)
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBounds { access, bytes, address, near } => {
                write!(f, "out-of-bounds {access} of {bytes} bytes at {address:#x}, ")?;
                match near {
                    None => f.write_str("where nothing is allocated"),
                    Some(near) if (0..near.bytes.cast_signed()).contains(&near.offset) => {
                        write!(f, "across the end of {}", near.name)
                    }
                    Some(near) => near.fmt(f),
                }
            }
            Self::UseAfterFree { access, bytes, address, near } => {
                write!(f, "{access} of {bytes} bytes at {address:#x} after it was freed: {near}")
            }
            Self::HostPointer { access, bytes, address } => {
                write!(f, "{access} of {bytes} bytes at {address:#x}, which is memory of the host")
            }
            Self::PeerAccess { access, bytes, address, device } => {
                write!(
                    f,
                    "{access} of {bytes} bytes at {address:#x}, memory of device {device}, without peer access to it"
                )
            }
            Self::Leak { object, made_by, call, .. } => {
                write!(f, "{object} was never given back\n  made by  {made_by}, call {call} of its thread")
            }
            Self::Misaligned { access, bytes, address, near } => {
                write!(f, "misaligned {access} of {bytes} bytes at {address:#x}")?;
                near.as_ref().map_or(Ok(()), |near| write!(f, ", {near}"))
            }
            Self::Uninitialised { access, bytes, address, near } => {
                write!(f, "{access} of {bytes} bytes at {address:#x} that nothing has written")?;
                near.as_ref().map_or(Ok(()), |near| write!(f, ", {near}"))
            }
            Self::BarrierDivergence { detail }
            | Self::MaskMismatch { detail }
            | Self::Trap { detail }
            | Self::Deadlock { detail }
            | Self::AsyncCopy { detail } => f.write_str(detail),
            Self::Watchdog { executed } => {
                write!(f, "a block has executed {executed} warp instructions and does not end")
            }
        }
    }
}

/// Like a compiler's error: what, then where.
///
/// ```text
/// out-of-bounds load of 4 bytes at 0x700000001000, 0 bytes past the end of allocation 2 (4096 bytes)
///   kernel   row_sums_f32_v1, block (3, 0, 0), thread (17, 0, 0)
///   at       cuda/spherical/row_sums.cu:31 (inlined at cuda/spherical/row_sums.cu:54)
///   ptx      line 120: ld.global.nc.f32 %f1, [%rd4];
///   and      31 more times
/// ```
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([bx, by, bz], [tx, ty, tz]) = (self.block, self.thread);
        self.kind.fmt(f)?;
        if self.kernel.is_empty() {
            return Ok(());
        }
        write!(f, "\n  kernel   {}, block ({bx}, {by}, {bz}), thread ({tx}, {ty}, {tz})", self.kernel)?;
        if let Some((first, outer)) = self.source.split_first() {
            write!(f, "\n  at       {}:{}", first.file, first.line)?;
            for call in outer {
                write!(f, " (inlined at {}:{})", call.file, call.line)?;
            }
        }
        if self.ptx_line != 0 {
            write!(f, "\n  ptx      line {}: {}", self.ptx_line, self.instruction)?;
        }
        if self.repeated != 0 {
            write!(f, "\n  and      {} more times", self.repeated)?;
        }
        Ok(())
    }
}
