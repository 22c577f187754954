//! Bytes of PTX text to tokens.

use rustc_hash::FxHashMap;

use super::PtxError;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    /// An identifier or an opcode, with what hangs on it by dots: `%r1`, `$L__BB0_2`, `ld.global.L2::128B.f32`, `%tid.x`.
    Word(&'a str),
    /// `.reg`, with its dot.
    Directive(&'a str),
    /// What follows `.loc` on its line. Nearly half of a text with `-lineinfo` is such lines, so that each is one token;
    /// nothing in it is needed until its statement is parsed.
    Location(&'a str),
    /// An integer literal's bits; the sign is a token of its own.
    Integer(u64),
    /// `0f3F800000`.
    F32(u32),
    /// `0d3FF0000000000000`, or a decimal literal with a point or an exponent.
    F64(u64),
    /// Without its quotes.
    Text(&'a str),
    /// `;`, `{`, `@` and the like.
    Mark(u8),
    End,
}

/// A token as it is made and kept: half as large, for there are hundreds of thousands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexeme {
    /// Of a number its bits, of a text its start and, in the upper half, its length.
    payload: u64,
    /// From 1.
    pub(super) line: u32,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Word,
    Directive,
    Location,
    Integer,
    F32,
    F64,
    Text,
    Mark,
    End,
}

impl Lexeme {
    #[inline(always)]
    pub(super) fn is_mark(&self, byte: u8) -> bool {
        self.kind == Kind::Mark && self.payload == u64::from(byte)
    }

    /// `source` is the text that was lexed.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the payload is taken apart")]
    pub(super) fn token<'a>(&self, source: &'a str) -> Token<'a> {
        let text = || {
            let start = self.payload as u32 as usize;
            &source[start..start + (self.payload >> 32) as usize]
        };
        match self.kind {
            Kind::Word => Token::Word(text()),
            Kind::Directive => Token::Directive(text()),
            Kind::Location => Token::Location(text()),
            Kind::Integer => Token::Integer(self.payload),
            Kind::F32 => Token::F32(self.payload as u32),
            Kind::F64 => Token::F64(self.payload),
            Kind::Text => Token::Text(text()),
            Kind::Mark => Token::Mark(self.payload as u8),
            Kind::End => Token::End,
        }
    }
}

/// The tokens of a text.
pub(super) struct Lexed {
    /// Ended by [`Token::End`].
    pub(super) lexemes: Vec<Lexeme>,
    /// By the lexeme of an opening brace, the lexemes of the labels directly in it: they may be used before they come.
    pub(super) labels: FxHashMap<usize, Vec<usize>>,
    /// By the lexeme of an opening brace that is in no other, the lexeme of its closing one.
    pub(super) ends: FxHashMap<usize, usize>,
    /// `.global` and `.const` within braces, ascending: variables that outlive the function they are declared in.
    pub(super) statics: Vec<usize>,
}

/// All tokens of `source`.
pub(super) fn lex(source: &str) -> Result<Lexed, PtxError> {
    if u32::try_from(source.len()).is_err() {
        return Err(PtxError::new(source, 1, "a text of 4 GiB or more"));
    }
    let mut lexer = Lexer { source, bytes: source.as_bytes(), at: 0, line: 1 };
    let mut lexed = Lexed {
        lexemes: Vec::with_capacity(source.len() / 6),
        labels: FxHashMap::default(),
        ends: FxHashMap::default(),
        statics: Vec::new(),
    };
    let mut open = Vec::new();
    loop {
        lexer.skip_space()?;
        let line = lexer.line;
        let (kind, payload) = lexer.token()?;
        let at = lexed.lexemes.len();
        match kind {
            Kind::Mark if payload == u64::from(b'{') => open.push(at),
            Kind::Mark if payload == u64::from(b'}') => {
                if let (Some(brace), true) = (open.pop(), open.is_empty()) {
                    lexed.ends.insert(brace, at);
                }
            }
            Kind::Mark
                if payload == u64::from(b':') && lexed.lexemes.last().is_some_and(|last| last.kind == Kind::Word) =>
            {
                if let Some(&brace) = open.last() {
                    lexed.labels.entry(brace).or_default().push(at - 1);
                }
            }
            Kind::Directive if !open.is_empty() => {
                let lexeme = Lexeme { payload, line, kind };
                if matches!(lexeme.token(source), Token::Directive(".global" | ".const")) {
                    lexed.statics.push(at);
                }
            }
            _ => {}
        }
        lexed.lexemes.push(Lexeme { payload, line, kind });
        if kind == Kind::End {
            return Ok(lexed);
        }
    }
}

/// What a lexeme keeps of a piece of the text.
#[inline(always)]
fn piece(start: usize, end: usize) -> u64 {
    start as u64 | ((end - start) as u64) << 32
}

struct Lexer<'a> {
    source: &'a str,
    bytes: &'a [u8],
    /// Always on a character's first byte: what is stepped over one byte at a time is ASCII.
    at: usize,
    line: u32,
}

/// What may follow in an identifier.
fn follows(byte: u8) -> bool {
    static FOLLOWS: [bool; 256] = {
        let mut follows = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            follows[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_' || byte as u8 == b'$';
            byte += 1;
        }
        follows
    };
    FOLLOWS[usize::from(byte)]
}

impl Lexer<'_> {
    fn error(&self, what: impl Into<String>) -> PtxError {
        PtxError::new(self.source, self.line, what)
    }

    #[inline(always)]
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_space(&mut self) -> Result<(), PtxError> {
        loop {
            match self.peek(0) {
                b'\n' => {
                    self.line += 1;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'/' if self.peek(1) == b'/' => {
                    let rest = &self.bytes[self.at..];
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                }
                b'/' if self.peek(1) == b'*' => {
                    let Some(length) = self.source[self.at + 2..].find("*/") else {
                        return Err(self.error("a comment without an end"));
                    };
                    let comment = &self.bytes[self.at..self.at + 2 + length];
                    self.line += comment.iter().map(|&byte| u32::from(byte == b'\n')).sum::<u32>();
                    self.at += length + 4;
                }
                _ => return Ok(()),
            }
        }
    }

    #[inline(always)]
    fn token(&mut self) -> Result<(Kind, u64), PtxError> {
        let Some(&byte) = self.bytes.get(self.at) else { return Ok((Kind::End, 0)) };
        let start = self.at;
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | b'%' => {
                self.at += 1;
                self.skip_suffix(true);
                Ok((Kind::Word, piece(start, self.at)))
            }
            b'.' if follows(self.peek(1)) => {
                self.at += 1;
                self.skip_suffix(false);
                if &self.bytes[start..self.at] != b".loc" {
                    return Ok((Kind::Directive, piece(start, self.at)));
                }
                let start = self.at;
                self.skip_rest_of_line();
                Ok((Kind::Location, piece(start, self.at)))
            }
            b'0'..=b'9' => self.number(),
            b'"' => {
                let rest = &self.bytes[start + 1..];
                match memchr::memchr2(b'"', b'\n', rest) {
                    Some(length) if rest[length] == b'"' => {
                        self.at += length + 2;
                        Ok((Kind::Text, piece(start + 1, start + 1 + length)))
                    }
                    _ => Err(self.error("a string without an end")),
                }
            }
            b';' | b',' | b'{' | b'}' | b'(' | b')' | b'[' | b']' | b'<' | b'>' | b'@' | b'!' | b'|' | b'+' | b'-'
            | b':' | b'=' => {
                self.at += 1;
                Ok((Kind::Mark, u64::from(byte)))
            }
            _ => {
                let character = self.source[self.at..].chars().next().unwrap_or('\u{fffd}');
                Err(self.error(format!("an unexpected character {character:?}")))
            }
        }
    }

    /// Up to the end of the line or to a comment.
    fn skip_rest_of_line(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += memchr::memchr2(b'\n', b'/', rest).unwrap_or(rest.len());
    }

    /// Letters and digits, `::` between them, and with `dots` what follows by a dot.
    fn skip_suffix(&mut self, dots: bool) {
        loop {
            let rest = &self.bytes[self.at..];
            self.at += rest.iter().position(|&byte| !follows(byte)).unwrap_or(rest.len());
            match self.peek(0) {
                b'.' if dots && follows(self.peek(1)) => self.at += 2,
                b':' if self.peek(1) == b':' && follows(self.peek(2)) => self.at += 3,
                _ => return,
            }
        }
    }

    fn number(&mut self) -> Result<(Kind, u64), PtxError> {
        let start = self.at;
        let prefix = if self.peek(0) == b'0' { self.peek(1) } else { 0 };
        while self.peek(0).is_ascii_alphanumeric() {
            self.at += 1;
        }
        // A decimal float: the point, and a sign that follows an exponent's letter.
        let is_float = self.peek(0) == b'.'
            || (!matches!(prefix, b'x' | b'X' | b'f' | b'F' | b'd' | b'D' | b'b' | b'B')
                && self.source[start..self.at].contains(['e', 'E']));
        if is_float {
            while self.peek(0).is_ascii_alphanumeric()
                || self.peek(0) == b'.'
                || (matches!(self.peek(0), b'+' | b'-') && matches!(self.bytes[self.at - 1], b'e' | b'E'))
            {
                self.at += 1;
            }
            let text = &self.source[start..self.at];
            return match text.parse::<f64>() {
                Ok(value) => Ok((Kind::F64, value.to_bits())),
                Err(_) => Err(self.error(format!("a malformed number {text}"))),
            };
        }
        let text = &self.source[start..self.at];
        let digits = |from: usize, radix: u32, exactly: Option<usize>| {
            let digits = text.get(from..).unwrap_or("");
            if exactly.is_some_and(|count| count != digits.len()) {
                return None;
            }
            u64::from_str_radix(digits, radix).ok()
        };
        let unsigned = text.strip_suffix('U').unwrap_or(text);
        let integer = |from: usize, radix: u32| u64::from_str_radix(unsigned.get(from..).unwrap_or(""), radix).ok();
        let token = match prefix {
            b'f' | b'F' => digits(2, 16, Some(8)).map(|bits| (Kind::F32, bits)),
            b'd' | b'D' => digits(2, 16, Some(16)).map(|bits| (Kind::F64, bits)),
            b'x' | b'X' => integer(2, 16).map(|bits| (Kind::Integer, bits)),
            b'b' | b'B' => integer(2, 2).map(|bits| (Kind::Integer, bits)),
            b'0'..=b'9' => integer(1, 8).map(|bits| (Kind::Integer, bits)),
            _ => integer(0, 10).map(|bits| (Kind::Integer, bits)),
        };
        token.ok_or_else(|| self.error(format!("a malformed number {text}")))
    }
}
