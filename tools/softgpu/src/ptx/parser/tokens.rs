//! A place in the lexemes of a text, and how they are read from there.

use super::PtxError;
use crate::ptx::lexer::{Lexed, Token};

/// What is read next, and what all of it is.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    pub(super) source: &'a str,
    pub(super) lexed: &'a Lexed,
    /// Index of the lexeme that is next.
    pub(super) at: usize,
}

impl<'a> Tokens<'a> {
    #[inline]
    pub(super) fn peek(&self) -> Token<'a> {
        self.lexed.lexemes[self.at].token(self.source)
    }

    /// Whether the token behind the next is this mark.
    #[inline]
    pub(super) fn has_mark_after(&self, byte: u8) -> bool {
        self.lexed.lexemes.get(self.at + 1).is_some_and(|lexeme| lexeme.is_mark(byte))
    }

    pub(super) fn line(&self) -> u32 {
        self.lexed.lexemes[self.at].line
    }

    /// The token here; the end of the text is never stepped over.
    pub(super) fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        if token != Token::End {
            self.at += 1;
        }
        token
    }

    pub(super) fn error_at(&self, line: u32, what: impl Into<String>) -> PtxError {
        PtxError::new(self.source, line, what)
    }

    pub(super) fn error(&self, what: impl Into<String>) -> PtxError {
        self.error_at(self.line(), what)
    }

    pub(super) fn expected(&self, what: &str) -> PtxError {
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

    pub(super) fn mark(&mut self, byte: u8) -> Result<(), PtxError> {
        if self.take_mark(byte) { Ok(()) } else { Err(self.expected(&format!("`{}`", char::from(byte)))) }
    }

    #[inline]
    pub(super) fn at_mark(&self, byte: u8) -> bool {
        self.lexed.lexemes[self.at].is_mark(byte)
    }

    #[inline]
    pub(super) fn take_mark(&mut self, byte: u8) -> bool {
        let found = self.at_mark(byte);
        if found {
            self.at += 1;
        }
        found
    }

    pub(super) fn take_directive(&mut self, name: &str) -> bool {
        let found = self.peek() == Token::Directive(name);
        if found {
            self.at += 1;
        }
        found
    }

    pub(super) fn word(&mut self, what: &str) -> Result<&'a str, PtxError> {
        if let Token::Word(word) = self.peek() {
            self.at += 1;
            Ok(word)
        } else {
            Err(self.expected(what))
        }
    }

    pub(super) fn text(&mut self, what: &str) -> Result<&'a str, PtxError> {
        if let Token::Text(text) = self.peek() {
            self.at += 1;
            Ok(text)
        } else {
            Err(self.expected(what))
        }
    }

    pub(super) fn integer(&mut self, what: &str) -> Result<u64, PtxError> {
        if let Token::Integer(value) = self.peek() {
            self.at += 1;
            Ok(value)
        } else {
            Err(self.expected(what))
        }
    }

    pub(super) fn count(&mut self, what: &str) -> Result<u32, PtxError> {
        let line = self.line();
        let value = self.integer(what)?;
        u32::try_from(value).map_err(|_| self.error_at(line, format!("{what} is {value}, more than 2^32 - 1")))
    }

    pub(super) fn pragma(&mut self) -> Result<(), PtxError> {
        self.at += 1;
        self.text("a pragma's text")?;
        while self.take_mark(b',') {
            self.text("a pragma's text")?;
        }
        self.mark(b';')
    }
}
