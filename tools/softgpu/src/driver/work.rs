//! What a stream can be given to do, as data: done at once, or kept as a node of a graph.

use std::ffi::{c_uint, c_void};
use std::sync::Arc;

use super::copy::{Copy, Fill};
use super::error::{Answer, CUDA_ERROR_INVALID_VALUE};
use super::event::Event;
use super::graph::Graph;
use super::handle::Handle;
use super::late::Behind;
use super::launch::Launch;
use super::stream::host_function;
use super::types::CUhostFn;

/// A piece of work.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Kernel(Launch),
    Copy(Copy),
    Fill(Fill),
    Host(HostFunction),
    /// A graph of its own, as one node of another.
    Graph(Handle<Graph>),
    Empty,
    Wait(Arc<Event>),
    Record(Arc<Event>),
}

/// A function of the host with its argument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostFunction {
    function: unsafe extern "C" fn(*mut c_void),
    data: usize,
}

impl HostFunction {
    pub(crate) fn new(function: CUhostFn, data: *mut c_void) -> Answer<Self> {
        Ok(Self { function: function.ok_or(CUDA_ERROR_INVALID_VALUE)?, data: data.expose_provenance() })
    }

    pub(crate) fn parts(self) -> (CUhostFn, *mut c_void) {
        (Some(self.function), std::ptr::with_exposed_provenance_mut(self.data))
    }

    fn call(self) {
        let data = std::ptr::with_exposed_provenance_mut(self.data);
        // SAFETY: the caller of the exported function handed it over to be called with this argument.
        host_function(|| unsafe { (self.function)(data) });
    }
}

impl Work {
    /// The number that cuda.h gives to a node of this kind.
    pub(crate) fn node_type(&self) -> c_uint {
        match self {
            Self::Kernel(_) => 0,
            Self::Copy(_) => 1,
            Self::Fill(_) => 2,
            Self::Host(_) => 3,
            Self::Graph(_) => 4,
            Self::Empty => 5,
            Self::Wait(_) => 6,
            Self::Record(_) => 7,
        }
    }

    /// Refuses what a card refuses when it is given the work.
    pub(crate) fn check(&self) -> Answer {
        match self {
            Self::Kernel(launch) => launch.check(),
            Self::Copy(copy) => copy.check(),
            Self::Fill(fill) => fill.check(),
            Self::Graph(graph) => graph.get().map(drop),
            Self::Host(_) | Self::Empty | Self::Wait(_) | Self::Record(_) => Ok(()),
        }
    }

    /// Does it. A kernel's own failure shows in the calls that follow.
    pub(crate) fn run(&self) -> Answer {
        match self {
            Self::Kernel(launch) => launch.run(),
            Self::Copy(copy) => copy.run(),
            Self::Fill(fill) => fill.run(),
            Self::Host(function) => {
                function.call();
                Ok(())
            }
            // A graph is instantiated node by node; what an event was recorded behind is done.
            Self::Graph(_) | Self::Empty | Self::Wait(_) => Ok(()),
            Self::Record(event) => {
                event.happens(Behind::default());
                Ok(())
            }
        }
    }
}
