//! What `-lineinfo` adds: `.file`, `.loc`, and the names of inlined functions in `.section .debug_str`.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::PtxError;
use super::tokens::Tokens;
use super::variables::index;
use crate::ptx::ast::{Location, Sources};
use crate::ptx::lexer::Token;

/// Files, and the strings that functions are named by. They may come after the bodies that refer to them.
#[derive(Default)]
pub(super) struct Debug<'a> {
    pub(super) sources: Sources,
    /// Where in the strings a label stands; the section's start has the empty one.
    labels: FxHashMap<&'a str, usize>,
}

/// The places of a function.
#[derive(Default)]
pub(super) struct Places {
    /// The `.loc` in force: index into `list`.
    pub(super) current: Option<u32>,
    pub(super) list: Vec<Location>,
    ids: FxHashMap<Location, u32>,
    /// The latest place on a line: what an `inlined_at` refers to.
    latest: FxHashMap<[u32; 3], u32>,
}

impl Places {
    fn id(&mut self, place: Location) -> u32 {
        let latest = self.latest.entry([place.file, place.line, place.column]).or_insert(u32::MAX);
        // Mostly the place itself, so that the long key need not be looked for.
        if self.list.get(*latest as usize) != Some(&place) {
            let next = index(&self.list);
            *latest = *self.ids.entry(place).or_insert(next);
            if *latest == next {
                self.list.push(place);
            }
        }
        *latest
    }

    /// `.loc 1 22 3, function_name $L__info_string0, inlined_at 1 7 14`: what stands in the body from here on. `line` is
    /// what follows `.loc`.
    pub(super) fn enter<'a>(
        &mut self,
        tokens: &mut Tokens<'a>,
        debug: &Debug<'a>,
        line: &'a str,
    ) -> Result<(), PtxError> {
        let mut fields = Fields(line);
        let [file, line, column] = fields.place(tokens)?;
        let mut place = Location { file, line, column, function: None, inlined_at: None };
        while fields.take(b',') {
            match fields.word() {
                "function_name" => match fields.word() {
                    "" => return Err(tokens.error("a function_name without a label")),
                    // `.debug_str+26`: from the section's start.
                    label => {
                        let label = if label.starts_with('.') { "" } else { label };
                        let offset = fields.label_offset(tokens)?;
                        let start = debug.labels.get(label).map(|&start| start + offset as usize);
                        place.function = start.and_then(|start| u32::try_from(start).ok());
                    }
                },
                "inlined_at" => {
                    let at = fields.place(tokens)?;
                    let [file, line, column] = at;
                    let caller = self.latest.get(&at).copied();
                    place.inlined_at =
                        Some(caller.unwrap_or_else(|| {
                            self.id(Location { file, line, column, function: None, inlined_at: None })
                        }));
                }
                "" => return Err(tokens.error("expected `function_name` or `inlined_at` in .loc")),
                other => return Err(tokens.error(format!("unknown attribute {other} of .loc"))),
            }
        }
        if !fields.is_empty() {
            return Err(tokens.error(format!("`{}` after .loc", fields.0)));
        }
        tokens.at += 1;
        // Line 0 is how the compiler says that no line stands for what follows.
        self.current = if place.line == 0 { None } else { Some(self.id(place)) };
        Ok(())
    }
}

/// What is left of a `.loc` line.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn skip_space(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    fn is_empty(&mut self) -> bool {
        self.skip_space();
        self.0.is_empty()
    }

    fn take(&mut self, mark: u8) -> bool {
        self.skip_space();
        let found = self.0.as_bytes().first() == Some(&mark);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    /// A decimal number, which nothing but a space or a mark follows.
    fn number(&mut self) -> Option<u32> {
        self.skip_space();
        let mut number = 0u32;
        let mut digits = 0;
        for byte in self.0.bytes() {
            if !byte.is_ascii_digit() {
                break;
            }
            number = number.checked_mul(10)?.checked_add(u32::from(byte - b'0'))?;
            digits += 1;
        }
        let ends = !self.0.as_bytes().get(digits).is_some_and(|&byte| is_word(byte));
        self.0 = if digits > 0 && ends { &self.0[digits..] } else { return None };
        Some(number)
    }

    /// A name or a directive; empty where none stands.
    fn word(&mut self) -> &'a str {
        self.skip_space();
        let length = self.0.bytes().take_while(|&byte| is_word(byte)).count();
        let (word, rest) = self.0.split_at(length);
        self.0 = rest;
        word
    }

    fn place(&mut self, tokens: &Tokens<'a>) -> Result<[u32; 3], PtxError> {
        let mut number = |what: &str| {
            self.number()
                .ok_or_else(|| tokens.error(format!("expected a {what} below 2^32 in .loc, came `{}`", self.0)))
        };
        Ok([number("file number")?, number("line")?, number("column")?])
    }

    /// `+26` behind a label, or nothing.
    fn label_offset(&mut self, tokens: &Tokens<'a>) -> Result<u32, PtxError> {
        if !self.take(b'+') {
            return Ok(0);
        }
        self.number().ok_or_else(|| tokens.error(format!("expected an offset in .loc, came `{}`", self.0)))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.')
}

impl<'a> Debug<'a> {
    /// `.file 1 "a.cu"`, with a time and a size after it or not.
    pub(super) fn file(&mut self, tokens: &mut Tokens<'a>) -> Result<(), PtxError> {
        tokens.at += 1;
        let number = tokens.count("a file number")?;
        let name = tokens.text("a file name")?;
        self.sources.files.insert(number, Arc::from(name));
        while tokens.take_mark(b',') {
            tokens.integer("a time or size")?;
        }
        Ok(())
    }

    /// `.section .debug_str { ... }`: strings as bytes; other sections are stepped over.
    pub(super) fn section(&mut self, tokens: &mut Tokens<'a>) -> Result<(), PtxError> {
        tokens.at += 1;
        let is_strings = tokens.peek() == Token::Directive(".debug_str");
        if !matches!(tokens.next(), Token::Directive(_)) {
            return Err(tokens.error("a section without a name"));
        }
        tokens.mark(b'{')?;
        if is_strings {
            self.labels.insert("", self.sources.strings.len());
        }
        let mut depth = 1;
        while depth > 0 {
            match tokens.next() {
                Token::End => return Err(tokens.error("a section without an end")),
                Token::Mark(b'{') => depth += 1,
                Token::Mark(b'}') => depth -= 1,
                Token::Word(label) if is_strings && tokens.at_mark(b':') => {
                    self.labels.insert(label, self.sources.strings.len());
                }
                Token::Integer(byte) if is_strings => match u8::try_from(byte) {
                    Ok(byte) => self.sources.strings.push(byte),
                    Err(_) => return Err(tokens.error(format!("{byte} among the bytes of a string"))),
                },
                _ => {}
            }
        }
        Ok(())
    }
}
