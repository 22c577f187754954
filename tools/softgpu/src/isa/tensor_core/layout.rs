//! Which element of a matrix a lane's registers hold: PTX ISA, "Matrix Fragments for mma".
//!
//! With g = lane / 4 and t = lane % 4 (the ISA's groupID and threadID_in_group), e elements to a register and element h
//! of register r, all shapes of `mma` but one are dealt out alike; R is the number of groups of eight rows, m / 8:
//!
//! | | row | column |
//! | --- | --- | --- |
//! | A, m x k | g + 8 (r % R) | e t + h + 4 e (r / R) |
//! | B, k x 8 | e t + h + 4 e r | g |
//! | C and D, m x 8, one to a register | g + 8 (r / 2) | 2 t + r % 2 |
//! | C and D, m x 8, f16 | g + 8 r | 2 t + h |
//!
//! `mma.m8n8k4` of f16 is four products, each of the lanes 4 q to 4 q + 3 and the same 16 lanes on: here their A lie one
//! below the other, their B side by side, their C one below the other.
//!
//! What a lane holds for `wmma` the ISA leaves open; here consecutive elements of the matrix by rows, once over, or as
//! often as the registers that the ISA prescribes have room for them.

use crate::program::{Element, Layout, Product, Side};

/// Row and column of a lane's element; its register is element / e.
pub(crate) fn place(product: &Product, side: Side, of: Element, lane: usize, element: usize) -> (usize, usize) {
    let (rows, columns) = product.matrix(side);
    match product.layout {
        Layout::Mma => mma(rows / 8, side, of, lane, element),
        Layout::Quarters { a_by_columns, b_by_columns } => {
            let by_columns = if side == Side::A { a_by_columns } else { b_by_columns };
            quarters(side, by_columns, of, lane, element)
        }
        Layout::Wmma => wmma(rows, columns, lane, element),
    }
}

fn mma(row_groups: usize, side: Side, of: Element, lane: usize, element: usize) -> (usize, usize) {
    let (g, t) = (lane / 4, lane % 4);
    // A register of single bits is one element: a word of 32.
    let e = if of == Element::B1 { 1 } else { of.per_register() };
    let (r, h) = (element / e, element % e);
    match side {
        Side::A => (g + 8 * (r % row_groups), e * t + h + 4 * e * (r / row_groups)),
        Side::B => (e * t + h + 4 * e * r, g),
        Side::C if of == Element::F16 => (g + 8 * r, 2 * t + h),
        Side::C => (g + 8 * (r / 2), 2 * t + r % 2),
    }
}

fn quarters(side: Side, by_columns: bool, of: Element, lane: usize, element: usize) -> (usize, usize) {
    let quarter = 8 * (lane % 16 / 4);
    let upper = 4 * (lane / 16);
    let (major, minor) = (lane % 4, element);
    match side {
        Side::A if by_columns => (quarter + minor + upper, major),
        Side::A => (quarter + major + upper, minor),
        Side::B if by_columns => (minor, quarter + major + upper),
        Side::B => (major, quarter + minor + upper),
        Side::C if of == Element::F16 => (quarter + major + upper, minor),
        Side::C => (quarter + (lane & 1) + (element & 2) + upper, (element & 4) + (lane & 2) + (element & 1)),
    }
}

/// As for [`place`], of a matrix of so many rows and columns.
pub(crate) fn wmma(rows: usize, columns: usize, lane: usize, element: usize) -> (usize, usize) {
    let each = rows * columns / 32;
    let at = lane * each + element % each;
    (at / columns, at % columns)
}
