//! Cases of `spherical.factored`: f32 alone.

use std::collections::BTreeMap;

use safetensors::Dtype;

use super::{Parameters, Recipe};
use crate::Tensors;
use crate::random::Random;
use crate::tensor::Tensor;

pub(super) const OPERATION: &str = "spherical.factored";

const IGNORE_INDEX: i64 = -100;

const LOSSES: [&str; 4] = ["squared_error", "log_spherical_softmax", "log_taylor_softmax", "z"];

type Set = &'static [(&'static str, &'static str)];

/// Steps, rows, classes, width.
type Shape = [usize; 4];

/// What a case is made of, beside its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ingredients {
    shape: Shape,
    loss: &'static str,
    fill: Fill,
    set: Set,
    options: Options,
}

/// What weight and hidden hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    /// Both bell-shaped, logits of deviation 1.
    Bell,
    /// The rows of hidden are all the same, so that the small system is as far from diagonal as it can be.
    SameRows,
    /// All rows of weight are equal: z sees constant rows.
    EqualClasses,
    /// The rows of weight are far from 0 and near each other: z has a mean to take away.
    FarMean,
    /// One NaN, in the middle row of the first step's hidden.
    NanHidden,
    /// A weight of zeros, which no step reads: of a million classes it is made at once.
    NoWeight,
}

/// What else a call may have.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is chosen by itself")]
struct Options {
    /// K, with values.
    targets_per_row: Option<usize>,
    row_weights: bool,
    grad_loss: bool,
    u32_targets: bool,
    /// About a third of the entries are `ignore_index`.
    ignored: bool,
    /// Every entry names class 0.
    one_class: bool,
}

const PLAIN: Options = Options {
    targets_per_row: None,
    row_weights: false,
    grad_loss: false,
    u32_targets: false,
    ignored: false,
    one_class: false,
};

/// Each with every loss: one of everything, widths and rows around a tile and a vector, more rows than width, no rows, no
/// steps, one class.
const SHAPES: [Shape; 12] = [
    [1, 1, 2, 1],
    [3, 1, 7, 3],
    [2, 5, 67, 33],
    [1, 16, 33, 8],
    [2, 63, 40, 65],
    [1, 65, 31, 64],
    [1, 33, 513, 130],
    [2, 70, 29, 5],
    [1, 130, 17, 12],
    [2, 0, 11, 6],
    [0, 3, 11, 6],
    [2, 3, 1, 4],
];

const REDUCED: &[Set] = &[
    &[("reduction", "mean")],
    &[("reduction", "sum"), ("weight_decay", "0.5")],
    &[("weight_decay", "0.1"), ("need_grad", "false")],
    &[("newton_every", "1")],
    &[("newton_every", "2"), ("fold_range", "0.999,1.001")],
];

const CALLS: [Options; 5] = [
    Options { targets_per_row: Some(1), row_weights: true, ..PLAIN },
    Options { targets_per_row: Some(5), ignored: true, ..PLAIN },
    Options { grad_loss: true, u32_targets: true, ..PLAIN },
    Options { one_class: true, row_weights: true, grad_loss: true, ..PLAIN },
    Options { targets_per_row: Some(3), one_class: true, ..PLAIN },
];

pub(super) fn recipes() -> Vec<Recipe> {
    let mut all = Vec::new();
    let mut push = |shape, loss, fill, set, options| {
        let ingredients = Ingredients { shape, loss, fill, set, options };
        let name = format!("{OPERATION} f32{}", ingredients.words());
        let ingredients = super::Ingredients::Factored(ingredients);
        all.push(Recipe { name, operation: OPERATION, dtype: Dtype::F32, ingredients });
    };
    for loss in LOSSES {
        for shape in SHAPES {
            push(shape, loss, Fill::Bell, &[], PLAIN);
        }
        for set in REDUCED {
            push([4, 6, 37, 20], loss, Fill::Bell, set, PLAIN);
        }
        for options in CALLS {
            push([2, 9, 23, 14], loss, Fill::Bell, &[("reduction", "mean")], options);
            push([2, 19, 23, 6], loss, Fill::Bell, &[], options);
        }
        push([2, 10, 21, 12], loss, Fill::Bell, &[], Options { ignored: true, ..PLAIN });
        for fill in [Fill::SameRows, Fill::EqualClasses, Fill::FarMean, Fill::NanHidden] {
            push([2, 6, 19, 10], loss, fill, &[], PLAIN);
        }
        push([30, 4, 50, 16], loss, Fill::Bell, &[], PLAIN);
    }
    push([1, 1000, 12, 8], "z", Fill::Bell, &[("reduction", "mean")], PLAIN);
    all
}

/// Bell-shaped hidden of one step at the sizes that the words name, and a weight of zeros.
pub(super) fn tensors(sizes: &BTreeMap<&str, usize>) -> Tensors {
    let size = |word: &str| sizes.get(word).copied().unwrap_or(1);
    let shape = [size("steps"), size("rows"), size("classes"), size("width")];
    let options = Options { targets_per_row: sizes.get("targets_per_row").copied(), ..PLAIN };
    Ingredients { shape, loss: "z", fill: Fill::NoWeight, set: &[], options }.build("counted", 0).1
}

impl Ingredients {
    /// The part of the name that says what the case is made of.
    fn words(&self) -> String {
        let Self { shape, loss, fill, set, options } = self;
        let mut words = vec![format!(" {shape:?} {} {loss}", fill.name())];
        let Options { targets_per_row, row_weights, grad_loss, u32_targets, ignored, one_class } = options;
        words.extend(targets_per_row.map(|k| format!("K={k}")));
        let named = [
            (row_weights, "weights"),
            (grad_loss, "grad_loss"),
            (u32_targets, "u32"),
            (ignored, "ignored"),
            (one_class, "one_class"),
        ];
        words.extend(named.into_iter().filter(|(has, _)| **has).map(|(_, name)| name.to_owned()));
        words.extend(set.iter().map(|(name, value)| format!("{name}={value}")));
        words.join(" ")
    }

    pub(super) fn build(&self, name: &str, seed: u64) -> (Parameters, Tensors) {
        let Self { shape: [steps, rows, classes, width], fill, options, .. } = *self;
        let mut random = Random::new(name, seed);
        let mut tensors = Tensors::new();
        let mut put = |name: &str, tensor| tensors.insert(name.to_owned(), tensor);
        let [weight, hidden] = fill.values([steps * rows, classes, width], &mut random);
        put("weight", Tensor::from_f64(Dtype::F32, [classes, width], &weight));
        put("hidden", Tensor::from_f64(Dtype::F32, [steps, rows, width], &hidden));
        let k = options.targets_per_row;
        let of_targets: Vec<usize> = [Some(steps), Some(rows), k].into_iter().flatten().collect();
        let entries: usize = of_targets.iter().product();
        let targets: Vec<i64> = (0..entries).map(|entry| self.target(entry, &mut random)).collect();
        if options.u32_targets {
            let targets: Vec<u32> = targets.iter().map(|&target| target as u32).collect();
            put("targets", Tensor::from_u32(of_targets.clone(), &targets));
        } else {
            put("targets", Tensor::from_i64(of_targets.clone(), &targets));
        }
        let mut bells = |count: usize| (0..count).map(|_| random.bell()).collect::<Vec<f64>>();
        if k.is_some() {
            put("values", Tensor::from_f64(Dtype::F32, of_targets, &bells(entries)));
        }
        if options.row_weights {
            let weights: Vec<f64> = bells(steps * rows).into_iter().map(f64::abs).collect();
            put("row_weights", Tensor::from_f64(Dtype::F32, [steps, rows], &weights));
        }
        if options.grad_loss {
            let is_reduced = self.set.iter().any(|(name, value)| *name == "reduction" && *value != "none");
            let shape = if is_reduced { vec![steps] } else { vec![steps, rows] };
            let values = bells(shape.iter().product());
            put("grad_loss", Tensor::from_f64(Dtype::F32, shape, &values));
        }
        (self.parameters(), tensors)
    }

    /// A learning rate far from one at which a step is singular, whatever the values of K targets add up to.
    fn parameters(&self) -> Parameters {
        let [_, rows, _, width] = self.shape;
        let is_mean = self.set.contains(&("reduction", "mean"));
        let most = if is_mean { 1.0 } else { rows as f64 };
        let rate = 0.02 / (width as f64 * most.max(1.0)).max(1.0);
        let mut parameters: Parameters =
            self.set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        parameters.insert("loss".to_owned(), self.loss.to_owned());
        parameters.insert("learning_rate".to_owned(), format!("{rate:.6}"));
        parameters
    }

    /// The first class, the last, then any.
    fn target(&self, entry: usize, random: &mut Random) -> i64 {
        let [_, _, classes, _] = self.shape;
        let drawn = random.below(classes as u64) as i64;
        match entry {
            _ if self.options.ignored && random.below(3) == 0 => IGNORE_INDEX,
            _ if self.options.one_class => 0,
            0 => 0,
            1 => classes as i64 - 1,
            _ => drawn,
        }
    }
}

impl Fill {
    fn name(self) -> &'static str {
        match self {
            Self::Bell => "bell",
            Self::SameRows => "same_rows",
            Self::EqualClasses => "equal_classes",
            Self::FarMean => "far_mean",
            Self::NanHidden => "nan_hidden",
            Self::NoWeight => "no_weight",
        }
    }

    /// Weight and hidden.
    fn values(self, [rows, classes, width]: [usize; 3], random: &mut Random) -> [Vec<f64>; 2] {
        let deviation = 1.0 / (width as f64).sqrt();
        let mut weight = vec![0.0; classes * width];
        if self != Self::NoWeight {
            weight.fill_with(|| deviation * random.bell());
        }
        let mut hidden: Vec<f64> = (0..rows * width).map(|_| random.bell()).collect();
        let repeat = |matrix: &mut [f64]| {
            if let Some((first, others)) = matrix.split_at_mut_checked(width) {
                others.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(first));
            }
        };
        match self {
            Self::Bell | Self::NoWeight => {}
            Self::SameRows => repeat(&mut hidden),
            Self::EqualClasses => repeat(&mut weight),
            Self::FarMean => {
                let far: Vec<f64> = (0..width).map(|_| 30.0 * random.bell()).collect();
                weight.chunks_exact_mut(width).for_each(|row| row.iter_mut().zip(&far).for_each(|(w, far)| *w += far));
            }
            Self::NanHidden => hidden[rows / 4 * width] = f64::NAN,
        }
        [weight, hidden]
    }
}
