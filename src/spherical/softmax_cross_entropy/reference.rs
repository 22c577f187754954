//! The loss, the penalty and their gradient in f64, by their formulas, each value with its magnitude.

use super::{OP, SoftmaxCrossEntropyConfig};
use crate::reduction::Weighting;
use crate::spherical::softmax::{Row, Terms};
use crate::spherical::targets::class_of_each_row;
use crate::{Result, Tracked, check};

/// The tensors of [`reference()`], widened.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceInputs<'a> {
    /// \[B, D\]; -∞ is a masked class.
    pub logits: &'a [f64],
    /// \[B\].
    pub targets: &'a [i64],
    /// \[B\].
    pub row_weights: Option<&'a [f64]>,
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
    /// \[B, D\]; none without `need_grad`.
    pub grad_logits: Option<Vec<Tracked>>,
}

/// `spherical.softmax_cross_entropy` in f64. The dtypes of `config` do not matter; its parameters are used as they are,
/// unrounded.
///
/// # Errors
/// `Size`, `Parameter` and `Dtype` for a field of `config` out of its range; `Length` for the tensors; `TargetOutOfRange`
/// for a target that is neither `ignore_index` nor a class.
pub fn reference(config: &SoftmaxCrossEntropyConfig, inputs: &ReferenceInputs<'_>) -> Result<ReferenceOutputs> {
    config.check()?;
    let (rows, classes) = (config.rows, config.classes);
    check::length(OP, "logits", inputs.logits.len(), rows * classes)?;
    check::length(OP, "targets", inputs.targets.len(), rows)?;
    check::optional_length(OP, "row_weights", inputs.row_weights, rows)?;
    check::optional_length(OP, "grad_loss", inputs.grad_loss, config.reduction.shape(rows).iter().product())?;
    let targets = class_of_each_row(OP, inputs.targets, config.ignore_index, classes)?;
    let ignored = |b: usize| targets[b].is_none();
    let weighting = Weighting::new(config.reduction, inputs.row_weights, inputs.grad_loss, rows, ignored);

    let terms = Terms { label_smoothing: config.label_smoothing, lse_penalty: config.lse_penalty };
    let zero = Tracked::exact(0.0);
    let (mut losses, mut penalties, mut lse) = (vec![zero; rows], vec![zero; rows], Vec::with_capacity(rows));
    let mut grad_logits = config.need_grad.then(|| Vec::with_capacity(inputs.logits.len()));
    for (b, (o, target)) in inputs.logits.chunks_exact(classes).zip(&targets).enumerate() {
        let o: Vec<Tracked> = o.iter().copied().map(Tracked::exact).collect();
        let row = Row::new(&o);
        lse.push(row.lse);
        let Some(c) = *target else {
            if let Some(grad) = &mut grad_logits {
                grad.resize(grad.len() + classes, zero);
            }
            continue;
        };
        losses[b] = weighting.loss(b, row.loss(c, terms));
        if let Some(penalty) = row.penalty(terms) {
            penalties[b] = weighting.loss(b, penalty);
        }
        if let Some(grad) = &mut grad_logits {
            grad.extend(row.gradient(c, terms, weighting.gradient(b)));
        }
    }
    Ok(ReferenceOutputs {
        loss: weighting.reduce(losses),
        penalty: config.lse_penalty.map(|_| weighting.reduce(penalties)),
        lse,
        grad_logits,
    })
}

#[cfg(test)]
mod tests;
