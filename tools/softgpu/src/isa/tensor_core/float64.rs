//! Products of f64: a chain of multiply-adds in ascending k, each rounded as the instruction says.

use super::unpack;
use crate::numerics::{Float, Rounding, soft};
use crate::program::{NONE, Product, TensorOp};

/// # Safety
/// As for [`mma`](super::mma).
#[inline(always)]
pub(super) unsafe fn multiply(regs: *mut u32, op: &TensorOp, product: &Product) {
    let (mut a, mut b, mut sums) = ([[0.0; 16]; 16], [[0.0; 8]; 16], [[0.0; 8]; 16]);
    // SAFETY: the caller's, here and below.
    let register = |slot| unsafe { *regs.add(usize::from(slot) * 32).cast::<[f64; 32]>() };
    let read = |slots: &[u16], places: &[u16], put: &mut dyn FnMut(usize, usize, f64)| {
        for (&slot, places) in slots.iter().zip(places.chunks_exact(32)) {
            for (x, &place) in register(slot).into_iter().zip(places) {
                let (row, column) = unpack(place);
                put(row, column, x);
            }
        }
    };
    read(&op.a, &op.places.a, &mut |row, column, x| a[row][column] = x);
    read(&op.b, &op.places.b, &mut |row, column, x| b[row][column] = x);
    read(&op.c, &op.places.c, &mut |row, column, x| sums[row][column] = x);
    for (sum, a) in sums.iter_mut().zip(&a) {
        for (a, b) in a.iter().zip(&b).take(product.shape.k) {
            for n in 0..8 {
                sum[n] = multiply_add(*a, b[n], sum[n], product.rounding);
            }
        }
    }
    for (&slot, places) in op.d.iter().zip(op.places.d.chunks_exact(32)).filter(|(slot, _)| **slot != NONE) {
        let mut d = [0.0; 32];
        for (d, &place) in d.iter_mut().zip(places) {
            let (row, column) = unpack(place);
            *d = sums[row][column].canonical();
        }
        // SAFETY: as above.
        unsafe { *regs.add(usize::from(slot) * 32).cast::<[f64; 32]>() = d };
    }
}

#[inline(always)]
fn multiply_add(a: f64, b: f64, c: f64, rounding: Rounding) -> f64 {
    if rounding == Rounding::Nearest {
        a.mul_add(b, c)
    } else {
        f64::from_bits(soft::F64.fma(a.to_bits(), b.to_bits(), c.to_bits(), rounding))
    }
}
