//! `atom` and `red`: every operation and type, in global and shared memory and through generic addresses, with orders and
//! scopes. Lane l works on the element of lane l / 2, so that two lanes meet at each; the order between them is open, and
//! no result depends on it.

use super::{Case, kernel};

/// An operation on the bits of a type, its operand's bits, and what the element begins with.
struct Operation {
    name: &'static str,
    kind: &'static str,
    apply: fn(u64, u64) -> u64,
    operand: u64,
    first: u64,
}

const fn operation(
    name: &'static str,
    kind: &'static str,
    apply: fn(u64, u64) -> u64,
    operand: u64,
    first: u64,
) -> Operation {
    Operation { name, kind, apply, operand, first }
}

fn f32_add(a: u64, b: u64) -> u64 {
    u64::from((f32::from_bits(a as u32) + f32::from_bits(b as u32)).to_bits())
}

fn f64_add(a: u64, b: u64) -> u64 {
    (f64::from_bits(a) + f64::from_bits(b)).to_bits()
}

fn f16_add(a: u64, b: u64) -> u64 {
    u64::from((half::f16::from_bits(a as u16) + half::f16::from_bits(b as u16)).to_bits())
}

fn bf16_add(a: u64, b: u64) -> u64 {
    u64::from((half::bf16::from_bits(a as u16) + half::bf16::from_bits(b as u16)).to_bits())
}

const MINUS_3: u64 = 0xffff_fffd;
const MINUS_3_LONG: u64 = 0xffff_ffff_ffff_fffd;

/// The operations whose outcome does not depend on which of two equal lanes comes first.
const OPERATIONS: &[Operation] = &[
    operation("add", "u32", u64::wrapping_add, 5, 0xffff_fffe),
    operation("add", "s32", u64::wrapping_add, MINUS_3, 7),
    operation("add", "u64", u64::wrapping_add, 5 << 40, u64::MAX - 1),
    operation("add", "f32", f32_add, 0x3fc0_0000, 0x4000_0000),
    operation("add", "f64", f64_add, 0x3ff8_0000_0000_0000, 0x4000_0000_0000_0000),
    operation("add.noftz", "f16", f16_add, 0x3e00, 0x0001),
    operation("add.noftz", "bf16", bf16_add, 0x3fc0, 0x4000),
    operation("add.noftz", "f16x2", |a, b| f16_add(a, b) | f16_add(a >> 16, b >> 16) << 16, 0x3c00_3e00, 0x0001_4000),
    operation("add.noftz", "bf16x2", |a, b| bf16_add(a, b) | bf16_add(a >> 16, b >> 16) << 16, 0x3f80_3fc0, 0x4000),
    operation("min", "u32", u64::min, MINUS_3, 7),
    operation("min", "s32", |a, b| u64::from((a as i32).min(b as i32) as u32), MINUS_3, 7),
    operation("min", "u64", u64::min, 7, MINUS_3_LONG),
    operation("min", "s64", |a, b| (a as i64).min(b as i64) as u64, 7, MINUS_3_LONG),
    operation("max", "u32", u64::max, MINUS_3, 7),
    operation("max", "s32", |a, b| u64::from((a as i32).max(b as i32) as u32), MINUS_3, 7),
    operation("max", "u64", u64::max, 7, MINUS_3_LONG),
    operation("max", "s64", |a, b| (a as i64).max(b as i64) as u64, 7, MINUS_3_LONG),
    operation("inc", "u32", |a, b| if a >= b { 0 } else { a + 1 }, 5, 5),
    operation("dec", "u32", |a, b| if a == 0 || a > b { b } else { a - 1 }, 5, 0),
    operation("and", "b32", |a, b| a & b, 0xff00_ff00, 0x1234_5678),
    operation("and", "b64", |a, b| a & b, 0xff00_ff00_ff00_ff00, 0x1234_5678_9abc_def0),
    operation("or", "b32", |a, b| a | b, 0xff00_ff00, 0x1234_5678),
    operation("or", "b64", |a, b| a | b, 0xff00_ff00_ff00_ff00, 0x1234_5678_9abc_def0),
    operation("xor", "b32", |a, b| a ^ b, 0xff00_ff00, 0x1234_5678),
    operation("xor", "b64", |a, b| a ^ b, 0xff00_ff00_ff00_ff00, 0x1234_5678_9abc_def0),
    operation("exch", "b32", |_, b| b, 0xff00_ff00, 0x1234_5678),
    operation("exch", "b64", |_, b| b, 0xff00_ff00_ff00_ff00, 0x1234_5678_9abc_def0),
];

/// Bytes of an element, the registers that hold one, and the type of a plain access.
fn registers(kind: &str) -> (usize, &'static str, &'static str) {
    match kind {
        "f16" | "bf16" | "b16" => (2, "%h", "b16"),
        _ if kind.ends_with("64") => (8, "%rd", "b64"),
        _ => (4, "%r", "b32"),
    }
}

/// Orders, scopes, and the spaces by which the element is addressed, one after the other.
const MODIFIERS: [(&str, &str); 6] = [
    ("", ".global"),
    (".relaxed.gpu", ".global"),
    (".acq_rel.gpu", ""),
    (".acquire.cta", ".shared"),
    (".release.sys", ".shared::cta"),
    ("", ".shared"),
];

/// The elements lie eight bytes apart.
fn case(opcode: &str, shared: bool, operation: &Operation) -> Case {
    let Operation { kind, apply, operand, first, .. } = *operation;
    let last = apply(apply(first, operand), operand);
    let (moved, operand) = constant(kind, operand);
    let (bytes, register, _) = registers(kind);
    let mask = u64::MAX >> (64 - 8 * bytes);
    let mut before = vec![0; 64];
    for element in 0..16 {
        before[2 * element] = first as u32;
        before[2 * element + 1] = (first >> 32) as u32;
    }
    let mut after = before.clone();
    for element in 0..16 {
        after[2 * element] = (first & !mask | last & mask) as u32;
        after[2 * element + 1] = ((first & !mask | last & mask) >> 32) as u32;
    }
    let result = if opcode.starts_with("atom") { format!("{register}5, ") } else { String::new() };
    // %rd3 the element in global memory, %r3 in shared memory.
    let body = format!(
        "shr.u32 %r1, %r0, 1;\nshl.b32 %r1, %r1, 3;\ncvt.u64.u32 %rd3, %r1;\nadd.s64 %rd3, %rd0, %rd3;\n\
         mov.u32 %r2, tile;\nadd.u32 %r3, %r2, %r1;\nld.global.b64 %rd9, [%rd3];\nst.shared.b64 [%r3], %rd9;\n\
         bar.warp.sync -1;\n{moved}{opcode} {result}{}, {operand};\nbar.warp.sync -1;\n{}",
        if shared { "[%r3]" } else { "[%rd3]" },
        if shared { "ld.shared.b64 %rd9, [%r3];\nst.global.b64 [%rd3], %rd9;\n" } else { "" }
    );
    Case::of_warp(opcode, kernel(&body), before, after)
}

/// A literal of the type's register.
fn constant(kind: &str, value: u64) -> (String, String) {
    let (bytes, register, _) = registers(kind);
    let moved = format!("mov.b{} {register}6, {};\n", 8 * bytes, value as i64);
    (moved, format!("{register}6"))
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut turn = 0;
    for base in ["atom", "red"] {
        for operation in OPERATIONS {
            if base == "red" && operation.name == "exch" {
                continue;
            }
            for _ in 0..2 {
                turn += 1;
                let (order, space) = MODIFIERS[turn % MODIFIERS.len()];
                // A reduction has no order of acquisition.
                let order = if base == "red" && order.contains("ac") { ".relaxed.gpu" } else { order };
                let opcode = format!("{base}{order}{space}.{}.{}", operation.name, operation.kind);
                cases.push(case(&opcode, space.contains("shared"), operation));
            }
        }
    }
    cases.extend(results());
    cases
}

/// What an `atom` gives: lane by lane its own element, so that the order does not matter; and compare-and-swap, where
/// every third lane's comparison fails.
fn results() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, scale) in [("b16", 1), ("b32", 1 << 16), ("b64", 1 << 40)] {
        let (_, register, plain) = registers(kind);
        for space in [".global", ""] {
            let opcode = format!("atom{space}.cas.{kind}");
            let mut before = vec![0_u32; 128];
            for lane in 0..32_u64 {
                before[2 * lane as usize] = (lane * scale) as u32;
                before[2 * lane as usize + 1] = ((lane * scale) >> 32) as u32;
            }
            let mut after = before.clone();
            for lane in (0..32_usize).filter(|lane| !lane.is_multiple_of(3)) {
                after[2 * lane] = (7 * scale) as u32;
                after[2 * lane + 1] = ((7 * scale) >> 32) as u32;
            }
            after[64..].copy_from_slice(&before[..64]);
            let body = format!(
                "ld.global.{plain} {register}5, [%rd2];\nmul.lo.u32 %r1, %r0, 43;\nshr.u32 %r1, %r1, 7;\n\
                 mul.lo.u32 %r1, %r1, 3;\nsetp.eq.u32 %p1, %r1, %r0;\nmov.{plain} {register}6, {};\n\
                 @%p1 mov.{plain} {register}5, -1;\n{opcode} {register}7, [%rd2], {register}5, {register}6;\n\
                 st.global.{plain} [%rd2+256], {register}7;",
                7 * scale
            );
            cases.push(Case::of_warp(&opcode, kernel(&body), before, after));
        }
    }
    // The old value of each operation on an element of the lane's own.
    for operation in OPERATIONS {
        let (bytes, register, plain) = registers(operation.kind);
        let mask = u64::MAX >> (64 - 8 * bytes);
        let opcode = format!("atom.global.{}.{}", operation.name, operation.kind);
        let (moved, operand) = constant(operation.kind, operation.operand);
        let mut before = vec![0; 128];
        let mut after = before.clone();
        let last = (operation.apply)(operation.first, operation.operand) & mask;
        for lane in 0..32 {
            for half in 0..2 {
                before[2 * lane + half] = (operation.first >> (32 * half)) as u32;
                after[2 * lane + half] = ((operation.first & !mask | last) >> (32 * half)) as u32;
                after[64 + 2 * lane + half] = ((operation.first & mask) >> (32 * half)) as u32;
            }
        }
        let body =
            format!("{moved}{opcode} {register}5, [%rd2], {operand};\nst.global.{plain} [%rd2+256], {register}5;");
        cases.push(Case::of_warp(&opcode, kernel(&body), before, after));
    }
    cases
}
