//! The instruction set, by the chapters of the PTX ISA. What a lane can do alone is a row of a table, written with
//! [`lanes!`]; what needs memory or the warp is a form of `forms`, run by a function named after its opcode.

use crate::inspect::Class;
use crate::program::{LaneFn, Op, Slot};

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

/// Which instance of a row runs here: 0 baseline, 1 AVX2 with FMA and F16C, 2 AVX-512.
pub(crate) fn level() -> usize {
    static LEVEL: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *LEVEL.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
            {
                return 2;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
                return 1;
            }
        }
        0
    })
}

/// A value as a register holds it.
pub(crate) trait Lane: Copy + Default {
    /// Bytes of the register: 1 for a predicate, 2, 4, 8.
    const BYTES: u8;
    /// # Safety
    /// As for [`LaneFn`].
    unsafe fn load(regs: *const u32, slot: Slot) -> [Self; 32];
    /// # Safety
    /// As for [`LaneFn`].
    unsafe fn store(regs: *mut u32, slot: Slot, values: [Self; 32], mask: u32);
}

macro_rules! lane_type {
    ($($t:ty, $bytes:literal, $raw:ty, |$r:ident| $from:expr, |$v:ident| $to:expr;)*) => {$(
        impl Lane for $t {
            const BYTES: u8 = $bytes;
            #[inline(always)]
            unsafe fn load(regs: *const u32, slot: Slot) -> [Self; 32] {
                // SAFETY: the window covers the slot and its lanes are aligned (LaneFn).
                let raw = unsafe { &*regs.add(usize::from(slot) * 32).cast::<[$raw; 32]>() };
                let mut values = [<$t>::default(); 32];
                for i in 0..32 {
                    let $r = raw[i];
                    values[i] = $from;
                }
                values
            }
            #[inline(always)]
            unsafe fn store(regs: *mut u32, slot: Slot, values: [Self; 32], mask: u32) {
                // SAFETY: as for load.
                let to = unsafe { &mut *regs.add(usize::from(slot) * 32).cast::<[$raw; 32]>() };
                if mask == u32::MAX {
                    for i in 0..32 {
                        let $v = values[i];
                        to[i] = $to;
                    }
                } else {
                    for i in 0..32 {
                        let $v = values[i];
                        to[i] = if mask & (1 << i) == 0 { to[i] } else { $to };
                    }
                }
            }
        }
    )*};
}

lane_type! {
    u8, 2, u32, |r| r as u8, |v| u32::from(v);
    i8, 2, u32, |r| r as i8, |v| u32::from(v as u8);
    u16, 2, u32, |r| r as u16, |v| u32::from(v);
    i16, 2, u32, |r| r as i16, |v| u32::from(v as u16);
    u32, 4, u32, |r| r, |v| v;
    i32, 4, u32, |r| r as i32, |v| v as u32;
    f32, 4, u32, |r| f32::from_bits(r), |v| v.to_bits();
    u64, 8, u64, |r| r, |v| v;
    i64, 8, u64, |r| r as i64, |v| v as u64;
    f64, 8, u64, |r| f64::from_bits(r), |v| v.to_bits();
    bool, 1, u32, |r| r != 0, |v| if v { u32::MAX } else { 0 };
}

/// What a row gives: one value, or two (`setp.x p|q`, packed halves of a 64-bit move).
pub(crate) trait Results: Copy {
    const BYTES: &'static [u8];
    type Columns;
    fn columns() -> Self::Columns;
    fn put(columns: &mut Self::Columns, lane: usize, value: Self);
    /// # Safety
    /// As for [`LaneFn`].
    unsafe fn store(regs: *mut u32, op: &Op, columns: Self::Columns, mask: u32);
}

impl<T: Lane> Results for T {
    const BYTES: &'static [u8] = &[T::BYTES];
    type Columns = [T; 32];
    #[inline(always)]
    fn columns() -> [T; 32] {
        [T::default(); 32]
    }
    #[inline(always)]
    fn put(columns: &mut [T; 32], lane: usize, value: T) {
        columns[lane] = value;
    }
    #[inline(always)]
    unsafe fn store(regs: *mut u32, op: &Op, columns: [T; 32], mask: u32) {
        // SAFETY: the caller's.
        unsafe { T::store(regs, op.d[0], columns, mask) }
    }
}

impl<T: Lane, U: Lane> Results for (T, U) {
    const BYTES: &'static [u8] = &[T::BYTES, U::BYTES];
    type Columns = ([T; 32], [U; 32]);
    #[inline(always)]
    fn columns() -> Self::Columns {
        ([T::default(); 32], [U::default(); 32])
    }
    #[inline(always)]
    fn put(columns: &mut Self::Columns, lane: usize, value: Self) {
        columns.0[lane] = value.0;
        columns.1[lane] = value.1;
    }
    #[inline(always)]
    unsafe fn store(regs: *mut u32, op: &Op, columns: Self::Columns, mask: u32) {
        // A result that the program does not keep (`_`) has no slot.
        if op.d[0] != crate::program::NONE {
            // SAFETY: the caller's.
            unsafe { T::store(regs, op.d[0], columns.0, mask) }
        }
        if op.d[1] != crate::program::NONE {
            // SAFETY: the caller's.
            unsafe { U::store(regs, op.d[1], columns.1, mask) }
        }
    }
}

/// A table of rows. Each is compiled three times, for the processor features that [`level`] finds at run time.
macro_rules! lanes {
    ($table:ident, $class:expr; $( $($name:literal)|+ ( $($arg:ident : $ty:ty),* ) -> $ret:ty $body:block )*) => {
        pub(crate) static $table: &[$crate::isa::Row] = &[$({
            #[inline(always)]
            fn lane($($arg: $ty),*) -> $ret $body
            #[inline(always)]
            unsafe fn all(regs: *mut u32, op: &$crate::program::Op, mask: u32) {
                // SAFETY: the caller's, passed through.
                unsafe {
                    let mut _source = 0;
                    $(
                        let $arg = <$ty as $crate::isa::Lane>::load(regs, op.s[_source]);
                        _source += 1;
                    )*
                    let mut columns = <$ret as $crate::isa::Results>::columns();
                    for i in 0..32 {
                        <$ret as $crate::isa::Results>::put(&mut columns, i, lane($($arg[i]),*));
                    }
                    <$ret as $crate::isa::Results>::store(regs, op, columns, mask);
                }
            }
            unsafe fn baseline(regs: *mut u32, op: &$crate::program::Op, mask: u32) {
                // SAFETY: the caller's, passed through.
                unsafe { all(regs, op, mask) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
            unsafe fn avx2(regs: *mut u32, op: &$crate::program::Op, mask: u32) {
                // SAFETY: the caller's, passed through.
                unsafe { all(regs, op, mask) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
            unsafe fn avx512(regs: *mut u32, op: &$crate::program::Op, mask: u32) {
                // SAFETY: the caller's, passed through.
                unsafe { all(regs, op, mask) }
            }
            #[cfg(not(target_arch = "x86_64"))]
            use baseline as avx2;
            #[cfg(not(target_arch = "x86_64"))]
            use baseline as avx512;
            $crate::isa::Row {
                names: &[$($name),+],
                class: $class,
                results: <$ret as $crate::isa::Results>::BYTES,
                sources: &[$(<$ty as $crate::isa::Lane>::BYTES),*],
                lanes: [baseline, avx2, avx512],
            }
        }),*];
    };
}
pub(crate) use lanes;

pub(crate) mod integer;
