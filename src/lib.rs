//! Hand-written CUDA kernels, with a thin Rust API.

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
