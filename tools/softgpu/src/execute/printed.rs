//! What kernels print, kept as a card keeps it: in a circular buffer, so that of too much the last bytes stay (CUDA
//! Programming Guide, "Formatted Output: Limitations").

use std::collections::BTreeMap;

/// Texts by block, in whose order they are read; of more than `most` bytes at least the last `most` in that order. (Of a
/// launch that fails, blocks behind the failure may so have taken the place of what blocks before it printed.)
#[derive(Debug)]
pub(crate) struct Printed {
    most: usize,
    bytes: usize,
    of_blocks: BTreeMap<u64, String>,
}

impl Printed {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, bytes: 0, of_blocks: BTreeMap::new() }
    }

    /// Appends to what a block has printed.
    pub(crate) fn push(&mut self, block: u64, text: &str) {
        self.of_blocks.entry(block).or_default().push_str(text);
        self.bytes += text.len();
        // Not at every push, as cutting moves what stays.
        if self.bytes / 2 > self.most {
            self.trim();
        }
    }

    fn trim(&mut self) {
        while let Some(mut first) = self.of_blocks.first_entry()
            && self.bytes > self.most
        {
            let text = first.get_mut();
            let rest = last_bytes(text, text.len().saturating_sub(self.bytes - self.most));
            self.bytes -= text.len() - rest.len();
            if rest.is_empty() {
                first.remove();
            } else {
                *text = rest.to_owned();
            }
        }
    }

    /// Takes over what another worker's blocks up to `last` have printed.
    pub(crate) fn merge(&mut self, other: &Self, last: u64) {
        other.of_blocks.range(..=last).for_each(|(&block, text)| self.push(block, text));
    }

    /// The last bytes.
    pub(crate) fn into_text(mut self) -> String {
        self.trim();
        self.of_blocks.into_values().collect()
    }
}

/// The last bytes of a text, whole characters, at most so many.
fn last_bytes(text: &str, most: usize) -> &str {
    let mut first = text.len().saturating_sub(most);
    while !text.is_char_boundary(first) {
        first += 1;
    }
    &text[first..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_in_the_order_of_blocks_stay() {
        let mut printed = Printed::new(6);
        for (block, text) in [(1, "abc"), (0, "xyz"), (1, "def"), (2, "gh"), (0, "-----------")] {
            printed.push(block, text);
        }
        assert!(printed.bytes <= 12);
        let mut other = Printed::new(6);
        other.push(3, "i");
        other.push(9, "behind");
        printed.merge(&other, 3);
        assert_eq!(printed.into_text(), "defghi");
    }

    #[test]
    fn characters_stay_whole() {
        let mut printed = Printed::new(4);
        printed.push(0, "abß·");
        printed.push(0, "c");
        assert_eq!(printed.into_text(), "·c");
        let mut none = Printed::new(0);
        none.push(0, "abc");
        assert_eq!(none.into_text(), "");
    }
}
