//! The losses and their gradient by hidden in f64, by way of the Gram, each value with its magnitude.

use super::{LinearConfig, OP};
use crate::reduction::Weighting;
use crate::spherical::Loss;
use crate::spherical::product::dot;
use crate::spherical::sums::{Sums, Target};
use crate::spherical::targets::classes_of_row;
use crate::{Dtype, Result, Tracked, check};

/// The tensors of [`reference()`], widened.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceInputs<'a> {
    /// \[B, d\].
    pub hidden: &'a [f64],
    /// \[D, d\].
    pub weight: &'a [f64],
    /// \[B\] or \[B, K\].
    pub targets: &'a [i64],
    /// \[B, K\], with `targets` \[B, K\].
    pub values: Option<&'a [f64]>,
    /// \[d, d\], W'W; none: formed from the weight.
    pub gram: Option<&'a [f64]>,
    /// \[d\], W'1; none: formed from the weight.
    pub row_sum: Option<&'a [f64]>,
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
    /// \[B\].
    pub s: Vec<Tracked>,
    /// \[B\].
    pub q: Vec<Tracked>,
    /// \[B, K\], or \[B, 1\]; 0 for an entry that is dropped.
    pub target_logits: Vec<Tracked>,
    /// \[B, d\]; none without `need_grad`.
    pub grad_hidden: Option<Vec<Tracked>>,
}

/// `spherical.linear` in f64. The dtypes and the Gram of `config` do not matter: a Gram that is given is W'W. Its parameters
/// are used as they are, unrounded.
///
/// # Errors
/// `Size`, `Parameter` and `Dtype` for a field of `config` out of its range; `Length`, `Missing` and `Unused` for the
/// tensors; `TargetOutOfRange` for a target that is neither `ignore_index` nor a class.
pub fn reference(config: &LinearConfig, inputs: &ReferenceInputs<'_>) -> Result<ReferenceOutputs> {
    config.check()?;
    check_lengths(config, inputs)?;
    let LinearConfig { rows, classes, width, loss, .. } = *config;
    let k = config.entries_of_row();
    let entries: Vec<Vec<(usize, usize)>> =
        (0..rows).map(|b| entries_of_row(config, inputs, b)).collect::<Result<_>>()?;
    let weighting =
        Weighting::new(config.reduction, inputs.row_weights, inputs.grad_loss, rows, |b| entries[b].is_empty());
    let head = Head::new(inputs, classes, width);
    let zero = Tracked::exact(0.0);
    let is_z = matches!(loss, Loss::Z { .. });
    let mut outputs = ReferenceOutputs {
        loss: Vec::with_capacity(rows),
        s: Vec::with_capacity(rows),
        q: Vec::with_capacity(rows),
        target_logits: vec![zero; rows * k],
        grad_hidden: config.need_grad.then(|| Vec::with_capacity(rows * width)),
    };
    for (b, (hidden, entries)) in inputs.hidden.chunks_exact(width).zip(&entries).enumerate() {
        let row = head.row(hidden);
        outputs.s.push(row.s);
        outputs.q.push(row.q);
        let targets: Vec<Target> = entries
            .iter()
            .map(|&(j, class)| {
                let o = head.logit(class, hidden);
                outputs.target_logits[b * k + j] = o;
                let value = inputs.values.map_or(1.0, |values| values[b * k + j]);
                Target { class, value, o: if is_z { head.logit_about_mean(class, hidden) } else { o } }
            })
            .collect();
        if targets.is_empty() {
            outputs.loss.push(zero);
            outputs.grad_hidden.iter_mut().for_each(|grad| grad.resize(grad.len() + width, zero));
            continue;
        }
        let sums = Sums { classes, s: row.s, q: row.q, about_mean: row.q_about_mean };
        let terms = sums.terms(loss, &targets);
        outputs.loss.push(weighting.loss(b, terms.value));
        let Some(grad_hidden) = &mut outputs.grad_hidden else { continue };
        let scale = weighting.gradient(b);
        grad_hidden.extend((0..width).map(|i| {
            let product = if is_z { row.product_about_mean[i] } else { row.product[i] };
            let dense = terms.two_l_q * product + terms.l_s * head.row_sum[i];
            let of_targets = targets.iter().zip(&terms.l_c).map(|(target, &l_c)| {
                let w = Tracked::exact(inputs.weight[target.class * width + i]);
                l_c * if is_z { head.about_mean(target.class, i) } else { w }
            });
            Tracked::sum([dense].into_iter().chain(of_targets)) * scale
        }));
    }
    outputs.loss = weighting.reduce(outputs.loss);
    Ok(outputs)
}

fn check_lengths(config: &LinearConfig, inputs: &ReferenceInputs<'_>) -> Result<()> {
    let LinearConfig { rows, classes, width, .. } = *config;
    let entries = rows * config.entries_of_row();
    check::length(OP, "hidden", inputs.hidden.len(), rows * width)?;
    check::length(OP, "weight", inputs.weight.len(), classes * width)?;
    check::length(OP, "targets", inputs.targets.len(), entries)?;
    let values = config.targets_per_row.map(|k| (Dtype::F32, vec![rows, k]));
    check::presence(OP, "values", inputs.values.is_some(), values, "with targets [rows]")?;
    check::optional_length(OP, "values", inputs.values, entries)?;
    check::optional_length(OP, "gram", inputs.gram, width * width)?;
    check::optional_length(OP, "row_sum", inputs.row_sum, width)?;
    check::optional_length(OP, "row_weights", inputs.row_weights, rows)?;
    let losses = config.reduction.shape(rows).iter().product();
    check::optional_length(OP, "grad_loss", inputs.grad_loss, losses)
}

/// The entries of a row that are not dropped: each its place in the row and its class.
fn entries_of_row(config: &LinearConfig, inputs: &ReferenceInputs<'_>, b: usize) -> Result<Vec<(usize, usize)>> {
    let k = config.entries_of_row();
    let index = |j| if config.targets_per_row.is_some() { vec![b, j] } else { vec![b] };
    classes_of_row(OP, &inputs.targets[b * k..(b + 1) * k], config.ignore_index, config.classes, index)
}

/// What the rows share.
struct Head<'a> {
    weight: &'a [f64],
    width: usize,
    classes: Tracked,
    gram: Option<&'a [f64]>,
    row_sum: Vec<Tracked>,
    /// W'1/D, with its error.
    mean: Vec<Tracked>,
    /// The weight about its mean, as the difference of differences from the first row, which is exact where all are equal.
    about_mean: Vec<f64>,
}

/// What a row has in common for all its targets.
struct RowProducts {
    s: Tracked,
    q: Tracked,
    q_about_mean: Tracked,
    /// Q h.
    product: Vec<Tracked>,
    product_about_mean: Vec<Tracked>,
}

impl<'a> Head<'a> {
    fn new(inputs: &ReferenceInputs<'a>, classes: usize, width: usize) -> Self {
        let weight = inputs.weight;
        let column = |i: usize| weight.chunks_exact(width).map(move |row| row[i]);
        let count = Tracked::count(classes);
        let row_sum: Vec<Tracked> = match inputs.row_sum {
            Some(row_sum) => row_sum.iter().copied().map(Tracked::exact).collect(),
            None => (0..width).map(|i| Tracked::sum(column(i).map(Tracked::exact))).collect(),
        };
        let mean_from_first: Vec<f64> =
            (0..width).map(|i| column(i).map(|w| w - weight[i]).sum::<f64>() / count.value).collect();
        let about_mean = weight.iter().enumerate().map(|(e, w)| w - weight[e % width] - mean_from_first[e % width]);
        Self {
            weight,
            width,
            classes: count,
            gram: inputs.gram,
            about_mean: about_mean.collect(),
            mean: row_sum.iter().map(|&sum| sum / count).collect(),
            row_sum,
        }
    }

    fn logit(&self, class: usize, hidden: &[f64]) -> Tracked {
        let weight = &self.weight[class * self.width..][..self.width];
        dot(Tracked::default(), hidden, weight)
    }

    /// w_ki - mean_i. Its error is its own and the mean's.
    fn about_mean(&self, class: usize, i: usize) -> Tracked {
        let value = self.about_mean[class * self.width + i];
        Tracked { value, magnitude: value.abs() + self.mean[i].value.abs() }
    }

    fn logit_about_mean(&self, class: usize, hidden: &[f64]) -> Tracked {
        Tracked::sum(hidden.iter().enumerate().map(|(i, &h)| Tracked::exact(h) * self.about_mean(class, i)))
    }

    /// An error of the mean moves the sum of squares about it in the second order only.
    fn row(&self, hidden: &[f64]) -> RowProducts {
        let width = self.width;
        let s = Tracked::sum(self.row_sum.iter().zip(hidden).map(|(&sum, &h)| sum * Tracked::exact(h)));
        if let Some(gram) = self.gram {
            let product: Vec<Tracked> =
                gram.chunks_exact(width).map(|row| dot(Tracked::default(), row, hidden)).collect();
            let q = Tracked::sum(product.iter().zip(hidden).map(|(&product, &h)| product * Tracked::exact(h)));
            let mean = s / self.classes;
            let q_about_mean = q - s * mean;
            let q_about_mean = Tracked { value: q_about_mean.value.max(0.0), ..q_about_mean };
            let product_about_mean =
                product.iter().zip(&self.row_sum).map(|(&product, &sum)| product - mean * sum).collect();
            return RowProducts { s, q, q_about_mean, product, product_about_mean };
        }
        let plain = Squares::of(self.weight.chunks_exact(width), hidden);
        let about_mean = Squares::of(self.about_mean.chunks_exact(width), hidden);
        RowProducts {
            s,
            q: plain.sum,
            q_about_mean: about_mean.sum,
            product: plain.product,
            product_about_mean: about_mean.product,
        }
    }
}

/// Σ o_k² and Σ o_k w_k over rows w_k by way of their Gram: with the magnitudes of its sums.
struct Squares {
    sum: Tracked,
    product: Vec<Tracked>,
}

impl Squares {
    fn of<'a>(rows: impl Iterator<Item = &'a [f64]>, hidden: &[f64]) -> Self {
        let mut squares = Self { sum: Tracked::default(), product: vec![Tracked::default(); hidden.len()] };
        for row in rows {
            let o = dot(Tracked::default(), hidden, row);
            squares.sum.value += o.value * o.value;
            squares.sum.magnitude += o.magnitude * o.magnitude;
            for (product, w) in squares.product.iter_mut().zip(row) {
                product.value += o.value * w;
                product.magnitude += o.magnitude * w.abs();
            }
        }
        squares
    }
}

#[cfg(test)]
mod tests;
