//! Products of s8, u8, s4, u4 and of single bits, with sums of s32.

use super::{register, unpack};
use crate::program::{Bitwise, Element, NONE, Product, TensorOp};

/// Rows of A and D, and columns of B and D, at most.
const MOST: usize = 32;
const COLUMNS: usize = 8;
/// The longest sum; of single bits, in words.
const MOST_TERMS: usize = 64;

/// # Safety
/// As for [`mma`](super::mma).
#[inline(always)]
pub(super) unsafe fn multiply(regs: *mut u32, op: &TensorOp, product: &Product) {
    let mut a = [[0; MOST_TERMS]; MOST];
    // By panels of eight columns.
    let mut b = [[[0; COLUMNS]; MOST_TERMS]; MOST / COLUMNS];
    let mut sums = [[[0_i64; COLUMNS]; MOST]; MOST / COLUMNS];
    // SAFETY: the caller's, here and below.
    unsafe {
        read(regs, &op.a, &op.places.a, product.a, |row, column, x| a[row][column] = x);
        read(regs, &op.b, &op.places.b, product.b, |row, column, x| b[column / COLUMNS][row][column % COLUMNS] = x);
        read(regs, &op.c, &op.places.c, product.c, |row, column, x| {
            sums[column / COLUMNS][row][column % COLUMNS] = i64::from(x);
        });
    }
    let terms = if product.a == Element::B1 { product.shape.k / 32 } else { product.shape.k };
    for (b, sums) in b.iter().zip(&mut sums).take(product.shape.n / COLUMNS) {
        for (sum, a) in sums.iter_mut().zip(&a).take(product.shape.m) {
            let mut total = [0_i32; COLUMNS]; // 64 products of 16 bits, or 256 bits
            for (&a, b) in a.iter().zip(b).take(terms) {
                for n in 0..COLUMNS {
                    total[n] += match product.bitwise {
                        None => a * b[n],
                        Some(Bitwise::Xor) => (a ^ b[n]).count_ones() as i32,
                        Some(Bitwise::And) => (a & b[n]).count_ones() as i32,
                    };
                }
            }
            for n in 0..COLUMNS {
                sum[n] += i64::from(total[n]);
            }
        }
    }
    for (&slot, places) in op.d.iter().zip(op.places.d.chunks_exact(32)).filter(|(slot, _)| **slot != NONE) {
        let mut words = [0; 32];
        for (word, &place) in words.iter_mut().zip(places) {
            let (row, column) = unpack(place);
            let sum = sums[column / COLUMNS][row][column % COLUMNS];
            let held = sum.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
            *word = (if product.saturates { held } else { sum }) as u32;
        }
        // SAFETY: as above.
        unsafe { *regs.add(usize::from(slot) * 32).cast::<[u32; 32]>() = words };
    }
}

/// Gives each element of a fragment to `put`.
///
/// # Safety
/// As for [`mma`](super::mma).
#[inline(always)]
unsafe fn read(
    regs: *mut u32,
    slots: &[u16],
    places: &[u16],
    element: Element,
    mut put: impl FnMut(usize, usize, i32),
) {
    // Bits are taken by words.
    let e = if element == Element::B1 { 1 } else { element.per_register() };
    let unused = 32 - 32 / e as u32;
    let signed = matches!(element, Element::S8 | Element::S4);
    for (&slot, places) in slots.iter().zip(places.chunks_exact(32 * e)) {
        // SAFETY: the caller's.
        let words = unsafe { register(regs, slot) };
        for (word, places) in words.iter().zip(places.chunks_exact(e)) {
            for (h, &place) in places.iter().enumerate() {
                let (row, column) = unpack(place);
                let top = word >> (32 / e * h) << unused;
                put(row, column, if signed { top as i32 >> unused } else { (top >> unused) as i32 });
            }
        }
    }
}
