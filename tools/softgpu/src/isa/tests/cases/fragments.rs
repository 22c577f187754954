//! `wmma`: matrices in memory, by rows and by columns, with and without gaps, loaded, multiplied and stored. What a lane
//! holds in between the ISA leaves open.

use std::fmt::Write as _;

use super::super::Random;
use super::products::{Matrix, addend, bits, encode, held, multiplication, opcodes, sample};
use super::{Case, kernel, list};

/// One of a product's matrices in memory.
struct Side<'a> {
    name: &'a str,
    /// Of the type in load and store.
    matrix: &'a Matrix,
    by_columns: bool,
    /// Elements between the ends of one line and the start of the next.
    gap: usize,
    shared: bool,
    /// Byte of the buffer at which it lies.
    at: usize,
}

impl Side<'_> {
    fn line(&self) -> usize {
        if self.by_columns { self.matrix.rows } else { self.matrix.columns }
    }

    fn stride(&self) -> usize {
        self.line() + self.gap
    }

    fn bytes(&self) -> usize {
        let lines = self.matrix.rows * self.matrix.columns / self.line();
        (lines * self.stride() * bits(self.name) / 8).next_multiple_of(128)
    }

    /// The matrix into the buffer.
    fn write(&self, buffer: &mut [u32]) {
        for row in 0..self.matrix.rows {
            for column in 0..self.matrix.columns {
                let index = if self.by_columns { column * self.stride() + row } else { row * self.stride() + column };
                let bit = self.at * 8 + index * bits(self.name);
                let element = encode(self.name, self.matrix.get((row, column)));
                buffer[bit / 32] |= (element << (bit % 32)) as u32;
                if bits(self.name) == 64 {
                    buffer[bit / 32 + 1] |= (element >> 32) as u32;
                }
            }
        }
    }

    /// Registers of its fragment: the ISA's tables, which have more than enough for f16 operands.
    fn registers(&self, operand: bool) -> usize {
        if operand && self.name == "f16" {
            return 8;
        }
        let of_all = self.matrix.rows * self.matrix.columns * bits(self.name) / 32;
        if self.name == "f64" { of_all / 64 } else { of_all / 32 }
    }

    fn layout(&self) -> &'static str {
        if self.by_columns { "col" } else { "row" }
    }
}

fn case(opcode: &str, random: &mut Random) -> Case {
    let words: Vec<&str> = opcode.split('.').collect();
    let shape = *words.iter().find(|word| word.starts_with('m') && word.contains('k')).unwrap();
    let known = ["f16", "bf16", "tf32", "f32", "f64", "s8", "u8", "s4", "u4", "b1", "s32"];
    let types: Vec<&str> = words.iter().copied().filter(|word| known.contains(word)).collect();
    let [d, a, b, c] = match types[..] {
        [d, a, b, c] => [d, a, b, c],
        [d, c] => [d, "f16", "f16", c],
        _ => panic!("the types of {opcode}"),
    };
    let numbers: Vec<usize> = shape[1..].split(['n', 'k']).map(|number| number.parse().unwrap()).collect();
    let (m, n, k) = (numbers[0], numbers[1], numbers[2]);
    let layouts: Vec<bool> =
        words.iter().filter(|word| matches!(**word, "row" | "col")).map(|word| *word == "col").collect();
    let mut make = |rows, columns, name: &str| Matrix::new(rows, columns, || sample(name, random));
    let [ma, mb, mc] = [make(m, k, a), make(k, n, b), addend(make(m, n, c), c)];
    let mut md = ma.times(&mb, &mc, multiplication(opcode));
    md.at.iter_mut().for_each(|sum| *sum = held(opcode, *sum));
    // Layout, gap, and which memory vary from case to case.
    let mut draw = || random.next().is_multiple_of(2);
    let gap = |name: &str, any: bool| if any { 256 / bits(name) } else { 0 };
    let mut sides = [
        Side { name: a, matrix: &ma, by_columns: layouts[0], gap: gap(a, draw()), shared: draw(), at: 0 },
        Side { name: b, matrix: &mb, by_columns: layouts[1], gap: gap(b, draw()), shared: false, at: 0 },
        Side { name: c, matrix: &mc, by_columns: draw(), gap: gap(c, draw()), shared: false, at: 0 },
        Side { name: d, matrix: &md, by_columns: draw(), gap: gap(d, draw()), shared: draw(), at: 0 },
    ];
    let mut end = 0;
    for side in &mut sides {
        side.at = end;
        end += side.bytes();
    }
    let mut before = vec![0; end / 4];
    sides[..3].iter().for_each(|side| side.write(&mut before));
    let mut after = before.clone();
    sides[3].write(&mut after);
    // A and D through shared memory where they say so.
    let wide = a == "f64";
    let prefix = if wide { "%rd" } else { "%r" };
    let mut body = String::new();
    let copy = |body: &mut String, side: &Side, to_shared: bool| {
        for byte in (0..side.bytes()).step_by(128) {
            let (global, shared) = (format!("[%rd1+{}]", side.at + byte), format!("[%r2+{byte}]"));
            let _ = if to_shared {
                writeln!(body, "ld.global.b32 %r3, {global};\nst.shared.b32 {shared}, %r3;")
            } else {
                writeln!(body, "ld.shared.b32 %r3, {shared};\nst.global.b32 {global}, %r3;")
            };
        }
    };
    body.push_str("mov.u32 %r1, tile;\nshl.b32 %r2, %r0, 2;\nadd.u32 %r2, %r1, %r2;\n");
    let mut first = 10;
    let mut lists = Vec::new();
    let mut tested = vec![opcode.to_owned()];
    for (side, matrix) in sides.iter().zip(["a", "b", "c", "d"]) {
        let registers = list(prefix, first, side.registers(matrix == "a" || matrix == "b"));
        first += side.registers(matrix == "a" || matrix == "b");
        let (space, address) = match (side.shared, matrix) {
            (true, _) => (".shared", "[%r1]".to_owned()),
            (false, "b") => ("", format!("[%rd0+{}]", side.at)),
            _ => (".global", format!("[%rd0+{}]", side.at)),
        };
        let stride = if side.gap == 0 { String::new() } else { format!(", {}", side.stride()) };
        let layout = side.layout();
        if matrix == "d" {
            if side.shared {
                // Gaps keep what is there; bytes that nothing has written are not read back.
                body.push_str("mov.b32 %r3, 0;\n");
                for byte in (0..side.bytes()).step_by(128) {
                    let _ = writeln!(body, "st.shared.b32 [%r2+{byte}], %r3;");
                }
            }
            let _ = writeln!(body, "{opcode} {registers}, {};", lists.join(", "));
            let store = format!("wmma.store.d.sync.aligned.{layout}.{shape}{space}.{}", side.name);
            let _ = writeln!(body, "bar.warp.sync -1;\n{store} {address}, {registers}{stride};\nbar.warp.sync -1;");
            tested.push(store);
            if side.shared {
                copy(&mut body, side, false);
            }
        } else {
            if side.shared {
                copy(&mut body, side, true);
                body.push_str("bar.warp.sync -1;\n");
            }
            let load = format!("wmma.load.{matrix}.sync.aligned.{layout}.{shape}{space}.{}", side.name);
            let _ = writeln!(body, "{load} {registers}, {address}{stride};\nbar.warp.sync -1;");
            tested.push(load);
        }
        lists.push(registers);
    }
    Case { opcodes: tested, ..Case::of_warp(opcode, kernel(&body), before, after) }
}

pub(super) fn cases() -> Vec<Case> {
    let mut random = Random(15);
    // Often enough that each layout, gap and memory comes up.
    opcodes(true).iter().flat_map(|opcode| [(); 3].map(|()| opcode)).map(|opcode| case(opcode, &mut random)).collect()
}
