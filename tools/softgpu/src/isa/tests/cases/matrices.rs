//! `ldmatrix`, `stmatrix` and `movmatrix`: 8 x 8 matrices between rows in shared memory and the warp's registers.

use std::fmt::Write as _;

use super::super::Random;
use super::{Case, kernel, list, transfer};

/// Element of row and column of a matrix.
type Matrix = [[u16; 8]; 8];

/// What each lane's register holds: two elements of a row, or with `.trans` of a column.
fn registers(matrix: &Matrix, transposed: bool) -> Vec<u32> {
    (0..32)
        .map(|lane| {
            let element = |i: usize| {
                let (major, minor) = (lane / 4, 2 * (lane % 4) + i);
                u32::from(if transposed { matrix[minor][major] } else { matrix[major][minor] })
            };
            element(0) | element(1) << 16
        })
        .collect()
}

/// Its rows one after the other, as words.
fn words(matrix: &Matrix) -> Vec<u32> {
    matrix.as_flattened().as_chunks::<2>().0.iter().map(|[a, b]| u32::from(*a) | u32::from(*b) << 16).collect()
}

fn random_matrices(count: usize, random: &mut Random) -> Vec<Matrix> {
    (0..count).map(|_| std::array::from_fn(|_| std::array::from_fn(|_| random.next() as u16))).collect()
}

/// The address of the lane's row: rows are 16 bytes, and lie in memory in an order that no two lanes share.
const ROW_ADDRESS: &str = "mov.u32 %r1, tile;\nmul.lo.u32 %r2, %r0, 7;\nand.b32 %r2, %r2, 31;\nshl.b32 %r2, %r2, 4;\n\
                           add.u32 %r2, %r1, %r2;\nshl.b32 %r3, %r0, 2;\nadd.u32 %r3, %r1, %r3;\n";

/// The word of shared memory at which the row of lane `lane` begins.
fn row_word(lane: usize) -> usize {
    lane * 7 % 32 * 4
}

/// Shared memory as words, with the rows of the matrices where the lanes point.
fn tile(matrices: &[Matrix]) -> Vec<u32> {
    let mut tile = vec![0; 128];
    for (index, matrix) in matrices.iter().enumerate() {
        for (row, words) in words(matrix).chunks_exact(4).enumerate() {
            tile[row_word(8 * index + row)..][..4].copy_from_slice(words);
        }
    }
    tile
}

fn load(opcode: &str, count: usize, transposed: bool, random: &mut Random) -> Case {
    let matrices = random_matrices(count, random);
    let mut before = tile(&matrices);
    before.resize(256, 0);
    let mut after = before.clone();
    for (index, matrix) in matrices.iter().enumerate() {
        after[128 + 32 * index..][..32].copy_from_slice(&registers(matrix, transposed));
    }
    let mut body = ROW_ADDRESS.to_owned();
    for i in 0..4 {
        let _ = writeln!(body, "ld.global.b32 %r4, [%rd1+{}];\nst.shared.b32 [%r3+{}], %r4;", 128 * i, 128 * i);
    }
    let _ = writeln!(body, "bar.warp.sync -1;\n{opcode} {}, [%r2];", list("%r", 10, count));
    transfer(&mut body, false, 4, 10, count);
    Case::of_warp(opcode, kernel(&body), before, after)
}

fn store(opcode: &str, count: usize, transposed: bool, random: &mut Random) -> Case {
    let matrices = random_matrices(count, random);
    let mut before = vec![0; 256];
    for (index, matrix) in matrices.iter().enumerate() {
        before[32 * index..][..32].copy_from_slice(&registers(matrix, transposed));
    }
    let mut after = before.clone();
    after[128..].copy_from_slice(&tile(&matrices));
    let mut body = ROW_ADDRESS.to_owned();
    body.push_str("mov.b32 %r4, 0;\n");
    for i in 0..4 {
        let _ = writeln!(body, "st.shared.b32 [%r3+{}], %r4;", 128 * i);
    }
    transfer(&mut body, true, 0, 10, count);
    let _ = writeln!(body, "bar.warp.sync -1;\n{opcode} [%r2], {};\nbar.warp.sync -1;", list("%r", 10, count));
    for i in 0..4 {
        let _ = writeln!(body, "ld.shared.b32 %r4, [%r3+{}];\nst.global.b32 [%rd1+{}], %r4;", 128 * i, 128 * (4 + i));
    }
    Case::of_warp(opcode, kernel(&body), before, after)
}

pub(super) fn cases() -> Vec<Case> {
    let mut random = Random(16);
    let mut cases = Vec::new();
    for count in [1, 2, 4] {
        for transposed in [false, true] {
            for space in ["", ".shared", ".shared::cta"] {
                let trans = if transposed { ".trans" } else { "" };
                let rest = format!("sync.aligned.m8n8.x{count}{trans}{space}.b16");
                cases.push(load(&format!("ldmatrix.{rest}"), count, transposed, &mut random));
                cases.push(store(&format!("stmatrix.{rest}"), count, transposed, &mut random));
            }
        }
    }
    let matrix = random_matrices(1, &mut random)[0];
    let mut before = registers(&matrix, false);
    before.resize(64, 0);
    let mut after = before.clone();
    after[32..].copy_from_slice(&registers(&matrix, true));
    let opcode = "movmatrix.sync.aligned.m8n8.trans.b16";
    let body = format!("ld.global.b32 %r1, [%rd1];\n{opcode} %r2, %r1;\nst.global.b32 [%rd1+128], %r2;");
    cases.push(Case::of_warp(opcode, kernel(&body), before, after));
    cases
}
