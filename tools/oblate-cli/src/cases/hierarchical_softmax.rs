//! Cases of `spherical.hierarchical_softmax`.

use std::collections::BTreeMap;

use safetensors::Dtype;

use super::{Parameters, Recipe};
use crate::Tensors;
use crate::random::Random;
use crate::tensor::{Tensor, dtype_name};

pub(super) const OPERATION: &str = "spherical.hierarchical_softmax";

/// The default of `ignore_index`.
const IGNORE_INDEX: i64 = -100;

type Set = &'static [(&'static str, &'static str)];

/// What a case is made of, beside its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ingredients {
    rows: usize,
    classes: usize,
    width: usize,
    clusters: Clusters,
    fill: Fill,
    set: Set,
    options: Options,
}

/// How the classes are divided.
#[derive(Clone, Copy, Debug)]
enum Clusters {
    /// So many of about as many classes each.
    Even(usize),
    /// A class each.
    Each,
    /// So many, of which the first has all classes but those that every third of the others has: one each, the rest none.
    Uneven(usize),
    /// Four, of which all but the third are empty.
    AllInOne,
    /// Three, whose bounds descend.
    Descending,
    /// Three, the first of which does not begin at 0.
    Late,
    /// Three that end before all classes do.
    Short,
    /// Three, a bound of which is beyond the classes.
    Beyond,
    /// Three, a bound of which is negative.
    Negative,
}

/// What hidden and the weights hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    /// All bell-shaped, logits of deviation 2.
    Bell,
    /// Logits of deviation 300: up to 1,000, and all probability on one class.
    Large,
    /// All rows of the weights are equal, so all probabilities.
    Equal,
    /// Hidden of 10^-3, weights of 10^3.
    Lopsided,
    /// Hidden and weights far from 1, products and their sums within f32.
    Huge,
    /// One NaN, in the middle row of hidden.
    NanHidden,
    /// One NaN, in the middle row of weight: the rows of its cluster have it, and no others.
    NanWeight,
    /// One NaN, in the middle row of `cluster_weight`.
    NanClusterWeight,
}

/// What else a call may have.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is chosen by itself")]
struct Options {
    /// In [0, 2), some of them 0; all of them 0.
    weights: Option<f64>,
    /// Bell-shaped, times this.
    grad_loss: Option<f64>,
    u32_targets: bool,
    /// About a third of the rows have the target `ignore_index`.
    ignored: bool,
    /// `ignore_index` is this class instead of -100.
    ignore_class: Option<i64>,
    /// Some of the targets are no classes.
    out_of_range: bool,
}

const PLAIN: Options = Options {
    weights: None,
    grad_loss: None,
    u32_targets: false,
    ignored: false,
    ignore_class: None,
    out_of_range: false,
};
const ALL: Set = &[("need_grad_weight", "true")];

pub(super) fn recipes(dtype: Dtype) -> Vec<Recipe> {
    let mut all = Vec::new();
    let mut push = |[rows, classes, width]: [usize; 3], clusters, fill, set, options| {
        let ingredients = Ingredients { rows, classes, width, clusters, fill, set, options };
        let name = format!("{OPERATION} {}{}", dtype_name(dtype), ingredients.words());
        let ingredients = super::Ingredients::HierarchicalSoftmax(ingredients);
        all.push(Recipe { name, operation: OPERATION, dtype, ingredients });
    };
    for &(shape, clusters) in SHAPES {
        push(shape, clusters, Fill::Bell, ALL, PLAIN);
    }
    // Logits that a block keeps for the gradient, just, those of the clusters alone, and none.
    for (classes, clusters) in
        [(4092, Clusters::Even(1)), (4093, Clusters::Even(1)), (4096, Clusters::Each), (4097, Clusters::Each)]
    {
        push([2, classes, 8], clusters, Fill::Bell, &[], PLAIN);
    }
    for (shape, clusters) in [([13, 67, 33], Clusters::Uneven(7)), ([65, 131, 40], Clusters::Even(11))] {
        for &(set, options) in CALLS {
            push(shape, clusters, Fill::Bell, set, options);
        }
    }
    let fills = [
        Fill::Large,
        Fill::Equal,
        Fill::Lopsided,
        Fill::Huge,
        Fill::NanHidden,
        Fill::NanWeight,
        Fill::NanClusterWeight,
    ];
    for fill in fills {
        push([9, 131, 37], Clusters::Even(10), fill, ALL, PLAIN);
    }
    let wrong = [Clusters::Descending, Clusters::Late, Clusters::Short, Clusters::Beyond, Clusters::Negative];
    for clusters in wrong {
        push([5, 31, 8], clusters, Fill::Bell, ALL, PLAIN);
    }
    push([0, 31, 8], Clusters::Descending, Fill::Bell, ALL, PLAIN);
    push([0, 31, 8], Clusters::Short, Fill::Bell, &[], PLAIN);
    let both = Options { out_of_range: true, ignored: true, ..PLAIN };
    push([7, 31, 8], Clusters::Short, Fill::Bell, &[("reduction", "mean"), ("need_grad_weight", "true")], both);
    all
}

/// Around 32 classes, which a block has at a time, a warp of vectors (256 or 128 elements) and 512 columns of a gradient.
const SHAPES: &[([usize; 3], Clusters)] = &[
    ([0, 5, 4], Clusters::Even(2)),
    ([1, 1, 1], Clusters::Even(1)),
    ([1, 2, 1], Clusters::Each),
    ([2, 1, 3], Clusters::AllInOne),
    ([3, 7, 31], Clusters::Even(3)),
    ([5, 31, 32], Clusters::Even(1)),
    ([7, 33, 33], Clusters::Each),
    ([33, 64, 16], Clusters::Even(2)),
    ([31, 131, 129], Clusters::Even(13)),
    ([3, 129, 256], Clusters::Uneven(6)),
    ([2, 37, 264], Clusters::Even(5)),
    ([3, 67, 512], Clusters::Even(8)),
    ([2, 33, 521], Clusters::Even(4)),
    ([2, 17, 1032], Clusters::Even(4)),
    ([67, 257, 20], Clusters::AllInOne),
    ([2, 997, 31], Clusters::Even(31)),
    ([1, 1009, 24], Clusters::Uneven(67)),
    ([257, 100, 8], Clusters::Even(10)),
    ([40, 500, 9], Clusters::Each),
];

/// Kinds of calls.
const CALLS: &[(Set, Options)] = &[
    (&[], PLAIN),
    (&[("need_grad", "false")], Options { ignored: true, ..PLAIN }),
    (ALL, Options { u32_targets: true, ..PLAIN }),
    (ALL, Options { ignored: true, weights: Some(2.0), grad_loss: Some(1.0), ..PLAIN }),
    (ALL, Options { ignore_class: Some(3), ignored: true, ..PLAIN }),
    (ALL, Options { out_of_range: true, ignored: true, ..PLAIN }),
    (&[], Options { out_of_range: true, u32_targets: true, ..PLAIN }),
    (&[("need_grad_weight", "true"), ("grad_weight_dtype", "f32")], Options { grad_loss: Some(1e-6), ..PLAIN }),
    (&[("need_grad", "false"), ("need_grad_weight", "true")], PLAIN),
    (
        &[("reduction", "mean"), ("need_grad_weight", "true")],
        Options { weights: Some(2.0), grad_loss: Some(1e3), ignored: true, ..PLAIN },
    ),
    (&[("reduction", "mean"), ("need_grad_weight", "true")], Options { ignored: true, ..PLAIN }),
    (&[("reduction", "mean")], Options { weights: Some(0.0), ..PLAIN }),
    (&[("reduction", "mean"), ("need_grad", "false")], Options { out_of_range: true, ..PLAIN }),
    (&[("reduction", "sum"), ("need_grad_weight", "true")], Options { weights: Some(2.0), ..PLAIN }),
    (&[("reduction", "sum")], Options { grad_loss: Some(1.0), u32_targets: true, ..PLAIN }),
];

/// Bell-shaped hidden and weights, clusters of about as many classes each, and random targets, at the sizes that the words
/// name.
pub(super) fn tensors(sizes: &BTreeMap<&str, usize>, dtype: Dtype) -> Tensors {
    let size = |word: &str| sizes.get(word).copied().unwrap_or(1);
    let ingredients = Ingredients {
        rows: size("rows"),
        classes: size("classes"),
        width: size("width"),
        clusters: Clusters::Even(size("clusters")),
        fill: Fill::Bell,
        set: &[],
        options: PLAIN,
    };
    ingredients.build("counted", dtype, 0).1
}

impl Ingredients {
    /// The part of the name that says what the case is made of.
    fn words(&self) -> String {
        let Self { rows, classes, width, clusters, fill, set, options } = self;
        let mut words = vec![format!(" [{rows}, {classes}, {width}] {} {}", clusters.name(), fill.name())];
        let Options { weights, grad_loss, u32_targets, ignored, ignore_class, out_of_range } = options;
        words.extend(weights.map(|most| if most == 0.0 { "weights=0".to_owned() } else { "weights".to_owned() }));
        words.extend(grad_loss.map(|scale| format!("grad_loss={scale:e}")));
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
        let offsets = self.clusters.offsets(classes);
        let clusters = offsets.len() - 1;
        let [hidden, weight, cluster_weight] = fill.values(dtype, [rows, classes, clusters], width, &mut random);
        let mut tensors = Tensors::new();
        let mut put = |name: &str, tensor| tensors.insert(name.to_owned(), tensor);
        put("hidden", Tensor::from_f64(dtype, [rows, width], &hidden));
        put("weight", Tensor::from_f64(dtype, [classes, width], &weight));
        put("cluster_weight", Tensor::from_f64(dtype, [clusters, width], &cluster_weight));
        put("cluster_offsets", Tensor::from_i64([offsets.len()], &offsets));
        if options.u32_targets {
            let targets: Vec<u32> = targets.iter().map(|&target| target as u32).collect();
            put("targets", Tensor::from_u32([rows], &targets));
        } else {
            put("targets", Tensor::from_i64([rows], &targets));
        }
        if let Some(most) = options.weights {
            let draw = |random: &mut Random| if random.below(4) == 0 { 0.0 } else { most * random.unit() };
            let values: Vec<f64> = (0..rows).map(|_| draw(&mut random)).collect();
            put("row_weights", Tensor::from_f64(Dtype::F32, [rows], &values));
        }
        if let Some(scale) = options.grad_loss {
            let reduced = self.set.iter().any(|(name, value)| *name == "reduction" && *value != "none");
            let shape = if reduced { vec![] } else { vec![rows] };
            let values: Vec<f64> = (0..shape.iter().product()).map(|_| scale * random.bell()).collect();
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

impl Clusters {
    fn name(self) -> String {
        match self {
            Self::Even(clusters) => format!("C={clusters}"),
            Self::Each => "C=D".to_owned(),
            Self::Uneven(clusters) => format!("C={clusters} uneven"),
            Self::AllInOne => "C=4 all_in_one".to_owned(),
            Self::Descending => "offsets_descending".to_owned(),
            Self::Late => "offsets_late".to_owned(),
            Self::Short => "offsets_short".to_owned(),
            Self::Beyond => "offsets_beyond".to_owned(),
            Self::Negative => "offsets_negative".to_owned(),
        }
    }

    fn offsets(self, classes: usize) -> Vec<i64> {
        let all = classes as i64;
        let even = |clusters: usize| (0..=clusters).map(move |j| (j * classes / clusters) as i64);
        match self {
            Self::Even(clusters) => even(clusters).collect(),
            Self::Each => even(classes).collect(),
            Self::Uneven(clusters) => {
                let before = |j: usize| (j as i64 + 1) / 3; // of the others before the j-th, those that have a class
                let bounds = (1..=clusters).map(|j| all - before(clusters) + before(j));
                std::iter::once(0).chain(bounds).collect()
            }
            Self::AllInOne => vec![0, 0, 0, all, all],
            Self::Descending => vec![0, 2 * all / 3, all / 3, all],
            Self::Late => vec![1, all / 3, all / 2, all],
            Self::Short => vec![0, all / 3, all / 2, all - 1],
            Self::Beyond => vec![0, all + 1, all, all],
            Self::Negative => vec![0, -1, all / 2, all],
        }
    }
}

impl Fill {
    fn name(self) -> &'static str {
        match self {
            Self::Bell => "bell",
            Self::Large => "large",
            Self::Equal => "equal",
            Self::Lopsided => "lopsided",
            Self::Huge => "huge",
            Self::NanHidden => "nan_hidden",
            Self::NanWeight => "nan_weight",
            Self::NanClusterWeight => "nan_cluster_weight",
        }
    }

    /// Hidden and the weights of classes and of clusters.
    fn values(self, dtype: Dtype, counts: [usize; 3], width: usize, random: &mut Random) -> [Vec<f64>; 3] {
        // By which the deviation of a logit is the product of the two.
        let of_weight = 1.0 / (width as f64).sqrt();
        let [hidden, weight] = match self {
            Self::Large => [10.0, 30.0 * of_weight],
            Self::Lopsided => [1e-3, 2e3 * of_weight],
            Self::Huge if dtype == Dtype::F16 => [1e4, 1e3 * of_weight],
            Self::Huge => [1e15, 1e15 * of_weight],
            _ => [1.0, 2.0 * of_weight],
        };
        let mut i = 0;
        let mut values = counts.map(|count| {
            let deviation = if i == 0 { hidden } else { weight };
            i += 1;
            (0..count * width).map(|_| deviation * random.bell()).collect::<Vec<_>>()
        });
        let poisoned = match self {
            Self::NanHidden => Some(0),
            Self::NanWeight => Some(1),
            Self::NanClusterWeight => Some(2),
            _ => None,
        };
        if let Some(i) = poisoned {
            values[i][counts[i] / 2 * width + width - 1] = f64::NAN;
        }
        if self == Self::Equal {
            for weight in &mut values[1..] {
                let (first, others) = weight.split_at_mut(width);
                others.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(first));
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::{self, Call};

    /// The losses of the first case whose name ends so.
    fn losses(dtype: Dtype, end: &str) -> Vec<f64> {
        let recipe = recipes(dtype).into_iter().find(|recipe| recipe.name().ends_with(end)).expect(end);
        let case = recipe.build(1);
        let (card, operation) = dispatch::operation(OPERATION).unwrap();
        let set = case.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let call = Call::new(card, set, case.tensors).unwrap();
        operation.reference(&call).unwrap().remove(0).1.values
    }

    #[test]
    fn fills_are_what_they_say() {
        let all = |fill: &str| losses(Dtype::F32, &format!("[9, 131, 37] C=10 {fill} need_grad_weight=true"));
        // Ten clusters of 13 or 14 classes.
        assert!(all("equal").iter().all(|loss| (130.0_f64.ln() - 1e-9..140.0_f64.ln() + 1e-9).contains(loss)));
        assert!(all("large").iter().any(|loss| *loss > 300.0));
        let nan = |fill: &str| all(fill).into_iter().filter(|loss| loss.is_nan()).count();
        assert_eq!((nan("nan_hidden"), nan("nan_cluster_weight")), (1, 9));
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            let huge = losses(dtype, "huge need_grad_weight=true");
            assert!(huge.iter().all(|loss| *loss < f64::from(f32::MAX) / 100.0));
            assert!(huge.iter().any(|loss| *loss > 1e6));
        }
    }

    #[test]
    fn offsets_ascend_but_for_those_that_do_not() {
        let right = |offsets: &[i64]| offsets.is_sorted() && offsets[0] == 0 && offsets.last() == Some(&31);
        for clusters in [Clusters::Even(1), Clusters::Even(7), Clusters::Each, Clusters::Uneven(7), Clusters::AllInOne]
        {
            assert!(right(&clusters.offsets(31)), "{clusters:?}");
        }
        let wrong = [Clusters::Descending, Clusters::Late, Clusters::Short, Clusters::Beyond, Clusters::Negative];
        assert!(wrong.into_iter().all(|clusters| !right(&clusters.offsets(31))));
        assert_eq!(Clusters::Uneven(7).offsets(31), [0, 29, 30, 30, 30, 31, 31, 31]);
    }
}
