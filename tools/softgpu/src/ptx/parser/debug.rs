//! What `-lineinfo` adds: `.file`, `.loc`, and the names of inlined functions in `.section .debug_str`.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::variables::index;
use super::{Parser, PtxError, Token};
use crate::ptx::ast::Location;

/// Files and names may come after the lines that refer to them, so that all are kept until the end.
#[derive(Default)]
pub(super) struct Debug<'a> {
    /// The `.loc` in force: index into `places`.
    pub(super) current: Option<u32>,
    files: FxHashMap<u32, Arc<str>>,
    places: Vec<Place<'a>>,
    ids: FxHashMap<Place<'a>, u32>,
    /// The latest place on a line: what an `inlined_at` refers to.
    latest: FxHashMap<(u32, u32, u32), u32>,
    strings: Vec<u8>,
    string_labels: FxHashMap<&'a str, usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place<'a> {
    file: u32,
    line: u32,
    column: u32,
    /// A label of `.debug_str` and an offset from it.
    function: Option<(&'a str, i64)>,
    inlined_at: Option<u32>,
}

impl<'a> Debug<'a> {
    fn id(&mut self, place: Place<'a>) -> u32 {
        let next = index(&self.places);
        let id = *self.ids.entry(place).or_insert(next);
        if id == next {
            self.places.push(place);
        }
        self.latest.insert((place.file, place.line, place.column), id);
        id
    }

    /// Every place, its file and function resolved.
    pub(super) fn locations(&self) -> Vec<Location> {
        let unknown: Arc<str> = Arc::from("");
        let mut names: FxHashMap<(&str, i64), Option<Arc<str>>> = FxHashMap::default();
        self.places
            .iter()
            .map(|place| Location {
                file: self.files.get(&place.file).unwrap_or(&unknown).clone(),
                line: place.line,
                column: place.column,
                function: place.function.and_then(|key| names.entry(key).or_insert_with(|| self.string(key)).clone()),
                inlined_at: place.inlined_at,
            })
            .collect()
    }

    fn string(&self, (label, offset): (&str, i64)) -> Option<Arc<str>> {
        let start = self.string_labels.get(label)?.checked_add_signed(isize::try_from(offset).ok()?)?;
        let bytes = self.strings.get(start..)?;
        let end = bytes.iter().position(|&byte| byte == 0)?;
        std::str::from_utf8(&bytes[..end]).ok().map(Arc::from)
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
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.')
}

impl<'a> Parser<'a> {
    /// `.file 1 "a.cu"`, with a time and a size after it or not.
    pub(super) fn file(&mut self) -> Result<(), PtxError> {
        self.at += 1;
        let number = self.count("a file number")?;
        let name = self.text("a file name")?;
        self.debug.files.insert(number, Arc::from(name));
        while self.take_mark(b',') {
            self.integer("a time or size")?;
        }
        Ok(())
    }

    /// `.loc 1 22 3, function_name $L__info_string0, inlined_at 1 7 14`: what stands in the body from here on. `line` is
    /// what follows `.loc`.
    pub(super) fn location(&mut self, line: &'a str) -> Result<(), PtxError> {
        let mut fields = Fields(line);
        let [file, line, column] = self.place(&mut fields)?;
        let mut place = Place { file, line, column, function: None, inlined_at: None };
        while fields.take(b',') {
            match fields.word() {
                "function_name" => match fields.word() {
                    "" => return Err(self.error("a function_name without a label")),
                    // `.debug_str+26`: from the section's start.
                    label => {
                        let label = if label.starts_with('.') { "" } else { label };
                        place.function = Some((label, self.label_offset(&mut fields)?));
                    }
                },
                "inlined_at" => {
                    let [file, line, column] = self.place(&mut fields)?;
                    let caller = self.debug.latest.get(&(file, line, column)).copied();
                    place.inlined_at = Some(caller.unwrap_or_else(|| {
                        self.debug.id(Place { file, line, column, function: None, inlined_at: None })
                    }));
                }
                "" => return Err(self.error("expected `function_name` or `inlined_at` in .loc")),
                other => return Err(self.error(format!("unknown attribute {other} of .loc"))),
            }
        }
        if !fields.is_empty() {
            return Err(self.error(format!("`{}` after .loc", fields.0)));
        }
        self.at += 1;
        // Line 0 is how the compiler says that no line stands for what follows.
        self.debug.current = if place.line == 0 { None } else { Some(self.debug.id(place)) };
        Ok(())
    }

    fn place(&self, fields: &mut Fields<'a>) -> Result<[u32; 3], PtxError> {
        let mut number = |what: &str| {
            fields
                .number()
                .ok_or_else(|| self.error(format!("expected a {what} below 2^32 in .loc, came `{}`", fields.0)))
        };
        Ok([number("file number")?, number("line")?, number("column")?])
    }

    /// `+26` behind a label, or nothing.
    fn label_offset(&self, fields: &mut Fields<'a>) -> Result<i64, PtxError> {
        if !fields.take(b'+') {
            return Ok(0);
        }
        let offset = fields.number().map(i64::from);
        offset.ok_or_else(|| self.error(format!("expected an offset in .loc, came `{}`", fields.0)))
    }

    /// `.section .debug_str { ... }`: strings as bytes; other sections are stepped over.
    pub(super) fn section(&mut self) -> Result<(), PtxError> {
        self.at += 1;
        let is_strings = self.peek() == Token::Directive(".debug_str");
        if !matches!(self.next(), Token::Directive(_)) {
            return Err(self.error("a section without a name"));
        }
        self.mark(b'{')?;
        if is_strings {
            self.debug.string_labels.insert("", self.debug.strings.len());
        }
        let mut depth = 1;
        while depth > 0 {
            match self.next() {
                Token::End => return Err(self.error("a section without an end")),
                Token::Mark(b'{') => depth += 1,
                Token::Mark(b'}') => depth -= 1,
                Token::Word(label) if is_strings && self.peek() == Token::Mark(b':') => {
                    self.debug.string_labels.insert(label, self.debug.strings.len());
                }
                Token::Integer(byte) if is_strings => match u8::try_from(byte) {
                    Ok(byte) => self.debug.strings.push(byte),
                    Err(_) => return Err(self.error(format!("{byte} among the bytes of a string"))),
                },
                _ => {}
            }
        }
        Ok(())
    }
}
