//! The exported functions of the CUDA driver API, and what stands behind them.
//!
//! A function has the exact C signature of the driver's and answers with the `CUresult` that the driver documents. What a
//! program would have to be trusted with is looked at instead: a handle is a number in a registry (`handle::Registry`) and never
//! an address, so that one that was destroyed, or of another kind, is found; device addresses are looked up in the
//! context's memory. Work is done when the call returns: streams are in order because nothing is ever behind.

/// Declares exported functions. A body gives `Result<(), CUresult>`; no panic leaves it.
macro_rules! api {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// As for the driver's function of this name: a pointer is null or valid for what is read or written through it.
        #[allow(non_snake_case, reason = "the name is the driver's")]
        #[allow(clippy::too_many_arguments, reason = "the signature is the driver's")]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> $crate::driver::error::CUresult {
            $crate::driver::answer(stringify!($name), || $body)
        }
    )*};
}

mod attributes;
mod capture;
mod context;
mod copy;
mod device;
mod entry;
mod error;
mod event;
#[macro_use]
mod exports;
mod function;
mod graph;
mod handle;
mod host_memory;
mod launch;
mod library;
mod memory;
mod module;
mod occupancy;
mod pitched;
mod stream;
mod transfer;
mod types;
mod work;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use capture::*;
pub use context::*;
pub use device::*;
pub use entry::*;
pub use error::*;
pub use event::*;
pub use function::*;
pub use graph::*;
pub use handle::Handle;
pub use host_memory::*;
pub use launch::*;
pub use library::*;
pub use memory::*;
pub use module::*;
pub use occupancy::*;
pub use pitched::*;
pub use stream::*;
pub use transfer::*;
pub use types::*;

/// Runs the body of an exported function.
fn answer(name: &str, body: impl FnOnce() -> Answer) -> CUresult {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => CUDA_SUCCESS,
        Ok(Err(error)) => error,
        Err(_) => {
            // The panic's own text is on stderr already.
            eprintln!("softgpu: {name} panicked: this is a defect of the software device");
            CUDA_ERROR_UNKNOWN
        }
    }
}

macro_rules! table {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name as *const ())),*] };
}

/// Name and address of each exported function.
pub(crate) fn exported() -> &'static [(&'static str, *const ())] {
    const TABLE: &[(&str, *const ())] = exports!(table);
    TABLE
}
