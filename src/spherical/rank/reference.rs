//! Ranks in f64, by their definition; and by how much those of a head may move with the rounding of its logits.

use super::{OP, RankConfig};
use crate::spherical::product::dot;
use crate::spherical::targets::class_of_each_row;
use crate::{Result, Tracked, check};

/// The tensors of [`reference()`], widened: `logits`, or `hidden` and `weight`, the others empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceInputs<'a> {
    /// \[B, D\].
    pub logits: &'a [f64],
    /// \[B, d\].
    pub hidden: &'a [f64],
    /// \[D, d\].
    pub weight: &'a [f64],
    /// \[B\].
    pub targets: &'a [i64],
}

/// The rank of a row, and the least and the most that it can be where its logits are sums that are rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReferenceRank {
    /// 1 + the number of greater logits; 0 for an ignored row.
    pub rank: u32,
    /// Without those logits that are too near the target's to be told from it.
    pub least: u32,
    /// With them.
    pub most: u32,
}

/// `spherical.rank` in f64: of each row its rank; hits are where it is k or less. Of given logits there is one rank and no
/// other. A head's logit moves by up to d 2^-24 + 2^-20 of the sum of its absolute terms, but where a row of `weight` equals
/// the target's the two logits are equal.
///
/// # Errors
/// `Size`, `Parameter` and `Dtype` for a field of `config` out of its range; `Length` for the tensors; `TargetOutOfRange`
/// for a target that is neither `ignore_index` nor a class.
pub fn reference(config: &RankConfig, inputs: &ReferenceInputs<'_>) -> Result<Vec<ReferenceRank>> {
    config.check()?;
    let RankConfig { rows, classes, width, ignore_index, .. } = *config;
    check::length(OP, "logits", inputs.logits.len(), if width.is_none() { rows * classes } else { 0 })?;
    check::length(OP, "hidden", inputs.hidden.len(), rows * width.unwrap_or(0))?;
    check::length(OP, "weight", inputs.weight.len(), classes * width.unwrap_or(0))?;
    check::length(OP, "targets", inputs.targets.len(), rows)?;
    let targets = class_of_each_row(OP, inputs.targets, ignore_index, classes)?;
    let of_row = |(row, target): (usize, &Option<usize>)| {
        let Some(target) = *target else { return ReferenceRank::default() };
        match width {
            None => {
                let logits = &inputs.logits[row * classes..][..classes];
                let greater = logits.iter().filter(|o| **o > logits[target]).count();
                Greater { surely: greater, maybe: 0, exactly: greater }.rank()
            }
            Some(width) => of_head(&inputs.hidden[row * width..][..width], inputs.weight, target).rank(),
        }
    };
    Ok(targets.iter().enumerate().map(of_row).collect())
}

/// How many logits are greater than the target's.
#[derive(Clone, Copy, Debug, Default)]
struct Greater {
    surely: usize,
    maybe: usize,
    exactly: usize,
}

impl Greater {
    fn rank(self) -> ReferenceRank {
        let rank = |greater: usize| u32::try_from(greater + 1).unwrap_or(u32::MAX);
        ReferenceRank { rank: rank(self.exactly), least: rank(self.surely), most: rank(self.surely + self.maybe) }
    }
}

#[allow(clippy::cast_precision_loss, reason = "widths are below 2^31")]
fn of_head(hidden: &[f64], weight: &[f64], target: usize) -> Greater {
    let width = hidden.len();
    let moves = width as f64 * f64::powi(2.0, -24) + f64::powi(2.0, -20);
    // The logit, and by how much it may be off.
    let logit = |row: &[f64]| {
        let logit = dot(Tracked::default(), hidden, row);
        (logit.value, moves * logit.magnitude)
    };
    let of_target = &weight[target * width..][..width];
    let (o_c, off_c) = logit(of_target);
    let mut greater = Greater::default();
    for row in weight.chunks_exact(width).filter(|row| *row != of_target) {
        let (o, off) = logit(row);
        greater.exactly += usize::from(o > o_c);
        if o - off > o_c + off_c {
            greater.surely += 1;
        } else if o + off > o_c - off_c {
            greater.maybe += 1;
        }
    }
    greater
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Given logits of 3 rows of 4 classes.
    fn given() -> RankConfig {
        RankConfig { rows: 3, classes: 4, ..RankConfig::default() }
    }

    fn ranks(config: &RankConfig, inputs: &ReferenceInputs<'_>) -> Vec<[u32; 3]> {
        let ranks = reference(config, inputs).expect("right inputs").into_iter();
        ranks.map(|ReferenceRank { rank, least, most }| [rank, least, most]).collect()
    }

    #[test]
    fn a_rank_counts_what_is_greater_and_no_tie() {
        let logits = [1.0, 2.0, 2.0, 3.0, 0.5, -1.0, f64::INFINITY, f64::NAN, 7.0, 7.0, 7.0, 7.0];
        let inputs = ReferenceInputs { logits: &logits, targets: &[1, 0, -100], ..ReferenceInputs::default() };
        assert_eq!(ranks(&given(), &inputs), [[2; 3], [2; 3], [0; 3]]);
        let inputs = ReferenceInputs { targets: &[3, 3, 2], ..inputs };
        assert_eq!(ranks(&given(), &inputs), [[1; 3]; 3]);
    }

    /// Rows 0 and 2 of the weight are equal, row 3 is so near that it may be either.
    #[test]
    fn equal_rows_tie_and_near_ones_may_be_either() {
        let weight = [1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 1.0, 2.0 + f64::powi(2.0, -22)];
        let config = RankConfig { rows: 1, width: Some(2), ..given() };
        let inputs = |target| ReferenceInputs { logits: &[], hidden: &[1.0, 1.0], weight: &weight, targets: target };
        assert_eq!(ranks(&config, &inputs(&[0])), [[3, 2, 3]]);
        assert_eq!(ranks(&config, &inputs(&[3])), [[2, 2, 4]]);
        assert_eq!(ranks(&config, &inputs(&[1])), [[1, 1, 1]]);
    }

    #[test]
    fn wrong_inputs_are_errors() {
        let inputs = ReferenceInputs { logits: &[0.0; 12], targets: &[0, 4, 1], ..ReferenceInputs::default() };
        let message = |config: &RankConfig, inputs| reference(config, inputs).expect_err("wrong").to_string();
        let expected = "spherical.rank: targets[1] is 4, expected -100 (ignore_index) or 0 to 3";
        assert_eq!(message(&given(), &inputs), expected);
        let expected = "spherical.rank: logits has 12 elements, expected 0";
        assert_eq!(message(&RankConfig { width: Some(2), ..given() }, &inputs), expected);
        assert_eq!(
            message(&RankConfig { k: 0, ..given() }, &inputs),
            "spherical.rank: k is 0, expected an integer >= 1"
        );
    }
}
