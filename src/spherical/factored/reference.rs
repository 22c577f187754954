//! Gradient descent on the dense layer in f64, each value with its magnitude. It knows nothing of factors.

use super::{FactoredConfig, OP};
use crate::reduction::Weighting;
use crate::spherical::Loss;
use crate::spherical::sums::{Sums, Target, Terms};
use crate::spherical::targets::classes_of_row;
use crate::{Dtype, Result, Tracked, check};

/// The tensors of [`reference()`], widened.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceInputs<'a> {
    /// \[D, d\].
    pub weight: &'a [f64],
    /// \[T, B, d\].
    pub hidden: &'a [f64],
    /// \[T, B\] or \[T, B, K\].
    pub targets: &'a [i64],
    /// \[T, B, K\], with `targets` \[T, B, K\].
    pub values: Option<&'a [f64]>,
    /// \[T, B\].
    pub row_weights: Option<&'a [f64]>,
    /// \[T, B\] without a reduction, else \[T\].
    pub grad_loss: Option<&'a [f64]>,
}

/// What [`reference()`] gives, each value with its magnitude.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceOutputs {
    /// \[D, d\], after the steps.
    pub weight: Vec<Tracked>,
    /// \[T, B\] without a reduction, else \[T\].
    pub loss: Vec<Tracked>,
    /// \[T, B, d\]; none without `need_grad`.
    pub grad_hidden: Option<Vec<Tracked>>,
}

/// `steps` steps of `spherical.factored` in f64, on the dense layer. The parameters are used as they are, unrounded; those of
/// upkeep do not matter, and no step is singular.
///
/// # Errors
/// `Size`, `Parameter` and `Dtype` for a field of `config` out of its range; `Length`, `Missing` and `Unused` for the
/// tensors; `TargetOutOfRange` for a target that is neither `ignore_index` nor a class.
pub fn reference(config: &FactoredConfig, steps: usize, inputs: &ReferenceInputs<'_>) -> Result<ReferenceOutputs> {
    config.check()?;
    check_lengths(config, steps, inputs)?;
    let FactoredConfig { rows, width, reduction, .. } = *config;
    let (entries, losses) = (config.entries(), reduction.shape(rows).iter().product());
    let mut outputs = ReferenceOutputs {
        // A layer in factors is the product of what was rounded, even before the first step.
        weight: inputs.weight.iter().copied().map(Tracked::rounded).collect(),
        loss: Vec::new(),
        grad_hidden: config.need_grad.then(Vec::new),
    };
    for t in 0..steps {
        let part = |whole: Option<&'_ [f64]>, each: usize| whole.map(|whole| whole[t * each..(t + 1) * each].to_vec());
        let (values, row_weights) = (part(inputs.values, entries), part(inputs.row_weights, rows));
        let grad_loss = part(inputs.grad_loss, losses);
        let step = Step {
            config,
            t,
            hidden: &inputs.hidden[t * rows * width..(t + 1) * rows * width],
            targets: &inputs.targets[t * entries..(t + 1) * entries],
            values: values.as_deref(),
            row_weights: row_weights.as_deref(),
            grad_loss: grad_loss.as_deref(),
        };
        step.make(&mut outputs)?;
    }
    Ok(outputs)
}

fn check_lengths(config: &FactoredConfig, steps: usize, inputs: &ReferenceInputs<'_>) -> Result<()> {
    let FactoredConfig { rows, classes, width, reduction, targets_per_row, .. } = *config;
    let entries = steps * config.entries();
    check::length(OP, "weight", inputs.weight.len(), classes * width)?;
    check::length(OP, "hidden", inputs.hidden.len(), steps * rows * width)?;
    check::length(OP, "targets", inputs.targets.len(), entries)?;
    let values = targets_per_row.map(|k| (Dtype::F32, vec![steps, rows, k]));
    check::presence(OP, "values", inputs.values.is_some(), values, "with targets [steps, rows]")?;
    check::optional_length(OP, "values", inputs.values, entries)?;
    check::optional_length(OP, "row_weights", inputs.row_weights, steps * rows)?;
    let losses: usize = reduction.shape(rows).iter().product();
    check::optional_length(OP, "grad_loss", inputs.grad_loss, steps * losses)
}

/// One step's tensors.
struct Step<'a> {
    config: &'a FactoredConfig,
    t: usize,
    hidden: &'a [f64],
    targets: &'a [i64],
    values: Option<&'a [f64]>,
    row_weights: Option<&'a [f64]>,
    grad_loss: Option<&'a [f64]>,
}

impl Step<'_> {
    fn make(&self, outputs: &mut ReferenceOutputs) -> Result<()> {
        let FactoredConfig { rows, width, reduction, .. } = *self.config;
        let targets: Vec<Vec<(usize, f64)>> = (0..rows).map(|b| self.targets_of_row(b)).collect::<Result<_>>()?;
        let ignored = |b: usize| targets[b].is_empty();
        let weighting = Weighting::new(reduction, self.row_weights, self.grad_loss, rows, ignored);
        let (mut losses, mut gradients) = (Vec::new(), Vec::new());
        for (h, (b, targets)) in self.hidden.chunks_exact(width).zip(targets.iter().enumerate()) {
            let weight = outputs.weight.chunks_exact(width);
            if targets.is_empty() {
                losses.push(Tracked::exact(0.0));
                gradients.push(vec![Tracked::exact(0.0); self.config.classes]);
            } else {
                let dot = |row: &[Tracked]| Tracked::sum(row.iter().zip(h).map(|(&w, &h)| w * Tracked::exact(h)));
                let logits: Vec<Tracked> = weight.clone().map(dot).collect();
                let (loss, gradient) = row(self.config.loss, &logits, targets);
                losses.push(weighting.loss(b, loss));
                let scale = weighting.gradient(b);
                gradients.push(gradient.into_iter().map(|g| g * scale).collect::<Vec<_>>());
            }
            if let Some(grad_hidden) = &mut outputs.grad_hidden {
                let gradient = &gradients[b];
                grad_hidden
                    .extend((0..width).map(|j| Tracked::sum(weight.clone().zip(gradient).map(|(row, &g)| g * row[j]))));
            }
        }
        outputs.loss.extend(weighting.reduce(losses));
        let (eta, rho) = (Tracked::rounded(self.config.learning_rate), Tracked::rounded(self.config.decay()));
        for (k, row) in outputs.weight.chunks_exact_mut(width).enumerate() {
            for (j, w) in row.iter_mut().enumerate() {
                let terms = gradients.iter().zip(self.hidden.chunks_exact(width));
                let gradient = Tracked::sum(terms.map(|(gradient, h)| gradient[k] * Tracked::exact(h[j])));
                *w = rho * *w - eta * gradient;
            }
        }
        Ok(())
    }

    /// The entries that are not dropped: each its class and its value.
    fn targets_of_row(&self, b: usize) -> Result<Vec<(usize, f64)>> {
        let FactoredConfig { targets_per_row, ignore_index, classes, .. } = *self.config;
        let k = targets_per_row.unwrap_or(1);
        let index = |j| if targets_per_row.is_some() { vec![self.t, b, j] } else { vec![self.t, b] };
        let kept = classes_of_row(OP, &self.targets[b * k..(b + 1) * k], ignore_index, classes, index)?;
        Ok(kept.into_iter().map(|(j, c)| (c, self.values.map_or(1.0, |values| values[b * k + j]))).collect())
    }
}

/// A row's loss, and its gradient Ls + 2 Lq o_k + Σ over the targets that are k of Lc.
fn row(loss: Loss, o: &[Tracked], targets: &[(usize, f64)]) -> (Tracked, Vec<Tracked>) {
    if let Loss::Z { a, b } = loss {
        return z(o, targets, a, b);
    }
    let row = Sums {
        classes: o.len(),
        s: Tracked::sum(o.iter().copied()),
        q: Tracked::sum(o.iter().map(|o_k| o_k.squared())),
        about_mean: Tracked::default(),
    };
    let targets: Vec<Target> = targets.iter().map(|&(class, value)| Target { class, value, o: o[class] }).collect();
    let Terms { value, l_s, two_l_q, l_c } = row.terms(loss, &targets);
    let mut gradient: Vec<Tracked> = o.iter().map(|&o_k| l_s + two_l_q * o_k).collect();
    for (target, l_c) in targets.iter().zip(l_c) {
        gradient[target.class] = gradient[target.class] + l_c;
    }
    (value, gradient)
}

/// softplus(a (b - z_c))/a; dL/do_k = (g/sigma) (1/D + z_c z_k/D - [k = c]), g = sigmoid(a (b - z_c)). A constant row has
/// z_c = 0 and gradient 0. Logits are taken as differences from the first, which is exact where all are the same.
fn z(o: &[Tracked], targets: &[(usize, f64)], a: f64, b: f64) -> (Tracked, Vec<Tracked>) {
    let (a, b, classes) = (Tracked::rounded(a), Tracked::rounded(b), Tracked::count(o.len()));
    let zero = Tracked::exact(0.0);
    let from_first: Vec<Tracked> = o.iter().map(|&o_k| o_k - o[0]).collect();
    let mean = Tracked::sum(from_first.iter().copied()) / classes;
    let centred: Vec<Tracked> = from_first.iter().map(|&d| d - mean).collect();
    let sigma = (Tracked::sum(centred.iter().map(|d| d.squared())) / classes).sqrt();
    let is_constant = sigma.value == 0.0;
    let z_of = |k: usize| if is_constant { zero } else { centred[k] / sigma };
    let terms: Vec<_> = targets.iter().map(|&(c, v)| (c, Tracked::exact(v), a * (b - z_of(c)))).collect();
    let loss = Tracked::sum(terms.iter().map(|&(_, v, argument)| v * argument.softplus() / a));
    let mut gradient = vec![zero; o.len()];
    if is_constant {
        return (loss, gradient);
    }
    for (c, v, argument) in terms {
        let pull = v * argument.sigmoid() / sigma;
        for (k, g) in gradient.iter_mut().enumerate() {
            *g = *g + pull * (Tracked::exact(1.0) + z_of(c) * z_of(k)) / classes;
        }
        gradient[c] = gradient[c] - pull;
    }
    (loss, gradient)
}
