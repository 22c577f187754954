//! Libraries: code that belongs to no context, and is loaded into each that uses it.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, c_char, c_int, c_uint, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};

use super::context::{Context, current};
use super::device::context_on;
use super::entry::initialised;
use super::error::{
    Answer, CUDA_ERROR_FILE_NOT_FOUND, CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NOT_FOUND,
    CUDA_ERROR_OUT_OF_MEMORY, CUresult,
};
use super::function::Function;
use super::handle::{Handle, Registered, Registry};
use super::module::{Code, ErrorLog, Module, code, entries};
use super::types::{CUdevice, CUdeviceptr, Out, Text};
use crate::fatbin::{self, ImageError};
use crate::settings::Settings;

/// What `CUlibrary` stands for.
#[derive(Debug)]
pub struct Library {
    handle: Handle<Library>,
    code: Code,
    /// By context.
    modules: Mutex<BTreeMap<usize, Handle<Module>>>,
    /// By their index in the program.
    kernels: Mutex<BTreeMap<u32, Handle<Kernel>>>,
}

impl Registered for Library {
    const INVALID: CUresult = CUDA_ERROR_INVALID_HANDLE;

    fn registry() -> &'static Registry<Self> {
        static REGISTRY: Registry<Library> = Registry::new();
        &REGISTRY
    }
}

/// What `CUkernel` stands for.
#[derive(Debug)]
pub struct Kernel {
    library: Handle<Library>,
    index: u32,
    name: CString,
}

impl Registered for Kernel {
    const INVALID: CUresult = CUDA_ERROR_INVALID_HANDLE;

    fn registry() -> &'static Registry<Self> {
        static REGISTRY: Registry<Kernel> = Registry::new();
        &REGISTRY
    }
}

impl Library {
    /// The library in a context, loaded when it is asked for first.
    fn module(&self, context: &Context) -> Answer<Handle<Module>> {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(&context.handle.0) {
            return Ok(*module);
        }
        let module = self.code.load(context).map_err(|_| CUDA_ERROR_OUT_OF_MEMORY)?;
        modules.insert(context.handle.0, module);
        Ok(module)
    }

    /// The handle of a kernel, always the same.
    fn kernel(&self, index: u32) -> Handle<Kernel> {
        let mut kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        *kernels.entry(index).or_insert_with(|| {
            // A PTX identifier has no NUL.
            let name = CString::new(&*self.code.program.functions[index as usize].name).unwrap_or_default();
            Kernel::registry().insert(|_| Kernel { library: self.handle, index, name })
        })
    }
}

impl Kernel {
    /// The kernel in a context.
    pub(crate) fn function(&self, context: &Context) -> Answer<Handle<Function>> {
        let module = self.library.get()?.module(context)?;
        module.get()?.function(self.name.to_str().map_err(|_| CUDA_ERROR_NOT_FOUND)?)
    }
}

fn load(library: Out<Handle<Library>>, image: Result<&[u8], ImageError>, log: &ErrorLog) -> Answer {
    let code = code(image, Settings::for_context().modes(), log)?;
    let make = |handle| Library { handle, code, modules: Mutex::default(), kernels: Mutex::default() };
    library.set(Library::registry().insert(make))
}

/// How a library is loaded, and whether its image stays where it is: of no account here.
///
/// # Safety
/// `options` has `count` elements.
unsafe fn check_options(count: c_uint, options: *const c_uint) -> Answer {
    const OPTIONS: c_uint = 2;
    // SAFETY: the caller's promise.
    let options = unsafe { super::types::listed(options, count as usize)? };
    if options.iter().all(|&option| option < OPTIONS) { Ok(()) } else { Err(CUDA_ERROR_INVALID_VALUE) }
}

api! {
    /// Loads an image; options as of cuModuleLoadDataEx.
    fn cuLibraryLoadData(
        library: Out<Handle<Library>>,
        image: *const c_void,
        options: *const c_uint,
        values: *mut *mut c_void,
        count: c_uint,
        library_options: *const c_uint,
        _library_values: *const *const c_void,
        library_count: c_uint,
    ) {
        initialised()?;
        library.check()?;
        if image.is_null() {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        // SAFETY: the function's safety section; an image says itself how long it is.
        let image = unsafe {
            check_options(library_count, library_options)?;
            fatbin::bytes(image)
        };
        load(library, image, &ErrorLog::new(count, options, values)?)
    }

    /// As [`cuLibraryLoadData`], from a file.
    fn cuLibraryLoadFromFile(
        library: Out<Handle<Library>>,
        file: Text,
        options: *const c_uint,
        values: *mut *mut c_void,
        count: c_uint,
        library_options: *const c_uint,
        _library_values: *const *const c_void,
        library_count: c_uint,
    ) {
        initialised()?;
        library.check()?;
        // SAFETY: the function's safety section.
        unsafe { check_options(library_count, library_options)? };
        let image = std::fs::read(OsStr::from_bytes(file.get()?.to_bytes())).map_err(|_| CUDA_ERROR_FILE_NOT_FOUND)?;
        load(library, Ok(&image), &ErrorLog::new(count, options, values)?)
    }

    /// Ends a library, and its modules in all contexts with it.
    fn cuLibraryUnload(library: Handle<Library>) {
        initialised()?;
        let library = Library::registry().remove(library).ok_or(CUDA_ERROR_INVALID_HANDLE)?;
        Kernel::registry().remove_all(|kernel| kernel.library == library.handle);
        let modules = std::mem::take(&mut *library.modules.lock().unwrap_or_else(PoisonError::into_inner));
        for module in modules.into_values() {
            // One of a context that has ended went with that.
            let _ = Module::unload(module);
        }
        Ok(())
    }

    /// A kernel by its name.
    fn cuLibraryGetKernel(kernel: Out<Handle<Kernel>>, library: Handle<Library>, name: Text) {
        initialised()?;
        kernel.check()?;
        let name = name.get()?.to_str().map_err(|_| CUDA_ERROR_NOT_FOUND)?;
        let library = library.get()?;
        let program = &library.code.program;
        let index = entries(program).find(|&index| *program.functions[index as usize].name == *name);
        kernel.set(library.kernel(index.ok_or(CUDA_ERROR_NOT_FOUND)?))
    }

    /// How many kernels a library has.
    fn cuLibraryGetKernelCount(count: Out<c_uint>, library: Handle<Library>) {
        initialised()?;
        let kernels = entries(&library.get()?.code.program).count();
        count.set(u32::try_from(kernels).map_err(|_| CUDA_ERROR_INVALID_VALUE)?)
    }

    /// A library's kernels, as many as there is room for.
    fn cuLibraryEnumerateKernels(kernels: *mut Handle<Kernel>, count: c_uint, library: Handle<Library>) {
        initialised()?;
        let library = library.get()?;
        if kernels.is_null() {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        for (i, index) in entries(&library.code.program).take(count as usize).enumerate() {
            // SAFETY: the caller vouches for `count` places.
            unsafe { kernels.add(i).write_unaligned(library.kernel(index)) };
        }
        Ok(())
    }

    /// The library in the current context.
    fn cuLibraryGetModule(module: Out<Handle<Module>>, library: Handle<Library>) {
        let context = current()?;
        module.check()?;
        module.set(library.get()?.module(&context)?)
    }

    /// Address and size of a variable in the current context, each where it is asked for.
    fn cuLibraryGetGlobal(address: Out<CUdeviceptr>, bytes: Out<usize>, library: Handle<Library>, name: Text) {
        let context = current()?;
        let name = name.get()?.to_str().map_err(|_| CUDA_ERROR_NOT_FOUND)?;
        let module = library.get()?.module(&context)?.get()?;
        let (found, size) = module.code.variable(name).ok_or(CUDA_ERROR_NOT_FOUND)?;
        address.set_if_asked(found);
        bytes.set_if_asked(usize::try_from(size).map_err(|_| CUDA_ERROR_INVALID_VALUE)?);
        Ok(())
    }

    /// The kernel in the current context.
    fn cuKernelGetFunction(function: Out<Handle<Function>>, kernel: Handle<Kernel>) {
        let context = current()?;
        function.check()?;
        function.set(kernel.get()?.function(&context)?)
    }

    /// The kernel's library.
    fn cuKernelGetLibrary(library: Out<Handle<Library>>, kernel: Handle<Kernel>) {
        initialised()?;
        library.set(kernel.get()?.library)
    }

    /// The kernel's name, valid until its library is unloaded.
    fn cuKernelGetName(name: Out<*const c_char>, kernel: Handle<Kernel>) {
        initialised()?;
        name.set(kernel.get()?.name.as_ptr())
    }

    /// An attribute of the kernel in the primary context of a device, by its number in cuda.h.
    fn cuKernelGetAttribute(value: Out<c_int>, number: c_uint, kernel: Handle<Kernel>, device: CUdevice) {
        initialised()?;
        value.check()?;
        let function = kernel.get()?.function(&*context_on(device)?)?.get()?;
        value.set(function.attribute(number)?)
    }

    /// As cuFuncSetAttribute, in the primary context of a device.
    fn cuKernelSetAttribute(number: c_uint, value: c_int, kernel: Handle<Kernel>, device: CUdevice) {
        initialised()?;
        kernel.get()?.function(&*context_on(device)?)?.get()?.set_attribute(number, value)
    }

    /// Offset and size of a parameter, each where it is asked for; an index beyond the last is an invalid value.
    fn cuKernelGetParamInfo(kernel: Handle<Kernel>, index: usize, offset: Out<usize>, bytes: Out<usize>) {
        initialised()?;
        let kernel = kernel.get()?;
        let library = kernel.library.get()?;
        let params = &library.code.program.functions[kernel.index as usize].params;
        let parameter = params.get(index).ok_or(CUDA_ERROR_INVALID_VALUE)?;
        offset.check()?;
        offset.set_if_asked(parameter.offset as usize);
        bytes.set_if_asked(parameter.bytes as usize);
        Ok(())
    }
}
