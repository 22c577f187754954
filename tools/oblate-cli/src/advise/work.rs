//! What a step of each head moves and executes, by formulas that a test holds against the counts of the software device.

use std::collections::BTreeMap;

use oblate::Dtype;
use serde::Serialize;

use super::Shape;

/// What one step moves and executes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Work {
    /// Kernel launches.
    pub launches: f64,
    /// Bytes of the sectors that each launch reads, and of those that it writes, each once.
    pub bytes: f64,
    /// Operations of the tensor cores by the type of the factors, two a product.
    pub tensor: BTreeMap<&'static str, f64>,
    /// Warp instructions. The factors of its terms are fitted to counts.
    pub instructions: f64,
    /// Unknowns of a dense system that one block eliminates, and that a thread then solves for each column.
    pub unknowns: f64,
}

impl Work {
    /// Barriers of the block that eliminates: three a column.
    pub fn barriers(&self) -> f64 {
        3.0 * self.unknowns
    }

    fn tensor(of: impl IntoIterator<Item = (&'static str, f64)>) -> BTreeMap<&'static str, f64> {
        of.into_iter().filter(|(_, operations)| *operations > 0.0).collect()
    }
}

/// Operations of an `mma` of 32-bit and of 16-bit factors: m16n8k8, m16n8k16.
const OPERATIONS: [f64; 2] = [2048.0, 4096.0];

/// `size`, up to whole tiles.
fn whole(size: f64, tile: f64) -> f64 {
    (size / tile).ceil() * tile
}

/// A step of `spherical.linear_cross_entropy` with the gradient of hidden, and where the weight is trained that of the weight
/// and the update W <- W - learning_rate grad_weight, which any framework has.
pub fn linear_cross_entropy(shape: &Shape, is_trained: bool) -> Work {
    const TILE: f64 = 128.0;
    const FOLD: f64 = 2048.0;
    const MOST_RUNS: f64 = 128.0;
    const CHUNK_BYTES: f64 = 20.0 * 1_048_576.0;
    let [rows, width, classes] = shape.sizes();
    let (is_f16, is_f32, f) = (shape.dtype == Dtype::F16, shape.dtype == Dtype::F32, shape.element_bytes());
    let [row_tiles, width_tiles, class_tiles] = shape.sizes().map(|size| whole(size, TILE));

    let logits = 2.0 * row_tiles * class_tiles * width;
    let of_hidden = 2.0 * row_tiles * width_tiles * classes;
    let of_weight = if is_trained { 2.0 * class_tiles * width_tiles * rows } else { 0.0 };
    let tensor = match shape.dtype {
        Dtype::F32 => Work::tensor([("tf32", 3.0 * (2.0 * logits + of_hidden + of_weight))]),
        // Of f16's weight gradient both factors are f32 that tf32 holds.
        Dtype::F16 => Work::tensor([("f16", 2.0 * logits + of_hidden), ("tf32", of_weight)]),
        other => Work::tensor([(other.name(), 2.0 * logits + of_hidden + of_weight)]),
    };

    let wide = if is_f16 { 4.0 } else { 0.0 }; // f16's gradients of the logits are in f32 too
    let folds = (CHUNK_BYTES / ((f + wide) * rows * FOLD)).floor().max(1.0);
    let chunks = (classes / (folds * FOLD)).ceil();
    // A chunk reads the sums of grad_hidden but for the first fold, and writes them but for the last, which f32 has in place.
    let all_folds = (classes / FOLD).ceil();
    let last_folds = all_folds - (chunks - 1.0) * folds;
    let sums = 2.0 * chunks
        - f64::from(u8::from(folds.min(all_folds) <= 1.0))
        - f64::from(u8::from(is_f32 || last_folds <= 1.0));
    let runs = {
        let tiles = class_tiles / TILE;
        (tiles / (tiles / MOST_RUNS).ceil()).ceil()
    };
    let (hidden, weight, gradients, statistics) = (rows * width, classes * width, rows * classes, 16.0 * rows * runs);
    let forward = f * (hidden + weight) + 2.0 * statistics;
    let grad_logits = f * (chunks * hidden + weight) + gradients * if is_f16 { wide } else { f } + 32.0 * rows * chunks;
    let narrowed = if is_f16 { gradients * (wide + f) } else { 0.0 };
    let grad_hidden = f * (gradients + weight + hidden) + 4.0 * hidden * sums;
    let of_trained = if is_trained {
        let widened = if is_f16 { (f + wide) * hidden + wide * gradients } else { 0.0 };
        let update = 3.0 * f * weight;
        widened + chunks * hidden * wide.max(f) + f * weight + update
    } else {
        0.0
    };

    // Of a logit's products and of the gradients' for each mma; of a logit forward and backward; of an element of the weight.
    let (of_logit, of_product, by_logit, by_weight) = match shape.dtype {
        Dtype::F32 => (4.7, 5.05, 0.895 + 0.82, 0.35),
        Dtype::F16 => (2.7, 3.65, 0.545 + 1.22, 0.25),
        _ => (2.7, 3.0, 0.545 + 0.735, 0.25),
    };
    let [tf32, half] = OPERATIONS;
    let (a_product, of_factors) = if is_f32 { (3.0, tf32) } else { (1.0, half) };
    let weight_mma = of_weight * a_product / if is_f16 { tf32 } else { of_factors };
    let instructions = of_logit * a_product * 2.0 * logits / of_factors
        + of_product * (a_product * of_hidden / of_factors + weight_mma)
        + by_logit * gradients
        + if is_trained { by_weight * weight + if is_f16 { 1.5 * hidden } else { 0.0 } } else { 0.0 };

    let a_chunk = if is_f16 { 3.0 } else { 2.0 };
    let of_training = if is_trained { 1.0 + if is_f16 { 1.0 } else { 0.0 } } else { 0.0 };
    Work {
        launches: 2.0 + a_chunk * chunks + of_training,
        bytes: forward + grad_logits + narrowed + grad_hidden + of_trained,
        tensor,
        instructions,
        unknowns: 0.0,
    }
}

/// The update of the weight in [`linear_cross_entropy`]: its bytes, and its one launch.
pub fn update_bytes(shape: &Shape) -> f64 {
    3.0 * shape.element_bytes() * (shape.classes * shape.width) as f64
}

/// A step of `spherical.factored` on a target a row: nothing depends on the number of classes. Upkeep is not in it.
pub fn factored(shape: &Shape) -> Work {
    const TILE: f64 = 64.0;
    let [rows, width, _] = shape.sizes();
    let [m, n] = [rows, width].map(|size| whole(size, TILE));
    let is_dual = rows > width;
    // N; X UH'; weights times Lam H; X U; both factors' updates; the pairs of tiles of Q's.
    let pairs = 2.0 * m * m * width + m * n * rows;
    let of_state = m * n * width + 2.0 * n * n * rows + n * (n + TILE) * rows;
    // H by two or three matrices; the small system; R'.
    let of_form = if is_dual { 3.0 * m * n * width + n * n * rows } else { 3.0 * m * n * width + m * m * width };
    let operations = 3.0 * 2.0 * (pairs + of_state + of_form);
    let (by_square, by_hidden, by_pair) = if is_dual { (16.5, 31.0, 4.0) } else { (9.5, 32.0, 8.0) };
    let unknowns = rows.min(width);
    let multiply_adds = unknowns.powi(3) / 3.0 + unknowns.powi(2) * width;
    Work {
        launches: if is_dual { 8.0 } else { 6.0 },
        bytes: 4.0 * (by_square * width * width + by_hidden * rows * width + by_pair * rows * rows),
        tensor: Work::tensor([("tf32", operations)]),
        instructions: 5.1 * operations / OPERATIONS[0] + 3.6 * multiply_adds / 32.0 + 41.0 * rows * width,
        unknowns,
    }
}

/// A step of `spherical.linear` on a target a row, with the Gram at hand.
pub fn linear(shape: &Shape) -> Work {
    const TILE: f64 = 64.0;
    let [rows, width, _] = shape.sizes();
    let f = shape.element_bytes();
    let operations = 3.0 * 2.0 * whole(rows, TILE) * whole(width, TILE) * width;
    let (by_mma, by_element, by_turn) = if shape.dtype == Dtype::F32 { (6.3, 0.27, 251.0) } else { (7.0, 0.31, 305.0) };
    let of_row = 593.0 + by_turn * (width / 256.0).ceil(); // a lane has 8 elements a turn
    Work {
        launches: 2.0,
        // Q; hidden twice, the targets' rows, grad_hidden; H Q written and read.
        bytes: 4.0 * width * width + rows * width * (4.0 * f + 8.0),
        tensor: Work::tensor([("tf32", operations)]),
        instructions: by_mma * operations / OPERATIONS[0] + by_element * rows * width + of_row * rows,
        unknowns: 0.0,
    }
}

/// The Gram of a weight for the z-loss, once for each weight: sums, products of three of tf32 on and above the diagonal, their
/// sum. Without the splits' parts and the instructions.
pub fn gram(shape: &Shape) -> Work {
    const TILE: f64 = 128.0;
    let [_, width, classes] = shape.sizes();
    let n = whole(width, TILE);
    Work {
        launches: 3.0,
        bytes: 2.0 * shape.element_bytes() * classes * width + 4.0 * width * width,
        tensor: Work::tensor([("tf32", 3.0 * n * (n + TILE) * classes)]),
        ..Work::default()
    }
}
