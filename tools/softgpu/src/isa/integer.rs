//! PTX ISA, "Integer Arithmetic Instructions" and "Extended-Precision Integer Arithmetic Instructions".

use super::Row;
use crate::inspect::Class;

/// Every table of this chapter.
pub(super) const TABLES: &[&[Row]] = &[
    BITS_16,
    BITS_32,
    BITS_64,
    WIDE_16,
    WIDE_32,
    SATURATING,
    CARRY_32,
    CARRY_64,
    BIT_FIELDS,
    DOT_PRODUCTS,
    DIFFERENCES,
];

/// The upper half of a product.
macro_rules! high {
    ($double:ident, $bits:literal, $a:expr, $b:expr) => {
        ($double::from($a) * $double::from($b)) >> $bits
    };
}

/// What all three widths have. Division by zero is unspecified by the ISA; here as on cards it gives all ones, and the
/// remainder is the dividend.
macro_rules! arithmetic {
    ($table:ident, $bits:literal, $u:ident, $s:ident, $double:ident, $double_s:ident) => {
        lanes! { $table, Class::Integer;
            "add.u" $bits | "add.s" $bits (a: $u, b: $u) -> $u { a.wrapping_add(b) }
            "sub.u" $bits | "sub.s" $bits (a: $u, b: $u) -> $u { a.wrapping_sub(b) }
            "mul.lo.u" $bits | "mul.lo.s" $bits (a: $u, b: $u) -> $u { a.wrapping_mul(b) }
            "mul.hi.u" $bits (a: $u, b: $u) -> $u { high!($double, $bits, a, b) as $u }
            "mul.hi.s" $bits (a: $s, b: $s) -> $s { high!($double_s, $bits, a, b) as $s }
            "mad.lo.u" $bits | "mad.lo.s" $bits (a: $u, b: $u, c: $u) -> $u { a.wrapping_mul(b).wrapping_add(c) }
            "mad.hi.u" $bits (a: $u, b: $u, c: $u) -> $u { (high!($double, $bits, a, b) as $u).wrapping_add(c) }
            "mad.hi.s" $bits (a: $s, b: $s, c: $s) -> $s { (high!($double_s, $bits, a, b) as $s).wrapping_add(c) }
            "div.u" $bits (a: $u, b: $u) -> $u { a.checked_div(b).unwrap_or($u::MAX) }
            "div.s" $bits (a: $s, b: $s) -> $s { if b == 0 { -1 } else { a.wrapping_div(b) } }
            "rem.u" $bits (a: $u, b: $u) -> $u { a.checked_rem(b).unwrap_or(a) }
            "rem.s" $bits (a: $s, b: $s) -> $s { if b == 0 { a } else { a.wrapping_rem(b) } }
            "abs.s" $bits (a: $s) -> $s { a.wrapping_abs() }
            "neg.s" $bits (a: $s) -> $s { a.wrapping_neg() }
            "min.u" $bits (a: $u, b: $u) -> $u { a.min(b) }
            "min.s" $bits (a: $s, b: $s) -> $s { a.min(b) }
            "max.u" $bits (a: $u, b: $u) -> $u { a.max(b) }
            "max.s" $bits (a: $s, b: $s) -> $s { a.max(b) }
            "sad.u" $bits (a: $u, b: $u, c: $u) -> $u { c.wrapping_add(a.max(b) - a.min(b)) }
            "sad.s" $bits (a: $s, b: $s, c: $s) -> $s { c.wrapping_add(a.max(b).wrapping_sub(a.min(b))) }
        }
    };
}

arithmetic! { BITS_16, 16, u16, i16, u32, i32 }
arithmetic! { BITS_32, 32, u32, i32, u64, i64 }
arithmetic! { BITS_64, 64, u64, i64, u128, i128 }

lanes! { WIDE_16, Class::Integer;
    "mul.wide.u16" (a: u16, b: u16) -> u32 { u32::from(a) * u32::from(b) }
    "mul.wide.s16" (a: i16, b: i16) -> i32 { i32::from(a) * i32::from(b) }
    "mad.wide.u16" (a: u16, b: u16, c: u32) -> u32 { (u32::from(a) * u32::from(b)).wrapping_add(c) }
    "mad.wide.s16" (a: i16, b: i16, c: i32) -> i32 { (i32::from(a) * i32::from(b)).wrapping_add(c) }
}

lanes! { WIDE_32, Class::Integer;
    "mul.wide.u32" (a: u32, b: u32) -> u64 { u64::from(a) * u64::from(b) }
    "mul.wide.s32" (a: i32, b: i32) -> i64 { i64::from(a) * i64::from(b) }
    "mad.wide.u32" (a: u32, b: u32, c: u64) -> u64 { (u64::from(a) * u64::from(b)).wrapping_add(c) }
    "mad.wide.s32" (a: i32, b: i32, c: i64) -> i64 { (i64::from(a) * i64::from(b)).wrapping_add(c) }
}

lanes! { SATURATING, Class::Integer, rare;
    "add.sat.s32" (a: i32, b: i32) -> i32 { a.saturating_add(b) }
    "sub.sat.s32" (a: i32, b: i32) -> i32 { a.saturating_sub(b) }
    "mad.hi.sat.s32" (a: i32, b: i32, c: i32) -> i32 { (high!(i64, 32, a, b) as i32).saturating_add(c) }
    "mul24.lo.u32" (a: u32, b: u32) -> u32 { low_24(a).wrapping_mul(low_24(b)) as u32 }
    "mul24.lo.s32" (a: i32, b: i32) -> i32 { signed_24(a).wrapping_mul(signed_24(b)) as i32 }
    "mul24.hi.u32" (a: u32, b: u32) -> u32 { ((low_24(a) * low_24(b)) >> 16) as u32 }
    "mul24.hi.s32" (a: i32, b: i32) -> i32 { ((signed_24(a) * signed_24(b)) >> 16) as i32 }
    "mad24.lo.u32" (a: u32, b: u32, c: u32) -> u32 { ((low_24(a) * low_24(b)) as u32).wrapping_add(c) }
    "mad24.lo.s32" (a: i32, b: i32, c: i32) -> i32 { ((signed_24(a) * signed_24(b)) as i32).wrapping_add(c) }
}

fn low_24(a: u32) -> u64 {
    u64::from(a & 0x00ff_ffff)
}

fn signed_24(a: i32) -> i64 {
    i64::from((a << 8) >> 8)
}

/// The carry is a predicate: a further result of the forms that set it, a further source of those that use it.
macro_rules! carry {
    ($table:ident, $bits:literal, $u:ident, $s:ident, $double:ident, $double_s:ident) => {
        lanes! { $table, Class::Integer, rare;
            "add.cc.u" $bits | "add.cc.s" $bits (a: $u, b: $u) -> ($u, bool) { a.overflowing_add(b) }
            "addc.u" $bits | "addc.s" $bits (a: $u, b: $u, carry: bool) -> $u {
                a.wrapping_add(b).wrapping_add($u::from(carry))
            }
            "addc.cc.u" $bits | "addc.cc.s" $bits (a: $u, b: $u, carry: bool) -> ($u, bool) {
                let (sum, over) = a.overflowing_add(b);
                let (sum, more) = sum.overflowing_add($u::from(carry));
                (sum, over | more)
            }
            "sub.cc.u" $bits | "sub.cc.s" $bits (a: $u, b: $u) -> ($u, bool) { a.overflowing_sub(b) }
            "subc.u" $bits | "subc.s" $bits (a: $u, b: $u, borrow: bool) -> $u {
                a.wrapping_sub(b).wrapping_sub($u::from(borrow))
            }
            "subc.cc.u" $bits | "subc.cc.s" $bits (a: $u, b: $u, borrow: bool) -> ($u, bool) {
                let (difference, under) = a.overflowing_sub(b);
                let (difference, more) = difference.overflowing_sub($u::from(borrow));
                (difference, under | more)
            }
            "mad.lo.cc.u" $bits | "mad.lo.cc.s" $bits (a: $u, b: $u, c: $u) -> ($u, bool) {
                a.wrapping_mul(b).overflowing_add(c)
            }
            "mad.hi.cc.u" $bits (a: $u, b: $u, c: $u) -> ($u, bool) {
                (high!($double, $bits, a, b) as $u).overflowing_add(c)
            }
            "mad.hi.cc.s" $bits (a: $s, b: $s, c: $u) -> ($u, bool) {
                (high!($double_s, $bits, a, b) as $u).overflowing_add(c)
            }
            "madc.lo.u" $bits | "madc.lo.s" $bits (a: $u, b: $u, c: $u, carry: bool) -> $u {
                a.wrapping_mul(b).wrapping_add(c).wrapping_add($u::from(carry))
            }
            "madc.hi.u" $bits (a: $u, b: $u, c: $u, carry: bool) -> $u {
                (high!($double, $bits, a, b) as $u).wrapping_add(c).wrapping_add($u::from(carry))
            }
            "madc.hi.s" $bits (a: $s, b: $s, c: $u, carry: bool) -> $u {
                (high!($double_s, $bits, a, b) as $u).wrapping_add(c).wrapping_add($u::from(carry))
            }
            "madc.lo.cc.u" $bits | "madc.lo.cc.s" $bits (a: $u, b: $u, c: $u, carry: bool) -> ($u, bool) {
                let (sum, over) = a.wrapping_mul(b).overflowing_add(c);
                let (sum, more) = sum.overflowing_add($u::from(carry));
                (sum, over | more)
            }
            "madc.hi.cc.u" $bits (a: $u, b: $u, c: $u, carry: bool) -> ($u, bool) {
                let (sum, over) = (high!($double, $bits, a, b) as $u).overflowing_add(c);
                let (sum, more) = sum.overflowing_add($u::from(carry));
                (sum, over | more)
            }
            "madc.hi.cc.s" $bits (a: $s, b: $s, c: $u, carry: bool) -> ($u, bool) {
                let (sum, over) = (high!($double_s, $bits, a, b) as $u).overflowing_add(c);
                let (sum, more) = sum.overflowing_add($u::from(carry));
                (sum, over | more)
            }
        }
    };
}

carry! { CARRY_32, 32, u32, i32, u64, i64 }
carry! { CARRY_64, 64, u64, i64, u128, i128 }

/// The place of the set bit that is `offset` such bits on from `base`, itself the first, or back; all ones if there is none.
#[inline(always)]
fn nth_set(mask: u32, base: u32, offset: i32) -> u32 {
    let back = offset < 0;
    let (mask, base) = if back { (mask.reverse_bits(), 31_u32.wrapping_sub(base)) } else { (mask, base) };
    let mut set = mask & u32::MAX.checked_shl(base).unwrap_or(0);
    if offset == 0 {
        set &= 1_u32.checked_shl(base).unwrap_or(0);
    }
    for _ in 1..offset.unsigned_abs().min(33) {
        set &= set.wrapping_sub(1);
    }
    let place = set.trailing_zeros();
    match (set, back) {
        (0, _) => u32::MAX,
        (_, true) => 31 - place,
        (_, false) => place,
    }
}

lanes! { BIT_FIELDS, Class::Integer;
    "bfe.u32" (a: u32, position: u32, length: u32) -> u32 {
        a.checked_shr(position & 0xff).unwrap_or(0) & ones_32(length & 0xff)
    }
    "bfe.s32" (a: i32, position: u32, length: u32) -> i32 {
        let (position, length) = (position & 0xff, length & 0xff);
        // The field's last bit, or the register's where the field ends beyond it, fills what is left.
        let field = a >> position.min(31);
        let unused = 32 - length.min(32);
        if length == 0 { 0 } else { (field << unused) >> unused }
    }
    "bfe.u64" (a: u64, position: u32, length: u32) -> u64 {
        a.checked_shr(position & 0xff).unwrap_or(0) & ones_64(length & 0xff)
    }
    "bfe.s64" (a: i64, position: u32, length: u32) -> i64 {
        let (position, length) = (position & 0xff, length & 0xff);
        let field = a >> position.min(63);
        let unused = 64 - length.min(64);
        if length == 0 { 0 } else { (field << unused) >> unused }
    }
    "bfi.b32" (a: u32, b: u32, position: u32, length: u32) -> u32 {
        let position = position & 0xff;
        let field = ones_32(length & 0xff).checked_shl(position).unwrap_or(0);
        (b & !field) | (a.checked_shl(position).unwrap_or(0) & field)
    }
    "bfi.b64" (a: u64, b: u64, position: u32, length: u32) -> u64 {
        let position = position & 0xff;
        let field = ones_64(length & 0xff).checked_shl(position).unwrap_or(0);
        (b & !field) | (a.checked_shl(position).unwrap_or(0) & field)
    }
    "bfind.u32" (a: u32) -> u32 { 31_u32.wrapping_sub(a.leading_zeros()) } // all ones if there is none
    "bfind.s32" (a: u32) -> u32 { 31_u32.wrapping_sub(unsigned_32(a).leading_zeros()) }
    "bfind.u64" (a: u64) -> u32 { 63_u32.wrapping_sub(a.leading_zeros()) }
    "bfind.s64" (a: u64) -> u32 { 63_u32.wrapping_sub(unsigned_64(a).leading_zeros()) }
    "bfind.shiftamt.u32" (a: u32) -> u32 { if a == 0 { u32::MAX } else { a.leading_zeros() } }
    "bfind.shiftamt.s32" (a: u32) -> u32 {
        let a = unsigned_32(a);
        if a == 0 { u32::MAX } else { a.leading_zeros() }
    }
    "bfind.shiftamt.u64" (a: u64) -> u32 { if a == 0 { u32::MAX } else { a.leading_zeros() } }
    "bfind.shiftamt.s64" (a: u64) -> u32 {
        let a = unsigned_64(a);
        if a == 0 { u32::MAX } else { a.leading_zeros() }
    }
    "brev.b32" (a: u32) -> u32 { a.reverse_bits() }
    "brev.b64" (a: u64) -> u64 { a.reverse_bits() }
    "clz.b32" (a: u32) -> u32 { a.leading_zeros() }
    "clz.b64" (a: u64) -> u32 { a.leading_zeros() }
    "fns.b32" (mask: u32, base: u32, offset: i32) -> u32 { nth_set(mask, base, offset) }
    "popc.b32" (a: u32) -> u32 { a.count_ones() }
    "popc.b64" (a: u64) -> u32 { a.count_ones() }
    "szext.wrap.u32" (a: u32, bits: u32) -> u32 { a & ones_32(bits & 31) }
    "szext.clamp.u32" (a: u32, bits: u32) -> u32 { a & ones_32(bits) }
    "szext.wrap.s32" (a: i32, bits: u32) -> i32 { extend(a, bits & 31) }
    "szext.clamp.s32" (a: i32, bits: u32) -> i32 { extend(a, bits) }
    "bmsk.wrap.b32" (first: u32, length: u32) -> u32 { ones_32(length & 31) << (first & 31) }
    "bmsk.clamp.b32" (first: u32, length: u32) -> u32 { ones_32(length).checked_shl(first).unwrap_or(0) }
}

/// The lowest `count` bits.
#[inline(always)]
fn ones_32(count: u32) -> u32 {
    1_u32.checked_shl(count).unwrap_or(0).wrapping_sub(1)
}

#[inline(always)]
fn ones_64(count: u32) -> u64 {
    1_u64.checked_shl(count).unwrap_or(0).wrapping_sub(1)
}

/// A number whose highest one bit is the highest bit of `a` that differs from its sign.
#[inline(always)]
fn unsigned_32(a: u32) -> u32 {
    a ^ ((a as i32) >> 31) as u32
}

#[inline(always)]
fn unsigned_64(a: u64) -> u64 {
    a ^ ((a as i64) >> 63) as u64
}

/// The lowest `bits` bits as a signed number; of none, 0.
#[inline(always)]
fn extend(a: i32, bits: u32) -> i32 {
    let unused = 32 - bits.min(32);
    if bits == 0 { 0 } else { (a << unused) >> unused }
}

/// c plus four products of bytes.
macro_rules! dp4 {
    ($a:expr, $b:expr, $c:expr, $at:ident, $bt:ident) => {{
        let (a, b) = ($a, $b);
        let product =
            |byte: u32| i32::from((a >> (8 * byte)) as $at).wrapping_mul(i32::from((b >> (8 * byte)) as $bt)) as u32;
        $c.wrapping_add(product(0)).wrapping_add(product(1)).wrapping_add(product(2)).wrapping_add(product(3))
    }};
}

/// c plus two products of a half of a and a byte of b.
macro_rules! dp2 {
    ($a:expr, $b:expr, $c:expr, $at:ident, $bt:ident) => {{
        let (a, b) = ($a, $b);
        let product = |n: u32| i32::from((a >> (16 * n)) as $at).wrapping_mul(i32::from((b >> (8 * n)) as $bt)) as u32;
        $c.wrapping_add(product(0)).wrapping_add(product(1))
    }};
}

lanes! { DOT_PRODUCTS, Class::Integer;
    "dp4a.u32.u32" (a: u32, b: u32, c: u32) -> u32 { dp4!(a, b, c, u8, u8) }
    "dp4a.u32.s32" (a: u32, b: u32, c: u32) -> u32 { dp4!(a, b, c, u8, i8) }
    "dp4a.s32.u32" (a: u32, b: u32, c: u32) -> u32 { dp4!(a, b, c, i8, u8) }
    "dp4a.s32.s32" (a: u32, b: u32, c: u32) -> u32 { dp4!(a, b, c, i8, i8) }
    "dp2a.lo.u32.u32" (a: u32, b: u32, c: u32) -> u32 { dp2!(a, b, c, u16, u8) }
    "dp2a.lo.u32.s32" (a: u32, b: u32, c: u32) -> u32 { dp2!(a, b, c, u16, i8) }
    "dp2a.lo.s32.u32" (a: u32, b: u32, c: u32) -> u32 { dp2!(a, b, c, i16, u8) }
    "dp2a.lo.s32.s32" (a: u32, b: u32, c: u32) -> u32 { dp2!(a, b, c, i16, i8) }
    "dp2a.hi.u32.u32" (a: u32, b: u32, c: u32) -> u32 { dp2!(a, b >> 16, c, u16, u8) }
    "dp2a.hi.u32.s32" (a: u32, b: u32, c: u32) -> u32 { dp2!(a, b >> 16, c, u16, i8) }
    "dp2a.hi.s32.u32" (a: u32, b: u32, c: u32) -> u32 { dp2!(a, b >> 16, c, i16, u8) }
    "dp2a.hi.s32.s32" (a: u32, b: u32, c: u32) -> u32 { dp2!(a, b >> 16, c, i16, i8) }
}

/// The absolute differences of the parts of two registers.
macro_rules! differences {
    ($a:expr, $b:expr, $part:ident) => {{
        let (a, b) = ($a, $b);
        (0..32 / $part::BITS)
            .map(move |i| ((a >> (i * $part::BITS)) as $part).abs_diff((b >> (i * $part::BITS)) as $part))
    }};
}

// PTX ISA, "Video Instructions": those that nvcc makes of __vabsdiff and __vsad. Without .add the third source is for masks
// of parts, which these forms do not have.
lanes! { DIFFERENCES, Class::Integer, rare;
    "vabsdiff2.u32.u32.u32" (a: u32, b: u32, _c: u32) -> u32 {
        differences!(a, b, u16).rev().fold(0, |packed, part| packed << 16 | u32::from(part))
    }
    "vabsdiff2.u32.u32.u32.add" (a: u32, b: u32, c: u32) -> u32 {
        differences!(a, b, u16).fold(c, |sum, part| sum.wrapping_add(u32::from(part)))
    }
    "vabsdiff4.u32.u32.u32" (a: u32, b: u32, _c: u32) -> u32 {
        differences!(a, b, u8).rev().fold(0, |packed, part| packed << 8 | u32::from(part))
    }
    "vabsdiff4.u32.u32.u32.add" (a: u32, b: u32, c: u32) -> u32 {
        differences!(a, b, u8).fold(c, |sum, part| sum.wrapping_add(u32::from(part)))
    }
}
