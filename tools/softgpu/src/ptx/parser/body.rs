//! Function bodies: statements and operands. A body needs nothing of the others, so that they are read side by side.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::debug::Places;
use super::scopes::{Name, Scopes, place_in};
use super::tokens::Tokens;
use super::variables::index;
use super::{Outside, PtxError};
use crate::ptx::ast::{
    Base, Body, Function, Instruction, Operand, Register, RegisterId, Scope, Space, Special, Type, Variable,
};
use crate::ptx::lexer::Token;

/// Scopes that are open at once: far above what a compiler nests, and it bounds the work of a look-up.
const MOST_SCOPES: usize = 64;

/// Each opcode's one string.
pub(super) type Opcodes<'a> = FxHashMap<&'a str, Arc<str>>;

/// A body that is still to be read.
pub(super) struct Pending<'a> {
    /// At the opening brace.
    pub(super) tokens: Tokens<'a>,
    /// Index of the lexeme behind the body.
    pub(super) end: usize,
    /// What was read of the function before.
    pub(super) function: Function,
    /// Its index in [`Module::functions`](crate::ptx::ast::Module::functions).
    pub(super) index: usize,
    /// Its parameters and results.
    pub(super) scopes: Scopes<'a>,
    /// How many functions and variables of the module had been declared before: those it may name.
    pub(super) functions: usize,
    pub(super) variables: usize,
}

impl<'a> Pending<'a> {
    /// The function with its body, and the variables that outlive it; they are numbered from `statics` on.
    pub(super) fn read(
        self,
        outside: &Outside<'a>,
        opcodes: &mut Opcodes<'a>,
        statics: usize,
    ) -> Result<(usize, Function, Vec<Variable>), PtxError> {
        let Self { tokens, end, function, index, scopes, functions, variables } = self;
        // A statement takes eight lexemes or so; what turns out to be more is moved once.
        let statements = (end - tokens.at) / 8;
        let body = Body {
            instructions: Vec::with_capacity(statements),
            operands: Vec::with_capacity(3 * statements),
            ..Body::default()
        };
        let mut reader = Reader {
            tokens,
            outside,
            opcodes,
            scopes,
            function,
            body,
            functions,
            variables,
            places: Places::default(),
            first_static: statics,
            statics: Vec::new(),
        };
        reader.read()?;
        let Reader { function, mut body, places, statics, .. } = reader;
        body.locations = places.list;
        Ok((index, Function { body: Some(body), ..function }, statics))
    }
}

struct Reader<'a, 'o> {
    tokens: Tokens<'a>,
    outside: &'o Outside<'a>,
    opcodes: &'o mut Opcodes<'a>,
    scopes: Scopes<'a>,
    function: Function,
    body: Body,
    /// As in [`Pending`].
    functions: usize,
    variables: usize,
    places: Places,
    first_static: usize,
    statics: Vec<Variable>,
}

impl<'a> Reader<'a, '_> {
    fn declare(&mut self, name: &'a str, meaning: Name, line: u32) -> Result<(), PtxError> {
        self.scopes.declare(&self.tokens, name, meaning, line)
    }

    fn find(&mut self, name: &'a str) -> Option<Name> {
        self.scopes.find(self.tokens.source, name, &mut self.body.registers)
    }

    /// From the opening brace to the closing one.
    fn read(&mut self) -> Result<(), PtxError> {
        let depth = self.scopes.depth();
        self.open_scope()?;
        while self.scopes.depth() > depth {
            self.statement()?;
        }
        // A name and a colon within another statement look like a label.
        if self.body.labels.contains(&u32::MAX) {
            return Err(self
                .tokens
                .error_at(self.function.line, format!("{} has a label in no place", self.function.name)));
        }
        Ok(())
    }

    fn open_scope(&mut self) -> Result<(), PtxError> {
        if self.scopes.depth() >= MOST_SCOPES {
            return Err(self.tokens.error(format!("more than {MOST_SCOPES} scopes inside each other")));
        }
        let Tokens { source, lexed, at } = self.tokens;
        self.tokens.mark(b'{')?;
        self.scopes.open();
        for &at in lexed.labels.get(&at).map_or(&[][..], |labels| labels) {
            let Token::Word(name) = lexed.lexemes[at].token(source) else { continue };
            let meaning = match lexed.lexemes.get(at + 2).map(|lexeme| lexeme.token(source)) {
                Some(Token::Directive(".branchtargets" | ".calltargets")) => {
                    self.body.branch_targets.push(Vec::new());
                    Name::Targets(index(&self.body.branch_targets) - 1)
                }
                Some(Token::Directive(".callprototype")) => Name::Prototype,
                _ => {
                    self.body.labels.push(u32::MAX);
                    Name::Label(index(&self.body.labels) - 1)
                }
            };
            self.declare(name, meaning, lexed.lexemes[at].line)?;
        }
        Ok(())
    }

    fn statement(&mut self) -> Result<(), PtxError> {
        match self.tokens.peek() {
            Token::Mark(b'{') => self.open_scope(),
            Token::Mark(b'}') => {
                self.tokens.at += 1;
                self.scopes.close();
                Ok(())
            }
            Token::Mark(b';') => {
                self.tokens.at += 1;
                Ok(())
            }
            Token::Location(line) => self.places.enter(&mut self.tokens, &self.outside.debug, line),
            Token::Directive(name) => match name {
                ".reg" => self.registers(),
                ".local" | ".shared" | ".param" | ".global" | ".const" => self.function_variables(),
                ".pragma" => self.tokens.pragma(),
                _ => Err(self.tokens.error(format!("unknown directive {name}"))),
            },
            Token::Word(name) if self.tokens.has_mark_after(b':') => {
                self.tokens.at += 2;
                self.label(name)
            }
            Token::Word(_) | Token::Mark(b'@') => self.instruction(),
            _ => Err(self.tokens.expected("a statement")),
        }
    }

    fn registers(&mut self) -> Result<(), PtxError> {
        self.tokens.at += 1;
        let Token::Directive(name) = self.tokens.peek() else { return Err(self.tokens.expected("a register's type")) };
        let Some(kind) = Type::named(&name[1..]) else {
            return Err(self.tokens.error(format!("unknown register type {name}")));
        };
        self.tokens.at += 1;
        loop {
            let line = self.tokens.line();
            let name = self.tokens.word("a register's name")?;
            if self.tokens.take_mark(b'<') {
                let count = self.tokens.count("a count of registers")?;
                self.tokens.mark(b'>')?;
                self.scopes.declare_range(name, count, kind);
            } else {
                self.declare(name, Name::Register(index(&self.body.registers)), line)?;
                self.body.registers.push(Register { name: place_in(self.tokens.source, name), kind });
            }
            if !self.tokens.take_mark(b',') {
                break;
            }
        }
        self.tokens.mark(b';')
    }

    /// `.shared`, `.local`, `.param`, and also `.global` and `.const`, which outlive the function.
    fn function_variables(&mut self) -> Result<(), PtxError> {
        for (name, variable) in self.tokens.variables(false)? {
            let line = variable.line;
            let (scope, id, list) = if matches!(variable.space, Space::Global | Space::Const) {
                (Scope::Module, self.first_static + self.statics.len(), &mut self.statics)
            } else {
                (Scope::Function, self.body.variables.len(), &mut self.body.variables)
            };
            list.push(variable);
            self.declare(name, Name::Variable(scope, u32::try_from(id).unwrap_or(u32::MAX)), line)?;
        }
        Ok(())
    }

    fn label(&mut self, name: &'a str) -> Result<(), PtxError> {
        match self.find(name) {
            Some(Name::Label(id)) => {
                self.body.labels[id as usize] = index(&self.body.instructions);
                Ok(())
            }
            Some(Name::Targets(id)) => {
                if !self.tokens.take_directive(".branchtargets") {
                    return Err(self.tokens.error(".calltargets is not supported"));
                }
                let mut targets = Vec::new();
                loop {
                    let target = self.tokens.word("a label")?;
                    match self.find(target) {
                        Some(Name::Label(label)) => targets.push(label),
                        _ => return Err(self.tokens.error(format!("unknown label {target}"))),
                    }
                    if !self.tokens.take_mark(b',') {
                        break;
                    }
                }
                self.body.branch_targets[id as usize] = targets;
                self.tokens.mark(b';')
            }
            _ => {
                // A prototype: the arguments of the call say the same. A brace is none of it: whoever looks for a body's end
                // counts them.
                while !matches!(self.tokens.peek(), Token::Mark(b';' | b'{' | b'}') | Token::End) {
                    self.tokens.at += 1;
                }
                self.tokens.mark(b';')
            }
        }
    }

    fn instruction(&mut self) -> Result<(), PtxError> {
        let line = self.tokens.line();
        let guard = if self.tokens.take_mark(b'@') {
            let negated = self.tokens.take_mark(b'!');
            Some((self.register()?, negated))
        } else {
            None
        };
        let word = self.tokens.word("an opcode")?;
        let opcode = Arc::clone(self.opcodes.entry(word).or_insert_with(|| Arc::from(word)));
        let first = index(&self.body.operands);
        if !self.tokens.at_mark(b';') {
            loop {
                let operand = self.operand()?;
                self.body.operands.push(operand);
                if !self.tokens.take_mark(b',') {
                    break;
                }
            }
        }
        self.tokens.mark(b';')?;
        let operands = first..index(&self.body.operands);
        let location = self.places.current;
        self.body.instructions.push(Instruction { guard, opcode, operands, line, location });
        Ok(())
    }

    fn register(&mut self) -> Result<RegisterId, PtxError> {
        let name = self.tokens.word("a register")?;
        match self.find(name) {
            Some(Name::Register(id)) => Ok(id),
            _ => Err(self.tokens.error(format!("unknown register {name}"))),
        }
    }

    fn operand(&mut self) -> Result<Operand, PtxError> {
        match self.tokens.peek() {
            Token::Mark(b'{') => {
                self.tokens.at += 1;
                Ok(Operand::Vector(self.operands_until(b'}')?))
            }
            Token::Mark(b'(') => {
                self.tokens.at += 1;
                Ok(Operand::List(self.operands_until(b')')?))
            }
            Token::Mark(b'[') => {
                self.tokens.at += 1;
                self.memory()
            }
            _ => {
                let first = self.plain_operand()?;
                if self.tokens.take_mark(b'|') {
                    return Ok(Operand::Pair(Box::new(first), Box::new(self.plain_operand()?)));
                }
                Ok(first)
            }
        }
    }

    fn operands_until(&mut self, end: u8) -> Result<Vec<Operand>, PtxError> {
        let mut operands = Vec::new();
        while !self.tokens.at_mark(end) {
            operands.push(self.plain_operand()?);
            if !self.tokens.take_mark(b',') {
                break;
            }
        }
        self.tokens.mark(end)?;
        Ok(operands)
    }

    /// What has no operands inside.
    fn plain_operand(&mut self) -> Result<Operand, PtxError> {
        match self.tokens.peek() {
            Token::Mark(b'!') => {
                self.tokens.at += 1;
                Ok(Operand::NotRegister(self.register()?))
            }
            Token::Mark(b'-') => {
                self.tokens.at += 1;
                match self.tokens.peek() {
                    Token::Integer(value) => {
                        self.tokens.at += 1;
                        Ok(Operand::Integer(value.wrapping_neg().cast_signed()))
                    }
                    Token::F64(bits) => {
                        self.tokens.at += 1;
                        Ok(Operand::F64((-f64::from_bits(bits)).to_bits()))
                    }
                    _ => Err(self.tokens.expected("a number")),
                }
            }
            Token::Integer(value) => {
                self.tokens.at += 1;
                Ok(Operand::Integer(value.cast_signed()))
            }
            Token::F32(bits) => {
                self.tokens.at += 1;
                Ok(Operand::F32(bits))
            }
            Token::F64(bits) => {
                self.tokens.at += 1;
                Ok(Operand::F64(bits))
            }
            Token::Word("_") => {
                self.tokens.at += 1;
                Ok(Operand::Sink)
            }
            Token::Word(name) => {
                self.tokens.at += 1;
                self.named(name)
            }
            _ => Err(self.tokens.expected("an operand")),
        }
    }

    fn named(&mut self, name: &'a str) -> Result<Operand, PtxError> {
        let meaning = self.find(name);
        Ok(match meaning {
            Some(Name::Register(id)) => Operand::Register(id),
            Some(Name::Variable(scope, id)) => Operand::Variable { scope, id, offset: self.tokens.offset()? },
            Some(Name::Label(id)) => Operand::Label(id),
            Some(Name::Targets(id)) => Operand::Targets(id),
            Some(Name::Prototype) => Operand::Prototype,
            None => {
                if let Some(special) = special(name) {
                    Operand::Special(special)
                } else if let Some(id) = self.outside.variable(name, self.variables) {
                    Operand::Variable { scope: Scope::Module, id, offset: self.tokens.offset()? }
                } else if let Some(name) = self.outside.function(name, self.functions) {
                    Operand::Function(name)
                } else {
                    self.tokens.at -= 1;
                    return Err(self.tokens.error(format!("unknown name {name}")));
                }
            }
        })
    }

    /// After the bracket: `%rd1+-4]`, `p+8]`, `%rd + 0 ]`, `1024]`.
    fn memory(&mut self) -> Result<Operand, PtxError> {
        let line = self.tokens.line();
        let base = match self.plain_operand()? {
            Operand::Register(id) => Operand::Memory { base: Base::Register(id), offset: self.tokens.offset()? },
            Operand::Variable { scope, id, offset } => Operand::Memory { base: Base::Variable { scope, id }, offset },
            Operand::Integer(address) => Operand::Memory { base: Base::None, offset: address },
            _ => return Err(self.tokens.error_at(line, "an address is a register, a variable or a number")),
        };
        self.tokens.mark(b']')?;
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
