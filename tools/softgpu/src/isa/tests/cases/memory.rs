//! `ld`, `st`, `cp.async`, `cvta`, `isspacep`, cache control: every type, width and space.

use std::fmt::Write as _;

use super::super::Random;
use super::{Case, kernel, list};

/// Types: bytes, whether a wider register is filled by sign, and the register that holds one.
const TYPES: [(&str, usize, bool, &str); 14] = [
    ("b8", 1, false, "%h"),
    ("u8", 1, false, "%r"),
    ("s8", 1, true, "%r"),
    ("b16", 2, false, "%h"),
    ("u16", 2, false, "%r"),
    ("s16", 2, true, "%r"),
    ("b32", 4, false, "%r"),
    ("u32", 4, false, "%rd"),
    ("s32", 4, true, "%rd"),
    ("f32", 4, false, "%r"),
    ("b64", 8, false, "%rd"),
    ("u64", 8, false, "%rd"),
    ("s64", 8, false, "%rd"),
    ("f64", 8, false, "%rd"),
];

/// Element `index` of so many bytes.
fn element(words: &[u32], index: usize, bytes: usize) -> u64 {
    let at = index * bytes;
    let word = u64::from(words[at / 4]) | if bytes == 8 { u64::from(words[at / 4 + 1]) << 32 } else { 0 };
    word >> (8 * (at % 4)) & (u64::MAX >> (64 - 8 * bytes))
}

/// Loads a vector of a type from the first 256 words of the buffer, and stores each element, widened, behind them.
fn load(opcode: &str, name: &str, vector: usize, space: &str, words: &[u32]) -> Case {
    let (_, bytes, signed, register) = *TYPES.iter().find(|(known, ..)| *known == name).unwrap();
    let mut before = words.to_vec();
    before.resize(256 + 64 * vector, 0);
    let mut after = before.clone();
    for lane in 0..32 {
        for i in 0..vector {
            let value = element(words, lane * vector + i, bytes);
            let negative = signed && value >> (8 * bytes - 1) & 1 == 1;
            let widened = if negative { value | u64::MAX << (8 * bytes) } else { value };
            // Through a register of its own, extended to 64 bits.
            let widened = if register == "%r" { widened & 0xffff_ffff } else { widened };
            after[256 + 64 * i + 2 * lane] = widened as u32;
            after[256 + 64 * i + 2 * lane + 1] = (widened >> 32) as u32;
        }
    }
    let stride = bytes * vector;
    let mut body = format!("mul.wide.u32 %rd3, %r0, {stride};\n");
    if space == "shared" {
        for i in 0..8 {
            let _ = writeln!(body, "ld.global.b32 %r9, [%rd1+{}];\nshl.b32 %r8, %r0, 2;", 128 * i);
            let _ = writeln!(body, "mov.u32 %r7, tile;\nadd.u32 %r8, %r8, %r7;\nst.shared.b32 [%r8+{}], %r9;", 128 * i);
        }
        body.push_str("bar.warp.sync -1;\nmov.u64 %rd4, tile;\nadd.s64 %rd3, %rd3, %rd4;\n");
    } else {
        body.push_str("add.s64 %rd3, %rd0, %rd3;\n");
    }
    let registers = if vector == 1 { format!("{register}1") } else { list(register, 1, vector) };
    let _ = writeln!(body, "{opcode} {registers}, [%rd3];");
    for i in 1..=vector {
        let extended = match register {
            "%h" => format!("cvt.u64.u16 %rd9, %h{i};\n"),
            "%r" => format!("cvt.u64.u32 %rd9, %r{i};\n"),
            _ => format!("mov.b64 %rd9, %rd{i};\n"),
        };
        // %rd1 and %rd2 are gone where the elements are there.
        let _ = writeln!(
            body,
            "{extended}mul.wide.u32 %rd10, %r0, 8;\nadd.s64 %rd10, %rd10, %rd0;\nst.global.b64 [%rd10+{}], %rd9;",
            4 * (256 + 64 * (i - 1))
        );
    }
    Case::of_warp(opcode, kernel(&body), before, after)
}

/// Stores a vector of a type, the low bits of registers with other bits above, over a buffer of ones.
fn store(opcode: &str, name: &str, vector: usize, space: &str, words: &[u32]) -> Case {
    let (_, bytes, _, register) = *TYPES.iter().find(|(known, ..)| *known == name).unwrap();
    let width = bytes * vector;
    let mut before = words[..64].to_vec();
    before.resize(64 + 8 * width, u32::MAX);
    let mut after = before.clone();
    for at in 0..32 * width / 4 {
        let byte = |i: usize| {
            let index = 4 * at + i;
            let (lane, within) = (index / width, index % width);
            let value = u64::from(words[2 * lane]) | u64::from(words[2 * lane + 1]) << 32;
            // Element i of the vector is the value turned by i bytes.
            value.rotate_right(8 * (within / bytes) as u32).to_le_bytes()[within % bytes]
        };
        after[64 + at] = u32::from_le_bytes(std::array::from_fn(byte));
    }
    let mut body = format!("mul.wide.u32 %rd3, %r0, {width};\nld.global.b64 %rd9, [%rd2];\n");
    for i in 0..vector {
        let turned = if i == 0 {
            "mov.b64 %rd10, %rd9;\n".to_owned()
        } else {
            format!(
                "shr.u64 %rd10, %rd9, {};\nshl.b64 %rd11, %rd9, {};\nor.b64 %rd10, %rd10, %rd11;\n",
                8 * i,
                64 - 8 * i
            )
        };
        let narrowed = match register {
            "%h" => format!("cvt.u16.u64 %h{i}, %rd10;\n"),
            "%r" => format!("cvt.u32.u64 %r{}, %rd10;\n", 20 + i),
            _ => format!("mov.b64 %rd{}, %rd10;\n", 20 + i),
        };
        body.push_str(&turned);
        body.push_str(&narrowed);
    }
    let first = if register == "%h" { 0 } else { 20 };
    let registers = if vector == 1 { format!("{register}{first}") } else { list(register, first, vector) };
    let copies_back = space == "shared";
    if copies_back {
        let _ = write!(body, "mov.u64 %rd4, tile;\nadd.s64 %rd5, %rd3, %rd4;\n{opcode} [%rd5], {registers};\n");
        body.push_str("bar.warp.sync -1;\nadd.s64 %rd3, %rd3, %rd0;\n");
        for byte in 0..width {
            let _ = writeln!(body, "ld.shared.u8 %r9, [%rd5+{byte}];\nst.global.u8 [%rd3+{}], %r9;", 256 + byte);
        }
    } else {
        let _ = writeln!(body, "add.s64 %rd3, %rd3, %rd0;\n{opcode} [%rd3+256], {registers};");
    }
    Case::of_warp(opcode, kernel(&body), before, after)
}

/// Modifiers in turn, each with the space that is meant.
const LOADS: [(&str, &str); 8] = [
    (".global", "global"),
    ("", "global"),
    (".shared", "shared"),
    (".global.nc.L1::no_allocate.L2::128B", "global"),
    (".volatile.global", "global"),
    (".relaxed.gpu.global", "global"),
    (".acquire.sys", "global"),
    (".shared::cta", "shared"),
];
const STORES: [(&str, &str); 6] = [
    (".global", "global"),
    ("", "global"),
    (".shared", "shared"),
    (".volatile.global", "global"),
    (".release.gpu.global", "global"),
    (".global.L1::evict_last", "global"),
];

fn accesses(cases: &mut Vec<Case>) {
    let mut random = Random(18);
    let words: Vec<u32> = (0..256).map(|_| random.next() as u32).collect();
    let mut turn = 0;
    for (name, bytes, ..) in TYPES {
        for vector in [1, 2, 4] {
            if bytes * vector > 16 {
                continue;
            }
            let of = if vector == 1 { String::new() } else { format!(".v{vector}") };
            for _ in 0..2 {
                let (modifiers, space) = LOADS[turn % LOADS.len()];
                cases.push(load(&format!("ld{modifiers}{of}.{name}"), name, vector, space, &words));
                let (modifiers, space) = STORES[turn % STORES.len()];
                cases.push(store(&format!("st{modifiers}{of}.{name}"), name, vector, space, &words));
                turn += 1;
            }
        }
    }
    cases.push(load("ldu.global.u32", "u32", 1, "global", &words));
    cases.push(load("ldu.global.v4.f32", "f32", 4, "global", &words));
}

/// `cp.async`: copies of all sizes, of fewer bytes than their size, and waits for them.
fn copies(cases: &mut Vec<Case>) {
    let mut random = Random(19);
    let words: Vec<u32> = (0..128).map(|_| random.next() as u32).collect();
    let waits = ["cp.async.wait_all", "cp.async.wait_group"];
    for (turn, (cache, size)) in [("ca", 4), ("ca", 8), ("ca", 16), ("cg", 16)].into_iter().enumerate() {
        for of in [size, size / 4, 0] {
            let prefetch = if turn % 2 == 0 { "" } else { ".L2::128B" };
            let space = if turn == 2 { ".shared::cta" } else { ".shared" };
            let opcode = format!("cp.async.{cache}{space}.global{prefetch}");
            let mut before = words.clone();
            before.resize(256, 0);
            let mut after = before.clone();
            for lane in 0..32 {
                for byte in 0..size {
                    let at = lane * size + byte;
                    let value = if byte < of { words[at / 4].to_le_bytes()[at % 4] } else { 0 };
                    let word = &mut after[128 + at / 4];
                    *word = *word & !(0xff << (8 * (at % 4))) | u32::from(value) << (8 * (at % 4));
                }
            }
            let size_of_source = if of == size { String::new() } else { format!(", {of}") };
            let wait = waits[turn % 2];
            let group = if turn % 2 == 0 { "" } else { "cp.async.commit_group;\n" };
            let count = if turn % 2 == 0 { "" } else { " 0" };
            let mut body = format!(
                "mul.lo.u32 %r1, %r0, {size};\ncvt.u64.u32 %rd3, %r1;\nadd.s64 %rd3, %rd3, %rd0;\nmov.u32 %r2, tile;\n\
                 add.u32 %r2, %r2, %r1;\n{opcode} [%r2], [%rd3], {size}{size_of_source};\n{group}{wait}{count};\n"
            );
            for byte in (0..size).step_by(4) {
                let _ = writeln!(body, "ld.shared.b32 %r3, [%r2+{byte}];\nst.global.b32 [%rd3+{}], %r3;", 512 + byte);
            }
            let mut case = Case::of_warp(&opcode, kernel(&body), before, after);
            case.opcodes.push(wait.to_owned());
            if turn % 2 == 1 {
                case.opcodes.push("cp.async.commit_group".to_owned());
            }
            cases.push(case);
        }
    }
}

/// Generic addresses of each space, and what `isspacep` says of them.
fn addresses(cases: &mut Vec<Case>) {
    let spaces = ["global", "shared", "local", "const", "param"];
    for (index, space) in spaces.iter().enumerate() {
        // The address of something in the space, as the space has it.
        let own = match *space {
            "global" => "mov.u64 %rd3, %rd0;".to_owned(),
            "shared" => "mov.u64 %rd3, tile;\nst.shared.u32 [tile], 77;".to_owned(),
            "local" => ".local .align 8 .b8 mine[8];\nst.local.u32 [mine], 77;\nmov.u64 %rd3, mine;".to_owned(),
            "const" => "mov.u64 %rd3, table;".to_owned(),
            _ => "mov.u64 %rd3, p;".to_owned(),
        };
        for suffix in if *space == "shared" { &["", "::cta"][..] } else { &[""][..] } {
            let (to_generic, to_own) = (format!("cvta.{space}{suffix}.u64"), format!("cvta.to.{space}{suffix}.u64"));
            let mut body = format!("{own}\n{to_generic} %rd4, %rd3;\nld.u32 %r1, [%rd4];\n");
            let _ = writeln!(body, "{to_own} %rd5, %rd4;\nsetp.eq.u64 %p1, %rd5, %rd3;\nselp.b32 %r2, 1, 0, %p1;");
            let mut opcodes = vec![to_generic, to_own];
            for (i, asked) in spaces.iter().enumerate() {
                let opcode = format!("isspacep.{asked}");
                let _ = writeln!(body, "{opcode} %p2, %rd4;\nselp.b32 %r{}, 1, 0, %p2;", 10 + i);
                opcodes.push(opcode);
            }
            for i in 0..5 {
                let _ = writeln!(body, "st.global.b32 [%rd0+{}], %r{};", 16 + 4 * i, 10 + i);
            }
            body.push_str("st.global.b32 [%rd0+8], %r1;\nst.global.b32 [%rd0+12], %r2;");
            let before = vec![77, 0, 0, 0, 0, 0, 0, 0, 0];
            let mut after = before.clone();
            // A parameter's first word is the low half of the buffer's address.
            after[2] = if *space == "param" { super::BUFFER as u32 } else { 77 };
            after[3] = 1;
            after[4 + index] = 1;
            let text = kernel(&body).replace(".visible .entry", ".const .b32 table[2] = {77, 0};\n.visible .entry");
            cases.push(Case { opcodes, threads: 1, ..Case::of_warp("", text, before, after) });
        }
    }
}

/// What has no effect: the words stay, and what follows runs.
fn hints(cases: &mut Vec<Case>) {
    for opcode in [
        "prefetch.global.L1",
        "prefetch.global.L2::evict_last",
        "prefetch.L2",
        "prefetchu.L1",
        "discard.global.L2",
        "applypriority.global.L2::evict_normal",
    ] {
        let size = if opcode.starts_with(['d', 'a']) { ", 128" } else { "" };
        let body = format!("{opcode} [%rd0]{size};\nst.global.b32 [%rd1], %r0;");
        cases.push(Case::of_warp(opcode, kernel(&body), vec![9; 32], (0..32).collect()));
    }
    for (opcode, operands) in [
        ("createpolicy.fractional.L2::evict_last.b64", "%rd5, 0f3F800000"),
        ("createpolicy.fractional.L2::evict_first.L2::evict_unchanged.b64", "%rd5, 0f3F000000"),
        ("createpolicy.range.global.L2::evict_last.L2::evict_unchanged.b64", "%rd5, [%rd0], 64, 128"),
        ("createpolicy.cvt.L2.b64", "%rd5, %rd0"),
    ] {
        let body = format!(
            "{opcode} {operands};\nld.global.L1::evict_last.L2::cache_hint.b32 %r1, [%rd1], %rd5;\n\
             st.global.L2::cache_hint.b32 [%rd1], %r0, %rd5;\nred.global.add.L2::cache_hint.u32 [%rd1], %r1, %rd5;"
        );
        cases.push(Case::of_warp(opcode, kernel(&body), vec![9; 32], (9..41).collect()));
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    accesses(&mut cases);
    copies(&mut cases);
    addresses(&mut cases);
    hints(&mut cases);
    cases
}
