//! `spherical.factored`: steps on a layer that is made for the call and expanded after them.

use oblate::spherical::factored::{ReferenceInputs, reference};
use oblate::spherical::{FactoredConfig, FactoredPointers};
use safetensors::Dtype;

use super::memory::Memory;
use super::{Call, Operation, expected};
use crate::compare::Expected;
use crate::place::{Placement, Session};
use crate::{Result, Tensors};

#[derive(Debug)]
pub(super) struct Factored;

impl Factored {
    fn config(call: &Call) -> FactoredConfig {
        FactoredConfig {
            index_dtype: call.dtype("targets"),
            rows: call.size("rows"),
            classes: call.size("classes"),
            width: call.size("width"),
            targets_per_row: call.tensors["targets"].shape().get(2).copied(),
            ..FactoredConfig::default()
        }
        .with(&call.parameters)
    }
}

impl Operation for Factored {
    fn name(&self) -> &'static str {
        "spherical.factored"
    }

    fn reference(&self, call: &Call) -> Result<Vec<(&'static str, Expected)>> {
        let config = Self::config(call);
        let outputs = reference(
            &config,
            call.size("steps"),
            &ReferenceInputs {
                weight: &call.tensors["weight"].to_f64(),
                hidden: &call.tensors["hidden"].to_f64(),
                targets: &call.tensors["targets"].to_i64(),
                values: call.optional("values").as_deref(),
                row_weights: call.optional("row_weights").as_deref(),
                grad_loss: call.optional("grad_loss").as_deref(),
            },
        )?;
        let all = expected(
            call,
            [("weight", Some(outputs.weight)), ("loss", Some(outputs.loss)), ("grad_hidden", outputs.grad_hidden)],
        );
        let terms = config.width.max(config.rows).max(config.classes);
        Ok(all.into_iter().map(|(name, output)| (name, output.of_products(terms, Dtype::F32))).collect())
    }

    fn launch(&self, session: &Session, call: &Call, placement: Placement) -> Result<(Tensors, Result<()>)> {
        let handle = oblate::spherical::Factored::new(session.device(), Self::config(call))?;
        let memory = Memory::new(session, call, placement, None, handle.memory_bytes())?;
        let (stream, of_layer) = (memory.stream(), memory.workspace());
        // SAFETY: `memory` has a buffer of the call's dtype and shape for each tensor of the call, on the handle's device, and
        // keeps them until the outputs are read, which waits for the stream.
        unsafe {
            handle.load(stream, memory.pointer("weight"), of_layer)?;
            for step in 0..call.size("steps") as u64 {
                handle.launch(stream, &pointers(&handle, &memory, step), step)?;
                if handle.is_upkeep_due(step + 1) {
                    handle.upkeep(stream, of_layer)?;
                }
            }
            handle.expand(stream, of_layer, memory.output("weight").unwrap_or_default())?;
        }
        memory.outputs(|status| handle.check_status(status))
    }

    /// The steps alone, on a layer of zeros: what they do does not depend on the numbers, and neither the making of a layer nor
    /// its expansion is a part of training.
    fn count(&self, session: &Session, call: &Call) -> Result<u64> {
        let handle = oblate::spherical::Factored::new(session.device(), Self::config(call))?;
        let mut memory = Memory::new(session, call, Placement::default(), None, handle.memory_bytes())?;
        memory.clear_workspace()?;
        for step in 0..call.size("steps") as u64 {
            // SAFETY: as in `launch`.
            unsafe { handle.launch(memory.stream(), &pointers(&handle, &memory, step), step) }?;
        }
        memory.check(|status| handle.check_status(status))??;
        let outputs = call.outputs().into_iter().filter(|output| output.name != "weight");
        let written = outputs.map(|output| 4 * output.shape.iter().product::<usize>() as u64).sum::<u64>();
        let read = call.tensors.iter().filter(|(name, _)| *name != "weight").map(|(_, tensor)| tensor);
        Ok(super::bytes(read) + written)
    }

    fn in_place(&self, _: &Call) -> Option<(&'static str, &'static str)> {
        None
    }
}

/// The tensors of a step: those of the call moved on by as many steps.
fn pointers(handle: &oblate::spherical::Factored, memory: &Memory<'_>, step: u64) -> FactoredPointers {
    let config = handle.config();
    let losses: usize = config.reduction.shape(config.rows).iter().product();
    let entries = config.rows * config.targets_per_row.unwrap_or(1);
    let at = |name: &str, elements: usize, bytes: usize| {
        memory.optional(name).map(|first| first.add(step * (elements * bytes) as u64))
    };
    FactoredPointers {
        hidden: at("hidden", config.rows * config.width, 4).unwrap_or_default(),
        targets: at("targets", entries, config.index_dtype.size()).unwrap_or_default(),
        values: at("values", entries, 4),
        row_weights: at("row_weights", config.rows, 4),
        grad_loss: at("grad_loss", losses, 4),
        loss: at("loss", losses, 4).unwrap_or_default(),
        grad_hidden: at("grad_hidden", config.rows * config.width, 4),
        memory: memory.workspace(),
        status: memory.status(),
    }
}
