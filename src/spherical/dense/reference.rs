//! The loss and its gradient in f64, by the formulas of the papers, each value with its magnitude.

use super::{DenseConfig, Loss, OP};
use crate::reduction::Weighting;
use crate::spherical::targets::classes_of_row;
use crate::{Dtype, Result, Tracked, check};

/// The tensors of [`reference()`], widened.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceInputs<'a> {
    /// \[B, D\].
    pub logits: &'a [f64],
    /// \[B\] or \[B, K\].
    pub targets: &'a [i64],
    /// \[B, K\], with `targets` \[B, K\].
    pub values: Option<&'a [f64]>,
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
    /// \[B, D\]; none without `need_grad`.
    pub grad_logits: Option<Vec<Tracked>>,
}

/// `spherical.dense` in f64. The dtypes of `config` do not matter; its parameters are used as they are, unrounded.
///
/// # Errors
/// `Size`, `Parameter` and `Dtype` for a field of `config` out of its range; `Length`, `Missing` and `Unused` for the
/// tensors; `TargetOutOfRange` for a target that is neither `ignore_index` nor a class.
pub fn reference(config: &DenseConfig, inputs: &ReferenceInputs<'_>) -> Result<ReferenceOutputs> {
    config.check()?;
    let (rows, classes) = (config.rows, config.classes);
    check_lengths(config, inputs)?;
    let k = config.targets_per_row.unwrap_or(1);
    let targets: Vec<Vec<Target>> = (0..rows).map(|b| targets_of_row(config, inputs, b, k)).collect::<Result<_>>()?;
    let ignored = |b: usize| targets[b].is_empty();
    let weighting = Weighting::new(config.reduction, inputs.row_weights, inputs.grad_loss, rows, ignored);

    let mut losses = Vec::with_capacity(rows);
    let mut grad_logits = config.need_grad.then(|| Vec::with_capacity(inputs.logits.len()));
    for (b, (o, targets)) in inputs.logits.chunks_exact(classes).zip(&targets).enumerate() {
        if targets.is_empty() {
            losses.push(Tracked::exact(0.0));
            if let Some(grad) = &mut grad_logits {
                grad.resize(grad.len() + classes, Tracked::exact(0.0));
            }
            continue;
        }
        let (loss, gradient) = match config.loss {
            Loss::SquaredError => squared_error(o, targets),
            Loss::LogSphericalSoftmax { epsilon } => log_spherical_softmax(o, targets, epsilon),
            Loss::LogTaylorSoftmax => log_taylor_softmax(o, targets),
            Loss::Z { a, b } => z(o, targets, a, b),
        };
        losses.push(weighting.loss(b, loss));
        if let Some(grad) = &mut grad_logits {
            let scale = weighting.gradient(b);
            grad.extend(gradient.of_row(o).into_iter().map(|g| g * scale));
        }
    }
    Ok(ReferenceOutputs { loss: weighting.reduce(losses), grad_logits })
}

fn check_lengths(config: &DenseConfig, inputs: &ReferenceInputs<'_>) -> Result<()> {
    let (rows, classes) = (config.rows, config.classes);
    let targets = rows * config.targets_per_row.unwrap_or(1);
    check::length(OP, "logits", inputs.logits.len(), rows * classes)?;
    check::length(OP, "targets", inputs.targets.len(), targets)?;
    let values = config.targets_per_row.map(|k| (Dtype::F32, vec![rows, k]));
    check::presence(OP, "values", inputs.values.is_some(), values, "with targets [rows]")?;
    check::optional_length(OP, "values", inputs.values, targets)?;
    check::optional_length(OP, "row_weights", inputs.row_weights, rows)?;
    let losses = config.reduction.shape(rows).iter().product();
    check::optional_length(OP, "grad_loss", inputs.grad_loss, losses)
}

/// An entry of a row of targets: the class c and its value v.
#[derive(Clone, Copy, Debug)]
struct Target {
    c: usize,
    v: f64,
}

impl Target {
    fn times(self, x: Tracked) -> Tracked {
        if self.v == 1.0 { x } else { Tracked::exact(self.v) * x }
    }
}

/// The entries that are not dropped.
fn targets_of_row(config: &DenseConfig, inputs: &ReferenceInputs<'_>, b: usize, k: usize) -> Result<Vec<Target>> {
    let index = |j| if config.targets_per_row.is_some() { vec![b, j] } else { vec![b] };
    let entries = &inputs.targets[b * k..(b + 1) * k];
    let kept = classes_of_row(OP, entries, config.ignore_index, config.classes, index)?;
    Ok(kept.into_iter().map(|(j, c)| Target { c, v: inputs.values.map_or(1.0, |values| values[b * k + j]) }).collect())
}

/// The gradient of a row's loss: constant + slope x_k + Σ over the targets that are k, x_k being o_k or z_k.
struct Gradient {
    constant: Tracked,
    slope: Tracked,
    /// Where x is z.
    standard: Option<Standard>,
    /// A class and its term, for each target.
    at: Vec<(usize, Tracked)>,
}

impl Gradient {
    fn of_row(mut self, o: &[f64]) -> Vec<Tracked> {
        self.at.sort_by_key(|(class, _)| *class);
        let mut rest = self.at.as_slice();
        o.iter()
            .enumerate()
            .map(|(k, &o_k)| {
                let x_k = match self.standard {
                    Some(standard) => standard.z(o_k),
                    None => Tracked::exact(o_k),
                };
                let (here, after) = rest.split_at(rest.partition_point(|(class, _)| *class == k));
                rest = after;
                Tracked::sum([self.constant, self.slope * x_k].into_iter().chain(here.iter().map(|(_, term)| *term)))
            })
            .collect()
    }
}

/// q - 2 Σ v o_c + Σ over classes of (the sum of their v)²; dL/do_k = 2 o_k - 2 (the sum of the v that name k).
fn squared_error(o: &[f64], targets: &[Target]) -> (Tracked, Gradient) {
    let q = sum_of_squares(o);
    let mut by_class = targets.to_vec();
    by_class.sort_by_key(|target| target.c);
    let norm = by_class
        .chunk_by(|a, b| a.c == b.c)
        .map(|same| Tracked::sum(same.iter().map(|target| Tracked::exact(target.v))).squared());
    let dot = targets.iter().map(|target| target.times(Tracked::exact(-2.0 * o[target.c])));
    let loss = Tracked::sum([q].into_iter().chain(dot).chain(norm));
    let at = targets.iter().map(|target| (target.c, Tracked::exact(-2.0 * target.v))).collect();
    (loss, Gradient { constant: Tracked::exact(0.0), slope: Tracked::exact(2.0), standard: None, at })
}

/// -log((o_c² + eps)/(q + D eps)).
fn log_spherical_softmax(o: &[f64], targets: &[Target], epsilon: f64) -> (Tracked, Gradient) {
    let epsilon = Tracked::rounded(epsilon);
    let t = sum_of_squares(o) + Tracked::count(o.len()) * epsilon;
    let n = |c: usize| Tracked::exact(o[c]).squared() + epsilon;
    let loss = Tracked::sum(targets.iter().map(|target| target.times(-(n(target.c) / t).ln())));
    let slope = Tracked::sum(targets.iter().map(|target| target.times(Tracked::exact(2.0) / t)));
    let l_c = |target: &Target| target.times(Tracked::exact(-2.0 * o[target.c]) / n(target.c));
    let at = targets.iter().map(|target| (target.c, l_c(target))).collect();
    (loss, Gradient { constant: Tracked::exact(0.0), slope, standard: None, at })
}

/// -log(n/t), n = 1 + o_c + o_c²/2 = (1 + (1 + o_c)²)/2 and t = D + s + q/2, the sum of the n of all classes: in this form
/// nothing cancels. Where t is not finite it is taken as it is written: with a logit of -∞ that is -∞ + ∞.
fn log_taylor_softmax(o: &[f64], targets: &[Target]) -> (Tracked, Gradient) {
    let one_plus = |k: usize| Tracked::exact(1.0) + Tracked::exact(o[k]);
    let n = |k: usize| (Tracked::exact(1.0) + one_plus(k).squared()) * Tracked::exact(0.5);
    let mut t = Tracked::sum((0..o.len()).map(n));
    if !t.value.is_finite() {
        t = Tracked::exact(o.iter().sum::<f64>() + sum_of_squares(o).value);
    }
    let loss = Tracked::sum(targets.iter().map(|target| target.times(-(n(target.c) / t).ln())));
    let l_s = Tracked::sum(targets.iter().map(|target| target.times(Tracked::exact(1.0) / t)));
    let l_c = |target: &Target| -target.times(one_plus(target.c) / n(target.c));
    let at = targets.iter().map(|target| (target.c, l_c(target))).collect();
    // L_s = 1/t and L_q = 1/(2t), so L_s + 2 L_q o_k has one coefficient.
    (loss, Gradient { constant: l_s, slope: l_s, standard: None, at })
}

/// softplus(a (b - z_c))/a; dL/do_k = (g/sigma) (1/D + z_c z_k/D - [k = c]), g = sigmoid(a (b - z_c)). A constant row has
/// z_c = 0 and gradient 0.
fn z(o: &[f64], targets: &[Target], a: f64, b: f64) -> (Tracked, Gradient) {
    let (a, b) = (Tracked::rounded(a), Tracked::rounded(b));
    let standard = Standard::of(o);
    let sigma = standard.sigma;
    let is_constant = sigma.value == 0.0;
    let z_of = |c: usize| if is_constant { Tracked::exact(0.0) } else { standard.z(o[c]) };
    let argument = |target: &Target| a * (b - z_of(target.c));
    let loss = Tracked::sum(targets.iter().map(|target| target.times(argument(target).softplus() / a)));
    if is_constant {
        let zero = Tracked::exact(0.0);
        return (loss, Gradient { constant: zero, slope: zero, standard: None, at: vec![] });
    }
    let classes = Tracked::count(o.len());
    let pull = |target: &Target| target.times(argument(target).sigmoid() / sigma); // v g/sigma
    let constant = Tracked::sum(targets.iter().map(|target| pull(target) / classes));
    let slope = Tracked::sum(targets.iter().map(|target| pull(target) * z_of(target.c) / classes));
    let at = targets.iter().map(|target| (target.c, -pull(target))).collect();
    (loss, Gradient { constant, slope, standard: Some(standard), at })
}

fn sum_of_squares(o: &[f64]) -> Tracked {
    Tracked::sum(o.iter().map(|&o_k| Tracked::exact(o_k).squared()))
}

/// What makes z of the elements of a row. Everything is a difference from o_0, which moves no z, so that no large mean
/// swallows a small spread, in the value or in its magnitude, and a constant row has sigma = 0 exactly.
#[derive(Clone, Copy, Debug)]
struct Standard {
    first: f64,
    /// mu - o_0.
    mu: Tracked,
    sigma: Tracked,
}

impl Standard {
    /// An error of mu moves sigma in the second order only, since Σ (o_k - mu)² is least at the mean: the magnitude of
    /// sigma is that of the sum of squares about a mean that is right.
    fn of(o: &[f64]) -> Self {
        let (classes, first) = (Tracked::count(o.len()), o[0]);
        let mu = Tracked::sum(o.iter().map(|o_k| Tracked::exact(o_k - first))) / classes;
        let deviations = o.iter().map(|o_k| Tracked::rounded((o_k - first) - mu.value));
        Self { first, mu, sigma: (Tracked::sum(deviations.map(Tracked::squared)) / classes).sqrt() }
    }

    fn z(&self, o_k: f64) -> Tracked {
        (Tracked::exact(o_k - self.first) - self.mu) / self.sigma
    }
}

#[cfg(test)]
mod tests;
