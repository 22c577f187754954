//! Function bodies: scopes, statements, operands.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::variables::index;
use super::{Parser, PtxError, Token};
use crate::ptx::ast::{Base, Instruction, LabelId, Operand, Register, RegisterId, Scope, Special, Type, VariableId};

/// Scopes that are open at once: far above what a compiler nests, and it bounds the work of a look-up.
const MOST_SCOPES: usize = 64;

/// What a name of a function's body stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name {
    Register(RegisterId),
    Variable(Scope, VariableId),
    Label(LabelId),
    Targets(u32),
    Prototype,
}

/// The open scopes, the innermost last.
#[derive(Default)]
pub(super) struct Scopes<'a>(Vec<NameScope<'a>>);

#[derive(Default)]
struct NameScope<'a> {
    names: FxHashMap<&'a str, Name>,
    ranges: Vec<Range<'a>>,
}

/// `.reg .b32 %r<12>`: registers, each of which comes to be when it is first named.
struct Range<'a> {
    prefix: &'a str,
    count: u32,
    kind: Type,
    /// By number, as far as they were named about in turn; those far ahead are among the scope's names, so that a few
    /// names never cost much.
    registers: Vec<Option<RegisterId>>,
}

/// How far ahead of all registers that were named before a number may be.
const AHEAD: usize = 64;

impl Scopes<'_> {
    pub(super) fn open(&mut self) {
        self.0.push(NameScope::default());
    }
}

/// `%r12` as `%r` and 12; a number is written without leading zeros.
fn split_number(name: &str) -> Option<(&str, u32)> {
    let digits = name.len() - name.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (prefix, number) = name.split_at(digits);
    if number.len() > 1 && number.starts_with('0') { None } else { Some((prefix, number.parse().ok()?)) }
}

/// Where a piece of the text stands in it.
fn place_in(source: &str, piece: &str) -> std::ops::Range<u32> {
    let start = u32::try_from(piece.as_ptr().addr() - source.as_ptr().addr()).unwrap_or(u32::MAX);
    start..start.saturating_add(u32::try_from(piece.len()).unwrap_or(0))
}

impl<'a> Parser<'a> {
    pub(super) fn declare(&mut self, name: &'a str, meaning: Name, line: u32) -> Result<(), PtxError> {
        let Some(scope) = self.scopes.0.last_mut() else { return Ok(()) };
        if scope.names.insert(name, meaning).is_some() {
            return Err(self.error_at(line, format!("{name} declared twice in one scope")));
        }
        Ok(())
    }

    fn lookup(&mut self, name: &'a str) -> Option<Name> {
        let numbered = split_number(name);
        for scope in self.scopes.0.iter_mut().rev() {
            // Most names are registers of a range, and need no hash.
            let range = numbered.and_then(|(prefix, number)| {
                let range = scope.ranges.iter_mut().find(|range| range.prefix == prefix && number < range.count)?;
                Some((range, number))
            });
            if let Some((range, number)) = &range
                && let Some(&Some(id)) = range.registers.get(*number as usize)
            {
                return Some(Name::Register(id));
            }
            if let Some(&meaning) = scope.names.get(name) {
                return Some(meaning);
            }
            if let Some((range, number)) = range {
                let id = index(&self.function.registers);
                self.function.registers.push(Register { name: place_in(self.source, name), kind: range.kind });
                let number = number as usize;
                if number < 2 * self.function.registers.len() + AHEAD {
                    range.registers.resize(range.registers.len().max(number + 1), None);
                    range.registers[number] = Some(id);
                } else {
                    scope.names.insert(name, Name::Register(id));
                }
                return Some(Name::Register(id));
            }
        }
        None
    }

    /// From the opening brace to the closing one.
    pub(super) fn body(&mut self) -> Result<(), PtxError> {
        let depth = self.scopes.0.len();
        self.open_scope()?;
        while self.scopes.0.len() > depth {
            self.statement()?;
        }
        // A name and a colon within another statement look like a label.
        if self.function.labels.contains(&u32::MAX) {
            return Err(self.error_at(self.function.line, format!("{} has a label in no place", self.function.name)));
        }
        Ok(())
    }

    fn open_scope(&mut self) -> Result<(), PtxError> {
        if self.scopes.0.len() >= MOST_SCOPES {
            return Err(self.error(format!("more than {MOST_SCOPES} scopes inside each other")));
        }
        let labels = self.labels.remove(&self.at).unwrap_or_default();
        self.mark(b'{')?;
        self.scopes.open();
        for at in labels {
            let Token::Word(name) = self.lexemes[at].token(self.source) else { continue };
            let meaning = match self.lexemes.get(at + 2).map(|lexeme| lexeme.token(self.source)) {
                Some(Token::Directive(".branchtargets" | ".calltargets")) => {
                    self.function.branch_targets.push(Vec::new());
                    Name::Targets(index(&self.function.branch_targets) - 1)
                }
                Some(Token::Directive(".callprototype")) => Name::Prototype,
                _ => {
                    self.function.labels.push(u32::MAX);
                    Name::Label(index(&self.function.labels) - 1)
                }
            };
            self.declare(name, meaning, self.lexemes[at].line)?;
        }
        Ok(())
    }

    fn statement(&mut self) -> Result<(), PtxError> {
        match self.peek() {
            Token::Mark(b'{') => self.open_scope(),
            Token::Mark(b'}') => {
                self.at += 1;
                self.scopes.0.pop();
                Ok(())
            }
            Token::Mark(b';') => {
                self.at += 1;
                Ok(())
            }
            Token::Location(line) => self.location(line),
            Token::Directive(name) => match name {
                ".reg" => self.registers(),
                ".local" | ".shared" | ".param" | ".global" | ".const" => self.function_variables(),
                ".pragma" => self.pragma(),
                _ => Err(self.error(format!("unknown directive {name}"))),
            },
            Token::Word(name) if self.peek_after() == Token::Mark(b':') => {
                self.at += 2;
                self.label(name)
            }
            Token::Word(_) | Token::Mark(b'@') => self.instruction(),
            _ => Err(self.expected("a statement")),
        }
    }

    fn registers(&mut self) -> Result<(), PtxError> {
        self.at += 1;
        let Token::Directive(name) = self.peek() else { return Err(self.expected("a register's type")) };
        let Some(kind) = Type::named(&name[1..]) else {
            return Err(self.error(format!("unknown register type {name}")));
        };
        self.at += 1;
        loop {
            let line = self.line();
            let name = self.word("a register's name")?;
            if self.take_mark(b'<') {
                let count = self.count("a count of registers")?;
                self.mark(b'>')?;
                if let Some(scope) = self.scopes.0.last_mut() {
                    scope.ranges.push(Range { prefix: name, count, kind, registers: Vec::new() });
                }
            } else {
                self.declare(name, Name::Register(index(&self.function.registers)), line)?;
                self.function.registers.push(Register { name: place_in(self.source, name), kind });
            }
            if !self.take_mark(b',') {
                break;
            }
        }
        self.mark(b';')
    }

    fn label(&mut self, name: &'a str) -> Result<(), PtxError> {
        match self.lookup(name) {
            Some(Name::Label(id)) => {
                self.function.labels[id as usize] = index(&self.function.instructions);
                Ok(())
            }
            Some(Name::Targets(id)) => {
                if !self.take_directive(".branchtargets") {
                    return Err(self.error(".calltargets is not supported"));
                }
                let mut targets = Vec::new();
                loop {
                    let target = self.word("a label")?;
                    match self.lookup(target) {
                        Some(Name::Label(label)) => targets.push(label),
                        _ => return Err(self.error(format!("unknown label {target}"))),
                    }
                    if !self.take_mark(b',') {
                        break;
                    }
                }
                self.function.branch_targets[id as usize] = targets;
                self.mark(b';')
            }
            _ => {
                // A prototype: the arguments of the call say the same.
                while !matches!(self.peek(), Token::Mark(b';') | Token::End) {
                    self.at += 1;
                }
                self.mark(b';')
            }
        }
    }

    fn instruction(&mut self) -> Result<(), PtxError> {
        let line = self.line();
        let guard = if self.take_mark(b'@') {
            let negated = self.take_mark(b'!');
            Some((self.register()?, negated))
        } else {
            None
        };
        let word = self.word("an opcode")?;
        let opcode = Arc::clone(self.opcodes.entry(word).or_insert_with(|| Arc::from(word)));
        let mut operands = SmallVec::new();
        if self.peek() != Token::Mark(b';') {
            loop {
                operands.push(self.operand()?);
                if !self.take_mark(b',') {
                    break;
                }
            }
        }
        self.mark(b';')?;
        let location = self.debug.current;
        self.function.instructions.push(Instruction { guard, opcode, operands, line, location });
        Ok(())
    }

    fn register(&mut self) -> Result<RegisterId, PtxError> {
        let name = self.word("a register")?;
        match self.lookup(name) {
            Some(Name::Register(id)) => Ok(id),
            _ => Err(self.error(format!("unknown register {name}"))),
        }
    }

    fn operand(&mut self) -> Result<Operand, PtxError> {
        match self.peek() {
            Token::Mark(b'{') => {
                self.at += 1;
                Ok(Operand::Vector(self.operands_until(b'}')?))
            }
            Token::Mark(b'(') => {
                self.at += 1;
                Ok(Operand::List(self.operands_until(b')')?))
            }
            Token::Mark(b'[') => {
                self.at += 1;
                self.memory()
            }
            _ => {
                let first = self.plain_operand()?;
                if self.take_mark(b'|') {
                    return Ok(Operand::Pair(Box::new(first), Box::new(self.plain_operand()?)));
                }
                Ok(first)
            }
        }
    }

    fn operands_until(&mut self, end: u8) -> Result<Vec<Operand>, PtxError> {
        let mut operands = Vec::new();
        while self.peek() != Token::Mark(end) {
            operands.push(self.plain_operand()?);
            if !self.take_mark(b',') {
                break;
            }
        }
        self.mark(end)?;
        Ok(operands)
    }

    /// What has no operands inside.
    fn plain_operand(&mut self) -> Result<Operand, PtxError> {
        match self.peek() {
            Token::Mark(b'!') => {
                self.at += 1;
                Ok(Operand::NotRegister(self.register()?))
            }
            Token::Mark(b'-') => {
                self.at += 1;
                match self.peek() {
                    Token::Integer(value) => {
                        self.at += 1;
                        Ok(Operand::Integer(value.wrapping_neg().cast_signed()))
                    }
                    Token::F64(bits) => {
                        self.at += 1;
                        Ok(Operand::F64((-f64::from_bits(bits)).to_bits()))
                    }
                    _ => Err(self.expected("a number")),
                }
            }
            Token::Integer(value) => {
                self.at += 1;
                Ok(Operand::Integer(value.cast_signed()))
            }
            Token::F32(bits) => {
                self.at += 1;
                Ok(Operand::F32(bits))
            }
            Token::F64(bits) => {
                self.at += 1;
                Ok(Operand::F64(bits))
            }
            Token::Word("_") => {
                self.at += 1;
                Ok(Operand::Sink)
            }
            Token::Word(name) => {
                self.at += 1;
                self.named(name)
            }
            _ => Err(self.expected("an operand")),
        }
    }

    fn named(&mut self, name: &'a str) -> Result<Operand, PtxError> {
        let meaning = self.lookup(name);
        Ok(match meaning {
            Some(Name::Register(id)) => Operand::Register(id),
            Some(Name::Variable(scope, id)) => Operand::Variable { scope, id, offset: self.offset()? },
            Some(Name::Label(id)) => Operand::Label(id),
            Some(Name::Targets(id)) => Operand::Targets(id),
            Some(Name::Prototype) => Operand::Prototype,
            None => {
                if let Some(special) = special(name) {
                    Operand::Special(special)
                } else if let Some(&id) = self.variables.get(name) {
                    Operand::Variable { scope: Scope::Module, id, offset: self.offset()? }
                } else if let Some(&id) = self.functions.get(name) {
                    Operand::Function(Arc::clone(&self.module.functions[id].name))
                } else {
                    self.at -= 1;
                    return Err(self.error(format!("unknown name {name}")));
                }
            }
        })
    }

    /// After the bracket: `%rd1+-4]`, `p+8]`, `%rd + 0 ]`, `1024]`.
    fn memory(&mut self) -> Result<Operand, PtxError> {
        let line = self.line();
        let base = match self.plain_operand()? {
            Operand::Register(id) => Operand::Memory { base: Base::Register(id), offset: self.offset()? },
            Operand::Variable { scope, id, offset } => Operand::Memory { base: Base::Variable { scope, id }, offset },
            Operand::Integer(address) => Operand::Memory { base: Base::None, offset: address },
            _ => return Err(self.error_at(line, "an address is a register, a variable or a number")),
        };
        self.mark(b']')?;
        Ok(base)
    }
}

/// `%tid.x` and the like.
fn special(name: &str) -> Option<Special> {
    if let Some((base, axis)) = name.rsplit_once('.') {
        let axis = match axis {
            "x" => 0,
            "y" => 1,
            "z" => 2,
            _ => return None,
        };
        return Some(match base {
            "%tid" => Special::Tid(axis),
            "%ntid" => Special::Ntid(axis),
            "%ctaid" => Special::Ctaid(axis),
            "%nctaid" => Special::Nctaid(axis),
            _ => return None,
        });
    }
    Some(match name {
        "%laneid" => Special::LaneId,
        "%warpid" => Special::WarpId,
        "%nwarpid" => Special::NwarpId,
        "%smid" => Special::SmId,
        "%nsmid" => Special::NsmId,
        "%gridid" => Special::GridId,
        "%lanemask_eq" => Special::LanemaskEq,
        "%lanemask_le" => Special::LanemaskLe,
        "%lanemask_lt" => Special::LanemaskLt,
        "%lanemask_ge" => Special::LanemaskGe,
        "%lanemask_gt" => Special::LanemaskGt,
        "%clock" => Special::Clock,
        "%clock_hi" => Special::ClockHi,
        "%clock64" => Special::Clock64,
        "%globaltimer" => Special::GlobalTimer,
        "%globaltimer_lo" => Special::GlobalTimerLo,
        "%globaltimer_hi" => Special::GlobalTimerHi,
        "%dynamic_smem_size" => Special::DynamicSmemSize,
        "%total_smem_size" => Special::TotalSmemSize,
        "WARP_SZ" => Special::WarpSize,
        _ => {
            let number = name.strip_prefix("%envreg")?.parse().ok()?;
            if number < 32 { Special::EnvReg(number) } else { return None }
        }
    })
}
