//! Cases of `spherical.linear_cross_entropy`.

use std::collections::BTreeMap;

use safetensors::Dtype;

use super::{Parameters, Recipe};
use crate::Tensors;
use crate::random::Random;
use crate::tensor::{Tensor, dtype_name};

pub(super) const OPERATION: &str = "spherical.linear_cross_entropy";

/// The default of `ignore_index`.
const IGNORE_INDEX: i64 = -100;

type Set = &'static [(&'static str, &'static str)];

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
    /// Logits of deviation 300: up to 1,000, and all probability on one class.
    Large,
    /// A row of hidden is near that of its target in weight: probabilities next to 1, of losses near 0.
    Fitted,
    /// All rows of weight are equal, so all probabilities.
    Equal,
    /// Hidden of 10^-3, weight of 10^3: gradients of hidden that are large where those of the logits are small.
    Lopsided,
    /// Hidden and weight far from 1, products and their sums within f32.
    Huge,
    /// One NaN, in the middle row of hidden.
    NanHidden,
    /// One NaN, in the middle row of weight.
    NanWeight,
}

/// What else a call may have.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is chosen by itself")]
struct Options {
    bias: Option<Bias>,
    weights: Option<Weights>,
    grad_loss: Option<GradLoss>,
    segments: Option<Segments>,
    u32_targets: bool,
    /// About a third of the rows have the target `ignore_index`.
    ignored: bool,
    /// `ignore_index` is this class instead of -100.
    ignore_class: Option<i64>,
    /// Some of the targets are no classes.
    out_of_range: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bias {
    Bell,
    /// -inf for about a third of the classes, no row's target among them.
    Masked,
    /// -inf for the target of the first row, and so of every row that shares it.
    MaskedTarget,
    /// -inf for all classes but that of the first row's target.
    MaskedButOne,
    /// -inf for all classes.
    MaskedAll,
}

#[derive(Clone, Copy, Debug)]
enum Weights {
    /// In [0, 2), some of them 0, some of them 10^-6.
    Random,
    /// All 0: a mean has nothing to divide by.
    Zero,
}

#[derive(Clone, Copy, Debug)]
enum GradLoss {
    Bell,
    /// From 10^-6 to 10^3, by row.
    Spread,
    /// 10^-6 for all.
    Tiny,
}

#[derive(Clone, Copy, Debug)]
enum Segments {
    /// Of several lengths, some without a row; rows before the first and behind the last are in none.
    Several,
    /// One, of all rows.
    One,
    /// None: a bound and nothing else.
    None,
    /// As many as there are rows, a row each.
    Each,
    /// A bound that is less than the one before.
    Descending,
    /// A bound beyond the rows.
    Beyond,
}

const PLAIN: Options = Options {
    bias: None,
    weights: None,
    grad_loss: None,
    segments: None,
    u32_targets: false,
    ignored: false,
    ignore_class: None,
    out_of_range: false,
};
const SMOOTHED: Set = &[("label_smoothing", "0.1"), ("lse_penalty", "0.01")];
const ALL_TERMS: Set = &[("label_smoothing", "0.1"), ("lse_penalty", "0.01"), ("softcap", "30")];

pub(super) fn recipes(dtype: Dtype) -> Vec<Recipe> {
    let mut all = Vec::new();
    let mut push = |[rows, classes, width]: [usize; 3], fill, set, options| {
        let ingredients = Ingredients { rows, classes, width, fill, set, options };
        let name = format!("{OPERATION} {}{}", dtype_name(dtype), ingredients.words());
        let ingredients = super::Ingredients::LinearCrossEntropy(ingredients);
        all.push(Recipe { name, operation: OPERATION, dtype, ingredients });
    };
    for shape in SHAPES {
        push(*shape, Fill::Bell, &[], PLAIN);
    }
    let biased = Options { bias: Some(Bias::Bell), ..PLAIN };
    for shape in [[13, 67, 33], [129, 257, 40]] {
        for &(set, options) in CALLS {
            push(shape, Fill::Bell, set, options);
        }
    }
    for fill in [Fill::Large, Fill::Fitted, Fill::Equal, Fill::Lopsided, Fill::Huge, Fill::NanHidden, Fill::NanWeight] {
        push([9, 131, 37], fill, &[], PLAIN);
    }
    for fill in [Fill::Large, Fill::Fitted, Fill::Equal, Fill::Lopsided] {
        push([9, 131, 37], fill, ALL_TERMS, biased);
    }
    // Gradients that f16 cannot hold on the way, and that the weight's magnitude brings back.
    for grad_loss in [GradLoss::Tiny, GradLoss::Spread] {
        let options = Options { grad_loss: Some(grad_loss), ..biased };
        for fill in [Fill::Lopsided, Fill::Fitted] {
            push([33, 300, 24], fill, &[("grad_weight_dtype", "f32")], options);
        }
    }
    // More column tiles than there are runs of one.
    push([3, 16_600, 8], Fill::Bell, SMOOTHED, Options { bias: Some(Bias::Masked), ..PLAIN });
    // More logits than a chunk of the gradient has room for, which is 20 MiB and 2,048 classes at least.
    push([if dtype == Dtype::F32 { 1300 } else { 2600 }, 2100, 8], Fill::Bell, &[], biased);
    all
}

/// Around tiles of 128 rows and classes and steps of 32 elements of the width: none, one, a prime, a tile and one.
const SHAPES: &[[usize; 3]] = &[
    [0, 5, 4],
    [1, 1, 1],
    [1, 2, 1],
    [2, 1, 3],
    [3, 7, 31],
    [5, 127, 32],
    [7, 128, 33],
    [127, 17, 64],
    [128, 130, 20],
    [129, 129, 129],
    [131, 31, 257],
    [257, 67, 16],
    [17, 257, 100],
    [2, 997, 31],
    [3, 383, 383],
    [1, 131, 128],
];

/// Kinds of calls.
const CALLS: &[(Set, Options)] = &[
    (&[("label_smoothing", "0.1")], PLAIN),
    (&[("label_smoothing", "1")], PLAIN),
    (&[("lse_penalty", "0.5")], PLAIN),
    (&[("softcap", "30")], PLAIN),
    (&[("softcap", "0.5")], Options { bias: Some(Bias::Bell), ..PLAIN }),
    (ALL_TERMS, Options { bias: Some(Bias::Masked), ..PLAIN }),
    (&[], Options { bias: Some(Bias::Bell), u32_targets: true, ..PLAIN }),
    (SMOOTHED, Options { bias: Some(Bias::MaskedTarget), ignored: true, ..PLAIN }),
    (&[("softcap", "0.5")], Options { bias: Some(Bias::MaskedButOne), ..PLAIN }),
    (&[], Options { bias: Some(Bias::MaskedAll), ..PLAIN }),
    (&[], Options { weights: Some(Weights::Random), ignored: true, grad_loss: Some(GradLoss::Bell), ..PLAIN }),
    (&[], Options { grad_loss: Some(GradLoss::Spread), bias: Some(Bias::Bell), ..PLAIN }),
    (SMOOTHED, Options { ignore_class: Some(3), ignored: true, ..PLAIN }),
    (&[], Options { out_of_range: true, ignored: true, segments: Some(Segments::Several), ..PLAIN }),
    (
        &[("reduction", "mean")],
        Options { out_of_range: true, u32_targets: true, segments: Some(Segments::Descending), ..PLAIN },
    ),
    (&[("need_grad", "false")], Options { segments: Some(Segments::One), ignored: true, ..PLAIN }),
    (&[("need_grad_weight", "false"), ("softcap", "30")], Options { bias: Some(Bias::Bell), ..PLAIN }),
    (&[("grad_weight_dtype", "f32")], Options { weights: Some(Weights::Random), ..PLAIN }),
    (&[], Options { segments: Some(Segments::Several), bias: Some(Bias::MaskedTarget), ..PLAIN }),
    (SMOOTHED, Options { segments: Some(Segments::Each), weights: Some(Weights::Random), ..PLAIN }),
    (&[], Options { segments: Some(Segments::None), ..PLAIN }),
    (&[("need_grad", "false")], Options { segments: Some(Segments::Beyond), ..PLAIN }),
    (
        &[("reduction", "mean"), ("label_smoothing", "0.1"), ("lse_penalty", "0.01"), ("softcap", "30")],
        Options {
            bias: Some(Bias::Masked),
            weights: Some(Weights::Random),
            grad_loss: Some(GradLoss::Bell),
            segments: Some(Segments::Several),
            ignored: true,
            ..PLAIN
        },
    ),
    (&[("reduction", "mean"), ("grad_weight_dtype", "f32")], Options { weights: Some(Weights::Zero), ..PLAIN }),
    (&[("reduction", "sum"), ("lse_penalty", "0.5")], Options { ignored: true, bias: Some(Bias::Bell), ..PLAIN }),
    (
        &[("reduction", "sum"), ("need_grad_weight", "false")],
        Options { grad_loss: Some(GradLoss::Tiny), u32_targets: true, ..PLAIN },
    ),
];

/// Bell-shaped hidden and weight, and random targets, at the sizes that the words name.
pub(super) fn tensors(sizes: &BTreeMap<&str, usize>, dtype: Dtype) -> Tensors {
    let size = |word: &str| sizes.get(word).copied().unwrap_or(1);
    let options = Options { segments: sizes.contains_key("segments").then_some(Segments::One), ..PLAIN };
    let ingredients = Ingredients {
        rows: size("rows"),
        classes: size("classes"),
        width: size("width"),
        fill: Fill::Bell,
        set: &[],
        options,
    };
    let mut tensors = ingredients.build("counted", dtype, 0).1;
    if let Some(&segments) = sizes.get("segments") {
        // Of about as many rows each.
        let bounds: Vec<u32> = (0..=segments).map(|s| (s * ingredients.rows / segments.max(1)) as u32).collect();
        tensors.insert("segments".to_owned(), Tensor::from_u32([segments + 1], &bounds));
    }
    tensors
}

impl Ingredients {
    /// The part of the name that says what the case is made of.
    fn words(&self) -> String {
        let Self { rows, classes, width, fill, set, options } = self;
        let mut words = vec![format!(" [{rows}, {classes}, {width}] {}", fill.name())];
        let Options { bias, weights, grad_loss, segments, u32_targets, ignored, ignore_class, out_of_range } = options;
        words.extend(bias.map(|bias| bias.name().to_owned()));
        words.extend(weights.map(|weights| weights.name().to_owned()));
        words.extend(grad_loss.map(|grad_loss| grad_loss.name().to_owned()));
        words.extend(segments.map(|segments| segments.name().to_owned()));
        words.extend(u32_targets.then(|| "u32".to_owned()));
        match ignore_class {
            Some(class) => words.push(format!("ignore_index={class}")),
            None => words.extend(ignored.then(|| "ignored".to_owned())),
        }
        words.extend(out_of_range.then(|| "out_of_range".to_owned()));
        words.extend(set.iter().map(|(name, value)| format!("{name}={value}")));
        words.join(" ")
    }

    pub(super) fn build(&self, name: &str, dtype: Dtype, seed: u64) -> (Parameters, Tensors) {
        let Self { rows, classes, width, fill, options, .. } = *self;
        let mut random = Random::new(name, seed);
        let targets = self.targets(&mut random);
        let [mut hidden, mut weight] = fill.values(dtype, [rows, classes, width], &mut random);
        fill.place([&mut hidden, &mut weight], &targets, width);
        let mut tensors = Tensors::new();
        let mut put = |name: &str, tensor| tensors.insert(name.to_owned(), tensor);
        put("hidden", Tensor::from_f64(dtype, [rows, width], &hidden));
        put("weight", Tensor::from_f64(dtype, [classes, width], &weight));
        if options.u32_targets {
            let targets: Vec<u32> = targets.iter().map(|&target| target as u32).collect();
            put("targets", Tensor::from_u32([rows], &targets));
        } else {
            put("targets", Tensor::from_i64([rows], &targets));
        }
        if let Some(bias) = options.bias {
            put("bias", Tensor::from_f64(dtype, [classes], &bias.values(classes, &targets, &mut random)));
        }
        if let Some(weights) = options.weights {
            let values: Vec<f64> = (0..rows).map(|_| weights.draw(&mut random)).collect();
            put("row_weights", Tensor::from_f64(Dtype::F32, [rows], &values));
        }
        if let Some(segments) = options.segments {
            let bounds = segments.bounds(rows);
            put("segments", Tensor::from_u32([bounds.len()], &bounds));
        }
        if let Some(grad_loss) = options.grad_loss {
            let reduced = self.set.iter().any(|(name, value)| *name == "reduction" && *value != "none");
            let shape = if reduced { vec![] } else { vec![rows] };
            let values: Vec<f64> = (0..shape.iter().product()).map(|b| grad_loss.draw(b, &mut random)).collect();
            put("grad_loss", Tensor::from_f64(Dtype::F32, shape, &values));
        }
        (self.parameters(), tensors)
    }

    fn parameters(&self) -> Parameters {
        let mut parameters: Parameters =
            self.set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        if let Some(class) = self.options.ignore_class {
            parameters.insert("ignore_index".to_owned(), class.to_string());
        }
        parameters
    }

    /// The first class, the last, then any.
    fn targets(&self, random: &mut Random) -> Vec<i64> {
        let Options { ignored, ignore_class, out_of_range, u32_targets, .. } = self.options;
        let classes = self.classes as i64;
        let wrong = if u32_targets { [classes, 0xffff_ffff, 1 << 31] } else { [classes, -1, (1 << 32) + 1] };
        let target = |row: usize| {
            let drawn = random.below(self.classes as u64) as i64;
            match row {
                _ if ignored && random.below(3) == 0 => ignore_class.unwrap_or(IGNORE_INDEX),
                _ if out_of_range && row % 4 == 2 => wrong[row / 4 % 3],
                0 => 0,
                1 => classes - 1,
                _ => drawn,
            }
        };
        (0..self.rows).map(target).collect()
    }
}

impl Fill {
    fn name(self) -> &'static str {
        match self {
            Self::Bell => "bell",
            Self::Large => "large",
            Self::Fitted => "fitted",
            Self::Equal => "equal",
            Self::Lopsided => "lopsided",
            Self::Huge => "huge",
            Self::NanHidden => "nan_hidden",
            Self::NanWeight => "nan_weight",
        }
    }

    /// Hidden and weight, bell-shaped.
    fn values(self, dtype: Dtype, [rows, classes, width]: [usize; 3], random: &mut Random) -> [Vec<f64>; 2] {
        // By which the deviation of a logit is the product of the two.
        let of_weight = 1.0 / (width as f64).sqrt();
        let [hidden, weight] = match self {
            Self::Large => [10.0, 30.0 * of_weight],
            Self::Lopsided => [1e-3, 2e3 * of_weight],
            Self::Huge if dtype == Dtype::F16 => [1e4, 1e3 * of_weight],
            Self::Huge => [1e15, 1e15 * of_weight],
            _ => [1.0, 2.0 * of_weight],
        };
        [(rows * width, hidden), (classes * width, weight)]
            .map(|(count, deviation)| (0..count).map(|_| deviation * random.bell()).collect())
    }

    /// The rows that make a fill what it is.
    fn place(self, [hidden, weight]: [&mut [f64]; 2], targets: &[i64], width: usize) {
        let (rows, classes) = (hidden.len() / width, weight.len() / width);
        match self {
            Self::Fitted => {
                for (row, target) in hidden.chunks_exact_mut(width).zip(targets) {
                    let Some(own) = usize::try_from(*target).ok().filter(|class| *class < classes) else { continue };
                    // w.w is about 4: six times that, and a third of the noise.
                    let own = &weight[own * width..][..width];
                    row.iter_mut().zip(own).for_each(|(h, w)| *h = 6.0 * w + *h / 3.0);
                }
            }
            Self::Equal => {
                let (first, others) = weight.split_at_mut(width);
                others.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(first));
            }
            Self::NanHidden => hidden[rows / 2 * width + width - 1] = f64::NAN,
            Self::NanWeight => weight[classes / 2 * width + width - 1] = f64::NAN,
            _ => {}
        }
    }
}

impl Bias {
    fn name(self) -> &'static str {
        match self {
            Self::Bell => "bias",
            Self::Masked => "masked",
            Self::MaskedTarget => "masked_target",
            Self::MaskedButOne => "masked_but_one",
            Self::MaskedAll => "masked_all",
        }
    }

    fn values(self, classes: usize, targets: &[i64], random: &mut Random) -> Vec<f64> {
        let first = targets.iter().copied().find(|target| (0..classes as i64).contains(target)).unwrap_or(0);
        let is_target = |class: i64| targets.contains(&class);
        let of_class = |k: usize| {
            let (bell, third, k) = (random.bell(), random.below(3) == 0, k as i64);
            let masked = match self {
                Self::Bell => false,
                Self::Masked => third && !is_target(k),
                Self::MaskedTarget => k == first,
                Self::MaskedButOne => k != first,
                Self::MaskedAll => true,
            };
            if masked { f64::NEG_INFINITY } else { bell }
        };
        (0..classes).map(of_class).collect()
    }
}

impl Weights {
    fn name(self) -> &'static str {
        match self {
            Self::Random => "weights",
            Self::Zero => "weights=0",
        }
    }

    fn draw(self, random: &mut Random) -> f64 {
        match (self, random.below(4)) {
            (Self::Zero, _) | (Self::Random, 0) => 0.0,
            (Self::Random, 1) => 1e-6,
            (Self::Random, _) => 2.0 * random.unit(),
        }
    }
}

impl GradLoss {
    fn name(self) -> &'static str {
        match self {
            Self::Bell => "grad_loss",
            Self::Spread => "grad_loss=1e-6..1e3",
            Self::Tiny => "grad_loss=1e-6",
        }
    }

    fn draw(self, row: usize, random: &mut Random) -> f64 {
        let bell = random.bell();
        match self {
            Self::Bell => bell,
            Self::Spread => bell.signum() * f64::powi(10.0, row as i32 % 10 - 6),
            Self::Tiny => 1e-6 * bell,
        }
    }
}

impl Segments {
    fn name(self) -> &'static str {
        match self {
            Self::Several => "segments",
            Self::One => "segments=all",
            Self::None => "segments=0",
            Self::Each => "segments=rows",
            Self::Descending => "segments_descending",
            Self::Beyond => "segments_beyond",
        }
    }

    fn bounds(self, rows: usize) -> Vec<u32> {
        let all = rows as u32;
        let several =
            [1, 1, all / 3, all / 3 + 1, all / 2, all / 2, all / 2, all.max(1) - 1].map(|bound| bound.min(all));
        match self {
            Self::Several => several.to_vec(),
            Self::One => vec![0, all],
            Self::None => vec![all / 2],
            Self::Each => (0..=all).collect(),
            Self::Descending => vec![0, all / 2, all / 2 - 1, all],
            Self::Beyond => [several.as_slice(), &[all + 1, 0]].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::{self, Call};

    /// The call of the first case whose name ends so.
    fn call(dtype: Dtype, end: &str) -> Call {
        let recipe = recipes(dtype).into_iter().find(|recipe| recipe.name().ends_with(end)).expect(end);
        let case = recipe.build(1);
        let set = case.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Call::new(dispatch::operation(OPERATION).unwrap().0, set, case.tensors).unwrap()
    }

    fn output(call: &Call, name: &str) -> Vec<f64> {
        let (_, operation) = dispatch::operation(OPERATION).unwrap();
        operation.reference(call).unwrap().into_iter().find(|(output, _)| *output == name).unwrap().1.values
    }

    #[test]
    fn fills_are_what_they_say() {
        let losses = |end: &str| output(&call(Dtype::F32, end), "loss");
        assert!(losses("] fitted").iter().all(|loss| *loss < 0.1));
        let uniform = 131.0_f64.ln();
        assert!(losses("] equal").iter().all(|loss| (loss - uniform).abs() < 1e-12));
        assert!(losses("] large").iter().any(|loss| *loss > 300.0));
        assert!(losses("] bell masked_all").iter().all(|loss| loss.is_nan()));
        let nan = |end: &str| losses(end).into_iter().filter(|loss| loss.is_nan()).count();
        assert_eq!((nan("37] nan_hidden"), nan("37] nan_weight")), (1, 9));
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            let huge = call(dtype, "] huge");
            assert!(output(&huge, "loss").iter().all(|loss| *loss < f64::from(f32::MAX) / 100.0));
            assert!(output(&huge, "loss").iter().any(|loss| *loss > 1e6));
            assert!(huge.tensors["hidden"].to_f64().iter().all(|h| h.is_finite()));
        }
    }

    #[test]
    fn a_masked_target_has_an_infinite_loss_and_the_only_class_none() {
        let losses = output(&call(Dtype::F16, "] bell masked_but_one softcap=0.5"), "loss");
        assert_eq!(losses[0], 0.0);
        assert!(losses[1..].contains(&f64::INFINITY));
        let losses = output(&call(Dtype::F16, "] bell masked_target segments"), "loss");
        assert!(losses.contains(&f64::INFINITY) && losses.iter().any(|loss| loss.is_finite()));
    }

    #[test]
    fn segments_are_in_order_but_for_those_that_are_not() {
        for rows in [4, 13, 129] {
            for segments in [Segments::Several, Segments::One, Segments::None, Segments::Each] {
                let bounds = segments.bounds(rows);
                assert!(bounds.is_sorted() && bounds.iter().all(|bound| *bound as usize <= rows), "{bounds:?}");
            }
            assert!(!Segments::Descending.bounds(rows).is_sorted());
            assert!(Segments::Beyond.bounds(rows).iter().any(|bound| *bound as usize > rows));
            let several = Segments::Several.bounds(rows);
            let rows_of = |s: &[u32]| s[1] - s[0];
            assert!(several.windows(2).any(|s| rows_of(s) == 0) && several.windows(2).any(|s| rows_of(s) > 0));
        }
    }

    /// What follows is about the dtypes that have a bound beyond f32's.
    #[test]
    fn bounds_follow_the_products() {
        let call = call(Dtype::BF16, "[13, 67, 33] bell weights grad_weight_dtype=f32");
        let (_, operation) = dispatch::operation(OPERATION).unwrap();
        for (name, output) in operation.reference(&call).unwrap() {
            let (terms, operands) = match name {
                "grad_hidden" => (67, 13 * 33),
                "grad_weight" => (33, 67 * 33),
                _ => (33, 0),
            };
            assert_eq!((output.terms, output.operands.len()), (terms, operands), "{name}");
            assert_eq!(output.per_term, f64::powi(2.0, -26), "{name}");
        }
    }
}
