//! Recursive descent over the tokens of a module. First what stands outside function bodies, while bodies are stepped over
//! by their braces; then they are read, side by side where there are many: `body` has statements and operands, `scopes` the
//! names of a body, `variables` the declarations, `debug` what `-lineinfo` adds.

mod body;
mod debug;
mod scopes;
#[cfg(test)]
mod tests;
mod tokens;
mod variables;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rustc_hash::FxHashMap;

use self::body::{Opcodes, Pending};
use self::debug::{Debug, Places};
use self::scopes::Scopes;
use self::tokens::Tokens;
use self::variables::index;
use super::PtxError;
use super::ast::{Body, Function, Module, Scope, Variable, VariableId};
use super::lexer::{Lexed, Token, lex};
use crate::cores;

/// Fewer lexemes are not worth a thread.
const WORTH_A_THREAD: usize = 1 << 14;

/// The module that `source` is the text of.
///
/// # Errors
/// The first thing that is not PTX as this device reads it, with its line.
pub(crate) fn parse(source: &str) -> Result<Module, PtxError> {
    // A driver takes text that ends with NUL, and the space before it.
    let source = source.trim_end_matches('\0');
    let lexed = lex(source)?;
    let tokens = Tokens { source, lexed: &lexed, at: 0 };
    let module = Module { text: Arc::from(source), ..Module::default() };
    let mut parser = Parser { tokens, outside: Outside { module, ..Outside::default() }, bodies: Vec::new() };
    // What is wrong in a body comes before what is wrong behind it.
    let read = parser.module();
    let Parser { mut outside, bodies, .. } = parser;
    outside.bodies(&lexed, bodies)?;
    read?;
    outside.module.sources = outside.debug.sources;
    Ok(outside.module)
}

/// What bodies may refer to.
#[derive(Default)]
struct Outside<'a> {
    module: Module,
    /// Names to indices of [`Module::functions`] and [`Module::variables`].
    functions: FxHashMap<&'a str, usize>,
    variables: FxHashMap<&'a str, VariableId>,
    debug: Debug<'a>,
}

impl<'a> Outside<'a> {
    /// The variable of that name among the first so many.
    fn variable(&self, name: &str, first: usize) -> Option<VariableId> {
        self.variables.get(name).copied().filter(|&id| (id as usize) < first)
    }

    /// The name of a function, if it is among the first so many.
    fn function(&self, name: &str, first: usize) -> Option<Arc<str>> {
        let index = self.functions.get(name).copied().filter(|&index| index < first)?;
        Some(Arc::clone(&self.module.functions[index].name))
    }

    /// Reads the bodies. An error is the first in the text.
    fn bodies(&mut self, lexed: &Lexed, bodies: Vec<Pending<'a>>) -> Result<(), PtxError> {
        let lexemes: usize = bodies.iter().map(|body| body.end - body.tokens.at).sum();
        let threads = cores::count().min(1 + lexemes / WORTH_A_THREAD);
        // The variables that outlive a function are numbered in the order of the text: one body after the other.
        let threads = if lexed.statics.is_empty() { threads } else { 1 };
        let statics = AtomicUsize::new(self.module.variables.len());
        let read = cores::map(threads, bodies, Opcodes::default, |opcodes, body| {
            let read = body.read(self, opcodes, statics.load(Relaxed))?;
            statics.fetch_add(read.2.len(), Relaxed);
            Ok(read)
        })?;
        for (index, function, statics) in read {
            self.module.functions[index] = function;
            self.module.variables.extend(statics);
        }
        Ok(())
    }
}

/// Reads what stands outside bodies.
struct Parser<'a> {
    tokens: Tokens<'a>,
    outside: Outside<'a>,
    bodies: Vec<Pending<'a>>,
}

impl<'a> Parser<'a> {
    fn module(&mut self) -> Result<(), PtxError> {
        loop {
            match self.tokens.peek() {
                Token::End => break,
                Token::Directive(".version") => self.version()?,
                Token::Directive(".target") => self.target()?,
                Token::Directive(".address_size") => {
                    self.tokens.at += 1;
                    match self.tokens.integer("an address size")? {
                        64 => {}
                        bits => return Err(self.tokens.error(format!("addresses of {bits} bits, expected 64"))),
                    }
                }
                Token::Directive(".file") => self.outside.debug.file(&mut self.tokens)?,
                Token::Directive(".section") => self.outside.debug.section(&mut self.tokens)?,
                // It says nothing of a body.
                Token::Location(line) => Places::default().enter(&mut self.tokens, &self.outside.debug, line)?,
                Token::Directive(".pragma") => self.tokens.pragma()?,
                _ => self.declaration()?,
            }
        }
        if self.outside.module.version == (0, 0) {
            return Err(self.tokens.error_at(1, "no .version, so not PTX,"));
        }
        Ok(())
    }

    fn version(&mut self) -> Result<(), PtxError> {
        self.tokens.at += 1;
        let Token::F64(bits) = self.tokens.peek() else { return Err(self.tokens.expected("a version like 9.0")) };
        self.tokens.at += 1;
        // One digit follows the point, in every version there is.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
        let tenths = (f64::from_bits(bits) * 10.0).round().clamp(0.0, 1e6) as u32;
        self.outside.module.version = (tenths / 10, tenths % 10);
        Ok(())
    }

    fn target(&mut self) -> Result<(), PtxError> {
        self.tokens.at += 1;
        self.tokens.word("an architecture like sm_80")?.clone_into(&mut self.outside.module.target);
        while self.tokens.take_mark(b',') {
            self.tokens.word("a target option")?;
        }
        Ok(())
    }

    /// A function or a module variable.
    fn declaration(&mut self) -> Result<(), PtxError> {
        let mut external = false;
        loop {
            match self.tokens.peek() {
                Token::Directive(".extern") => external = true,
                Token::Directive(".visible" | ".weak" | ".common") => {}
                Token::Directive(".entry") => return self.function(true),
                Token::Directive(".func") => return self.function(false),
                Token::Directive(".global" | ".const" | ".shared") => return self.module_variables(external),
                Token::Directive(other) => return Err(self.tokens.error(format!("unknown directive {other}"))),
                _ => return Err(self.tokens.expected("a directive")),
            }
            self.tokens.at += 1;
        }
    }

    fn module_variables(&mut self, external: bool) -> Result<(), PtxError> {
        for (name, variable) in self.tokens.variables(external)? {
            self.add_variable(name, variable)?;
        }
        Ok(())
    }

    fn add_variable(&mut self, name: &'a str, variable: Variable) -> Result<(), PtxError> {
        let variables = &mut self.outside.module.variables;
        if let Some(&id) = self.outside.variables.get(name) {
            let earlier = &mut variables[id as usize];
            if variable.external {
                return Ok(());
            }
            if earlier.external {
                *earlier = variable;
                return Ok(());
            }
            return Err(self.tokens.error_at(variable.line, format!("variable {name} declared twice")));
        }
        self.outside.variables.insert(name, index(variables));
        variables.push(variable);
        Ok(())
    }

    fn function(&mut self, is_entry: bool) -> Result<(), PtxError> {
        let line = self.tokens.line();
        self.tokens.at += 1;
        let mut function = Function { is_entry, line, ..Function::default() };
        let mut scopes = Scopes::default();
        scopes.open();
        while self.tokens.take_directive(".attribute") || self.tokens.take_directive(".noreturn") {
            if self.tokens.at_mark(b'(') {
                return Err(self.tokens.error("unknown function attribute"));
            }
        }
        if !is_entry && self.tokens.at_mark(b'(') {
            function.returns = self.tokens.parameters(&mut scopes, Scope::Return)?;
        }
        let name = self.tokens.word("a function's name")?;
        function.name = Arc::from(name);
        if self.tokens.at_mark(b'(') {
            function.params = self.tokens.parameters(&mut scopes, Scope::Parameter)?;
        }
        self.performance_directives(&mut function)?;
        let index = if let Some(&index) = self.outside.functions.get(name) {
            index
        } else {
            // Known before its body, for it may call itself.
            let prototype = Function { name: Arc::clone(&function.name), ..Function::default() };
            self.outside.module.functions.push(prototype);
            self.outside.functions.insert(name, self.outside.module.functions.len() - 1);
            self.outside.module.functions.len() - 1
        };
        let known = &mut self.outside.module.functions[index];
        if !self.tokens.at_mark(b'{') {
            self.tokens.mark(b';')?;
            if known.body.is_none() {
                *known = function;
            }
            return Ok(());
        }
        if known.body.is_some() {
            return Err(self.tokens.error_at(line, format!("function {name} defined twice")));
        }
        known.body = Some(Body::default());
        let lexed = self.tokens.lexed;
        // A body without an end reaches to that of the text, and does not read.
        let end = lexed.ends.get(&self.tokens.at).map_or(lexed.lexemes.len() - 1, |brace| brace + 1);
        self.bodies.push(Pending {
            tokens: self.tokens,
            end,
            function,
            index,
            scopes,
            functions: self.outside.module.functions.len(),
            variables: self.outside.module.variables.len(),
        });
        self.tokens.at = end;
        Ok(())
    }

    fn performance_directives(&mut self, function: &mut Function) -> Result<(), PtxError> {
        while let Token::Directive(name) = self.tokens.peek() {
            match name {
                ".maxntid" | ".reqntid" => {
                    self.tokens.at += 1;
                    let mut threads = [1; 3];
                    threads[0] = self.tokens.count("a thread count")?;
                    for count in &mut threads[1..] {
                        if !self.tokens.take_mark(b',') {
                            break;
                        }
                        *count = self.tokens.count("a thread count")?;
                    }
                    if name == ".maxntid" {
                        function.max_threads = Some(threads);
                    } else {
                        function.required_threads = Some(threads);
                    }
                }
                ".minnctapersm" | ".maxnctapersm" | ".maxnreg" => {
                    self.tokens.at += 1;
                    let count = self.tokens.count("a count")?;
                    match name {
                        ".minnctapersm" => function.min_blocks = Some(count),
                        ".maxnreg" => function.max_registers = Some(count),
                        _ => {}
                    }
                }
                ".noreturn" => self.tokens.at += 1,
                ".pragma" => self.tokens.pragma()?,
                _ => return Err(self.tokens.error(format!("unknown directive {name}"))),
            }
        }
        Ok(())
    }
}
