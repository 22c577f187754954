//! The instruction forms that need memory, the warp or the program counter: one line for each, as the ISA prints it. What
//! a lane can do alone is a row of the other tables.
//!
//! A line is an opcode's parts in order. A plain part must be there; `[a|b]` may be one of these or nothing; `(a|b)` must
//! be one of them. `SPACE`, `TYPE`, `VECTOR` and `OPERATION` stand for the lists below. Parts in brackets that follow each
//! other without a plain part between them may come in any order: nvcc and Triton differ in how they order a scope and an
//! order.

use crate::inspect::Class;
use crate::program::{AtomicOp, BarrierKind, Number, Redux, TensorForm};
use crate::ptx::ast::Space;

/// What an opcode means, before its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Load(AccessForm),
    Store(AccessForm),
    Atomic(AccessForm),
    /// `red`: an atomic without a result.
    Reduce(AccessForm),
    /// cp.async of this many bytes.
    CopyAsync {
        bytes: u8,
    },
    CopyCommit,
    /// Its first operand is the number of groups that may stay in flight.
    CopyWait,
    CopyWaitAll,
    /// The numbers are those of [`crate::program::Kind`].
    Shuffle(u32),
    Vote(u32),
    Match(u32),
    Redux(Redux),
    ActiveMask,
    Branch,
    BranchIndexed,
    Call,
    Return,
    Exit,
    Trap,
    Breakpoint,
    Barrier {
        kind: BarrierKind,
        aligned: bool,
    },
    WarpBarrier,
    Fence(u32),
    Nanosleep,
    LoadMatrix {
        matrices: u8,
        transposed: bool,
    },
    Mma(TensorForm),
    /// cvta, and cvta.to with `to`; `bytes` of the address.
    ConvertAddress {
        to: bool,
        space: Space,
        bytes: u8,
    },
    /// Accepted, without effect.
    Nop,
    /// createpolicy: the result is a cache policy, which has no effect.
    Policy,
}

/// What an access's opcode says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccessForm {
    pub(crate) space: Space,
    pub(crate) element_bytes: u8,
    pub(crate) elements: u8,
    pub(crate) number: Number,
    pub(crate) atomic: Option<AtomicOp>,
    /// One more operand follows, a cache policy.
    pub(crate) cache_hint: bool,
    pub(crate) strong: bool,
    pub(crate) acquire: bool,
    pub(crate) release: bool,
}

/// What a line of the table makes.
#[derive(Clone, Copy)]
enum Makes {
    /// From the opcode's parts.
    By(fn(&[&str]) -> Form),
    Just(Form),
}
use Makes::{By, Just};

const SPACE: &str = "global|shared|shared::cta|local|const|param|param::entry|param::func";
const TYPE: &str = "b8|b16|b32|b64|b128|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64";
const VECTOR: &str = "v2|v4|v8";
const OPERATION: &str = "and|or|xor|cas|exch|add|inc|dec|min|max";
const NUMBER: &str = "b32|b64|u32|u64|s32|s64|f16|f16x2|bf16|bf16x2|f32|f64";
const ORDER: &str = "relaxed|acquire|release|acq_rel";
const SCOPE: &str = "cta|cluster|gpu|sys";
const EVICTION: &str = "L1::evict_normal|L1::evict_unchanged|L1::evict_first|L1::evict_last|L1::no_allocate";
const HINT: &str = "L2::cache_hint";
const PREFETCH: &str = "L2::64B|L2::128B|L2::256B";

/// Every form, by the chapters of the ISA.
const FORMS: &[(&str, Makes)] = &[
    // Data Movement and Conversion Instructions: ld, st, ldu
    (
        "ld [weak|volatile|relaxed|acquire] [SCOPE] [SPACE] [nc] [ca|cg|cs|lu|cv] [EVICTION] [HINT] [PREFETCH] [VECTOR] (TYPE)",
        By(load),
    ),
    ("st [weak|volatile|relaxed|release] [SCOPE] [SPACE] [wb|cg|cs|wt] [EVICTION] [HINT] [VECTOR] (TYPE)", By(store)),
    ("ldu [global] [VECTOR] (TYPE)", By(load)),
    ("prefetch [global|local] (L1|L2)", Just(Form::Nop)),
    ("prefetch global (L2::evict_last|L2::evict_normal)", Just(Form::Nop)),
    ("prefetchu L1", Just(Form::Nop)),
    ("applypriority global L2::evict_normal", Just(Form::Nop)),
    ("discard global L2", Just(Form::Nop)),
    (
        "createpolicy fractional (L2::evict_last|L2::evict_normal|L2::evict_first|L2::evict_unchanged) [L2::evict_unchanged|L2::evict_first] b64",
        Just(Form::Policy),
    ),
    ("cvta (global|shared|shared::cta|local|const|param) (u32|u64)", By(convert_address)),
    ("cvta to (global|shared|shared::cta|local|const|param) (u32|u64)", By(convert_address)),
    // cp.async
    ("cp async ca (shared|shared::cta) global [HINT] [PREFETCH]", Just(Form::CopyAsync { bytes: 0 })),
    ("cp async cg (shared|shared::cta) global [HINT] [PREFETCH]", Just(Form::CopyAsync { bytes: 16 })),
    ("cp async commit_group", Just(Form::CopyCommit)),
    ("cp async wait_group", Just(Form::CopyWait)),
    ("cp async wait_all", Just(Form::CopyWaitAll)),
    // Warp level: shfl, vote, match, redux, activemask
    ("shfl sync up b32", Just(Form::Shuffle(0))),
    ("shfl sync down b32", Just(Form::Shuffle(1))),
    ("shfl sync bfly b32", Just(Form::Shuffle(2))),
    ("shfl sync idx b32", Just(Form::Shuffle(3))),
    ("vote sync all pred", Just(Form::Vote(0))),
    ("vote sync any pred", Just(Form::Vote(1))),
    ("vote sync uni pred", Just(Form::Vote(2))),
    ("vote sync ballot b32", Just(Form::Vote(3))),
    ("match any sync b32", Just(Form::Match(0))),
    ("match any sync b64", Just(Form::Match(1))),
    ("match all sync b32", Just(Form::Match(2))),
    ("match all sync b64", Just(Form::Match(3))),
    ("redux sync add (u32|s32)", Just(Form::Redux(Redux::Add))),
    ("redux sync min u32", Just(Form::Redux(Redux::MinU))),
    ("redux sync max u32", Just(Form::Redux(Redux::MaxU))),
    ("redux sync min s32", Just(Form::Redux(Redux::MinS))),
    ("redux sync max s32", Just(Form::Redux(Redux::MaxS))),
    ("redux sync and b32", Just(Form::Redux(Redux::And))),
    ("redux sync or b32", Just(Form::Redux(Redux::Or))),
    ("redux sync xor b32", Just(Form::Redux(Redux::Xor))),
    ("activemask b32", Just(Form::ActiveMask)),
    // Control Flow Instructions
    ("bra [uni]", Just(Form::Branch)),
    ("brx idx [uni]", Just(Form::BranchIndexed)),
    ("call [uni]", Just(Form::Call)),
    ("ret [uni]", Just(Form::Return)),
    ("exit", Just(Form::Exit)),
    ("trap", Just(Form::Trap)),
    ("brkpt", Just(Form::Breakpoint)),
    // Parallel Synchronization and Communication Instructions: bar, barrier, membar, fence, atom, red
    ("bar [cta] sync", Just(Form::Barrier { kind: BarrierKind::Sync, aligned: true })),
    ("bar [cta] arrive", Just(Form::Barrier { kind: BarrierKind::Arrive, aligned: true })),
    ("bar [cta] red popc u32", Just(Form::Barrier { kind: BarrierKind::ReducePopc, aligned: true })),
    ("bar [cta] red and pred", Just(Form::Barrier { kind: BarrierKind::ReduceAnd, aligned: true })),
    ("bar [cta] red or pred", Just(Form::Barrier { kind: BarrierKind::ReduceOr, aligned: true })),
    ("barrier [cta] sync [aligned]", By(|parts| barrier(parts, BarrierKind::Sync))),
    ("barrier [cta] arrive [aligned]", By(|parts| barrier(parts, BarrierKind::Arrive))),
    ("barrier [cta] red popc [aligned] u32", By(|parts| barrier(parts, BarrierKind::ReducePopc))),
    ("barrier [cta] red and [aligned] pred", By(|parts| barrier(parts, BarrierKind::ReduceAnd))),
    ("barrier [cta] red or [aligned] pred", By(|parts| barrier(parts, BarrierKind::ReduceOr))),
    ("bar warp sync", Just(Form::WarpBarrier)),
    ("membar cta", Just(Form::Fence(0))),
    ("membar gl", Just(Form::Fence(1))),
    ("membar sys", Just(Form::Fence(2))),
    ("fence [sc|acq_rel|acquire|release] (SCOPE)", By(fence)),
    ("atom [ORDER] [SCOPE] [SPACE] (OPERATION) [ORDER] [SCOPE] [noftz] [HINT] (NUMBER)", By(atomic)),
    ("red [ORDER] [SCOPE] [SPACE] (OPERATION) [ORDER] [SCOPE] [noftz] [HINT] (NUMBER)", By(reduce)),
    // Warp Level Matrix Instructions
    ("ldmatrix sync aligned m8n8 (x1|x2|x4) [trans] (shared|shared::cta) b16", By(load_matrix)),
    (
        "mma sync aligned m16n8k16 row col f32 bf16 bf16 f32",
        Just(Form::Mma(TensorForm::MmaM16N8K16 { number: Number::BF16 })),
    ),
    (
        "mma sync aligned m16n8k16 row col f32 f16 f16 f32",
        Just(Form::Mma(TensorForm::MmaM16N8K16 { number: Number::F16 })),
    ),
    (
        "mma sync aligned m16n8k8 row col f32 bf16 bf16 f32",
        Just(Form::Mma(TensorForm::MmaM16N8K8 { number: Number::BF16 })),
    ),
    (
        "mma sync aligned m16n8k8 row col f32 f16 f16 f32",
        Just(Form::Mma(TensorForm::MmaM16N8K8 { number: Number::F16 })),
    ),
    ("mma sync aligned m16n8k8 row col f32 tf32 tf32 f32", Just(Form::Mma(TensorForm::MmaM16N8K8Tf32))),
    // Miscellaneous Instructions
    ("nanosleep u32", Just(Form::Nanosleep)),
];

/// What `opcode` means. `None`: none of these opcodes; an error says what of it is not accepted.
pub(crate) fn form(opcode: &str) -> Option<Result<Form, String>> {
    let parts: Vec<&str> = opcode.split('.').collect();
    let mut known = false;
    for (line, makes) in FORMS {
        let mut pattern = line.split(' ');
        if pattern.next() != Some(parts[0]) {
            continue;
        }
        known = true;
        if matches(&pattern.collect::<Vec<_>>(), &parts[1..]) {
            return Some(Ok(match makes {
                Just(form) => *form,
                By(make) => make(&parts),
            }));
        }
    }
    known.then(|| Err(format!("no form of {} has these modifiers", parts[0])))
}

/// Every line of the table, for `softgpu isa`, the documentation and the tests.
pub(crate) fn lines() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|(line, _)| *line)
}

/// The alternatives of a part of a line, and whether it may be left out.
fn alternatives(part: &'static str) -> (Vec<&'static str>, bool) {
    let list = |text: &'static str| {
        text.split('|')
            .flat_map(|word| {
                match word {
                    "SPACE" => SPACE,
                    "TYPE" => TYPE,
                    "VECTOR" => VECTOR,
                    "OPERATION" => OPERATION,
                    "NUMBER" => NUMBER,
                    "ORDER" => ORDER,
                    "SCOPE" => SCOPE,
                    "EVICTION" => EVICTION,
                    "HINT" => HINT,
                    "PREFETCH" => PREFETCH,
                    plain => plain,
                }
                .split('|')
            })
            .collect()
    };
    match part.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => (list(inner), true),
        None => (list(part.trim_start_matches('(').trim_end_matches(')')), false),
    }
}

/// Whether an opcode's parts are those of a line: a run of optional parts takes what follows in any order, each once.
fn matches(mut pattern: &[&'static str], mut parts: &[&str]) -> bool {
    loop {
        let run = pattern.iter().take_while(|part| part.starts_with('[')).count();
        let mut free: Vec<Vec<&str>> = pattern[..run].iter().map(|part| alternatives(part).0).collect();
        let needed = pattern.get(run).map(|part| alternatives(part).0);
        while let Some(part) = parts.first() {
            let Some(at) = free.iter().position(|words| words.contains(part)) else { break };
            free.remove(at);
            parts = &parts[1..];
        }
        match (needed, parts.first()) {
            (None, None) => return true,
            (Some(words), Some(part)) if words.contains(part) => {
                pattern = &pattern[run + 1..];
                parts = &parts[1..];
            }
            _ => return false,
        }
    }
}

fn has(parts: &[&str], word: &str) -> bool {
    parts.contains(&word)
}

fn space(parts: &[&str]) -> Space {
    let named = parts.iter().find_map(|part| match part.split("::").next()? {
        "global" => Some(Space::Global),
        "shared" => Some(Space::Shared),
        "local" => Some(Space::Local),
        "const" => Some(Space::Const),
        "param" => Some(Space::Param),
        _ => None,
    });
    named.unwrap_or(Space::Generic)
}

/// How the last part, a type, is read, and its bytes.
fn number(parts: &[&str]) -> (Number, u8) {
    let name = parts[parts.len() - 1];
    let bits = name.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let bytes = |bits: &str| bits.parse::<u8>().map_or(4, |bits| bits / 8);
    match name {
        "f16x2" => (Number::F16x2, 4),
        "bf16x2" => (Number::BF16x2, 4),
        "f16" => (Number::F16, 2),
        "bf16" => (Number::BF16, 2),
        "f32" => (Number::F32, 4),
        "f64" => (Number::F64, 8),
        _ if name.starts_with('s') => (Number::Signed, bytes(bits)),
        _ if name.starts_with('u') => (Number::Unsigned, bytes(bits)),
        _ => (Number::Bits, bytes(bits)),
    }
}

fn access(parts: &[&str]) -> AccessForm {
    let (number, element_bytes) = number(parts);
    let elements = parts.iter().find_map(|part| part.strip_prefix('v')?.parse().ok()).unwrap_or(1);
    AccessForm {
        space: space(parts),
        element_bytes,
        elements,
        number,
        atomic: None,
        cache_hint: has(parts, HINT),
        strong: ["volatile", "relaxed", "acquire", "release", "acq_rel"].iter().any(|word| has(parts, word)),
        acquire: has(parts, "acquire") || has(parts, "acq_rel"),
        release: has(parts, "release") || has(parts, "acq_rel"),
    }
}

fn load(parts: &[&str]) -> Form {
    Form::Load(access(parts))
}

fn store(parts: &[&str]) -> Form {
    Form::Store(access(parts))
}

fn atomic_access(parts: &[&str]) -> AccessForm {
    let operation = parts.iter().find_map(|part| {
        Some(match *part {
            "and" => AtomicOp::And,
            "or" => AtomicOp::Or,
            "xor" => AtomicOp::Xor,
            "cas" => AtomicOp::CompareAndSwap,
            "exch" => AtomicOp::Exchange,
            "add" => AtomicOp::Add,
            "inc" => AtomicOp::Inc,
            "dec" => AtomicOp::Dec,
            "min" => AtomicOp::Min,
            "max" => AtomicOp::Max,
            _ => return None,
        })
    });
    AccessForm { atomic: operation, strong: true, ..access(parts) }
}

fn atomic(parts: &[&str]) -> Form {
    Form::Atomic(atomic_access(parts))
}

fn reduce(parts: &[&str]) -> Form {
    Form::Reduce(atomic_access(parts))
}

fn convert_address(parts: &[&str]) -> Form {
    Form::ConvertAddress { to: has(parts, "to"), space: space(parts), bytes: number(parts).1 }
}

fn barrier(parts: &[&str], kind: BarrierKind) -> Form {
    Form::Barrier { kind, aligned: has(parts, "aligned") }
}

fn fence(parts: &[&str]) -> Form {
    Form::Fence(match parts[parts.len() - 1] {
        "cta" | "cluster" => 0,
        "gpu" => 1,
        _ => 2,
    })
}

fn load_matrix(parts: &[&str]) -> Form {
    let matrices = match parts[4] {
        "x1" => 1,
        "x2" => 2,
        _ => 4,
    };
    Form::LoadMatrix { matrices, transposed: has(parts, "trans") }
}

impl Form {
    /// How the form is counted.
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Load(_) | Self::Store(_) | Self::CopyAsync { .. } => Class::Memory,
            Self::Atomic(_) | Self::Reduce(_) => Class::Atomic,
            Self::Shuffle(_) | Self::Vote(_) | Self::Match(_) | Self::Redux(_) | Self::ActiveMask => Class::Warp,
            Self::Branch
            | Self::BranchIndexed
            | Self::Call
            | Self::Return
            | Self::Exit
            | Self::Trap
            | Self::Breakpoint
            | Self::Nanosleep => Class::Control,
            Self::Barrier { .. }
            | Self::WarpBarrier
            | Self::Fence(_)
            | Self::CopyCommit
            | Self::CopyWait
            | Self::CopyWaitAll => Class::Sync,
            Self::LoadMatrix { .. } | Self::Mma(_) => Class::Tensor,
            Self::ConvertAddress { .. } | Self::Nop | Self::Policy => Class::Move,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(opcode: &str) -> Form {
        form(opcode).expect("a base of the table").expect("an accepted form")
    }

    #[test]
    fn accesses_say_what_their_modifiers_say() {
        let plain = AccessForm {
            space: Space::Global,
            element_bytes: 4,
            elements: 1,
            number: Number::Unsigned,
            atomic: None,
            cache_hint: false,
            strong: false,
            acquire: false,
            release: false,
        };
        assert_eq!(made("ld.global.u32"), Form::Load(plain));
        let hinted = AccessForm { elements: 4, number: Number::Bits, cache_hint: true, ..plain };
        assert_eq!(made("ld.global.nc.L1::evict_last.L2::cache_hint.v4.b32"), Form::Load(hinted));
        let acquired = AccessForm { strong: true, acquire: true, ..plain };
        assert_eq!(made("ld.acquire.gpu.global.u32"), Form::Load(acquired));
        assert_eq!(
            made("st.volatile.shared.f64"),
            Form::Store(AccessForm {
                space: Space::Shared,
                element_bytes: 8,
                number: Number::F64,
                strong: true,
                ..plain
            })
        );
        assert_eq!(
            made("st.param.b128"),
            Form::Store(AccessForm { space: Space::Param, element_bytes: 16, number: Number::Bits, ..plain })
        );
        assert_eq!(
            made("ld.s8"),
            Form::Load(AccessForm { space: Space::Generic, element_bytes: 1, number: Number::Signed, ..plain })
        );
    }

    #[test]
    fn a_scope_and_an_order_come_in_either_order_before_or_after_the_operation() {
        for opcode in [
            "atom.add.release.gpu.global.u32",
            "atom.global.gpu.release.add.u32",
            "atom.release.gpu.global.add.u32",
            "atom.global.add.gpu.release.u32",
        ] {
            let found = form(opcode);
            if opcode == "atom.add.release.gpu.global.u32" {
                assert!(matches!(found, Some(Err(_))), "a space after the operation is not PTX");
                continue;
            }
            let Some(Ok(Form::Atomic(access))) = found else { panic!("{opcode}") };
            assert!(access.release && !access.acquire && access.space == Space::Global, "{opcode}");
            assert_eq!(access.atomic, Some(AtomicOp::Add));
        }
    }

    #[test]
    fn what_no_line_has_is_refused() {
        assert_eq!(form("add.f32"), None);
        for opcode in [
            "ld.global.v3.u32",
            "ld.global.u32.v2",
            "bar.sync.aligned",
            "mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32",
            "ld.global",
            "shfl.bfly.b32",
            "atom.global.mul.u32",
            "ld.weak.weak.u32",
        ] {
            assert!(matches!(form(opcode), Some(Err(_))), "{opcode}");
        }
    }

    /// Each line with the first alternative of each part, and with the optional ones left out, means something.
    #[test]
    fn every_line_accepts_its_own_examples() {
        for line in lines() {
            for optional in [false, true] {
                let parts: Vec<&str> = line
                    .split(' ')
                    .filter_map(|part| {
                        let (words, may_lack) = alternatives(part);
                        (optional || !may_lack).then_some(words[0])
                    })
                    .collect();
                let opcode = parts.join(".");
                assert!(matches!(form(&opcode), Some(Ok(_))), "{opcode}");
            }
        }
    }
}
