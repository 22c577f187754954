//! Products of f16, bf16, tf32, e4m3 and e5m2, with sums of f32 or f16.

use super::{number, register, unpack};
use crate::numerics::F16;
use crate::numerics::sums::{COLUMNS, MOST_TERMS, Operands, accumulate};
use crate::program::{Element, Layout, NONE, Product, TensorOp};

/// Rows of A and D, and columns of B and D, at most.
const MOST: usize = 32;

/// # Safety
/// As for [`mma`](super::mma).
#[inline(always)]
pub(super) unsafe fn multiply<const FUSED: bool>(regs: *mut u32, op: &TensorOp, product: &Product) {
    // SAFETY: the caller's.
    unsafe {
        if product.layout != Layout::Mma {
            return by_places::<FUSED>(regs, op, product);
        }
        match product.a {
            Element::F16 => by_rows::<2, FUSED>(regs, op, product, |_, word, h| number(Element::F16, word, h)),
            Element::BF16 => by_rows::<2, FUSED>(regs, op, product, |_, word, h| number(Element::BF16, word, h)),
            Element::Tf32 => by_rows::<1, FUSED>(regs, op, product, |_, word, h| number(Element::Tf32, word, h)),
            // The two formats of eight bits meet in one product.
            _ => by_rows::<4, FUSED>(regs, op, product, number),
        }
    }
}

/// The exponent of a format's subnormal numbers.
fn least_exponent(element: Element) -> i32 {
    match element {
        Element::F16 | Element::E5M2 => -14,
        Element::E4M3 => -6,
        _ => -126,
    }
}

fn least_exponents(product: &Product) -> [i32; 2] {
    [least_exponent(product.a), least_exponent(product.b)]
}

/// m16n8: four lanes hold consecutive elements of a row of A, `E` each, so that rows are copied whole. In what is
/// computed, column 2 t + i of B and C stands at 4 i + t: then C and D are copied whole too.
///
/// # Safety
/// As for [`mma`](super::mma).
#[inline(always)]
unsafe fn by_rows<const E: usize, const FUSED: bool>(
    regs: *mut u32,
    op: &TensorOp,
    product: &Product,
    widen: impl Fn(Element, u32, usize) -> f32,
) {
    // SAFETY: the caller's, here and below.
    let numbers = |slot, element| unsafe {
        let words = register(regs, slot);
        let mut numbers = [[0.0; E]; 32];
        for (numbers, word) in numbers.iter_mut().zip(words) {
            for (h, number) in numbers.iter_mut().enumerate() {
                *number = widen(element, word, h);
            }
        }
        numbers
    };
    let k = product.shape.k;
    let mut a = [[0.0; MOST_TERMS]; 16];
    for (r, &slot) in op.a.iter().enumerate() {
        let numbers = numbers(slot, product.a);
        for (g, four) in numbers.as_flattened().chunks_exact(4 * E).enumerate() {
            a[g + 8 * (r % 2)][4 * E * (r / 2)..][..4 * E].copy_from_slice(four);
        }
    }
    let mut b = [[0.0; COLUMNS]; MOST_TERMS];
    for (r, &slot) in op.b.iter().enumerate() {
        let numbers = numbers(slot, product.b);
        for (g, four) in numbers.as_flattened().chunks_exact(4 * E).enumerate() {
            for j in 0..4 * E {
                b[4 * E * r + j][4 * (g % 2) + g / 2] = four[j];
            }
        }
    }
    let half = product.d == Element::F16;
    let mut sums = [[0.0; COLUMNS]; 16];
    for (r, &slot) in op.c.iter().enumerate() {
        // SAFETY: as above.
        let words = unsafe { register(regs, slot) };
        for (g, four) in words.as_chunks::<4>().0.iter().enumerate() {
            for t in 0..4 {
                if half {
                    sums[g + 8 * r][t] = number(Element::F16, four[t], 0);
                    sums[g + 8 * r][4 + t] = number(Element::F16, four[t], 1);
                } else {
                    sums[g + 8 * (r / 2)][4 * (r % 2) + t] = f32::from_bits(four[t]);
                }
            }
        }
    }
    let operands = Operands { a: &a, b: &b[..k], least: least_exponents(product) };
    accumulate::<FUSED>(product.sums, &operands, half, &mut sums);
    for (r, &slot) in op.d.iter().enumerate().filter(|(_, slot)| **slot != NONE) {
        let mut words = [0; 32];
        for (g, four) in words.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            for t in 0..4 {
                four[t] = if half {
                    let pair = [sums[g + 8 * r][t], sums[g + 8 * r][4 + t]].map(|x| u32::from(F16::round(x).0));
                    pair[0] | pair[1] << 16
                } else {
                    sums[g + 8 * (r / 2)][4 * (r % 2) + t].to_bits()
                };
            }
        }
        // SAFETY: as above.
        unsafe { *regs.add(usize::from(slot) * 32).cast::<[u32; 32]>() = words };
    }
}

/// Any layout, element by element.
///
/// # Safety
/// As for [`mma`](super::mma).
#[inline(always)]
unsafe fn by_places<const FUSED: bool>(regs: *mut u32, op: &TensorOp, product: &Product) {
    let mut a = [[0.0; MOST_TERMS]; MOST];
    // By panels of eight columns.
    let mut b = [[[0.0; COLUMNS]; MOST_TERMS]; MOST / COLUMNS];
    let mut sums = [[[0.0; COLUMNS]; MOST]; MOST / COLUMNS];
    // SAFETY: the caller's, here and below.
    unsafe {
        read(regs, &op.a, &op.places.a, product.a, |row, column, x| a[row][column] = x);
        read(regs, &op.b, &op.places.b, product.b, |row, column, x| b[column / COLUMNS][row][column % COLUMNS] = x);
        read(regs, &op.c, &op.places.c, product.c, |row, column, x| {
            sums[column / COLUMNS][row][column % COLUMNS] = x;
        });
    }
    let half = product.d == Element::F16;
    let least = least_exponents(product);
    let (m, n, k) = (product.shape.m, product.shape.n, product.shape.k);
    if let Layout::Quarters { .. } = product.layout {
        // Four products: B side by side, the rest one below the other.
        for (q, b) in b.iter().enumerate() {
            let rows = 8 * q..8 * (q + 1);
            let operands = Operands { a: &a[rows.clone()], b: &b[..k], least };
            accumulate::<FUSED>(product.sums, &operands, half, &mut sums[0][rows]);
        }
    } else {
        for (b, sums) in b.iter().zip(&mut sums).take(n / COLUMNS) {
            let operands = Operands { a: &a[..m], b: &b[..k], least };
            accumulate::<FUSED>(product.sums, &operands, half, &mut sums[..m]);
        }
    }
    let e = product.d.per_register();
    for (&slot, places) in op.d.iter().zip(op.places.d.chunks_exact(32 * e)).filter(|(slot, _)| **slot != NONE) {
        let mut words = [0; 32];
        for (word, places) in words.iter_mut().zip(places.chunks_exact(e)) {
            for (h, &place) in places.iter().enumerate() {
                let (row, column) = unpack(place);
                let x = sums[column / COLUMNS][row][column % COLUMNS];
                *word |= if half { u32::from(F16::round(x).0) << (16 * h) } else { x.to_bits() };
            }
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
    mut put: impl FnMut(usize, usize, f32),
) {
    let e = element.per_register();
    for (&slot, places) in slots.iter().zip(places.chunks_exact(32 * e)) {
        // SAFETY: the caller's.
        let words = unsafe { register(regs, slot) };
        for (word, places) in words.into_iter().zip(places.chunks_exact(e)) {
            for (h, &place) in places.iter().enumerate() {
                let (row, column) = unpack(place);
                put(row, column, number(element, word, h));
            }
        }
    }
}
