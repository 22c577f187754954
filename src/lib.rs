//! Hand-written CUDA kernels for the parts of training where a good algorithm is lost for want of a kernel, with a thin
//! Rust API.
//!
//! A *handle* is made once for its shape and run many times. A run launches on the caller's stream, allocates no device
//! memory and does not wait; `launch`, under it, takes plain device pointers and can be captured in a CUDA graph.
//!
//! ```
//! use oblate::cudarc::driver::CudaContext;
//! use oblate::spherical::{Dense, DenseConfig, DenseOutputs, DenseTensors, Loss};
//! use oblate::{Device, View, ViewMut, Workspace};
//!
//! # oblate_softgpu::install()?; // where there is no card, a driver in software
//! let (rows, classes) = (2, 3);
//! let stream = CudaContext::new(0)?.default_stream();
//! let logits = stream.clone_htod(&[1.0_f32, 2.0, 4.0, 0.5, -1.0, 0.0])?;
//! let targets = stream.clone_htod(&[2_i64, 1])?;
//! let mut loss = stream.alloc_zeros::<f32>(rows)?;
//! let mut grad_logits = stream.alloc_zeros::<f32>(rows * classes)?;
//!
//! let device = Device::new(0)?;
//! let config = DenseConfig { rows, classes, loss: Loss::Z { a: 1.0, b: 0.0 }, ..DenseConfig::default() };
//! let dense = Dense::new(&device, config)?;
//! let mut workspace = Workspace::new(&device, dense.workspace_bytes())?;
//! let tensors = DenseTensors::new(View::new(&logits, [rows, classes]), View::new(&targets, [rows]));
//! let outputs = DenseOutputs {
//!     loss: ViewMut::new(&mut loss, [rows]),
//!     grad_logits: Some(ViewMut::new(&mut grad_logits, [rows, classes])),
//! };
//! dense.run(&stream, tensors, outputs, &mut workspace)?;
//! workspace.status().check(&stream)?; // waits, and tells a target that is no class
//!
//! let loss = stream.clone_dtoh(&loss)?;
//! assert!((loss[0] - 0.233_343).abs() < 1e-5, "{loss:?}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every operation has a reference in f64 beside it, which shares no code with the kernel: what it is checked against.
//! [`operations`] has the card of each as data.

mod bindings;
mod check;
mod device;
mod dtype;
mod error;
pub mod fatbin;
mod layout;
pub mod operations;
#[cfg(test)]
mod random;
mod reduction;
pub mod spherical;
mod status;
mod tracked;
mod view;

pub use cudarc;
pub use device::{Device, DeviceInfo, DevicePtr, Status, Stream, Workspace, devices};
pub use dtype::Dtype;
pub use error::{Error, Result};
pub use reduction::Reduction;
pub use tracked::Tracked;
pub use view::{Element, View, ViewMut};
