//! A CUDA driver in software: it runs the PTX that nvcc emits on the CPU, warp by warp, checks every access and counts
//! what the kernel does. It is an instrument: it says whether a kernel is right, where it is wrong, and what it moves.
//!
//! [`install`] puts it in the place of libcuda, for cudarc and whatever else opens that at run time, unless the machine
//! has a GPU. [`record`] gives the findings and the counters of the launches within a closure; without a recorder, findings
//! go to standard error. For programs that are not written in Rust there is the crate `oblate-softgpu-cuda`.
//!
//! ```
//! use cudarc::driver::{CudaContext, LaunchConfig, PushKernelArg};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! oblate_softgpu::install_as(oblate_softgpu::Choice::Software)?;
//! let stream = CudaContext::new(0)?.default_stream();
//! let ptx = ".version 8.0
//! .target sm_80
//! .address_size 64
//! .visible .entry store(.param .u64 to) {
//!   .reg .b64 %rd<2>;
//!   .reg .b32 %r<2>;
//!   ld.param.u64 %rd1, [to];
//!   mov.u32 %r1, %tid.x;
//!   st.global.u32 [%rd1], %r1;
//!   ret;
//! }";
//! let store = stream.context().load_module(cudarc::nvrtc::Ptx::from_src(ptx))?.load_function("store")?;
//! let mut x = stream.alloc_zeros::<u32>(1)?;
//! let config = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (1, 1, 1), shared_mem_bytes: 0 };
//! let (launched, record) = oblate_softgpu::record(|| {
//!     // SAFETY: the kernel stores one word at its argument.
//!     unsafe { stream.launch_builder(&store).arg(&mut x).launch(config) }.map(drop)
//! });
//! launched?;
//! assert!(record.findings.is_empty());
//! assert_eq!(record.launches[0].counters.global_stores.requests, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What it does not model
//!
//! - Time. Nothing here says how long a card would take; cuEventElapsedTime gives the host's time.
//! - ptxas: the PTX runs as it is, before instructions are merged, reordered or dropped. Counts are of PTX.
//! - Caches, and weak memory beyond what the checks find. Races are looked for between lanes of a warp on shared memory, and
//!   between warps on global memory; of a launch with more than 2^26 blocks not at all.
//! - Asynchrony: a call's work is done when it returns, so that a missing wait does not show, but on request ([`Faults`]).
//!   A launch that fails is accepted all the same, and the calls that follow in its context have its error, as on a card.
//! - One address space for all contexts: devices share one, but two contexts of a device each have their own, and a pointer
//!   of one means nothing in the other.
//! - Memory nodes and conditional nodes of graphs, waits for a value in memory, virtual memory management, arrays, textures,
//!   dynamic parallelism, clusters. The functions for them are absent: to look one up fails, as with an older driver.
//!   [`driver`] lists those that are there. The runtime API reaches the driver through private tables, which are absent too.
//!
//! # Environment
//!
//! | variable | |
//! | --- | --- |
//! | `OBLATE_DEVICE` | `auto` (a GPU where there is one), `gpu`, `software` |
//! | `SOFTGPU_CC` | compute capability: 8.0 (default), 8.6, 8.9, 9.0 |
//! | `SOFTGPU_CARD` | a card whose limits hold: a100, a10, rtx3090, l4, rtx4090, h100, h200 |
//! | `SOFTGPU_DEVICES` | how many devices there are, 1 to 16 |
//! | `SOFTGPU_FAULTS` | what goes wrong, see [`Faults`] |
//! | `SOFTGPU_MEMORY` | bytes of device memory of a context, 16G by default |
//! | `SOFTGPU_WORKERS` | threads that run a launch's blocks, one per core by default |
//! | `SOFTGPU_WATCHDOG` | warp instructions after which a block is taken not to end |
//! | `SOFTGPU_APPROX` | what approximate functions give within the bounds of the ISA: `nearest` (default), `low`, `high`, `seeded` or `seeded:N` |
//! | `SOFTGPU_CONTRACT` | 1: a multiplication and an addition become one multiply-add where the ISA allows it; 0 by default |
//! | `SOFTGPU_MMA` | how tensor cores sum, which the ISA leaves open: `card` (default: in truncated blocks, as the card of the compute capability), `exact` (in f64, rounded once), `fma` (a chain in f32: the fastest) |
//! | `SOFTGPU_CHECKS` | races to look for: `races` (default) on shared and on global memory, `all` with those of two stores of the same bits, `none` |
//! | `SOFTGPU_SEED` | a number by which blocks, warps and lanes are shuffled; in turn without it |
//! | `SOFTGPU_HIDE` | functions to leave out of libcuda, with commas between them |

#![allow(
    clippy::cast_lossless,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_ptr_alignment,
    clippy::cast_sign_loss,
    reason = "registers and memory are bits, read at every width and sign; windows of the register file are aligned"
)]

mod cores;
mod coverage;
mod cubin;
pub mod driver;
mod execute;
mod fatbin;
mod faults;
pub mod inspect;
mod install;
mod isa;
mod memory;
mod numerics;
mod program;
mod ptx;
mod races;
mod record;
mod rewrite;
mod schedules;
mod settings;

pub use coverage::coverage;
pub use faults::{Faults, FaultsError, Late};
pub use install::{Choice, InstallError, Running, install, install_as};
pub use numerics::approximate::Approximation;
pub use numerics::sums::MatrixSums;
pub use record::{LaunchRecord, Record, record};
pub use rewrite::rewrite_ptx;
pub use schedules::schedules;
pub use settings::{Checks, Settings, SettingsError};
