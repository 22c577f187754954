//! Operations from instructions: operands to slots, constants, guards.

use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::lanes::Shape;
use super::layout::Layout;
use super::{Constants, Specials};
use crate::inspect::{Class, FloatType, flops};
use crate::isa::forms::{self, Build, Matched};
use crate::isa::{self, Row, refused};
use crate::numerics::Modes;
use crate::program::slots::{Assignment, Step};
use crate::program::{Block, Constant, Kind, NONE, Op, Program, Site, Slot};
use crate::ptx::PtxError;
use crate::ptx::ast::{self, Body, Instruction, Module, Operand, RegisterId, Scope, Space, Special, Type};

/// What opcodes mean, by their text.
pub(super) type Forms = FxHashMap<Arc<str>, Opcode>;

/// All that is found out from an opcode's text, once.
#[derive(Clone)]
pub(super) struct Opcode {
    meaning: Meaning,
    flops: Option<(FloatType, u32)>,
}

#[derive(Clone)]
enum Meaning {
    Row(&'static Row, Shape),
    Form(Rc<Matched>),
    /// Found by its operands: packing, predicates in pairs.
    ByOperands,
}

/// How a run of instructions ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// On to the next in the text, for some lanes at least.
    Falls,
    /// Elsewhere, or nowhere.
    Leaves,
    /// The end of the text, which returns.
    End,
}

fn base(opcode: &str) -> &str {
    opcode.find('.').map_or(opcode, |end| &opcode[..end])
}

/// Whether the next instruction is a place where groups of lanes may meet.
pub(in crate::program) fn ends_run(opcode: &str) -> bool {
    matches!(base(opcode), "bra" | "brx" | "ret" | "exit" | "call")
}

/// How a run that ends with `last` goes on, and where it branches to.
pub(super) fn exit(body: &ast::Body, last: Option<&Instruction>, labels: &[usize]) -> (Exit, Vec<usize>) {
    let Some(last) = last else { return (Exit::Falls, Vec::new()) };
    let mut targets = Vec::new();
    let leaves = match base(&last.opcode) {
        "bra" => {
            if let Some(Operand::Label(label)) = body.operands(last).first() {
                targets.push(labels[*label as usize]);
            }
            true
        }
        "brx" => {
            if let Some(Operand::Targets(list)) = body.operands(last).get(1) {
                targets.extend(body.branch_targets[*list as usize].iter().map(|&label| labels[label as usize]));
                targets.sort_unstable();
                targets.dedup();
            }
            true
        }
        "ret" | "exit" => true,
        _ => false,
    };
    (if leaves && last.guard.is_none() { Exit::Leaves } else { Exit::Falls }, targets)
}

/// Bytes of a register: 1 for a predicate, at least 2 for anything else.
pub(super) fn register_bytes(kind: Type) -> u8 {
    match kind {
        Type::Pred => 1,
        other => other.bytes().max(2),
    }
}

/// For operations that are not lanes.
unsafe fn not_lanes(_: *mut u32, op: &Op) {
    unreachable!("{:?} is run by the executor itself", op.kind)
}

/// The function that is decoded, and what it is part of.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// Its functions without their bodies.
    pub(super) module: &'a Module,
    pub(super) layout: &'a Layout,
    pub(super) modes: Modes,
    /// Index into [`Module::functions`].
    pub(super) index: usize,
    pub(super) function: &'a ast::Function,
    pub(super) body: &'a Body,
}

/// Makes operations; the first time round only notes what they read and write.
pub(super) struct Builder<'a> {
    pub(super) of: Source<'a>,
    forms: &'a mut Forms,
    pub(super) program: &'a mut Program,
    /// The instruction that is being built, and its floating-point operations.
    pub(super) at: Option<&'a Instruction>,
    flops: Option<(FloatType, u32)>,
    /// Registers of the decoder's own come after the function's: their bytes.
    own: Vec<u8>,
    carry: Option<RegisterId>,
    /// What the next operation reads and writes.
    step: Step,
    steps: Vec<Step>,
    placed: Option<Placed>,
    constants: Vec<Constant>,
    constant_ids: FxHashMap<Constant, Slot>,
    specials: Vec<Special>,
    special_ids: FxHashMap<Special, Slot>,
    /// Slots of constants and special registers, from the end of the registers' on.
    extra_slots: u32,
}

/// Where everything lies, the second time round.
struct Placed {
    slots: Vec<Slot>,
    registers: u32,
    /// The first op of each block.
    block_ops: Vec<u32>,
    /// The block of each label.
    label_blocks: Vec<u32>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(of: Source<'a>, forms: &'a mut Forms, program: &'a mut Program) -> Self {
        Self {
            of,
            forms,
            program,
            at: None,
            flops: None,
            own: Vec::new(),
            carry: None,
            step: Step::default(),
            steps: Vec::new(),
            placed: None,
            constants: Vec::new(),
            constant_ids: FxHashMap::default(),
            specials: Vec::new(),
            special_ids: FxHashMap::default(),
            extra_slots: 0,
        }
    }

    pub(super) fn place(&mut self, given: Assignment, block_ops: Vec<u32>, label_blocks: Vec<u32>) {
        self.placed = Some(Placed { slots: given.slots, registers: given.count, block_ops, label_blocks });
    }

    /// Puts an entry into a table of the program and gives its index. The first time round there is nothing to put it in.
    pub(super) fn entry<T>(&mut self, table: fn(&mut Program) -> &mut Vec<T>, entry: T) -> u32 {
        if self.placed.is_none() {
            return 0;
        }
        let table = table(self.program);
        table.push(entry);
        u32::try_from(table.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn op_count(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    /// Makes room for about so many operations.
    pub(super) fn reserve(&mut self, operations: usize) {
        if self.placed.is_none() {
            self.steps.reserve(operations);
        } else {
            self.program.ops.reserve(operations);
            self.program.sites.reserve(operations);
            self.program.block_of.reserve(operations);
        }
    }

    /// What was noted so far: the steps, and the slots that each register is wide.
    pub(super) fn survey(&mut self) -> (Vec<Step>, Vec<u8>) {
        let declared = self.of.body.registers.iter().map(|register| register_bytes(register.kind));
        let widths = declared.chain(self.own.iter().copied()).map(|bytes| if bytes == 8 { 2 } else { 1 }).collect();
        (std::mem::take(&mut self.steps), widths)
    }

    pub(super) fn open_block(&mut self) {
        let first = u32::try_from(self.program.ops.len()).unwrap_or(u32::MAX);
        self.program.blocks.push(Block { first, classes: Vec::new(), flops: Vec::new() });
    }

    /// Constants, special registers, and the size of the window; `None` if that cannot be numbered.
    pub(super) fn finish(self) -> Option<(Constants, Specials, u32)> {
        let registers = self.placed.as_ref().map_or(0, |placed| placed.registers);
        let slots = registers + self.extra_slots;
        if slots >= u32::from(NONE) {
            return None;
        }
        let constants = self.constants.iter().map(|constant| (self.constant_ids[constant], *constant)).collect();
        let specials = self.specials.iter().map(|special| (self.special_ids[special], *special)).collect();
        Some((constants, specials, slots))
    }

    pub(super) fn error(&self, what: impl Into<String>) -> PtxError {
        PtxError::new(&self.of.module.text, self.at.map_or(self.of.function.line, |at| at.line), what)
    }

    pub(super) fn register_bytes(&self, id: RegisterId) -> u8 {
        let declared = self.of.body.registers.len();
        match (id as usize).checked_sub(declared) {
            None => register_bytes(self.of.body.registers[id as usize].kind),
            Some(own) => self.own[own],
        }
    }

    /// A register of the decoder's own.
    pub(super) fn temporary(&mut self, bytes: u8) -> RegisterId {
        self.own.push(bytes);
        u32::try_from(self.of.body.registers.len() + self.own.len() - 1).unwrap_or(u32::MAX)
    }

    /// The condition code register: a predicate.
    pub(super) fn carry(&mut self) -> RegisterId {
        if let Some(carry) = self.carry {
            return carry;
        }
        let carry = self.temporary(1);
        self.carry = Some(carry);
        carry
    }

    fn slot(&self, id: RegisterId) -> Slot {
        self.placed.as_ref().map_or(0, |placed| placed.slots[id as usize])
    }

    /// The slot of a register that the next operation reads.
    pub(super) fn read(&mut self, id: RegisterId) -> Slot {
        if self.placed.is_none() {
            self.step.uses.push(id);
        }
        self.slot(id)
    }

    /// The slot of a register that the next operation writes.
    pub(super) fn write(&mut self, id: RegisterId) -> Slot {
        if self.placed.is_none() {
            self.step.defs.push(id);
        }
        self.slot(id)
    }

    fn extra_slot(&mut self, bytes: u8) -> Slot {
        let slot = self.placed.as_ref().map_or(0, |placed| placed.registers) + self.extra_slots;
        self.extra_slots += if bytes == 8 { 2 } else { 1 };
        // One beyond the last number is noticed in `finish`.
        Slot::try_from(slot).unwrap_or(NONE)
    }

    pub(super) fn constant(&mut self, constant: Constant) -> Slot {
        if let Some(&slot) = self.constant_ids.get(&constant) {
            return slot;
        }
        let slot = self.extra_slot(if matches!(constant, Constant::Bits32(_)) { 4 } else { 8 });
        self.constants.push(constant);
        self.constant_ids.insert(constant, slot);
        slot
    }

    /// An integer of a register's width.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a literal is cut to its width")]
    pub(super) fn integer(&mut self, value: i64, bytes: u8) -> Slot {
        self.constant(match bytes {
            1 => Constant::Bits32(if value == 0 { 0 } else { u32::MAX }),
            2 => Constant::Bits32(u32::from(value as u16)),
            4 => Constant::Bits32(value as u32),
            _ => Constant::Bits64(value as u64),
        })
    }

    /// Appends an operation for the instruction, under its guard unless `always`.
    #[expect(clippy::too_many_arguments, reason = "these are the fields of an operation")]
    fn push(
        &mut self,
        kind: Kind,
        row: Option<&Row>,
        class: Option<Class>,
        d: [Slot; 2],
        s: [Slot; 4],
        extra: u32,
        always: bool,
    ) {
        let guard = self.at.and_then(|at| at.guard).filter(|_| !always);
        let slot = guard.map_or(NONE, |(register, _)| self.read(register));
        if self.placed.is_none() {
            let step = std::mem::take(&mut self.step);
            self.steps.push(Step { keeps: guard.is_some(), in_place: kind == Kind::Lanes, ..step });
            return;
        }
        let guard_negated = guard.is_some_and(|(_, negated)| negated);
        let op = match row {
            Some(row) => Op::lanes(row, isa::level(), d, s),
            None => Op { lanes: not_lanes, kind, guard_negated: false, guard: NONE, d, s, extra, wide: [false; 2] },
        };
        self.program.ops.push(Op { guard_negated, guard: slot, ..op });
        let (ptx_line, location) = self.at.map_or((self.of.function.line, None), |at| (at.line, at.location));
        self.program.sites.push(Site { ptx_line, location });
        let block = self.program.blocks.len() - 1;
        self.program.block_of.push(u32::try_from(block).unwrap_or(u32::MAX));
        if let Some(class) = class {
            self.program.blocks[block].count(class, self.flops);
        }
    }

    pub(super) fn op(&mut self, kind: Kind, class: Class, d: [Slot; 2], s: [Slot; 4], extra: u32) {
        self.push(kind, None, Some(class), d, s, extra, false);
    }

    /// A row as the instruction's own operation.
    pub(super) fn lanes(&mut self, row: &Row, d: [Slot; 2], s: [Slot; 4]) {
        self.push(Kind::Lanes, Some(row), Some(row.class), d, s, 0, false);
    }

    /// A row that helps the instruction: not counted, and `always` if it writes only the decoder's own registers.
    pub(super) fn helper(&mut self, row: &Row, d: Slot, s: Slot, always: bool) {
        self.push(Kind::Lanes, Some(row), None, [d, NONE], [s, NONE, NONE, NONE], 0, always);
    }

    /// The second row of an instruction that takes two.
    pub(super) fn helper_of_two(&mut self, row: &Row, d: Slot, s: [Slot; 4]) {
        self.push(Kind::Lanes, Some(row), None, [d, NONE], s, 0, false);
    }

    /// A special register into a register of the decoder's own.
    fn read_special(&mut self, special: Special, d: Slot) {
        let extra = self.entry(|program| &mut program.dynamic_specials, special);
        self.push(Kind::ReadSpecial, None, None, [d, NONE], [NONE; 4], extra, true);
    }

    pub(super) fn branch_to(&mut self, block: u32) {
        let target = self.placed.as_ref().map_or(0, |placed| placed.block_ops[block as usize]);
        self.push(Kind::Branch, None, None, [NONE; 2], [NONE; 4], target, true);
    }

    pub(super) fn implicit_return(&mut self) {
        self.at = None;
        self.flops = None;
        let kind = if self.of.function.is_entry { Kind::Exit } else { Kind::Return };
        self.push(kind, None, None, [NONE; 2], [NONE; 4], 0, true);
    }

    /// The first op at a label.
    pub(super) fn target(&self, label: ast::LabelId) -> u32 {
        self.placed.as_ref().map_or(0, |placed| placed.block_ops[placed.label_blocks[label as usize] as usize])
    }

    /// The named row of the tables, which the decoder itself needs.
    pub(super) fn row(&self, name: &str) -> Result<&'static Row, PtxError> {
        isa::row(name).ok_or_else(|| self.error(format!("no row {name} for the instruction")))
    }

    #[inline]
    pub(super) fn expect_bytes(&self, id: RegisterId, bytes: u8) -> Result<(), PtxError> {
        let has = self.register_bytes(id);
        if has == bytes { Ok(()) } else { Err(self.other_bytes(id, has, bytes)) }
    }

    #[cold]
    fn other_bytes(&self, id: RegisterId, has: u8, bytes: u8) -> PtxError {
        let name = self.of.body.registers.get(id as usize).map_or("a register", |it| self.of.module.name(it));
        self.error(format!("{name} has {}, expected {}", bits(has), bits(bytes)))
    }

    /// The slot of a source operand of `bytes` (1 for a predicate).
    pub(super) fn source(&mut self, operand: &Operand, bytes: u8) -> Result<Slot, PtxError> {
        match operand {
            Operand::Register(id) => {
                self.expect_bytes(*id, bytes)?;
                Ok(self.read(*id))
            }
            Operand::NotRegister(id) => {
                self.expect_bytes(*id, 1)?;
                if bytes != 1 {
                    return Err(self.error("a negated predicate where a value is expected"));
                }
                let not = self.row("not.pred")?;
                let temporary = self.temporary(1);
                self.before(|builder| {
                    let (s, d) = (builder.read(*id), builder.write(temporary));
                    builder.helper(not, d, s, true);
                });
                Ok(self.read(temporary))
            }
            Operand::Integer(value) => Ok(self.integer(*value, bytes)),
            Operand::F32(bits) if bytes == 4 => Ok(self.constant(Constant::Bits32(*bits))),
            Operand::F64(bits) if bytes == 8 => Ok(self.constant(Constant::Bits64(*bits))),
            #[expect(clippy::cast_possible_truncation, reason = "a decimal literal of a 32-bit operand")]
            Operand::F64(bits) if bytes == 4 => {
                Ok(self.constant(Constant::Bits32((f64::from_bits(*bits) as f32).to_bits())))
            }
            Operand::F32(_) | Operand::F64(_) => Err(self.error(format!("a float where {} are expected", bits(bytes)))),
            Operand::Special(special) => self.special(*special, bytes),
            Operand::Variable { scope, id, offset } => self.address_of(*scope, *id, *offset, bytes),
            Operand::Function(name) => {
                let id = self.of.layout.function_ids.get(name).copied();
                let Some(id) = id else { return Err(self.error(format!("function {name} has no body"))) };
                if bytes == 8 {
                    Ok(self.constant(Constant::Function(id)))
                } else {
                    Err(self.error("an address is 64 bits"))
                }
            }
            other => Err(self.error(format!("{} where a value is expected", describe(other)))),
        }
    }

    /// Runs what appends an operation of its own before the one that is being put together.
    pub(super) fn before(&mut self, append: impl FnOnce(&mut Self)) {
        let step = std::mem::take(&mut self.step);
        append(self);
        self.step = step;
    }

    fn special(&mut self, special: Special, bytes: u8) -> Result<Slot, PtxError> {
        let wide = matches!(special, Special::Clock64 | Special::GlobalTimer | Special::GridId);
        let dynamic = matches!(
            special,
            Special::Clock
                | Special::ClockHi
                | Special::Clock64
                | Special::GlobalTimer
                | Special::GlobalTimerLo
                | Special::GlobalTimerHi
        );
        if special == Special::WarpSize {
            return Ok(self.integer(32, bytes));
        }
        if bytes == 1 || (bytes == 8 && !wide) {
            return Err(self.error(format!("a special register of {}, expected {}", bits(4), bits(bytes))));
        }
        let has = if wide { 8 } else { 4 };
        if !dynamic {
            let slot = if let Some(&slot) = self.special_ids.get(&special) {
                slot
            } else {
                let slot = self.extra_slot(has);
                self.specials.push(special);
                self.special_ids.insert(special, slot);
                slot
            };
            if wide && bytes != 8 {
                let narrow = self.row("cvt.u32.u64")?;
                let temporary = self.temporary(4);
                self.before(|builder| {
                    let d = builder.write(temporary);
                    builder.helper(narrow, d, slot, true);
                });
                return Ok(self.read(temporary));
            }
            return Ok(slot);
        }
        let temporary = self.temporary(has);
        self.before(|builder| {
            let d = builder.write(temporary);
            builder.read_special(special, d);
        });
        if wide && bytes != 8 { self.narrowed(temporary) } else { Ok(self.read(temporary)) }
    }

    /// The low 32 bits of a 64-bit register.
    pub(super) fn narrowed(&mut self, id: RegisterId) -> Result<Slot, PtxError> {
        let narrow = self.row("cvt.u32.u64")?;
        let temporary = self.temporary(4);
        self.before(|builder| {
            let (s, d) = (builder.read(id), builder.write(temporary));
            builder.helper(narrow, d, s, true);
        });
        Ok(self.read(temporary))
    }

    /// A variable's address within its space, as a value.
    fn address_of(&mut self, scope: Scope, id: u32, offset: i64, bytes: u8) -> Result<Slot, PtxError> {
        if bytes != 4 && bytes != 8 {
            return Err(self.error(format!("an address where {} are expected", bits(bytes))));
        }
        let variable = self.variable(scope, id);
        let wide = |builder: &mut Self, constant| {
            if bytes == 8 { Ok(builder.constant(constant)) } else { Err(builder.error("an address is 64 bits")) }
        };
        match variable.space {
            Space::Shared => {
                let at = self.shared_offset(scope, id)?.cast_signed().wrapping_add(offset);
                Ok(self.integer(at, bytes))
            }
            Space::Global | Space::Const => match self.of.layout.variable_ids[id as usize] {
                Some(id) => wide(self, Constant::Variable(id, offset)),
                None => Err(self.error("a variable without a place")),
            },
            _ => {
                let at = self.frame_offset(scope, id).cast_signed().wrapping_add(offset);
                if scope == Scope::Parameter && self.of.function.is_entry {
                    Ok(self.integer(at, bytes))
                } else {
                    wide(self, Constant::Local(at.cast_unsigned()))
                }
            }
        }
    }

    pub(super) fn variable(&self, scope: Scope, id: u32) -> &'a ast::Variable {
        let list = match scope {
            Scope::Module => &self.of.module.variables,
            Scope::Function => &self.of.body.variables,
            Scope::Parameter => &self.of.function.params,
            Scope::Return => &self.of.function.returns,
        };
        &list[id as usize]
    }

    pub(super) fn shared_offset(&self, scope: Scope, id: u32) -> Result<u64, PtxError> {
        self.of
            .layout
            .shared_offset(self.of.module, self.of.index, scope, id)
            .ok_or_else(|| self.error("dynamic shared memory in a function whose kernels have it at different places"))
    }

    /// The offset of a parameter in its buffer, or of a variable in the local frame.
    pub(super) fn frame_offset(&self, scope: Scope, id: u32) -> u64 {
        let frame = &self.of.layout.frames[self.of.index];
        let list = match scope {
            Scope::Parameter => &frame.params,
            Scope::Return => &frame.returns,
            _ => &frame.variables,
        };
        u64::from(list[id as usize])
    }

    /// A result's register of exactly `bytes`, or one that nothing reads for `_`.
    pub(super) fn result(&mut self, operand: &Operand, bytes: u8) -> Result<Slot, PtxError> {
        match operand {
            Operand::Register(id) => {
                self.expect_bytes(*id, bytes)?;
                Ok(self.write(*id))
            }
            Operand::Sink => {
                let unread = self.temporary(bytes);
                Ok(self.write(unread))
            }
            other => Err(self.error(format!("{} where a result is expected", describe(other)))),
        }
    }

    /// A result that may be absent.
    pub(super) fn optional_result(&mut self, operand: &Operand, bytes: u8) -> Result<Slot, PtxError> {
        if *operand == Operand::Sink { Ok(NONE) } else { self.result(operand, bytes) }
    }

    #[inline]
    pub(super) fn expect_operands(&self, counts: RangeInclusive<usize>) -> Result<&'a [Operand], PtxError> {
        let operands = self.at.map_or(&[][..], |at| self.of.body.operands(at));
        if counts.contains(&operands.len()) { Ok(operands) } else { Err(self.other_count(operands.len(), &counts)) }
    }

    #[cold]
    fn other_count(&self, count: usize, counts: &RangeInclusive<usize>) -> PtxError {
        let expected = if counts.start() == counts.end() {
            counts.start().to_string()
        } else {
            format!("{} to {}", counts.start(), counts.end())
        };
        self.error(format!("{count} operands, expected {expected},"))
    }

    pub(super) fn instruction(&mut self, instruction: &'a Instruction) -> Result<(), PtxError> {
        self.at = Some(instruction);
        let opcode = &*instruction.opcode;
        let Opcode { meaning, flops } = if let Some(known) = self.forms.get(opcode) {
            known.clone()
        } else {
            let found = Opcode { meaning: self.meaning(opcode)?, flops: flops(opcode) };
            self.forms.insert(Arc::clone(&instruction.opcode), found.clone());
            found
        };
        self.flops = flops;
        match meaning {
            Meaning::Row(row, shape) => self.row_instruction(opcode, row, shape),
            Meaning::ByOperands => self.by_operands(opcode),
            Meaning::Form(form) => self.form_instruction(&form),
        }
    }

    fn meaning(&self, opcode: &str) -> Result<Meaning, PtxError> {
        if let Some(row) = isa::row(opcode) {
            return Ok(Meaning::Row(row, Shape::of(opcode, self.of.modes)));
        }
        if let Some(form) = forms::form(opcode) {
            return Ok(Meaning::Form(Rc::new(form)));
        }
        if opcode.starts_with("lop3.or.") || opcode.starts_with("lop3.and.") {
            return Ok(Meaning::ByOperands);
        }
        if let Some(reason) = refused::reason(opcode) {
            return Err(self.error(format!("{opcode} is refused: {reason}")));
        }
        let base = base(opcode);
        let known = forms::is_base(base)
            || isa::rows().any(|row| row.names.iter().any(|name| name.split('.').next() == Some(base)));
        Err(self.error(if known {
            format!("unknown form {opcode} of {base}")
        } else {
            format!("unknown opcode {opcode}")
        }))
    }

    fn form_instruction(&mut self, form: &Matched) -> Result<(), PtxError> {
        let class = form.form.class;
        match form.form.build {
            Build::Load => self.load(form),
            Build::Store => self.store(form),
            Build::Atomic(atomic, has_result) => self.atomic(form, atomic, has_result),
            Build::CopyAsync => self.copy_async(form),
            Build::Cvta => self.cvta(form),
            Build::Policy => self.policy(),
            Build::Product { wmma } => self.product(form, wmma),
            Build::Matrix { stores } => self.matrix_access(form, stores),
            Build::MoveMatrix => self.move_matrix(),
            Build::Fragment { stores } => self.fragment_access(form, stores),
            Build::Nop => {
                self.op(Kind::Nop, class, [NONE; 2], [NONE; 4], 0);
                Ok(())
            }
            _ => self.control_or_warp(form),
        }
    }
}

pub(super) fn bits(bytes: u8) -> String {
    if bytes == 1 { "a predicate".to_owned() } else { format!("{} bits", u32::from(bytes) * 8) }
}

pub(super) fn describe(operand: &Operand) -> &'static str {
    match operand {
        Operand::Register(_) => "a register",
        Operand::NotRegister(_) => "a negated predicate",
        Operand::Integer(_) | Operand::F32(_) | Operand::F64(_) => "a literal",
        Operand::Special(_) => "a special register",
        Operand::Vector(_) => "a vector",
        Operand::Pair(..) => "a pair",
        Operand::Memory { .. } => "an address in brackets",
        Operand::Variable { .. } => "a variable",
        Operand::Function(_) => "a function",
        Operand::Label(_) => "a label",
        Operand::Targets(_) => "a list of targets",
        Operand::Prototype => "a prototype",
        Operand::List(_) => "a list",
        Operand::Sink => "_",
    }
}
