//! `spherical.dense`.

use oblate::spherical::dense::{DenseConfig, DensePointers, ReferenceInputs, reference};

use super::memory::Memory;
use super::{Call, Operation, expected};
use crate::compare::Expected;
use crate::place::{Placement, Session};
use crate::{Result, Tensors};

#[derive(Debug)]
pub(super) struct Dense;

impl Dense {
    fn config(call: &Call) -> DenseConfig {
        let targets = &call.tensors["targets"];
        DenseConfig {
            dtype: call.dtype("logits"),
            index_dtype: call.dtype("targets"),
            rows: call.size("rows"),
            classes: call.size("classes"),
            targets_per_row: targets.shape().get(1).copied(),
            ..DenseConfig::default()
        }
        .with(&call.parameters)
    }
}

impl Operation for Dense {
    fn name(&self) -> &'static str {
        "spherical.dense"
    }

    fn reference(&self, call: &Call) -> Result<Vec<(&'static str, Expected)>> {
        let outputs = reference(
            &Self::config(call),
            &ReferenceInputs {
                logits: &call.tensors["logits"].to_f64(),
                targets: &call.tensors["targets"].to_i64(),
                values: call.optional("values").as_deref(),
                row_weights: call.optional("row_weights").as_deref(),
                grad_loss: call.optional("grad_loss").as_deref(),
            },
        )?;
        Ok(expected(call, [("loss", Some(outputs.loss)), ("grad_logits", outputs.grad_logits)]))
    }

    fn launch(&self, session: &Session, call: &Call, placement: Placement) -> Result<(Tensors, Result<()>)> {
        let handle = oblate::spherical::Dense::new(session.device(), Self::config(call))?;
        let memory = Memory::new(session, call, placement, self.in_place(call), handle.workspace_bytes())?;
        let pointers = DensePointers {
            logits: memory.pointer("logits"),
            targets: memory.pointer("targets"),
            values: memory.optional("values"),
            row_weights: memory.optional("row_weights"),
            grad_loss: memory.optional("grad_loss"),
            loss: memory.pointer("loss"),
            grad_logits: memory.optional("grad_logits"),
            workspace: memory.workspace(),
            workspace_bytes: memory.workspace_bytes(),
            status: memory.status(),
        };
        // SAFETY: `memory` has a buffer of the call's dtype and shape for each tensor of the call, on the handle's device,
        // and keeps them until the outputs are read, which waits for the stream.
        unsafe { handle.launch(memory.stream(), &pointers) }?;
        memory.outputs(|status| handle.check_status(status))
    }

    fn in_place(&self, call: &Call) -> Option<(&'static str, &'static str)> {
        call.outputs().iter().any(|output| output.name == "grad_logits").then_some(("grad_logits", "logits"))
    }
}
