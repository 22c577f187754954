//! `spherical.linear_cross_entropy`.

use oblate::spherical::linear_cross_entropy::{Product, ReferenceInputs, reference};
use oblate::spherical::{LinearCrossEntropyConfig, LinearCrossEntropyPointers};

use super::memory::Memory;
use super::{Call, Model, Operation, expected};
use crate::compare::Expected;
use crate::place::{Placement, Session};
use crate::{Result, Tensor, Tensors};

#[derive(Debug)]
pub(super) struct LinearCrossEntropy;

impl LinearCrossEntropy {
    fn config(call: &Call) -> LinearCrossEntropyConfig {
        LinearCrossEntropyConfig {
            dtype: call.dtype("hidden"),
            index_dtype: call.dtype("targets"),
            rows: call.size("rows"),
            classes: call.size("classes"),
            width: call.size("width"),
            has_bias: call.tensors.contains_key("bias"),
            segments: call.tensors.contains_key("segments").then(|| call.size("segments")),
            ..LinearCrossEntropyConfig::default()
        }
        .with(&call.parameters)
    }
}

impl Operation for LinearCrossEntropy {
    fn name(&self) -> &'static str {
        "spherical.linear_cross_entropy"
    }

    fn reference(&self, call: &Call) -> Result<Vec<(&'static str, Expected)>> {
        let config = Self::config(call);
        let segments = call.tensors.get("segments").map(Tensor::to_u32);
        let outputs = reference(
            &config,
            &ReferenceInputs {
                hidden: &call.tensors["hidden"].to_f64(),
                weight: &call.tensors["weight"].to_f64(),
                targets: &call.tensors["targets"].to_i64(),
                bias: call.optional("bias").as_deref(),
                row_weights: call.optional("row_weights").as_deref(),
                segments: segments.as_deref(),
                grad_loss: call.optional("grad_loss").as_deref(),
            },
        )?;
        let split = |product: Option<Product>| product.map(|product| (product.entries, product.roots)).unzip();
        let ((grad_hidden, of_hidden), (grad_weight, of_weight)) =
            (split(outputs.grad_hidden), split(outputs.grad_weight));
        let all = expected(
            call,
            [
                ("loss", Some(outputs.loss)),
                ("penalty", outputs.penalty),
                ("lse", Some(outputs.lse)),
                ("target_logits", Some(outputs.target_logits)),
                ("segment_loss", outputs.segment_loss),
                ("grad_hidden", grad_hidden),
                ("grad_weight", grad_weight),
                ("grad_bias", outputs.grad_bias),
            ],
        );
        let inputs = call.tensors["hidden"].dtype();
        let bounded = |(name, output): (&'static str, Expected)| {
            // A logit is a sum over the width; a gradient is one of what follows from them.
            let (terms, roots) = match name {
                "grad_hidden" => (config.width.max(config.classes), of_hidden.as_deref()),
                "grad_weight" => (config.width.max(config.rows), of_weight.as_deref()),
                _ => (config.width, None),
            };
            (name, output.of_products(terms, inputs).of_computed_operands(roots.unwrap_or_default(), inputs))
        };
        Ok(all.into_iter().map(bounded).collect())
    }

    fn launch(&self, session: &Session, call: &Call, placement: Placement) -> Result<(Tensors, Result<()>)> {
        let handle = oblate::spherical::LinearCrossEntropy::new(session.device(), Self::config(call))?;
        let memory = Memory::new(session, call, placement, self.in_place(call), handle.workspace_bytes())?;
        let pointers = LinearCrossEntropyPointers {
            hidden: memory.pointer("hidden"),
            weight: memory.pointer("weight"),
            targets: memory.pointer("targets"),
            bias: memory.optional("bias"),
            row_weights: memory.optional("row_weights"),
            segments: memory.optional("segments"),
            grad_loss: memory.optional("grad_loss"),
            loss: memory.pointer("loss"),
            penalty: memory.optional("penalty"),
            lse: memory.optional("lse"),
            target_logits: memory.optional("target_logits"),
            segment_loss: memory.optional("segment_loss"),
            grad_hidden: memory.optional("grad_hidden"),
            grad_weight: memory.optional("grad_weight"),
            grad_bias: memory.optional("grad_bias"),
            workspace: memory.workspace(),
            workspace_bytes: memory.workspace_bytes(),
            status: memory.status(),
        };
        // SAFETY: `memory` has a buffer of the call's dtype and shape for each tensor of the call, on the handle's device,
        // and keeps them until the outputs are read, which waits for the stream.
        unsafe { handle.launch(memory.stream(), &pointers) }?;
        memory.outputs(|status| handle.check_status(status))
    }

    fn model(&self, session: &Session, call: &Call) -> Result<Option<Model>> {
        let config = Self::config(call);
        let handle = oblate::spherical::LinearCrossEntropy::new(session.device(), config)?;
        Ok(Some(Model {
            multiply_adds: (config.rows * config.classes * config.width) as u64,
            tile_bytes: tile_bytes(&config) as u64,
            workspace_bytes: handle.workspace_bytes() as u64,
        }))
    }

    fn in_place(&self, _: &Call) -> Option<(&'static str, &'static str)> {
        None
    }
}

/// What "Traffic" says at the head of `cuda/spherical/linear_cross_entropy.cu`: the operands of every tile of 128 x 128,
/// the gradients of the logits, and the sums of `grad_hidden` of every 2048 classes.
fn tile_bytes(config: &LinearCrossEntropyConfig) -> usize {
    const TILE: usize = 128;
    const FOLD: usize = 2048;
    const MOST_RUNS: usize = 128;
    const STATISTICS: usize = 16;
    const COEFFICIENTS: usize = 32;
    let LinearCrossEntropyConfig { dtype, rows, classes, width, .. } = *config;
    let (f, wide) = (dtype.size(), oblate::Dtype::F32.size());
    let tiles = |size: usize| size.div_ceil(TILE);
    let runs = tiles(classes).div_ceil(tiles(classes).div_ceil(MOST_RUNS));
    let logits = (tiles(classes) * rows + tiles(rows) * classes) * width * f;
    let statistics = 2 * STATISTICS * rows * runs;
    if !config.need_grad {
        return logits + statistics;
    }
    let is_f16 = dtype == oblate::Dtype::F16;
    let folds = classes.div_ceil(FOLD);
    let gradients = rows * classes;
    let coefficients = COEFFICIENTS * rows * tiles(classes);
    // f16 writes them in f32, reads them once more, and writes them again.
    let writes = gradients * (f + if is_f16 { 2 * wide } else { 0 });
    let hidden = (tiles(width) * gradients + tiles(rows) * classes * width) * f;
    let sums = rows * width * wide * (2 * folds - 2) + rows * width * f;
    let weight = if config.need_grad_weight {
        let of = if is_f16 { wide } else { f };
        let widened = if is_f16 { rows * width * (f + wide) } else { 0 };
        let written = classes * width * config.grad_weight_dtype.unwrap_or(dtype).size();
        (tiles(width) * gradients + tiles(classes) * rows * width) * of + widened + written
    } else {
        0
    };
    2 * logits + statistics + coefficients + writes + hidden + sums + weight
}
