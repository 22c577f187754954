//! How the Gram of a shape is cut: the pairs, splits and slices of `cuda/spherical/linear.h`, which is the contract.

use crate::bindings::{LINEAR_FOLD, LINEAR_PART_ROWS, LINEAR_THREADS};
use crate::spherical::head::{BUSY_BLOCKS, TILE};

const FOLD: usize = LINEAR_FOLD as usize;
/// Classes of a slice of the column sums, at least; and the most slices.
const SLICE_CLASSES: usize = 256;
const MOST_SLICES: usize = 64;

/// By D and d alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Tiles of the Gram on or above its diagonal.
    pub(super) pairs: usize,
    pub(super) splits: usize,
    pub(super) split_classes: usize,
    pub(super) slices: usize,
    /// Blocks of threads by column.
    pub(super) column_blocks: usize,
}

impl Plan {
    pub(super) fn of(classes: usize, width: usize) -> Self {
        let tiles = width.div_ceil(TILE);
        let pairs = tiles * (tiles + 1) / 2;
        let folds = classes.div_ceil(FOLD);
        let most = BUSY_BLOCKS.div_ceil(pairs);
        let split_classes = folds.div_ceil(folds.min(most)) * FOLD;
        Self {
            pairs,
            splits: classes.div_ceil(split_classes),
            split_classes,
            slices: classes.div_ceil(SLICE_CLASSES).min(MOST_SLICES),
            column_blocks: width.div_ceil(LINEAR_THREADS as usize),
        }
    }

    /// Blocks of `linear_finish`.
    pub(super) fn finish_blocks(self, forms_gram: bool) -> usize {
        let of_a_pair = TILE / LINEAR_PART_ROWS as usize;
        if forms_gram { self.pairs * of_a_pair + self.column_blocks } else { self.column_blocks }
    }

    /// Bytes of the splits' tiles.
    pub(super) fn partial_bytes(self) -> usize {
        4 * TILE * TILE * self.pairs * self.splits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_cover_the_classes_and_fill_the_card() {
        for classes in [1, 2048, 2049, 30_522, 256_000, i32::MAX as usize] {
            for width in [1, 128, 129, 512, 4096] {
                let plan = Plan::of(classes, width);
                assert!(
                    plan.splits * plan.split_classes >= classes && (plan.splits - 1) * plan.split_classes < classes
                );
                assert!(plan.split_classes.is_multiple_of(FOLD) && plan.slices >= 1);
                assert!(plan.splits == 1 || plan.pairs * plan.splits < 2 * BUSY_BLOCKS, "{classes} {width} {plan:?}");
            }
        }
        let expected = Plan { pairs: 10, splits: 42, split_classes: 6144, slices: 64, column_blocks: 2 };
        assert_eq!(Plan::of(256_000, 512), expected);
        assert_eq!((expected.finish_blocks(true), expected.finish_blocks(false)), (82, 2));
        assert_eq!(expected.partial_bytes(), 420 << 16);
    }
}
