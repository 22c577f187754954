//! The losses of a head and their gradients in f64, by their formulas, each value with its magnitude.

use super::{LinearCrossEntropyConfig, OP, Product};
use crate::reduction::Weighting;
use crate::spherical::product::{Sums, dot};
use crate::spherical::softmax::{Row, Terms};
use crate::spherical::targets::class_of_each_row;
use crate::{Error, Result, Tracked, check};

/// The tensors of [`reference()`], widened.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceInputs<'a> {
    /// \[B, d\].
    pub hidden: &'a [f64],
    /// \[D, d\].
    pub weight: &'a [f64],
    /// \[B\].
    pub targets: &'a [i64],
    /// \[D\], with `has_bias`; -∞ is a masked class.
    pub bias: Option<&'a [f64]>,
    /// \[B\].
    pub row_weights: Option<&'a [f64]>,
    /// \[S + 1\], with `segments`.
    pub segments: Option<&'a [u32]>,
    /// \[B\] without a reduction, else one number.
    pub grad_loss: Option<&'a [f64]>,
}

/// What [`reference()`] gives, each value with its magnitude.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceOutputs {
    /// \[B\] without a reduction, else one number; without the penalty.
    pub loss: Vec<Tracked>,
    /// Shaped as `loss`; none without `lse_penalty`.
    pub penalty: Option<Vec<Tracked>>,
    /// \[B\].
    pub lse: Vec<Tracked>,
    /// \[B\]; 0 where the row is ignored.
    pub target_logits: Vec<Tracked>,
    /// \[S\]; none without `segments`.
    pub segment_loss: Option<Vec<Tracked>>,
    /// \[B, d\]; none without `need_grad`.
    pub grad_hidden: Option<Product>,
    /// \[D, d\]; none without `need_grad` and `need_grad_weight`.
    pub grad_weight: Option<Product>,
    /// \[D\]; none without these and `has_bias`.
    pub grad_bias: Option<Vec<Tracked>>,
}

/// `spherical.linear_cross_entropy` in f64. The dtypes of `config` do not matter; its parameters are used as they are,
/// unrounded. Products are those of IEEE arithmetic, 0 times NaN among them: a NaN in the row of `hidden` that is ignored
/// is one in `grad_weight`.
///
/// # Errors
/// `Size`, `Parameter` and `Dtype` for a field of `config` out of its range; `Length` for the tensors; `TargetOutOfRange`
/// for a target that is neither `ignore_index` nor a class; `SegmentsOutOfOrder`.
pub fn reference(config: &LinearCrossEntropyConfig, inputs: &ReferenceInputs<'_>) -> Result<ReferenceOutputs> {
    config.check()?;
    let LinearCrossEntropyConfig { rows, classes, width, .. } = *config;
    check::length(OP, "hidden", inputs.hidden.len(), rows * width)?;
    check::length(OP, "weight", inputs.weight.len(), classes * width)?;
    check::length(OP, "targets", inputs.targets.len(), rows)?;
    check::length(OP, "bias", inputs.bias.map_or(0, <[_]>::len), if config.has_bias { classes } else { 0 })?;
    check::optional_length(OP, "row_weights", inputs.row_weights, rows)?;
    let bounds = config.segments.map_or(0, |segments| segments + 1);
    check::length(OP, "segments", inputs.segments.map_or(0, <[_]>::len), bounds)?;
    check::optional_length(OP, "grad_loss", inputs.grad_loss, config.reduction.shape(rows).iter().product())?;
    let targets = class_of_each_row(OP, inputs.targets, config.ignore_index, classes)?;
    inputs.segments.map_or(Ok(()), |segments| check_segments(segments, rows))?;
    let ignored = |b: usize| targets[b].is_none();
    let weighting = Weighting::new(config.reduction, inputs.row_weights, inputs.grad_loss, rows, ignored);
    let terms = Terms { label_smoothing: config.label_smoothing, lse_penalty: config.lse_penalty };

    let zero = Tracked::exact(0.0);
    let (mut losses, mut penalties, mut lse) = (vec![zero; rows], vec![zero; rows], Vec::with_capacity(rows));
    let (mut target_logits, mut log_probabilities) = (vec![zero; rows], vec![zero; rows]);
    let mut grad_hidden = config.need_grad.then(|| Sums::new(rows, width));
    let mut grad_weight = config.has_grad_weight().then(|| Sums::new(classes, width));
    let mut grad_bias = config.has_grad_bias().then(|| Sums::new(classes, 1));
    for (b, (hidden, target)) in inputs.hidden.chunks_exact(width).zip(&targets).enumerate() {
        let o = logits(config, inputs, hidden);
        let row = Row::new(&o);
        lse.push(row.lse);
        let mut gradient = vec![zero; classes];
        if let Some(c) = *target {
            target_logits[b] = o[c];
            log_probabilities[b] = o[c] - row.lse;
            losses[b] = weighting.loss(b, row.loss(c, terms));
            if let Some(penalty) = row.penalty(terms) {
                penalties[b] = weighting.loss(b, penalty);
            }
            if config.need_grad {
                let of_logits = row.gradient(c, terms, weighting.gradient(b)).enumerate();
                let through_cap = |(k, g): (usize, Tracked)| {
                    let slope = config.softcap.filter(|_| !row.is_masked(k)).map(|cap| slope(o[k], cap));
                    slope.map_or(g, |slope| g * slope)
                };
                gradient = of_logits.map(through_cap).collect();
            }
        }
        for (k, (g, weight)) in gradient.iter().zip(inputs.weight.chunks_exact(width)).enumerate() {
            if let Some(sums) = &mut grad_hidden {
                sums.add(b, *g, weight);
            }
            if let Some(sums) = &mut grad_weight {
                sums.add(k, *g, hidden);
            }
            if let Some(sums) = &mut grad_bias {
                sums.add(k, *g, &[1.0]);
            }
        }
    }
    let of_segment = |bounds: &[u32]| {
        let rows = bounds[0] as usize..bounds[1] as usize;
        Tracked::sum(log_probabilities[rows].iter().copied())
    };
    Ok(ReferenceOutputs {
        loss: weighting.reduce(losses),
        penalty: config.lse_penalty.map(|_| weighting.reduce(penalties)),
        lse,
        target_logits,
        segment_loss: inputs.segments.map(|segments| segments.windows(2).map(of_segment).collect()),
        grad_hidden: grad_hidden.map(Sums::finish),
        grad_weight: grad_weight.map(Sums::finish),
        grad_bias: grad_bias.map(|sums| sums.finish().entries),
    })
}

/// No bound is less than the one before it, or more than there are rows.
fn check_segments(segments: &[u32], rows: usize) -> Result<()> {
    let least = |s: usize| if s == 0 { 0 } else { segments[s - 1] };
    match (0..segments.len()).find(|&s| segments[s] < least(s) || segments[s] as usize > rows) {
        Some(index) => Err(Error::SegmentsOutOfOrder { operation: OP, index, came: Some(segments[index]), rows }),
        None => Ok(()),
    }
}

/// o_k = Σ h w_k + bias_k of one row, with a softcap c then c tanh(o_k/c); -∞ where the bias is.
fn logits(config: &LinearCrossEntropyConfig, inputs: &ReferenceInputs<'_>, hidden: &[f64]) -> Vec<Tracked> {
    let of_class = |(k, weight): (usize, &[f64])| {
        let bias = inputs.bias.map_or(0.0, |bias| bias[k]);
        if bias == f64::NEG_INFINITY {
            return Tracked::exact(bias);
        }
        let logit = dot(Tracked { value: bias, magnitude: bias.abs() }, hidden, weight);
        config.softcap.map_or(logit, |cap| (logit / Tracked::rounded(cap)).tanh() * Tracked::rounded(cap))
    };
    inputs.weight.chunks_exact(config.width).enumerate().map(of_class).collect()
}

/// The derivative of c tanh(o/c) by what it is: 1 - (o/c)².
fn slope(capped: Tracked, cap: f64) -> Tracked {
    Tracked::exact(1.0) - (capped / Tracked::rounded(cap)).squared()
}

#[cfg(test)]
mod tests;
