//! Devices, streams, kernels and workspaces: the driver, without any operation. With [`crate::View`], all of the library
//! that names cudarc.

pub(crate) mod driver;
mod kernel;
mod stream;
mod workspace;

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

pub(crate) use cudarc::driver::CudaStream;
use cudarc::driver::sys;

pub(crate) use kernel::{Kernel, Module};
pub use stream::{DevicePtr, Stream};
pub(crate) use workspace::handle_number;
pub use workspace::{Status, Workspace};

use crate::{Error, Result};

const OP: &str = "device";

/// The least compute capability that the kernels are built for.
const LEAST_CAPABILITY: (u32, u32) = (8, 0);

/// A CUDA context of a device, and what is loaded into it. Clones are the same; the kernels are unloaded, and the primary
/// context released, when the last of them and of the handles made for it is gone.
#[derive(Clone)]
pub struct Device(Arc<Context>);

/// A context, of which there is one `Context` in the process, however many devices were made of it.
struct Context {
    raw: sys::CUcontext,
    device: sys::CUdevice,
    /// Whether a reference on the device's primary context is held.
    is_retained: bool,
    name: String,
    capability: (u32, u32),
    shared_bytes_per_block: u32,
    /// By the address of the image: a fatbin is a static of this crate.
    modules: Mutex<HashMap<usize, Arc<Module>>>,
}

// SAFETY: a CUcontext may be used from any thread; the driver locks what it has to.
unsafe impl Send for Context {}
// SAFETY: as above; the modules are behind a lock.
unsafe impl Sync for Context {}

/// The contexts that devices were made of, by address.
static CONTEXTS: Mutex<Option<HashMap<usize, Weak<Context>>>> = Mutex::new(None);

/// What is behind the lock: nothing here is left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Device {
    /// The device of this number, by its primary context, which it retains: the one of the CUDA runtime and of cudarc.
    ///
    /// # Errors
    /// `NoDriver`, `DriverLacks` and `DriverTooOld` for the driver; `NoDevice` for the number; `CapabilityTooLow` for a
    /// device that the kernels are not built for; `Driver` for what the driver refuses.
    pub fn new(ordinal: usize) -> Result<Self> {
        let count = count()?;
        let number = c_int::try_from(ordinal).ok().filter(|_| ordinal < count);
        let device = device_at(number.ok_or(Error::NoDevice { ordinal, count })?)?;
        let mut raw = std::ptr::null_mut();
        // SAFETY: `raw` outlives the call.
        unsafe { driver::cuDevicePrimaryCtxRetain(&raw mut raw, device) }.map_err(|failure| failure.of(OP))?;
        Self::of_context(raw, device, true)
    }

    /// The device of the context that is current on this thread: the caller's own. Nothing is created. A context other
    /// than a device's primary one has to outlive the `Device` and the handles made for it.
    ///
    /// # Errors
    /// `NoDriver`, `DriverLacks` and `DriverTooOld` for the driver; `NoCurrentContext`; `CapabilityTooLow` for a device
    /// that the kernels are not built for; `Driver` for what the driver refuses.
    pub fn current() -> Result<Self> {
        let raw = driver::present(OP)?.then(current_context).flatten().ok_or(Error::NoCurrentContext)?;
        let mut device = 0;
        // SAFETY: `device` outlives the call.
        unsafe { driver::cuCtxGetDevice(&raw mut device) }.map_err(|failure| failure.of(OP))?;
        Self::of_context(raw, device, retain_primary(raw, device)?)
    }

    /// The `Context` of `raw`, of which a reference is held when `is_retained`.
    fn of_context(raw: sys::CUcontext, device: sys::CUdevice, is_retained: bool) -> Result<Self> {
        let mut contexts = lock(&CONTEXTS);
        let contexts = contexts.get_or_insert_default();
        contexts.retain(|_, context| context.strong_count() > 0);
        // Made first, so that its drop gives the reference back wherever this ends.
        let mut new = Context {
            raw,
            device,
            is_retained,
            name: String::new(),
            capability: (0, 0),
            shared_bytes_per_block: 0,
            modules: Mutex::default(),
        };
        if let Some(known) = contexts.get(&raw.addr()).and_then(Weak::upgrade) {
            return Ok(Self(known));
        }
        new.name = name(device)?;
        new.capability = (
            attribute(device, sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(device, sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        );
        if new.capability < LEAST_CAPABILITY {
            let (name, have) = (std::mem::take(&mut new.name), new.capability);
            return Err(Error::CapabilityTooLow { name, have, need: LEAST_CAPABILITY });
        }
        new.shared_bytes_per_block =
            attribute(device, sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
        let new = Arc::new(new);
        contexts.insert(raw.addr(), Arc::downgrade(&new));
        Ok(Self(new))
    }

    /// The name of the device, as the driver gives it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The compute capability: (8, 0) for 8.0.
    pub fn capability(&self) -> (u32, u32) {
        self.0.capability
    }

    /// Bytes of shared memory that a block can have when its kernel asks for them.
    pub fn shared_bytes_per_block(&self) -> u32 {
        self.0.shared_bytes_per_block
    }

    /// The CUcontext, as a plain address.
    pub fn context(&self) -> usize {
        self.0.raw.addr()
    }

    /// The entry point `name` of a fatbin, which may be launched with up to `shared_bytes` of dynamic shared memory.
    pub(crate) fn kernel(
        &self,
        operation: &'static str,
        image: &'static [u8],
        name: &str,
        shared_bytes: u32,
    ) -> Result<Kernel> {
        let _current = self.enter(operation)?;
        let module = {
            let mut modules = lock(&self.0.modules);
            if let Some(module) = modules.get(&image.as_ptr().addr()) {
                Arc::clone(module)
            } else {
                let module = Arc::new(Module::load(operation, image)?);
                modules.insert(image.as_ptr().addr(), Arc::clone(&module));
                module
            }
        };
        Kernel::new(operation, self.clone(), &module, name, shared_bytes)
    }

    /// Waits for what is on the stream, and reads `bytes` from `from`.
    ///
    /// # Safety
    /// As many bytes are readable there; the stream is alive and of the device's context.
    pub(crate) unsafe fn read(
        &self,
        operation: &'static str,
        stream: Stream,
        from: DevicePtr,
        bytes: &mut [u8],
    ) -> Result<()> {
        let _current = self.enter(operation)?;
        // SAFETY: `bytes` outlives the wait below; the caller vouches for the rest.
        unsafe { driver::cuMemcpyDtoHAsync_v2(bytes.as_mut_ptr().cast(), from.0, bytes.len(), stream.raw()) }
            .map_err(|failure| failure.of(operation))?;
        // SAFETY: the stream is alive.
        unsafe { driver::cuStreamSynchronize(stream.raw()) }.map_err(|failure| failure.of(operation))
    }

    /// Writes `bytes` to `to` in the order of the stream, and waits for it.
    ///
    /// # Safety
    /// As many bytes are writable there; the stream is alive and of the device's context.
    pub(crate) unsafe fn write(
        &self,
        operation: &'static str,
        stream: Stream,
        to: DevicePtr,
        bytes: &[u8],
    ) -> Result<()> {
        let _current = self.enter(operation)?;
        // SAFETY: `bytes` outlives the wait below; the caller vouches for the rest.
        unsafe { driver::cuMemcpyHtoDAsync_v2(to.0, bytes.as_ptr().cast(), bytes.len(), stream.raw()) }
            .map_err(|failure| failure.of(operation))?;
        // SAFETY: the stream is alive.
        unsafe { driver::cuStreamSynchronize(stream.raw()) }.map_err(|failure| failure.of(operation))
    }

    /// The stream, which is of this context, as a plain value, and the context current until the guard goes.
    pub(crate) fn enter_with(&self, operation: &'static str, stream: &CudaStream) -> Result<(Stream, Current)> {
        let (came, expected) = (stream.context().cu_ctx().addr(), self.context());
        if came != expected {
            return Err(Error::WrongContext { operation, what: "the stream", came, expected });
        }
        Ok((Stream::from(stream), self.enter(operation)?))
    }

    /// Makes the context current on this thread until the guard goes.
    pub(crate) fn enter(&self, operation: &'static str) -> Result<Current> {
        self.0.enter().map_err(|failure| failure.of(operation))
    }
}

impl Context {
    fn enter(&self) -> std::result::Result<Current, driver::Failure> {
        let is_pushed = current_context() != Some(self.raw);
        if is_pushed {
            // SAFETY: the context is alive: retained, or the caller's, who keeps it.
            unsafe { driver::cuCtxPushCurrent_v2(self.raw) }?;
        }
        Ok(Current { is_pushed })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // An answer other than success has nobody to hear it: the context is gone, or is going.
        if let Ok(_current) = self.enter() {
            lock(&self.modules).drain().for_each(|(_, module)| module.unload());
        }
        if self.is_retained {
            // SAFETY: the reference is ours, and given back once.
            let _ = unsafe { driver::cuDevicePrimaryCtxRelease_v2(self.device) };
        }
    }
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        self.context() == other.context()
    }
}

impl Eq for Device {}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("name", &self.name())
            .field("capability", &self.capability())
            .field("context", &self.0.raw)
            .finish_non_exhaustive()
    }
}

/// The context of a device is current on the thread; what was current before is so again when this goes.
#[derive(Debug)]
pub(crate) struct Current {
    is_pushed: bool,
}

impl Drop for Current {
    fn drop(&mut self) {
        if self.is_pushed {
            let mut popped = std::ptr::null_mut();
            // SAFETY: `popped` outlives the call. Guards go in the reverse order of their making, so this pops what was
            // pushed; that the driver is going down has nobody to hear it.
            let _ = unsafe { driver::cuCtxPopCurrent_v2(&raw mut popped) };
        }
    }
}

/// A device of this machine, as [`devices`] finds it. Nothing is created on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceInfo {
    /// What `Device::new` takes.
    pub ordinal: usize,
    /// As the driver gives it.
    pub name: String,
    /// The compute capability: (8, 0) for 8.0.
    pub capability: (u32, u32),
    /// Bytes of device memory.
    pub memory_bytes: usize,
}

/// The devices of this machine; none where the driver finds none.
///
/// # Errors
/// `NoDriver`, `DriverLacks` and `DriverTooOld` for the driver; `Driver` for what the driver refuses.
pub fn devices() -> Result<Vec<DeviceInfo>> {
    let info = |ordinal| {
        let device = device_at(c_int::try_from(ordinal).unwrap_or(c_int::MAX))?;
        let mut memory_bytes = 0;
        // SAFETY: `memory_bytes` outlives the call.
        unsafe { driver::cuDeviceTotalMem_v2(&raw mut memory_bytes, device) }.map_err(|failure| failure.of(OP))?;
        let capability = (
            attribute(device, sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(device, sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        );
        Ok(DeviceInfo { ordinal, name: name(device)?, capability, memory_bytes })
    };
    (0..count()?).map(info).collect()
}

/// How many devices there are.
fn count() -> Result<usize> {
    if !driver::present(OP)? {
        return Ok(0);
    }
    let mut count = 0;
    // SAFETY: `count` outlives the call.
    unsafe { driver::cuDeviceGetCount(&raw mut count) }.map_err(|failure| failure.of(OP))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

fn device_at(ordinal: c_int) -> Result<sys::CUdevice> {
    let mut device = 0;
    // SAFETY: `device` outlives the call.
    unsafe { driver::cuDeviceGet(&raw mut device, ordinal) }.map_err(|failure| failure.of(OP))?;
    Ok(device)
}

fn name(device: sys::CUdevice) -> Result<String> {
    let mut text: [c_char; 256] = [0; 256];
    // SAFETY: the driver writes at most the 256 bytes that it is told of, NUL among them.
    unsafe { driver::cuDeviceGetName(text.as_mut_ptr(), 256, device) }.map_err(|failure| failure.of(OP))?;
    // SAFETY: a NUL ends the text within its 256 bytes.
    Ok(unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned())
}

fn attribute(device: sys::CUdevice, which: sys::CUdevice_attribute) -> Result<u32> {
    let mut value = 0;
    // SAFETY: `value` outlives the call.
    unsafe { driver::cuDeviceGetAttribute(&raw mut value, which, device) }.map_err(|failure| failure.of(OP))?;
    Ok(u32::try_from(value).unwrap_or(0))
}

/// The context that is current on this thread.
fn current_context() -> Option<sys::CUcontext> {
    let mut raw = std::ptr::null_mut();
    // SAFETY: `raw` outlives the call. It fails only when the driver goes down, where no context is current.
    let answer = unsafe { driver::cuCtxGetCurrent(&raw mut raw) };
    answer.ok().filter(|()| !raw.is_null()).map(|()| raw)
}

/// Takes a reference on the device's primary context when `raw` is it, so that it stays while the `Device` does.
fn retain_primary(raw: sys::CUcontext, device: sys::CUdevice) -> Result<bool> {
    let (mut flags, mut active) = (0, 0);
    // SAFETY: both outlive the call.
    unsafe { driver::cuDevicePrimaryCtxGetState(device, &raw mut flags, &raw mut active) }
        .map_err(|failure| failure.of(OP))?;
    if active == 0 {
        return Ok(false); // retaining it would create it
    }
    let mut primary = std::ptr::null_mut();
    // SAFETY: `primary` outlives the call.
    unsafe { driver::cuDevicePrimaryCtxRetain(&raw mut primary, device) }.map_err(|failure| failure.of(OP))?;
    if primary != raw {
        // SAFETY: the reference was taken above.
        unsafe { driver::cuDevicePrimaryCtxRelease_v2(device) }.map_err(|failure| failure.of(OP))?;
    }
    Ok(primary == raw)
}
