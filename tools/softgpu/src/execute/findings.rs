//! What workers find, put together so that the report does not depend on who found it first.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

use super::{Failure, Launch};
use crate::inspect::finding::{Finding, FindingKind};

/// A finding's place: linear block index, op, linear thread index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) block: u64,
    pub(crate) op: u32,
    pub(crate) thread: u32,
}

#[derive(Debug)]
struct Entry {
    place: Place,
    kind: FindingKind,
    /// Repetitions in the same block, and in others.
    here: u64,
    elsewhere: u64,
}

/// The first finding by block, of each instruction and kind.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    entries: HashMap<(u32, Discriminant<FindingKind>), Entry>,
    /// The first failure by block.
    pub(crate) failure: Option<(u64, Failure)>,
}

impl Findings {
    /// Of two in one block the earlier stays, as `add` is called in the order of execution.
    pub(crate) fn add(&mut self, place: Place, kind: FindingKind) {
        self.merge_entry(Entry { place, kind, here: 0, elsewhere: 0 });
    }

    fn merge_entry(&mut self, mut new: Entry) {
        let key = (new.place.op, discriminant(&new.kind));
        match self.entries.get_mut(&key) {
            None => {
                self.entries.insert(key, new);
            }
            Some(old) => {
                if new.place.block < old.place.block {
                    std::mem::swap(old, &mut new);
                }
                if new.place.block == old.place.block {
                    old.here += new.here + 1;
                    old.elsewhere += new.elsewhere;
                } else {
                    old.elsewhere += new.here + new.elsewhere + 1;
                }
            }
        }
    }

    /// Whether a finding would add nothing but a count, so that its text need not be made.
    pub(crate) fn repeats(&mut self, place: Place, kind: Discriminant<FindingKind>) -> bool {
        match self.entries.get_mut(&(place.op, kind)) {
            Some(entry) if entry.place.block == place.block => {
                entry.here += 1;
                true
            }
            Some(entry) if entry.place.block < place.block => {
                entry.elsewhere += 1;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn fail(&mut self, block: u64, failure: Failure) {
        if self.failure.is_none_or(|(first, _)| block < first) {
            self.failure = Some((block, failure));
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for entry in other.entries.into_values() {
            self.merge_entry(entry);
        }
        if let Some((block, failure)) = other.failure {
            self.fail(block, failure);
        }
    }

    /// In the order of blocks, those beyond the first failure left out: whether their blocks ran is chance.
    pub(crate) fn report(self, launch: &Launch<'_>) -> (Vec<Finding>, Option<Failure>) {
        let last = self.failure.map_or(u64::MAX, |(block, _)| block);
        let mut entries: Vec<_> = self.entries.into_values().filter(|entry| entry.place.block <= last).collect();
        entries.sort_by_key(|entry| entry.place);
        entries.truncate(launch.settings.findings);
        let module = launch.module;
        let failed = self.failure.is_some();
        let findings = entries.into_iter().map(|Entry { place, kind, here, elsewhere }| {
            let (ptx_line, instruction) = module.instruction(place.op);
            Finding {
                kind,
                kernel: module.program.functions[launch.function as usize].name.to_string(),
                ptx_line,
                instruction,
                source: module.source(place.op),
                block: unflatten(place.block, launch.grid),
                thread: unflatten(u64::from(place.thread), launch.block),
                // Of a launch that failed, how far the other blocks came is chance as well.
                repeated: if failed { here } else { here + elsewhere },
            }
        });
        (findings.collect(), self.failure.map(|(_, failure)| failure))
    }
}

/// x, y, z of a linear index.
pub(crate) fn unflatten(index: u64, [x, y, _]: [u32; 3]) -> [u32; 3] {
    let (x, y) = (u64::from(x), u64::from(y));
    [(index % x) as u32, (index / x % y) as u32, (index / (x * y)) as u32]
}
