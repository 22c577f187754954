//! Contraction: a multiplication and the addition that alone uses its product become one multiply-add, rounded once. The
//! ISA lets ptxas do so where neither names a rounding; what nvcc wants fused it has mostly fused already.

use super::decode::ends_run;
use crate::ptx::ast::{Base, Body, Instruction, Module, Operand, RegisterId};

/// Fuses wherever it is allowed.
pub(crate) fn contract(module: &mut Module) {
    for body in module.functions.iter_mut().filter_map(|function| function.body.as_mut()) {
        contract_body(body);
    }
}

/// What an opcode without a rounding says: its flushing, its saturation and its type.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Modifiers<'a> {
    ftz: bool,
    sat: bool,
    kind: &'a str,
}

/// The modifiers of `base`, if it has no rounding and no other modifier.
fn modifiers<'a>(opcode: &'a str, base: &str) -> Option<Modifiers<'a>> {
    let mut words: Vec<&str> = opcode.strip_prefix(base)?.strip_prefix('.')?.split('.').collect();
    let kind = words.pop().filter(|kind| matches!(*kind, "f32" | "f64" | "f16" | "f16x2" | "bf16" | "bf16x2"))?;
    let mut has = |word: &str| words.iter().position(|other| *other == word).map(|at| words.remove(at)).is_some();
    let (ftz, sat) = (has("ftz"), has("sat"));
    words.is_empty().then_some(Modifiers { ftz, sat, kind })
}

/// How often each register is read and written, anywhere in the body.
struct Uses {
    reads: Vec<u32>,
    writes: Vec<u32>,
}

impl Uses {
    fn of(body: &Body) -> Self {
        let mut uses = Self { reads: vec![0; body.registers.len()], writes: vec![0; body.registers.len()] };
        for instruction in &body.instructions {
            if let Some((register, _)) = instruction.guard {
                uses.reads[register as usize] += 1;
            }
            for (at, operand) in body.operands(instruction).iter().enumerate() {
                registers(operand, &mut |register| {
                    uses.reads[register as usize] += 1;
                    // Of the first operand it is not known here whether it is a result: it counts as both.
                    uses.writes[register as usize] += u32::from(at == 0);
                });
            }
        }
        uses
    }

    /// Written by one instruction, and read by one other.
    fn once(&self, register: RegisterId) -> bool {
        (self.reads[register as usize], self.writes[register as usize]) == (2, 1)
    }
}

/// Calls `each` for every register of an operand.
fn registers(operand: &Operand, each: &mut impl FnMut(RegisterId)) {
    match operand {
        Operand::Register(register)
        | Operand::NotRegister(register)
        | Operand::Memory { base: Base::Register(register), .. } => each(*register),
        Operand::Vector(list) | Operand::List(list) => list.iter().for_each(|operand| registers(operand, each)),
        Operand::Pair(first, second) => {
            registers(first, each);
            registers(second, each);
        }
        _ => {}
    }
}

fn contract_body(body: &mut Body) {
    let uses = Uses::of(body);
    let mut at = 0;
    while at < body.instructions.len() {
        match is_product(body, &uses, at).then(|| fusion(body, at)).flatten() {
            Some(fusion) => fuse(body, at, fusion),
            None => at += 1,
        }
    }
}

/// A multiplication without a rounding, a guard or a saturation, whose product one instruction reads.
fn is_product(body: &Body, uses: &Uses, at: usize) -> bool {
    let instruction = &body.instructions[at];
    let Some(Operand::Register(product)) = body.operands(instruction).first() else { return false };
    instruction.guard.is_none()
        && instruction.operands.len() == 3
        && modifiers(&instruction.opcode, "mul").is_some_and(|modifiers| !modifiers.sat)
        && uses.once(*product)
}

/// What takes the place of a multiplication and of the addition that uses its product.
struct Fusion {
    /// Where the addition stands.
    sum: usize,
    /// A negation into the product's register, for a difference.
    negation: Option<New>,
    multiply_add: New,
}

/// An instruction that is no part of the body yet.
struct New {
    opcode: String,
    operands: Vec<Operand>,
}

/// The addition that uses the product, in the same run of instructions, if the two may be fused.
fn fusion(body: &Body, product: usize) -> Option<Fusion> {
    let multiply = &body.instructions[product];
    let of_product = modifiers(&multiply.opcode, "mul")?;
    let [own @ Operand::Register(register), a, b] = body.operands(multiply) else { return None };
    for (sum, add) in body.instructions.iter().enumerate().skip(product + 1) {
        // Another run begins at a label, and ends with a jump.
        if body.labels.iter().any(|&label| label as usize == sum) || ends_run(&add.opcode) {
            return None;
        }
        let mut reads = false;
        body.operands(add)
            .iter()
            .skip(1)
            .for_each(|operand| registers(operand, &mut |read| reads |= read == *register));
        if !reads {
            let mut loses_factor = false;
            if let Some(result) = body.operands(add).first() {
                registers(result, &mut |written| {
                    let written = Operand::Register(written);
                    loses_factor |= *a == written || *b == written;
                });
            }
            if loses_factor {
                return None;
            }
            continue;
        }
        let subtracts = add.opcode.starts_with("sub.");
        let of_sum = modifiers(&add.opcode, if subtracts { "sub" } else { "add" })?;
        let [d, x, y] = body.operands(add) else { return None };
        if (of_sum.ftz, of_sum.kind) != (of_product.ftz, of_product.kind) || add.guard.is_some() {
            return None;
        }
        // a b - c is a b + (-c), and c - a b is (-a) b + c.
        let (addend, negated) = if x == own { (y, y) } else { (x, a) };
        let negation = subtracts
            .then(|| New { opcode: format!("neg.{}", of_sum.kind), operands: vec![own.clone(), negated.clone()] });
        let [factor, addend] = match (subtracts, x == own) {
            (false, _) => [a, addend],
            (true, true) => [a, own],
            (true, false) => [own, addend],
        };
        let ftz = if of_sum.ftz { ".ftz" } else { "" };
        let sat = if of_sum.sat { ".sat" } else { "" };
        let multiply_add = New {
            opcode: format!("fma.rn{ftz}{sat}.{}", of_sum.kind),
            operands: vec![d.clone(), factor.clone(), b.clone(), addend.clone()],
        };
        return Some(Fusion { sum, negation, multiply_add });
    }
    None
}

fn fuse(body: &mut Body, product: usize, fusion: Fusion) {
    let Fusion { sum, negation, multiply_add } = fusion;
    let mut in_place_of_sum = |New { opcode, operands }| {
        let first = body.operands.len();
        body.operands.extend(operands);
        let operands = [first, body.operands.len()].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        let sum = body.instructions[sum].clone();
        Instruction { opcode: opcode.into(), operands: operands[0]..operands[1], ..sum }
    };
    let negation = negation.map(&mut in_place_of_sum);
    body.instructions[sum] = in_place_of_sum(multiply_add);
    body.instructions.remove(product);
    if let Some(negation) = negation {
        body.instructions.insert(sum - 1, negation);
        return; // as many as before: labels stay where they are
    }
    for label in body.labels.iter_mut().filter(|label| **label as usize > product) {
        *label -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::contract;
    use crate::ptx::parse;

    /// The opcodes of a kernel's body once it is contracted.
    fn contracted(body: &str) -> Vec<String> {
        let text = format!(
            ".version 9.0\n.target sm_80\n.address_size 64\n.entry k() {{\n.reg .f32 %f<9>;\n.reg .f64 %d<9>;\n\
             .reg .pred %p;\n{body}\nret;\n}}\n"
        );
        let mut module = parse(&text).unwrap();
        contract(&mut module);
        let body = module.functions[0].body.as_ref().unwrap();
        body.instructions.iter().map(|instruction| instruction.opcode.to_string()).collect()
    }

    #[test]
    fn a_product_that_is_added_once_is_fused() {
        assert_eq!(contracted("mul.f32 %f1, %f2, %f3; add.f32 %f4, %f1, %f5;"), ["fma.rn.f32", "ret"]);
        assert_eq!(contracted("mul.f32 %f1, %f2, %f3; add.f32 %f4, %f5, %f1;"), ["fma.rn.f32", "ret"]);
        assert_eq!(
            contracted("mul.ftz.f32 %f1, %f2, %f3; add.ftz.sat.f32 %f4, %f5, %f1;"),
            ["fma.rn.ftz.sat.f32", "ret"]
        );
        assert_eq!(contracted("mul.f64 %d1, %d2, %d3; sub.f64 %d4, %d1, %d5;"), ["neg.f64", "fma.rn.f64", "ret"]);
        let apart = "mul.f32 %f1, %f2, %f3; abs.f32 %f6, %f5; sub.f32 %f4, %f6, %f1;";
        assert_eq!(contracted(apart), ["abs.f32", "neg.f32", "fma.rn.f32", "ret"]);
        let chain = "mul.f32 %f1, %f2, %f3; mul.f32 %f4, %f5, %f6; add.f32 %f7, %f1, %f4;";
        assert_eq!(contracted(chain), ["mul.f32", "fma.rn.f32", "ret"]);
    }

    #[test]
    fn what_the_isa_does_not_leave_open_is_not() {
        for body in [
            "mul.rn.f32 %f1, %f2, %f3; add.f32 %f4, %f1, %f5;",
            "mul.f32 %f1, %f2, %f3; add.rn.f32 %f4, %f1, %f5;",
            "mul.f32 %f1, %f2, %f3; add.rz.f32 %f4, %f1, %f5;",
            "mul.sat.f32 %f1, %f2, %f3; add.f32 %f4, %f1, %f5;",
            "mul.ftz.f32 %f1, %f2, %f3; add.f32 %f4, %f1, %f5;",
            "mul.f32 %f1, %f2, %f3; add.f32 %f4, %f1, %f1;",
            "mul.f32 %f1, %f2, %f3; add.f32 %f4, %f1, %f5; add.f32 %f6, %f1, %f5;",
            "mul.f32 %f1, %f2, %f3; mov.f32 %f2, %f6; add.f32 %f4, %f1, %f5;",
            "mul.f32 %f1, %f2, %f3; @%p add.f32 %f4, %f1, %f5;",
            "@%p mul.f32 %f1, %f2, %f3; add.f32 %f4, %f1, %f5;",
            "mul.f32 %f1, %f2, %f3; there: add.f32 %f4, %f1, %f5;",
        ] {
            assert!(!contracted(body).iter().any(|opcode| opcode.starts_with("fma")), "{body}");
        }
    }
}
