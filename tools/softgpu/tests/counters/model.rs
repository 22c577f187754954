//! What a warp's accesses move, by brute force and from the definitions alone; shares nothing with the device.

use std::collections::BTreeSet;

/// Bytes of a warp's access by lane: where each begins, and how many.
#[derive(Clone, Debug)]
pub(crate) struct Warp {
    pub(crate) at: Vec<Option<u64>>,
    pub(crate) width: u64,
}

impl Warp {
    pub(crate) fn lanes(&self) -> u64 {
        self.at.iter().flatten().count() as u64
    }

    /// 32-byte sectors that any of its bytes lies in.
    pub(crate) fn sectors(&self) -> BTreeSet<u64> {
        self.at.iter().flatten().flat_map(|&at| (at..at + self.width).map(|byte| byte / 32)).collect()
    }

    /// The lanes that shared memory serves together: as many as may ask for 128 bytes.
    fn parts(&self) -> impl Iterator<Item = Vec<u64>> {
        let lanes = 128 / self.width.max(4);
        let parts =
            self.at.chunks(usize::try_from(lanes).unwrap()).map(|part| part.iter().flatten().copied().collect());
        parts.filter(|part: &Vec<u64>| !part.is_empty())
    }

    /// Passes over the banks and conflicts: in a pass each bank gives one word, to whoever waits for it.
    pub(crate) fn loads(&self) -> (u64, u64) {
        self.serve(|waiting, word| waiting.retain(|&other| other != word))
    }

    /// The same where a word is given to one lane at a time.
    pub(crate) fn atomics(&self) -> (u64, u64) {
        self.serve(|waiting, word| {
            let first = waiting.iter().position(|&other| other == word).unwrap();
            waiting.swap_remove(first);
        })
    }

    fn serve(&self, take: impl Fn(&mut Vec<u64>, u64)) -> (u64, u64) {
        let (mut passes, mut parts) = (0, 0);
        for part in self.parts() {
            let words = |at: u64| (at..at + self.width).map(|byte| byte / 4).collect::<BTreeSet<_>>();
            let mut waiting: Vec<u64> = part.into_iter().flat_map(words).collect();
            parts += 1;
            while !waiting.is_empty() {
                passes += 1;
                for bank in 0..32 {
                    if let Some(word) = waiting.iter().copied().find(|word| word % 32 == bank) {
                        take(&mut waiting, word);
                    }
                }
            }
        }
        (passes, passes - parts)
    }
}
