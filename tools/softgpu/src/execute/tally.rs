//! A worker's counts, cheap to add to; [`Tally::counters`] makes the public ones of them.

use std::collections::BTreeMap;

use crate::inspect::counters::{Counters, GlobalAtomics, Shared, Traffic};
use crate::program::{Element, Program, Shape, TensorForm};

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

    /// The lines of the operations in blocks that some warp ran.
    pub(crate) fn lines<'a>(&'a self, program: &'a Program) -> impl Iterator<Item = u32> + 'a {
        let ran = |(_, block): &(_, &u32)| self.blocks[**block as usize].0 != 0;
        program.sites.iter().zip(&program.block_of).filter(ran).map(|(site, _)| site.ptx_line)
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
                *tensor.entry(name(&op.form)).or_default() += count;
            }
        }
        counters.tensor = tensor;
        counters
    }
}

/// Under which a tensor operation is counted: a product by shape and factors, and by sums where they are not the usual.
fn name(form: &TensorForm) -> String {
    match form {
        TensorForm::Product(product) => {
            let Shape { m, n, k } = product.shape;
            let mut name = format!("m{m}n{n}k{k}.{}", product.a.name());
            for (differs, element) in [(product.b != product.a, product.b), (product.d == Element::F16, product.d)] {
                if differs {
                    name.push('.');
                    name.push_str(element.name());
                }
            }
            name
        }
        TensorForm::LoadMatrix { matrices, .. } => format!("ldmatrix.x{matrices}"),
        TensorForm::StoreMatrix { matrices, .. } => format!("stmatrix.x{matrices}"),
        TensorForm::MoveMatrix => "movmatrix".to_owned(),
        TensorForm::LoadFragment(_) => "wmma.load".to_owned(),
        TensorForm::StoreFragment(_) => "wmma.store".to_owned(),
    }
}
