//! `oblate report`: what one call of an operation moves and executes, counted by the software device, and what a card would
//! need for it at least, modelled from published peaks. Nothing is timed.

pub mod cards;
pub mod limits;
mod metrics;
pub mod occupancy;
mod overview;
mod roofline;
mod shapes;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use oblate::fatbin::RESOURCES;
use oblate::operations::Operation as Card;
use oblate_softgpu::inspect::counters::Counters;
use occupancy::{Block, Occupancy};
pub use overview::overview;
pub use roofline::roofline;
pub use shapes::{SHAPES, Shape};
pub use table::{compared, table};
pub(crate) use {
    metrics::{grouped, microseconds},
    table::{MODELLED, new, numbers_right},
};

use crate::dispatch::{self, Call, Model};
use crate::place::Session;
use crate::tensor::float_named;
use crate::{Error, Result, cases};

/// The counts of one call.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// The operation's name.
    pub operation: String,
    /// Sizes, dtype and parameters, as `--set` takes them.
    pub set: BTreeMap<String, String>,
    /// Bytes of the inputs and the outputs: what any implementation has to move.
    pub compulsory_bytes: u64,
    /// Bytes that loads and stores of global memory move, in sectors of 32 bytes.
    pub moved_bytes: u64,
    /// What the head of the kernels' file says of the call, of operations whose product is tiled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// The launches, in order.
    pub launches: Vec<Launch>,
}

/// One launch of a call.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Launch {
    /// The entry point.
    pub kernel: String,
    /// Blocks.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub block: [u32; 3],
    /// Bytes of shared memory of a block beside the kernel's own.
    pub dynamic_shared_bytes: u32,
    /// What it did, on its PTX.
    pub counters: Counters,
}

/// What ptxas made of a kernel on one architecture, and how a multiprocessor of it holds the blocks of a launch.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Compiled {
    /// The entry point.
    pub kernel: &'static str,
    /// The architecture, `sm_80`.
    pub architecture: &'static str,
    /// Registers of a thread.
    pub registers: u32,
    /// Bytes that a thread stores and loads because registers ran out.
    pub spill_bytes: u32,
    /// Shared memory of a block: the kernel's own, and what the launch adds.
    pub shared_bytes: u32,
    /// None for an architecture whose limits the catalogue lacks.
    pub occupancy: Option<Occupancy>,
}

impl Report {
    /// Runs the operation once on random logits and counts. `set` has sizes by their words, `dtype`, and parameters; what
    /// it lacks is as in the first of the operation's [`SHAPES`].
    ///
    /// # Errors
    /// For a size, dtype or parameter that the operation does not take.
    pub fn measure(session: &Session, operation: &str, set: &[(&str, &str)]) -> Result<Self> {
        let (card, operation) = dispatch::operation(operation)?;
        let mut all: BTreeMap<&str, &str> = shapes::defaults(card.name).iter().copied().collect();
        all.extend(set.iter().copied());
        let call = call(card, &all)?;
        let (compulsory_bytes, record) = oblate_softgpu::record(|| operation.count(session, &call));
        if let Some(finding) = record.findings.first() {
            return Err(Error::Finding { operation: card.name, finding: finding.to_string() });
        }
        let launches: Vec<Launch> = record
            .launches
            .into_iter()
            .map(|mut launch| {
                launch.counters.spins = 0; // they depend on the schedule
                Launch {
                    kernel: launch.kernel,
                    grid: launch.grid,
                    block: launch.block,
                    dynamic_shared_bytes: launch.dynamic_shared_bytes,
                    counters: launch.counters,
                }
            })
            .collect();
        Ok(Self {
            operation: card.name.to_owned(),
            set: all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            compulsory_bytes: compulsory_bytes?,
            model: operation.model(session, &call)?,
            moved_bytes: launches.iter().map(|launch| launch.counters.moved_bytes()).sum(),
            launches,
        })
    }

    /// The counts of all launches.
    pub fn total(&self) -> Counters {
        let mut total = Counters::default();
        for launch in &self.launches {
            total += &launch.counters;
        }
        total
    }

    /// Floating-point operations, two of each product of the tensor cores among them.
    pub fn flops(&self) -> f64 {
        let total = self.total();
        total.flops.values().chain(total.tensor_flops().values()).sum::<u64>() as f64
    }

    /// What ptxas made of the kernels that were launched, on each architecture that the library was built for: a row for
    /// each kernel and shape of block.
    pub fn compiled(&self) -> Vec<Compiled> {
        let mut compiled: Vec<Compiled> = Vec::new();
        for launch in &self.launches {
            for resources in RESOURCES.iter().filter(|resources| resources.kernel == launch.kernel) {
                let block = Block {
                    threads: launch.block.iter().product(),
                    registers: resources.registers,
                    shared_bytes: resources.shared_bytes + launch.dynamic_shared_bytes,
                };
                let row = Compiled {
                    kernel: resources.kernel,
                    architecture: resources.architecture,
                    registers: resources.registers,
                    spill_bytes: resources.spill_store_bytes + resources.spill_load_bytes,
                    shared_bytes: block.shared_bytes,
                    occupancy: cards::architecture(resources.architecture).map(|has| Occupancy::of(block, has)),
                };
                if !compiled.contains(&row) {
                    compiled.push(row);
                }
            }
        }
        compiled
    }

    /// A report that `oblate report --json` wrote.
    ///
    /// # Errors
    /// `Read` when the file cannot be read; `NotAReport` when it does not hold one report.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
        serde_json::from_slice(&bytes).map_err(|error| Error::NotAReport { path: path.into(), what: error.to_string() })
    }
}

/// The call that a set describes: sizes and dtype make the tensors, the rest are parameters.
fn call(card: &'static Card, set: &BTreeMap<&str, &str>) -> Result<Call> {
    let wrong = |parameter: &'static str, came: &str, expected: String| -> Error {
        oblate::Error::Parameter { operation: card.name, parameter, came: came.to_owned(), expected }.into()
    };
    let mut sizes = BTreeMap::new();
    let mut dtype = safetensors::Dtype::F32;
    let mut parameters = Vec::new();
    for (&name, &text) in set {
        if let Some(size) = card.sizes.iter().find(|size| size.word == name) {
            let range = size.least..=size.most;
            let value = text.parse().ok().filter(|value| range.contains(value));
            let expected = || format!("an integer from {} to {}", size.least, size.most);
            sizes.insert(size.word, value.ok_or_else(|| wrong(size.word, text, expected()))?);
        } else if name == "dtype" {
            dtype = float_named(text).ok_or_else(|| wrong("dtype", text, "f32, f16 or bf16".to_owned()))?;
        } else {
            parameters.push((name, text));
        }
    }
    card.parameters(parameters.iter().copied())?;
    Call::new(card, parameters, cases::tensors(card.name, &sizes, dtype))
}
