//! What is changed of an instruction.
//!
//! Left out, as nothing could notice: cache operators, `.nc` and prefetches, which have no effect on what a kernel
//! computes; the order of operands that commute; the number of a barrier that the whole block comes to; copies between
//! registers, address conversions and unconditional jumps, whose mutants are those of what they serve.

use std::collections::HashMap;

use crate::ptx::Instruction;

/// One change of one instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mutation {
    /// In words that name no register, so that they stay when the code around changes: `setp.ge.u64 becomes setp.gt.u64`.
    pub(crate) what: String,
    /// The line of PTX in place of the instruction's.
    pub(crate) line: String,
}

/// Registers that were written before an instruction, by the prefix of their names, the latest last.
#[derive(Debug, Default)]
pub(crate) struct Written(HashMap<String, Vec<String>>);

impl Written {
    /// Notes what an instruction writes.
    pub(crate) fn add(&mut self, instruction: &Instruction) {
        if matches!(base(&instruction.opcode), "st" | "bra" | "bar" | "red" | "ret") {
            return;
        }
        let Some(destination) = instruction.operands.first() else { return };
        for register in destination.split(['{', '}', ',', '|', ' ']).filter(|part| part.starts_with('%')) {
            if let Some(prefix) = prefix(register) {
                let latest = self.0.entry(prefix.to_owned()).or_default();
                latest.retain(|other| other != register);
                latest.push(register.to_owned());
            }
        }
    }

    /// The latest register like this one that the instruction does not name.
    fn other(&self, register: &str, instruction: &Instruction) -> Option<&str> {
        let names = |other: &String| {
            instruction
                .operands
                .iter()
                .any(|operand| operand.split(['{', '}', ',', '|', ' ']).any(|part| part == other))
        };
        self.0.get(prefix(register)?)?.iter().rev().find(|other| !names(other)).map(String::as_str)
    }
}

/// `%rd` of `%rd12`; no special register has one.
fn prefix(register: &str) -> Option<&str> {
    let name = register.trim_end_matches(|c: char| c.is_ascii_digit());
    (name.starts_with('%') && name.len() < register.len() && !name.contains('.')).then_some(name)
}

fn base(opcode: &str) -> &str {
    opcode.split('.').next().unwrap_or(opcode)
}

/// Comparisons, and what each becomes.
const COMPARISONS: [(&str, &str); 16] = [
    ("lt", "le"),
    ("le", "lt"),
    ("gt", "ge"),
    ("ge", "gt"),
    ("eq", "ne"),
    ("ne", "eq"),
    ("lo", "ls"),
    ("ls", "lo"),
    ("hi", "hs"),
    ("hs", "hi"),
    ("ltu", "leu"),
    ("leu", "ltu"),
    ("gtu", "geu"),
    ("geu", "gtu"),
    ("equ", "neu"),
    ("neu", "equ"),
];

/// Operations, and what each becomes.
const OPERATIONS: [(&str, &str); 9] = [
    ("add", "sub"),
    ("sub", "add"),
    ("min", "max"),
    ("max", "min"),
    ("and", "or"),
    ("or", "and"),
    ("xor", "or"),
    ("any", "all"),
    ("all", "any"),
];

/// Every change of the instruction.
pub(crate) fn mutations(instruction: &Instruction, written: &Written) -> Vec<Mutation> {
    let mut mutations = Vec::new();
    let mut add = |what: String, changed: &Instruction| {
        mutations.push(Mutation { what, line: line(changed) });
    };
    let opcode = instruction.opcode.as_str();
    let base = base(opcode);
    if let Some(guard) = &instruction.guard {
        add(format!("{opcode}: guard dropped"), &Instruction { guard: None, ..instruction.clone() });
        let negated = guard.strip_prefix("@!").map_or_else(|| guard.replace('@', "@!"), |rest| format!("@{rest}"));
        add(format!("{opcode}: guard negated"), &Instruction { guard: Some(negated), ..instruction.clone() });
    }
    if matches!(base, "bar" | "barrier" | "membar" | "fence") || opcode.starts_with("cp.async.") && is_wait(opcode) {
        mutations.push(Mutation { what: format!("{opcode}: dropped"), line: String::new() });
        return mutations;
    }
    if matches!(base, "mov" | "cvta" | "bra" | "ret" | "call" | "prefetch" | "prefetchu" | "trap" | "exit") {
        if base == "mov" {
            constants(instruction, &mut add);
        }
        return mutations;
    }
    if let Some(other) = other_opcode(opcode) {
        add(format!("{opcode} becomes {other}"), &Instruction { opcode: other, ..instruction.clone() });
    }
    if let Some(opcode) = opcode.strip_prefix("fma").or(opcode.strip_prefix("mad")) {
        let mut product = instruction.clone();
        product.opcode = format!("mul{opcode}");
        product.operands.truncate(3);
        add(format!("{} becomes {}", instruction.opcode, product.opcode), &product);
    }
    if let Some((first, second)) = ordered(instruction) {
        let mut swapped = instruction.clone();
        swapped.operands.swap(first, second);
        add(format!("{opcode}: operands {first} and {second} swapped"), &swapped);
    }
    if let Some(narrower) = narrower(opcode) {
        let at = offset(instruction).map_or_else(String::new, |offset| format!(" at +{offset}"));
        add(format!("{opcode} becomes {narrower}{at}"), &Instruction { opcode: narrower, ..instruction.clone() });
    }
    addresses(instruction, &mut add);
    constants(instruction, &mut add);
    // The last of the sources that are registers.
    let source = instruction.operands.iter().enumerate().skip(1).rev().find(|(_, operand)| prefix(operand).is_some());
    if let Some((at, register)) = source
        && let Some(other) = written.other(register, instruction)
    {
        let mut replaced = instruction.clone();
        other.clone_into(&mut replaced.operands[at]);
        add(format!("{opcode}: operand {at} replaced by another register"), &replaced);
    }
    mutations
}

fn is_wait(opcode: &str) -> bool {
    opcode.contains("wait")
}

/// The opcode with its comparison or its operation replaced.
fn other_opcode(opcode: &str) -> Option<String> {
    let parts: Vec<&str> = opcode.split('.').collect();
    let at = match parts[0] {
        "setp" | "set" => 1,
        "vote" => 2,
        "atom" | "red" => parts.iter().position(|part| OPERATIONS.iter().any(|(name, _)| name == part))?,
        _ => 0,
    };
    let table: &[_] = if matches!(parts[0], "setp" | "set") { &COMPARISONS } else { &OPERATIONS };
    let (_, other) = table.iter().find(|(name, _)| Some(name) == parts.get(at))?;
    let mut parts = parts;
    parts[at] = other;
    Some(parts.join("."))
}

/// Two operands whose order matters.
fn ordered(instruction: &Instruction) -> Option<(usize, usize)> {
    let parts: Vec<&str> = instruction.opcode.split('.').collect();
    let pair = match parts[0] {
        "sub" | "div" | "rem" | "selp" | "shl" | "shr" => (1, 2),
        "setp" if !matches!(parts.get(1), Some(&("eq" | "ne" | "equ" | "neu"))) => (1, 2),
        "fma" => (1, 3),
        "mad" if parts.get(1) == Some(&"lo") => (1, 3),
        _ => return None,
    };
    // A shift's count has 32 bits, whatever is shifted; and two constants would be folded.
    let [first, second] = [pair.0, pair.1].map(|at| instruction.operands.get(at).map(String::as_str));
    let wide_shift = matches!(parts[0], "shl" | "shr") && !parts.contains(&"b32") && !parts.contains(&"u32");
    (first != second && first.is_some() && second.is_some() && !wide_shift).then_some(pair)
}

/// A load or store of half the width, where its register may be wider than what moves.
fn narrower(opcode: &str) -> Option<String> {
    if !matches!(base(opcode), "ld" | "st") || opcode.contains(".v") {
        return None;
    }
    let (rest, kind) = opcode.rsplit_once('.')?;
    let half = match kind {
        "u64" => "u32",
        "u32" => "u16",
        "u16" => "u8",
        _ => return None,
    };
    Some(format!("{rest}.{half}"))
}

/// What the first address adds to its register or its name, where that is something.
fn offset(instruction: &Instruction) -> Option<&str> {
    let address = instruction.operands.iter().find_map(|operand| operand.strip_prefix('[')?.strip_suffix(']'))?;
    Some(address.split_once('+')?.1).filter(|offset| *offset != "0")
}

/// Bytes of an access's element.
fn element_bytes(instruction: &Instruction) -> Option<i64> {
    if instruction.opcode.starts_with("cp.async") {
        return instruction.operands.get(2)?.parse().ok();
    }
    let (_, kind) = instruction.opcode.rsplit_once('.')?;
    let bits: i64 = kind.trim_start_matches(|c: char| c.is_ascii_alphabetic()).parse().ok()?;
    Some(bits / 8)
}

/// An address one element further.
fn addresses(instruction: &Instruction, add: &mut impl FnMut(String, &Instruction)) {
    let Some(bytes) = element_bytes(instruction) else { return };
    for (at, operand) in instruction.operands.iter().enumerate() {
        let Some(address) = operand.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) else { continue };
        let (base, offset) = address.split_once('+').unwrap_or((address, "0"));
        let Ok(offset) = offset.parse::<i64>() else { continue };
        let mut moved = instruction.clone();
        moved.operands[at] = format!("[{base}+{}]", offset + bytes);
        add(format!("{}: address of operand {at} {bytes} bytes further", instruction.opcode), &moved);
    }
}

/// A constant off by one, of integers and of floats.
fn constants(instruction: &Instruction, add: &mut impl FnMut(String, &Instruction)) {
    // The sizes of a copy are a choice of three.
    if instruction.opcode.starts_with("cp.async") {
        return;
    }
    for (at, operand) in instruction.operands.iter().enumerate().skip(1) {
        let Some(other) = off_by_one(operand) else { continue };
        let mut changed = instruction.clone();
        changed.operands[at] = other;
        add(format!("{}: constant {operand} of operand {at} off by one", instruction.opcode), &changed);
    }
}

fn off_by_one(constant: &str) -> Option<String> {
    if let Some(bits) = constant.strip_prefix("0f").and_then(|bits| u32::from_str_radix(bits, 16).ok()) {
        let value = f32::from_bits(bits);
        // 1 is lost beside a large number, and beside an infinity.
        let other = if value.abs() < 1e6 { value + 1.0 } else { 1.0 };
        return Some(format!("0f{:08X}", other.to_bits()));
    }
    if let Some(bits) = constant.strip_prefix("0d").and_then(|bits| u64::from_str_radix(bits, 16).ok()) {
        let value = f64::from_bits(bits);
        let other = if value.abs() < 1e12 { value + 1.0 } else { 1.0 };
        return Some(format!("0d{:016X}", other.to_bits()));
    }
    constant.parse::<i64>().ok().map(|value| value.wrapping_add(1).to_string())
}

/// The instruction as a line of PTX.
fn line(instruction: &Instruction) -> String {
    let guard = instruction.guard.as_ref().map_or_else(String::new, |guard| format!("{guard} "));
    format!("{guard}{} {};", instruction.opcode, instruction.operands.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ptx::Source;

    fn of(guard: Option<&str>, opcode: &str, operands: &[&str]) -> Vec<(String, String)> {
        let instruction = |guard: Option<&str>, opcode: &str, operands: &[&str]| Instruction {
            line: 0,
            entry: 0,
            run: 0,
            guard: guard.map(str::to_owned),
            opcode: opcode.to_owned(),
            operands: operands.iter().map(|operand| (*operand).to_owned()).collect(),
            source: Source::default(),
        };
        let mut written = Written::default();
        for register in ["%r8", "%f8", "%f9", "%rd8"] {
            written.add(&instruction(None, "mov.b32", &[register, "0"]));
        }
        let mutations = mutations(&instruction(guard, opcode, operands), &written);
        mutations.into_iter().map(|mutation| (mutation.what, mutation.line)).collect()
    }

    fn lines(guard: Option<&str>, opcode: &str, operands: &[&str]) -> Vec<String> {
        of(guard, opcode, operands).into_iter().map(|(_, line)| line).collect()
    }

    #[test]
    fn guards() {
        let both = ["bra $L1;", "@!%p1 bra $L1;"];
        assert_eq!(lines(Some("@%p1"), "bra", &["$L1"]), both);
        assert_eq!(lines(Some("@!%p1"), "bra", &["$L1"]), ["bra $L1;", "@%p1 bra $L1;"]);
    }

    #[test]
    fn barriers_are_dropped_and_nothing_else() {
        assert_eq!(of(None, "bar.sync", &["0"]), [("bar.sync: dropped".to_owned(), String::new())]);
        assert_eq!(lines(None, "cp.async.wait_group", &["0"]), [""]);
        assert_eq!(lines(None, "membar.gl", &[]), [""]);
    }

    #[test]
    fn comparisons_shift() {
        let lines = lines(None, "setp.lt.u64", &["%p1", "%rd1", "31"]);
        assert_eq!(
            lines,
            [
                "setp.le.u64 %p1, %rd1, 31;",
                "setp.lt.u64 %p1, 31, %rd1;",
                "setp.lt.u64 %p1, %rd1, 32;",
                "setp.lt.u64 %p1, %rd8, 31;"
            ]
        );
    }

    #[test]
    fn arithmetic() {
        assert_eq!(
            lines(None, "fma.rn.f32", &["%f1", "%f9", "%f2", "0f3F800000"]),
            [
                "mul.rn.f32 %f1, %f9, %f2;",
                "fma.rn.f32 %f1, 0f3F800000, %f2, %f9;",
                "fma.rn.f32 %f1, %f9, %f2, 0f40000000;",
                "fma.rn.f32 %f1, %f9, %f8, 0f3F800000;"
            ]
        );
        assert_eq!(
            lines(None, "add.s32", &["%r1", "%tid.x", "-1"]),
            ["sub.s32 %r1, %tid.x, -1;", "add.s32 %r1, %tid.x, 0;"]
        );
        assert_eq!(lines(None, "selp.f32", &["%f1", "%f2", "%f3", "%p1"])[0], "selp.f32 %f1, %f3, %f2, %p1;");
    }

    #[test]
    fn memory() {
        assert_eq!(
            lines(None, "ld.param.u64", &["%rd1", "[p+-8]"]),
            ["ld.param.u32 %rd1, [p+-8];", "ld.param.u64 %rd1, [p+0];"]
        );
        let narrower = of(None, "ld.shared.u32", &["%r1", "[%rd1+28]"]).remove(0).0;
        assert_eq!(narrower, "ld.shared.u32 becomes ld.shared.u16 at +28");
        assert_eq!(
            lines(None, "st.global.v2.f32", &["[%rd1]", "{%f1, %f2}"]),
            ["st.global.v2.f32 [%rd1+4], {%f1, %f2};"]
        );
        assert_eq!(lines(None, "st.global.f32", &["[%rd1]", "%f1"])[1], "st.global.f32 [%rd1], %f9;");
        let copies = lines(None, "cp.async.cg.shared.global", &["[%r1]", "[%rd1]", "16"]);
        assert_eq!(
            copies,
            ["cp.async.cg.shared.global [%r1+16], [%rd1], 16;", "cp.async.cg.shared.global [%r1], [%rd1+16], 16;"]
        );
        assert_eq!(
            lines(None, "atom.global.min.u64", &["%rd1", "[%rd2]", "%rd3"])[0],
            "atom.global.max.u64 %rd1, [%rd2], %rd3;"
        );
    }

    #[test]
    fn copies_have_their_constants_alone() {
        assert_eq!(lines(None, "mov.u32", &["%r1", "31"]), ["mov.u32 %r1, 32;"]);
        assert_eq!(lines(None, "mov.u32", &["%r1", "%r2"]), Vec::<String>::new());
        assert_eq!(lines(None, "cvta.to.global.u64", &["%rd1", "%rd2"]), Vec::<String>::new());
    }
}
