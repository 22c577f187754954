//! Changes to texts, by tokens and by lines, and to bytes.

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

/// A text as its tokens: words with what hangs on them by dots, numbers, marks, and the space between.
#[derive(Clone)]
pub(crate) struct Text<'a>(Vec<&'a str>);

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'%' | b'.' | b':')
}

/// Numbers at which sizes, counts and addresses turn.
const NUMBERS: [&str; 28] = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "8",
    "15",
    "16",
    "31",
    "32",
    "33",
    "64",
    "255",
    "1024",
    "4096",
    "65535",
    "65536",
    "524288",
    "1048576",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "281474976710656",
    "9223372036854775807",
    "18446744073709551615",
    "0f7FC00000",
    "0d7FF0000000000000",
];

const MARKS: [&str; 20] =
    [";", ",", "{", "}", "(", ")", "[", "]", "<", ">", "@", "!", "|", "+", "-", ":", "=", "_", "\"", "/*"];

const WORDS: [&str; 40] = [
    ".b8",
    ".b16",
    ".b32",
    ".b64",
    ".b128",
    ".u32",
    ".s64",
    ".f16",
    ".f32",
    ".f64",
    ".pred",
    ".v2",
    ".v4",
    ".align",
    ".reg",
    ".local",
    ".shared",
    ".global",
    ".const",
    ".param",
    ".extern",
    ".visible",
    ".entry",
    ".func",
    ".loc",
    ".file",
    ".section",
    ".pragma",
    ".maxntid",
    ".reqntid",
    ".branchtargets",
    ".callprototype",
    "%tid.x",
    "%ntid.x",
    "%laneid",
    "%clock64",
    "%lanemask_lt",
    "WARP_SZ",
    "generic",
    "%envreg3",
];

/// What texts are changed into: the tokens of other texts, and opcodes.
pub(crate) struct Material<'a> {
    pub(crate) texts: Vec<Text<'a>>,
    pub(crate) opcodes: Vec<&'a str>,
}

impl<'a> Text<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let (mut tokens, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let word = is_word(bytes[at]);
            let end =
                if word { (at..bytes.len()).find(|&i| !is_word(bytes[i])).unwrap_or(bytes.len()) } else { at + 1 };
            // Of ASCII alone, as the seeds are.
            tokens.push(&text[at..end]);
            at = end;
        }
        Self(tokens)
    }

    pub(crate) fn text(&self) -> Vec<u8> {
        self.0.concat().into_bytes()
    }

    /// A line's tokens, its end with it.
    fn line(&self, rng: &mut SmallRng) -> std::ops::Range<usize> {
        let at = rng.random_range(0..self.0.len().max(1));
        let ends = |token: &str| token == "\n";
        let first = self.0[..at.min(self.0.len())].iter().rposition(|t| ends(t)).map_or(0, |end| end + 1);
        let end = self.0[first..].iter().position(|t| ends(t)).map_or(self.0.len(), |length| first + length + 1);
        first..end
    }

    /// One change.
    pub(crate) fn mutate(&mut self, rng: &mut SmallRng, material: &Material<'a>) {
        if self.0.is_empty() {
            return;
        }
        let at = rng.random_range(0..self.0.len());
        match rng.random_range(0..20) {
            0 => drop(self.0.remove(at)),
            1 => self.0.insert(at, self.0[at]),
            2 => {
                let other = rng.random_range(0..self.0.len());
                self.0.swap(at, other);
            }
            // A token of this text, mostly of the same kind: another register, another label.
            3..=6 => {
                let kind = self.0[at].as_bytes()[0];
                let from = rng.random_range(0..self.0.len());
                let (before, after) = self.0.split_at(from);
                let alike =
                    after.iter().chain(before).find(|token| token.as_bytes()[0] == kind && **token != self.0[at]);
                self.0[at] = alike.copied().unwrap_or(self.0[from]);
            }
            7 => self.0[at] = MARKS.choose(rng).expect("there are marks"),
            8 => self.0[at] = WORDS.choose(rng).expect("there are words"),
            9 => self.0.insert(at, WORDS.choose(rng).expect("there are words")),
            10..=11 => {
                // A number, if one is near.
                let near = self.0[at..].iter().position(|token| token.as_bytes()[0].is_ascii_digit());
                self.0[near.map_or(at, |near| at + near)] = NUMBERS.choose(rng).expect("there are numbers");
            }
            // Another instruction with the same operands, or with those of its own.
            12..=14 => {
                let near = self.0[at..].iter().position(|token| material.opcodes.binary_search(token).is_ok());
                let near = near.map_or(at, |near| at + near);
                let opcode = material.opcodes.choose(rng).expect("there are opcodes");
                let base = |opcode: &'a str| opcode.split('.').next().unwrap_or(opcode);
                let alike = rng.random_range(0..material.opcodes.len());
                let (before, after) = material.opcodes.split_at(alike);
                let mut others = after.iter().chain(before);
                let alike = others.find(|other| base(other) == base(self.0[near]));
                self.0[near] = if rng.random() { alike.unwrap_or(opcode) } else { opcode };
            }
            15 => drop(self.0.drain(self.line(rng))),
            16 => {
                let line = self.0[self.line(rng)].to_vec();
                let times = if rng.random_ratio(1, 16) { rng.random_range(2..64) } else { 1 };
                let to = self.line(rng).start;
                (0..times).for_each(|_| drop(self.0.splice(to..to, line.iter().copied())));
            }
            17 => {
                let line: Vec<&str> = self.0.drain(self.line(rng)).collect();
                if !self.0.is_empty() {
                    let to = self.line(rng).start;
                    self.0.splice(to..to, line);
                }
            }
            18 => {
                let Some(other) = material.texts.choose(rng) else { return };
                let line = other.0[other.line(rng)].to_vec();
                let to = self.line(rng).start;
                self.0.splice(to..to, line);
            }
            _ => {
                // The rest of another text.
                let Some(other) = material.texts.choose(rng) else { return };
                let from = other.line(rng).start;
                let to = self.line(rng).start;
                self.0.truncate(to);
                self.0.extend_from_slice(&other.0[from..]);
            }
        }
    }
}

/// One change to bytes.
pub(crate) fn mutate_bytes(bytes: &mut Vec<u8>, rng: &mut SmallRng) {
    if bytes.is_empty() {
        return bytes.push(rng.random());
    }
    let at = rng.random_range(0..bytes.len());
    match rng.random_range(0..10) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = rng.random(),
        2 => bytes[at] = *[0, 1, 0x7f, 0x80, 0xff].choose(rng).expect("there are bytes"),
        3 => bytes.truncate(at),
        4 => bytes.insert(at, rng.random()),
        5 => drop(bytes.remove(at)),
        6 => {
            let end = rng.random_range(at..bytes.len().min(at + 64) + usize::from(at + 64 > bytes.len()));
            drop(bytes.drain(at..end.min(bytes.len())));
        }
        7 => {
            let end = (at + rng.random_range(1..64)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            let to = rng.random_range(0..bytes.len());
            bytes.splice(to..to, piece);
        }
        // A number of 2, 4 or 8 bytes, at its place.
        _ => {
            let width = 2usize << rng.random_range(0..3);
            let value = match rng.random_range(0..4) {
                0 => 1u64 << rng.random_range(0..64),
                1 => (1u64 << rng.random_range(0..64)).wrapping_sub(1),
                2 => rng.random_range(0..256),
                _ => rng.random(),
            };
            let at = at / width * width;
            let end = (at + width).min(bytes.len());
            bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
        }
    }
}
