//! Kernels, and what is known of each.

use std::ffi::{CString, c_char, c_int, c_uint};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use super::attributes::{BLOCK_THREADS, Limits, REGISTERS, SHARED_PER_BLOCK, THREAD_REGISTERS, WARP_THREADS};
use super::context::{Context, current, current_or_failed};
use super::error::{Answer, CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE, CUresult};
use super::handle::{Handle, Registered, Registry};
use super::library::Kernel;
use super::module::Module;
use super::types::Out;
use crate::program;
use crate::ptx::ast::Space;
use crate::settings::capability;

/// What `CUfunction` stands for.
#[derive(Debug)]
pub struct Function {
    pub(crate) handle: Handle<Function>,
    pub(crate) module: Arc<Module>,
    /// In the module's program.
    pub(crate) index: u32,
    name: CString,
    /// Bytes of shared memory that a launch may add.
    max_dynamic_shared: AtomicU32,
    /// Share of shared memory in per cent that the kernel would rather have, -1 without a preference. It changes nothing.
    carveout: AtomicI32,
}

impl Registered for Function {
    const INVALID: CUresult = CUDA_ERROR_INVALID_HANDLE;

    fn registry() -> &'static Registry<Self> {
        static REGISTRY: Registry<Function> = Registry::new();
        &REGISTRY
    }
}

impl Function {
    pub(crate) fn create(module: Arc<Module>, index: u32) -> Handle<Self> {
        let kernel = &module.program().functions[index as usize];
        let max_dynamic_shared = AtomicU32::new(SHARED_PER_BLOCK.saturating_sub(kernel.shared_bytes));
        // A PTX identifier has no NUL.
        let name = CString::new(&*kernel.name).unwrap_or_default();
        Self::registry().insert(|handle| Self {
            handle,
            module,
            index,
            name,
            max_dynamic_shared,
            carveout: AtomicI32::new(-1),
        })
    }

    pub(crate) fn kernel(&self) -> &program::Function {
        &self.module.program().functions[self.index as usize]
    }

    /// Threads of a block, by the kernel's own bounds and the device's.
    pub(crate) fn max_threads(&self) -> u32 {
        let kernel = self.kernel();
        let product = |threads: [u32; 3]| threads.iter().fold(1u32, |product, &count| product.saturating_mul(count));
        kernel.required_threads.or(kernel.max_threads).map_or(BLOCK_THREADS, product).min(BLOCK_THREADS)
    }

    /// Registers of a thread: what ptxas says in a cubin beside the PTX, else the most that leaves the launch bounds
    /// within reach. The PTX itself does not tell.
    pub(crate) fn registers(&self) -> u32 {
        let kernel = self.kernel();
        let compiled = self.module.registers.get(&*kernel.name).copied();
        compiled.unwrap_or_else(|| {
            let threads =
                self.max_threads().next_multiple_of(WARP_THREADS).saturating_mul(kernel.min_blocks.unwrap_or(1).max(1));
            (REGISTERS / threads / 8 * 8).min(THREAD_REGISTERS)
        })
    }

    pub(crate) fn max_dynamic_shared(&self) -> u32 {
        self.max_dynamic_shared.load(Ordering::Relaxed)
    }

    pub(crate) fn check_context(&self, context: &Context) -> Answer {
        if self.module.context == context.handle { Ok(()) } else { Err(CUDA_ERROR_INVALID_HANDLE) }
    }

    /// By the attribute's number in cuda.h.
    #[allow(clippy::match_same_arms, reason = "an attribute a line, by their numbers")]
    pub(crate) fn attribute(&self, number: c_uint) -> Answer<c_int> {
        let kernel = self.kernel();
        let capability = capability();
        let value = match number {
            0 => self.max_threads(),
            1 => kernel.shared_bytes,
            2 => {
                let constants = self.module.program().variables.iter().filter(|v| v.space == Space::Const);
                u32::try_from(constants.map(|variable| variable.bytes).sum::<u64>()).unwrap_or(u32::MAX)
            }
            3 => kernel.frame_bytes,
            4 => self.registers(),
            5 => self.module.target,
            6 => capability.major * 10 + capability.minor,
            7 => 0, // compiled for caching in L1
            8 => self.max_dynamic_shared(),
            9 => return Ok(self.carveout.load(Ordering::Relaxed)),
            10..=15 => 0, // clusters
            _ => return Err(CUDA_ERROR_INVALID_VALUE),
        };
        c_int::try_from(value).map_err(|_| CUDA_ERROR_INVALID_VALUE)
    }

    pub(crate) fn set_attribute(&self, number: c_uint, value: c_int) -> Answer {
        match number {
            8 => {
                let most = Limits::current().shared_per_block_optin.saturating_sub(self.kernel().shared_bytes);
                let bytes = u32::try_from(value).ok().filter(|&bytes| bytes <= most).ok_or(CUDA_ERROR_INVALID_VALUE)?;
                self.max_dynamic_shared.store(bytes, Ordering::Relaxed);
            }
            9 if (-1..=100).contains(&value) => self.carveout.store(value, Ordering::Relaxed),
            // The others are the compiler's, or of clusters, which the device has not.
            _ => return Err(CUDA_ERROR_INVALID_VALUE),
        }
        Ok(())
    }
}

impl Handle<Function> {
    /// The kernel; the handle of one of a library stands for it in the context.
    pub(crate) fn resolve(self, context: &Context) -> Answer<Arc<Function>> {
        match Handle::<Kernel>::of(self.0).get() {
            Ok(kernel) => kernel.function(context)?.get(),
            Err(_) => self.get(),
        }
    }
}

api! {
    /// An attribute of a kernel by its number in cuda.h.
    fn cuFuncGetAttribute(value: Out<c_int>, number: c_uint, function: Handle<Function>) {
        current()?;
        value.check()?;
        value.set(function.get()?.attribute(number)?)
    }

    /// Sets how much dynamic shared memory a launch may ask for (8), or the preferred share of shared memory (9).
    fn cuFuncSetAttribute(function: Handle<Function>, number: c_uint, value: c_int) {
        current()?;
        function.get()?.set_attribute(number, value)
    }

    /// Sets the preference between L1 and shared memory, which changes nothing here.
    fn cuFuncSetCacheConfig(function: Handle<Function>, preference: c_uint) {
        current()?;
        function.get()?;
        if preference > 3 { Err(CUDA_ERROR_INVALID_VALUE) } else { Ok(()) }
    }

    /// Whether the kernel is loaded (1): it is, with its module.
    fn cuFuncIsLoaded(state: Out<c_uint>, function: Handle<Function>) {
        current_or_failed()?;
        state.check()?;
        function.get()?;
        state.set(1)
    }

    /// Loads the kernel, which is loaded.
    fn cuFuncLoad(function: Handle<Function>) {
        current()?;
        function.get().map(drop)
    }

    /// The kernel's name, valid until its module is unloaded.
    fn cuFuncGetName(name: Out<*const c_char>, function: Handle<Function>) {
        current_or_failed()?;
        name.check()?;
        let found = function.get()?;
        name.set(found.name.as_ptr())
    }

    /// The kernel's module.
    fn cuFuncGetModule(module: Out<Handle<Module>>, function: Handle<Function>) {
        current_or_failed()?;
        module.set(function.get()?.module.handle)
    }

    /// Offset and size of a parameter, each where it is asked for; an index beyond the last is an invalid value.
    fn cuFuncGetParamInfo(function: Handle<Function>, index: usize, offset: Out<usize>, bytes: Out<usize>) {
        current_or_failed()?;
        let function = function.get()?;
        let parameter = function.kernel().params.get(index).ok_or(CUDA_ERROR_INVALID_VALUE)?;
        offset.check()?;
        offset.set_if_asked(parameter.offset as usize);
        bytes.set_if_asked(parameter.bytes as usize);
        Ok(())
    }
}
