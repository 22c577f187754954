//! The instruction forms that need more than a lane: memory, control flow, the warp, the block. One line per form; the
//! parser accepts what the tables have, and nothing else.
//!
//! A line's syntax is the opcode, then its modifiers in order: `.word` stands for itself, `(.a .b)` for one of them,
//! `[.a .b]` for one or none, `[.a .b]*` for any number, `{...}` for its items in any order, and a name in capitals for
//! a list of [`SETS`].

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::inspect::Class;
use crate::program::{AtomicOp, BarrierKind, MbarrierAction, Redux};

/// What decode makes of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    Load,
    Store,
    /// With a result, or without (`red`).
    Atomic(AtomicOp, bool),
    CopyAsync,
    CopyCommit,
    CopyWaitGroup,
    CopyWaitAll,
    /// mma.sync, or wmma.mma.
    Product {
        wmma: bool,
    },
    /// ldmatrix, or stmatrix.
    Matrix {
        stores: bool,
    },
    MoveMatrix,
    /// wmma.load, or wmma.store.
    Fragment {
        stores: bool,
    },
    Branch,
    BranchIndexed,
    Call,
    Return,
    Exit,
    Trap,
    Breakpoint,
    Barrier(BarrierKind, bool),
    WarpBarrier,
    Fence,
    /// 0 up, 1 down, 2 bfly, 3 idx.
    Shuffle(u32),
    /// 0 all, 1 any, 2 uni, 3 ballot.
    Vote(u32),
    /// 0 any.b32, 1 any.b64, 2 all.b32, 3 all.b64.
    Match(u32),
    Redux(Redux),
    Elect,
    Mbarrier(MbarrierAction),
    IsSpace,
    ActiveMask,
    Nanosleep,
    /// Between a state space's addresses and generic ones: a sum with the start of the window.
    Cvta,
    /// Without effect here, and without a result.
    Nop,
    /// A cache policy: a number that nothing reads.
    Policy,
}

/// A line of [`FORMS`].
pub(crate) struct Form {
    pub(crate) syntax: &'static str,
    /// An example of its operands, as the ISA names them: `d` result, `a` `b` `c` sources, `p` `q` predicates, `m` a
    /// member mask, `e` a distance in elements, `[a]` an address, `L` a label, numbers for themselves.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader, and for the test that decodes it"))]
    pub(crate) operands: &'static str,
    pub(crate) class: Class,
    pub(crate) build: Build,
}

/// Lists of modifiers that several forms take.
const SETS: &[(&str, &[&str])] = &[
    ("SCOPE", &["cta", "cluster", "gpu", "sys"]),
    ("SPACE", &["param", "param::entry", "param::func", "global", "shared", "shared::cta", "local", "const"]),
    ("SEMANTICS", &["relaxed", "acquire", "release", "acq_rel"]),
    (
        "CACHE",
        &[
            "ca",
            "cg",
            "cs",
            "lu",
            "cv",
            "wb",
            "wt",
            "L1::evict_normal",
            "L1::evict_unchanged",
            "L1::evict_first",
            "L1::evict_last",
            "L1::no_allocate",
            "L2::evict_normal",
            "L2::evict_first",
            "L2::evict_last",
            "L2::cache_hint",
            "L2::64B",
            "L2::128B",
            "L2::256B",
        ],
    ),
    ("PREFETCH", &["L2::64B", "L2::128B", "L2::256B"]),
    ("VECTOR", &["v2", "v4", "v8"]),
    ("TYPE", &["b8", "b16", "b32", "b64", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64"]),
];

macro_rules! forms {
    ($($class:ident: $($syntax:literal, $operands:literal => $build:expr;)*)*) => {
        /// Every form.
        pub(crate) static FORMS: &[Form] = &[$($(
            Form { syntax: $syntax, operands: $operands, class: Class::$class, build: $build },
        )*)*];
    };
}

use AtomicOp::{Add, And, CompareAndSwap, Dec, Exchange, Inc, Max, Min, Or, Xor};
use BarrierKind::{ReduceAnd, ReduceOr, ReducePopc, Sync};
use Build::{Atomic, Barrier, Fragment, Match, Matrix, Mbarrier, Product, Shuffle, Vote};
use MbarrierAction::{Arrive, CopiesArrive, Init, Invalidate, Test};

/// mma.sync, and wmma.mma.
const MMA: Build = Product { wmma: false };
const WMMA: Build = Product { wmma: true };

forms! {
    // Data Movement and Conversion Instructions.
    Memory:
    "ld [.weak .volatile .relaxed .acquire] [SCOPE] [SPACE] [.nc] [CACHE]* [VECTOR] TYPE", "d, [a]" => Build::Load;
    "ldu [.global] [VECTOR] TYPE", "d, [a]" => Build::Load;
    "st [.weak .volatile .relaxed .release] [SCOPE] [SPACE] [CACHE]* [VECTOR] TYPE", "[a], b" => Build::Store;
    "cp .async (.ca .cg) (.shared .shared::cta) .global [.L2::cache_hint] [PREFETCH]", "[a], [b], 16, c" => Build::CopyAsync;
    "cp .async .commit_group", "" => Build::CopyCommit;
    "cp .async .wait_group", "1" => Build::CopyWaitGroup;
    "cp .async .wait_all", "" => Build::CopyWaitAll;
    "prefetch [.global .local] (.L1 .L2 .L2::evict_last .L2::evict_normal)", "[a]" => Build::Nop;
    "prefetchu .L1", "[a]" => Build::Nop;
    "discard [.global] .L2", "[a], 128" => Build::Nop;
    "applypriority [.global] .L2::evict_normal", "[a], 128" => Build::Nop;
    "isspacep (.global .shared .shared::cta .local .const .param .param::entry)", "q, a" => Build::IsSpace;
    Integer:
    "cvta (.global .shared .shared::cta .local .const .param) .u64", "d, a" => Build::Cvta;
    "cvta .to (.global .shared .shared::cta .local .const .param) .u64", "d, a" => Build::Cvta;
    Move:
    "createpolicy .fractional (.L2::evict_last .L2::evict_normal .L2::evict_first .L2::evict_unchanged) [.L2::evict_first .L2::evict_unchanged] .b64", "d, 0f3F800000" => Build::Policy;
    "createpolicy .range [.global] (.L2::evict_last .L2::evict_normal .L2::evict_first .L2::evict_unchanged) [.L2::evict_first .L2::evict_unchanged] .b64", "d, [a], 64, 128" => Build::Policy;
    "createpolicy .cvt .L2 .b64", "d, a" => Build::Policy;

    // Control Flow Instructions.
    Control:
    "bra [.uni]", "L" => Build::Branch;
    "brx .idx [.uni]", "a, T" => Build::BranchIndexed;
    "call [.uni]", "f" => Build::Call;
    "ret [.uni]", "" => Build::Return;
    "exit", "" => Build::Exit;
    "trap", "" => Build::Trap;
    "brkpt", "" => Build::Breakpoint;
    "nanosleep .u32", "a" => Build::Nanosleep;
    "pmevent [.mask]", "1" => Build::Nop;

    // Parallel Synchronization and Communication Instructions.
    Sync:
    "bar [.cta] .sync", "0, 64" => Barrier(Sync, true);
    "bar [.cta] .arrive", "0, 64" => Barrier(BarrierKind::Arrive, true);
    "bar [.cta] .red .popc .u32", "d, 0, p" => Barrier(ReducePopc, true);
    "bar [.cta] .red .and .pred", "q, 0, p" => Barrier(ReduceAnd, true);
    "bar [.cta] .red .or .pred", "q, 0, p" => Barrier(ReduceOr, true);
    "barrier [.cta] .sync .aligned", "0, 64" => Barrier(Sync, true);
    "barrier [.cta] .arrive .aligned", "0, 64" => Barrier(BarrierKind::Arrive, true);
    "barrier [.cta] .red .popc .aligned .u32", "d, 0, p" => Barrier(ReducePopc, true);
    "barrier [.cta] .red .and .aligned .pred", "q, 0, p" => Barrier(ReduceAnd, true);
    "barrier [.cta] .red .or .aligned .pred", "q, 0, p" => Barrier(ReduceOr, true);
    "barrier [.cta] .sync", "0, 64" => Barrier(Sync, false);
    "barrier [.cta] .arrive", "0, 64" => Barrier(BarrierKind::Arrive, false);
    "barrier [.cta] .red .popc .u32", "d, 0, p" => Barrier(ReducePopc, false);
    "barrier [.cta] .red .and .pred", "q, 0, p" => Barrier(ReduceAnd, false);
    "barrier [.cta] .red .or .pred", "q, 0, p" => Barrier(ReduceOr, false);
    "bar .warp .sync", "m" => Build::WarpBarrier;
    "membar (.cta .gl .sys)", "" => Build::Fence;
    "fence [.sc .acq_rel .acquire .release] SCOPE", "" => Build::Fence;
    "fence .proxy (.alias .async) [.global .shared::cta .shared::cluster]", "" => Build::Fence;
    "membar .proxy .alias", "" => Build::Fence;
    "fence .mbarrier_init .release .cluster", "" => Build::Fence;
    "mbarrier .init [.shared .shared::cta] .b64", "[a], 1" => Mbarrier(Init);
    "mbarrier .inval [.shared .shared::cta] .b64", "[a]" => Mbarrier(Invalidate);
    "mbarrier .arrive {[.release .relaxed] [.cta .cluster] [.shared .shared::cta]} .b64", "d, [a]" => Mbarrier(Arrive { drops: false, completes: true });
    "mbarrier .arrive {.noComplete [.release .relaxed] [.cta .cluster] [.shared .shared::cta]} .b64", "d, [a], 1" => Mbarrier(Arrive { drops: false, completes: false });
    "mbarrier .arrive_drop {[.release .relaxed] [.cta .cluster] [.shared .shared::cta]} .b64", "d, [a]" => Mbarrier(Arrive { drops: true, completes: true });
    "mbarrier .arrive_drop {.noComplete [.release .relaxed] [.cta .cluster] [.shared .shared::cta]} .b64", "d, [a], 1" => Mbarrier(Arrive { drops: true, completes: false });
    "mbarrier (.test_wait .try_wait) {[.acquire .relaxed] [.cta .cluster] [.shared .shared::cta]} .b64", "q, [a], b" => Mbarrier(Test { parity: false });
    "mbarrier (.test_wait .try_wait) {.parity [.acquire .relaxed] [.cta .cluster] [.shared .shared::cta]} .b64", "q, [a], 0" => Mbarrier(Test { parity: true });
    "cp .async .mbarrier .arrive [.shared .shared::cta] .b64", "[a]" => Mbarrier(CopiesArrive { counted: true });
    "cp .async .mbarrier .arrive .noinc [.shared .shared::cta] .b64", "[a]" => Mbarrier(CopiesArrive { counted: false });
    Atomic:
    "atom {[SEMANTICS] [SCOPE] [SPACE] .add [.noftz]} [.L2::cache_hint] (.u32 .s32 .u64 .f32 .f64 .f16 .bf16 .f16x2 .bf16x2)", "d, [a], b" => Atomic(Add, true);
    "atom {[SEMANTICS] [SCOPE] [SPACE] .min} [.L2::cache_hint] (.u32 .s32 .u64 .s64)", "d, [a], b" => Atomic(Min, true);
    "atom {[SEMANTICS] [SCOPE] [SPACE] .max} [.L2::cache_hint] (.u32 .s32 .u64 .s64)", "d, [a], b" => Atomic(Max, true);
    "atom {[SEMANTICS] [SCOPE] [SPACE] .inc} [.L2::cache_hint] .u32", "d, [a], b" => Atomic(Inc, true);
    "atom {[SEMANTICS] [SCOPE] [SPACE] .dec} [.L2::cache_hint] .u32", "d, [a], b" => Atomic(Dec, true);
    "atom {[SEMANTICS] [SCOPE] [SPACE] .and} [.L2::cache_hint] (.b32 .b64)", "d, [a], b" => Atomic(And, true);
    "atom {[SEMANTICS] [SCOPE] [SPACE] .or} [.L2::cache_hint] (.b32 .b64)", "d, [a], b" => Atomic(Or, true);
    "atom {[SEMANTICS] [SCOPE] [SPACE] .xor} [.L2::cache_hint] (.b32 .b64)", "d, [a], b" => Atomic(Xor, true);
    "atom {[SEMANTICS] [SCOPE] [SPACE] .exch} [.L2::cache_hint] (.b32 .b64)", "d, [a], b" => Atomic(Exchange, true);
    "atom {[SEMANTICS] [SCOPE] [SPACE] .cas} [.L2::cache_hint] (.b16 .b32 .b64)", "d, [a], b, c" => Atomic(CompareAndSwap, true);
    "red {[SEMANTICS] [SCOPE] [SPACE] .add [.noftz]} [.L2::cache_hint] (.u32 .s32 .u64 .f32 .f64 .f16 .bf16 .f16x2 .bf16x2)", "[a], b" => Atomic(Add, false);
    "red {[SEMANTICS] [SCOPE] [SPACE] .min} [.L2::cache_hint] (.u32 .s32 .u64 .s64)", "[a], b" => Atomic(Min, false);
    "red {[SEMANTICS] [SCOPE] [SPACE] .max} [.L2::cache_hint] (.u32 .s32 .u64 .s64)", "[a], b" => Atomic(Max, false);
    "red {[SEMANTICS] [SCOPE] [SPACE] .inc} [.L2::cache_hint] .u32", "[a], b" => Atomic(Inc, false);
    "red {[SEMANTICS] [SCOPE] [SPACE] .dec} [.L2::cache_hint] .u32", "[a], b" => Atomic(Dec, false);
    "red {[SEMANTICS] [SCOPE] [SPACE] .and} [.L2::cache_hint] (.b32 .b64)", "[a], b" => Atomic(And, false);
    "red {[SEMANTICS] [SCOPE] [SPACE] .or} [.L2::cache_hint] (.b32 .b64)", "[a], b" => Atomic(Or, false);
    "red {[SEMANTICS] [SCOPE] [SPACE] .xor} [.L2::cache_hint] (.b32 .b64)", "[a], b" => Atomic(Xor, false);
    Warp:
    "shfl .sync .up .b32", "d|q, a, b, 0, m" => Shuffle(0);
    "shfl .sync .down .b32", "d|q, a, b, 31, m" => Shuffle(1);
    "shfl .sync .bfly .b32", "d|q, a, b, 31, m" => Shuffle(2);
    "shfl .sync .idx .b32", "d|q, a, b, 31, m" => Shuffle(3);
    "vote .sync .all .pred", "q, p, m" => Vote(0);
    "vote .sync .any .pred", "q, p, m" => Vote(1);
    "vote .sync .uni .pred", "q, p, m" => Vote(2);
    "vote .sync .ballot .b32", "d, !p, m" => Vote(3);
    "match .any .sync .b32", "d, a, m" => Match(0);
    "match .any .sync .b64", "d, a, m" => Match(1);
    "match .all .sync .b32", "d|q, a, m" => Match(2);
    "match .all .sync .b64", "d|q, a, m" => Match(3);
    "redux .sync .add (.u32 .s32)", "d, a, m" => Build::Redux(Redux::Add);
    "redux .sync .min .u32", "d, a, m" => Build::Redux(Redux::MinU);
    "redux .sync .max .u32", "d, a, m" => Build::Redux(Redux::MaxU);
    "redux .sync .min .s32", "d, a, m" => Build::Redux(Redux::MinS);
    "redux .sync .max .s32", "d, a, m" => Build::Redux(Redux::MaxS);
    "redux .sync .and .b32", "d, a, m" => Build::Redux(Redux::And);
    "redux .sync .or .b32", "d, a, m" => Build::Redux(Redux::Or);
    "redux .sync .xor .b32", "d, a, m" => Build::Redux(Redux::Xor);
    "activemask .b32", "d" => Build::ActiveMask;
    "elect .sync", "d|q, m" => Build::Elect;

    // Warp-Level Matrix Multiply-Accumulate Instructions.
    Tensor:
    "ldmatrix .sync .aligned .m8n8 .x1 [.trans] [.shared .shared::cta] .b16", "{d}, [a]" => Matrix { stores: false };
    "ldmatrix .sync .aligned .m8n8 .x2 [.trans] [.shared .shared::cta] .b16", "{d, d}, [a]" => Matrix { stores: false };
    "ldmatrix .sync .aligned .m8n8 .x4 [.trans] [.shared .shared::cta] .b16", "{d, d, d, d}, [a]" => Matrix { stores: false };
    "stmatrix .sync .aligned .m8n8 .x1 [.trans] [.shared .shared::cta] .b16", "[a], {d}" => Matrix { stores: true };
    "stmatrix .sync .aligned .m8n8 .x2 [.trans] [.shared .shared::cta] .b16", "[a], {d, d}" => Matrix { stores: true };
    "stmatrix .sync .aligned .m8n8 .x4 [.trans] [.shared .shared::cta] .b16", "[a], {d, d, d, d}" => Matrix { stores: true };
    "movmatrix .sync .aligned .m8n8 .trans .b16", "d, a" => Build::MoveMatrix;
    "mma .sync .aligned .m16n8k8 .row .col .f32 .f16 .f16 .f32", "{d, d, d, d}, {a, a}, {b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m16n8k8 .row .col .f16 .f16 .f16 .f16", "{d, d}, {a, a}, {b}, {c, c}" => MMA;
    "mma .sync .aligned .m16n8k8 .row .col .f32 .bf16 .bf16 .f32", "{d, d, d, d}, {a, a}, {b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m16n8k16 .row .col .f32 .f16 .f16 .f32", "{d, d, d, d}, {a, a, a, a}, {b, b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m16n8k16 .row .col .f16 .f16 .f16 .f16", "{d, d}, {a, a, a, a}, {b, b}, {c, c}" => MMA;
    "mma .sync .aligned .m16n8k16 .row .col .f32 .bf16 .bf16 .f32", "{d, d, d, d}, {a, a, a, a}, {b, b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m16n8k4 .row .col .f32 .tf32 .tf32 .f32", "{d, d, d, d}, {a, a}, {b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m16n8k8 .row .col .f32 .tf32 .tf32 .f32", "{d, d, d, d}, {a, a, a, a}, {b, b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m8n8k4 (.row .col) (.row .col) .f32 .f16 .f16 .f32", "{d, d, d, d, d, d, d, d}, {a, a}, {b, b}, {c, c, c, c, c, c, c, c}" => MMA;
    "mma .sync .aligned .m8n8k4 (.row .col) (.row .col) .f32 .f16 .f16 .f16", "{d, d, d, d, d, d, d, d}, {a, a}, {b, b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m8n8k4 (.row .col) (.row .col) .f16 .f16 .f16 .f16", "{d, d, d, d}, {a, a}, {b, b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m8n8k4 .row .col .f64 .f64 .f64 .f64 [.rn .rz .rm .rp]", "{d, d}, {a}, {b}, {c, c}" => MMA;
    "mma .sync .aligned .m16n8k4 .row .col .f64 .f64 .f64 .f64 [.rn .rz .rm .rp]", "{d, d, d, d}, {a, a}, {b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m16n8k8 .row .col .f64 .f64 .f64 .f64 [.rn .rz .rm .rp]", "{d, d, d, d}, {a, a, a, a}, {b, b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m16n8k16 .row .col .f64 .f64 .f64 .f64 [.rn .rz .rm .rp]", "{d, d, d, d}, {a, a, a, a, a, a, a, a}, {b, b, b, b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m16n8k16 .row .col .f32 (.e4m3 .e5m2) (.e4m3 .e5m2) .f32", "{d, d, d, d}, {a, a}, {b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m16n8k16 .row .col .f16 (.e4m3 .e5m2) (.e4m3 .e5m2) .f16", "{d, d}, {a, a}, {b}, {c, c}" => MMA;
    "mma .sync .aligned .m16n8k32 .row .col .f32 (.e4m3 .e5m2) (.e4m3 .e5m2) .f32", "{d, d, d, d}, {a, a, a, a}, {b, b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m16n8k32 .row .col .f16 (.e4m3 .e5m2) (.e4m3 .e5m2) .f16", "{d, d}, {a, a, a, a}, {b, b}, {c, c}" => MMA;
    "mma .sync .aligned .m8n8k16 .row .col [.satfinite] .s32 (.s8 .u8) (.s8 .u8) .s32", "{d, d}, {a}, {b}, {c, c}" => MMA;
    "mma .sync .aligned .m16n8k16 .row .col [.satfinite] .s32 (.s8 .u8) (.s8 .u8) .s32", "{d, d, d, d}, {a, a}, {b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m16n8k32 .row .col [.satfinite] .s32 (.s8 .u8) (.s8 .u8) .s32", "{d, d, d, d}, {a, a, a, a}, {b, b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m8n8k32 .row .col [.satfinite] .s32 (.s4 .u4) (.s4 .u4) .s32", "{d, d}, {a}, {b}, {c, c}" => MMA;
    "mma .sync .aligned .m16n8k32 .row .col [.satfinite] .s32 (.s4 .u4) (.s4 .u4) .s32", "{d, d, d, d}, {a, a}, {b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m16n8k64 .row .col [.satfinite] .s32 (.s4 .u4) (.s4 .u4) .s32", "{d, d, d, d}, {a, a, a, a}, {b, b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m8n8k128 .row .col .s32 .b1 .b1 .s32 (.xor .and) .popc", "{d, d}, {a}, {b}, {c, c}" => MMA;
    "mma .sync .aligned .m16n8k128 .row .col .s32 .b1 .b1 .s32 (.xor .and) .popc", "{d, d, d, d}, {a, a}, {b}, {c, c, c, c}" => MMA;
    "mma .sync .aligned .m16n8k256 .row .col .s32 .b1 .b1 .s32 (.xor .and) .popc", "{d, d, d, d}, {a, a, a, a}, {b, b}, {c, c, c, c}" => MMA;
    "wmma .load (.a .b) .sync .aligned (.row .col) (.m16n16k16 .m8n32k16 .m32n8k16) [SPACE] .f16", "{d, d, d, d, d, d, d, d}, [a], e" => Fragment { stores: false };
    "wmma .load (.a .b) .sync .aligned (.row .col) .m16n16k16 [SPACE] .bf16", "{d, d, d, d}, [a], e" => Fragment { stores: false };
    "wmma .load .a .sync .aligned (.row .col) .m8n32k16 [SPACE] .bf16", "{d, d}, [a], e" => Fragment { stores: false };
    "wmma .load .b .sync .aligned (.row .col) .m8n32k16 [SPACE] .bf16", "{d, d, d, d, d, d, d, d}, [a], e" => Fragment { stores: false };
    "wmma .load .a .sync .aligned (.row .col) .m32n8k16 [SPACE] .bf16", "{d, d, d, d, d, d, d, d}, [a], e" => Fragment { stores: false };
    "wmma .load .b .sync .aligned (.row .col) .m32n8k16 [SPACE] .bf16", "{d, d}, [a], e" => Fragment { stores: false };
    "wmma .load (.a .b) .sync .aligned (.row .col) .m16n16k16 [SPACE] (.s8 .u8)", "{d, d}, [a], e" => Fragment { stores: false };
    "wmma .load .a .sync .aligned (.row .col) .m8n32k16 [SPACE] (.s8 .u8)", "{d}, [a], e" => Fragment { stores: false };
    "wmma .load .b .sync .aligned (.row .col) .m8n32k16 [SPACE] (.s8 .u8)", "{d, d, d, d}, [a], e" => Fragment { stores: false };
    "wmma .load .a .sync .aligned (.row .col) .m32n8k16 [SPACE] (.s8 .u8)", "{d, d, d, d}, [a], e" => Fragment { stores: false };
    "wmma .load .b .sync .aligned (.row .col) .m32n8k16 [SPACE] (.s8 .u8)", "{d}, [a], e" => Fragment { stores: false };
    "wmma .load (.a .b) .sync .aligned (.row .col) .m16n16k8 [SPACE] .tf32", "{d, d, d, d}, [a], e" => Fragment { stores: false };
    "wmma .load (.a .b) .sync .aligned (.row .col) .m8n8k4 [SPACE] .f64", "{d}, [a], e" => Fragment { stores: false };
    "wmma .load .a .sync .aligned .row (.m8n8k32 .m8n8k128) [SPACE] (.s4 .u4 .b1)", "{d}, [a], e" => Fragment { stores: false };
    "wmma .load .b .sync .aligned .col (.m8n8k32 .m8n8k128) [SPACE] (.s4 .u4 .b1)", "{d}, [a], e" => Fragment { stores: false };
    "wmma .load .c .sync .aligned (.row .col) (.m16n16k16 .m8n32k16 .m32n8k16) [SPACE] .f16", "{d, d, d, d}, [a], e" => Fragment { stores: false };
    "wmma .load .c .sync .aligned (.row .col) (.m16n16k16 .m8n32k16 .m32n8k16 .m16n16k8) [SPACE] .f32", "{d, d, d, d, d, d, d, d}, [a], e" => Fragment { stores: false };
    "wmma .load .c .sync .aligned (.row .col) (.m16n16k16 .m8n32k16 .m32n8k16) [SPACE] .s32", "{d, d, d, d, d, d, d, d}, [a], e" => Fragment { stores: false };
    "wmma .load .c .sync .aligned (.row .col) (.m8n8k32 .m8n8k128) [SPACE] .s32", "{d, d}, [a], e" => Fragment { stores: false };
    "wmma .load .c .sync .aligned (.row .col) .m8n8k4 [SPACE] .f64", "{d, d}, [a], e" => Fragment { stores: false };
    "wmma .store .d .sync .aligned (.row .col) (.m16n16k16 .m8n32k16 .m32n8k16) [SPACE] .f16", "[a], {d, d, d, d}, e" => Fragment { stores: true };
    "wmma .store .d .sync .aligned (.row .col) (.m16n16k16 .m8n32k16 .m32n8k16 .m16n16k8) [SPACE] .f32", "[a], {d, d, d, d, d, d, d, d}, e" => Fragment { stores: true };
    "wmma .store .d .sync .aligned (.row .col) (.m16n16k16 .m8n32k16 .m32n8k16) [SPACE] .s32", "[a], {d, d, d, d, d, d, d, d}, e" => Fragment { stores: true };
    "wmma .store .d .sync .aligned (.row .col) (.m8n8k32 .m8n8k128) [SPACE] .s32", "[a], {d, d}, e" => Fragment { stores: true };
    "wmma .store .d .sync .aligned (.row .col) .m8n8k4 [SPACE] .f64", "[a], {d, d}, e" => Fragment { stores: true };
    "wmma .mma .sync .aligned (.row .col) (.row .col) (.m16n16k16 .m8n32k16 .m32n8k16) .f32 .f32", "{d, d, d, d, d, d, d, d}, {a, a, a, a, a, a, a, a}, {b, b, b, b, b, b, b, b}, {c, c, c, c, c, c, c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) (.m16n16k16 .m8n32k16 .m32n8k16) .f32 .f16", "{d, d, d, d, d, d, d, d}, {a, a, a, a, a, a, a, a}, {b, b, b, b, b, b, b, b}, {c, c, c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) (.m16n16k16 .m8n32k16 .m32n8k16) .f16 .f32", "{d, d, d, d}, {a, a, a, a, a, a, a, a}, {b, b, b, b, b, b, b, b}, {c, c, c, c, c, c, c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) (.m16n16k16 .m8n32k16 .m32n8k16) .f16 .f16", "{d, d, d, d}, {a, a, a, a, a, a, a, a}, {b, b, b, b, b, b, b, b}, {c, c, c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) .m16n16k16 .f32 .bf16 .bf16 .f32", "{d, d, d, d, d, d, d, d}, {a, a, a, a}, {b, b, b, b}, {c, c, c, c, c, c, c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) .m8n32k16 .f32 .bf16 .bf16 .f32", "{d, d, d, d, d, d, d, d}, {a, a}, {b, b, b, b, b, b, b, b}, {c, c, c, c, c, c, c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) .m32n8k16 .f32 .bf16 .bf16 .f32", "{d, d, d, d, d, d, d, d}, {a, a, a, a, a, a, a, a}, {b, b}, {c, c, c, c, c, c, c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) .m16n16k8 .f32 .tf32 .tf32 .f32", "{d, d, d, d, d, d, d, d}, {a, a, a, a}, {b, b, b, b}, {c, c, c, c, c, c, c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) .m8n8k4 [.rn .rz .rm .rp] .f64 .f64 .f64 .f64", "{d, d}, {a}, {b}, {c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) .m8n8k4 .f64 .f64 .f64 .f64 (.rn .rz .rm .rp)", "{d, d}, {a}, {b}, {c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) .m16n16k16 .s32 .s8 .s8 .s32 [.satfinite]", "{d, d, d, d, d, d, d, d}, {a, a}, {b, b}, {c, c, c, c, c, c, c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) .m16n16k16 .s32 .u8 .u8 .s32 [.satfinite]", "{d, d, d, d, d, d, d, d}, {a, a}, {b, b}, {c, c, c, c, c, c, c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) .m8n32k16 .s32 .s8 .s8 .s32 [.satfinite]", "{d, d, d, d, d, d, d, d}, {a}, {b, b, b, b}, {c, c, c, c, c, c, c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) .m8n32k16 .s32 .u8 .u8 .s32 [.satfinite]", "{d, d, d, d, d, d, d, d}, {a}, {b, b, b, b}, {c, c, c, c, c, c, c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) .m32n8k16 .s32 .s8 .s8 .s32 [.satfinite]", "{d, d, d, d, d, d, d, d}, {a, a, a, a}, {b}, {c, c, c, c, c, c, c, c}" => WMMA;
    "wmma .mma .sync .aligned (.row .col) (.row .col) .m32n8k16 .s32 .u8 .u8 .s32 [.satfinite]", "{d, d, d, d, d, d, d, d}, {a, a, a, a}, {b}, {c, c, c, c, c, c, c, c}" => WMMA;
    "wmma .mma .sync .aligned .row .col .m8n8k32 .s32 .s4 .s4 .s32 [.satfinite]", "{d, d}, {a}, {b}, {c, c}" => WMMA;
    "wmma .mma .sync .aligned .row .col .m8n8k32 .s32 .u4 .u4 .s32 [.satfinite]", "{d, d}, {a}, {b}, {c, c}" => WMMA;
    "wmma .mma (.xor .and) .popc .sync .aligned .row .col .m8n8k128 .s32 .b1 .b1 .s32", "{d, d}, {a}, {b}, {c, c}" => WMMA;
}

/// An opcode's form, and the modifiers that it has.
pub(crate) struct Matched {
    pub(crate) form: &'static Form,
    /// The set that a modifier was taken from, or "", and the modifier.
    modifiers: Vec<(&'static str, String)>,
}

impl Matched {
    /// Whether the opcode has this modifier, written without its dot.
    pub(crate) fn has(&self, modifier: &str) -> bool {
        self.modifiers.iter().any(|(_, given)| given == modifier)
    }

    /// The modifier that the opcode has of a set.
    pub(crate) fn of(&self, set: &str) -> Option<&str> {
        self.modifiers.iter().find(|(from, _)| *from == set).map(|(_, given)| given.as_str())
    }

    /// The modifiers, in order.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.modifiers.iter().map(|(_, given)| given.as_str())
    }

    /// The last modifier: the type, where a form has one.
    pub(crate) fn last(&self) -> &str {
        self.modifiers.last().map_or("", |(_, given)| given.as_str())
    }
}

/// One place of a form's syntax.
#[derive(Debug)]
enum Item {
    Choice { from: &'static str, words: Vec<&'static str>, optional: bool, repeated: bool },
    AnyOrder(Vec<Item>),
}

/// The form that `opcode` is, if the table has it.
pub(crate) fn form(opcode: &str) -> Option<Matched> {
    let mut modifiers = opcode.split('.');
    let base = modifiers.next()?;
    let modifiers: Vec<&str> = modifiers.collect();
    by_base().get(base)?.iter().find_map(|(form, items)| {
        let mut taken = Vec::new();
        let rest = take(items, &modifiers, &mut taken)?;
        rest.is_empty().then_some(Matched { form, modifiers: taken })
    })
}

/// Whether any form begins with this opcode.
pub(crate) fn is_base(base: &str) -> bool {
    by_base().contains_key(base)
}

type Compiled = Vec<(&'static Form, Vec<Item>)>;

fn by_base() -> &'static HashMap<&'static str, Compiled> {
    static FORMS_BY_BASE: OnceLock<HashMap<&'static str, Compiled>> = OnceLock::new();
    FORMS_BY_BASE.get_or_init(|| {
        let mut forms: HashMap<&'static str, Compiled> = HashMap::new();
        for form in FORMS {
            let (base, syntax) = form.syntax.split_once(' ').unwrap_or((form.syntax, ""));
            let mut rest = syntax;
            forms.entry(base).or_default().push((form, items(&mut rest, None)));
        }
        forms
    })
}

/// Reads items up to `end`.
fn items(rest: &mut &'static str, end: Option<char>) -> Vec<Item> {
    let mut list = Vec::new();
    loop {
        *rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return list };
        if Some(first) == end {
            *rest = &rest[1..];
            return list;
        }
        match first {
            '{' => {
                *rest = &rest[1..];
                list.push(Item::AnyOrder(items(rest, Some('}'))));
            }
            '[' | '(' => {
                let close = rest.find([']', ')']).expect("a bracket of the table is closed");
                let inside = &rest[1..close];
                *rest = &rest[close + 1..];
                let repeated = rest.starts_with('*');
                if repeated {
                    *rest = &rest[1..];
                }
                let mut words = Vec::new();
                let mut from = "";
                for word in inside.split(' ') {
                    from = choice(word, &mut words);
                }
                list.push(Item::Choice { from, words, optional: first == '[', repeated });
            }
            _ => {
                let length = rest.find([' ', '}']).unwrap_or(rest.len());
                let mut words = Vec::new();
                let from = choice(&rest[..length], &mut words);
                *rest = &rest[length..];
                list.push(Item::Choice { from, words, optional: false, repeated: false });
            }
        }
    }
}

/// Adds what a word of the table stands for; its name if it is a set.
fn choice(word: &'static str, words: &mut Vec<&'static str>) -> &'static str {
    if let Some(plain) = word.strip_prefix('.') {
        words.push(plain);
        return "";
    }
    let set = SETS.iter().find(|(name, _)| *name == word).expect("a set that the table names exists");
    words.extend(set.1);
    set.0
}

/// What is left of `modifiers` after `items`; `None` where they do not fit.
fn take<'m>(
    items: &[Item],
    mut modifiers: &'m [&'m str],
    taken: &mut Vec<(&'static str, String)>,
) -> Option<&'m [&'m str]> {
    for item in items {
        match item {
            Item::Choice { from, words, optional, repeated } => {
                let mut found = false;
                while let Some((first, rest)) = modifiers.split_first()
                    && words.contains(first)
                    && (*repeated || !found)
                {
                    taken.push((from, (*first).to_owned()));
                    modifiers = rest;
                    found = true;
                }
                if !found && !optional {
                    return None;
                }
            }
            Item::AnyOrder(set) => {
                let mut left: Vec<&Item> = set.iter().collect();
                while let Some((first, rest)) = modifiers.split_first() {
                    let fits = left.iter().position(|item| match item {
                        Item::Choice { words, .. } => words.contains(first),
                        Item::AnyOrder(_) => false,
                    });
                    let Some(at) = fits else { break };
                    if let Item::Choice { from, .. } = left.remove(at) {
                        taken.push((from, (*first).to_owned()));
                    }
                    modifiers = rest;
                }
                if left.iter().any(|item| matches!(item, Item::Choice { optional: false, .. })) {
                    return None;
                }
            }
        }
    }
    Some(modifiers)
}

/// Every opcode that a line stands for: each choice of each word, in the order of the line.
#[cfg(test)]
pub(crate) fn every_opcode(form: &Form) -> Vec<String> {
    let (base, syntax) = form.syntax.split_once(' ').unwrap_or((form.syntax, ""));
    let mut rest = syntax;
    let mut opcodes = vec![base.to_owned()];
    let mut places = items(&mut rest, None);
    while let Some(place) = (!places.is_empty()).then(|| places.remove(0)) {
        match place {
            Item::AnyOrder(inner) => places.splice(0..0, inner).for_each(drop),
            Item::Choice { words, optional, .. } => {
                let longer = |opcode: &String| words.iter().map(|word| format!("{opcode}.{word}")).collect::<Vec<_>>();
                let with: Vec<String> = opcodes.iter().flat_map(longer).collect();
                opcodes = if optional { opcodes.into_iter().chain(with).collect() } else { with };
            }
        }
    }
    opcodes
}

#[cfg(test)]
mod tests {
    use super::{FORMS, Item, by_base, form};
    use crate::inspect::Class;
    use crate::program::decode;
    use crate::ptx::parse;

    /// Opcodes of a form: the first word of each place; each further word of each place, one at a time; and without what
    /// may be absent.
    fn spellings(base: &str, items: &[Item]) -> Vec<String> {
        let mut places: Vec<(Vec<&str>, bool)> = Vec::new();
        for item in items {
            match item {
                Item::Choice { words, optional, .. } => places.push((words.clone(), *optional)),
                Item::AnyOrder(set) => places.extend(set.iter().map(|item| match item {
                    Item::Choice { words, optional, .. } => (words.clone(), *optional),
                    Item::AnyOrder(_) => panic!("an order within an order"),
                })),
            }
        }
        let most = places.iter().map(|(words, _)| words.len()).max().unwrap_or(1);
        let mut spellings = Vec::new();
        for round in 0..=most {
            let words = places.iter().filter_map(|(words, optional)| {
                if round == most { (!optional).then(|| words[0]) } else { Some(words[round.min(words.len() - 1)]) }
            });
            spellings.push(std::iter::once(base).chain(words).collect::<Vec<_>>().join("."));
        }
        spellings
    }

    #[test]
    fn every_line_is_found_by_every_word_that_it_has() {
        for (base, forms) in by_base() {
            for (line, items) in forms {
                for opcode in spellings(base, items) {
                    let found = form(&opcode).unwrap_or_else(|| panic!("{opcode} of {}", line.syntax));
                    assert_eq!(found.form.syntax, line.syntax, "{opcode}");
                }
            }
        }
    }

    /// The example of each line, in a kernel, as far as a program.
    #[test]
    fn the_example_of_every_line_decodes() {
        for line in FORMS {
            let (base, items) = by_base()
                .iter()
                .find_map(|(base, forms)| {
                    let (_, items) = forms.iter().find(|(form, _)| form.syntax == line.syntax)?;
                    Some((*base, items))
                })
                .unwrap();
            // The shortest spelling: the first type, no vector, no cache policy.
            let opcode = spellings(base, items).pop().unwrap();
            let wide = opcode.ends_with("64") || opcode.contains(".f64.");
            let space = if opcode.contains("shared") { "s" } else { "%a" };
            let narrow = if opcode.ends_with("16") && line.class != Class::Tensor { "%h" } else { "%d" };
            let operands: Vec<String> = line
                .operands
                .split_inclusive(|c: char| !c.is_ascii_alphanumeric())
                .map(|piece| {
                    let name = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
                    let rest = &piece[name.len()..];
                    let name = match name {
                        "a" if rest.starts_with(']') => space,
                        "b" if rest.starts_with(']') => "%a",
                        "c" if base == "cp" => "%d",
                        "a" if base == "isspacep" => "%a",
                        "d" | "a" | "b" | "c" if wide && !opcode.starts_with("match") => "%a",
                        "a" if opcode.ends_with("64") => "%a",
                        "d" | "a" | "b" | "c" => narrow,
                        "m" => "-1",
                        "p" => "%p",
                        "q" => "%q",
                        "e" => "%d",
                        other => other,
                    };
                    format!("{name}{rest}")
                })
                .collect();
            let text = format!(
                ".version 9.0\n.target sm_80\n.address_size 64\n.func f() {{ ret; }}\n.entry k() {{\n\
                 .reg .pred %p, %q; .reg .b16 %h; .reg .b32 %d; .reg .b64 %a; .shared .b64 s[4];\n\
                 T: .branchtargets L;\nL:\n{opcode} {};\nret;\n}}\n",
                operands.concat()
            );
            let module = parse(&text).unwrap_or_else(|error| panic!("{error}"));
            let program = decode(module).unwrap_or_else(|error| panic!("{}: {error}", line.syntax));
            let counted: Vec<_> = program.blocks.iter().flat_map(|block| &block.classes).collect();
            assert!(
                counted.iter().any(|(class, _)| *class == line.class || base == "cvta" || base == "createpolicy"),
                "{opcode}"
            );
        }
    }

    #[test]
    fn a_scope_an_order_and_a_space_come_in_any_order() {
        for opcode in ["atom.global.gpu.acq_rel.cas.b32", "atom.global.acq_rel.gpu.cas.b32", "atom.cas.acq_rel.gpu.b32"]
        {
            assert!(
                form(opcode).is_some_and(|found| found.has("acq_rel") && found.of("SCOPE") == Some("gpu")),
                "{opcode}"
            );
        }
    }

    #[test]
    fn what_no_line_has_is_not_found() {
        for opcode in [
            "ld.global.v3.u32",
            "ld.global.u32.v2",
            "ld.global",
            "ld.weak.weak.u32",
            "bar.sync.aligned",
            "shfl.bfly.b32",
            "atom.global.mul.u32",
            "atom.and.f32",
            "atom.cas.f64",
            "atom.inc.u64",
            "red.exch.b32",
            "mma.sync.aligned.m8n8k8.row.col.f32.f16.f16.f32",
            "mma.sync.aligned.m16n8k16.row.col.f32.f16.bf16.f32",
            "fence.sc",
            "add.f32",
        ] {
            assert!(form(opcode).is_none(), "{opcode}");
        }
    }
}
