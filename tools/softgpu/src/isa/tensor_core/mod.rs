//! PTX ISA, "Warp Level Matrix Multiply-Accumulate Instructions": the arithmetic of `mma.sync` and `wmma.mma`, and how
//! rows of a matrix are dealt out to lanes. Memory and the warp are looked after in `matrix`.

mod float64;
mod floats;
mod integers;
pub(crate) mod layout;

use crate::isa::level;
use crate::numerics::{BF16, E4M3, E5M2, F16};
use crate::program::{Element, Product, Side, Slot, TensorOp};

/// D = A B + C for the whole warp.
///
/// # Safety
/// `regs` is the function's window of a register file that covers every slot that `op` names, aligned to 64 bytes.
pub(crate) unsafe fn mma(regs: *mut u32, op: &TensorOp, product: &Product) {
    // The vectors of AVX-512 would hold two rows of eight columns, and are no faster for putting them together.
    // SAFETY: the window is the caller's; the level says what the processor has.
    unsafe {
        match level() {
            #[cfg(target_arch = "x86_64")]
            1.. => avx2(regs, op, product),
            _ => multiply::<false>(regs, op, product),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn avx2(regs: *mut u32, op: &TensorOp, product: &Product) {
    // SAFETY: the caller's, passed through.
    unsafe { multiply::<true>(regs, op, product) }
}

/// `FUSED`: the processor multiplies and adds in one.
#[inline(always)]
unsafe fn multiply<const FUSED: bool>(regs: *mut u32, op: &TensorOp, product: &Product) {
    // SAFETY: the caller's.
    unsafe {
        match product.a {
            Element::F64 => float64::multiply(regs, op, product),
            Element::S8 | Element::U8 | Element::S4 | Element::U4 | Element::B1 => {
                integers::multiply(regs, op, product);
            }
            _ => floats::multiply::<FUSED>(regs, op, product),
        }
    }
}

/// A register of all lanes.
///
/// # Safety
/// As for [`mma`]; D may lie on A, B or C, so nothing is written as long as the reference is used.
#[inline(always)]
unsafe fn register<'a>(regs: *const u32, slot: Slot) -> &'a [u32; 32] {
    // SAFETY: the caller's.
    unsafe { &*regs.add(usize::from(slot) * 32).cast::<[u32; 32]>() }
}

/// Element `h` of a register's bits, as a number.
#[inline(always)]
fn number(element: Element, word: u32, h: usize) -> f32 {
    match element {
        Element::F16 => F16((word >> (16 * h)) as u16).wide(),
        Element::BF16 => BF16((word >> (16 * h)) as u16).wide(),
        Element::E4M3 => E4M3((word >> (8 * h)) as u8).wide(),
        Element::E5M2 => E5M2((word >> (8 * h)) as u8).wide(),
        Element::Tf32 => f32::from_bits(word & !0x1fff),
        _ => f32::from_bits(word),
    }
}

/// Where the elements of a fragment go: by register, lane and element within the register, row and column as two bytes.
pub(crate) fn places(product: &Product, side: Side, of: Element, registers: usize) -> Vec<u16> {
    let e = if of == Element::B1 { 1 } else { of.per_register() };
    let place = |register: usize, lane: usize, h: usize| {
        let (row, column) = layout::place(product, side, of, lane, register * e + h);
        (row << 8 | column) as u16
    };
    let lanes = |register| (0..32).flat_map(move |lane| (0..e).map(move |h| (register, lane, h)));
    (0..registers).flat_map(lanes).map(|(register, lane, h)| place(register, lane, h)).collect()
}

/// Row and column of one of [`places`].
#[inline(always)]
fn unpack(place: u16) -> (usize, usize) {
    (usize::from(place >> 8), usize::from(place & 0xff))
}

/// What each lane's register gets of one 8 x 8 matrix of 16-bit elements, given by its rows: lane l the elements
/// 2 (l % 4) and 2 (l % 4) + 1 of row l / 4, and with `.trans` those of column l / 4.
pub(crate) fn deal(rows: &[[u8; 16]; 8], transposed: bool) -> [u32; 32] {
    let mut words = [0; 32];
    if transposed {
        let element = |row: usize, column: usize| {
            u32::from(u16::from_le_bytes([rows[row][2 * column], rows[row][2 * column + 1]]))
        };
        for (lane, word) in words.iter_mut().enumerate() {
            let (column, row) = (lane / 4, 2 * (lane % 4));
            *word = element(row, column) | element(row + 1, column) << 16;
        }
    } else {
        for (word, bytes) in words.iter_mut().zip(rows.as_flattened().as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
    }
    words
}

/// The rows of a matrix that [`deal`] has dealt out.
pub(crate) fn gather(register: &[u32; 32]) -> [[u8; 16]; 8] {
    let mut rows = [[0; 16]; 8];
    for (bytes, word) in rows.as_flattened_mut().as_chunks_mut::<4>().0.iter_mut().zip(register) {
        *bytes = word.to_le_bytes();
    }
    rows
}
