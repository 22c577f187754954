//! A dimension of a tensor's shape, as the cards write it: `B`, `S+1`, `2N`, `1`.

use std::fmt;

/// A dimension of a shape, by the letters of the operation's sizes. Displayed as the cards write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dimension {
    /// The size of this letter.
    Of(&'static str),
    /// So many more: the bounds of S consecutive parts are S+1.
    More(&'static str, usize),
    /// So many times the size.
    Times(usize, &'static str),
    /// Always so many.
    Exactly(usize),
}

impl Dimension {
    /// The letter, where there is one.
    pub const fn letter(self) -> Option<&'static str> {
        match self {
            Self::Of(letter) | Self::More(letter, _) | Self::Times(_, letter) => Some(letter),
            Self::Exactly(_) => None,
        }
    }

    /// The dimension where the letter, if there is one, stands for `size`.
    pub const fn at(self, size: usize) -> usize {
        match self {
            Self::Of(_) => size,
            Self::More(_, more) => size.saturating_add(more),
            Self::Times(times, _) => size.saturating_mul(times),
            Self::Exactly(exactly) => exactly,
        }
    }

    /// What the letter stands for where the dimension is `came`; none where it cannot be. Without a letter: `came`, where
    /// it is right.
    pub const fn size(self, came: usize) -> Option<usize> {
        match self {
            Self::Of(_) => Some(came),
            Self::More(_, more) => came.checked_sub(more),
            Self::Times(times, _) => {
                if came.is_multiple_of(times) {
                    Some(came / times)
                } else {
                    None
                }
            }
            Self::Exactly(exactly) => {
                if came == exactly {
                    Some(came)
                } else {
                    None
                }
            }
        }
    }

    /// Several as one text.
    pub fn join(dimensions: &[Self], separator: &str) -> String {
        dimensions.iter().map(Self::to_string).collect::<Vec<_>>().join(separator)
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(letter) => f.write_str(letter),
            Self::More(letter, more) => write!(f, "{letter}+{more}"),
            Self::Times(times, letter) => write!(f, "{times}{letter}"),
            Self::Exactly(exactly) => exactly.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_is_its_letter_and_what_is_done_to_it() {
        for (dimension, text, letter, size, came) in [
            (Dimension::Of("B"), "B", Some("B"), 7, 7),
            (Dimension::More("S", 1), "S+1", Some("S"), 0, 1),
            (Dimension::Times(2, "N"), "2N", Some("N"), 5, 10),
            (Dimension::Exactly(1), "1", None, 1, 1),
        ] {
            assert_eq!((dimension.to_string().as_str(), dimension.letter()), (text, letter));
            assert_eq!((dimension.at(size), dimension.size(came)), (came, Some(size)));
        }
        assert_eq!(Dimension::join(&[Dimension::Of("N"), Dimension::Exactly(3)], ", "), "N, 3");
    }

    #[test]
    fn what_no_size_gives_is_refused() {
        assert_eq!(Dimension::More("S", 1).size(0), None);
        assert_eq!(Dimension::Times(2, "N").size(3), None);
        assert_eq!(Dimension::Exactly(1).size(2), None);
    }
}
