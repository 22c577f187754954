//! `spherical.hierarchical_softmax`.

use oblate::spherical::hierarchical_softmax::{ReferenceInputs, reference};
use oblate::spherical::{HierarchicalSoftmaxConfig, HierarchicalSoftmaxPointers};

use super::memory::Memory;
use super::{Call, Operation, expected};
use crate::compare::Expected;
use crate::place::{Placement, Session};
use crate::{Result, Tensors};

#[derive(Debug)]
pub(super) struct HierarchicalSoftmax;

impl HierarchicalSoftmax {
    fn config(call: &Call) -> HierarchicalSoftmaxConfig {
        HierarchicalSoftmaxConfig {
            dtype: call.dtype("hidden"),
            index_dtype: call.dtype("targets"),
            rows: call.size("rows"),
            classes: call.size("classes"),
            clusters: call.size("clusters"),
            width: call.size("width"),
            ..HierarchicalSoftmaxConfig::default()
        }
        .with(&call.parameters)
    }
}

impl Operation for HierarchicalSoftmax {
    fn name(&self) -> &'static str {
        "spherical.hierarchical_softmax"
    }

    fn reference(&self, call: &Call) -> Result<Vec<(&'static str, Expected)>> {
        let config = Self::config(call);
        let offsets = call.tensors["cluster_offsets"].to_i64();
        let outputs = reference(
            &config,
            &ReferenceInputs {
                hidden: &call.tensors["hidden"].to_f64(),
                weight: &call.tensors["weight"].to_f64(),
                cluster_weight: &call.tensors["cluster_weight"].to_f64(),
                cluster_offsets: &offsets,
                targets: &call.tensors["targets"].to_i64(),
                row_weights: call.optional("row_weights").as_deref(),
                grad_loss: call.optional("grad_loss").as_deref(),
            },
        )?;
        let all = expected(
            call,
            [
                ("loss", Some(outputs.loss)),
                ("grad_hidden", outputs.grad_hidden.map(|product| product.entries)),
                ("grad_weight", outputs.grad_weight.map(|product| product.entries)),
                ("grad_cluster_weight", outputs.grad_cluster_weight.map(|product| product.entries)),
            ],
        );
        let largest = offsets.windows(2).map(|bounds| bounds[1] - bounds[0]).max().unwrap_or(0) as usize;
        let bounded = |(name, output): (&'static str, Expected)| {
            // A logit is a sum over the width; a gradient is one of what follows from them, which stays in f32.
            let terms = match name {
                "loss" => 0,
                "grad_hidden" => config.clusters.max(largest),
                _ => config.rows,
            };
            (name, output.of_products(config.width.max(terms), call.tensors["hidden"].dtype()))
        };
        Ok(all.into_iter().map(bounded).collect())
    }

    fn launch(&self, session: &Session, call: &Call, placement: Placement) -> Result<(Tensors, Result<()>)> {
        let handle = oblate::spherical::HierarchicalSoftmax::new(session.device(), Self::config(call))?;
        let memory = Memory::new(session, call, placement, self.in_place(call), handle.workspace_bytes())?;
        let pointers = HierarchicalSoftmaxPointers {
            hidden: memory.pointer("hidden"),
            weight: memory.pointer("weight"),
            cluster_weight: memory.pointer("cluster_weight"),
            cluster_offsets: memory.pointer("cluster_offsets"),
            targets: memory.pointer("targets"),
            row_weights: memory.optional("row_weights"),
            grad_loss: memory.optional("grad_loss"),
            loss: memory.pointer("loss"),
            grad_hidden: memory.optional("grad_hidden"),
            grad_weight: memory.optional("grad_weight"),
            grad_cluster_weight: memory.optional("grad_cluster_weight"),
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
