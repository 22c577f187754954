//! What a launch did, counted on its PTX: before ptxas, which may merge, reorder or drop instructions.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::{Class, FloatType};

/// Loads from, or stores to, global memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Warp instructions.
    pub requests: u64,
    /// 32-byte sectors that they meet, counted once per request: what moves.
    pub sectors: u64,
    /// Bytes that the lanes asked for.
    pub requested_bytes: u64,
    /// Sectors that the launch meets at all, each once: what has to move.
    pub distinct_sectors: u64,
    /// Requests by the width of a lane's access: 1, 2, 4, 8, 16 and 32 bytes.
    pub by_width: [u64; 6],
}

impl Traffic {
    /// Bytes that move between memory and multiprocessors.
    pub fn moved_bytes(&self) -> u64 {
        self.sectors * 32
    }

    /// The least that could move: each sector once.
    pub fn compulsory_bytes(&self) -> u64 {
        self.distinct_sectors * 32
    }
}

/// Accesses to shared memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// Warp instructions, asynchronous copies and matrix loads among them.
    pub requests: u64,
    /// Passes over the 32 banks. A warp is served whole for accesses of up to 4 bytes, in halves for 8, in quarters for
    /// 16, by its 8 rows for a matrix load.
    pub wavefronts: u64,
    /// Wavefronts beyond one for each such part.
    pub conflicts: u64,
}

/// Atomics and reductions in global memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalAtomics {
    /// Warp instructions.
    pub requests: u64,
    /// Lanes that took part.
    pub operations: u64,
    /// 32-byte sectors that they meet, counted once per request; each is read and written.
    pub sectors: u64,
}

/// Counts of one launch, or of several added up. They do not depend on how many threads of the host ran it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counters {
    /// Kernel launches.
    pub launches: u64,
    /// Instructions that warps issued, by class; those whose guard holds for no lane among them.
    pub warp_instructions: BTreeMap<Class, u64>,
    /// The same, each times the lanes that take part; lanes whose guard does not hold among them.
    pub thread_instructions: BTreeMap<Class, u64>,
    /// Floating-point operations by type: one of an addition or a multiplication, two of a fused one, of each element of a
    /// packed type; the tensor cores' apart. Lanes whose guard does not hold count, as in `thread_instructions`.
    pub flops: BTreeMap<FloatType, u64>,
    /// Loads from global memory, through any path.
    pub global_loads: Traffic,
    /// Stores to global memory.
    pub global_stores: Traffic,
    /// Atomics in global memory.
    pub global_atomics: GlobalAtomics,
    /// Accesses to shared memory, atomics among them: of these a wavefront serves one lane of each bank.
    pub shared: Shared,
    /// Atomics and reductions in shared memory, by lane.
    pub shared_atomics: u64,
    /// Bytes that lanes loaded from and stored to local memory.
    pub local_bytes: u64,
    /// Tensor-core operations by shape and type, such as `m16n8k16.bf16`.
    pub tensor: BTreeMap<String, u64>,
    /// Branches at which a warp's lanes went different ways.
    pub divergent_branches: u64,
    /// Barriers of a block that were completed.
    pub barriers: u64,
    /// The most that one block completed: those on the longest path. Launches follow each other, so theirs add up.
    pub barrier_chain: u64,
    /// Turns that waiting blocks and warps gave up while they polled memory. They depend on the schedule, as on a card.
    pub spins: u64,
}

impl Counters {
    /// Warp instructions of all classes.
    pub fn instructions(&self) -> u64 {
        self.warp_instructions.values().sum()
    }

    /// Lanes that took part in a warp instruction, on average; 32 where nothing diverged.
    pub fn mean_active_lanes(&self) -> f64 {
        let threads: u64 = self.thread_instructions.values().sum();
        if threads == 0 { 0.0 } else { threads as f64 / self.instructions() as f64 }
    }

    /// Bytes that global loads, stores and atomics move; an atomic's sector is read and written.
    pub fn moved_bytes(&self) -> u64 {
        self.global_loads.moved_bytes() + self.global_stores.moved_bytes() + 2 * 32 * self.global_atomics.sectors
    }

    /// The least that could move: each sector read once and written once.
    pub fn compulsory_bytes(&self) -> u64 {
        self.global_loads.compulsory_bytes() + self.global_stores.compulsory_bytes()
    }

    /// Instructions of a class, by lane.
    pub fn threads(&self, class: Class) -> u64 {
        self.thread_instructions.get(&class).copied().unwrap_or(0)
    }

    /// Operations of the tensor cores by the type of the factors: two for each product of an `mNnNkN`.
    pub fn tensor_flops(&self) -> BTreeMap<&str, u64> {
        let mut flops = BTreeMap::new();
        for (name, count) in &self.tensor {
            if let Some((products, of)) = products(name) {
                *flops.entry(of).or_default() += 2 * products * count;
            }
        }
        flops
    }
}

/// Products of an operation of the tensor cores, and the type of its first factor: 2,048 and `f16` of `m16n8k16.f16.f16`.
/// None for one that multiplies nothing.
fn products(name: &str) -> Option<(u64, &str)> {
    let (shape, types) = name.strip_prefix('m')?.split_once('.')?;
    let of = types.split('.').next()?;
    let sizes: Option<Vec<u64>> = shape.split(['n', 'k']).map(|size| size.parse().ok()).collect();
    sizes.filter(|sizes| sizes.len() == 3).map(|sizes| (sizes.iter().product(), of))
}

impl AddAssign<&Traffic> for Traffic {
    fn add_assign(&mut self, other: &Self) {
        self.requests += other.requests;
        self.sectors += other.sectors;
        self.requested_bytes += other.requested_bytes;
        self.distinct_sectors += other.distinct_sectors;
        for (to, from) in self.by_width.iter_mut().zip(other.by_width) {
            *to += from;
        }
    }
}

impl AddAssign<&Self> for Counters {
    /// Distinct sectors add up too: what another launch finds in memory has to move again.
    fn add_assign(&mut self, other: &Self) {
        self.launches += other.launches;
        for (to, from) in [
            (&mut self.warp_instructions, &other.warp_instructions),
            (&mut self.thread_instructions, &other.thread_instructions),
        ] {
            for (&class, count) in from {
                *to.entry(class).or_default() += count;
            }
        }
        self.global_loads += &other.global_loads;
        self.global_stores += &other.global_stores;
        self.shared.requests += other.shared.requests;
        self.shared.wavefronts += other.shared.wavefronts;
        self.shared.conflicts += other.shared.conflicts;
        for (&of, flops) in &other.flops {
            *self.flops.entry(of).or_default() += flops;
        }
        self.global_atomics.requests += other.global_atomics.requests;
        self.global_atomics.operations += other.global_atomics.operations;
        self.global_atomics.sectors += other.global_atomics.sectors;
        self.shared_atomics += other.shared_atomics;
        self.local_bytes += other.local_bytes;
        for (name, count) in &other.tensor {
            *self.tensor.entry(name.clone()).or_default() += count;
        }
        self.divergent_branches += other.divergent_branches;
        self.barriers += other.barriers;
        self.barrier_chain += other.barrier_chain;
        self.spins += other.spins;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensor_flops_by_type() {
        let tensor = [("m16n8k16.bf16", 3), ("m16n8k8.bf16", 1), ("m16n8k32.s8.u8", 1), ("movmatrix", 7)];
        let tensor = tensor.map(|(name, count)| (name.to_owned(), count)).into();
        let counters = Counters { tensor, ..Counters::default() };
        assert_eq!(counters.tensor_flops(), [("bf16", 3 * 4096 + 2048), ("s8", 8192)].into());
    }
}
