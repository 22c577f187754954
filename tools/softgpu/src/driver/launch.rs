//! Launches: what a card refuses, and what becomes of the rest.

use std::ffi::{c_uint, c_void};
use std::sync::Arc;

use super::attributes::{BLOCK_DIMENSIONS, GRID_DIMENSIONS, Limits};
use super::context::current;
use super::error::{
    Answer, CUDA_ERROR_ASSERT, CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, CUDA_ERROR_ILLEGAL_ADDRESS,
    CUDA_ERROR_INVALID_CLUSTER_SIZE, CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_LAUNCH_FAILED,
    CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, CUDA_ERROR_LAUNCH_TIMEOUT, CUDA_ERROR_MISALIGNED_ADDRESS,
    CUDA_ERROR_NOT_SUPPORTED, CUresult,
};
use super::function::Function;
use super::handle::Handle;
use super::host_memory;
use super::occupancy::blocks_per_multiprocessor;
use super::stream::Stream;
use super::work::Work;
use crate::coverage;
use crate::execute::{self, Failure};
use crate::record::{LaunchRecord, launched};
use crate::schedules;

/// The configuration of cuLaunchKernelEx.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CUlaunchConfig {
    /// Blocks, x y z.
    pub grid: [c_uint; 3],
    /// Threads of a block, x y z.
    pub block: [c_uint; 3],
    /// Dynamic shared memory.
    pub shared_bytes: c_uint,
    /// Where.
    pub stream: Handle<Stream>,
    /// `attribute_count` of them.
    pub attributes: *const CUlaunchAttribute,
    /// How many.
    pub attribute_count: c_uint,
}

/// An attribute of a launch.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CUlaunchAttribute {
    /// Which, by its number in cuda.h.
    pub id: c_uint,
    padding: c_uint,
    /// A union; what this device reads of it lies in its first words.
    pub value: [c_uint; 16],
}

/// Where the kernel's arguments are.
#[derive(Clone, Copy)]
pub(crate) enum Arguments {
    /// A pointer to each.
    Each(*const *const c_void),
    /// All in one buffer, laid out as the kernel's parameters are.
    Packed(*const u8, usize),
    None,
}

const PARAM_END: usize = 0;
const PARAM_BUFFER: usize = 1;
const PARAM_BUFFER_BYTES: usize = 2;

impl Arguments {
    /// # Safety
    /// `each` and `extra` are null, or as cuLaunchKernel demands.
    pub(crate) unsafe fn new(each: *const *const c_void, extra: *const *const c_void) -> Answer<Self> {
        match (each.is_null(), extra.is_null()) {
            (true, true) => Ok(Self::None),
            (false, true) => Ok(Self::Each(each)),
            (false, false) => Err(CUDA_ERROR_INVALID_VALUE),
            (true, false) => {
                let (mut buffer, mut bytes): (*const u8, _) = (std::ptr::null(), None);
                // Pairs of a name and a value, ended by a name alone.
                for pair in (0..).step_by(2) {
                    // SAFETY: the caller vouches for an array that ends in PARAM_END, which is not stepped over.
                    let name = unsafe { *extra.add(pair) };
                    if name as usize == PARAM_END {
                        break;
                    }
                    // SAFETY: as above; a name has its value behind it.
                    let value = unsafe { *extra.add(pair + 1) };
                    match name as usize {
                        PARAM_BUFFER => buffer = value.cast(),
                        PARAM_BUFFER_BYTES if value.is_null() => return Err(CUDA_ERROR_INVALID_VALUE),
                        // SAFETY: the value of this name is a pointer to a size.
                        PARAM_BUFFER_BYTES => bytes = Some(unsafe { value.cast::<usize>().read_unaligned() }),
                        _ => return Err(CUDA_ERROR_INVALID_VALUE),
                    }
                }
                match bytes {
                    Some(0) => Ok(Self::None),
                    Some(bytes) if !buffer.is_null() => Ok(Self::Packed(buffer, bytes)),
                    _ => Err(CUDA_ERROR_INVALID_VALUE),
                }
            }
        }
    }

    /// The bytes that the kernel's parameters have.
    ///
    /// # Safety
    /// The arguments are those of the kernel, as cuLaunchKernel demands.
    unsafe fn gather(self, function: &Function) -> Answer<Arc<[u8]>> {
        let kernel = function.kernel();
        let mut params = vec![0; kernel.param_bytes as usize];
        match self {
            Self::None if kernel.params.is_empty() => {}
            Self::None => return Err(CUDA_ERROR_INVALID_VALUE),
            Self::Packed(_, bytes) if bytes < params.len() => return Err(CUDA_ERROR_INVALID_VALUE),
            Self::Packed(buffer, _) => {
                // SAFETY: the caller vouches for as many bytes as were given, which are no fewer.
                unsafe { buffer.copy_to_nonoverlapping(params.as_mut_ptr(), params.len()) };
            }
            Self::Each(pointers) => {
                for (i, parameter) in kernel.params.iter().enumerate() {
                    // SAFETY: the caller vouches for a pointer for each parameter.
                    let from = unsafe { *pointers.add(i) };
                    if from.is_null() {
                        return Err(CUDA_ERROR_INVALID_VALUE);
                    }
                    let to = &mut params[parameter.offset as usize..][..parameter.bytes as usize];
                    // SAFETY: the caller vouches for the parameter's bytes behind its pointer.
                    unsafe { from.cast::<u8>().copy_to_nonoverlapping(to.as_mut_ptr(), to.len()) };
                }
            }
        }
        Ok(params.into())
    }
}

/// How many threads a kernel gets, and what they share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Configuration {
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
    /// Dynamic shared memory.
    pub(crate) shared_bytes: u32,
    pub(crate) cooperative: bool,
}

/// A launch, in the context of its kernel.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) function: Arc<Function>,
    pub(crate) configuration: Configuration,
    /// The bytes of the kernel's parameters.
    params: Arc<[u8]>,
}

impl Launch {
    /// # Safety
    /// The arguments are those of the kernel, as cuLaunchKernel demands.
    pub(crate) unsafe fn new(
        function: Arc<Function>,
        configuration: Configuration,
        arguments: Arguments,
    ) -> Answer<Self> {
        // SAFETY: the caller's promise.
        let params = unsafe { arguments.gather(&function)? };
        Ok(Self { function, configuration, params })
    }

    /// Where each argument is kept.
    pub(crate) fn argument_addresses(&self) -> Vec<usize> {
        let params = &self.function.kernel().params;
        params.iter().map(|parameter| self.params[parameter.offset as usize..].as_ptr().expose_provenance()).collect()
    }

    /// Memory of the host that an argument points into: start and size.
    pub(crate) fn host_ranges(&self) -> Vec<(usize, usize)> {
        let words = self.params.chunks_exact(8).filter_map(|bytes| bytes.try_into().ok().map(u64::from_ne_bytes));
        words.filter_map(host_memory::range).map(|(base, bytes, _)| (base as usize, bytes as usize)).collect()
    }

    /// Refuses what a card refuses, before anything runs.
    pub(crate) fn check(&self) -> Answer {
        let Configuration { grid, block, shared_bytes, cooperative } = self.configuration;
        let within = |sizes: [u32; 3], limits: [u32; 3]| {
            sizes.iter().zip(limits).all(|(&size, limit)| (1..=limit).contains(&size))
        };
        if !within(grid, GRID_DIMENSIONS) || !within(block, BLOCK_DIMENSIONS) {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        let kernel = self.function.kernel();
        let threads: u32 = block.iter().product();
        let as_required = kernel.required_threads.is_none_or(|required| required == block);
        if threads > self.function.max_threads() || !as_required {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        if shared_bytes > self.function.max_dynamic_shared() {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        let resident = blocks_per_multiprocessor(&self.function, threads, shared_bytes);
        if resident == 0 {
            return Err(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
        }
        let blocks: u64 = grid.iter().map(|&size| u64::from(size)).product();
        if cooperative && blocks > u64::from(resident) * u64::from(Limits::current().multiprocessors) {
            return Err(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
        }
        Ok(())
    }

    /// Runs to the end. As on a card, a failure shows in the calls that follow.
    pub(crate) fn run(&self) -> Answer {
        let context = self.function.module.context.get()?;
        context.sound()?;
        context.launch_may_fail()?;
        let Configuration { grid, block, shared_bytes, .. } = self.configuration;
        let settings = execute::Settings {
            workers: context.settings.workers,
            watchdog: context.settings.watchdog,
            checks: context.settings.checks,
            seed: context.settings.seed,
            multiprocessors: Limits::current().multiprocessors,
            printf_bytes: context.printf_bytes(),
            lines: coverage::is_wanted(),
            ..execute::Settings::default()
        };
        // The driver of a card, too, gives more where it sees the need.
        let stack_bytes = settings.stack_bytes.max(context.stack_bytes() as u64);
        let settings = execute::Settings { stack_bytes, ..settings };
        let report = schedules::run(&execute::Launch {
            module: &self.function.module.code,
            function: self.function.index,
            grid,
            block,
            dynamic_shared_bytes: shared_bytes,
            params: &self.params,
            memory: &context.memory,
            settings: &settings,
        });
        coverage::ran(&self.function.kernel().name, report.lines);
        let failure = report.failure.map(result_of);
        if let Some(error) = failure {
            context.fail(error);
        }
        let launch = LaunchRecord {
            kernel: self.function.kernel().name.to_string(),
            grid,
            block,
            dynamic_shared_bytes: shared_bytes,
            counters: report.counters,
            printed: report.printed,
            failure,
        };
        launched(launch, report.findings);
        Ok(())
    }
}

fn result_of(failure: Failure) -> CUresult {
    match failure {
        Failure::IllegalAddress => CUDA_ERROR_ILLEGAL_ADDRESS,
        Failure::MisalignedAddress => CUDA_ERROR_MISALIGNED_ADDRESS,
        Failure::Assert => CUDA_ERROR_ASSERT,
        Failure::LaunchFailed => CUDA_ERROR_LAUNCH_FAILED,
        Failure::Timeout => CUDA_ERROR_LAUNCH_TIMEOUT,
    }
}

/// # Safety
/// `each` and `extra` are as cuLaunchKernel demands.
unsafe fn launch(
    function: Handle<Function>,
    config: &CUlaunchConfig,
    cooperative: bool,
    each: *const *const c_void,
    extra: *const *const c_void,
) -> Answer {
    let context = config.stream.work_context()?;
    let function = function.resolve(&context)?;
    function.check_context(&context)?;
    let configuration =
        Configuration { grid: config.grid, block: config.block, shared_bytes: config.shared_bytes, cooperative };
    // SAFETY: the caller's promise.
    let launch = unsafe { Launch::new(function, configuration, Arguments::new(each, extra)?)? };
    config.stream.submit(Work::Kernel(launch))
}

/// Whether the attributes make the launch cooperative; what the device does not have is refused.
fn is_cooperative(attributes: &[CUlaunchAttribute]) -> Answer<bool> {
    let mut cooperative = false;
    for attribute in attributes {
        match attribute.id {
            2 => cooperative = attribute.value[0] != 0,
            // A cluster of one block is a block.
            4 | 11 if attribute.value[..3] == [1, 1, 1] => {}
            4 | 11 => return Err(CUDA_ERROR_INVALID_CLUSTER_SIZE),
            // Nothing, an access policy, a way to wait, overlap with the kernel before, a priority, memory
            // synchronisation domains, a carveout, a link's utilisation: speed, and no more.
            0 | 1 | 3 | 5 | 6 | 8 | 9 | 10 | 14 | 16 => {}
            // Events that the kernel triggers, nodes of graphs.
            7 | 12 | 13 => return Err(CUDA_ERROR_NOT_SUPPORTED),
            _ => return Err(CUDA_ERROR_INVALID_VALUE),
        }
    }
    Ok(cooperative)
}

api! {
    /// Runs a kernel. It has run when the call returns; a failure of its own shows in the calls that follow.
    fn cuLaunchKernel(
        function: Handle<Function>,
        grid_x: c_uint,
        grid_y: c_uint,
        grid_z: c_uint,
        block_x: c_uint,
        block_y: c_uint,
        block_z: c_uint,
        shared_bytes: c_uint,
        stream: Handle<Stream>,
        params: *const *const c_void,
        extra: *const *const c_void,
    ) {
        let config = CUlaunchConfig {
            grid: [grid_x, grid_y, grid_z],
            block: [block_x, block_y, block_z],
            shared_bytes,
            stream,
            attributes: std::ptr::null(),
            attribute_count: 0,
        };
        // SAFETY: the function's safety section.
        unsafe { launch(function, &config, false, params, extra) }
    }

    /// As [`cuLaunchKernel`], for blocks that wait for each other: all of them must fit the device at once.
    fn cuLaunchCooperativeKernel(
        function: Handle<Function>,
        grid_x: c_uint,
        grid_y: c_uint,
        grid_z: c_uint,
        block_x: c_uint,
        block_y: c_uint,
        block_z: c_uint,
        shared_bytes: c_uint,
        stream: Handle<Stream>,
        params: *const *const c_void,
    ) {
        let config = CUlaunchConfig {
            grid: [grid_x, grid_y, grid_z],
            block: [block_x, block_y, block_z],
            shared_bytes,
            stream,
            attributes: std::ptr::null(),
            attribute_count: 0,
        };
        // SAFETY: the function's safety section.
        unsafe { launch(function, &config, true, params, std::ptr::null()) }
    }

    /// As [`cuLaunchKernel`], with attributes.
    fn cuLaunchKernelEx(
        config: *const CUlaunchConfig,
        function: Handle<Function>,
        params: *const *const c_void,
        extra: *const *const c_void,
    ) {
        current()?;
        // SAFETY: null, or the caller's configuration, as the function's safety section demands.
        let config = unsafe { config.as_ref() }.ok_or(CUDA_ERROR_INVALID_VALUE)?;
        let attributes = match config.attribute_count {
            0 => &[],
            _ if config.attributes.is_null() => return Err(CUDA_ERROR_INVALID_VALUE),
            // SAFETY: the caller vouches for as many attributes.
            count => unsafe { std::slice::from_raw_parts(config.attributes, count as usize) },
        };
        let cooperative = is_cooperative(attributes)?;
        // SAFETY: the function's safety section.
        unsafe { launch(function, config, cooperative, params, extra) }
    }
}
