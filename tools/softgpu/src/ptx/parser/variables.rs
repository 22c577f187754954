//! Declarations of variables and parameters, and their initialisers.

use std::sync::Arc;

use super::PtxError;
use super::scopes::{Name, Scopes};
use super::tokens::Tokens;
use crate::ptx::ast::{Initial, Scope, Space, Type, Variable};
use crate::ptx::lexer::Token;

/// More than any device has; keeps the sums of sizes far from overflow.
const MOST_BYTES: u64 = 1 << 48;
/// Of a variable that the text initialises: its bytes are kept here until the module is loaded.
const MOST_INITIALISED_BYTES: u64 = 1 << 30;
/// Of a variable: initialisers are read by recursion, a level for each.
const MOST_DIMENSIONS: usize = 32;

impl<'a> Tokens<'a> {
    /// `(.param .b32 a, .param .align 8 .b8 b[16])`, entered into the open scope.
    pub(super) fn parameters(&mut self, scopes: &mut Scopes<'a>, scope: Scope) -> Result<Vec<Variable>, PtxError> {
        self.mark(b'(')?;
        let mut parameters = Vec::new();
        while !self.at_mark(b')') {
            if !self.take_directive(".param") {
                return Err(self.expected("`.param`"));
            }
            let declared = self.declared_type()?;
            let (name, parameter) = self.declarator(Space::Param, &declared, false)?;
            if name != "_" {
                scopes.declare(self, name, Name::Variable(scope, index(&parameters)), parameter.line)?;
            }
            parameters.push(parameter);
            if !self.take_mark(b',') {
                break;
            }
        }
        self.mark(b')')?;
        Ok(parameters)
    }

    /// One statement: a space, a type, and one or more declarators.
    pub(super) fn variables(&mut self, external: bool) -> Result<Vec<(&'a str, Variable)>, PtxError> {
        let Token::Directive(space) = self.next() else { return Err(self.expected("a state space")) };
        let space = match space {
            ".global" => Space::Global,
            ".const" => Space::Const,
            ".shared" => Space::Shared,
            ".local" => Space::Local,
            ".param" => Space::Param,
            _ => return Err(self.error(format!("unknown state space {space}"))),
        };
        let declared = self.declared_type()?;
        let mut variables = Vec::new();
        loop {
            variables.push(self.declarator(space, &declared, external)?);
            if !self.take_mark(b',') {
                break;
            }
        }
        self.mark(b';')?;
        Ok(variables)
    }

    /// `.align 8 .v2 .f32`, and what `.ptr` says of a pointer.
    fn declared_type(&mut self) -> Result<Declared, PtxError> {
        let (mut align, mut vector, mut element) = (None, 1, None);
        while let Token::Directive(name) = self.peek() {
            self.at += 1;
            match name {
                ".align" => {
                    let bytes = self.integer("an alignment")?;
                    if !bytes.is_power_of_two() || bytes > 1 << 20 {
                        return Err(self.error(format!("an alignment of {bytes}, expected a power of two")));
                    }
                    align = Some(bytes);
                }
                ".v2" => vector = 2,
                ".v4" => vector = 4,
                ".v8" => vector = 8,
                ".ptr" => {
                    // Space and alignment of what is pointed at.
                    if let Token::Directive(".global" | ".shared" | ".local" | ".const") = self.peek() {
                        self.at += 1;
                    }
                    if self.take_directive(".align") {
                        self.integer("an alignment")?;
                    }
                }
                _ => match Type::named(&name[1..]) {
                    Some(Type::Pred) | None => return Err(self.error(format!("unknown type {name} of a variable"))),
                    Some(named) => element = Some(named),
                },
            }
        }
        let Some(element) = element else { return Err(self.expected("a type")) };
        let align = align.unwrap_or(vector * u64::from(element.bytes()));
        Ok(Declared { element, vector, align })
    }

    /// `name[4][8] = {...}`.
    fn declarator(
        &mut self,
        space: Space,
        declared: &Declared,
        external: bool,
    ) -> Result<(&'a str, Variable), PtxError> {
        let line = self.line();
        let name = self.word("a variable's name")?;
        let mut lengths = Vec::new();
        while self.take_mark(b'[') {
            lengths.push(if self.at_mark(b']') { None } else { Some(self.integer("a length")?) });
            self.mark(b']')?;
        }
        if lengths.len() > MOST_DIMENSIONS {
            return Err(self.error_at(line, format!("{name} has more than {MOST_DIMENSIONS} dimensions")));
        }
        let element_bytes = u64::from(declared.element.bytes());
        let mut strides = vec![1; lengths.len()];
        let mut elements = declared.vector;
        for (i, length) in lengths.iter().enumerate().rev() {
            strides[i] = elements;
            elements = match length {
                // `[]`: its length comes from the launch, or from its initialiser.
                None if i == 0 => 0,
                None => return Err(self.error_at(line, format!("no length in an inner dimension of {name}"))),
                Some(length) => elements.saturating_mul(*length),
            };
        }
        let mut initialiser = Vec::new();
        if self.take_mark(b'=') {
            if declared.vector > 1 {
                strides.push(1);
            }
            self.initialiser(declared.element, &strides, 0, &mut initialiser)?;
            let given = initialiser.iter().map(|(at, _)| at.saturating_add(1)).max().unwrap_or(0);
            if lengths.first() == Some(&None) {
                // Of rows without elements no number is enough.
                elements = given.checked_next_multiple_of(strides[0]).unwrap_or(0);
            }
            if given > elements {
                return Err(self.error_at(line, format!("{given} values for the {elements} elements of {name}")));
            }
        }
        let most = if initialiser.is_empty() { MOST_BYTES } else { MOST_INITIALISED_BYTES };
        if elements.checked_mul(element_bytes).is_none_or(|bytes| bytes > most) {
            return Err(self.error_at(line, format!("variable {name} is larger than {most} bytes")));
        }
        let variable = Variable {
            name: Arc::from(name),
            space,
            element: declared.element,
            elements,
            align: declared.align,
            external,
            initialiser,
            line,
        };
        Ok((name, variable))
    }

    /// A value, or a list of what one dimension further in looks like; `strides` has the elements of one step in each.
    fn initialiser(
        &mut self,
        element: Type,
        strides: &[u64],
        at: u64,
        values: &mut Vec<(u64, Initial)>,
    ) -> Result<(), PtxError> {
        if !self.take_mark(b'{') {
            let value = self.initial(element)?;
            values.push((at, value));
            return Ok(());
        }
        let Some((&stride, inner)) = strides.split_first() else {
            return Err(self.error("an initialiser with more dimensions than its variable"));
        };
        let mut place = at;
        while !self.at_mark(b'}') {
            self.initialiser(element, inner, place, values)?;
            place = place.saturating_add(stride);
            if !self.take_mark(b',') {
                break;
            }
        }
        self.mark(b'}')
    }

    fn initial(&mut self, element: Type) -> Result<Initial, PtxError> {
        let negative = self.take_mark(b'-');
        let line = self.line();
        let bits = match self.next() {
            Token::Integer(value) => {
                if self.at_mark(b'(') {
                    return Err(self.error_at(line, "a mask operator in an initialiser is not supported"));
                }
                let value = if negative { value.wrapping_neg() } else { value };
                match element {
                    #[expect(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "as C converts it")]
                    Type::F32 => u64::from((value as i64 as f32).to_bits()),
                    #[expect(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "as C converts it")]
                    Type::F64 => (value as i64 as f64).to_bits(),
                    _ => value,
                }
            }
            Token::F32(bits) => match element {
                Type::F64 => signed(f64::from(f32::from_bits(bits)), negative).to_bits(),
                _ => u64::from(bits) ^ (u64::from(negative) << 31),
            },
            Token::F64(bits) => match element {
                #[expect(clippy::cast_possible_truncation, reason = "a decimal literal of a 32-bit variable")]
                Type::F32 => u64::from((signed(f64::from_bits(bits), negative) as f32).to_bits()),
                _ => signed(f64::from_bits(bits), negative).to_bits(),
            },
            Token::Word(word) if !negative => {
                let generic = word == "generic" && self.take_mark(b'(');
                let name = if generic { self.word("a variable's name")? } else { word };
                let mut offset = self.offset()?;
                if generic {
                    self.mark(b')')?;
                    offset = offset.wrapping_add(self.offset()?);
                }
                if element.bytes() != 8 {
                    return Err(self.error_at(line, format!("the address of {name} in an element that is not 64 bits")));
                }
                return Ok(Initial::Address { name: Arc::from(name), offset });
            }
            _ => {
                self.at -= 1;
                return Err(self.expected("an initial value"));
            }
        };
        Ok(Initial::Bits(bits))
    }

    /// `+8`, `+-8`, `-8`, or nothing.
    pub(super) fn offset(&mut self) -> Result<i64, PtxError> {
        let mut negative = false;
        match self.peek() {
            Token::Mark(b'+') => self.at += 1,
            Token::Mark(b'-') => {}
            _ => return Ok(0),
        }
        if self.take_mark(b'-') {
            negative = true;
        }
        let value = self.integer("an offset")?.cast_signed();
        Ok(if negative { value.wrapping_neg() } else { value })
    }
}

struct Declared {
    element: Type,
    vector: u64,
    align: u64,
}

fn signed(value: f64, negative: bool) -> f64 {
    if negative { -value } else { value }
}

/// The id that the next element of a list gets.
pub(super) fn index<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}
