//! PTX ISA, "Warp Level Matrix Multiply-Accumulate Instructions": `mma.sync` and how `ldmatrix` deals out its rows.
//!
//! A fragment is what one lane holds of a matrix. With g = lane / 4 and t = lane % 4 (the ISA's groupID and
//! threadID_in_group), register r of a fragment holds
//!
//! | | 16-bit operands, two to a register: element h = 0 is the lower | tf32, one to a register |
//! | --- | --- | --- |
//! | A, 16 x K | row g + 8 (r % 2), column 2 t + h + 8 (r / 2) | row g + 8 (r % 2), column t + 4 (r / 2) |
//! | B, K x 8 | row 2 t + h + 8 r, column g | row t + 4 r, column g |
//! | C and D, 16 x 8, f32 | row g + 8 (r / 2), column 2 t + r % 2 | the same |
//!
//! Sums are exact in effect: products are exact in f64, c and the products are added there in ascending k, and the sum is
//! rounded to f32 once. A card keeps fewer digits (it aligns and truncates), which no test may lean on.

use crate::isa::level;
use crate::numerics::{BF16, F16, Float};
use crate::program::{Number, Slot, TensorForm, TensorOp};

/// How a register of an operand is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operand {
    F16,
    BF16,
    /// An f32 whose lower 13 bits do not count.
    Tf32,
}

/// D = A B + C for the whole warp.
///
/// # Safety
/// `regs` is the function's window of a register file that covers every slot that `op` names, aligned to 64 bytes.
///
/// # Panics
/// If `op` is no matrix product.
pub(crate) unsafe fn mma(regs: *mut u32, op: &TensorOp) {
    let (operand, k) = match op.form {
        TensorForm::MmaM16N8K16 { number } => (half(number), 16),
        TensorForm::MmaM16N8K8 { number } => (half(number), 8),
        TensorForm::MmaM16N8K8Tf32 => (Operand::Tf32, 8),
        TensorForm::LoadMatrix { .. } => unreachable!("a load is no product"),
    };
    // SAFETY: the window is the caller's; the level says what the processor has.
    unsafe {
        match level() {
            #[cfg(target_arch = "x86_64")]
            2 => avx512(regs, op, operand, k),
            #[cfg(target_arch = "x86_64")]
            1 => avx2(regs, op, operand, k),
            _ => product(regs, op, operand, k),
        }
    }
}

fn half(number: Number) -> Operand {
    if number == Number::BF16 { Operand::BF16 } else { Operand::F16 }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn avx2(regs: *mut u32, op: &TensorOp, operand: Operand, k: usize) {
    // SAFETY: the caller's, passed through.
    unsafe { product(regs, op, operand, k) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn avx512(regs: *mut u32, op: &TensorOp, operand: Operand, k: usize) {
    // SAFETY: the caller's, passed through.
    unsafe { product(regs, op, operand, k) }
}

/// A matrix's fragments put together: `K` is 16 at most.
struct Matrices {
    a: [[f64; 16]; 16],
    b: [[f64; 8]; 16],
}

#[inline(always)]
unsafe fn product(regs: *mut u32, op: &TensorOp, operand: Operand, k: usize) {
    // SAFETY: the window covers the op's slots (mma). Values are copied, so that D may lie on A, B or C.
    let read = |slot: Slot| unsafe { *regs.add(usize::from(slot) * 32).cast::<[u32; 32]>() };
    let mut m = Matrices { a: [[0.0; 16]; 16], b: [[0.0; 8]; 16] };
    for (r, &slot) in op.a.iter().enumerate() {
        let (low, high) = elements(read(slot), operand);
        for lane in 0..32 {
            let (g, t) = (lane / 4, lane % 4);
            let row = &mut m.a[g + 8 * (r % 2)];
            if operand == Operand::Tf32 {
                row[t + 4 * (r / 2)] = low[lane];
            } else {
                row[2 * t + 8 * (r / 2)] = low[lane];
                row[2 * t + 1 + 8 * (r / 2)] = high[lane];
            }
        }
    }
    for (r, &slot) in op.b.iter().enumerate() {
        let (low, high) = elements(read(slot), operand);
        for lane in 0..32 {
            let (g, t) = (lane / 4, lane % 4);
            if operand == Operand::Tf32 {
                m.b[t + 4 * r][g] = low[lane];
            } else {
                m.b[2 * t + 8 * r][g] = low[lane];
                m.b[2 * t + 1 + 8 * r][g] = high[lane];
            }
        }
    }
    let mut sums = [[0.0_f64; 8]; 16];
    for (r, &slot) in op.c.iter().enumerate() {
        let c = read(slot);
        for lane in 0..32 {
            sums[lane / 4 + 8 * (r / 2)][2 * (lane % 4) + r % 2] = f64::from(f32::from_bits(c[lane]));
        }
    }
    for (sum, a) in sums.iter_mut().zip(&m.a) {
        for (a, b) in a.iter().zip(&m.b).take(k) {
            for n in 0..8 {
                sum[n] += a * b[n];
            }
        }
    }
    for (r, &slot) in op.d.iter().enumerate() {
        let mut d = [0; 32];
        for lane in 0..32 {
            d[lane] = (sums[lane / 4 + 8 * (r / 2)][2 * (lane % 4) + r % 2] as f32).canonical().to_bits();
        }
        if slot != crate::program::NONE {
            // SAFETY: as for read.
            unsafe { *regs.add(usize::from(slot) * 32).cast::<[u32; 32]>() = d };
        }
    }
}

/// The lower and the upper element of each lane's register; of tf32 there is one, given as the lower.
#[inline(always)]
fn elements(register: [u32; 32], operand: Operand) -> ([f64; 32], [f64; 32]) {
    let (mut low, mut high) = ([0.0; 32], [0.0; 32]);
    for lane in 0..32 {
        let bits = register[lane];
        let (l, h) = match operand {
            Operand::F16 => (F16(bits as u16).wide(), F16((bits >> 16) as u16).wide()),
            Operand::BF16 => (BF16(bits as u16).wide(), BF16((bits >> 16) as u16).wide()),
            Operand::Tf32 => (f32::from_bits(bits & !0x1fff), 0.0),
        };
        (low[lane], high[lane]) = (f64::from(l), f64::from(h));
    }
    (low, high)
}

/// What each lane's register gets of one 8 x 8 matrix of 16-bit elements that `ldmatrix` has read, row by row: lane l the
/// elements 2 (l % 4) and 2 (l % 4) + 1 of row l / 4, and with `.trans` those of column l / 4.
pub(crate) fn ldmatrix_distribute(rows: &[[u8; 16]; 8], transposed: bool) -> [u32; 32] {
    let element =
        |row: usize, column: usize| u32::from(u16::from_le_bytes([rows[row][2 * column], rows[row][2 * column + 1]]));
    std::array::from_fn(|lane| {
        let (major, minor) = (lane / 4, 2 * (lane % 4));
        if transposed {
            element(minor, major) | (element(minor + 1, major) << 16)
        } else {
            element(major, minor) | (element(major, minor + 1) << 16)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Address;

    /// 16 slots.
    #[repr(align(64))]
    struct Registers([u32; 16 * 32]);

    const FORMS: &[(TensorForm, Operand, usize)] = &[
        (TensorForm::MmaM16N8K16 { number: Number::F16 }, Operand::F16, 16),
        (TensorForm::MmaM16N8K16 { number: Number::BF16 }, Operand::BF16, 16),
        (TensorForm::MmaM16N8K8 { number: Number::F16 }, Operand::F16, 8),
        (TensorForm::MmaM16N8K8 { number: Number::BF16 }, Operand::BF16, 8),
        (TensorForm::MmaM16N8K8Tf32, Operand::Tf32, 8),
    ];

    /// Where the ISA puts element i of lane's A fragment: its figures say so for a0 to a7 (or a3), one by one.
    fn place_a(operand: Operand, lane: usize, i: usize) -> (usize, usize) {
        let (group, thread) = (lane >> 2, lane & 3);
        if operand == Operand::Tf32 {
            let row = if i == 0 || i == 2 { group } else { group + 8 };
            return (row, if i < 2 { thread } else { thread + 4 });
        }
        let row = if matches!(i, 0 | 1 | 4 | 5) { group } else { group + 8 };
        (row, thread * 2 + (i & 1) + if i >= 4 { 8 } else { 0 })
    }

    fn place_b(operand: Operand, lane: usize, i: usize) -> (usize, usize) {
        let (group, thread) = (lane >> 2, lane & 3);
        if operand == Operand::Tf32 {
            return (if i == 0 { thread } else { thread + 4 }, group);
        }
        (thread * 2 + (i & 1) + if i >= 2 { 8 } else { 0 }, group)
    }

    fn place_c(lane: usize, i: usize) -> (usize, usize) {
        (if i < 2 { lane >> 2 } else { (lane >> 2) + 8 }, (lane & 3) * 2 + (i & 1))
    }

    fn bits(operand: Operand, x: f32) -> u32 {
        match operand {
            Operand::F16 => u32::from(half::f16::from_f32(x).to_bits()),
            Operand::BF16 => u32::from(half::bf16::from_f32(x).to_bits()),
            Operand::Tf32 => x.to_bits(),
        }
    }

    /// Runs the product of matrices given by their elements; D lies on C.
    fn multiply(
        form: TensorForm,
        operand: Operand,
        k: usize,
        a: &[Vec<f32>],
        b: &[Vec<f32>],
        c: &[Vec<f32>],
    ) -> Vec<Vec<f32>> {
        let mut registers = Registers([0; 16 * 32]);
        let per = if operand == Operand::Tf32 { 1 } else { 2 };
        let (a_count, b_count) = (16 * k / 32 / per, 8 * k / 32 / per);
        for lane in 0..32 {
            let mut put = |slot: usize, i: usize, value: u32| {
                registers.0[(slot + i / per) * 32 + lane] |= value << (16 * (i % per));
            };
            for i in 0..a_count * per {
                let (row, column) = place_a(operand, lane, i);
                put(0, i, bits(operand, a[row][column]));
            }
            for i in 0..b_count * per {
                let (row, column) = place_b(operand, lane, i);
                put(4, i, bits(operand, b[row][column]));
            }
            for i in 0..4 {
                let (row, column) = place_c(lane, i);
                registers.0[(8 + i) * 32 + lane] = c[row][column].to_bits();
            }
        }
        let slots = |first: usize, count: usize| (first..first + count).map(|slot| slot as Slot).collect::<Vec<_>>();
        let op = TensorOp {
            form,
            d: slots(8, 4),
            a: slots(0, a_count),
            b: slots(4, b_count),
            c: slots(8, 4),
            address: Address::Constant,
            offset: 0,
        };
        // SAFETY: the file has the slots named and is aligned to 64 bytes.
        unsafe { mma(registers.0.as_mut_ptr(), &op) };
        let mut d = vec![vec![0.0; 8]; 16];
        for lane in 0..32 {
            for i in 0..4 {
                let (row, column) = place_c(lane, i);
                d[row][column] = f32::from_bits(registers.0[(8 + i) * 32 + lane]);
            }
        }
        d
    }

    fn matrix(rows: usize, columns: usize, seed: u32, value: impl Fn(u32) -> f32) -> Vec<Vec<f32>> {
        let mut state = seed;
        (0..rows)
            .map(|_| {
                (0..columns)
                    .map(|_| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        value(state >> 16)
                    })
                    .collect()
            })
            .collect()
    }

    #[test]
    fn products_of_integers_are_exact() {
        for &(form, operand, k) in FORMS {
            let small = |x: u32| (x % 129) as f32 - 64.0;
            let (a, b) = (matrix(16, k, 1, small), matrix(k, 8, 2, small));
            let c = matrix(16, 8, 3, |x| x as f32 * 16.0);
            let d = multiply(form, operand, k, &a, &b, &c);
            for i in 0..16 {
                for j in 0..8 {
                    let sum: f64 = (0..k).map(|l| f64::from(a[i][l]) * f64::from(b[l][j])).sum();
                    assert_eq!(f64::from(d[i][j]), f64::from(c[i][j]) + sum, "{form:?} at {i}, {j}");
                }
            }
        }
    }

    #[test]
    fn a_sum_is_rounded_once() {
        // 2^24 + 1 + 1: each addition in f32 would lose the one.
        for &(form, operand, k) in FORMS {
            let mut a = vec![vec![0.0; k]; 16];
            let b = vec![vec![1.0; 8]; k];
            a[5][0] = 1.0;
            a[5][k - 1] = 1.0;
            let mut c = vec![vec![0.0; 8]; 16];
            c[5][3] = 16_777_216.0;
            let d = multiply(form, operand, k, &a, &b, &c);
            assert_eq!(d[5][3], 16_777_218.0, "{form:?}");
            assert_eq!(d[5][2], 2.0, "{form:?}");
            assert_eq!(d[6][3], 0.0, "{form:?}");
        }
    }

    #[test]
    fn nan_and_infinity_go_where_they_belong() {
        for &(form, operand, k) in FORMS {
            let mut a = vec![vec![1.0; k]; 16];
            let b = vec![vec![2.0; 8]; k];
            let mut c = vec![vec![0.0; 8]; 16];
            a[1][2] = f32::NAN;
            a[9][3] = f32::INFINITY;
            c[9][0] = f32::NEG_INFINITY;
            let d = multiply(form, operand, k, &a, &b, &c);
            assert!(d[1].iter().all(|x| x.to_bits() == 0x7fff_ffff), "{form:?}: {:?}", d[1]);
            assert_eq!(d[9][0].to_bits(), 0x7fff_ffff, "{form:?}");
            assert!(d[9][1..].iter().all(|x| *x == f32::INFINITY), "{form:?}: {:?}", d[9]);
            assert!(d[0].iter().all(|x| *x == 2.0 * k as f32), "{form:?}: {:?}", d[0]);
        }
    }

    #[test]
    fn tf32_ignores_the_lowest_bits() {
        let a = vec![vec![f32::from_bits(1.0_f32.to_bits() | 0x1fff); 8]; 16];
        let d =
            multiply(TensorForm::MmaM16N8K8Tf32, Operand::Tf32, 8, &a, &vec![vec![1.0; 8]; 8], &vec![vec![0.0; 8]; 16]);
        assert!(d.iter().flatten().all(|x| *x == 8.0));
    }

    #[test]
    fn ldmatrix_gives_rows_or_columns() {
        // Element (row, column) is 16 row + column.
        let rows: [[u8; 16]; 8] = std::array::from_fn(|row| {
            std::array::from_fn(|byte| if byte % 2 == 0 { 16 * row as u8 + byte as u8 / 2 } else { 0 })
        });
        let plain = ldmatrix_distribute(&rows, false);
        assert_eq!(plain[0], 0x0001_0000);
        assert_eq!(plain[1], 0x0003_0002);
        assert_eq!(plain[4], 0x0011_0010);
        assert_eq!(plain[31], 0x0077_0076);
        let transposed = ldmatrix_distribute(&rows, true);
        assert_eq!(transposed[0], 0x0010_0000);
        assert_eq!(transposed[1], 0x0030_0020);
        assert_eq!(transposed[4], 0x0011_0001);
        assert_eq!(transposed[31], 0x0077_0067);
    }

    #[test]
    fn ldmatrix_feeds_mma() {
        // A row-major 16 x 16 A loaded as four matrices is an A fragment; B stored by columns as two is a B fragment.
        let element = |row: usize, column: usize| (row * 16 + column) as f32;
        let block = |row: usize, column: usize| -> [[u8; 16]; 8] {
            std::array::from_fn(|i| {
                let mut bytes = [0; 16];
                for (j, pair) in bytes.chunks_exact_mut(2).enumerate() {
                    pair.copy_from_slice(&half::f16::from_f32(element(row + i, column + j)).to_le_bytes());
                }
                bytes
            })
        };
        let blocks = [block(0, 0), block(8, 0), block(0, 8), block(8, 8)];
        for (r, rows) in blocks.iter().enumerate() {
            let register = ldmatrix_distribute(rows, false);
            for (lane, bits) in register.iter().enumerate() {
                for h in 0..2 {
                    let (row, column) = place_a(Operand::F16, lane, 2 * r + h);
                    let got = half::f16::from_bits((bits >> (16 * h)) as u16).to_f32();
                    assert_eq!(got, element(row, column), "register {r}, lane {lane}");
                }
            }
        }
    }
}
