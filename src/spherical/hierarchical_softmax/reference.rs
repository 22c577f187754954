//! The losses of a hierarchy of two levels and their gradients in f64, by their formulas, each value with its magnitude.

use std::ops::Range;

use super::{HierarchicalSoftmaxConfig, OP, Product};
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
    /// \[C, d\].
    pub cluster_weight: &'a [f64],
    /// \[C + 1\], ascending from 0 to D.
    pub cluster_offsets: &'a [i64],
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
    /// \[B\] without a reduction, else one number.
    pub loss: Vec<Tracked>,
    /// \[B, d\]; none without `need_grad`.
    pub grad_hidden: Option<Product>,
    /// \[D, d\]; none without `need_grad` and `need_grad_weight`.
    pub grad_weight: Option<Product>,
    /// \[C, d\]; none without these.
    pub grad_cluster_weight: Option<Product>,
}

/// `spherical.hierarchical_softmax` in f64. The dtypes of `config` do not matter. A row sees the classes of its target's
/// cluster and no others, an ignored row none: a NaN there comes to nothing.
///
/// # Errors
/// `Size` and `Dtype` for a field of `config` out of its range; `Length` for the tensors; `TargetOutOfRange` for a target
/// that is neither `ignore_index` nor a class; `OffsetsOutOfOrder`.
pub fn reference(config: &HierarchicalSoftmaxConfig, inputs: &ReferenceInputs<'_>) -> Result<ReferenceOutputs> {
    config.check()?;
    let HierarchicalSoftmaxConfig { rows, classes, clusters, width, .. } = *config;
    check::length(OP, "hidden", inputs.hidden.len(), rows * width)?;
    check::length(OP, "weight", inputs.weight.len(), classes * width)?;
    check::length(OP, "cluster_weight", inputs.cluster_weight.len(), clusters * width)?;
    check::length(OP, "cluster_offsets", inputs.cluster_offsets.len(), clusters + 1)?;
    check::length(OP, "targets", inputs.targets.len(), rows)?;
    check::optional_length(OP, "row_weights", inputs.row_weights, rows)?;
    check::optional_length(OP, "grad_loss", inputs.grad_loss, config.reduction.shape(rows).iter().product())?;
    let targets = class_of_each_row(OP, inputs.targets, config.ignore_index, classes)?;
    let clusters_of_classes = clusters_of(inputs.cluster_offsets, classes)?;
    let ignored = |b: usize| targets[b].is_none();
    let weighting = Weighting::new(config.reduction, inputs.row_weights, inputs.grad_loss, rows, ignored);

    let mut losses = vec![Tracked::exact(0.0); rows];
    let mut grad_hidden = config.need_grad.then(|| Sums::new(rows, width));
    let mut grad_weight = config.has_grad_weight().then(|| Sums::new(classes, width));
    let mut grad_cluster_weight = config.has_grad_weight().then(|| Sums::new(clusters, width));
    for (b, (hidden, target)) in inputs.hidden.chunks_exact(width).zip(&targets).enumerate() {
        let Some(target) = *target else { continue };
        let (cluster, of_cluster) = clusters_of_classes
            .iter()
            .enumerate()
            .find(|(_, classes)| classes.contains(&target))
            .expect("the clusters have every class");
        let mut loss = Tracked::exact(0.0);
        let levels = [
            (inputs.cluster_weight, 0..clusters, cluster, &mut grad_cluster_weight),
            (inputs.weight, of_cluster.clone(), target, &mut grad_weight),
        ];
        for (weight, range, chosen, grad_weight) in levels {
            let of_class = |k: usize| &weight[k * width..][..width];
            let o: Vec<Tracked> = range.clone().map(|k| dot(Tracked::exact(0.0), hidden, of_class(k))).collect();
            let (row, terms) = (Row::new(&o), Terms { label_smoothing: 0.0, lse_penalty: None });
            loss = loss + row.loss(chosen - range.start, terms);
            if let Some(sums) = &mut grad_hidden {
                let gradient = row.gradient(chosen - range.start, terms, weighting.gradient(b));
                for (k, g) in range.zip(gradient) {
                    sums.add(b, g, of_class(k));
                    if let Some(sums) = grad_weight {
                        sums.add(k, g, hidden);
                    }
                }
            }
        }
        losses[b] = weighting.loss(b, loss);
    }
    Ok(ReferenceOutputs {
        loss: weighting.reduce(losses),
        grad_hidden: grad_hidden.map(Sums::finish),
        grad_weight: grad_weight.map(Sums::finish),
        grad_cluster_weight: grad_cluster_weight.map(Sums::finish),
    })
}

/// The classes of each cluster, where the offsets ascend from 0 to all classes.
fn clusters_of(offsets: &[i64], classes: usize) -> Result<Vec<Range<usize>>> {
    let last = offsets.len() - 1;
    let classes_of = |i: usize| usize::try_from(offsets[i]).ok().filter(|offset| *offset <= classes);
    let is_right = |i: usize| match classes_of(i) {
        Some(offset) => {
            (i > 0 || offset == 0) && (i < last || offset == classes) && (i == 0 || offsets[i - 1] <= offsets[i])
        }
        None => false,
    };
    if let Some(index) = (0..=last).find(|i| !is_right(*i)) {
        return Err(Error::OffsetsOutOfOrder { operation: OP, index, came: Some(offsets[index]), classes });
    }
    let bounds: Vec<usize> = (0..=last).filter_map(classes_of).collect();
    Ok(bounds.windows(2).map(|bounds| bounds[0]..bounds[1]).collect())
}

#[cfg(test)]
mod tests;
