//! Nodes: what each is, what comes before it and behind it, and its end.

use std::ffi::c_uint;
use std::sync::Arc;

use super::super::entry::initialised;
use super::super::error::{Answer, CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NOT_SUPPORTED};
use super::super::event::Event;
use super::super::handle::{Handle, Registered};
use super::super::types::{Out, list, listed};
use super::super::work::Work;
use super::{CUgraphEdgeData, Entry, Graph, Node};

impl Handle<Node> {
    /// Looks at the node in its graph.
    pub(super) fn with<T>(self, look: impl FnOnce(&mut Entry) -> Answer<T>) -> Answer<T> {
        let graph = self.get()?.graph.get()?;
        let mut nodes = graph.nodes();
        look(nodes.iter_mut().find(|entry| entry.node == self).ok_or(CUDA_ERROR_INVALID_VALUE)?)
    }
}

/// Adds a node to a graph.
///
/// # Safety
/// `after` has `count` elements.
pub(super) unsafe fn add(
    node: Out<Handle<Node>>,
    graph: Handle<Graph>,
    after: *const Handle<Node>,
    count: usize,
    work: impl FnOnce() -> Answer<Work>,
) -> Answer {
    initialised()?;
    node.check()?;
    let graph = graph.get()?;
    // SAFETY: the caller's promise.
    let after = unsafe { listed(after, count)? };
    let work = work()?;
    work.check()?;
    node.set(graph.add(work, after)?)
}

fn event_of(node: Handle<Node>, event: impl FnOnce(&Work) -> Option<Arc<Event>>) -> Answer<Handle<Event>> {
    initialised()?;
    node.with(|entry| event(&entry.work).map(|event| event.handle).ok_or(CUDA_ERROR_INVALID_VALUE))
}

fn waited(work: &Work) -> Option<Arc<Event>> {
    if let Work::Wait(event) = work { Some(Arc::clone(event)) } else { None }
}

fn recorded(work: &Work) -> Option<Arc<Event>> {
    if let Work::Record(event) = work { Some(Arc::clone(event)) } else { None }
}

/// The nodes before a node, and those behind it.
fn around(node: Handle<Node>) -> Answer<[Vec<Handle<Node>>; 2]> {
    initialised()?;
    let graph = node.get()?.graph.get()?;
    let edges = graph.edges();
    let before = edges.iter().filter(|edge| edge[1] == node).map(|edge| edge[0]).collect();
    let behind = edges.iter().filter(|edge| edge[0] == node).map(|edge| edge[1]).collect();
    Ok([before, behind])
}

fn list_with_data(
    nodes: &[Handle<Node>],
    to: *mut Handle<Node>,
    data: *mut CUgraphEdgeData,
    count: Out<usize>,
) -> Answer {
    let room = count.get()?;
    list(nodes, to, Handle::NULL, count)?;
    if data.is_null() || to.is_null() {
        return Ok(());
    }
    count.set(room)?;
    list(&vec![CUgraphEdgeData::default(); nodes.len()], data, CUgraphEdgeData::default(), count)
}

api! {
    /// Adds a node that does nothing.
    fn cuGraphAddEmptyNode(
        node: Out<Handle<Node>>,
        graph: Handle<Graph>,
        after: *const Handle<Node>,
        count: usize,
    ) {
        // SAFETY: the function's safety section.
        unsafe { add(node, graph, after, count, || Ok(Work::Empty)) }
    }

    /// Adds a node that records an event.
    fn cuGraphAddEventRecordNode(
        node: Out<Handle<Node>>,
        graph: Handle<Graph>,
        after: *const Handle<Node>,
        count: usize,
        event: Handle<Event>,
    ) {
        // SAFETY: the function's safety section.
        unsafe { add(node, graph, after, count, || Ok(Work::Record(event.get()?))) }
    }

    /// Adds a node that waits for an event.
    fn cuGraphAddEventWaitNode(
        node: Out<Handle<Node>>,
        graph: Handle<Graph>,
        after: *const Handle<Node>,
        count: usize,
        event: Handle<Event>,
    ) {
        // SAFETY: the function's safety section.
        unsafe { add(node, graph, after, count, || Ok(Work::Wait(event.get()?))) }
    }

    /// The event that a node records.
    fn cuGraphEventRecordNodeGetEvent(node: Handle<Node>, event: Out<Handle<Event>>) {
        let found = event_of(node, recorded)?;
        event.set(found)
    }

    /// Has a node record another event.
    fn cuGraphEventRecordNodeSetEvent(node: Handle<Node>, event: Handle<Event>) {
        event_of(node, recorded)?;
        let event = event.get()?;
        node.with(|entry| {
            entry.work = Work::Record(event);
            Ok(())
        })
    }

    /// The event that a node waits for.
    fn cuGraphEventWaitNodeGetEvent(node: Handle<Node>, event: Out<Handle<Event>>) {
        let found = event_of(node, waited)?;
        event.set(found)
    }

    /// Has a node wait for another event.
    fn cuGraphEventWaitNodeSetEvent(node: Handle<Node>, event: Handle<Event>) {
        event_of(node, waited)?;
        let event = event.get()?;
        node.with(|entry| {
            entry.work = Work::Wait(event);
            Ok(())
        })
    }

    /// Adds a copy of a graph as a node.
    fn cuGraphAddChildGraphNode(
        node: Out<Handle<Node>>,
        graph: Handle<Graph>,
        after: *const Handle<Node>,
        count: usize,
        child: Handle<Graph>,
    ) {
        // SAFETY: the function's safety section.
        unsafe { add(node, graph, after, count, || Ok(Work::Graph(child.get()?.copy(true)?))) }
    }

    /// The graph that a node has, which ends with it.
    fn cuGraphChildGraphNodeGetGraph(node: Handle<Node>, graph: Out<Handle<Graph>>) {
        initialised()?;
        graph.set(node.with(|entry| entry.child().ok_or(CUDA_ERROR_INVALID_VALUE))?)
    }

    /// What a node is, by its number in cuda.h.
    fn cuGraphNodeGetType(node: Handle<Node>, number: Out<c_uint>) {
        initialised()?;
        number.set(node.with(|entry| Ok(entry.work.node_type()))?)
    }

    /// The nodes before a node: how many, or as many as there is room for.
    fn cuGraphNodeGetDependencies(node: Handle<Node>, nodes: *mut Handle<Node>, count: Out<usize>) {
        list(&around(node)?[0], nodes, Handle::NULL, count)
    }

    /// As [`cuGraphNodeGetDependencies`], with what the edges say beyond the order: nothing.
    fn cuGraphNodeGetDependencies_v2(
        node: Handle<Node>,
        nodes: *mut Handle<Node>,
        data: *mut CUgraphEdgeData,
        count: Out<usize>,
    ) {
        list_with_data(&around(node)?[0], nodes, data, count)
    }

    /// The nodes behind a node: how many, or as many as there is room for.
    fn cuGraphNodeGetDependentNodes(node: Handle<Node>, nodes: *mut Handle<Node>, count: Out<usize>) {
        list(&around(node)?[1], nodes, Handle::NULL, count)
    }

    /// As [`cuGraphNodeGetDependentNodes`], with what the edges say beyond the order: nothing.
    fn cuGraphNodeGetDependentNodes_v2(
        node: Handle<Node>,
        nodes: *mut Handle<Node>,
        data: *mut CUgraphEdgeData,
        count: Out<usize>,
    ) {
        list_with_data(&around(node)?[1], nodes, data, count)
    }

    /// Takes a node out of its graph, and its edges with it.
    fn cuGraphDestroyNode(node: Handle<Node>) {
        initialised()?;
        let graph = node.get()?.graph.get()?;
        if graph.is_child {
            return Err(CUDA_ERROR_NOT_SUPPORTED);
        }
        let child = node.with(|entry| Ok(entry.child()))?;
        let mut nodes = graph.nodes();
        nodes.retain(|entry| entry.node != node);
        nodes.iter_mut().for_each(|entry| entry.after.retain(|&before| before != node));
        drop(nodes);
        Node::registry().remove(node);
        child.map_or(Ok(()), Graph::destroy)
    }
}
