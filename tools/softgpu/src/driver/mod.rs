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
pub(crate) mod cards;
mod context;
mod copy;
mod device;
mod entry;
mod error;
mod event;
#[macro_use]
mod exports;
mod fault;
mod function;
mod graph;
mod handle;
mod host_memory;
mod late;
mod launch;
mod leaks;
mod library;
mod memory;
mod module;
mod occupancy;
mod peer;
mod pitched;
mod pool;
mod profiler;
mod stream;
mod transfer;
mod types;
mod work;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

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
pub use peer::*;
pub use pitched::*;
pub use pool::*;
pub use profiler::*;
pub use stream::*;
pub use transfer::*;
pub use types::*;

/// A call of an exported function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    /// Counts the thread's calls from 1.
    pub(crate) number: u64,
    /// No other call of the process has it.
    serial: u64,
}

thread_local! {
    static CALL: Cell<Call> = Cell::new(Call { name: "", number: 0, serial: first_serial() });
}

/// Far enough from every other thread's.
fn first_serial() -> u64 {
    static THREADS: AtomicU64 = AtomicU64::new(1);
    THREADS.fetch_add(1, Ordering::Relaxed) << 40
}

/// The call that is under way.
pub(crate) fn this_call() -> Call {
    CALL.get()
}

/// Runs the body of an exported function.
fn answer(name: &'static str, body: impl FnOnce() -> Answer) -> CUresult {
    let Call { number, serial, .. } = CALL.get();
    CALL.set(Call { name, number: number + 1, serial: serial + 1 });
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
