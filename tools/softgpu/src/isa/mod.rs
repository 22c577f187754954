//! The instruction set, by the chapters of the PTX ISA. What a lane can do alone is a row of a table, written with
//! [`lanes!`]; what needs memory or the warp is a form of `forms`, run by a function named after its opcode.
//!
//! A row's name is the opcode as PTX writes it, and its sources and results are the operands in order. Where operands
//! are not plain registers, the name and the order are these:
//!
//! | PTX | row |
//! | --- | --- |
//! | `add.cc` `sub.cc` `mad.lo.cc` `mad.hi.cc` d, a, b(, c) | results d and the carry, a predicate |
//! | `addc` `subc` `madc.lo` `madc.hi` (`.cc`) | the carry is the last source, and with `.cc` the second result |
//! | `setp` p, a, b | as written: `setp.lt.s32`, one result |
//! | `setp.lt.and.s32` p(\|q), a, b, c | sources a, b, c; results p, q. `setp.lt.s32` p\|q is this with c = true |
//! | `lop3.b32` d, a, b, c, immLut | immLut is the fourth source |
//! | `lop3.or.b32` d\|p, a, b, c, immLut, q | two rows: `lop3.b32`, then `lop3.or.pred` p, d, q (or `lop3.and.pred`) |
//! | `mov.b32` d, {a, b} | `mov.b32.pack2`; likewise `mov.b64.pack2`, `mov.b64.pack4`, `mov.b16.pack2`, `mov.b32.pack4` |
//! | `mov.b32` {a, b}, s | `mov.b32.unpack2`, likewise `mov.b64.unpack2`, `mov.b16.unpack2` |
//! | `mov.b64` {a, b, c, d}, s | `mov.b64.unpack4.low` gives a, b, then `mov.b64.unpack4.high` gives c, d (`mov.b32` likewise) |
//!
//! The carry lives in a predicate that the decoder keeps for the purpose (`CC.CF`); after `sub.cc` it holds the borrow.
//! A sink (`_`) among two results is [`NONE`](crate::program::NONE).

use rustc_hash::FxHashMap;

use crate::inspect::Class;
use crate::numerics::{BF16, BF16x2, F16, F16x2, Float};
use crate::program::{LaneFn, NONE, Op, Slot};
use crate::settings::machine;

/// An instruction form that a lane does alone.
pub(crate) struct Row {
    /// Full spellings, as PTX writes them: `add.f32` and `add.rn.f32` are one row.
    pub(crate) names: &'static [&'static str],
    pub(crate) class: Class,
    /// Bytes of each result's register: 1 stands for a predicate.
    pub(crate) results: &'static [u8],
    /// Bytes of each source's register, in operand order.
    pub(crate) sources: &'static [u8],
    /// By [`level`].
    pub(crate) lanes: [LaneFn; 3],
}

/// Which instance of a row runs here: 0 baseline, 1 AVX2 with FMA and F16C, 2 AVX-512; the best that the processor has, or
/// a lesser one that `SOFTGPU_VECTORS` asks for.
pub(crate) fn level() -> usize {
    static LEVEL: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *LEVEL.get_or_init(|| best_level().min(machine().vectors))
}

fn best_level() -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        // All that the instances of `by_level` are compiled for.
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if avx2 { 1 + usize::from(avx512) } else { 0 }
    }
    #[cfg(not(target_arch = "x86_64"))]
    0
}

/// A function of the executor that works on many lanes, compiled three times as a row is: `NAME[level()]`, or with a
/// constant for the index where the caller is itself one of the three.
macro_rules! by_level {
    ($(#[$doc:meta])* $vis:vis const $name:ident = $function:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)?;) => {
        $(#[$doc])*
        $vis const $name: [unsafe fn($($ty),*) $(-> $ret)?; 3] = {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
            unsafe fn avx2($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the caller's, passed through.
                unsafe { $function($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
            unsafe fn avx512($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the caller's, passed through.
                unsafe { $function($($arg),*) }
            }
            #[cfg(not(target_arch = "x86_64"))]
            use {$function as avx2, $function as avx512};
            [$function, avx2, avx512]
        };
    };
}
pub(crate) use by_level;

/// Bit i of a byte, spread over lane i: a mask becomes vectors by four look-ups.
static SPREAD: [[u32; 8]; 256] = {
    let mut spread = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut i = 0;
        while i < 8 {
            if byte & (1 << i) != 0 {
                spread[byte][i] = u32::MAX;
            }
            i += 1;
        }
        byte += 1;
    }
    spread
};

/// All ones in the lanes of a mask.
#[inline(always)]
fn spread(mask: u32) -> [u32; 32] {
    let mut lanes = [0; 32];
    for (eight, byte) in lanes.chunks_exact_mut(8).zip(mask.to_le_bytes()) {
        eight.copy_from_slice(&SPREAD[usize::from(byte)]);
    }
    lanes
}

/// Runs a row for the lanes of `mask` alone. A row knows of no mask: it computes and writes all its lanes, and what the
/// others held is put back here.
///
/// # Safety
/// As for [`LaneFn`].
#[inline(always)]
unsafe fn masked(regs: *mut u32, op: &Op, mask: u32) {
    // SAFETY: the window covers the op's slots, two of them where a result is wide; nothing refers to them meanwhile.
    unsafe {
        let at = |i: usize| regs.add(usize::from(op.d[i]) * 32);
        let mut old = [[0u64; 32]; 2];
        for (i, old) in old.iter_mut().enumerate().filter(|&(i, _)| op.d[i] != NONE) {
            if op.wide[i] {
                *old = *at(i).cast();
            } else {
                *old.as_mut_ptr().cast::<[u32; 32]>() = *at(i).cast();
            }
        }
        (op.lanes)(regs, op);
        let spread = spread(mask);
        for (i, old) in old.iter().enumerate().filter(|&(i, _)| op.d[i] != NONE) {
            if op.wide[i] {
                let row = &mut *at(i).cast::<[u64; 32]>();
                for lane in 0..32 {
                    let new = i64::from(spread[lane] as i32) as u64;
                    row[lane] = (row[lane] & new) | (old[lane] & !new);
                }
            } else {
                let (row, old) = (&mut *at(i).cast::<[u32; 32]>(), &*old.as_ptr().cast::<[u32; 32]>());
                for lane in 0..32 {
                    row[lane] = (row[lane] & spread[lane]) | (old[lane] & !spread[lane]);
                }
            }
        }
    }
}

by_level! {
    /// [`LaneFn`] for the lanes of a mask.
    pub(crate) const MASKED = masked(regs: *mut u32, op: &Op, mask: u32);
}

/// A value as a register holds it.
pub(crate) trait Lane: Copy {
    /// Bytes of the register: 1 for a predicate, 2, 4, 8.
    const BYTES: u8;
    /// All lanes hold the same: a constant operand.
    const UNIFORM: bool = false;
    /// What 32 lanes of a register are made of: one slot of `u32`, or two of `u64`.
    type Raw: Copy + Default;
    fn from_raw(raw: Self::Raw) -> Self;
    fn raw(self) -> Self::Raw;
}

macro_rules! lane_type {
    ($($t:ty, $bytes:literal, $raw:ty, |$r:ident| $from:expr, |$v:ident| $to:expr;)*) => {$(
        impl Lane for $t {
            const BYTES: u8 = $bytes;
            type Raw = $raw;
            #[inline(always)]
            fn from_raw($r: $raw) -> Self {
                $from
            }
            #[inline(always)]
            fn raw(self) -> $raw {
                let $v = self;
                $to
            }
        }
    )*};
}

lane_type! {
    u8, 2, u32, |r| r as u8, |v| u32::from(v);
    i8, 2, u32, |r| r as i8, |v| u32::from(i16::from(v) as u16);
    u16, 2, u32, |r| r as u16, |v| u32::from(v);
    i16, 2, u32, |r| r as i16, |v| u32::from(v as u16);
    u32, 4, u32, |r| r, |v| v;
    i32, 4, u32, |r| r as i32, |v| v as u32;
    f32, 4, u32, |r| f32::from_bits(r), |v| v.to_bits();
    u64, 8, u64, |r| r, |v| v;
    i64, 8, u64, |r| r as i64, |v| v as u64;
    f64, 8, u64, |r| f64::from_bits(r), |v| v.to_bits();
    bool, 1, u32, |r| r != 0, |v| if v { u32::MAX } else { 0 };
    F16, 2, u32, |r| F16(r as u16), |v| u32::from(v.0);
    BF16, 2, u32, |r| BF16(r as u16), |v| u32::from(v.0);
    F16x2, 4, u32, |r| F16x2(r), |v| v.0;
    BF16x2, 4, u32, |r| BF16x2(r), |v| v.0;
}

/// Lane i of a source.
#[inline(always)]
fn lane_of<T: Lane>(source: &[T::Raw; 32], i: usize) -> T {
    T::from_raw(source[if T::UNIFORM { 0 } else { i }])
}

/// An operand that PTX wants constant, as lop3's table: read once for all lanes.
#[derive(Clone, Copy)]
pub(crate) struct Immediate(pub(crate) u32);

impl Lane for Immediate {
    const BYTES: u8 = 4;
    const UNIFORM: bool = true;
    type Raw = u32;
    #[inline(always)]
    fn from_raw(raw: u32) -> Self {
        Immediate(raw)
    }
    #[inline(always)]
    fn raw(self) -> u32 {
        self.0
    }
}

/// A source whose subnormals are read as zeros: `.ftz`.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(crate) struct Flushed<T>(pub(crate) T);

macro_rules! flushed {
    ($($t:ty)*) => {$(
        impl Lane for Flushed<$t> {
            const BYTES: u8 = <$t as Lane>::BYTES;
            type Raw = u32;
            #[inline(always)]
            fn from_raw(raw: u32) -> Self {
                Flushed(<$t as Lane>::from_raw(raw).flushed())
            }
            #[inline(always)]
            fn raw(self) -> u32 {
                self.0.raw()
            }
        }
    )*};
}

flushed! { f32 F16 }

/// What a row gives: one value, or two (`add.cc` and its carry, `setp.x.and p|q`, the halves of an unpacked register).
pub(crate) trait Results: Copy {
    const BYTES: &'static [u8];
    type Columns;
    fn columns() -> Self::Columns;
    fn put(columns: &mut Self::Columns, lane: usize, value: Self);
    /// # Safety
    /// As for [`LaneFn`].
    unsafe fn store(regs: *mut u32, op: &Op, columns: Self::Columns);
}

impl<T: Lane> Results for T {
    const BYTES: &'static [u8] = &[T::BYTES];
    type Columns = [T::Raw; 32];
    #[inline(always)]
    fn columns() -> Self::Columns {
        [T::Raw::default(); 32]
    }
    #[inline(always)]
    fn put(columns: &mut Self::Columns, lane: usize, value: T) {
        columns[lane] = value.raw();
    }
    #[inline(always)]
    unsafe fn store(regs: *mut u32, op: &Op, columns: Self::Columns) {
        // SAFETY: the caller's.
        unsafe { put(regs, op.d[0], columns) }
    }
}

impl<T: Lane, U: Lane> Results for (T, U) {
    const BYTES: &'static [u8] = &[T::BYTES, U::BYTES];
    type Columns = ([T::Raw; 32], [U::Raw; 32]);
    #[inline(always)]
    fn columns() -> Self::Columns {
        ([T::Raw::default(); 32], [U::Raw::default(); 32])
    }
    #[inline(always)]
    fn put(columns: &mut Self::Columns, lane: usize, value: Self) {
        columns.0[lane] = value.0.raw();
        columns.1[lane] = value.1.raw();
    }
    #[inline(always)]
    unsafe fn store(regs: *mut u32, op: &Op, columns: Self::Columns) {
        // A result that the program does not keep (`_`) has no slot.
        if op.d[0] != NONE {
            // SAFETY: the caller's.
            unsafe { put(regs, op.d[0], columns.0) }
        }
        if op.d[1] != NONE {
            // SAFETY: the caller's.
            unsafe { put(regs, op.d[1], columns.1) }
        }
    }
}

/// All lanes of a result.
///
/// # Safety
/// As for [`LaneFn`].
#[inline(always)]
unsafe fn put<R>(regs: *mut u32, slot: Slot, column: [R; 32]) {
    // SAFETY: the window covers the slot and its lanes are aligned (LaneFn).
    unsafe { regs.add(usize::from(slot) * 32).cast::<[R; 32]>().write(column) }
}

/// A table of rows: names (strings and numbers, put together), sources, result, and what one lane computes. Each
/// row is compiled three times, for the processor features that [`level`] finds at run time; in a table marked `rare`
/// once, to be used at every level, and lane by lane, because few kernels have it and the tables are long.
macro_rules! lanes {
    ($table:ident, $class:expr; $($rows:tt)*) => {
        $crate::isa::lanes! { @table every_level, inline(always), $table, $class; $($rows)* }
    };
    ($table:ident, $class:expr, rare; $($rows:tt)*) => {
        $crate::isa::lanes! { @table one_level, inline(never), $table, $class; $($rows)* }
    };
    (@table $levels:ident, $inline:meta, $table:ident, $class:expr;
        $( $( $($name:literal)+ )|+ ( $($arg:ident : $ty:ty),* ) -> $ret:ty $body:block )*) => {
        pub(crate) static $table: &[$crate::isa::Row] = &[$({
            #[$inline]
            fn lane($($arg: $ty),*) -> $ret $body
            #[inline(always)]
            unsafe fn all(regs: *mut u32, op: &$crate::program::Op) {
                // SAFETY: the window covers the op's slots and their lanes are aligned (LaneFn). No reference to a
                // source is used once a result is stored, so a result may lie on a source.
                unsafe {
                    let mut _source = 0;
                    $(
                        let $arg = &*regs
                            .add(usize::from(op.s[_source]) * 32)
                            .cast::<[<$ty as $crate::isa::Lane>::Raw; 32]>();
                        _source += 1;
                    )*
                    let mut columns = <$ret as $crate::isa::Results>::columns();
                    for i in 0..32 {
                        let result = lane($($crate::isa::lane_of::<$ty>($arg, i)),*);
                        <$ret as $crate::isa::Results>::put(&mut columns, i, result);
                    }
                    <$ret as $crate::isa::Results>::store(regs, op, columns);
                }
            }
            $crate::isa::Row {
                names: &[$(concat!($($name),+)),+],
                class: $class,
                results: <$ret as $crate::isa::Results>::BYTES,
                sources: &[$(<$ty as $crate::isa::Lane>::BYTES),*],
                lanes: $crate::isa::lanes!(@$levels all),
            }
        }),*];
    };
    (@one_level $all:ident) => { [$all; 3] };
    (@every_level $all:ident) => {{
        $crate::isa::by_level! {
            const ALL = $all(regs: *mut u32, op: &$crate::program::Op);
        }
        ALL
    }};
}
pub(crate) use lanes;

pub(crate) mod access;
pub(crate) mod address;
pub(crate) mod approximate;
pub(crate) mod async_copy;
pub(crate) mod atomic;
pub(crate) mod builtin;
pub(crate) mod chunks;
pub(crate) mod compare;
pub(crate) mod control;
pub(crate) mod convert;
pub(crate) mod float;
pub(crate) mod forms;
pub(crate) mod half;
pub(crate) mod integer;
pub(crate) mod logic;
pub(crate) mod matrix;
pub(crate) mod mbarrier;
pub(crate) mod memory;
pub(crate) mod moves;
pub(crate) mod races;
pub(crate) mod refused;
pub(crate) mod sync;
pub(crate) mod tensor_core;
pub(crate) mod warp;

#[cfg(test)]
mod tests;

/// Every table of rows.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    let chapters: [&[&'static [Row]]; 10] = [
        integer::TABLES,
        logic::TABLES,
        float::TABLES,
        half::TABLES,
        compare::TABLES,
        convert::FROM_INTEGER,
        convert::FROM_FLOAT,
        convert::FLOAT,
        moves::TABLES,
        mbarrier::TABLES,
    ];
    chapters.into_iter().flatten().flat_map(|table| table.iter())
}

/// The row that PTX calls `name`: an opcode with its modifiers as written, or one of the spellings above for a form
/// whose operands tell it from another.
pub(crate) fn row(name: &str) -> Option<&'static Row> {
    static ROWS: std::sync::OnceLock<FxHashMap<&'static str, &'static Row>> = std::sync::OnceLock::new();
    let by_name = ROWS.get_or_init(|| rows().flat_map(|row| row.names.iter().map(move |name| (*name, row))).collect());
    by_name.get(name).copied()
}
