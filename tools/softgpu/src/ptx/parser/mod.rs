//! Recursive descent over the tokens of a module: what stands outside function bodies. `body` has statements and
//! operands, `variables` the declarations, `debug` what `-lineinfo` adds.

mod body;
mod debug;
#[cfg(test)]
mod tests;
mod variables;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use self::body::Scopes;
use self::debug::Debug;
use super::PtxError;
use super::ast::{Function, Module, Scope, VariableId};
use super::lexer::{Lexed, Lexeme, Token, lex};

/// The module that `source` is the text of.
///
/// # Errors
/// The first thing that is not PTX as this device reads it, with its line.
pub(crate) fn parse(source: &str) -> Result<Module, PtxError> {
    // A driver takes text that ends with NUL, and the space before it.
    let source = source.trim_end_matches('\0');
    let Lexed { lexemes, labels } = lex(source)?;
    let mut parser = Parser {
        source,
        lexemes,
        at: 0,
        module: Module { text: Arc::from(source), ..Module::default() },
        functions: FxHashMap::default(),
        variables: FxHashMap::default(),
        opcodes: FxHashMap::default(),
        labels,
        scopes: Scopes::default(),
        function: Function::default(),
        debug: Debug::default(),
    };
    parser.module()?;
    parser.module.locations = parser.debug.locations();
    Ok(parser.module)
}

struct Parser<'a> {
    source: &'a str,
    lexemes: Vec<Lexeme>,
    at: usize,
    module: Module,
    /// Names to indices of [`Module::functions`].
    functions: FxHashMap<&'a str, usize>,
    variables: FxHashMap<&'a str, VariableId>,
    /// Each opcode's one string.
    opcodes: FxHashMap<&'a str, Arc<str>>,
    /// [`Lexed::labels`].
    labels: FxHashMap<usize, Vec<usize>>,
    /// Of the function whose body is being read.
    scopes: Scopes<'a>,
    function: Function,
    debug: Debug<'a>,
}

impl<'a> Parser<'a> {
    #[inline]
    fn peek(&self) -> Token<'a> {
        self.lexemes[self.at].token(self.source)
    }

    fn peek_after(&self) -> Token<'a> {
        self.lexemes.get(self.at + 1).map_or(Token::End, |lexeme| lexeme.token(self.source))
    }

    fn line(&self) -> u32 {
        self.lexemes[self.at].line
    }

    /// The token here; the end of the text is never stepped over.
    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        if token != Token::End {
            self.at += 1;
        }
        token
    }

    fn error_at(&self, line: u32, what: impl Into<String>) -> PtxError {
        PtxError::new(self.source, line, what)
    }

    fn error(&self, what: impl Into<String>) -> PtxError {
        self.error_at(self.line(), what)
    }

    fn expected(&self, what: &str) -> PtxError {
        let came = match self.peek() {
            Token::Word(text) | Token::Directive(text) => format!("`{text}`"),
            Token::Location(_) => "`.loc`".to_owned(),
            Token::Integer(value) => format!("`{value}`"),
            Token::F32(_) | Token::F64(_) => "a float".to_owned(),
            Token::Text(text) => format!("\"{text}\""),
            Token::Mark(byte) => format!("`{}`", char::from(byte)),
            Token::End => "the end of the text".to_owned(),
        };
        self.error(format!("expected {what}, came {came}"))
    }

    fn mark(&mut self, byte: u8) -> Result<(), PtxError> {
        if self.take_mark(byte) { Ok(()) } else { Err(self.expected(&format!("`{}`", char::from(byte)))) }
    }

    fn take_mark(&mut self, byte: u8) -> bool {
        let found = self.peek() == Token::Mark(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn take_directive(&mut self, name: &str) -> bool {
        let found = self.peek() == Token::Directive(name);
        if found {
            self.at += 1;
        }
        found
    }

    fn word(&mut self, what: &str) -> Result<&'a str, PtxError> {
        if let Token::Word(word) = self.peek() {
            self.at += 1;
            Ok(word)
        } else {
            Err(self.expected(what))
        }
    }

    fn text(&mut self, what: &str) -> Result<&'a str, PtxError> {
        if let Token::Text(text) = self.peek() {
            self.at += 1;
            Ok(text)
        } else {
            Err(self.expected(what))
        }
    }

    fn integer(&mut self, what: &str) -> Result<u64, PtxError> {
        if let Token::Integer(value) = self.peek() {
            self.at += 1;
            Ok(value)
        } else {
            Err(self.expected(what))
        }
    }

    fn count(&mut self, what: &str) -> Result<u32, PtxError> {
        let line = self.line();
        let value = self.integer(what)?;
        u32::try_from(value).map_err(|_| self.error_at(line, format!("{what} is {value}, more than 2^32 - 1")))
    }

    fn module(&mut self) -> Result<(), PtxError> {
        loop {
            match self.peek() {
                Token::End => break,
                Token::Directive(".version") => self.version()?,
                Token::Directive(".target") => self.target()?,
                Token::Directive(".address_size") => {
                    self.at += 1;
                    match self.integer("an address size")? {
                        64 => {}
                        bits => return Err(self.error(format!("addresses of {bits} bits, expected 64"))),
                    }
                }
                Token::Directive(".file") => self.file()?,
                Token::Directive(".section") => self.section()?,
                Token::Location(line) => self.location(line)?,
                Token::Directive(".pragma") => self.pragma()?,
                _ => self.declaration()?,
            }
        }
        if self.module.version == (0, 0) {
            return Err(self.error_at(1, "no .version, so not PTX,"));
        }
        Ok(())
    }

    fn version(&mut self) -> Result<(), PtxError> {
        self.at += 1;
        let Token::F64(bits) = self.peek() else { return Err(self.expected("a version like 9.0")) };
        self.at += 1;
        // One digit follows the point, in every version there is.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
        let tenths = (f64::from_bits(bits) * 10.0).round().clamp(0.0, 1e6) as u32;
        self.module.version = (tenths / 10, tenths % 10);
        Ok(())
    }

    fn target(&mut self) -> Result<(), PtxError> {
        self.at += 1;
        self.word("an architecture like sm_80")?.clone_into(&mut self.module.target);
        while self.take_mark(b',') {
            self.word("a target option")?;
        }
        Ok(())
    }

    fn pragma(&mut self) -> Result<(), PtxError> {
        self.at += 1;
        self.text("a pragma's text")?;
        while self.take_mark(b',') {
            self.text("a pragma's text")?;
        }
        self.mark(b';')
    }

    /// A function or a module variable.
    fn declaration(&mut self) -> Result<(), PtxError> {
        let mut external = false;
        loop {
            match self.peek() {
                Token::Directive(".extern") => external = true,
                Token::Directive(".visible" | ".weak" | ".common") => {}
                Token::Directive(".entry") => return self.function(true),
                Token::Directive(".func") => return self.function(false),
                Token::Directive(".global" | ".const" | ".shared") => return self.module_variables(external),
                Token::Directive(other) => return Err(self.error(format!("unknown directive {other}"))),
                _ => return Err(self.expected("a directive")),
            }
            self.at += 1;
        }
    }

    fn function(&mut self, is_entry: bool) -> Result<(), PtxError> {
        let line = self.line();
        self.at += 1;
        self.function = Function { is_entry, line, ..Function::default() };
        self.scopes = Scopes::default();
        self.scopes.open();
        self.debug.current = None;
        while self.take_directive(".attribute") || self.take_directive(".noreturn") {
            if self.peek() == Token::Mark(b'(') {
                return Err(self.error("unknown function attribute"));
            }
        }
        if !is_entry && self.peek() == Token::Mark(b'(') {
            self.function.returns = self.parameters(Scope::Return)?;
        }
        let name = self.word("a function's name")?;
        self.function.name = Arc::from(name);
        if self.peek() == Token::Mark(b'(') {
            self.function.params = self.parameters(Scope::Parameter)?;
        }
        self.performance_directives()?;
        let index = if let Some(&index) = self.functions.get(name) {
            index
        } else {
            // Known before its body, for it may call itself.
            let prototype = Function { name: Arc::clone(&self.function.name), ..Function::default() };
            self.module.functions.push(prototype);
            self.functions.insert(name, self.module.functions.len() - 1);
            self.module.functions.len() - 1
        };
        if self.peek() == Token::Mark(b'{') {
            if self.module.functions[index].has_body {
                return Err(self.error_at(line, format!("function {name} defined twice")));
            }
            self.function.has_body = true;
            self.body()?;
        } else {
            self.mark(b';')?;
            if self.module.functions[index].has_body {
                return Ok(());
            }
        }
        self.module.functions[index] = std::mem::take(&mut self.function);
        Ok(())
    }

    fn performance_directives(&mut self) -> Result<(), PtxError> {
        while let Token::Directive(name) = self.peek() {
            match name {
                ".maxntid" | ".reqntid" => {
                    self.at += 1;
                    let mut threads = [1; 3];
                    threads[0] = self.count("a thread count")?;
                    for count in &mut threads[1..] {
                        if !self.take_mark(b',') {
                            break;
                        }
                        *count = self.count("a thread count")?;
                    }
                    if name == ".maxntid" {
                        self.function.max_threads = Some(threads);
                    } else {
                        self.function.required_threads = Some(threads);
                    }
                }
                ".minnctapersm" | ".maxnctapersm" | ".maxnreg" => {
                    self.at += 1;
                    let count = self.count("a count")?;
                    match name {
                        ".minnctapersm" => self.function.min_blocks = Some(count),
                        ".maxnreg" => self.function.max_registers = Some(count),
                        _ => {}
                    }
                }
                ".noreturn" => self.at += 1,
                ".pragma" => self.pragma()?,
                _ => return Err(self.error(format!("unknown directive {name}"))),
            }
        }
        Ok(())
    }
}
