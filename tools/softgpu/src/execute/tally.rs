//! A worker's counts, cheap to add to; [`Tally::counters`] makes the public ones of them.

use std::collections::BTreeMap;

use crate::inspect::counters::{Counters, GlobalAtomics, Shared, Traffic};
use crate::program::{Number, Program, TensorForm};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Load,
    Store,
}

#[derive(Debug)]
pub(crate) struct Tally {
    /// One per block of the program: times a warp ran it, and lanes that took part.
    pub(crate) blocks: Vec<(u64, u64)>,
    pub(crate) loads: Traffic,
    pub(crate) stores: Traffic,
    pub(crate) shared: Shared,
    pub(crate) local_bytes: u64,
    pub(crate) global_atomics: GlobalAtomics,
    /// By lane; of a thread's own memory too.
    pub(crate) shared_atomics: u64,
    /// One per tensor operation of the program.
    pub(crate) tensor: Vec<u64>,
    pub(crate) divergent_branches: u64,
    pub(crate) barriers: u64,
    /// Most of one block.
    pub(crate) barrier_chain: u64,
    pub(crate) spins: u64,
}

impl Tally {
    pub(crate) fn new(program: &Program) -> Self {
        Self {
            blocks: vec![(0, 0); program.blocks.len()],
            loads: Traffic::default(),
            stores: Traffic::default(),
            shared: Shared::default(),
            local_bytes: 0,
            global_atomics: GlobalAtomics::default(),
            shared_atomics: 0,
            tensor: vec![0; program.tensor_ops.len()],
            divergent_branches: 0,
            barriers: 0,
            barrier_chain: 0,
            spins: 0,
        }
    }

    /// A warp's access to global memory.
    #[inline(always)]
    pub(crate) fn global(&mut self, direction: Direction, sectors: u64, lanes: u64, width: u64) {
        let traffic = if direction == Direction::Load { &mut self.loads } else { &mut self.stores };
        traffic.requests += 1;
        traffic.sectors += sectors;
        traffic.requested_bytes += lanes * width;
        traffic.by_width[(width.trailing_zeros() as usize).min(5)] += 1;
    }

    /// A warp's access to shared memory, in as many parts as the width asks for.
    #[inline(always)]
    pub(crate) fn shared(&mut self, wavefronts: u64, parts: u64) {
        self.shared.requests += 1;
        self.shared.wavefronts += wavefronts;
        self.shared.conflicts += wavefronts - parts;
    }

    /// The public counters, but for what only the launch as a whole has: itself, its distinct sectors, its barrier chain.
    pub(crate) fn counters(self, program: &Program) -> Counters {
        let mut counters = Counters {
            global_loads: self.loads,
            global_stores: self.stores,
            shared: self.shared,
            local_bytes: self.local_bytes,
            global_atomics: self.global_atomics,
            shared_atomics: self.shared_atomics,
            divergent_branches: self.divergent_branches,
            barriers: self.barriers,
            spins: self.spins,
            ..Counters::default()
        };
        for (block, (warps, threads)) in program.blocks.iter().zip(self.blocks) {
            for &(class, ops) in &block.classes {
                if warps != 0 {
                    *counters.warp_instructions.entry(class).or_default() += warps * u64::from(ops);
                    *counters.thread_instructions.entry(class).or_default() += threads * u64::from(ops);
                }
            }
            for &(of, flops) in block.flops.iter().filter(|_| warps != 0) {
                *counters.flops.entry(of).or_default() += threads * u64::from(flops);
            }
        }
        let mut tensor = BTreeMap::new();
        for (op, count) in program.tensor_ops.iter().zip(self.tensor) {
            if count != 0 {
                *tensor.entry(name(op.form)).or_default() += count;
            }
        }
        counters.tensor = tensor;
        counters
    }
}

/// Under which a tensor operation is counted.
fn name(form: TensorForm) -> String {
    let of = |number| match number {
        Number::F16 => "f16",
        Number::BF16 => "bf16",
        _ => "other",
    };
    match form {
        TensorForm::MmaM16N8K16 { number } => format!("m16n8k16.{}", of(number)),
        TensorForm::MmaM16N8K8 { number } => format!("m16n8k8.{}", of(number)),
        TensorForm::MmaM16N8K8Tf32 => "m16n8k8.tf32".to_owned(),
        TensorForm::LoadMatrix { matrices, .. } => format!("ldmatrix.x{matrices}"),
    }
}
