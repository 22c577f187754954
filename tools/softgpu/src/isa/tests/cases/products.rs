//! `mma.sync` in every shape, type and modifier, on numbers whose sums are exact: element by element as the ISA's figures
//! place them, against a product by indices.

use std::fmt::Write as _;

use super::super::{Random, eight_bits};
use super::{Case, kernel, list, transfer};
use crate::isa::forms::{Build, FORMS, every_opcode};
use crate::numerics::Modes;
use crate::numerics::sums::MatrixSums;

/// Bits of a type's elements.
pub(super) fn bits(name: &str) -> usize {
    match name {
        "b1" => 1,
        "s4" | "u4" => 4,
        "s8" | "u8" | "e4m3" | "e5m2" => 8,
        "f16" | "bf16" => 16,
        "f64" => 64,
        _ => 32,
    }
}

/// The bits of a number that the type holds exactly.
pub(super) fn encode(name: &str, x: f64) -> u64 {
    match name {
        "f16" => u64::from(half::f16::from_f64(x).to_bits()),
        "bf16" => u64::from(half::bf16::from_f64(x).to_bits()),
        "f32" | "tf32" => u64::from((x as f32).to_bits()),
        "f64" => x.to_bits(),
        "e4m3" | "e5m2" => {
            let exponent_bits = if name == "e4m3" { 4 } else { 5 };
            u64::from(
                (0..=255).find(|code| eight_bits::value(*code, exponent_bits) == x).expect("a number of the format"),
            )
        }
        _ => x as i64 as u64 & (u64::MAX >> (64 - bits(name))),
    }
}

/// A number that the type holds, such that sums of few products are exact in f16, and in 13 bits of fraction.
pub(super) fn sample(name: &str, random: &mut Random) -> f64 {
    let x = random.next();
    match name {
        "b1" => (x % 2) as f64,
        "u4" => (x % 16) as f64,
        "s4" => (x % 16) as f64 - 8.0,
        "u8" => (x % 256) as f64,
        "s8" => (x % 256) as f64 - 128.0,
        "s32" => f64::from(x as i32 >> 2),
        _ => (x % 9) as f64 - 4.0,
    }
}

/// Row and column of element `i` of a lane's A, as the ISA lists them for each shape.
fn place_a(shape: &str, name: &str, lane: usize, i: usize) -> (usize, usize) {
    let (group, thread) = (lane >> 2, lane % 4);
    let (lower, column) = match (shape, bits(name)) {
        ("m8n8k4", 64) => (false, thread),
        ("m16n8k4", _) => (i == 1, thread),
        ("m16n8k8", 16) => (i >= 2, thread * 2 + (i & 1)),
        ("m16n8k8", _) => (i == 1 || i == 3, if i < 2 { thread } else { thread + 4 }),
        ("m16n8k16", 16) => (!(i < 2 || (4..6).contains(&i)), thread * 2 + (i & 1) + if i < 4 { 0 } else { 8 }),
        ("m16n8k16", 8) => (i >= 4, thread * 4 + (i & 3)),
        ("m16n8k16", _) if i.is_multiple_of(2) => (false, i * 2 + thread),
        ("m16n8k16", _) => (true, i * 2 - 2 + thread),
        ("m8n8k16", _) => (false, thread * 4 + i),
        ("m16n8k32", 8) => (!(i < 4 || (8..12).contains(&i)), thread * 4 + (i & 3) + if i < 8 { 0 } else { 16 }),
        ("m8n8k32", _) => (false, thread * 8 + i),
        ("m16n8k32", _) => (i >= 8, thread * 8 + (i & 7)),
        ("m16n8k64", _) => (!(i < 8 || (16..24).contains(&i)), thread * 8 + (i & 7) + if i < 16 { 0 } else { 32 }),
        ("m8n8k128", _) => (false, thread * 32 + i),
        ("m16n8k128", _) => (i >= 32, thread * 32 + (i & 31)),
        ("m16n8k256", _) => (!(i < 32 || (64..96).contains(&i)), thread * 32 + (i & 31) + if i < 64 { 0 } else { 128 }),
        _ => panic!("A of {shape}.{name}"),
    };
    (if lower { group + 8 } else { group }, column)
}

/// Likewise of B.
fn place_b(shape: &str, name: &str, lane: usize, i: usize) -> (usize, usize) {
    let (group, thread) = (lane >> 2, lane % 4);
    let row = match (shape, bits(name)) {
        ("m8n8k4" | "m16n8k4", _) => thread,
        ("m16n8k8", 16) => thread * 2 + i,
        ("m16n8k16", 16) => thread * 2 + (i & 1) + if i < 2 { 0 } else { 8 },
        ("m16n8k8" | "m16n8k16", 32 | 64) => thread + 4 * i,
        ("m8n8k16" | "m16n8k16", 8) => thread * 4 + i,
        ("m16n8k32", 8) => thread * 4 + (i & 3) + if i < 4 { 0 } else { 16 },
        ("m8n8k32" | "m16n8k32", 4) => thread * 8 + i,
        ("m16n8k64", 4) => thread * 8 + (i & 7) + if i < 8 { 0 } else { 32 },
        ("m8n8k128" | "m16n8k128", 1) => thread * 32 + i,
        ("m16n8k256", 1) => thread * 32 + (i & 31) + if i < 32 { 0 } else { 128 },
        _ => panic!("B of {shape}.{name}"),
    };
    (row, group)
}

/// Likewise of C and D.
fn place_c(shape: &str, lane: usize, i: usize) -> (usize, usize) {
    let (group, thread) = (lane >> 2, lane % 4);
    let row = if shape.starts_with("m16") && i >= 2 { group + 8 } else { group };
    (row, thread * 2 + (i & 1))
}

/// The matrices of `mma.m8n8k4` of f16: in each quarter of the warp a product of its own.
fn place_quarter(side: usize, by_columns: bool, name: &str, lane: usize, i: usize) -> (usize, usize) {
    let upper = if lane < 16 { 0 } else { 4 };
    match (side, by_columns) {
        (0, false) => (lane % 4 + upper, i),
        (0, true) => (i % 4 + upper, lane % 4),
        (1, false) => (lane % 4, i + upper),
        (1, true) => (i, lane % 4 + upper),
        _ if name == "f16" => (lane % 4 + upper, i),
        _ => ((lane & 0b1) + (i & 0b10) + upper, (i & 0b100) + (lane & 0b10) + (i & 0b1)),
    }
}

/// A matrix by rows.
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) at: Vec<f64>,
}

impl Matrix {
    pub(super) fn new(rows: usize, columns: usize, mut element: impl FnMut() -> f64) -> Self {
        Self { rows, columns, at: (0..rows * columns).map(|_| element()).collect() }
    }

    pub(super) fn get(&self, (row, column): (usize, usize)) -> f64 {
        assert!(row < self.rows && column < self.columns);
        self.at[row * self.columns + column]
    }

    /// self other + c.
    pub(super) fn times(&self, other: &Self, c: &Self, multiply: impl Fn(f64, f64) -> f64) -> Self {
        let mut at = c.at.clone();
        for (index, sum) in at.iter_mut().enumerate() {
            let (row, column) = (index / c.columns, index % c.columns);
            *sum += (0..self.columns).map(|k| multiply(self.get((row, k)), other.get((k, column)))).sum::<f64>();
        }
        Self { at, ..*c }
    }
}

/// C, such that no sum of f64 is zero: the sign of that depends on the rounding.
pub(super) fn addend(mut c: Matrix, name: &str) -> Matrix {
    if name == "f64" {
        c.at.iter_mut().for_each(|x| *x += 0.5);
    }
    c
}

/// How numbers of an instruction are multiplied.
pub(super) fn multiplication(opcode: &str) -> fn(f64, f64) -> f64 {
    if opcode.contains(".xor") {
        |a, b| f64::from(u8::from((a != 0.0) != (b != 0.0)))
    } else {
        // For single bits, the product is the conjunction.
        |a, b| a * b
    }
}

/// The sum as the type of D has it.
pub(super) fn held(opcode: &str, sum: f64) -> f64 {
    match opcode {
        _ if !opcode.contains(".s32") => sum,
        _ if opcode.contains(".satfinite") => sum.clamp(f64::from(i32::MIN), f64::from(i32::MAX)),
        _ => f64::from(sum as i64 as i32),
    }
}

fn case(opcode: &str, random: &mut Random) -> Case {
    let words: Vec<&str> = opcode.split('.').collect();
    let shape = words[3];
    let known = ["f16", "bf16", "tf32", "f32", "f64", "e4m3", "e5m2", "s8", "u8", "s4", "u4", "b1", "s32"];
    let types: Vec<&str> = words.iter().copied().filter(|word| known.contains(word)).collect();
    let [d, a, b, c] = types[..] else { panic!("the types of {opcode}") };
    let numbers: Vec<usize> = shape[1..].split(['n', 'k']).map(|number| number.parse().unwrap()).collect();
    let (m, n, k) = (numbers[0], numbers[1], numbers[2]);
    let quarters = shape == "m8n8k4" && a == "f16";
    let products = if quarters { 4 } else { 1 };
    let mut make = |rows, columns, name: &str| Matrix::new(rows, columns, || sample(name, random));
    let matrices: Vec<[Matrix; 3]> =
        (0..products).map(|_| [make(m, k, a), make(k, n, b), addend(make(m, n, c), c)]).collect();
    let results: Vec<Matrix> = matrices
        .iter()
        .map(|[a, b, c]| {
            let mut d = a.times(b, c, multiplication(opcode));
            d.at.iter_mut().for_each(|sum| *sum = held(opcode, *sum));
            d
        })
        .collect();
    let place = |side: usize, name: &str, lane: usize, i: usize| {
        if quarters {
            let by_columns = side < 2 && words[4 + side] == "col";
            return place_quarter(side, by_columns, name, lane, i);
        }
        match side {
            0 => place_a(shape, name, lane, i),
            1 => place_b(shape, name, lane, i),
            _ => place_c(shape, lane, i),
        }
    };
    // A register of f64 takes two words.
    let wide = a == "f64";
    let count = |rows: usize, columns: usize, name: &str| {
        (products * rows * columns * bits(name) / 32 / if wide { 64 } else { 32 }).max(1)
    };
    let counts = [count(m, k, a), count(k, n, b), count(m, n, c), count(m, n, d)];
    let each = if wide { 64 } else { 32 };
    let mut before = vec![0; counts.iter().sum::<usize>() * each];
    let mut after = before.clone();
    let mut at = 0;
    for (side, (name, count)) in [a, b, c, d].into_iter().zip(counts).enumerate() {
        let per = (32 / bits(name)).max(1);
        for register in 0..count {
            for lane in 0..32 {
                for h in 0..per {
                    let quarter = if quarters { lane % 16 / 4 } else { 0 };
                    let matrix = if side == 3 { &results[quarter] } else { &matrices[quarter][side] };
                    let element = encode(name, matrix.get(place(side, name, lane, register * per + h)));
                    let word = (at + register) * each + lane * if wide { 2 } else { 1 };
                    let buffer = if side == 3 { &mut after } else { &mut before };
                    buffer[word] |= (element << (bits(name) * h % 64)) as u32;
                    if wide {
                        buffer[word + 1] |= (element >> 32) as u32;
                    }
                }
            }
        }
        at += count;
        if side == 2 {
            after.copy_from_slice(&before);
        }
    }
    let [a, b, c, d] = counts;
    let mut body = String::new();
    let prefix = if wide { "%rd" } else { "%r" };
    if wide {
        for i in 0..a + b + c {
            let _ = writeln!(body, "ld.global.b64 %rd{}, [%rd2+{}];", 10 + i, 256 * i);
        }
    } else {
        transfer(&mut body, true, 0, 10, a + b + c);
    }
    let first = 10 + a + b + c;
    let lists = [list(prefix, first, d), list(prefix, 10, a), list(prefix, 10 + a, b), list(prefix, 10 + a + b, c)];
    let _ = writeln!(body, "{opcode} {};", lists.join(", "));
    if wide {
        for i in 0..d {
            let _ = writeln!(body, "st.global.b64 [%rd2+{}], %rd{};", 256 * (a + b + c + i), first + i);
        }
    } else {
        transfer(&mut body, false, a + b + c, first, d);
    }
    Case::of_warp(opcode, kernel(&body), before, after)
}

/// The opcodes of a kind of product.
pub(super) fn opcodes(wmma: bool) -> Vec<String> {
    let lines = FORMS.iter().filter(|form| form.build == Build::Product { wmma });
    lines.flat_map(every_opcode).collect()
}

pub(super) fn cases() -> Vec<Case> {
    let mut random = Random(14);
    opcodes(false).iter().map(|opcode| case(opcode, &mut random)).collect()
}

#[test]
fn exact_sums_are_exact_in_every_mode() {
    for matrix_sums in [MatrixSums::Fma, MatrixSums::Exact, MatrixSums::Card] {
        for major in [8, 9] {
            for case in cases() {
                case.check(Modes { matrix_sums, major, ..Modes::default() })
                    .unwrap_or_else(|error| panic!("{matrix_sums:?}: {error}"));
            }
        }
    }
}
