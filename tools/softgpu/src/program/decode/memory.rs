//! Loads, stores, atomics, asynchronous copies, and addresses.

use super::builder::{Builder, bits, describe};
use crate::inspect::Class;
use crate::isa::forms::Matched;
use crate::memory::{LOCAL_BASE, PARAM_BASE, SHARED_BASE};
use crate::program::{Access, Address, AtomicOp, Constant, Kind, NONE, Number, Slot};
use crate::ptx::PtxError;
use crate::ptx::ast::{Base, Operand, Scope, Space, Type};
use crate::races::clocks::Reach;

/// The space of a modifier.
fn space(form: &Matched) -> Space {
    match form.of("SPACE") {
        Some("param" | "param::entry" | "param::func") => Space::Param,
        Some("global") => Space::Global,
        Some("shared" | "shared::cta") => Space::Shared,
        Some("local") => Space::Local,
        Some("const") => Space::Const,
        _ => Space::Generic,
    }
}

/// How an element of a type is read, and its bytes.
fn element(name: &str) -> (Number, u8) {
    let number = match name {
        "f16x2" => return (Number::F16x2, 4),
        "bf16x2" => return (Number::BF16x2, 4),
        "f16" => Number::F16,
        "bf16" => Number::BF16,
        "f32" => Number::F32,
        "f64" => Number::F64,
        unsigned if unsigned.starts_with('u') => Number::Unsigned,
        signed if signed.starts_with('s') => Number::Signed,
        _ => Number::Bits,
    };
    (number, Type::named(name).map_or(4, Type::bytes))
}

/// Who sees what an operation of this form orders.
fn reach(form: &Matched) -> Reach {
    if form.has("cta") { Reach::Block } else { Reach::Device }
}

impl Builder<'_> {
    /// A memory operand: the space that is meant, the base and the offset.
    pub(super) fn address(&mut self, operand: &Operand, space: Space) -> Result<(Space, Address, i64), PtxError> {
        let Operand::Memory { base, offset } = operand else {
            return Err(self.error(format!("{} where an address in brackets is expected", describe(operand))));
        };
        // Parameters of a function lie in its frame.
        let own = if space == Space::Param && !self.of.function.is_entry { Space::Local } else { space };
        match base {
            Base::Register(register) => match self.register_bytes(*register) {
                8 => Ok((own, Address::Slot64(self.read(*register)), *offset)),
                4 => Ok((own, Address::Slot32(self.read(*register)), *offset)),
                bytes => Err(self.error(format!("an address of {}", bits(bytes)))),
            },
            Base::None => Ok((own, Address::Constant, *offset)),
            Base::Variable { scope, id } => {
                let variable = self.variable(*scope, *id);
                let fits = space == Space::Generic || space == variable.space;
                if !fits {
                    return Err(self.error(format!("variable {} lies in another state space", variable.name)));
                }
                let (lies_in, base, at) = match variable.space {
                    Space::Shared => (Space::Shared, Address::Constant, self.shared_offset(*scope, *id)?),
                    Space::Global | Space::Const => match self.of.layout.variable_ids[*id as usize] {
                        Some(id) => (variable.space, Address::Variable(id), 0),
                        None => return Err(self.error("a variable without a place")),
                    },
                    _ => {
                        let is_kernels = *scope == Scope::Parameter && self.of.function.is_entry;
                        let lies_in = if is_kernels { Space::Param } else { Space::Local };
                        (lies_in, Address::Constant, self.frame_offset(*scope, *id))
                    }
                };
                Ok((lies_in, base, at.cast_signed().wrapping_add(*offset)))
            }
        }
    }

    /// The elements of `d` or `{a, b, _}`.
    fn elements<'o>(&self, operand: &'o Operand, form: &Matched) -> Result<&'o [Operand], PtxError> {
        let count = match form.of("VECTOR") {
            Some("v2") => 2,
            Some("v4") => 4,
            Some("v8") => 8,
            _ => 1,
        };
        let elements = match operand {
            Operand::Vector(elements) => &elements[..],
            single => std::slice::from_ref(single),
        };
        if elements.len() == count {
            Ok(elements)
        } else {
            Err(self.error(format!("{} elements, expected {count},", elements.len())))
        }
    }

    /// The width of the registers among the elements: one for all, and no less than an element's.
    fn elements_bytes(&self, elements: &[Operand], element_bytes: u8) -> Result<u8, PtxError> {
        let mut width = None;
        for operand in elements {
            if let Operand::Register(register) = operand {
                let bytes = self.register_bytes(*register);
                if bytes == 1 || bytes < element_bytes {
                    let name = self.of.module.name(&self.of.body.registers[*register as usize]);
                    return Err(self.error(format!(
                        "{name} has {}, expected at least {}",
                        bits(bytes),
                        element_bytes * 8
                    )));
                }
                if width.is_some_and(|width| width != bytes) {
                    return Err(self.error("registers of several widths in one vector"));
                }
                width = Some(bytes);
            }
        }
        Ok(width.unwrap_or(element_bytes.max(2)))
    }

    /// The access of a load, a store or an atomic, without its registers.
    fn access(&mut self, form: &Matched, operand: &Operand, name: &str) -> Result<Access, PtxError> {
        let (space, base, offset) = self.address(operand, space(form))?;
        let (number, element_bytes) = element(name);
        let strong = ["volatile", "relaxed", "acquire", "release", "acq_rel"].iter().any(|word| form.has(word));
        Ok(Access {
            space,
            base,
            offset,
            source: Address::Constant,
            source_offset: 0,
            element_bytes,
            elements: 1,
            number,
            register_bytes: element_bytes.max(2),
            registers: [NONE; 8],
            operands: [NONE; 2],
            atomic: None,
            strong,
            releases: (form.has("release") || form.has("acq_rel")).then(|| reach(form)),
        })
    }

    fn push_access(&mut self, kind: Kind, class: Class, access: Access, s: [Slot; 4]) {
        let extra = self.entry(|program| &mut program.accesses, access);
        self.op(kind, class, [NONE; 2], s, extra);
    }

    /// With a cache policy there is one operand more, which changes nothing.
    fn memory_operands(&self, form: &Matched, count: usize) -> Result<&[Operand], PtxError> {
        let count = count + usize::from(form.has("L2::cache_hint"));
        self.expect_operands(count..=count)
    }

    pub(super) fn load(&mut self, form: &Matched) -> Result<(), PtxError> {
        self.memory_operands(form, 2)?;
        let operands = self.expect_operands(2..=3)?;
        let mut access = self.access(form, &operands[1], form.last())?;
        let elements = self.elements(&operands[0], form)?;
        access.register_bytes = self.elements_bytes(elements, access.element_bytes)?;
        access.elements = u8::try_from(elements.len()).unwrap_or(u8::MAX);
        if !matches!(access.number, Number::Unsigned | Number::Signed) {
            access.number = Number::Bits;
        }
        for (slot, operand) in access.registers.iter_mut().zip(elements) {
            *slot = self.optional_result(operand, access.register_bytes)?;
        }
        self.push_access(Kind::Load, form.form.class, access, [NONE; 4]);
        Ok(())
    }

    pub(super) fn store(&mut self, form: &Matched) -> Result<(), PtxError> {
        self.memory_operands(form, 2)?;
        let operands = self.expect_operands(2..=3)?;
        let mut access = self.access(form, &operands[0], form.last())?;
        if access.space == Space::Param {
            return Err(self.error("a kernel's parameters are not written to"));
        }
        let elements = self.elements(&operands[1], form)?;
        access.register_bytes = self.elements_bytes(elements, access.element_bytes)?;
        access.elements = u8::try_from(elements.len()).unwrap_or(u8::MAX);
        for (slot, operand) in access.registers.iter_mut().zip(elements) {
            *slot = self.source(operand, access.register_bytes)?;
        }
        self.push_access(Kind::Store, form.form.class, access, [NONE; 4]);
        Ok(())
    }

    pub(super) fn atomic(&mut self, form: &Matched, atomic: AtomicOp, has_result: bool) -> Result<(), PtxError> {
        let sources = if atomic == AtomicOp::CompareAndSwap { 2 } else { 1 };
        let first = usize::from(has_result);
        self.memory_operands(form, first + 1 + sources)?;
        let operands = self.expect_operands(0..=5)?;
        let mut access = self.access(form, &operands[first], form.last())?;
        if !matches!(access.space, Space::Generic | Space::Global | Space::Shared) {
            return Err(self.error("an atomic outside global and shared memory"));
        }
        access.atomic = Some(atomic);
        access.strong = true;
        let bytes = access.register_bytes;
        for (slot, operand) in access.operands.iter_mut().zip(&operands[first + 1..=first + sources]) {
            *slot = self.source(operand, bytes)?;
        }
        if has_result {
            access.registers[0] = self.optional_result(&operands[0], bytes)?;
        }
        self.push_access(Kind::Atomic, form.form.class, access, [NONE; 4]);
        Ok(())
    }

    pub(super) fn copy_async(&mut self, form: &Matched) -> Result<(), PtxError> {
        let hint = usize::from(form.has("L2::cache_hint"));
        let operands = self.expect_operands(3 + hint..=4 + hint)?;
        let bytes = match operands[2] {
            Operand::Integer(bytes @ (4 | 8 | 16)) if bytes == 16 || form.has("ca") => bytes,
            _ => return Err(self.error("a size of copy that is not 4, 8 or 16 (with .cg: 16),")),
        };
        let (space, base, offset) = self.address(&operands[0], Space::Shared)?;
        let (_, source, source_offset) = self.address(&operands[1], Space::Global)?;
        let size = if operands.len() > 3 + hint { self.source(&operands[3], 4)? } else { NONE };
        let access = Access {
            space,
            base,
            offset,
            source,
            source_offset,
            element_bytes: u8::try_from(bytes).unwrap_or(16),
            elements: 1,
            number: Number::Bits,
            register_bytes: 4,
            registers: [NONE; 8],
            operands: [NONE; 2],
            atomic: None,
            strong: false,
            releases: None,
        };
        self.push_access(Kind::CopyAsync, form.form.class, access, [NONE, NONE, size, NONE]);
        Ok(())
    }

    /// A generic address is the address within a space plus the start of the space's window; global memory and constant
    /// variables are addressed alike both ways.
    pub(super) fn cvta(&mut self, form: &Matched) -> Result<(), PtxError> {
        let operands = self.expect_operands(2..=2)?;
        let window = if form.has("shared") || form.has("shared::cta") {
            SHARED_BASE
        } else if form.has("local") || (form.has("param") && !self.of.function.is_entry) {
            LOCAL_BASE
        } else if form.has("param") {
            PARAM_BASE
        } else {
            0
        };
        let a = self.source(&operands[1], 8)?;
        let (row, b) = if window == 0 {
            (self.row("mov.b64")?, NONE)
        } else {
            let row = self.row(if form.has("to") { "sub.u64" } else { "add.u64" })?;
            (row, self.constant(Constant::Bits64(window)))
        };
        let d = self.result(&operands[0], 8)?;
        self.lanes(row, [d, NONE], [a, b, NONE, NONE]);
        Ok(())
    }

    pub(super) fn policy(&mut self) -> Result<(), PtxError> {
        let operands = self.expect_operands(1..=4)?;
        let row = self.row("mov.b64")?;
        let zero = self.constant(Constant::Bits64(0));
        let d = self.result(&operands[0], 8)?;
        self.lanes(row, [d, NONE], [zero, NONE, NONE, NONE]);
        Ok(())
    }
}
