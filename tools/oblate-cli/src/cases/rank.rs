//! Cases of `spherical.rank`, on given logits and on a head.

use std::collections::BTreeMap;

use safetensors::Dtype;

use super::{Parameters, Recipe};
use crate::Tensors;
use crate::random::Random;
use crate::tensor::{Tensor, dtype_name, element_bytes};

pub(super) const OPERATION: &str = "spherical.rank";

/// The default of `ignore_index`.
const IGNORE_INDEX: i64 = -100;

/// What a case is made of, beside its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ingredients {
    rows: usize,
    classes: usize,
    /// Of a head; none for given logits.
    width: Option<usize>,
    fill: Fill,
    k: usize,
    targets: Targets,
}

/// What the logits, or hidden and weight, hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    /// Bell-shaped.
    Bell,
    /// Logits of nine values; of a head, seven rows of weight over and over: most logits tie with many.
    Tied,
    /// All logits, or rows of weight, equal: every rank is 1.
    Equal,
    /// Logits that differ in the last place; of a head, rows of weight in one element.
    Near,
    /// NaN in a class of every second row; of a head, in the middle row of weight.
    Nan,
    /// Both infinities in every row; of a head, in the middle row of weight.
    Infinite,
    /// The target's is the largest of every row, or the least.
    Extreme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Targets {
    I64,
    U32,
    /// About a third of the rows have the target `ignore_index`.
    Ignored,
    /// The same, and `ignore_index` is this class.
    IgnoreClass(i64),
    /// Some of the targets are no classes.
    OutOfRange,
}

const FILLS: [Fill; 7] = [Fill::Bell, Fill::Tied, Fill::Equal, Fill::Near, Fill::Nan, Fill::Infinite, Fill::Extreme];

pub(super) fn recipes(dtype: Dtype) -> Vec<Recipe> {
    let mut all = Vec::new();
    let mut push = |[rows, classes]: [usize; 2], width, fill, k, targets| {
        let ingredients = Ingredients { rows, classes, width, fill, k, targets };
        let name = format!("{OPERATION} {} {}", dtype_name(dtype), ingredients.words());
        all.push(Recipe { name, operation: OPERATION, dtype, ingredients: super::Ingredients::Rank(ingredients) });
    };
    // Around lanes of 64 bytes a row, rows of a block, of several, and more rows than these are for.
    let of = |bytes: usize| bytes / element_bytes(dtype);
    let mut shapes = vec![[0, 5], [1, 1], [3, 1], [5, 2], [7, 13], [33, 31], [300, 10], [2, 50_257], [1, 131_073]];
    for bytes in [64, 256, 1024, 8192, 16_384, 65_536] {
        shapes.extend([[5, of(bytes) - 1], [5, of(bytes)], [5, of(bytes) + 1]]);
    }
    for shape in shapes {
        push(shape, None, Fill::Bell, 3, Targets::I64);
    }
    push([433, of(8192) + 3], None, Fill::Bell, 100, Targets::Ignored);
    for fill in FILLS.into_iter().skip(1) {
        for shape in [[9, 37], [5, of(3000) + 1], [3, of(40_000) + 1]] {
            push(shape, None, fill, 4, Targets::I64);
        }
    }
    let kinds = [Targets::U32, Targets::Ignored, Targets::IgnoreClass(3), Targets::OutOfRange];
    for targets in kinds {
        for shape in [[13, 67], [4, of(40_000)]] {
            push(shape, None, Fill::Bell, 10, targets);
        }
    }
    // Around tiles of 64 and 128 rows and classes and steps of 32 elements of the width.
    for [rows, classes, width] in [
        [0, 5, 4],
        [1, 1, 1],
        [1, 2, 1],
        [3, 7, 31],
        [5, 127, 32],
        [63, 128, 33],
        [64, 17, 64],
        [129, 130, 20],
        [131, 31, 257],
        [17, 257, 100],
        [2, 4099, 31],
        [3, 383, 383],
        [1, 131, 128],
        [257, 900, 16],
    ] {
        push([rows, classes], Some(width), Fill::Bell, 3, Targets::I64);
    }
    for fill in FILLS.into_iter().skip(1) {
        for width in [37, 40] {
            push([70, 131], Some(width), fill, 4, Targets::I64);
        }
    }
    for targets in kinds {
        push([130, 67], Some(24), Fill::Bell, 10, targets);
    }
    all
}

/// Bell-shaped logits, or hidden and weight where there is a `width`, and random targets, at the sizes that the words name.
pub(super) fn tensors(sizes: &BTreeMap<&str, usize>, dtype: Dtype) -> Tensors {
    let size = |word: &str| sizes.get(word).copied();
    let ingredients = Ingredients {
        rows: size("rows").unwrap_or(1),
        classes: size("classes").unwrap_or(1),
        width: size("width"),
        fill: Fill::Bell,
        k: 1,
        targets: Targets::I64,
    };
    ingredients.build("counted", dtype, 0).1
}

impl Ingredients {
    /// The part of the name that says what the case is made of.
    fn words(&self) -> String {
        let Self { rows, classes, width, fill, k, targets } = self;
        let width = width.map_or_else(String::new, |width| format!(", {width}"));
        let targets = match targets {
            Targets::I64 => String::new(),
            Targets::U32 => " u32".to_owned(),
            Targets::Ignored => " ignored".to_owned(),
            Targets::IgnoreClass(class) => format!(" ignore_index={class}"),
            Targets::OutOfRange => " out_of_range".to_owned(),
        };
        format!("[{rows}, {classes}{width}] {} k={k}{targets}", fill.name())
    }

    pub(super) fn build(&self, name: &str, dtype: Dtype, seed: u64) -> (Parameters, Tensors) {
        let Self { rows, classes, width, fill, k, targets } = *self;
        let mut random = Random::new(name, seed);
        let classes_of_rows = self.targets(&mut random);
        let mut tensors = Tensors::new();
        let mut put = |name: &str, tensor| tensors.insert(name.to_owned(), tensor);
        if let Some(width) = width {
            let [hidden, weight] = fill.head([rows, classes, width], &classes_of_rows, dtype, &mut random);
            put("hidden", Tensor::from_f64(dtype, [rows, width], &hidden));
            put("weight", Tensor::from_f64(dtype, [classes, width], &weight));
        } else {
            let logits = fill.logits([rows, classes], &classes_of_rows, dtype, &mut random);
            put("logits", Tensor::from_f64(dtype, [rows, classes], &logits));
        }
        if targets == Targets::U32 {
            let targets: Vec<u32> = classes_of_rows.iter().map(|&target| target as u32).collect();
            put("targets", Tensor::from_u32([rows], &targets));
        } else {
            put("targets", Tensor::from_i64([rows], &classes_of_rows));
        }
        let mut parameters = Parameters::from([("k".to_owned(), k.to_string())]);
        if let Targets::IgnoreClass(class) = targets {
            parameters.insert("ignore_index".to_owned(), class.to_string());
        }
        (parameters, tensors)
    }

    /// The first class, the last, then any.
    fn targets(&self, random: &mut Random) -> Vec<i64> {
        let classes = self.classes as i64;
        let wrong = [classes, -1, (1 << 32) + 1];
        let target = |row: usize| {
            let (drawn, third) = (random.below(self.classes as u64) as i64, random.below(3) == 0);
            match (self.targets, row) {
                (Targets::Ignored, _) if third => IGNORE_INDEX,
                (Targets::IgnoreClass(class), _) if third => class,
                (Targets::OutOfRange, _) if row % 4 == 2 => wrong[row / 4 % 3],
                (_, 0) => 0,
                (_, 1) => classes - 1,
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
            Self::Tied => "tied",
            Self::Equal => "equal",
            Self::Near => "near",
            Self::Nan => "nan",
            Self::Infinite => "infinite",
            Self::Extreme => "extreme",
        }
    }

    fn logits(self, [rows, classes]: [usize; 2], targets: &[i64], dtype: Dtype, random: &mut Random) -> Vec<f64> {
        let mut logits: Vec<f64> = (0..rows * classes).map(|_| 2.0 * random.bell()).collect();
        for (b, (row, target)) in logits.chunks_exact_mut(classes).zip(targets).enumerate() {
            let target = usize::try_from(*target).unwrap_or(0);
            let one = random.below(classes as u64) as usize;
            match self {
                Self::Bell => {}
                Self::Tied => row.iter_mut().for_each(|o| *o = random.below(9) as f64 - 4.0),
                Self::Equal => row.fill(row[0]),
                Self::Near => row.iter_mut().for_each(|o| *o = 1.0 + random.below(5) as f64 * last_place(dtype)),
                Self::Nan => row[one] = if b % 2 == 0 { f64::NAN } else { row[one] },
                Self::Infinite => {
                    row[one] = f64::INFINITY;
                    row[classes / 2] = f64::NEG_INFINITY;
                }
                Self::Extreme => row[target] = if b % 2 == 0 { 1000.0 } else { -1000.0 },
            }
        }
        logits
    }

    fn head(
        self,
        [rows, classes, width]: [usize; 3],
        targets: &[i64],
        dtype: Dtype,
        random: &mut Random,
    ) -> [Vec<f64>; 2] {
        let mut values = |count: usize| (0..count).map(|_| random.bell()).collect::<Vec<f64>>();
        let (mut hidden, mut weight) = (values(rows * width), values(classes * width));
        let first = weight[..width].to_vec();
        let middle = classes / 2 * width;
        match self {
            Self::Bell => {}
            Self::Tied => {
                for k in 7..classes {
                    weight.copy_within(k % 7 * width..(k % 7 + 1) * width, k * width);
                }
            }
            Self::Equal => weight.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(&first)),
            Self::Near => {
                for (k, row) in weight.chunks_exact_mut(width).enumerate() {
                    row.copy_from_slice(&first);
                    row[k % width] *= 1.0 + last_place(dtype) * (k % 5) as f64;
                }
            }
            Self::Nan => weight[middle + width - 1] = f64::NAN,
            Self::Infinite => weight[middle + width - 1] = f64::INFINITY,
            Self::Extreme => {
                for (b, (row, target)) in hidden.chunks_exact_mut(width).zip(targets).enumerate() {
                    let sign = if b % 2 == 0 { 1.0 } else { -1.0 };
                    let own = &weight[*target as usize * width..][..width];
                    row.iter_mut().zip(own).for_each(|(h, w)| *h = 8.0 * sign * w);
                }
            }
        }
        [hidden, weight]
    }
}

/// Of 1, in the dtype.
fn last_place(dtype: Dtype) -> f64 {
    f64::powi(
        2.0,
        match dtype {
            Dtype::F16 => -10,
            Dtype::BF16 => -7,
            _ => -23,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::{self, Call};

    /// The ranks of the first case whose name ends so, and how far each may move.
    fn ranks(dtype: Dtype, end: &str) -> (Vec<f64>, Vec<f64>) {
        let recipe = recipes(dtype).into_iter().find(|recipe| recipe.name().ends_with(end)).expect(end);
        let case = recipe.build(1);
        let (card, operation) = dispatch::operation(OPERATION).unwrap();
        let set = case.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let call = Call::new(card, set, case.tensors).unwrap();
        let (_, ranks) = operation.reference(&call).unwrap().remove(0);
        (ranks.values, ranks.magnitudes)
    }

    #[test]
    fn fills_are_what_they_say() {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            for end in ["[9, 37] equal k=4", "[70, 131, 37] equal k=4"] {
                assert!(ranks(dtype, end).0.iter().all(|rank| *rank == 1.0), "{end}");
            }
            // Of 131 classes 18 or 19 tie, and are greater together: 5 of the 7 rows have 19.
            let (tied, moves) = ranks(dtype, "[70, 131, 40] tied k=4");
            let of_groups =
                |rank: f64| (0..7).any(|groups| (0.0..=5.0).contains(&(rank - 1.0 - 18.0 * f64::from(groups))));
            assert!(tied.iter().all(|rank| of_groups(*rank)), "{tied:?}");
            assert!(tied.iter().any(|rank| *rank > 90.0) && moves.iter().all(|moves| *moves == 0.0));
            let extreme = ranks(dtype, "[9, 37] extreme k=4").0;
            assert_eq!(extreme, [1.0, 37.0, 1.0, 37.0, 1.0, 37.0, 1.0, 37.0, 1.0]);
            // Most ranks of a head are sure, or nothing would be tested.
            let (bell, moves) = ranks(dtype, "[257, 900, 16] bell k=3");
            assert!(moves.iter().filter(|moves| **moves == 0.0).count() * 2 > bell.len(), "{moves:?}");
            assert!(moves.iter().all(|moves| *moves < 20.0));
        }
    }
}
