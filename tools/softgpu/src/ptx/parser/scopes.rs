//! The names of a function's body, by the scopes that they are declared in.

use rustc_hash::FxHashMap;

use super::PtxError;
use super::tokens::Tokens;
use super::variables::index;
use crate::ptx::ast::{LabelId, Register, RegisterId, Scope, Type, VariableId};

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

impl<'a> Scopes<'a> {
    pub(super) fn open(&mut self) {
        self.0.push(NameScope::default());
    }

    pub(super) fn close(&mut self) {
        self.0.pop();
    }

    /// How many are open.
    pub(super) fn depth(&self) -> usize {
        self.0.len()
    }

    /// Enters a name into the innermost scope.
    pub(super) fn declare(
        &mut self,
        tokens: &Tokens<'a>,
        name: &'a str,
        meaning: Name,
        line: u32,
    ) -> Result<(), PtxError> {
        let Some(scope) = self.0.last_mut() else { return Ok(()) };
        if scope.names.insert(name, meaning).is_some() {
            return Err(tokens.error_at(line, format!("{name} declared twice in one scope")));
        }
        Ok(())
    }

    /// Enters `count` registers into the innermost scope, named by their numbers behind a prefix.
    pub(super) fn declare_range(&mut self, prefix: &'a str, count: u32, kind: Type) {
        if let Some(scope) = self.0.last_mut() {
            scope.ranges.push(Range { prefix, count, kind, registers: Vec::new() });
        }
    }

    /// What a name of `source` stands for. A register that is named for the first time comes to be in `registers`.
    pub(super) fn find(&mut self, source: &str, name: &'a str, registers: &mut Vec<Register>) -> Option<Name> {
        let numbered = split_number(name);
        for scope in self.0.iter_mut().rev() {
            // Most names are registers of a range, and need no hash.
            let range = numbered.and_then(|(prefix, number)| {
                let range =
                    scope.ranges.iter_mut().find(|range| number < range.count && is_same(range.prefix, prefix))?;
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
                let id = index(registers);
                registers.push(Register { name: place_in(source, name), kind: range.kind });
                let number = number as usize;
                if number < 2 * registers.len() + AHEAD {
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
}

/// Whether two short words are the same: a loop over two or three bytes takes less than a call for any number of them.
#[inline]
fn is_same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| a == b)
}

/// `%r12` as `%r` and 12; a number is written without leading zeros.
#[inline]
fn split_number(name: &str) -> Option<(&str, u32)> {
    let (mut number, mut unit) = (0u64, 1u64);
    let mut start = name.len();
    while let Some(digit) = start.checked_sub(1).map(|at| name.as_bytes()[at].wrapping_sub(b'0'))
        && digit < 10
    {
        // Ten digits and fewer: a longer number is none of a register.
        if name.len() - start == 10 {
            return None;
        }
        start -= 1;
        number += u64::from(digit) * unit;
        unit *= 10;
    }
    let leads_with_zero = name.len() - start > 1 && name.as_bytes()[start] == b'0';
    if start == name.len() || leads_with_zero {
        return None;
    }
    Some((&name[..start], u32::try_from(number).ok()?))
}

/// Where a piece of the text stands in it.
pub(super) fn place_in(source: &str, piece: &str) -> std::ops::Range<u32> {
    let start = u32::try_from(piece.as_ptr().addr() - source.as_ptr().addr()).unwrap_or(u32::MAX);
    start..start.saturating_add(u32::try_from(piece.len()).unwrap_or(0))
}
