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

/// Who takes part in a finding, beside the thread that it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Party {
    /// load, store, atomic, copy.
    pub access: String,
    /// Line of the PTX text, from 1.
    pub ptx_line: u32,
    /// The instruction as the PTX has it.
    pub instruction: String,
    /// Source places, the innermost first, each inlined at the next.
    pub source: Vec<SourceLine>,
    /// The block, x y z.
    pub block: [u32; 3],
    /// The thread in its block, x y z.
    pub thread: [u32; 3],
}

/// Two accesses that meet on a byte and that nothing orders. Which one is the earlier is chance.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Race {
    /// load, store, atomic, copy: the later access, which the finding is about.
    pub access: String,
    /// Its width.
    pub bytes: u32,
    /// The first byte on which the two meet.
    pub address: u64,
    /// In what.
    pub near: Option<Place>,
    /// The earlier access.
    pub earlier: Party,
}

/// Bits of memory that a shuffled schedule leaves otherwise than the launch in turn.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ScheduleDependence {
    /// Where: the first that differs.
    pub address: u64,
    /// Up to 4 bytes.
    pub bytes: u32,
    /// In what.
    pub near: Option<Place>,
    /// The seed of the schedule that differs.
    pub seed: u64,
    /// In turn, and by the seed.
    pub bits: [u32; 2],
    /// Who wrote them last in turn; unknown when races were not looked for.
    pub in_turn: Option<Party>,
    /// Who wrote them last by the seed.
    pub shuffled: Option<Party>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Bad style, at worst.
    Warning,
    /// The kernel, or its launch, is wrong.
    Error,
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
    /// A race on shared memory, between threads of a block.
    SharedRace(Race),
    /// A race on global memory, between blocks or between warps of a block.
    GlobalRace(Race),
    /// Two stores that race and write the same bits: a warning.
    EqualWrites(Race),
    /// What the launch writes depends on the order in which blocks, warps and lanes are run.
    ScheduleDependent(ScheduleDependence),
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

impl FindingKind {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        if matches!(self, Self::EqualWrites(_)) { Severity::Warning } else { Severity::Error }
    }
}

impl Finding {
    /// As an object of JSON: its fields by their names, the kind as an object of one field that is named after it.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("a finding has only strings for keys")
    }
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
            Self::SharedRace(race) | Self::GlobalRace(race) => {
                write!(f, "race: {} and {} that nothing orders", race, article(&race.earlier.access))
            }
            Self::EqualWrites(race) => write!(f, "warning: {race} and a store that nothing orders, of the same bits"),
            Self::ScheduleDependent(it) => {
                let digits = 2 * it.bytes as usize;
                write!(f, "the schedule decides on {} bytes at {:#x}", it.bytes, it.address)?;
                it.near.as_ref().map_or(Ok(()), |near| write!(f, ", {near}"))?;
                let [in_turn, shuffled] = it.bits;
                write!(f, ": {in_turn:0digits$x} in turn, {shuffled:0digits$x} by seed {}", it.seed)
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

impl fmt::Display for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes at {:#x}", self.access, self.bytes, self.address)?;
        self.near.as_ref().map_or(Ok(()), |near| write!(f, ", {near},"))
    }
}

fn article(noun: &str) -> String {
    format!("{} {noun}", if noun.starts_with('a') { "an" } else { "a" })
}

/// An instruction's place in the source, if that is known, and in the PTX: from the line of the kernel inwards.
fn write_place(f: &mut fmt::Formatter<'_>, source: &[SourceLine], ptx_line: u32, instruction: &str) -> fmt::Result {
    if let Some((outer, inner)) = source.split_last() {
        write!(f, "\n  at       {}:{}", outer.file, outer.line)?;
        for line in inner.iter().rev() {
            write!(f, "\n  inlined  {}:{}", line.file, line.line)?;
        }
    }
    if ptx_line != 0 {
        write!(f, "\n  ptx      line {ptx_line}: {instruction}")?;
    }
    Ok(())
}

/// The other thread of a finding.
fn write_party(f: &mut fmt::Formatter<'_>, role: &str, party: &Party) -> fmt::Result {
    let ([bx, by, bz], [tx, ty, tz]) = (party.block, party.thread);
    write!(f, "\n  {role:<8} {} by", article(&party.access))?;
    write!(f, " block ({bx}, {by}, {bz}), thread ({tx}, {ty}, {tz})")?;
    write_place(f, &party.source, party.ptx_line, &party.instruction)
}

/// Like a compiler's error: what, then where.
///
/// ```text
/// out-of-bounds load of 4 bytes at 0x700000001000, 0 bytes past the end of allocation 2 (4096 bytes)
///   kernel   row_sums_f32_v1, block (3, 0, 0), thread (17, 0, 0)
///   at       cuda/spherical/row_sums.cu:54
///   inlined  cuda/spherical/row_sums.cu:31
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
        write_place(f, &self.source, self.ptx_line, &self.instruction)?;
        match &self.kind {
            FindingKind::SharedRace(race) | FindingKind::GlobalRace(race) | FindingKind::EqualWrites(race) => {
                write_party(f, "after", &race.earlier)?;
            }
            FindingKind::ScheduleDependent(ScheduleDependence { in_turn: Some(party), .. }) => {
                write_party(f, "in turn", party)?;
            }
            _ => {}
        }
        if self.repeated != 0 {
            write!(f, "\n  and      {} more times", self.repeated)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn race() -> Finding {
        let line = |line| vec![SourceLine { file: "x.cu".into(), line, function: None }];
        let earlier = Party {
            access: "store".into(),
            ptx_line: 40,
            instruction: "st.shared.u32 [%r1], %r2;".into(),
            source: line(7),
            block: [2, 0, 0],
            thread: [1, 0, 0],
        };
        let near = Place { name: "shared memory (128 bytes)".into(), offset: 4, bytes: 128 };
        let race = Race { access: "load".into(), bytes: 4, address: 4, near: Some(near), earlier };
        Finding {
            kind: FindingKind::SharedRace(race),
            kernel: "k".into(),
            ptx_line: 44,
            instruction: "ld.shared.u32 %r3, [%r1];".into(),
            source: line(9),
            block: [2, 0, 0],
            thread: [0, 0, 0],
            repeated: 3,
        }
    }

    #[test]
    fn json() {
        let expected = serde_json::json!({
            "kind": { "shared_race": {
                "access": "load", "bytes": 4, "address": 4,
                "near": { "name": "shared memory (128 bytes)", "offset": 4, "bytes": 128 },
                "earlier": {
                    "access": "store", "ptx_line": 40, "instruction": "st.shared.u32 [%r1], %r2;",
                    "source": [{ "file": "x.cu", "line": 7, "function": null }],
                    "block": [2, 0, 0], "thread": [1, 0, 0],
                },
            } },
            "kernel": "k", "ptx_line": 44, "instruction": "ld.shared.u32 %r3, [%r1];",
            "source": [{ "file": "x.cu", "line": 9, "function": null }],
            "block": [2, 0, 0], "thread": [0, 0, 0], "repeated": 3,
        });
        assert_eq!(race().to_json(), expected);
        assert_eq!(race().kind.severity(), Severity::Error);
    }

    #[test]
    fn both_parties_of_a_race_are_named() {
        let text = "race: load of 4 bytes at 0x4, byte 4 of shared memory (128 bytes), and a store that nothing orders
  kernel   k, block (2, 0, 0), thread (0, 0, 0)
  at       x.cu:9
  ptx      line 44: ld.shared.u32 %r3, [%r1];
  after    a store by block (2, 0, 0), thread (1, 0, 0)
  at       x.cu:7
  ptx      line 40: st.shared.u32 [%r1], %r2;
  and      3 more times";
        assert_eq!(race().to_string(), text);
    }
}
