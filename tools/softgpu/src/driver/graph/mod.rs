//! Graphs: work as nodes, and which node comes before which.

mod exec;
mod node;
mod params;

use std::collections::BTreeMap;
use std::ffi::{c_uint, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use exec::*;
pub use node::*;
pub use params::*;

use super::context::{Context, current_handle};
use super::entry::initialised;
use super::error::{Answer, CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NOT_SUPPORTED, CUresult};
use super::handle::{Handle, Registered, Registry};
use super::types::{Out, list, listed};
use super::work::Work;
use super::{Call, this_call};

/// What `CUgraph` stands for.
#[derive(Debug)]
pub struct Graph {
    handle: Handle<Graph>,
    /// In the order in which they were added.
    nodes: Mutex<Vec<Entry>>,
    /// Of a graph that is a node of another: it ends with that.
    is_child: bool,
    /// The one that was current, or null.
    context: Handle<Context>,
    made_by: Call,
}

impl Registered for Graph {
    // What the driver documents for every function of graphs.
    const INVALID: CUresult = CUDA_ERROR_INVALID_VALUE;

    fn registry() -> &'static Registry<Self> {
        static REGISTRY: Registry<Graph> = Registry::new();
        &REGISTRY
    }
}

/// What `CUgraphNode` stands for: a name within a graph.
#[derive(Debug)]
pub struct Node {
    graph: Handle<Graph>,
}

impl Registered for Node {
    const INVALID: CUresult = CUDA_ERROR_INVALID_VALUE;

    fn registry() -> &'static Registry<Self> {
        static REGISTRY: Registry<Node> = Registry::new();
        &REGISTRY
    }
}

impl Handle<Node> {
    /// Whether the node is one of the graph's.
    pub(crate) fn is_of(self, graph: Handle<Graph>) -> bool {
        self.get().is_ok_and(|node| node.graph == graph)
    }
}

/// A node in its graph.
#[derive(Clone, Debug)]
struct Entry {
    node: Handle<Node>,
    work: Work,
    /// The nodes before it.
    after: Vec<Handle<Node>>,
    /// Addresses of a kernel's arguments, for who asks for its parameters.
    arguments: Vec<usize>,
}

impl Graph {
    pub(crate) fn create() -> Handle<Self> {
        Self::with(Vec::new(), false)
    }

    fn with(nodes: Vec<Entry>, is_child: bool) -> Handle<Self> {
        let (context, made_by) = (current_handle(), this_call());
        Self::registry().insert(|handle| Self { handle, nodes: Mutex::new(nodes), is_child, context, made_by })
    }

    /// The call that made it, where that was in this context and nothing else ends it.
    pub(crate) fn leaked(&self, context: Handle<Context>) -> Option<Call> {
        (self.context == context && !self.is_child).then_some(self.made_by)
    }

    fn nodes(&self) -> MutexGuard<'_, Vec<Entry>> {
        // Nothing in its updates panics.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a node behind others of this graph, each named once.
    pub(crate) fn add(&self, work: Work, after: &[Handle<Node>]) -> Answer<Handle<Node>> {
        let mut nodes = self.nodes();
        let known = |node: &Handle<Node>| nodes.iter().any(|entry| entry.node == *node);
        if !after.iter().all(known) || has_twins(after) {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        let node = Node::registry().insert(|_| Node { graph: self.handle });
        nodes.push(Entry { node, work, after: after.to_vec(), arguments: Vec::new() });
        Ok(node)
    }

    /// Whether every one of `nodes` is one of `ends` or comes before it.
    pub(crate) fn all_before(&self, nodes: &[Handle<Node>], ends: &[Handle<Node>]) -> bool {
        let entries = self.nodes();
        let mut reached = ends.to_vec();
        let mut at = 0;
        while let Some(&node) = reached.get(at) {
            let entry = entries.iter().find(|entry| entry.node == node);
            for before in entry.into_iter().flat_map(|entry| &entry.after) {
                if !reached.contains(before) {
                    reached.push(*before);
                }
            }
            at += 1;
        }
        nodes.iter().all(|node| reached.contains(node))
    }

    /// The nodes, each behind those that come before it, and otherwise in the order in which they were added; `None` for
    /// a circle.
    fn in_order(&self) -> Option<Vec<Entry>> {
        let nodes = self.nodes();
        let place: BTreeMap<usize, usize> = nodes.iter().enumerate().map(|(i, entry)| (entry.node.0, i)).collect();
        let mut missing: Vec<usize> = nodes.iter().map(|entry| entry.after.len()).collect();
        let mut behind = vec![Vec::new(); nodes.len()];
        for (i, entry) in nodes.iter().enumerate() {
            entry.after.iter().for_each(|before| behind[place[&before.0]].push(i));
        }
        let mut ready: std::collections::BTreeSet<usize> = (0..nodes.len()).filter(|&i| missing[i] == 0).collect();
        let mut order = Vec::with_capacity(nodes.len());
        while let Some(i) = ready.pop_first() {
            order.push(nodes[i].clone());
            for &next in &behind[i] {
                missing[next] -= 1;
                if missing[next] == 0 {
                    ready.insert(next);
                }
            }
        }
        (order.len() == nodes.len()).then_some(order)
    }

    /// A copy with nodes of its own.
    fn copy(&self, is_child: bool) -> Answer<Handle<Self>> {
        let copy = Self::with(Vec::new(), is_child);
        let mut stands_for = BTreeMap::new();
        let mut entries = self.nodes().clone();
        for entry in &mut entries {
            let node = Node::registry().insert(|_| Node { graph: copy });
            stands_for.insert(entry.node.0, node);
            entry.node = node;
            entry.arguments = Vec::new();
            if let Work::Graph(child) = &mut entry.work {
                *child = child.get()?.copy(true)?;
            }
        }
        for entry in &mut entries {
            entry.after.iter_mut().for_each(|before| *before = stands_for[&before.0]);
        }
        *copy.get()?.nodes() = entries;
        Ok(copy)
    }

    /// Ends a graph with its nodes, and the graphs that are nodes of it.
    pub(crate) fn destroy(handle: Handle<Self>) -> Answer {
        let graph = Self::registry().remove(handle).ok_or(CUDA_ERROR_INVALID_VALUE)?;
        Node::registry().remove_all(|node| node.graph == handle);
        let children: Vec<_> = graph.nodes().iter().filter_map(Entry::child).collect();
        children.into_iter().try_for_each(Self::destroy)
    }

    /// All pairs of a node and one behind it.
    fn edges(&self) -> Vec<[Handle<Node>; 2]> {
        let pairs = |entry: &Entry| entry.after.iter().map(|&from| [from, entry.node]).collect::<Vec<_>>();
        self.nodes().iter().flat_map(pairs).collect()
    }

    fn add_edges(&self, edges: &[(Handle<Node>, Handle<Node>)]) -> Answer {
        let mut nodes = self.nodes();
        let mut changed = nodes.clone();
        for &(from, to) in edges {
            let known = changed.iter().any(|entry| entry.node == from);
            let entry = changed.iter_mut().find(|entry| entry.node == to).filter(|_| known && from != to);
            let entry = entry.filter(|entry| !entry.after.contains(&from)).ok_or(CUDA_ERROR_INVALID_VALUE)?;
            entry.after.push(from);
        }
        *nodes = changed;
        Ok(())
    }

    fn remove_edges(&self, edges: &[(Handle<Node>, Handle<Node>)]) -> Answer {
        let mut nodes = self.nodes();
        let mut changed = nodes.clone();
        for &(from, to) in edges {
            let entry = changed.iter_mut().find(|entry| entry.node == to).ok_or(CUDA_ERROR_INVALID_VALUE)?;
            let at = entry.after.iter().position(|&before| before == from).ok_or(CUDA_ERROR_INVALID_VALUE)?;
            entry.after.remove(at);
        }
        *nodes = changed;
        Ok(())
    }
}

impl Entry {
    fn child(&self) -> Option<Handle<Graph>> {
        if let Work::Graph(child) = self.work { Some(child) } else { None }
    }
}

fn has_twins(nodes: &[Handle<Node>]) -> bool {
    nodes.iter().enumerate().any(|(i, node)| nodes[..i].contains(node))
}

/// What more than an order an edge says: nothing, which is all that this device has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct CUgraphEdgeData {
    /// Where the edge leaves its node.
    pub from_port: u8,
    /// Where it meets the next.
    pub to_port: u8,
    /// Of dependency.
    pub kind: u8,
    reserved: [u8; 5],
}

/// # Safety
/// `data` is null or has `count` elements.
pub(crate) unsafe fn check_edge_data(data: *const CUgraphEdgeData, count: usize) -> Answer {
    // SAFETY: the caller's promise.
    let data = if data.is_null() { &[] } else { unsafe { listed(data, count)? } };
    if data.iter().all(|&edge| edge == CUgraphEdgeData::default()) { Ok(()) } else { Err(CUDA_ERROR_NOT_SUPPORTED) }
}

/// # Safety
/// `from` and `to` have `count` elements.
unsafe fn pairs(
    from: *const Handle<Node>,
    to: *const Handle<Node>,
    count: usize,
) -> Answer<Vec<(Handle<Node>, Handle<Node>)>> {
    // SAFETY: the caller's promise.
    let (from, to) = unsafe { (listed(from, count)?, listed(to, count)?) };
    Ok(from.iter().copied().zip(to.iter().copied()).collect())
}

/// Two lists of the same length.
fn list_edges(
    edges: &[[Handle<Node>; 2]],
    from: *mut Handle<Node>,
    to: *mut Handle<Node>,
    data: *mut CUgraphEdgeData,
    count: Out<usize>,
) -> Answer {
    if from.is_null() != to.is_null() {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    let room = count.get()?;
    list(&edges.iter().map(|edge| edge[0]).collect::<Vec<_>>(), from, Handle::NULL, count)?;
    if !to.is_null() {
        count.set(room)?;
        list(&edges.iter().map(|edge| edge[1]).collect::<Vec<_>>(), to, Handle::NULL, count)?;
    }
    if !data.is_null() {
        count.set(room)?;
        list(&vec![CUgraphEdgeData::default(); edges.len()], data, CUgraphEdgeData::default(), count)?;
    }
    Ok(())
}

api! {
    /// Makes an empty graph.
    fn cuGraphCreate(graph: Out<Handle<Graph>>, flags: c_uint) {
        initialised()?;
        graph.check()?;
        if flags != 0 {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        graph.set(Graph::create())
    }

    /// Ends a graph and its nodes; what was instantiated of it stays.
    fn cuGraphDestroy(graph: Handle<Graph>) {
        initialised()?;
        if graph.get()?.is_child {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        Graph::destroy(graph)
    }

    /// A copy of a graph with nodes of its own.
    fn cuGraphClone(clone: Out<Handle<Graph>>, original: Handle<Graph>) {
        initialised()?;
        clone.check()?;
        let original = original.get()?;
        clone.set(original.copy(false)?)
    }

    /// A graph's nodes: how many, or as many as there is room for.
    fn cuGraphGetNodes(graph: Handle<Graph>, nodes: *mut Handle<Node>, count: Out<usize>) {
        initialised()?;
        let all: Vec<_> = graph.get()?.nodes().iter().map(|entry| entry.node).collect();
        list(&all, nodes, Handle::NULL, count)
    }

    /// The nodes that none comes before.
    fn cuGraphGetRootNodes(graph: Handle<Graph>, nodes: *mut Handle<Node>, count: Out<usize>) {
        initialised()?;
        let graph = graph.get()?;
        let roots: Vec<_> =
            graph.nodes().iter().filter(|entry| entry.after.is_empty()).map(|entry| entry.node).collect();
        list(&roots, nodes, Handle::NULL, count)
    }

    /// Which node comes before which.
    fn cuGraphGetEdges(graph: Handle<Graph>, from: *mut Handle<Node>, to: *mut Handle<Node>, count: Out<usize>) {
        initialised()?;
        list_edges(&graph.get()?.edges(), from, to, std::ptr::null_mut(), count)
    }

    /// As [`cuGraphGetEdges`], with what the edges say beyond the order: nothing.
    fn cuGraphGetEdges_v2(
        graph: Handle<Graph>,
        from: *mut Handle<Node>,
        to: *mut Handle<Node>,
        data: *mut CUgraphEdgeData,
        count: Out<usize>,
    ) {
        initialised()?;
        list_edges(&graph.get()?.edges(), from, to, data, count)
    }

    /// Puts nodes of a graph behind others.
    fn cuGraphAddDependencies(graph: Handle<Graph>, from: *const Handle<Node>, to: *const Handle<Node>, count: usize) {
        initialised()?;
        // SAFETY: the function's safety section.
        let edges = unsafe { pairs(from, to, count)? };
        graph.get()?.add_edges(&edges)
    }

    /// As [`cuGraphAddDependencies`]; edges that say more than an order are not supported.
    fn cuGraphAddDependencies_v2(
        graph: Handle<Graph>,
        from: *const Handle<Node>,
        to: *const Handle<Node>,
        data: *const CUgraphEdgeData,
        count: usize,
    ) {
        initialised()?;
        // SAFETY: the function's safety section.
        let edges = unsafe {
            check_edge_data(data, count)?;
            pairs(from, to, count)?
        };
        graph.get()?.add_edges(&edges)
    }

    /// Takes edges away.
    fn cuGraphRemoveDependencies(
        graph: Handle<Graph>,
        from: *const Handle<Node>,
        to: *const Handle<Node>,
        count: usize,
    ) {
        initialised()?;
        // SAFETY: the function's safety section.
        let edges = unsafe { pairs(from, to, count)? };
        graph.get()?.remove_edges(&edges)
    }

    /// As [`cuGraphRemoveDependencies`].
    fn cuGraphRemoveDependencies_v2(
        graph: Handle<Graph>,
        from: *const Handle<Node>,
        to: *const Handle<Node>,
        data: *const CUgraphEdgeData,
        count: usize,
    ) {
        initialised()?;
        // SAFETY: the function's safety section.
        let edges = unsafe {
            check_edge_data(data, count)?;
            pairs(from, to, count)?
        };
        graph.get()?.remove_edges(&edges)
    }
}

/// Where a kernel's arguments are, for `CUDA_KERNEL_NODE_PARAMS`.
fn argument_pointers(addresses: &[usize]) -> *mut *mut c_void {
    if addresses.is_empty() { std::ptr::null_mut() } else { addresses.as_ptr().cast_mut().cast() }
}
