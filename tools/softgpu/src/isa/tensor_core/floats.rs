//! Products of f16, bf16, tf32, e4m3 and e5m2, with sums of f32 or f16.

use super::{number, register, unpack};
use crate::numerics::sums::{COLUMNS, Operands, accumulate};
use crate::numerics::{BF16, E4M3, E5M2, F16};
use crate::program::{Element, Layout, NONE, Product, Slot, TensorOp};

/// Rows of A and D, and columns of B and D, at most.
const MOST: usize = 32;

/// # Safety
/// As for [`mma`](super::mma).
#[inline(always)]
pub(super) unsafe fn multiply<const FUSED: bool>(regs: *mut u32, op: &TensorOp, product: &Product) {
    // SAFETY: the caller's.
    unsafe {
        // Each format has a copy of the code in which it is known.
        match (product.layout, product.a, product.shape.k) {
            (Layout::Mma, Element::F16, 8) => by_rows::<2, 8, FUSED>(regs, op, product, [Element::F16; 2]),
            (Layout::Mma, Element::F16, _) => by_rows::<2, 16, FUSED>(regs, op, product, [Element::F16; 2]),
            (Layout::Mma, Element::BF16, 8) => by_rows::<2, 8, FUSED>(regs, op, product, [Element::BF16; 2]),
            (Layout::Mma, Element::BF16, _) => by_rows::<2, 16, FUSED>(regs, op, product, [Element::BF16; 2]),
            (Layout::Mma, Element::Tf32, 4) => by_rows::<1, 4, FUSED>(regs, op, product, [Element::Tf32; 2]),
            (Layout::Mma, Element::Tf32, _) => by_rows::<1, 8, FUSED>(regs, op, product, [Element::Tf32; 2]),
            // The two formats of eight bits meet in one product.
            (Layout::Mma, _, 16) => by_rows::<4, 16, FUSED>(regs, op, product, [product.a, product.b]),
            (Layout::Mma, ..) => by_rows::<4, 32, FUSED>(regs, op, product, [product.a, product.b]),
            (_, _, 4) => by_places::<4, FUSED>(regs, op, product),
            (_, _, 8) => by_places::<8, FUSED>(regs, op, product),
            _ => by_places::<16, FUSED>(regs, op, product),
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

/// Element `h` of each word, as a number.
#[inline(always)]
fn widen<const E: usize, const N: usize>(element: Element, words: &[u32; N], h: usize) -> [f32; N] {
    let mut numbers = [0.0; N];
    macro_rules! each {
        ($bits:ident => $number:expr) => {
            for (number, word) in numbers.iter_mut().zip(words) {
                let $bits = word >> (32 / E * h % 32);
                *number = $number;
            }
        };
    }
    match element {
        Element::F16 => each!(bits => F16(bits as u16).wide()),
        Element::BF16 => each!(bits => BF16(bits as u16).wide()),
        Element::E4M3 => each!(bits => E4M3(bits as u8).wide()),
        Element::E5M2 => each!(bits => E5M2(bits as u8).wide()),
        Element::Tf32 => each!(bits => f32::from_bits(bits & !0x1fff)),
        _ => each!(bits => f32::from_bits(bits)),
    }
    numbers
}

/// m16n8: four lanes hold consecutive elements of a row of A, `E` each, so that rows are copied whole. In what is
/// computed, column 2 t + i of B and C stands at 4 i + t: then C and D are copied whole too.
///
/// # Safety
/// As for [`mma`](super::mma).
#[inline(always)]
unsafe fn by_rows<const E: usize, const K: usize, const FUSED: bool>(
    regs: *mut u32,
    op: &TensorOp,
    product: &Product,
    [of_a, of_b]: [Element; 2],
) {
    let mut a = [[0.0; K]; 16];
    for r in 0..K / (2 * E) {
        // SAFETY: the caller's, here and below.
        let words = unsafe { register(regs, op.a[r]) };
        let mut numbers = [[0.0; 32]; E];
        for (h, numbers) in numbers.iter_mut().enumerate() {
            *numbers = widen::<E, 32>(of_a, words, h);
        }
        for g in 0..8 {
            for t in 0..4 {
                for h in 0..E {
                    a[g + 8 * (r % 2)][4 * E * (r / 2) + E * t + h] = numbers[h][4 * g + t];
                }
            }
        }
    }
    let mut b = [[0.0; COLUMNS]; K];
    for r in 0..K / (4 * E) {
        // SAFETY: as above.
        let words = unsafe { register(regs, op.b[r]) };
        for t in 0..4 {
            let mut column = [0; COLUMNS];
            for (n, word) in column.iter_mut().enumerate() {
                *word = words[4 * (2 * (n % 4) + n / 4) + t];
            }
            for h in 0..E {
                b[4 * E * r + E * t + h] = widen::<E, COLUMNS>(of_b, &column, h);
            }
        }
    }
    let half = product.d == Element::F16;
    let mut sums = [[0.0; COLUMNS]; 16];
    for (r, &slot) in op.c.iter().enumerate() {
        // SAFETY: as above.
        let words = unsafe { register(regs, slot) };
        if half {
            for h in 0..2 {
                let numbers = widen::<2, 32>(Element::F16, words, h);
                for (sums, four) in sums[8 * r..][..8].iter_mut().zip(numbers.as_chunks::<4>().0) {
                    sums[4 * h..][..4].copy_from_slice(four);
                }
            }
        } else {
            for (sums, four) in sums[8 * (r / 2)..][..8].iter_mut().zip(words.as_chunks::<4>().0) {
                for t in 0..4 {
                    sums[4 * (r % 2) + t] = f32::from_bits(four[t]);
                }
            }
        }
    }
    let operands = Operands { a: &a, b: &b, least: least_exponents(product) };
    accumulate::<FUSED, K>(product.sums, &operands, half, &mut sums);
    let mut bits = [[0; COLUMNS]; 16];
    for (bits, x) in bits.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
        *bits = x.to_bits();
    }
    if half {
        for (bits, x) in bits.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
            *bits = u32::from(F16::round(*x).0);
        }
    }
    for (r, &slot) in op.d.iter().enumerate().filter(|(_, slot)| **slot != NONE) {
        // SAFETY: as above; no reference to a register is left.
        let words = unsafe { &mut *regs.add(usize::from(slot) * 32).cast::<[u32; 32]>() };
        for (g, four) in words.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            for t in 0..4 {
                four[t] = if half {
                    bits[g + 8 * r][t] | bits[g + 8 * r][4 + t] << 16
                } else {
                    bits[g + 8 * (r / 2)][4 * (r % 2) + t]
                };
            }
        }
    }
}

/// Any layout, element by element.
///
/// # Safety
/// As for [`mma`](super::mma).
#[inline(always)]
unsafe fn by_places<const K: usize, const FUSED: bool>(regs: *mut u32, op: &TensorOp, product: &Product) {
    let mut a = [[0.0; K]; MOST];
    // By panels of eight columns.
    let mut b = [[[0.0; COLUMNS]; K]; MOST / COLUMNS];
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
    let (m, n) = (product.shape.m, product.shape.n);
    if let Layout::Quarters { .. } = product.layout {
        // Four products: B side by side, the rest one below the other.
        for (q, b) in b.iter().enumerate() {
            let rows = 8 * q..8 * (q + 1);
            let operands = Operands { a: &a[rows.clone()], b, least };
            accumulate::<FUSED, K>(product.sums, &operands, half, &mut sums[0][rows]);
        }
    } else {
        for (b, sums) in b.iter().zip(&mut sums).take(n / COLUMNS) {
            let operands = Operands { a: &a[..m], b, least };
            accumulate::<FUSED, K>(product.sums, &operands, half, &mut sums[..m]);
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
    slots: &[Slot],
    places: &[u16],
    element: Element,
    mut put: impl FnMut(usize, usize, f32),
) {
    let e = element.per_register();
    for (&slot, places) in slots.iter().zip(places.chunks_exact(32 * e)) {
        // SAFETY: the caller's.
        let words = unsafe { register(regs, slot) };
        for (&word, places) in words.iter().zip(places.chunks_exact(e)) {
            for (h, &place) in places.iter().enumerate() {
                let (row, column) = unpack(place);
                put(row, column, number(element, word, h));
            }
        }
    }
}
