//! Cases of the losses on given logits: `spherical.dense` and `spherical.softmax_cross_entropy`.

use std::collections::BTreeMap;
use std::fmt::Write;

use safetensors::Dtype;

use super::{Fill, Parameters, Recipe};
use crate::Tensors;
use crate::random::Random;
use crate::tensor::{Tensor, dtype_name, element_bytes};

pub(super) const OPERATIONS: [&str; 2] = [DENSE, SOFTMAX];
const DENSE: &str = "spherical.dense";
const SOFTMAX: &str = "spherical.softmax_cross_entropy";

/// Of what a warp takes of a row at a time.
const CHUNK_BYTES: usize = 2048;

/// So many rows have a block each, however long they are.
const STREAM_ROWS: usize = 216;

/// The default of `ignore_index`.
const IGNORE_INDEX: i64 = -100;

type Set = &'static [(&'static str, &'static str)];

/// The formulas of an operation: the end of a case's name, and the parameters.
pub(super) fn formulas(operation: &str) -> &'static [(&'static str, Set)] {
    match operation {
        DENSE => &[
            (" squared_error", &[("loss", "squared_error")]),
            (" log_spherical_softmax", &[("loss", "log_spherical_softmax")]),
            (" log_taylor_softmax", &[("loss", "log_taylor_softmax")]),
            (" z", &[("loss", "z")]),
        ],
        _ => &[("", &[]), (" smoothed penalty", &[("label_smoothing", "0.1"), ("lse_penalty", "0.01")])],
    }
}

/// Further parameters of the formulas, tried on one shape.
fn parameters(operation: &str) -> &'static [(&'static str, Set)] {
    match operation {
        DENSE => &[
            (" log_spherical_softmax epsilon=1", &[("loss", "log_spherical_softmax"), ("epsilon", "1")]),
            (" log_spherical_softmax epsilon=1e-6", &[("loss", "log_spherical_softmax"), ("epsilon", "1e-6")]),
            (" z a=0.5 b=1", &[("loss", "z"), ("a", "0.5"), ("b", "1")]),
            (" z a=20 b=-2", &[("loss", "z"), ("a", "20"), ("b", "-2")]),
        ],
        _ => &[
            (" smoothed", &[("label_smoothing", "0.1")]),
            (" label_smoothing=1", &[("label_smoothing", "1")]),
            (" label_smoothing=0", &[("label_smoothing", "0")]),
            (" lse_penalty=1", &[("lse_penalty", "1")]),
            (" lse_penalty=0", &[("lse_penalty", "0")]),
        ],
    }
}

/// What a case is made of, beside its name.
#[derive(Clone, Debug)]
pub(super) struct Ingredients {
    rows: usize,
    classes: usize,
    fill: Fill,
    set: Set,
    targets: Targets,
    options: Options,
}

/// The form of the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Targets {
    /// One a row, i64.
    One,
    /// One a row, u32.
    OneU32,
    /// So many a row, i64, with values, some repeated and some ignored.
    Many(usize),
    /// The same, u32.
    ManyU32(usize),
}

/// What else a call may have.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is chosen by itself")]
struct Options {
    reduction: Option<&'static str>,
    weights: Option<Weights>,
    /// About a third of the rows have the target `ignore_index`.
    ignored: bool,
    /// `ignore_index` is this class instead of -100.
    ignore_class: Option<i64>,
    grad_loss: bool,
    no_grad: bool,
    /// Some of the targets are no classes: just beyond the last one, negative, valid in their lower 32 bits.
    out_of_range: bool,
}

#[derive(Clone, Copy, Debug)]
enum Weights {
    /// In [0, 2), some of them 0.
    Random,
    /// All 0: a mean has nothing to divide by.
    Zero,
}

pub(super) fn recipes(operation: &'static str, dtype: Dtype) -> Vec<Recipe> {
    let mut all = Vec::new();
    let mut push = |label: &str, ingredients: Ingredients| {
        let name = format!("{operation} {}{}{label}", dtype_name(dtype), ingredients.words());
        all.push(Recipe { name, operation, dtype, ingredients: super::Ingredients::Spherical(ingredients) });
    };
    let plain = |rows, classes, fill, set| Ingredients {
        rows,
        classes,
        fill,
        set,
        targets: Targets::One,
        options: Options::default(),
    };
    for &(label, set) in formulas(operation) {
        for [rows, classes] in shapes(dtype) {
            push(label, plain(rows, classes, Fill::Bell, set));
        }
        for fill in Fill::FINITE.iter().chain(specials(operation)).skip(1) {
            // Rows that share a warp, a warp's row, a block's row, and one of several segments that no block keeps.
            let warp = 3 * CHUNK_BYTES / 4 / element_bytes(dtype) + 1;
            for [rows, classes] in [[5, 37], [5, warp], [3, 2500], [2, 120_000 / element_bytes(dtype)]] {
                push(label, plain(rows, classes, *fill, set));
            }
        }
        for (targets, options) in calls(operation) {
            // A row of several segments too, where the call is more than a flag.
            let long = options.grad_loss && options.weights.is_some()
                || options.out_of_range
                || matches!(targets, Targets::Many(_) | Targets::ManyU32(_));
            let warp = 3 * CHUNK_BYTES / 4 / element_bytes(dtype);
            for [rows, classes] in [[13, 67], [5, warp], [3, 2500], [4, 60_001]].into_iter().take(3 + usize::from(long))
            {
                push(label, Ingredients { targets, options, ..plain(rows, classes, Fill::Bell, set) });
            }
        }
    }
    // Losses and penalties beyond f32 that a weight of 0 leaves nothing of, and gradients that a small one brings back.
    let weighted = Options { weights: Some(Weights::Random), grad_loss: true, ..Options::default() };
    for &(label, set) in formulas(operation) {
        for [rows, classes] in [[13, 67], [5, 2500]] {
            push(label, Ingredients { options: weighted, ..plain(rows, classes, Fill::Largest, set) });
            if operation == DENSE {
                push(label, Ingredients { targets: Targets::Many(3), ..plain(rows, classes, Fill::Largest, set) });
            }
        }
    }
    if operation == DENSE {
        // Several targets: with fewer warps to a block of short rows; too many for such; in a warp's row; and more than
        // shared memory has room for, in the row of a warp, of a block, of several blocks.
        let chunk = CHUNK_BYTES / element_bytes(dtype);
        for &(label, set) in &formulas(operation)[..1] {
            for [rows, classes, count] in [
                [300, 10, 12],
                [40, 10, 70],
                [9, chunk - 3, 9],
                [2, chunk - 1, 2150],
                [2, 37 * chunk, 100],
                [2, 60_001, 300],
                [2, 60_001, 700],
                [1, 60_001, 2150],
            ] {
                push(label, Ingredients { targets: Targets::Many(count), ..plain(rows, classes, Fill::Bell, set) });
            }
        }
    }
    if operation == SOFTMAX && dtype != Dtype::F32 {
        // 2 p lse is beyond f32, where only 16 bits make an infinity of the largest f32.
        let set = &[("label_smoothing", "1e-6"), ("lse_penalty", "100")];
        push(" smoothed lse_penalty=100", plain(7, 29, Fill::Largest, set));
    }
    // The row's end at each place of a vector.
    if let Some(&(label, set)) = formulas(operation).last() {
        let warp = 3 * CHUNK_BYTES / 4 / element_bytes(dtype);
        for [rows, classes] in [[5, warp], [3, 2500], [2, 60_000]] {
            for more in 0..16 / element_bytes(dtype) {
                push(label, plain(rows, classes + more, Fill::Tail, set));
            }
        }
    }
    // Rows that are ignored, whatever is in them.
    let ignored = Options { ignored: true, ..Options::default() };
    for &(label, set) in &formulas(operation)[..1] {
        for [rows, classes] in [[13, 67], [13, 3 * CHUNK_BYTES / 4 / element_bytes(dtype)], [7, 2500], [7, 60_001]] {
            push(label, Ingredients { options: ignored, ..plain(rows, classes, Fill::NanEverywhere, set) });
        }
    }
    streams(operation, dtype, |label, ingredients| push(label, ingredients));
    // More rows than threads of the reductions, several times over.
    for &(label, set) in &formulas(operation)[..1] {
        for (reduction, targets) in [("mean", Targets::One), ("sum", Targets::OneU32)] {
            let options = Options { reduction: Some(reduction), ..weighted };
            push(label, Ingredients { targets, options, ..plain(5000, 2, Fill::Bell, set) });
        }
    }
    for &(label, set) in parameters(operation) {
        for fill in [Fill::Bell, Fill::Wide] {
            push(label, plain(7, 333, fill, set));
        }
    }
    all
}

/// Rows of several segments that no block keeps, and too many of them to be cut into parts.
fn streams(operation: &str, dtype: Dtype, mut push: impl FnMut(&str, Ingredients)) {
    // One more than what two blocks of shared memory hold, the most of all cards; without a gradient, than a segment.
    let [with_grad, without] = [76 << 10, 33 << 10].map(|bytes| bytes / element_bytes(dtype) + 3);
    let formulas = formulas(operation);
    let [(first, first_set), (last, last_set)] = [formulas[0], formulas[formulas.len() - 1]];
    let plain = |classes, fill, set| Ingredients {
        rows: STREAM_ROWS,
        classes,
        fill,
        set,
        targets: Targets::One,
        options: Options::default(),
    };
    let weighted = Options { weights: Some(Weights::Random), grad_loss: true, ignored: true, ..Options::default() };
    push(last, Ingredients { options: weighted, ..plain(with_grad, Fill::Bell, last_set) });
    let no_grad = Options { no_grad: true, reduction: Some("mean"), ignored: true, ..Options::default() };
    push(first, Ingredients { targets: Targets::OneU32, options: no_grad, ..plain(without, Fill::Stepped, first_set) });
    let wrong = Options { out_of_range: true, no_grad: true, ..Options::default() };
    push(last, Ingredients { options: wrong, ..plain(without, Fill::NanEverywhere, last_set) });
    if operation == DENSE {
        let mean = Options { reduction: Some("mean"), ..weighted };
        push(
            first,
            Ingredients { targets: Targets::Many(7), options: mean, ..plain(with_grad, Fill::Bell, first_set) },
        );
        let many = Ingredients { targets: Targets::ManyU32(700), ..plain(without, Fill::Bell, formulas[1].1) };
        push(formulas[1].0, Ingredients { options: Options { no_grad: true, ..Options::default() }, ..many });
    }
}

/// Sizes around what a kernel does: nothing, one, a prime, a vector, a warp, a variant's limit, a segment, a vocabulary.
fn shapes(dtype: Dtype) -> Vec<[usize; 2]> {
    let mut shapes =
        vec![[0, 8], [1, 1], [3, 1], [5, 2], [4, 3], [1, 7], [2, 8], [7, 13], [33, 31], [9, 32], [9, 33], [64, 257]];
    shapes.extend([[1025, 10], [300, 64], [2, 997], [2, 30_522], [2, 50_257], [2, 50_256], [1, 131_073]]);
    // Bytes at which a warp takes half as many rows: from 32 of them to one.
    for row_bytes in [64, 128, 256, 512, 1024] {
        let classes = row_bytes / element_bytes(dtype);
        shapes.extend([[37, classes - 1], [37, classes], [37, classes + 1]]);
    }
    // Chunks of 2 KiB at which another variant begins: one warp's row; two blocks' rows in shared memory, by card.
    for chunks in [1, 21, 39, 55] {
        let classes = chunks * CHUNK_BYTES / element_bytes(dtype);
        shapes.extend([[3, classes - 1], [3, classes], [3, classes + 1]]);
    }
    // Three whole segments that no block keeps.
    shapes.push([2, 48 * CHUNK_BYTES / element_bytes(dtype)]);
    for segment in [8 << 10, 16 << 10] {
        shapes.extend([[2, segment - 1], [2, segment], [2, segment + 1]]);
    }
    shapes.sort_unstable();
    shapes.dedup();
    shapes
}

/// The fills with NaN or infinity whose outputs the operation defines.
fn specials(operation: &str) -> &'static [Fill] {
    match operation {
        DENSE | SOFTMAX => &Fill::SPECIAL,
        _ => &[],
    }
}

/// Kinds of calls: targets, weights, reductions, upstream gradients.
fn calls(operation: &str) -> Vec<(Targets, Options)> {
    let none = Options::default();
    let mut calls = vec![
        (Targets::OneU32, none),
        (Targets::One, Options { ignored: true, ..none }),
        (Targets::One, Options { ignore_class: Some(3), ignored: true, ..none }),
        (Targets::One, Options { no_grad: true, ..none }),
        (Targets::One, Options { grad_loss: true, ..none }),
        (Targets::One, Options { out_of_range: true, ignored: true, ..none }),
        (Targets::OneU32, Options { out_of_range: true, reduction: Some("mean"), ..none }),
        (Targets::One, Options { weights: Some(Weights::Random), ignored: true, grad_loss: true, ..none }),
    ];
    for reduction in ["mean", "sum"] {
        let reduced = Options { reduction: Some(reduction), ..none };
        calls.extend([
            (Targets::One, reduced),
            (Targets::One, Options { ignored: true, grad_loss: true, ..reduced }),
            (Targets::OneU32, Options { weights: Some(Weights::Random), grad_loss: true, ..reduced }),
            (Targets::One, Options { weights: Some(Weights::Random), ignored: true, no_grad: true, ..reduced }),
            (Targets::One, Options { weights: Some(Weights::Zero), ..reduced }),
        ]);
    }
    if operation == DENSE {
        calls.extend([
            (Targets::Many(1), none),
            (Targets::Many(3), none),
            (Targets::Many(40), none),
            (Targets::Many(5), Options { ignored: true, ..none }),
            (Targets::Many(4), Options { out_of_range: true, ignored: true, ..none }),
            (Targets::ManyU32(6), Options { weights: Some(Weights::Random), ..none }),
            (Targets::ManyU32(2), Options { out_of_range: true, reduction: Some("sum"), ..none }),
            (
                Targets::Many(3),
                Options {
                    reduction: Some("mean"),
                    weights: Some(Weights::Random),
                    ignored: true,
                    grad_loss: true,
                    ..none
                },
            ),
        ]);
    }
    calls
}

/// Bell-shaped logits and random targets; with `targets_per_row` these are \[B, K\], with values.
pub(super) fn tensors(sizes: &BTreeMap<&str, usize>, dtype: Dtype) -> Tensors {
    let size = |word: &str| sizes.get(word).copied();
    let ingredients = Ingredients {
        rows: size("rows").unwrap_or(1),
        classes: size("classes").unwrap_or(1),
        fill: Fill::Bell,
        set: &[],
        targets: size("targets_per_row").map_or(Targets::One, Targets::Many),
        options: Options::default(),
    };
    ingredients.build("counted", dtype, 0).1
}

impl Ingredients {
    /// The part of the name that says what the case is made of.
    fn words(&self) -> String {
        let Options { reduction, weights, ignored, ignore_class, grad_loss, no_grad, out_of_range } = self.options;
        let mut words = format!(" [{}, {}] {}", self.rows, self.classes, self.fill.name());
        let mut add = |word: &str| write!(words, " {word}").expect("a string takes all that is written");
        match self.targets {
            Targets::One => {}
            Targets::OneU32 => add("u32"),
            Targets::Many(count) => add(&format!("K={count}")),
            Targets::ManyU32(count) => add(&format!("u32 K={count}")),
        }
        if let Some(reduction) = reduction {
            add(reduction);
        }
        match weights {
            Some(Weights::Random) => add("weights"),
            Some(Weights::Zero) => add("weights=0"),
            None => {}
        }
        if let Some(class) = ignore_class {
            add(&format!("ignore_index={class}"));
        } else if ignored {
            add("ignored");
        }
        if out_of_range {
            add("out_of_range");
        }
        if grad_loss {
            add("grad_loss");
        }
        if no_grad {
            add("need_grad=false");
        }
        words
    }

    pub(super) fn build(&self, name: &str, dtype: Dtype, seed: u64) -> (Parameters, Tensors) {
        let mut random = Random::new(name, seed);
        let targets = self.targets(&mut random);
        let mut tensors = Tensors::new();
        let mut put = |name: &str, tensor| tensors.insert(name.to_owned(), tensor);
        put("logits", self.fill.logits(dtype, [self.rows, self.classes], &targets, &mut random));
        match self.targets {
            Targets::One => put("targets", Tensor::from_i64([self.rows], &targets)),
            Targets::OneU32 => {
                let targets: Vec<u32> = targets.iter().map(|&target| target as u32).collect();
                put("targets", Tensor::from_u32([self.rows], &targets))
            }
            Targets::Many(count) => put("targets", Tensor::from_i64([self.rows, count], &targets)),
            Targets::ManyU32(count) => {
                let targets: Vec<u32> = targets.iter().map(|&target| target as u32).collect();
                put("targets", Tensor::from_u32([self.rows, count], &targets))
            }
        };
        if let Targets::Many(count) | Targets::ManyU32(count) = self.targets {
            let values: Vec<f64> = targets.iter().map(|_| random.bell()).collect();
            put("values", Tensor::from_f64(Dtype::F32, [self.rows, count], &values));
        }
        if let Some(weights) = self.options.weights {
            let values: Vec<f64> = (0..self.rows).map(|_| weights.draw(&mut random)).collect();
            put("row_weights", Tensor::from_f64(Dtype::F32, [self.rows], &values));
        }
        if self.options.grad_loss {
            let shape = if self.options.reduction.is_some() { vec![] } else { vec![self.rows] };
            let values: Vec<f64> = (0..shape.iter().product()).map(|_| random.bell()).collect();
            put("grad_loss", Tensor::from_f64(Dtype::F32, shape, &values));
        }
        (self.parameters(), tensors)
    }

    fn parameters(&self) -> Parameters {
        let mut parameters: Parameters =
            self.set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        if let Some(reduction) = self.options.reduction {
            parameters.insert("reduction".to_owned(), reduction.to_owned());
        }
        if let Some(class) = self.options.ignore_class {
            parameters.insert("ignore_index".to_owned(), class.to_string());
        }
        if self.options.no_grad {
            parameters.insert("need_grad".to_owned(), "false".to_owned());
        }
        parameters
    }

    fn targets(&self, random: &mut Random) -> Vec<i64> {
        let ignore_index = self.options.ignore_class.unwrap_or(IGNORE_INDEX);
        let (count, is_u32) = match self.targets {
            Targets::One => (1, false),
            Targets::OneU32 => (1, true),
            Targets::Many(count) => (count, false),
            Targets::ManyU32(count) => (count, true),
        };
        let classes = self.classes as i64;
        let wrong = if is_u32 { [classes, 0xffff_ffff, 1 << 31] } else { [classes, -1, (1 << 32) + 1] };
        let mut targets = Vec::with_capacity(self.rows * count);
        for row in 0..self.rows {
            let ignored = self.options.ignored && random.below(3) == 0;
            for k in 0..count {
                let drawn = random.below(self.classes as u64) as i64;
                targets.push(match (row, k) {
                    _ if ignored => ignore_index,
                    (1.., k) if self.options.out_of_range && k + 1 == count && row % 2 == 1 => wrong[row / 2 % 3],
                    (_, k) if self.options.ignored && k % 3 == 2 => ignore_index, // one of several
                    (_, k) if k % 4 == 1 => targets[row * count],                 // the row's first again
                    (0, 0) => 0,
                    (1, 0) => self.classes as i64 - 1,
                    _ => drawn,
                });
            }
        }
        targets
    }
}

impl Weights {
    fn draw(self, random: &mut Random) -> f64 {
        match self {
            Self::Random if random.below(4) == 0 => 0.0,
            Self::Random => 2.0 * random.unit(),
            Self::Zero => 0.0,
        }
    }
}
