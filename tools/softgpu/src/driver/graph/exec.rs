//! Graphs that can be launched: their nodes in an order that the edges allow, with what each does.

use std::ffi::c_uint;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::context::{Context, current_handle};
use super::super::copy::Copy;
use super::super::entry::initialised;
use super::super::error::{
    Answer, CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NOT_SUPPORTED, CUresult,
};
use super::super::event::Event;
use super::super::handle::{Handle, Registered, Registry};
use super::super::pitched::CUDA_MEMCPY3D;
use super::super::stream::Stream;
use super::super::types::Out;
use super::super::work::{HostFunction, Work};
use super::super::{Call, this_call};
use super::params::{copy_work, given};
use super::{CUDA_HOST_NODE_PARAMS, CUDA_KERNEL_NODE_PARAMS, CUDA_MEMSET_NODE_PARAMS, Graph, Node};

/// What `CUgraphExec` stands for.
#[derive(Debug)]
pub struct GraphExec {
    steps: Mutex<Vec<Step>>,
    flags: u64,
    /// The one that was current, or null.
    context: Handle<Context>,
    made_by: Call,
}

impl Registered for GraphExec {
    const INVALID: CUresult = CUDA_ERROR_INVALID_VALUE;

    fn registry() -> &'static Registry<Self> {
        static REGISTRY: Registry<GraphExec> = Registry::new();
        &REGISTRY
    }
}

/// A node, with the graphs that are nodes laid open.
#[derive(Clone, Debug)]
struct Step {
    /// Of the graph that was instantiated: by it the step is known.
    node: Handle<Node>,
    work: Work,
    /// The steps before it, by their places.
    after: Vec<usize>,
    enabled: bool,
}

const AUTO_FREE_ON_LAUNCH: u64 = 1;
const UPLOAD: u64 = 2;
const DEVICE_LAUNCH: u64 = 4;
const USE_NODE_PRIORITY: u64 = 8;

/// Why a graph cannot be instantiated, as `CUgraphInstantiateResult` counts.
const SUCCESS: c_uint = 0;
const FAILED: c_uint = 1;
const INVALID_STRUCTURE: c_uint = 2;
const OPERATION_NOT_SUPPORTED: c_uint = 3;

impl GraphExec {
    fn steps(&self) -> MutexGuard<'_, Vec<Step>> {
        // Nothing in its updates panics.
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create(graph: &Graph, flags: u64) -> Result<Handle<Self>, (CUresult, c_uint)> {
        if flags & !(AUTO_FREE_ON_LAUNCH | UPLOAD | DEVICE_LAUNCH | USE_NODE_PRIORITY) != 0 {
            return Err((CUDA_ERROR_INVALID_VALUE, FAILED));
        }
        if flags & DEVICE_LAUNCH != 0 {
            return Err((CUDA_ERROR_NOT_SUPPORTED, OPERATION_NOT_SUPPORTED));
        }
        let mut steps = Vec::new();
        flatten(graph, &[], &mut steps).map_err(|error| (error, INVALID_STRUCTURE))?;
        Ok(Self::registry().insert(|_| Self {
            steps: Mutex::new(steps),
            flags,
            context: current_handle(),
            made_by: this_call(),
        }))
    }

    /// Replaces what a node's step does, by work of the same kind.
    fn replace(&self, node: Handle<Node>, work: impl FnOnce(&Work) -> Answer<Work>) -> Answer {
        let mut steps = self.steps();
        let step = steps.iter_mut().find(|step| step.node == node).ok_or(CUDA_ERROR_INVALID_VALUE)?;
        let work = work(&step.work)?;
        work.check()?;
        if change(&step.work, &work) != update::SUCCESS {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        step.work = work;
        Ok(())
    }

    /// A graph that does what the steps do, as a node of another.
    pub(crate) fn as_graph(&self) -> Answer<Handle<Graph>> {
        let graph = Graph::with(Vec::new(), true);
        let to = graph.get()?;
        let mut nodes = Vec::new();
        for step in self.steps().iter() {
            let after: Vec<_> = step.after.iter().map(|&before| nodes[before]).collect();
            let work = if step.enabled { step.work.clone() } else { Work::Empty };
            nodes.push(to.add(work, &after)?);
        }
        Ok(graph)
    }

    /// Runs every step, as a stream would one after the other; the first failure ends it.
    pub(crate) fn run(&self, stream: &Stream, context: &Context) -> Answer {
        let steps = self.steps().clone();
        steps.iter().filter(|step| step.enabled).try_for_each(|step| stream.perform(context, &step.work))
    }

    /// The call that made it, where that was in this context.
    pub(crate) fn leaked(&self, context: Handle<Context>) -> Option<Call> {
        (self.context == context).then_some(self.made_by)
    }
}

/// Lays a graph's nodes out behind the steps `after`; gives the last ones.
fn flatten(graph: &Graph, after: &[usize], steps: &mut Vec<Step>) -> Answer<Vec<usize>> {
    let entries = graph.in_order().ok_or(CUDA_ERROR_INVALID_VALUE)?;
    // Of each node, the steps that whoever comes behind it waits for.
    let mut ends: Vec<(Handle<Node>, Vec<usize>)> = Vec::new();
    for entry in &entries {
        let mut before = if entry.after.is_empty() { after.to_vec() } else { Vec::new() };
        for wanted in &entry.after {
            before.extend(ends.iter().filter(|(node, _)| node == wanted).flat_map(|(_, ends)| ends));
        }
        let last = match &entry.work {
            Work::Graph(child) => flatten(&*child.get()?, &before, steps)?,
            work => {
                steps.push(Step { node: entry.node, work: work.clone(), after: before, enabled: true });
                vec![steps.len() - 1]
            }
        };
        ends.push((entry.node, last));
    }
    let is_last = |node: Handle<Node>| !entries.iter().any(|entry| entry.after.contains(&node));
    let last: Vec<usize> = ends.into_iter().filter(|(node, _)| is_last(*node)).flat_map(|(_, ends)| ends).collect();
    Ok(if entries.is_empty() { after.to_vec() } else { last })
}

/// `CUgraphExecUpdateResult`.
mod update {
    use std::ffi::c_uint;

    pub(super) const SUCCESS: c_uint = 0;
    pub(super) const ERROR: c_uint = 1;
    pub(super) const TOPOLOGY_CHANGED: c_uint = 2;
    pub(super) const NODE_TYPE_CHANGED: c_uint = 3;
    pub(super) const PARAMETERS_CHANGED: c_uint = 5;
    pub(super) const UNSUPPORTED_FUNCTION_CHANGE: c_uint = 7;
    pub(super) const ATTRIBUTES_CHANGED: c_uint = 8;
}

/// Whether a step may come to do something else, as `CUgraphExecUpdateResult`: a kernel stays in its context and as
/// cooperative as it was; a copy goes between the same kinds of memory, a fill stays in its context.
fn change(from: &Work, to: &Work) -> c_uint {
    match (from, to) {
        (Work::Kernel(from), Work::Kernel(to)) => {
            if from.function.module.context != to.function.module.context {
                update::UNSUPPORTED_FUNCTION_CHANGE
            } else if from.configuration.cooperative != to.configuration.cooperative {
                update::ATTRIBUTES_CHANGED
            } else {
                update::SUCCESS
            }
        }
        (Work::Copy(from), Work::Copy(to)) => {
            let kinds = |copy: &Copy| [copy.to.end.is_device(), copy.from.end.is_device()];
            if kinds(from) == kinds(to) { update::SUCCESS } else { update::PARAMETERS_CHANGED }
        }
        (Work::Fill(from), Work::Fill(to)) if from.context != to.context => update::PARAMETERS_CHANGED,
        (from, to) if from.node_type() != to.node_type() => update::NODE_TYPE_CHANGED,
        _ => update::SUCCESS,
    }
}

/// What came of an update.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CUgraphExecUpdateResultInfo {
    /// `CUgraphExecUpdateResult`.
    pub result: c_uint,
    padding: c_uint,
    /// The node of the new graph that does not fit.
    pub node: Handle<Node>,
    /// The node before it, where an edge does not fit.
    pub from: Handle<Node>,
}

/// How to instantiate, and what came of it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CUDA_GRAPH_INSTANTIATE_PARAMS {
    /// As of cuGraphInstantiateWithFlags.
    pub flags: u64,
    /// Where to upload, when the flags say so.
    pub upload: Handle<Stream>,
    /// The node that is to blame.
    pub node: Handle<Node>,
    /// `CUgraphInstantiateResult`.
    pub result: c_uint,
    padding: c_uint,
}

fn compare(steps: &[Step], new: &[Step]) -> (c_uint, Handle<Node>) {
    for (step, new) in steps.iter().zip(new) {
        if step.work.node_type() != new.work.node_type() {
            return (update::NODE_TYPE_CHANGED, new.node);
        }
        if step.after != new.after {
            return (update::TOPOLOGY_CHANGED, new.node);
        }
        let result = change(&step.work, &new.work);
        if result != update::SUCCESS {
            return (result, new.node);
        }
    }
    (if steps.len() == new.len() { update::SUCCESS } else { update::TOPOLOGY_CHANGED }, Handle::NULL)
}

fn instantiate(exec: Out<Handle<GraphExec>>, graph: Handle<Graph>, flags: u64) -> Answer {
    initialised()?;
    exec.check()?;
    let made = GraphExec::create(&*graph.get()?, flags).map_err(|(error, _)| error)?;
    exec.set(made)
}

api! {
    /// Makes a graph ready to be launched; what becomes of the graph later does not touch it.
    fn cuGraphInstantiateWithFlags(exec: Out<Handle<GraphExec>>, graph: Handle<Graph>, flags: u64) {
        instantiate(exec, graph, flags)
    }

    /// As [`cuGraphInstantiateWithFlags`]; says what does not fit.
    fn cuGraphInstantiateWithParams(
        exec: Out<Handle<GraphExec>>,
        graph: Handle<Graph>,
        params: *mut CUDA_GRAPH_INSTANTIATE_PARAMS,
    ) {
        initialised()?;
        exec.check()?;
        // SAFETY: null, or the caller's struct, as the function's safety section demands.
        let params = unsafe { params.as_mut() }.ok_or(CUDA_ERROR_INVALID_VALUE)?;
        params.node = Handle::NULL;
        match GraphExec::create(&*graph.get()?, params.flags) {
            Ok(made) => {
                params.result = SUCCESS;
                exec.set(made)
            }
            Err((error, result)) => {
                params.result = result;
                Err(error)
            }
        }
    }

    /// The flags that it was instantiated with.
    fn cuGraphExecGetFlags(exec: Handle<GraphExec>, flags: Out<u64>) {
        initialised()?;
        flags.set(exec.get()?.flags)
    }

    /// Ends it; the graph stays.
    fn cuGraphExecDestroy(exec: Handle<GraphExec>) {
        initialised()?;
        GraphExec::registry().remove(exec).map(drop).ok_or(CUDA_ERROR_INVALID_VALUE)
    }

    /// Brings a graph to the device: it is there.
    fn cuGraphUpload(exec: Handle<GraphExec>, stream: Handle<Stream>) {
        initialised()?;
        exec.get()?;
        stream.work_context().map(drop)
    }

    /// Runs a graph in a stream.
    fn cuGraphLaunch(exec: Handle<GraphExec>, stream: Handle<Stream>) {
        initialised()?;
        let exec = exec.get()?;
        stream.launch(&exec)
    }

    /// Has a node's step launch something else.
    fn cuGraphExecKernelNodeSetParams_v2(
        exec: Handle<GraphExec>,
        node: Handle<Node>,
        params: *const CUDA_KERNEL_NODE_PARAMS,
    ) {
        initialised()?;
        exec.get()?.replace(node, |work| {
            let Work::Kernel(launch) = work else { return Err(CUDA_ERROR_INVALID_VALUE) };
            // SAFETY: the function's safety section.
            unsafe { given(params)?.work(launch.configuration.cooperative) }
        })
    }

    /// Has a node's step copy something else, between the same kinds of memory.
    fn cuGraphExecMemcpyNodeSetParams(
        exec: Handle<GraphExec>,
        node: Handle<Node>,
        params: *const CUDA_MEMCPY3D,
        context: Handle<Context>,
    ) {
        initialised()?;
        // SAFETY: the function's safety section.
        exec.get()?.replace(node, |_| copy_work(unsafe { given(params)? }, context))
    }

    /// Has a node's step fill something else.
    fn cuGraphExecMemsetNodeSetParams(
        exec: Handle<GraphExec>,
        node: Handle<Node>,
        params: *const CUDA_MEMSET_NODE_PARAMS,
        context: Handle<Context>,
    ) {
        initialised()?;
        // SAFETY: the function's safety section.
        exec.get()?.replace(node, |_| unsafe { given(params)? }.work(context))
    }

    /// Has a node's step call something else.
    fn cuGraphExecHostNodeSetParams(
        exec: Handle<GraphExec>,
        node: Handle<Node>,
        params: *const CUDA_HOST_NODE_PARAMS,
    ) {
        initialised()?;
        exec.get()?.replace(node, |_| {
            // SAFETY: the function's safety section.
            let params = unsafe { given(params)? };
            Ok(Work::Host(HostFunction::new(params.function, params.data)?))
        })
    }

    /// Has a node's step record another event.
    fn cuGraphExecEventRecordNodeSetEvent(exec: Handle<GraphExec>, node: Handle<Node>, event: Handle<Event>) {
        initialised()?;
        exec.get()?.replace(node, |_| Ok(Work::Record(event.get()?)))
    }

    /// Has a node's step wait for another event.
    fn cuGraphExecEventWaitNodeSetEvent(exec: Handle<GraphExec>, node: Handle<Node>, event: Handle<Event>) {
        initialised()?;
        exec.get()?.replace(node, |_| Ok(Work::Wait(event.get()?)))
    }

    /// Leaves a step out, or takes it in again: a kernel, a copy or a fill.
    fn cuGraphNodeSetEnabled(exec: Handle<GraphExec>, node: Handle<Node>, enabled: c_uint) {
        initialised()?;
        let exec = exec.get()?;
        let mut steps = exec.steps();
        let step = steps.iter_mut().find(|step| step.node == node).ok_or(CUDA_ERROR_INVALID_VALUE)?;
        if !matches!(step.work, Work::Kernel(_) | Work::Copy(_) | Work::Fill(_)) {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        step.enabled = enabled != 0;
        Ok(())
    }

    /// Whether a step is not left out.
    fn cuGraphNodeGetEnabled(exec: Handle<GraphExec>, node: Handle<Node>, enabled: Out<c_uint>) {
        initialised()?;
        let exec = exec.get()?;
        let steps = exec.steps();
        let step = steps.iter().find(|step| step.node == node).ok_or(CUDA_ERROR_INVALID_VALUE)?;
        enabled.set(c_uint::from(step.enabled))
    }

    /// Takes over what the nodes of a graph of the same shape do, or nothing at all.
    fn cuGraphExecUpdate_v2(exec: Handle<GraphExec>, graph: Handle<Graph>, info: *mut CUgraphExecUpdateResultInfo) {
        initialised()?;
        let (exec, graph) = (exec.get()?, graph.get()?);
        let mut new = Vec::new();
        let outcome = flatten(&graph, &[], &mut new);
        let mut steps = exec.steps();
        let (result, node) = match outcome {
            Ok(_) => compare(&steps, &new),
            Err(_) => (update::ERROR, Handle::NULL),
        };
        // SAFETY: null, or a place for the answer, as the function's safety section demands.
        if let Some(info) = unsafe { info.as_mut() } {
            (info.result, info.node, info.from) = (result, node, Handle::NULL);
        }
        if result != update::SUCCESS {
            return Err(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
        }
        for (step, new) in steps.iter_mut().zip(new) {
            step.work = new.work;
        }
        Ok(())
    }
}
