//! PTX ISA, "Data Movement and Conversion Instructions": `mov`, between registers and into and out of vectors.

use super::Row;
use crate::inspect::Class;

/// Every table of this chapter.
pub(super) const TABLES: &[&[Row]] = &[MOVES, PACKS];

lanes! { MOVES, Class::Move;
    "mov.pred" (a: bool) -> bool { a }
    "mov.b16" | "mov.u16" | "mov.s16" (a: u16) -> u16 { a }
    "mov.b32" | "mov.u32" | "mov.s32" | "mov.f32" (a: u32) -> u32 { a }
    "mov.b64" | "mov.u64" | "mov.s64" | "mov.f64" (a: u64) -> u64 { a }
}

// The first element of a vector is the lowest part of the register.
lanes! { PACKS, Class::Move;
    "mov.b16.pack2" (a: u8, b: u8) -> u16 { u16::from_le_bytes([a, b]) }
    "mov.b32.pack2" (a: u16, b: u16) -> u32 { u32::from(a) | (u32::from(b) << 16) }
    "mov.b32.pack4" (a: u8, b: u8, c: u8, d: u8) -> u32 { u32::from_le_bytes([a, b, c, d]) }
    "mov.b64.pack2" (a: u32, b: u32) -> u64 { u64::from(a) | (u64::from(b) << 32) }
    "mov.b64.pack4" (a: u16, b: u16, c: u16, d: u16) -> u64 {
        u64::from(a) | (u64::from(b) << 16) | (u64::from(c) << 32) | (u64::from(d) << 48)
    }
    "mov.b16.unpack2" (a: u16) -> (u8, u8) { (a as u8, (a >> 8) as u8) }
    "mov.b32.unpack2" (a: u32) -> (u16, u16) { (a as u16, (a >> 16) as u16) }
    "mov.b64.unpack2" (a: u64) -> (u32, u32) { (a as u32, (a >> 32) as u32) }
    "mov.b32.unpack4.low" (a: u32) -> (u8, u8) { (a as u8, (a >> 8) as u8) }
    "mov.b32.unpack4.high" (a: u32) -> (u8, u8) { ((a >> 16) as u8, (a >> 24) as u8) }
    "mov.b64.unpack4.low" (a: u64) -> (u16, u16) { (a as u16, (a >> 16) as u16) }
    "mov.b64.unpack4.high" (a: u64) -> (u16, u16) { ((a >> 32) as u16, (a >> 48) as u16) }
}
