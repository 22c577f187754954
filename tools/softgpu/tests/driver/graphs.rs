//! Graphs made node by node: their structure, what they do, and what they may come to do instead.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each call is of a function with handles and places of the test's"
)]

use std::ffi::c_void;
use std::mem::zeroed;
use std::ptr::{null, null_mut};

use cudarc::driver::sys::{
    self, CUDA_HOST_NODE_PARAMS, CUDA_KERNEL_NODE_PARAMS, CUDA_MEMCPY3D, CUDA_MEMSET_NODE_PARAMS,
    CUgraphExecUpdateResult as Update, CUmemorytype::*, CUresult::*,
};

use crate::support::{Context, copy_3d, done, function, module, read, words};

fn graph() -> sys::CUgraph {
    let mut graph = null_mut();
    done!(cuGraphCreate(&raw mut graph, 0));
    graph
}

fn instantiated(graph: sys::CUgraph) -> sys::CUgraphExec {
    let mut exec = null_mut();
    done!(cuGraphInstantiateWithFlags(&raw mut exec, graph, 0));
    exec
}

/// A launch of one thread of `add`.
struct Add {
    to: sys::CUdeviceptr,
    by: i32,
    arguments: [*mut c_void; 2],
}

impl Add {
    fn new(to: sys::CUdeviceptr, by: i32) -> Self {
        Self { to, by, arguments: [null_mut(); 2] }
    }

    /// With pointers to the arguments here.
    fn params(&mut self, add: sys::CUfunction) -> CUDA_KERNEL_NODE_PARAMS {
        self.arguments = [(&raw mut self.to).cast(), (&raw mut self.by).cast()];
        let mut params: CUDA_KERNEL_NODE_PARAMS = unsafe { zeroed() };
        params.func = add;
        (params.gridDimX, params.gridDimY, params.gridDimZ) = (1, 1, 1);
        (params.blockDimX, params.blockDimY, params.blockDimZ) = (1, 1, 1);
        params.kernelParams = self.arguments.as_mut_ptr();
        params
    }
}

fn kernel_node(graph: sys::CUgraph, after: &[sys::CUgraphNode], params: &CUDA_KERNEL_NODE_PARAMS) -> sys::CUgraphNode {
    let mut node = null_mut();
    done!(cuGraphAddKernelNode_v2(&raw mut node, graph, after.as_ptr(), after.len(), params));
    node
}

fn fill(to: sys::CUdeviceptr, value: u32) -> CUDA_MEMSET_NODE_PARAMS {
    CUDA_MEMSET_NODE_PARAMS { dst: to, pitch: 0, value, elementSize: 4, width: 1, height: 1 }
}

fn to_host(from: sys::CUdeviceptr, host: &mut i32) -> CUDA_MEMCPY3D {
    let mut copy = copy_3d(CU_MEMORYTYPE_DEVICE, CU_MEMORYTYPE_HOST);
    (copy.srcDevice, copy.dstHost) = (from, (&raw mut *host).cast());
    (copy.WidthInBytes, copy.Height, copy.Depth) = (4, 1, 1);
    copy
}

unsafe extern "C" fn count(calls: *mut c_void) {
    // SAFETY: the test hands over the place of a count.
    unsafe { *calls.cast::<i32>() += 1 }
}

#[test]
fn nodes_run_behind_those_they_depend_on() {
    let own = Context::new();
    let add = function(module(), "add");
    let x = words(&[100]);
    let (mut host, mut calls) = (0, 0);
    let graph = graph();
    // Added last to first; the edges turn the order round.
    let (mut copy, mut call, mut set, mut start) = (null_mut(), null_mut(), null_mut(), null_mut());
    done!(cuGraphAddMemcpyNode(&raw mut copy, graph, null(), 0, &to_host(x, &mut host), own.0));
    let mut two = Add::new(x, 2);
    let kernel = kernel_node(graph, &[], &two.params(add));
    done!(cuGraphAddMemsetNode(&raw mut set, graph, null(), 0, &fill(x, 5), own.0));
    let host_params = CUDA_HOST_NODE_PARAMS { fn_: Some(count), userData: (&raw mut calls).cast() };
    done!(cuGraphAddHostNode(&raw mut call, graph, null(), 0, &raw const host_params));
    done!(cuGraphAddEmptyNode(&raw mut start, graph, null(), 0));
    let (from, to) = ([start, set, kernel, copy], [set, kernel, copy, call]);
    done!(cuGraphAddDependencies(graph, from.as_ptr(), to.as_ptr(), 4));
    let exec = instantiated(graph);
    for round in 1..=3 {
        host = 0;
        done!(cuGraphLaunch(exec, null_mut()));
        assert_eq!((host, calls, read(x, 1)), (7, round, vec![7]));
    }

    // Asked for what it is.
    let (mut roots, mut room) = ([null_mut(); 3], 3);
    done!(cuGraphGetRootNodes(graph, roots.as_mut_ptr(), &raw mut room));
    assert_eq!((roots, room), ([start, null_mut(), null_mut()], 1));
    let (mut before, mut one) = ([null_mut(); 1], 1);
    done!(cuGraphNodeGetDependencies(kernel, before.as_mut_ptr(), &raw mut one));
    assert_eq!(before, [set]);
    done!(cuGraphNodeGetDependentNodes(kernel, before.as_mut_ptr(), &raw mut one));
    assert_eq!(before, [copy]);
    let mut params: CUDA_KERNEL_NODE_PARAMS = unsafe { zeroed() };
    done!(cuGraphKernelNodeGetParams_v2(kernel, &raw mut params));
    let arguments = unsafe { [(*params.kernelParams).cast::<u64>().read(), u64::from(params.gridDimX)] };
    assert_eq!((params.func, arguments), (add, [x, 1]));

    // What becomes of the graph later is of no account to what was made of it.
    done!(cuGraphDestroyNode(kernel));
    done!(cuGraphDestroy(graph));
    done!(cuGraphLaunch(exec, null_mut()));
    assert_eq!(host, 7);
    done!(cuGraphExecDestroy(exec));
}

#[test]
fn a_step_comes_to_do_something_else() {
    let own = Context::new();
    let add = function(module(), "add");
    let x = words(&[0, 0]);
    let (mut host, mut set, mut copy) = (0, null_mut(), null_mut());
    let graph = graph();
    done!(cuGraphAddMemsetNode(&raw mut set, graph, null(), 0, &fill(x, 5), own.0));
    let kernel = kernel_node(graph, &[set], &Add::new(x, 2).params(add));
    done!(cuGraphAddMemcpyNode(&raw mut copy, graph, &raw const kernel, 1, &to_host(x, &mut host), own.0));
    let exec = instantiated(graph);
    let launched = || {
        done!(cuGraphLaunch(exec, null_mut()));
        unsafe { (&raw const host).read_volatile() }
    };
    assert_eq!(launched(), 7);
    done!(cuGraphExecKernelNodeSetParams_v2(exec, kernel, &Add::new(x, 30).params(add)));
    assert_eq!(launched(), 35);
    done!(cuGraphExecMemsetNodeSetParams(exec, set, &fill(x, 6), own.0));
    assert_eq!(launched(), 36);
    done!(cuGraphNodeSetEnabled(exec, kernel, 0));
    assert_eq!(launched(), 6);
    let mut enabled = 1;
    done!(cuGraphNodeGetEnabled(exec, kernel, &raw mut enabled));
    assert_eq!(enabled, 0);
    done!(cuGraphNodeSetEnabled(exec, kernel, 1));

    // The graph has kept what it was; a whole update takes it over.
    let mut info: sys::CUgraphExecUpdateResultInfo = unsafe { zeroed() };
    done!(cuGraphExecUpdate_v2(exec, graph, &raw mut info));
    assert_eq!(info.result, Update::CU_GRAPH_EXEC_UPDATE_SUCCESS);
    assert_eq!(launched(), 7);

    // Whatever does not fit changes nothing.
    let other = self::graph();
    let mut first = null_mut();
    done!(cuGraphAddMemsetNode(&raw mut first, other, null(), 0, &fill(x, 100), own.0));
    let mut refused = |expected: Update| {
        let answer = unsafe { sys::cuGraphExecUpdate_v2(exec, other, &raw mut info) };
        assert_eq!((answer, info.result), (CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, expected));
        assert_eq!(launched(), 7);
    };
    refused(Update::CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
    let mut empty = null_mut();
    done!(cuGraphAddEmptyNode(&raw mut empty, other, &raw const first, 1));
    refused(Update::CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED);
    done!(cuGraphDestroyNode(empty));
    let kernel = kernel_node(other, &[], &Add::new(x, 3).params(add));
    refused(Update::CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
    done!(cuGraphAddDependencies(other, &raw const first, &raw const kernel, 1));
    let mut back = copy_3d(CU_MEMORYTYPE_DEVICE, CU_MEMORYTYPE_DEVICE);
    (back.srcDevice, back.dstDevice) = (x, x + 4);
    (back.WidthInBytes, back.Height, back.Depth) = (4, 1, 1);
    done!(cuGraphAddMemcpyNode(&raw mut copy, other, &raw const kernel, 1, &raw const back, own.0));
    refused(Update::CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED);
}

#[test]
fn graphs_are_nodes_of_graphs() {
    let own = Context::new();
    let add = function(module(), "add");
    let x = words(&[0]);
    let inner = graph();
    let first = kernel_node(inner, &[], &Add::new(x, 1).params(add));
    kernel_node(inner, &[first], &Add::new(x, 10).params(add));
    let outer = graph();
    let (mut set, mut child) = (null_mut(), null_mut());
    done!(cuGraphAddMemsetNode(&raw mut set, outer, null(), 0, &fill(x, 100), own.0));
    done!(cuGraphAddChildGraphNode(&raw mut child, outer, &raw const set, 1, inner));
    done!(cuGraphDestroy(inner));
    kernel_node(outer, &[child], &Add::new(x, 1000).params(add));
    let mut clone = null_mut();
    done!(cuGraphClone(&raw mut clone, outer));
    done!(cuGraphDestroy(outer));
    let exec = instantiated(clone);
    done!(cuGraphLaunch(exec, null_mut()));
    assert_eq!(read(x, 1), [1111]);
    // A kernel of the inner graph is reached through its copy.
    let (mut nodes, mut three, mut of_child, mut two) = ([null_mut(); 3], 3, null_mut(), 2);
    done!(cuGraphGetNodes(clone, nodes.as_mut_ptr(), &raw mut three));
    done!(cuGraphChildGraphNodeGetGraph(nodes[1], &raw mut of_child));
    let mut inside = [null_mut(); 2];
    done!(cuGraphGetNodes(of_child, inside.as_mut_ptr(), &raw mut two));
    done!(cuGraphExecKernelNodeSetParams_v2(exec, inside[1], &Add::new(x, 20).params(add)));
    done!(cuGraphLaunch(exec, null_mut()));
    assert_eq!(read(x, 1), [1121]);
    assert_eq!(unsafe { sys::cuGraphDestroy(of_child) }, CUDA_ERROR_INVALID_VALUE, "it ends with its node");
}

#[test]
fn a_kernel_that_fails_ends_its_graph() {
    let _own = Context::new();
    let loaded = module();
    let x = words(&[0]);
    let graph = graph();
    let mut stop: CUDA_KERNEL_NODE_PARAMS = Add::new(x, 1).params(function(loaded, "stop"));
    stop.kernelParams = null_mut();
    let first = kernel_node(graph, &[], &stop);
    kernel_node(graph, &[first], &Add::new(x, 1).params(function(loaded, "add")));
    let exec = instantiated(graph);
    let (answer, record) = oblate_softgpu::record(|| unsafe { sys::cuGraphLaunch(exec, null_mut()) });
    assert_eq!(answer, CUDA_ERROR_LAUNCH_FAILED);
    assert_eq!(record.launches.len(), 1, "what is behind it does not run");
    assert_eq!(unsafe { sys::cuCtxSynchronize() }, CUDA_ERROR_LAUNCH_FAILED);
}

#[test]
fn events_are_recorded_by_graphs() {
    let _own = Context::new();
    let (mut event, mut record, mut wait, mut found) = (null_mut(), null_mut(), null_mut(), null_mut());
    done!(cuEventCreate(&raw mut event, 0));
    let graph = graph();
    done!(cuGraphAddEventRecordNode(&raw mut record, graph, null(), 0, event));
    done!(cuGraphAddEventWaitNode(&raw mut wait, graph, &raw const record, 1, event));
    done!(cuGraphEventRecordNodeGetEvent(record, &raw mut found));
    assert_eq!(found, event);
    assert_eq!(unsafe { sys::cuGraphEventRecordNodeGetEvent(wait, &raw mut found) }, CUDA_ERROR_INVALID_VALUE);
    let mut milliseconds = -1.0;
    let elapsed = |milliseconds: &mut f32| unsafe { sys::cuEventElapsedTime(&raw mut *milliseconds, event, event) };
    assert_eq!(elapsed(&mut milliseconds), CUDA_ERROR_INVALID_HANDLE, "not recorded");
    done!(cuGraphLaunch(instantiated(graph), null_mut()));
    assert_eq!((elapsed(&mut milliseconds), milliseconds), (CUDA_SUCCESS, 0.0));
}

#[test]
fn misuse_is_refused() {
    let own = Context::new();
    let add = function(module(), "add");
    let x = words(&[0]);
    let (graph, other) = (graph(), self::graph());
    let (mut node, mut foreign, mut exec) = (null_mut(), null_mut(), null_mut());
    let mut graph_out = null_mut();
    done!(cuGraphAddEmptyNode(&raw mut foreign, other, null(), 0));
    let first = kernel_node(graph, &[], &Add::new(x, 1).params(add));
    let second = kernel_node(graph, &[first], &Add::new(x, 1).params(add));
    let mut one = Add::new(x, 1);
    let params = one.params(add);
    let none = 0x1234 as sys::CUgraph;
    let twice = [first, first];
    let node_out = &raw mut node;
    let mut too_large = params;
    too_large.blockDimX = 2048;
    let answers = unsafe {
        [
            ("flags", sys::cuGraphCreate(&raw mut graph_out, 1)),
            ("no place", sys::cuGraphCreate(null_mut(), 0)),
            ("no graph", sys::cuGraphDestroy(none)),
            ("no graph to add to", sys::cuGraphAddEmptyNode(node_out, none, null(), 0)),
            ("a node of another graph", sys::cuGraphAddEmptyNode(node_out, graph, &raw const foreign, 1)),
            ("a node twice", sys::cuGraphAddEmptyNode(node_out, graph, twice.as_ptr(), 2)),
            ("no list of as many", sys::cuGraphAddEmptyNode(node_out, graph, null(), 1)),
            ("no parameters", sys::cuGraphAddKernelNode_v2(node_out, graph, null(), 0, null())),
            ("too many threads", sys::cuGraphAddKernelNode_v2(node_out, graph, null(), 0, &raw const too_large)),
            ("memory that is none", sys::cuGraphAddMemsetNode(node_out, graph, null(), 0, &fill(x + 4, 0), own.0)),
            ("an edge that is there", sys::cuGraphAddDependencies(graph, &raw const first, &raw const second, 1)),
            ("an edge to itself", sys::cuGraphAddDependencies(graph, &raw const first, &raw const first, 1)),
            ("an edge that is not", sys::cuGraphRemoveDependencies(graph, &raw const second, &raw const first, 1)),
            ("flags of nobody", sys::cuGraphInstantiateWithFlags(&raw mut exec, graph, 1 << 20)),
            ("nothing to launch", sys::cuGraphLaunch(null_mut(), null_mut())),
        ]
    };
    for (what, answer) in answers {
        assert_eq!(answer, CUDA_ERROR_INVALID_VALUE, "{what}");
    }
    // A circle is found when the graph is to be run.
    done!(cuGraphAddDependencies(graph, &raw const second, &raw const first, 1));
    let mut params: sys::CUDA_GRAPH_INSTANTIATE_PARAMS = unsafe { zeroed() };
    let answer = unsafe { sys::cuGraphInstantiateWithParams(&raw mut exec, graph, &raw mut params) };
    assert_eq!(answer, CUDA_ERROR_INVALID_VALUE);
    assert_eq!(params.result_out, sys::CUgraphInstantiateResult::CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE);
    done!(cuGraphRemoveDependencies(graph, &raw const second, &raw const first, 1));
    done!(cuGraphInstantiateWithParams(&raw mut exec, graph, &raw mut params));
    assert_eq!(params.result_out, sys::CUgraphInstantiateResult::CUDA_GRAPH_INSTANTIATE_SUCCESS);
    let answer = unsafe { sys::cuGraphExecKernelNodeSetParams_v2(exec, foreign, &Add::new(x, 1).params(add)) };
    assert_eq!(answer, CUDA_ERROR_INVALID_VALUE, "a node of another graph");
    assert_eq!(unsafe { sys::cuGraphNodeSetEnabled(exec, foreign, 0) }, CUDA_ERROR_INVALID_VALUE);
}
