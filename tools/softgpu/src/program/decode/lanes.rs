//! Rows: what a lane does alone, and the forms whose row depends on the operands.

use super::builder::{Builder, bits};
use crate::isa::{Row, approximate};
use crate::numerics::Modes;
use crate::numerics::approximate::Approximation;
use crate::program::{Constant, NONE, Slot};
use crate::ptx::PtxError;
use crate::ptx::ast::{Operand, RegisterId};

/// How the operands of an instruction are its row's.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// One for each.
    Plain,
    /// The carry is the last source.
    Carries,
    /// As [`Shape::Plain`], or two results.
    Compares,
    /// As [`Shape::Plain`], or a vector on one side.
    Moves,
    /// Operands may be wider.
    Converts,
    /// By this row in the place of the opcode's own.
    Moved(&'static Row),
}

impl Shape {
    pub(super) fn of(opcode: &str, modes: Modes) -> Self {
        if modes.approximation != Approximation::Nearest
            && let Some(moved) = approximate::row(opcode)
        {
            return Self::Moved(moved);
        }
        match opcode.split('.').next() {
            Some("setp") => Self::Compares,
            Some("mov") => Self::Moves,
            Some("cvt") => Self::Converts,
            Some("addc" | "subc" | "madc") => Self::Carries,
            _ => Self::Plain,
        }
    }
}

impl Builder<'_> {
    pub(super) fn row_instruction(&mut self, opcode: &str, row: &'static Row, shape: Shape) -> Result<(), PtxError> {
        let operands = self.expect_operands(0..=6)?;
        match shape {
            Shape::Moved(moved) => self.moved(moved),
            Shape::Compares if matches!(operands.first(), Some(Operand::Pair(..))) && row.results.len() == 1 => {
                self.setp_pair(opcode)
            }
            Shape::Moves if matches!(operands.first(), Some(Operand::Vector(_))) => self.unpack(opcode),
            Shape::Moves if matches!(operands.get(1), Some(Operand::Vector(_))) => self.pack(opcode),
            Shape::Converts => self.convert(opcode, row),
            Shape::Carries => self.plain(opcode, row, true),
            Shape::Plain | Shape::Compares | Shape::Moves => self.plain(opcode, row, false),
        }
    }

    /// Results, then sources, in the order of the row.
    fn plain(&mut self, opcode: &str, row: &'static Row, carry_in: bool) -> Result<(), PtxError> {
        let carry_out = row.results.len() == 2 && opcode.split('.').any(|modifier| modifier == "cc");
        let count = 1 + row.sources.len() - usize::from(carry_in);
        let operands = self.expect_operands(count..=count)?;
        let mut s = [NONE; 4];
        for (slot, (operand, &bytes)) in s.iter_mut().zip(operands[1..].iter().zip(row.sources)) {
            *slot = self.source(operand, bytes)?;
        }
        if carry_in {
            let carry = self.carry();
            s[row.sources.len() - 1] = self.read(carry);
        }
        let d = if carry_out {
            let carry = self.carry();
            [self.result(&operands[0], row.results[0])?, self.write(carry)]
        } else {
            self.results(&operands[0], row)?
        };
        self.lanes(row, d, s);
        Ok(())
    }

    /// An approximate function, its result moved: how is the row's last source.
    fn moved(&mut self, row: &'static Row) -> Result<(), PtxError> {
        let count = row.sources.len();
        let operands = self.expect_operands(count..=count)?;
        let mut s = [NONE; 4];
        for (slot, (operand, &bytes)) in s.iter_mut().zip(operands[1..].iter().zip(row.sources)) {
            *slot = self.source(operand, bytes)?;
        }
        s[count - 1] = self.constant(Constant::Bits32(self.of.modes.approximation.code()));
        let d = self.results(&operands[0], row)?;
        self.lanes(row, d, s);
        Ok(())
    }

    /// The results of a row: `d`, or `p|q` where it has two.
    fn results(&mut self, operand: &Operand, row: &Row) -> Result<[Slot; 2], PtxError> {
        match (operand, row.results) {
            (Operand::Pair(first, second), [a, b]) => {
                Ok([self.optional_result(first, *a)?, self.optional_result(second, *b)?])
            }
            (Operand::Pair(..), _) => Err(self.error("two results of an instruction that has one")),
            (single, [a, ..]) => Ok([self.result(single, *a)?, NONE]),
            (_, []) => Ok([NONE; 2]),
        }
    }

    /// `setp.lt.s32 p|q, a, b` is `setp.lt.and.s32 p|q, a, b, true`.
    fn setp_pair(&mut self, opcode: &str) -> Result<(), PtxError> {
        let operands = self.expect_operands(3..=3)?;
        let mut parts: Vec<&str> = opcode.split('.').collect();
        parts.insert(2.min(parts.len()), "and");
        let row = self.row(&parts.join("."))?;
        let (&[a_bytes, b_bytes, _], [_, _]) = (row.sources, row.results) else {
            return Err(self.error(format!("unknown form {opcode} with two results")));
        };
        let a = self.source(&operands[1], a_bytes)?;
        let b = self.source(&operands[2], b_bytes)?;
        let yes = self.constant(Constant::Bits32(u32::MAX));
        let d = self.results(&operands[0], row)?;
        self.lanes(row, d, [a, b, yes, NONE]);
        Ok(())
    }

    /// Bits of a `mov`'s type.
    fn mov_bits(opcode: &str) -> &str {
        opcode.trim_start_matches(|c: char| !c.is_ascii_digit())
    }

    /// `mov.b32 d, {a, b}`: the first is the lowest part.
    fn pack(&mut self, opcode: &str) -> Result<(), PtxError> {
        let operands = self.expect_operands(2..=2)?;
        let Operand::Vector(elements) = &operands[1] else { return Ok(()) };
        let row = self.row(&format!("mov.b{}.pack{}", Self::mov_bits(opcode), elements.len()))?;
        let mut s = [NONE; 4];
        for (slot, (operand, &bytes)) in s.iter_mut().zip(elements.iter().zip(row.sources)) {
            *slot = self.source(operand, bytes)?;
        }
        let d = self.result(&operands[0], row.results[0])?;
        self.lanes(row, [d, NONE], s);
        Ok(())
    }

    /// `mov.b64 {a, b}, s`, and four parts by two rows.
    fn unpack(&mut self, opcode: &str) -> Result<(), PtxError> {
        let operands = self.expect_operands(2..=2)?;
        let Operand::Vector(elements) = &operands[0] else { return Ok(()) };
        let name = format!("mov.b{}.unpack{}", Self::mov_bits(opcode), elements.len());
        let halves: &[&str] = if elements.len() == 4 { &[".low", ".high"] } else { &[""] };
        // Both rows of four parts read the source, so that a part must not overwrite it: ptxas forbids that anyway.
        for (half, parts) in halves.iter().zip(elements.chunks(2)) {
            let row = self.row(&format!("{name}{half}"))?;
            let ([first, second], &[a, b], &[bytes]) = (parts, row.results, row.sources) else {
                return Err(self.error(format!("unknown form {opcode} of mov with {} parts", elements.len())));
            };
            let s = self.source(&operands[1], bytes)?;
            let d = [self.optional_result(first, a)?, self.optional_result(second, b)?];
            self.lanes(row, d, [s, NONE, NONE, NONE]);
        }
        Ok(())
    }

    /// cvt's operands may be wider than its types: a source is cut, a result extended as its type says.
    fn convert(&mut self, opcode: &str, row: &'static Row) -> Result<(), PtxError> {
        let count = 1 + row.sources.len();
        let operands = self.expect_operands(count..=count)?;
        let mut s = [NONE; 4];
        for (slot, (operand, &bytes)) in s.iter_mut().zip(operands[1..].iter().zip(row.sources)) {
            *slot = match operand {
                Operand::Register(id) => self.cut(*id, bytes)?,
                other => self.source(other, bytes)?,
            };
        }
        let result_bytes = row.results[0];
        let Operand::Register(id) = operands[0] else {
            let d = self.result(&operands[0], result_bytes)?;
            self.lanes(row, [d, NONE], s);
            return Ok(());
        };
        // The type of the result stands before those of the sources.
        let to = opcode.rsplit('.').nth(row.sources.len().min(1)).unwrap_or("");
        let bytes = self.register_bytes(id);
        if bytes == result_bytes && to != "s8" {
            let d = self.write(id);
            self.lanes(row, [d, NONE], s);
            return Ok(());
        }
        let extends = matches!(to, "u8" | "s8" | "u16" | "s16" | "u32" | "s32") && bytes >= result_bytes && bytes > 1;
        if !extends {
            self.expect_bytes(id, result_bytes)?;
        }
        let extension = self.row(&format!("cvt.{}{}.{to}", &to[..1], u32::from(bytes) * 8))?;
        let narrow = self.temporary(result_bytes);
        let d = self.write(narrow);
        self.lanes(row, [d, NONE], s);
        let (s, d) = (self.read(narrow), self.write(id));
        self.helper(extension, d, s, false);
        Ok(())
    }

    /// The low bits of a register, which are the low bits of its slot unless it takes two.
    fn cut(&mut self, id: RegisterId, bytes: u8) -> Result<Slot, PtxError> {
        match (self.register_bytes(id), bytes) {
            (8, 2 | 4) => self.narrowed(id),
            (4, 2) => Ok(self.read(id)),
            _ => {
                self.expect_bytes(id, bytes)?;
                Ok(self.read(id))
            }
        }
    }

    /// `lop3.or.b32 d|p, a, b, c, immLut, q`: the value, then the predicate of it.
    pub(super) fn by_operands(&mut self, opcode: &str) -> Result<(), PtxError> {
        let operands = self.expect_operands(6..=6)?;
        let (Operand::Pair(value, predicate), Some(boolean)) = (&operands[0], opcode.split('.').nth(1)) else {
            return Err(self.error(format!("{opcode} without d|p")));
        };
        if opcode.strip_prefix("lop3.").and_then(|rest| rest.strip_prefix(boolean)) != Some(".b32") {
            return Err(self.error(format!("unknown form {opcode} of lop3")));
        }
        let (combine, of) = (self.row("lop3.b32")?, self.row(&format!("lop3.{boolean}.pred"))?);
        let mut s = [NONE; 4];
        for (slot, (operand, &bytes)) in s.iter_mut().zip(operands[1..5].iter().zip(combine.sources)) {
            *slot = self.source(operand, bytes)?;
        }
        let d = match &**value {
            Operand::Register(id) => {
                self.expect_bytes(*id, 4)?;
                *id
            }
            Operand::Sink => self.temporary(4),
            _ => return Err(self.error(format!("a result of {} is expected", bits(4)))),
        };
        let slot = self.write(d);
        self.lanes(combine, [slot, NONE], s);
        let s = [self.read(d), self.source(&operands[5], 1)?, NONE, NONE];
        let p = self.result(predicate, 1)?;
        // One instruction: counted once.
        self.helper_of_two(of, p, s);
        Ok(())
    }
}
