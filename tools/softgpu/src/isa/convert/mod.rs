//! PTX ISA, "Data Movement and Conversion Instructions": `cvt`.
//!
//! A value of 8 bits sits in a 16-bit register, zero- or sign-extended by its type.

mod float;
mod from_float;
mod from_integer;

pub(super) use float::TABLES as FLOAT;
pub(super) use from_float::TABLES as FROM_FLOAT;
pub(super) use from_integer::TABLES as FROM_INTEGER;
