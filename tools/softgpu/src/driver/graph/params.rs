//! Nodes with parameters: kernels, copies, fills and functions of the host.

use std::ffi::{c_uint, c_void};

use super::super::context::{Context, current};
use super::super::copy::Fill;
use super::super::entry::initialised;
use super::super::error::{Answer, CUDA_ERROR_INVALID_VALUE};
use super::super::function::Function;
use super::super::handle::Handle;
use super::super::launch::{Arguments, Configuration, Launch};
use super::super::library::Kernel;
use super::super::pitched::CUDA_MEMCPY3D;
use super::super::types::{CUdeviceptr, CUhostFn, Out};
use super::super::work::{HostFunction, Work};
use super::node::add;
use super::{Graph, Node, argument_pointers};

/// A kernel, as a node.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CUDA_KERNEL_NODE_PARAMS {
    /// The kernel; null where `kernel` names it.
    pub function: Handle<Function>,
    /// Blocks, x y z.
    pub grid: [c_uint; 3],
    /// Threads of a block, x y z.
    pub block: [c_uint; 3],
    /// Dynamic shared memory.
    pub shared_bytes: c_uint,
    /// A pointer to each argument.
    pub params: *mut *mut c_void,
    /// Or all of them in a buffer.
    pub extra: *mut *mut c_void,
    /// The kernel, of a library.
    pub kernel: Handle<Kernel>,
    /// The context of such a kernel; null for the current one.
    pub context: Handle<Context>,
}

impl CUDA_KERNEL_NODE_PARAMS {
    /// # Safety
    /// The arguments are the kernel's, as cuLaunchKernel demands.
    pub(super) unsafe fn work(&self, cooperative: bool) -> Answer<Work> {
        let function = if self.function.is_null() {
            let context = if self.context.is_null() { current()? } else { self.context.get()? };
            self.kernel.get()?.function(&context)?.get()?
        } else {
            self.function.get()?
        };
        let configuration =
            Configuration { grid: self.grid, block: self.block, shared_bytes: self.shared_bytes, cooperative };
        // SAFETY: the caller's promise.
        let arguments = unsafe { Arguments::new(self.params.cast(), self.extra.cast())? };
        // SAFETY: likewise.
        Ok(Work::Kernel(unsafe { Launch::new(function, configuration, arguments)? }))
    }
}

/// A fill, as a node.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CUDA_MEMSET_NODE_PARAMS {
    /// Where to.
    pub to: CUdeviceptr,
    /// Bytes from a row to the next; of no account for one row.
    pub pitch: usize,
    /// What with.
    pub value: c_uint,
    /// Bytes of a value: 1, 2 or 4.
    pub element_bytes: c_uint,
    /// Values in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl CUDA_MEMSET_NODE_PARAMS {
    pub(super) fn work(&self, context: Handle<Context>) -> Answer<Work> {
        context.get()?;
        let fill = Fill {
            context,
            to: self.to,
            pitch: self.pitch,
            value: self.value,
            bytes: self.element_bytes as usize,
            width: self.width,
            height: self.height,
        };
        if self.width == 0 || self.height == 0 {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        Ok(Work::Fill(fill))
    }
}

/// A function of the host, as a node.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CUDA_HOST_NODE_PARAMS {
    /// The function.
    pub function: CUhostFn,
    /// Its argument.
    pub data: *mut c_void,
}

pub(super) fn copy_work(params: &CUDA_MEMCPY3D, context: Handle<Context>) -> Answer<Work> {
    Ok(Work::Copy(params.copy(&*context.get()?)?))
}

/// The struct behind a pointer; null is an invalid value.
///
/// # Safety
/// `params` is null, or valid for a read.
pub(super) unsafe fn given<'a, T>(params: *const T) -> Answer<&'a T> {
    // SAFETY: the caller's promise.
    unsafe { params.as_ref() }.ok_or(CUDA_ERROR_INVALID_VALUE)
}

/// Replaces what a node does by work of the same kind.
fn replace(node: Handle<Node>, work: Work) -> Answer {
    work.check()?;
    node.with(|entry| {
        if entry.work.node_type() != work.node_type() {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        entry.work = work;
        entry.arguments = Vec::new();
        Ok(())
    })
}

api! {
    /// Adds a node that launches a kernel.
    fn cuGraphAddKernelNode_v2(
        node: Out<Handle<Node>>,
        graph: Handle<Graph>,
        after: *const Handle<Node>,
        count: usize,
        params: *const CUDA_KERNEL_NODE_PARAMS,
    ) {
        // SAFETY: the function's safety section.
        unsafe { add(node, graph, after, count, || given(params)?.work(false)) }
    }

    /// What a node launches. The arguments stay where they are told to be until the node changes or ends.
    fn cuGraphKernelNodeGetParams_v2(node: Handle<Node>, params: Out<CUDA_KERNEL_NODE_PARAMS>) {
        initialised()?;
        params.check()?;
        params.set(node.with(|entry| {
            let Work::Kernel(launch) = &entry.work else { return Err(CUDA_ERROR_INVALID_VALUE) };
            entry.arguments = launch.argument_addresses();
            let Configuration { grid, block, shared_bytes, .. } = launch.configuration;
            Ok(CUDA_KERNEL_NODE_PARAMS {
                function: launch.function.handle,
                grid,
                block,
                shared_bytes,
                params: argument_pointers(&entry.arguments),
                extra: std::ptr::null_mut(),
                kernel: Handle::NULL,
                context: launch.function.module.context,
            })
        })?)
    }

    /// Has a node launch something else.
    fn cuGraphKernelNodeSetParams_v2(node: Handle<Node>, params: *const CUDA_KERNEL_NODE_PARAMS) {
        initialised()?;
        let cooperative =
            node.with(|entry| Ok(matches!(&entry.work, Work::Kernel(launch) if launch.configuration.cooperative)))?;
        // SAFETY: the function's safety section.
        replace(node, unsafe { given(params)?.work(cooperative)? })
    }

    /// Adds a node that copies, in a context.
    fn cuGraphAddMemcpyNode(
        node: Out<Handle<Node>>,
        graph: Handle<Graph>,
        after: *const Handle<Node>,
        count: usize,
        params: *const CUDA_MEMCPY3D,
        context: Handle<Context>,
    ) {
        // SAFETY: the function's safety section.
        unsafe { add(node, graph, after, count, || copy_work(given(params)?, context)) }
    }

    /// What a node copies.
    fn cuGraphMemcpyNodeGetParams(node: Handle<Node>, params: Out<CUDA_MEMCPY3D>) {
        initialised()?;
        params.check()?;
        params.set(node.with(|entry| match &entry.work {
            Work::Copy(copy) => Ok(CUDA_MEMCPY3D::of(copy)),
            _ => Err(CUDA_ERROR_INVALID_VALUE),
        })?)
    }

    /// Has a node copy something else, in the context of its device end.
    fn cuGraphMemcpyNodeSetParams(node: Handle<Node>, params: *const CUDA_MEMCPY3D) {
        initialised()?;
        let context = node.with(|entry| match &entry.work {
            Work::Copy(copy) => Ok(copy.context()),
            _ => Err(CUDA_ERROR_INVALID_VALUE),
        })?;
        let context = context.map_or_else(|| current().map(|context| context.handle), Ok)?;
        // SAFETY: the function's safety section.
        replace(node, copy_work(unsafe { given(params)? }, context)?)
    }

    /// Adds a node that fills memory of a context.
    fn cuGraphAddMemsetNode(
        node: Out<Handle<Node>>,
        graph: Handle<Graph>,
        after: *const Handle<Node>,
        count: usize,
        params: *const CUDA_MEMSET_NODE_PARAMS,
        context: Handle<Context>,
    ) {
        // SAFETY: the function's safety section.
        unsafe { add(node, graph, after, count, || given(params)?.work(context)) }
    }

    /// What a node fills, and with what.
    fn cuGraphMemsetNodeGetParams(node: Handle<Node>, params: Out<CUDA_MEMSET_NODE_PARAMS>) {
        initialised()?;
        params.check()?;
        params.set(node.with(|entry| match entry.work {
            Work::Fill(Fill { to, pitch, value, bytes, width, height, .. }) => Ok(CUDA_MEMSET_NODE_PARAMS {
                to,
                pitch,
                value,
                element_bytes: bytes as c_uint,
                width,
                height,
            }),
            _ => Err(CUDA_ERROR_INVALID_VALUE),
        })?)
    }

    /// Has a node fill something else, in the same context.
    fn cuGraphMemsetNodeSetParams(node: Handle<Node>, params: *const CUDA_MEMSET_NODE_PARAMS) {
        initialised()?;
        let context = node.with(|entry| match entry.work {
            Work::Fill(fill) => Ok(fill.context),
            _ => Err(CUDA_ERROR_INVALID_VALUE),
        })?;
        // SAFETY: the function's safety section.
        replace(node, unsafe { given(params)? }.work(context)?)
    }

    /// Adds a node that calls a function of the host.
    fn cuGraphAddHostNode(
        node: Out<Handle<Node>>,
        graph: Handle<Graph>,
        after: *const Handle<Node>,
        count: usize,
        params: *const CUDA_HOST_NODE_PARAMS,
    ) {
        let work = || {
            // SAFETY: the function's safety section.
            let params = unsafe { given(params)? };
            Ok(Work::Host(HostFunction::new(params.function, params.data)?))
        };
        // SAFETY: likewise.
        unsafe { add(node, graph, after, count, work) }
    }

    /// What a node calls.
    fn cuGraphHostNodeGetParams(node: Handle<Node>, params: Out<CUDA_HOST_NODE_PARAMS>) {
        initialised()?;
        params.check()?;
        params.set(node.with(|entry| match entry.work {
            Work::Host(function) => {
                let (function, data) = function.parts();
                Ok(CUDA_HOST_NODE_PARAMS { function, data })
            }
            _ => Err(CUDA_ERROR_INVALID_VALUE),
        })?)
    }

    /// Has a node call something else.
    fn cuGraphHostNodeSetParams(node: Handle<Node>, params: *const CUDA_HOST_NODE_PARAMS) {
        initialised()?;
        node.get()?;
        // SAFETY: the function's safety section.
        let params = unsafe { given(params)? };
        replace(node, Work::Host(HostFunction::new(params.function, params.data)?))
    }
}
