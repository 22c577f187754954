//! `spherical.rank`.

use oblate::spherical::rank::{ReferenceInputs, ReferenceRank, reference};
use oblate::spherical::{RankConfig, RankPointers};
use safetensors::Dtype;

use super::memory::Memory;
use super::{Call, Model, Operation};
use crate::compare::Expected;
use crate::place::{Placement, Session};
use crate::{Result, Tensor, Tensors};

#[derive(Debug)]
pub(super) struct Rank;

impl Rank {
    fn config(call: &Call) -> RankConfig {
        let has_hidden = call.tensors.contains_key("hidden");
        RankConfig {
            dtype: call.dtype(if has_hidden { "hidden" } else { "logits" }),
            index_dtype: call.dtype("targets"),
            rows: call.size("rows"),
            classes: call.size("classes"),
            width: has_hidden.then(|| call.size("width")),
            ..RankConfig::default()
        }
        .with(&call.parameters)
    }
}

impl Operation for Rank {
    fn name(&self) -> &'static str {
        "spherical.rank"
    }

    fn reference(&self, call: &Call) -> Result<Vec<(&'static str, Expected)>> {
        let config = Self::config(call);
        let values = |name: &str| call.tensors.get(name).map_or_else(Vec::new, Tensor::to_f64);
        let inputs = ReferenceInputs {
            logits: &values("logits"),
            hidden: &values("hidden"),
            weight: &values("weight"),
            targets: &call.tensors["targets"].to_i64(),
        };
        let ranks = reference(&config, &inputs)?;
        let shape = || vec![config.rows];
        let of = |value: fn(&ReferenceRank) -> f64| ranks.iter().map(value).collect();
        let apart = |rank: &ReferenceRank| f64::from((rank.most - rank.rank).max(rank.rank - rank.least));
        let is_hit = |rank: u32| rank > 0 && rank as usize <= config.k;
        let hits = ranks.iter().map(|rank| f64::from(u8::from(is_hit(rank.rank)))).collect();
        let may_differ =
            ranks.iter().map(|rank| f64::from(u8::from(is_hit(rank.least) != is_hit(rank.most)))).collect();
        Ok(vec![
            ("rank", Expected::new(Dtype::U32, shape(), of(|rank| f64::from(rank.rank)), of(apart))),
            ("hits", Expected::new(Dtype::U8, shape(), hits, may_differ)),
        ])
    }

    fn launch(&self, session: &Session, call: &Call, placement: Placement) -> Result<(Tensors, Result<()>)> {
        let handle = oblate::spherical::Rank::new(session.device(), Self::config(call))?;
        let memory = Memory::new(session, call, placement, self.in_place(call), handle.workspace_bytes())?;
        let pointers = RankPointers {
            logits: memory.optional("logits"),
            hidden: memory.optional("hidden"),
            weight: memory.optional("weight"),
            targets: memory.pointer("targets"),
            rank: memory.pointer("rank"),
            hits: memory.pointer("hits"),
            workspace: memory.workspace(),
            workspace_bytes: memory.workspace_bytes(),
            status: memory.status(),
        };
        // SAFETY: `memory` has a buffer of the call's dtype and shape for each tensor of the call, on the handle's device,
        // and keeps them until the outputs are read, which waits for the stream.
        unsafe { handle.launch(memory.stream(), &pointers) }?;
        memory.outputs(|status| handle.check_status(status))
    }

    /// What "Traffic" says at the head of `cuda/spherical/rank.cu`: the operands of every tile of 128 x 128.
    fn model(&self, session: &Session, call: &Call) -> Result<Option<Model>> {
        let config = Self::config(call);
        let RankConfig { dtype, rows, classes, width, .. } = config;
        let Some(width) = width else { return Ok(None) };
        let handle = oblate::spherical::Rank::new(session.device(), config)?;
        let tiles = |size: usize| size.div_ceil(128);
        let of_targets = 2 * rows * width;
        let operands = (tiles(classes) * rows + tiles(rows) * classes) * width + of_targets;
        Ok(Some(Model {
            multiply_adds: (rows * classes * width) as u64,
            tile_bytes: (operands * dtype.size()) as u64,
            workspace_bytes: handle.workspace_bytes() as u64,
        }))
    }

    fn in_place(&self, _: &Call) -> Option<(&'static str, &'static str)> {
        None
    }
}
