//! PTX ISA, "Integer Arithmetic Instructions" and "Logic and Shift Instructions".

use super::lanes;
use crate::inspect::Class;

lanes! { INTEGER, Class::Integer;
    "add.u32" | "add.s32" (a: u32, b: u32) -> u32 { a.wrapping_add(b) }
    "mul.wide.u32" (a: u32, b: u32) -> u64 { u64::from(a) * u64::from(b) }
    "shr.u32" (a: u32, b: u32) -> u32 { a.checked_shr(b).unwrap_or(0) } // a shift of 32 or more is clamped
    "setp.lt.s32" (a: i32, b: i32) -> bool { a < b }
}
