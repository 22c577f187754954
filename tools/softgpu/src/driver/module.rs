//! Modules: an image's PTX, decoded, its variables in the context's memory.

use std::collections::BTreeMap;
use std::ffi::{OsStr, c_char, c_uint, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex, PoisonError};

use super::context::{Context, current};
use super::entry::initialised;
use super::error::{
    Answer, CUDA_ERROR_FILE_NOT_FOUND, CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_IMAGE, CUDA_ERROR_INVALID_PTX,
    CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NO_BINARY_FOR_GPU, CUDA_ERROR_NOT_FOUND, CUDA_ERROR_OUT_OF_MEMORY,
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION, CUresult,
};
use super::function::Function;
use super::handle::{Handle, Registered, Registry};
use super::types::{CUdeviceptr, Out, Text};
use super::{Call, this_call};
use crate::cubin;
use crate::execute;
use crate::fatbin::{self, ImageError};
use crate::memory::OutOfMemory;
use crate::numerics::Modes;
use crate::program::contract::contract;
use crate::program::{self, Program};
use crate::ptx::{self, PtxError};
use crate::rewrite::rewritten;
use crate::settings::capability;

/// What `CUmodule` stands for.
#[derive(Debug)]
pub struct Module {
    pub(crate) handle: Handle<Module>,
    pub(crate) context: Handle<Context>,
    pub(crate) code: execute::Module,
    /// The PTX's `.target` as 10 major + minor.
    pub(crate) target: u32,
    /// Of each kernel that a cubin beside the PTX has.
    pub(crate) registers: BTreeMap<String, u32>,
    /// Those that somebody has asked for, by their index in the program.
    functions: Mutex<BTreeMap<u32, Handle<Function>>>,
    pub(crate) made_by: Call,
}

impl Registered for Module {
    const INVALID: CUresult = CUDA_ERROR_INVALID_HANDLE;

    fn registry() -> &'static Registry<Self> {
        static REGISTRY: Registry<Module> = Registry::new();
        &REGISTRY
    }
}

/// Why an image cannot be loaded.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Ptx(#[from] PtxError),
    #[error("the PTX is of version {}.{}, newer than {}.{}", .0.0, .0.1, NEWEST_PTX.0, NEWEST_PTX.1)]
    Version((u32, u32)),
    #[error("the PTX is for {target}, the device is sm_{device}")]
    Target { target: String, device: u32 },
}

impl LoadError {
    fn result(&self) -> CUresult {
        match self {
            Self::Image(ImageError::NoBinaryForGpu { .. }) => CUDA_ERROR_NO_BINARY_FOR_GPU,
            Self::Image(_) => CUDA_ERROR_INVALID_IMAGE,
            Self::Ptx(_) | Self::Target { .. } => CUDA_ERROR_INVALID_PTX,
            Self::Version(_) => CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
        }
    }
}

/// The PTX of CUDA 13.0.
const NEWEST_PTX: (u32, u32) = (9, 0);

/// What an image comes to, of no context yet.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) program: Arc<Program>,
    text: Arc<str>,
    target: u32,
    registers: BTreeMap<String, u32>,
}

impl Code {
    fn new(image: Result<&[u8], ImageError>, modes: Modes) -> Result<Self, LoadError> {
        let capability = capability();
        let image = image?;
        let text = rewritten(fatbin::ptx(image, (capability.major, capability.minor))?);
        let cubin = fatbin::cubin(image, (capability.major, capability.minor));
        let mut module = ptx::parse(&text)?;
        if module.version > NEWEST_PTX {
            return Err(LoadError::Version(module.version));
        }
        let device = capability.major * 10 + capability.minor;
        let digits = module.target.trim_start_matches(|c: char| !c.is_ascii_digit());
        let number = digits.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(u32::MAX);
        // A letter behind the number: for that architecture alone.
        let alone = digits.ends_with(|c: char| !c.is_ascii_digit());
        if number > device || (alone && number != device) {
            return Err(LoadError::Target { target: module.target, device });
        }
        if modes.contract {
            contract(&mut module);
        }
        let text = Arc::clone(&module.text);
        let program = Arc::new(program::decode_for(module, modes)?);
        let registers = cubin.map(|cubin| cubin::registers(&cubin)).unwrap_or_default();
        Ok(Self { program, text, target: number, registers })
    }

    /// Gives the variables memory in a context.
    pub(crate) fn load(&self, context: &Context) -> Result<Handle<Module>, OutOfMemory> {
        let code = execute::Module::load(Arc::clone(&self.program), Arc::clone(&self.text), &context.memory)?;
        Ok(Module::registry().insert(|handle| Module {
            handle,
            context: context.handle,
            code,
            target: self.target,
            registers: self.registers.clone(),
            functions: Mutex::default(),
            made_by: this_call(),
        }))
    }
}

impl Module {
    pub(crate) fn program(&self) -> &Program {
        &self.code.program
    }

    /// The handle of a kernel, always the same.
    pub(crate) fn function(self: &Arc<Self>, name: &str) -> Answer<Handle<Function>> {
        let index = self.entries().find(|&index| *self.program().functions[index as usize].name == *name);
        let index = index.ok_or(CUDA_ERROR_NOT_FOUND)?;
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(*functions.entry(index).or_insert_with(|| Function::create(Arc::clone(self), index)))
    }

    /// Indices of the kernels.
    fn entries(&self) -> impl Iterator<Item = u32> {
        entries(self.program())
    }

    /// Ends it, and its kernels and variables with it.
    pub(crate) fn unload(handle: Handle<Self>) -> Answer {
        let module = Self::registry().remove(handle).ok_or(CUDA_ERROR_INVALID_HANDLE)?;
        Function::registry().remove_all(|function| function.module.handle == module.handle);
        module.code.unload(&module.context.get()?.memory);
        Ok(())
    }
}

/// Indices of a program's kernels.
pub(crate) fn entries(program: &Program) -> impl Iterator<Item = u32> {
    (0u32..).zip(&program.functions).filter(|(_, function)| function.is_entry).map(|(index, _)| index)
}

/// The options of cuModuleLoadDataEx that this device heeds: where the text of an error goes.
#[derive(Default)]
pub(crate) struct ErrorLog {
    buffer: Option<*mut c_char>,
    bytes: usize,
    /// The place of the size among the options, which gets what was written.
    size: Option<*mut *mut c_void>,
}

const INFO_LOG_BUFFER_SIZE: c_uint = 4;
const ERROR_LOG_BUFFER: c_uint = 5;
const ERROR_LOG_BUFFER_SIZE: c_uint = 6;
const OPTIONS: c_uint = 35;

impl ErrorLog {
    /// Every other option speaks of a compiler that is not here.
    pub(crate) fn new(count: c_uint, options: *const c_uint, values: *mut *mut c_void) -> Answer<Self> {
        let mut log = Self::default();
        if count > 0 && (options.is_null() || values.is_null()) {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        for i in 0..count as usize {
            // SAFETY: the caller vouches for `count` options, each with its value.
            let (option, place) = unsafe { (*options.add(i), values.add(i)) };
            // SAFETY: as above.
            let value = unsafe { *place };
            match option {
                ERROR_LOG_BUFFER => log.buffer = Some(value.cast()),
                // The low half is the number, the rest may be anything: callers store an unsigned int there.
                ERROR_LOG_BUFFER_SIZE => (log.bytes, log.size) = (value.addr() & u32::MAX as usize, Some(place)),
                // Nothing is said but errors.
                // SAFETY: as above.
                INFO_LOG_BUFFER_SIZE => unsafe { *place = std::ptr::null_mut() },
                OPTIONS.. => return Err(CUDA_ERROR_INVALID_VALUE),
                _ => {}
            }
        }
        Ok(log)
    }

    /// Writes the text, cut to fit, with its NUL; on standard error when the caller has no place for it.
    fn write(&self, text: &str) {
        let buffer = self.buffer.filter(|buffer| !buffer.is_null() && self.bytes > 0);
        let mut written = 0;
        if let Some(buffer) = buffer {
            let text = &text.as_bytes()[..text.len().min(self.bytes - 1)];
            // SAFETY: the caller vouches for `bytes` bytes at the buffer, and this writes no more.
            unsafe {
                buffer.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len());
                buffer.add(text.len()).write(0);
            }
            written = text.len() + 1;
        } else if !text.is_empty() {
            eprintln!("softgpu: a module does not load: {text}");
        }
        if let Some(size) = self.size {
            // SAFETY: the place is one of the caller's values.
            unsafe { *size = std::ptr::without_provenance_mut(written) };
        }
    }
}

/// What an image comes to; of an error, the text goes where the caller wants it.
pub(crate) fn code(image: Result<&[u8], ImageError>, modes: Modes, log: &ErrorLog) -> Answer<Code> {
    match Code::new(image, modes) {
        Ok(code) => {
            if log.buffer.is_some() || log.size.is_some() {
                log.write("");
            }
            Ok(code)
        }
        Err(error) => {
            log.write(&error.to_string());
            Err(error.result())
        }
    }
}

fn load(module: Out<Handle<Module>>, image: Result<&[u8], ImageError>, log: &ErrorLog) -> Answer {
    let context = current()?;
    module.check()?;
    context.captures.permit()?;
    let loaded = code(image, context.settings.modes(), log)?.load(&context).map_err(|error| {
        log.write(&error.to_string());
        CUDA_ERROR_OUT_OF_MEMORY
    })?;
    module.set(loaded)
}

fn load_data(module: Out<Handle<Module>>, image: *const c_void, log: &ErrorLog) -> Answer {
    current()?;
    if image.is_null() {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    // SAFETY: the caller vouches for an image, which says itself how long it is.
    load(module, unsafe { fatbin::bytes(image) }, log)
}

const EAGER_LOADING: c_uint = 1;

api! {
    /// Loads an image from a file: a fatbin or PTX text.
    fn cuModuleLoad(module: Out<Handle<Module>>, file: Text) {
        current()?;
        module.check()?;
        let image = std::fs::read(OsStr::from_bytes(file.get()?.to_bytes())).map_err(|_| CUDA_ERROR_FILE_NOT_FOUND)?;
        load(module, Ok(&image), &ErrorLog::default())
    }

    /// Loads an image: a fatbin, its wrapper, or PTX text.
    fn cuModuleLoadData(module: Out<Handle<Module>>, image: *const c_void) {
        load_data(module, image, &ErrorLog::default())
    }

    /// As [`cuModuleLoadData`]; the options may name a buffer for the text of an error.
    fn cuModuleLoadDataEx(
        module: Out<Handle<Module>>,
        image: *const c_void,
        count: c_uint,
        options: *const c_uint,
        values: *mut *mut c_void,
    ) {
        current()?;
        load_data(module, image, &ErrorLog::new(count, options, values)?)
    }

    /// As [`cuModuleLoadData`].
    fn cuModuleLoadFatBinary(module: Out<Handle<Module>>, image: *const c_void) {
        load_data(module, image, &ErrorLog::default())
    }

    /// Ends a module: its kernels and variables are gone.
    fn cuModuleUnload(module: Handle<Module>) {
        let context = current()?;
        if module.get()?.context != context.handle {
            return Err(CUDA_ERROR_INVALID_HANDLE);
        }
        Module::unload(module)
    }

    /// How kernels are loaded: with their module (1).
    fn cuModuleGetLoadingMode(mode: Out<c_uint>) {
        initialised()?;
        mode.set(EAGER_LOADING)
    }

    /// A module's kernels, as many as there is room for.
    fn cuModuleEnumerateFunctions(functions: *mut Handle<Function>, count: c_uint, module: Handle<Module>) {
        current()?;
        let module = module.get()?;
        if functions.is_null() {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        for (i, index) in module.entries().take(count as usize).enumerate() {
            let function = module.function(&module.program().functions[index as usize].name)?;
            // SAFETY: the caller vouches for `count` places.
            unsafe { functions.add(i).write_unaligned(function) };
        }
        Ok(())
    }

    /// A kernel by its name.
    fn cuModuleGetFunction(function: Out<Handle<Function>>, module: Handle<Module>, name: Text) {
        current()?;
        function.check()?;
        let name = name.get()?.to_str().map_err(|_| CUDA_ERROR_NOT_FOUND)?;
        function.set(module.get()?.function(name)?)
    }

    /// How many kernels a module has.
    fn cuModuleGetFunctionCount(count: Out<c_uint>, module: Handle<Module>) {
        current()?;
        count.set(u32::try_from(module.get()?.entries().count()).map_err(|_| CUDA_ERROR_INVALID_VALUE)?)
    }

    /// Address and size of a module's variable, each where it is asked for.
    fn cuModuleGetGlobal_v2(address: Out<CUdeviceptr>, bytes: Out<usize>, module: Handle<Module>, name: Text) {
        current()?;
        let name = name.get()?.to_str().map_err(|_| CUDA_ERROR_NOT_FOUND)?;
        let (found, size) = module.get()?.code.variable(name).ok_or(CUDA_ERROR_NOT_FOUND)?;
        address.set_if_asked(found);
        bytes.set_if_asked(usize::try_from(size).map_err(|_| CUDA_ERROR_INVALID_VALUE)?);
        Ok(())
    }
}
