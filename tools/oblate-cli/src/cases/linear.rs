//! Cases of `spherical.linear`.

use std::collections::BTreeMap;

use safetensors::Dtype;

use super::{Parameters, Recipe};
use crate::Tensors;
use crate::random::Random;
use crate::tensor::{Tensor, dtype_name};

pub(super) const OPERATION: &str = "spherical.linear";

/// The default of `ignore_index`.
const IGNORE_INDEX: i64 = -100;

type Set = &'static [(&'static str, &'static str)];

const SQUARED_ERROR: Set = &[("loss", "squared_error")];
const LOG_SPHERICAL: Set = &[("loss", "log_spherical_softmax")];
const LOG_TAYLOR: Set = &[("loss", "log_taylor_softmax")];
const Z: Set = &[("loss", "z")];
const LOSSES: [Set; 4] = [SQUARED_ERROR, LOG_SPHERICAL, LOG_TAYLOR, Z];

/// What a case is made of, beside its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ingredients {
    rows: usize,
    classes: usize,
    width: usize,
    fill: Fill,
    set: Set,
    options: Options,
}

/// What hidden and weight hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    /// Both bell-shaped, logits of deviation 2.
    Bell,
    /// Weights with a mean row ten times as large as what is about it.
    Shifted,
    /// All rows of weight are equal: logits without deviation.
    Equal,
    /// A row of hidden is near that of its first target in weight.
    Fitted,
    /// Logits of deviation 1e-3.
    Small,
    /// Logits of deviation 300.
    Large,
    /// One NaN, in the middle row of hidden.
    NanHidden,
    /// One NaN, in the middle row of weight: it is in the Gram, and so in every row.
    NanWeight,
}

/// What else a call may have.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is chosen by itself")]
struct Options {
    targets_per_row: Option<usize>,
    gram: bool,
    row_sum: bool,
    row_weights: bool,
    grad_loss: bool,
    u32_targets: bool,
    /// About a third of the entries are `ignore_index`.
    ignored: bool,
    /// `ignore_index` is this class instead of -100.
    ignore_class: Option<i64>,
    /// Some of the targets are no classes.
    out_of_range: bool,
}

const PLAIN: Options = Options {
    targets_per_row: None,
    gram: false,
    row_sum: false,
    row_weights: false,
    grad_loss: false,
    u32_targets: false,
    ignored: false,
    ignore_class: None,
    out_of_range: false,
};
const GIVEN: Options = Options { gram: true, row_sum: true, ..PLAIN };

pub(super) fn recipes(dtype: Dtype) -> Vec<Recipe> {
    let mut all = Vec::new();
    let mut push = |[rows, classes, width]: [usize; 3], fill, set, options| {
        let ingredients = Ingredients { rows, classes, width, fill, set, options };
        let name = format!("{OPERATION} {}{}", dtype_name(dtype), ingredients.words());
        all.push(Recipe { name, operation: OPERATION, dtype, ingredients: super::Ingredients::Linear(ingredients) });
    };
    for (i, shape) in SHAPES.iter().enumerate() {
        // Each loss at every fourth, the z-loss at all.
        push(*shape, Fill::Bell, Z, PLAIN);
        push(*shape, Fill::Bell, LOSSES[i % 3], PLAIN);
    }
    for set in LOSSES {
        // What is not of targets or Grams is the same for all losses.
        let calls = if set == Z { CALLS } else { &CALLS[..4] };
        for options in calls {
            push([13, 67, 33], Fill::Bell, set, *options);
        }
        for fill in
            [Fill::Shifted, Fill::Equal, Fill::Fitted, Fill::Small, Fill::Large, Fill::NanHidden, Fill::NanWeight]
        {
            push([9, 131, 40], fill, set, PLAIN);
        }
        push([9, 131, 40], Fill::Bell, set, GIVEN);
    }
    for set in
        [&[("loss", "z"), ("a", "3"), ("b", "-1")] as Set, &[("loss", "log_spherical_softmax"), ("epsilon", "1")]]
    {
        push([9, 131, 40], Fill::Bell, set, PLAIN);
    }
    for set in [
        &[("loss", "z"), ("reduction", "mean")] as Set,
        &[("loss", "log_taylor_softmax"), ("reduction", "sum")],
        &[("loss", "squared_error"), ("reduction", "mean"), ("need_grad", "false")],
    ] {
        push([37, 67, 24], Fill::Bell, set, Options { row_weights: true, grad_loss: true, ignored: true, ..PLAIN });
        push([37, 67, 24], Fill::Bell, set, Options { targets_per_row: Some(3), ignored: true, ..GIVEN });
    }
    // Several splits and folds of the classes.
    push([3, 9000, 16], Fill::Bell, Z, PLAIN);
    push([3, 9000, 16], Fill::Bell, LOG_TAYLOR, PLAIN);
    all
}

/// Around tiles of 64 rows and 128 columns, groups of 8 elements and steps of 32: none, one, a prime, a tile and one.
const SHAPES: &[[usize; 3]] = &[
    [0, 5, 4],
    [1, 1, 1],
    [1, 2, 1],
    [2, 1, 3],
    [3, 7, 31],
    [5, 127, 32],
    [65, 33, 8],
    [7, 300, 129],
    [3, 131, 257],
    [17, 64, 100],
    [2, 2049, 20],
];

/// Kinds of calls.
const CALLS: &[Options] = &[
    Options { targets_per_row: Some(1), ..PLAIN },
    Options { targets_per_row: Some(5), ..PLAIN },
    Options { targets_per_row: Some(40), ignored: true, ..PLAIN },
    Options { gram: true, ..PLAIN },
    Options { row_sum: true, ..PLAIN },
    Options { u32_targets: true, ..PLAIN },
    Options { ignored: true, ..PLAIN },
    Options { ignored: true, ignore_class: Some(3), row_weights: true, grad_loss: true, ..PLAIN },
    Options { out_of_range: true, targets_per_row: Some(2), ..GIVEN },
    Options { out_of_range: true, ..PLAIN },
];

/// Bell-shaped hidden and weight, and random targets, at the sizes that the words name, with the Gram and the row sum given.
pub(super) fn tensors(sizes: &BTreeMap<&str, usize>, dtype: Dtype) -> Tensors {
    let size = |word: &str| sizes.get(word).copied().unwrap_or(1);
    let ingredients = Ingredients {
        rows: size("rows"),
        classes: size("classes"),
        width: size("width"),
        fill: Fill::Bell,
        set: &[],
        options: Options { targets_per_row: sizes.get("targets_per_row").copied(), ..GIVEN },
    };
    ingredients.build("counted", dtype, 0).1
}

impl Ingredients {
    /// The part of the name that says what the case is made of.
    fn words(&self) -> String {
        let Self { rows, classes, width, fill, set, options } = self;
        let Options {
            targets_per_row,
            gram,
            row_sum,
            row_weights,
            grad_loss,
            u32_targets,
            ignored,
            ignore_class,
            out_of_range,
        } = *options;
        let mut words = vec![format!(" [{rows}, {classes}, {width}] {}", fill.name())];
        words.extend(targets_per_row.map(|k| format!("K={k}")));
        let flags = [
            (gram, "gram"),
            (row_sum, "row_sum"),
            (row_weights, "weights"),
            (grad_loss, "grad_loss"),
            (u32_targets, "u32"),
            (ignored, "ignored"),
            (out_of_range, "out_of_range"),
        ];
        words.extend(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word.to_owned()));
        words.extend(ignore_class.map(|class| format!("ignore_index={class}")));
        words.extend(set.iter().map(|(name, value)| format!("{name}={value}")));
        words.join(" ")
    }

    pub(super) fn build(&self, name: &str, dtype: Dtype, seed: u64) -> (Parameters, Tensors) {
        let Self { rows, classes, width, fill, options, .. } = *self;
        let mut random = Random::new(name, seed);
        let k = options.targets_per_row.unwrap_or(1);
        let targets = self.targets(rows * k, &mut random);
        let [hidden, weight] = fill.values([rows, classes, width], &targets, k, &mut random);
        let weight = Tensor::from_f64(dtype, [classes, width], &weight);
        let stored = weight.to_f64();
        let mut tensors = Tensors::new();
        let mut put = |name: &str, tensor| tensors.insert(name.to_owned(), tensor);
        let shape: Vec<usize> = [rows].into_iter().chain(options.targets_per_row).collect();
        put("hidden", Tensor::from_f64(dtype, [rows, width], &hidden));
        put("weight", weight);
        if options.u32_targets {
            let targets: Vec<u32> = targets.iter().map(|&target| target as u32).collect();
            put("targets", Tensor::from_u32(shape.clone(), &targets));
        } else {
            put("targets", Tensor::from_i64(shape.clone(), &targets));
        }
        let mut floats =
            |count: usize, of: &dyn Fn(f64) -> f64| (0..count).map(|_| of(random.bell())).collect::<Vec<_>>();
        if options.targets_per_row.is_some() {
            put("values", Tensor::from_f64(Dtype::F32, shape, &floats(rows * k, &|x| x / k as f64)));
        }
        if options.gram {
            let of = |e: usize| stored.chunks_exact(width).map(|w| w[e / width] * w[e % width]).sum();
            let gram: Vec<f64> = (0..width * width).map(of).collect();
            put("gram", Tensor::from_f64(Dtype::F32, [width, width], &gram));
        }
        if options.row_sum {
            let of = |i: usize| stored.chunks_exact(width).map(|w| w[i]).sum();
            let row_sum: Vec<f64> = (0..width).map(of).collect();
            put("row_sum", Tensor::from_f64(Dtype::F32, [width], &row_sum));
        }
        if options.row_weights {
            put("row_weights", Tensor::from_f64(Dtype::F32, [rows], &floats(rows, &f64::abs)));
        }
        if options.grad_loss {
            let reduced = self.set.iter().any(|(name, value)| *name == "reduction" && *value != "none");
            let shape = if reduced { vec![] } else { vec![rows] };
            let values = floats(shape.iter().product(), &|x| x);
            put("grad_loss", Tensor::from_f64(Dtype::F32, shape, &values));
        }
        let mut parameters: Parameters =
            self.set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        if let Some(class) = options.ignore_class {
            parameters.insert("ignore_index".to_owned(), class.to_string());
        }
        (parameters, tensors)
    }

    /// The first class, the last, then any.
    fn targets(&self, count: usize, random: &mut Random) -> Vec<i64> {
        let Options { ignored, ignore_class, out_of_range, .. } = self.options;
        let classes = self.classes as i64;
        let wrong = [classes, -1, (1 << 32) + 1];
        let target = |entry: usize| {
            let drawn = random.below(self.classes as u64) as i64;
            match entry {
                _ if ignored && random.below(3) == 0 => ignore_class.unwrap_or(IGNORE_INDEX),
                _ if out_of_range && entry % 4 == 2 => wrong[entry / 4 % 3],
                0 => 0,
                1 => classes - 1,
                _ => drawn,
            }
        };
        (0..count).map(target).collect()
    }
}

impl Fill {
    fn name(self) -> &'static str {
        match self {
            Self::Bell => "bell",
            Self::Shifted => "shifted",
            Self::Equal => "equal",
            Self::Fitted => "fitted",
            Self::Small => "small",
            Self::Large => "large",
            Self::NanHidden => "nan_hidden",
            Self::NanWeight => "nan_weight",
        }
    }

    fn values(self, sizes: [usize; 3], targets: &[i64], k: usize, random: &mut Random) -> [Vec<f64>; 2] {
        let [rows, classes, width] = sizes;
        let deviation = match self {
            Self::Small => 1e-3,
            Self::Large => 300.0,
            _ => 2.0,
        } / (width as f64).sqrt();
        let mut values =
            |count: usize, deviation: f64| (0..count).map(|_| deviation * random.bell()).collect::<Vec<f64>>();
        let (mut hidden, mut weight) = (values(rows * width, 1.0), values(classes * width, deviation));
        match self {
            Self::Shifted => {
                let shift = values(width, 10.0 * deviation);
                weight.chunks_exact_mut(width).for_each(|row| row.iter_mut().zip(&shift).for_each(|(w, s)| *w += s));
            }
            Self::Equal => {
                let (first, others) = weight.split_at_mut(width);
                others.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(first));
            }
            Self::Fitted => {
                for (row, target) in hidden.chunks_exact_mut(width).zip(targets.iter().step_by(k)) {
                    let own = &weight[*target as usize * width..][..width];
                    row.iter_mut().zip(own).for_each(|(h, w)| *h = 6.0 * w + *h / 3.0);
                }
            }
            Self::NanHidden => hidden[rows / 2 * width + width - 1] = f64::NAN,
            Self::NanWeight => weight[classes / 2 * width + width - 1] = f64::NAN,
            Self::Bell | Self::Small | Self::Large => {}
        }
        [hidden, weight]
    }
}
