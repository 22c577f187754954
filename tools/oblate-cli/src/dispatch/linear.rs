//! `spherical.linear`.

use oblate::spherical::linear::{ReferenceInputs, reference};
use oblate::spherical::{Gram, LinearConfig, LinearPointers};

use super::memory::Memory;
use super::{Call, Operation, expected};
use crate::compare::Expected;
use crate::place::{Placement, Session};
use crate::{Result, Tensors};

#[derive(Debug)]
pub(super) struct Linear;

impl Linear {
    fn config(call: &Call) -> LinearConfig {
        LinearConfig {
            dtype: call.dtype("hidden"),
            index_dtype: call.dtype("targets"),
            rows: call.size("rows"),
            classes: call.size("classes"),
            width: call.size("width"),
            targets_per_row: call.tensors["targets"].shape().get(1).copied(),
            gram: if call.tensors.contains_key("gram") { Gram::Plain } else { Gram::Formed },
            ..LinearConfig::default()
        }
        .with(&call.parameters)
    }
}

impl Operation for Linear {
    fn name(&self) -> &'static str {
        "spherical.linear"
    }

    fn reference(&self, call: &Call) -> Result<Vec<(&'static str, Expected)>> {
        let config = Self::config(call);
        let outputs = reference(
            &config,
            &ReferenceInputs {
                hidden: &call.tensors["hidden"].to_f64(),
                weight: &call.tensors["weight"].to_f64(),
                targets: &call.tensors["targets"].to_i64(),
                values: call.optional("values").as_deref(),
                gram: call.optional("gram").as_deref(),
                row_sum: call.optional("row_sum").as_deref(),
                row_weights: call.optional("row_weights").as_deref(),
                grad_loss: call.optional("grad_loss").as_deref(),
            },
        )?;
        let all = expected(
            call,
            [
                ("loss", Some(outputs.loss)),
                ("s", Some(outputs.s)),
                ("q", Some(outputs.q)),
                ("target_logits", Some(outputs.target_logits)),
                ("grad_hidden", outputs.grad_hidden),
            ],
        );
        // The Gram is a sum over the classes, where it is formed; the products with it are sums over the width.
        let terms = if config.gram == Gram::Formed { config.width.max(config.classes) } else { config.width };
        let inputs = call.tensors["hidden"].dtype();
        Ok(all.into_iter().map(|(name, output)| (name, output.of_products(terms, inputs))).collect())
    }

    fn launch(&self, session: &Session, call: &Call, placement: Placement) -> Result<(Tensors, Result<()>)> {
        let handle = oblate::spherical::Linear::new(session.device(), Self::config(call))?;
        let memory = Memory::new(session, call, placement, self.in_place(call), handle.workspace_bytes())?;
        let pointers = LinearPointers {
            hidden: memory.pointer("hidden"),
            weight: memory.pointer("weight"),
            targets: memory.pointer("targets"),
            values: memory.optional("values"),
            gram: memory.optional("gram"),
            row_sum: memory.optional("row_sum"),
            row_weights: memory.optional("row_weights"),
            grad_loss: memory.optional("grad_loss"),
            loss: memory.pointer("loss"),
            s: memory.optional("s"),
            q: memory.optional("q"),
            target_logits: memory.optional("target_logits"),
            grad_hidden: memory.optional("grad_hidden"),
            workspace: memory.workspace(),
            workspace_bytes: memory.workspace_bytes(),
            status: memory.status(),
        };
        // SAFETY: `memory` has a buffer of the call's dtype and shape for each tensor of the call, on the handle's device,
        // and keeps them until the outputs are read, which waits for the stream.
        unsafe { handle.launch(memory.stream(), &pointers) }?;
        memory.outputs(|status| handle.check_status(status))
    }

    fn in_place(&self, _: &Call) -> Option<(&'static str, &'static str)> {
        None
    }
}
