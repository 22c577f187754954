//! Faults in a context, on request, see [`crate::Faults`].

use std::sync::atomic::{AtomicU64, Ordering};

use super::context::Context;
use super::error::{Answer, CUDA_ERROR_LAUNCH_FAILED, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, CUDA_ERROR_OUT_OF_MEMORY};
use super::this_call;

/// What has been counted towards the faults of a context.
#[derive(Debug, Default)]
pub(crate) struct Injected {
    allocations: AtomicU64,
    launches: AtomicU64,
    calls: AtomicU64,
    /// The call that was counted last, with its thread: a function may ask for the context's state more than once.
    last_call: AtomicU64,
}

impl Context {
    /// Counts an allocation of so many bytes of device memory.
    pub(crate) fn allocation_may_fail(&self, bytes: u64) -> Answer {
        let faults = &self.settings.faults;
        let number = 1 + self.faults.allocations.fetch_add(1, Ordering::Relaxed);
        let is_beyond = |most: u64| {
            let (free, total) = self.memory.info();
            (total - free).saturating_add(bytes) > most
        };
        let fails = faults.allocation == Some(number) || faults.memory_bytes.is_some_and(is_beyond);
        if fails { Err(CUDA_ERROR_OUT_OF_MEMORY) } else { Ok(()) }
    }

    /// Counts a launch.
    pub(crate) fn launch_may_fail(&self) -> Answer {
        let number = 1 + self.faults.launches.fetch_add(1, Ordering::Relaxed);
        let fails = self.settings.faults.launch == Some(number);
        if fails { Err(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES) } else { Ok(()) }
    }

    /// Counts a call that a failure would have fail.
    pub(crate) fn call_may_fail(&self) {
        let Some(which) = self.settings.faults.sticky else { return };
        let call = this_call().serial;
        if self.faults.last_call.swap(call, Ordering::Relaxed) == call {
            return;
        }
        if self.faults.calls.fetch_add(1, Ordering::Relaxed) + 1 == which {
            self.fail(CUDA_ERROR_LAUNCH_FAILED);
        }
    }
}
