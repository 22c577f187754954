//! The calls whose counts are committed in reports/counts.json.

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The operation.
    pub operation: &'static str,
    /// What differs from the operation's defaults, as `--set` takes it.
    pub set: &'static [(&'static str, &'static str)],
}

const DENSE: &str = "spherical.dense";
const SOFTMAX: &str = "spherical.softmax_cross_entropy";
const LINEAR: &str = "spherical.linear";
const LINEAR_CROSS_ENTROPY: &str = "spherical.linear_cross_entropy";
const FACTORED: &str = "spherical.factored";
const HIERARCHICAL: &str = "spherical.hierarchical_softmax";
const RANK: &str = "spherical.rank";

/// What `oblate report OPERATION` counts when nothing is set.
pub(super) fn defaults(operation: &str) -> &'static [(&'static str, &'static str)] {
    match operation {
        DENSE => &[("loss", "z"), ("rows", "512"), ("classes", "30522"), ("dtype", "bf16")],
        FACTORED => &[
            ("loss", "z"),
            ("learning_rate", "0.01"),
            ("rows", "32"),
            ("classes", "1000"),
            ("width", "96"),
            ("dtype", "f32"),
        ],
        RANK => &[("k", "10"), ("rows", "512"), ("classes", "30522"), ("dtype", "bf16")],
        HIERARCHICAL => &[("rows", "128"), ("classes", "1000"), ("clusters", "32"), ("width", "96"), ("dtype", "bf16")],
        LINEAR => &[("loss", "z"), ("rows", "512"), ("classes", "10000"), ("width", "128"), ("dtype", "bf16")],
        LINEAR_CROSS_ENTROPY => &[("rows", "256"), ("classes", "1000"), ("width", "96"), ("dtype", "bf16")],
        _ => &[("rows", "512"), ("classes", "30522"), ("dtype", "bf16")],
    }
}

const fn dense(set: &'static [(&'static str, &'static str)]) -> Shape {
    Shape { operation: DENSE, set }
}

const fn softmax(set: &'static [(&'static str, &'static str)]) -> Shape {
    Shape { operation: SOFTMAX, set }
}

const fn linear_cross_entropy(set: &'static [(&'static str, &'static str)]) -> Shape {
    Shape { operation: LINEAR_CROSS_ENTROPY, set }
}

const fn linear(set: &'static [(&'static str, &'static str)]) -> Shape {
    Shape { operation: LINEAR, set }
}

const fn factored(set: &'static [(&'static str, &'static str)]) -> Shape {
    Shape { operation: FACTORED, set }
}

const fn hierarchical(set: &'static [(&'static str, &'static str)]) -> Shape {
    Shape { operation: HIERARCHICAL, set }
}

const fn rank(set: &'static [(&'static str, &'static str)]) -> Shape {
    Shape { operation: RANK, set }
}

/// Each variant of the kernels, short rows of several lengths, the vocabularies whose rows begin between two vectors beside
/// one whose rows do not, each
/// dtype, each loss, each reduction.
pub const SHAPES: &[Shape] = &[
    dense(&[]),
    dense(&[("rows", "64"), ("classes", "50256")]),
    dense(&[("rows", "64"), ("classes", "50257")]),
    dense(&[("rows", "64"), ("classes", "131072")]),
    dense(&[("rows", "512"), ("classes", "50257")]),
    dense(&[("rows", "4096"), ("classes", "10"), ("dtype", "f32")]),
    dense(&[("rows", "4096"), ("classes", "10")]),
    dense(&[("rows", "1024"), ("classes", "33")]),
    dense(&[("rows", "1024"), ("classes", "128"), ("dtype", "f32")]),
    dense(&[("rows", "1024"), ("classes", "257")]),
    dense(&[("rows", "1024"), ("classes", "1000"), ("dtype", "f16")]),
    dense(&[("rows", "64"), ("classes", "30522"), ("dtype", "f32")]),
    dense(&[("rows", "64"), ("loss", "squared_error")]),
    dense(&[("rows", "64"), ("loss", "log_spherical_softmax")]),
    dense(&[("rows", "64"), ("loss", "log_taylor_softmax")]),
    dense(&[("rows", "64"), ("need_grad", "false")]),
    dense(&[("rows", "64"), ("reduction", "mean")]),
    dense(&[("rows", "64"), ("targets_per_row", "8")]),
    dense(&[("rows", "64"), ("classes", "10"), ("targets_per_row", "8")]),
    dense(&[("rows", "1024"), ("classes", "257"), ("targets_per_row", "64")]),
    dense(&[("rows", "1024"), ("classes", "1000"), ("dtype", "f16"), ("targets_per_row", "8")]),
    dense(&[("rows", "64"), ("classes", "50257"), ("targets_per_row", "8")]),
    softmax(&[]),
    softmax(&[("rows", "64"), ("classes", "50256")]),
    softmax(&[("rows", "64"), ("classes", "50257")]),
    softmax(&[("rows", "64"), ("classes", "131072")]),
    softmax(&[("rows", "512"), ("classes", "50257")]),
    softmax(&[("rows", "4096"), ("classes", "10"), ("dtype", "f32")]),
    softmax(&[("rows", "4096"), ("classes", "10")]),
    softmax(&[("rows", "1024"), ("classes", "33")]),
    softmax(&[("rows", "1024"), ("classes", "128"), ("dtype", "f32")]),
    softmax(&[("rows", "1024"), ("classes", "257")]),
    softmax(&[("rows", "1024"), ("classes", "1000"), ("dtype", "f16")]),
    softmax(&[("rows", "64"), ("classes", "30522"), ("dtype", "f32")]),
    softmax(&[("rows", "64"), ("label_smoothing", "0.1"), ("lse_penalty", "1e-4")]),
    softmax(&[("rows", "64"), ("need_grad", "false")]),
    softmax(&[("rows", "64"), ("reduction", "mean")]),
    linear_cross_entropy(&[("dtype", "f32")]),
    linear_cross_entropy(&[("dtype", "f16")]),
    linear_cross_entropy(&[]),
    linear_cross_entropy(&[("rows", "128"), ("classes", "30522"), ("width", "64")]),
    linear_cross_entropy(&[("need_grad", "false")]),
    linear_cross_entropy(&[("need_grad_weight", "false")]),
    linear(&[]),
    linear(&[("loss", "squared_error"), ("dtype", "f32")]),
    linear(&[("rows", "64"), ("loss", "log_taylor_softmax"), ("targets_per_row", "8"), ("dtype", "f16")]),
    factored(&[]),
    factored(&[("rows", "64"), ("width", "24"), ("loss", "squared_error")]),
    rank(&[]),
    rank(&[("rows", "64"), ("classes", "131072")]),
    rank(&[("rows", "1024"), ("classes", "1000"), ("dtype", "f16")]),
    rank(&[("rows", "4096"), ("classes", "10"), ("dtype", "f32")]),
    rank(&[("rows", "256"), ("classes", "1000"), ("width", "96")]),
    rank(&[("rows", "256"), ("classes", "1000"), ("width", "96"), ("dtype", "f32")]),
    hierarchical(&[]),
    hierarchical(&[("dtype", "f32")]),
    hierarchical(&[("need_grad", "false"), ("classes", "30522"), ("clusters", "175")]),
    hierarchical(&[("need_grad_weight", "true")]),
];
