//! PTX ISA, "Logic and Shift Instructions", and the byte permutation of "Data Movement and Conversion Instructions".

use super::{Immediate, Row};
use crate::inspect::Class;

/// Every table of this chapter.
pub(super) const TABLES: &[&[Row]] = &[PREDICATES, BITS_16, BITS_32, BITS_64, FUNNEL, LUT, PERMUTATIONS];

lanes! { PREDICATES, Class::Integer;
    "and.pred" (a: bool, b: bool) -> bool { a & b }
    "or.pred" (a: bool, b: bool) -> bool { a | b }
    "xor.pred" (a: bool, b: bool) -> bool { a ^ b }
    "not.pred" (a: bool) -> bool { !a }
}

/// What all three widths have. A shift by the width or more gives what shifting bit by bit would.
macro_rules! logic {
    ($table:ident, $bits:literal, $u:ident, $s:ident) => {
        lanes! { $table, Class::Integer;
            "and.b" $bits (a: $u, b: $u) -> $u { a & b }
            "or.b" $bits (a: $u, b: $u) -> $u { a | b }
            "xor.b" $bits (a: $u, b: $u) -> $u { a ^ b }
            "not.b" $bits (a: $u) -> $u { !a }
            "cnot.b" $bits (a: $u) -> $u { $u::from(a == 0) }
            "shl.b" $bits (a: $u, count: u32) -> $u { a.checked_shl(count).unwrap_or(0) }
            "shr.b" $bits | "shr.u" $bits (a: $u, count: u32) -> $u { a.checked_shr(count).unwrap_or(0) }
            "shr.s" $bits (a: $s, count: u32) -> $s { a >> count.min($bits - 1) }
        }
    };
}

logic! { BITS_16, 16, u16, i16 }
logic! { BITS_32, 32, u32, i32 }
logic! { BITS_64, 64, u64, i64 }

lanes! { FUNNEL, Class::Integer;
    "shf.l.wrap.b32" (a: u32, b: u32, count: u32) -> u32 { (join(a, b) << (count & 31) >> 32) as u32 }
    "shf.l.clamp.b32" (a: u32, b: u32, count: u32) -> u32 { (join(a, b) << count.min(32) >> 32) as u32 }
    "shf.r.wrap.b32" (a: u32, b: u32, count: u32) -> u32 { (join(a, b) >> (count & 31)) as u32 }
    "shf.r.clamp.b32" (a: u32, b: u32, count: u32) -> u32 { (join(a, b) >> count.min(32)) as u32 }
}

#[inline(always)]
fn join(low: u32, high: u32) -> u64 {
    u64::from(low) | (u64::from(high) << 32)
}

lanes! { LUT, Class::Integer;
    "lop3.b32" (a: u32, b: u32, c: u32, table: Immediate) -> u32 {
        // Entry k of the table, as 32 equal bits.
        let entry = |k: u32| 0_u32.wrapping_sub((table.0 >> k) & 1);
        let by_c = |k: u32| (c & entry(k + 1)) | (!c & entry(k));
        let by_bc = |k: u32| (b & by_c(k + 2)) | (!b & by_c(k));
        (a & by_bc(4)) | (!a & by_bc(0))
    }
    // The predicate of `lop3.or.b32 d|p, a, b, c, table, q`: sources d and q.
    "lop3.or.pred" (d: u32, q: bool) -> bool { (d != 0) | q }
    "lop3.and.pred" (d: u32, q: bool) -> bool { (d != 0) & q }
}

lanes! { PERMUTATIONS, Class::Integer;
    "prmt.b32" (a: u32, b: u32, selector: u32) -> u32 {
        let bytes = join(a, b);
        let pick = |k: u32| {
            let nibble = selector >> (4 * k);
            let byte = (bytes >> (8 * (nibble & 7))) as u32 & 0xff;
            let sign = 0_u32.wrapping_sub(byte >> 7) & 0xff;
            (if nibble & 8 == 0 { byte } else { sign }) << (8 * k)
        };
        pick(0) | pick(1) | pick(2) | pick(3)
    }
    "prmt.b32.f4e" (a: u32, b: u32, c: u32) -> u32 { (join(a, b) >> (8 * (c & 3))) as u32 }
    "prmt.b32.b4e" (a: u32, b: u32, c: u32) -> u32 {
        // Bytes n, n - 1, n - 2, n - 3 of the eight, round the end.
        (join(a, b).rotate_left(8 * (3 - (c & 3))) as u32).swap_bytes()
    }
    "prmt.b32.rc8" (a: u32, _b: u32, c: u32) -> u32 { (a >> (8 * (c & 3)) & 0xff) * 0x0101_0101 }
    // Edge clamps: byte k of the result is byte max(k, c), or min(k, c), of a.
    "prmt.b32.ecl" (a: u32, _b: u32, c: u32) -> u32 {
        let byte = |k: u32| (a >> (8 * k.max(c & 3)) & 0xff) << (8 * k);
        byte(0) | byte(1) | byte(2) | byte(3)
    }
    "prmt.b32.ecr" (a: u32, _b: u32, c: u32) -> u32 {
        let byte = |k: u32| (a >> (8 * k.min(c & 3)) & 0xff) << (8 * k);
        byte(0) | byte(1) | byte(2) | byte(3)
    }
    "prmt.b32.rc16" (a: u32, _b: u32, c: u32) -> u32 { (a >> (16 * (c & 1)) & 0xffff) * 0x0001_0001 }
}
