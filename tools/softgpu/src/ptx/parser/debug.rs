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

impl Parser<'_> {
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

    /// `.loc 1 22 3, function_name $L__info_string0, inlined_at 1 7 14`: what stands in the body from here on.
    pub(super) fn location(&mut self) -> Result<(), PtxError> {
        self.at += 1;
        let [file, line, column] = self.place()?;
        let mut place = Place { file, line, column, function: None, inlined_at: None };
        while self.take_mark(b',') {
            match self.word("`function_name` or `inlined_at`")? {
                "function_name" => {
                    let label = match self.next() {
                        Token::Word(label) => label,
                        // `.debug_str+26`: from the section's start.
                        Token::Directive(_) => "",
                        _ => return Err(self.error("a function_name without a label")),
                    };
                    place.function = Some((label, self.offset()?));
                }
                "inlined_at" => {
                    let [file, line, column] = self.place()?;
                    let caller = self.debug.latest.get(&(file, line, column)).copied();
                    place.inlined_at = Some(caller.unwrap_or_else(|| {
                        self.debug.id(Place { file, line, column, function: None, inlined_at: None })
                    }));
                }
                other => return Err(self.error(format!("unknown attribute {other} of .loc"))),
            }
        }
        // Line 0 is how the compiler says that no line stands for what follows.
        self.debug.current = if place.line == 0 { None } else { Some(self.debug.id(place)) };
        Ok(())
    }

    fn place(&mut self) -> Result<[u32; 3], PtxError> {
        Ok([self.count("a file number")?, self.count("a line")?, self.count("a column")?])
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
