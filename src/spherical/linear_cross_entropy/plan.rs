//! How a shape is worked through: the tiles, runs and chunks of `cuda/spherical/spherical.h`, which is the contract.

use super::LinearCrossEntropyConfig;
use crate::Dtype;
use crate::bindings::{LINEAR_FOLD, LINEAR_MOST_RUNS};
use crate::spherical::head::{BUSY_BLOCKS, TILE};

const FOLD: usize = LINEAR_FOLD as usize;

/// Of the gradients of a chunk's logits: so much stays in the L2 cache of the cards with the least of it.
const CHUNK_BYTES: usize = 20 << 20;

/// Tiles, runs and chunks of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) row_tiles: usize,
    /// Tiles of `width`.
    pub(super) width_tiles: usize,
    /// Tiles of classes of a run: by their number alone, so that it changes no bit of a row's outputs.
    pub(super) run_tiles: usize,
    pub(super) runs: usize,
    /// Classes of a chunk: a multiple of `LINEAR_FOLD`, or all tiles of them.
    pub(super) chunk_classes: usize,
    pub(super) chunk_run_tiles: usize,
}

impl Plan {
    pub(super) fn of(config: &LinearCrossEntropyConfig) -> Self {
        let [row_tiles, class_tiles, width_tiles] =
            [config.rows, config.classes, config.width].map(|size| size.div_ceil(TILE));
        let run_tiles = class_tiles.div_ceil(LINEAR_MOST_RUNS as usize);
        let runs = class_tiles.div_ceil(run_tiles);
        // f16 has them in f32 too.
        let element_bytes = config.dtype.size() + if config.dtype == Dtype::F16 { Dtype::F32.size() } else { 0 };
        let folds = CHUNK_BYTES / (element_bytes * config.rows.max(1) * FOLD);
        let chunk_tiles = (folds.max(1) * FOLD / TILE).min(class_tiles);
        let fills = |run: &usize| row_tiles * chunk_tiles.div_ceil(*run) >= BUSY_BLOCKS;
        let chunk_run_tiles = [8, 4, 2].into_iter().find(fills).unwrap_or(1);
        Self { row_tiles, width_tiles, run_tiles, runs, chunk_classes: chunk_tiles * TILE, chunk_run_tiles }
    }

    /// The first class of each chunk, and how many it has.
    pub(super) fn chunks(self, classes: usize) -> impl Iterator<Item = (usize, usize)> {
        let each = self.chunk_classes;
        (0..classes).step_by(each).map(move |begin| (begin, each.min(classes - begin)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(dtype: Dtype, [rows, classes, width]: [usize; 3]) -> Plan {
        Plan::of(&LinearCrossEntropyConfig { dtype, rows, classes, width, ..LinearCrossEntropyConfig::default() })
    }

    #[test]
    fn a_vocabulary_is_cut_into_runs_by_its_classes_and_into_chunks_by_its_rows() {
        let large = plan(Dtype::Bf16, [2048, 30_522, 384]);
        let expected =
            Plan { row_tiles: 16, width_tiles: 3, run_tiles: 2, runs: 120, chunk_classes: 4096, chunk_run_tiles: 1 };
        assert_eq!(large, expected);
        let chunks: Vec<_> = large.chunks(30_522).collect();
        assert_eq!(chunks.len(), 8);
        assert_eq!((chunks[0], chunks[7]), ((0, 4096), (28_672, 1850)));
        let one = plan(Dtype::Bf16, [1, 30_522, 384]);
        assert_eq!((one.run_tiles, one.runs), (large.run_tiles, large.runs));
        assert_eq!(one.chunks(30_522).collect::<Vec<_>>(), [(0, 30_522)]);
    }

    #[test]
    fn a_chunk_is_whole_folds_and_no_run_is_empty() {
        for classes in [1, 128, 129, 16_384, 16_385, 30_522, 1_000_003, i32::MAX as usize] {
            for rows in [0, 1, 128, 5000, i32::MAX as usize] {
                let plan = plan(Dtype::F32, [rows, classes, 7]);
                assert!(plan.runs <= LINEAR_MOST_RUNS as usize && (plan.runs - 1) * plan.run_tiles * TILE < classes);
                let whole = plan.chunk_classes.is_multiple_of(FOLD) && plan.chunk_classes > 0;
                assert!(whole || plan.chunk_classes == classes.next_multiple_of(TILE));
                assert_eq!(plan.chunks(classes).map(|(_, size)| size).sum::<usize>(), classes);
            }
        }
    }
}
