//! The device: there is one.

use std::ffi::{c_char, c_int, c_uint};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attributes::attribute;
use super::context::{Context, check_flags, current};
use super::entry::initialised;
use super::error::{Answer, CUDA_ERROR_INVALID_CONTEXT, CUDA_ERROR_INVALID_DEVICE, CUDA_ERROR_INVALID_VALUE};
use super::handle::Handle;
use super::types::{CUdevice, CUuuid, Out, Text, write_text};
use crate::settings::{Settings, capability};

/// The only ordinal, and the only device.
pub(crate) const DEVICE: CUdevice = 0;
const PCI_BUS_ID: &str = "0000:00:00.0";

/// The context that all of a process share.
struct Primary {
    context: Handle<Context>,
    retained: u32,
    flags: c_uint,
}

fn primary() -> MutexGuard<'static, Primary> {
    static PRIMARY: Mutex<Primary> = Mutex::new(Primary { context: Handle::NULL, retained: 0, flags: 0 });
    PRIMARY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check(device: CUdevice) -> Answer {
    initialised()?;
    if device == DEVICE { Ok(()) } else { Err(CUDA_ERROR_INVALID_DEVICE) }
}

/// What the name of this device begins with, and that of no card.
pub(crate) const NAME: &str = "oblate software device";

/// The device's name.
pub(crate) fn name() -> String {
    let capability = capability();
    format!("{NAME} (sm_{}{})", capability.major, capability.minor)
}

fn total_bytes() -> u64 {
    Settings::for_context().memory_bytes
}

api! {
    /// The device of an ordinal.
    fn cuDeviceGet(device: Out<CUdevice>, ordinal: c_int) {
        check(ordinal)?;
        device.set(DEVICE)
    }

    /// How many devices there are.
    fn cuDeviceGetCount(count: Out<c_int>) {
        initialised()?;
        count.set(1)
    }

    /// The device's name, cut to `length` bytes with its NUL.
    fn cuDeviceGetName(text: *mut c_char, length: c_int, device: CUdevice) {
        check(device)?;
        write_text(text, length, &name())
    }

    /// The device's identity, the same on every machine.
    fn cuDeviceGetUuid(uuid: Out<CUuuid>, device: CUdevice) {
        check(device)?;
        uuid.set(CUuuid { bytes: *b"oblate-softgpu-0" })
    }

    /// As [`cuDeviceGetUuid`]: the device has no partitions.
    fn cuDeviceGetUuid_v2(uuid: Out<CUuuid>, device: CUdevice) {
        check(device)?;
        uuid.set(CUuuid { bytes: *b"oblate-softgpu-0" })
    }

    /// Bytes of device memory.
    fn cuDeviceTotalMem_v2(bytes: Out<usize>, device: CUdevice) {
        check(device)?;
        bytes.set(usize::try_from(total_bytes()).map_err(|_| CUDA_ERROR_INVALID_VALUE)?)
    }

    /// An attribute by its number in cuda.h.
    fn cuDeviceGetAttribute(value: Out<c_int>, number: c_uint, device: CUdevice) {
        check(device)?;
        value.set(attribute(number).ok_or(CUDA_ERROR_INVALID_VALUE)?)
    }

    /// The compute capability.
    fn cuDeviceComputeCapability(major: Out<c_int>, minor: Out<c_int>, device: CUdevice) {
        check(device)?;
        minor.check()?;
        major.set(capability().major.cast_signed())?;
        minor.set(capability().minor.cast_signed())
    }

    /// Where the device is on the bus; it is on none, and all is zero.
    fn cuDeviceGetPCIBusId(text: *mut c_char, length: c_int, device: CUdevice) {
        check(device)?;
        write_text(text, length, PCI_BUS_ID)
    }

    /// The device at a place on the bus.
    fn cuDeviceGetByPCIBusId(device: Out<CUdevice>, place: Text) {
        initialised()?;
        device.check()?;
        let place = place.get()?.to_string_lossy();
        // Domain and function may be left out.
        let found = [PCI_BUS_ID, "0000:00:00", "00:00.0", "00:00"].contains(&&*place);
        if found { device.set(DEVICE) } else { Err(CUDA_ERROR_INVALID_DEVICE) }
    }

    /// Makes the primary context when nobody holds it, and holds it.
    fn cuDevicePrimaryCtxRetain(context: Out<Handle<Context>>, device: CUdevice) {
        check(device)?;
        context.check()?;
        let mut primary = primary();
        if primary.retained == 0 {
            primary.context = Context::create(device, primary.flags);
        }
        primary.retained += 1;
        context.set(primary.context)
    }

    /// Gives up one hold; the last destroys the context.
    fn cuDevicePrimaryCtxRelease_v2(device: CUdevice) {
        check(device)?;
        let mut primary = primary();
        primary.retained = primary.retained.checked_sub(1).ok_or(CUDA_ERROR_INVALID_CONTEXT)?;
        if primary.retained == 0 {
            Context::destroy(primary.context)?;
        }
        Ok(())
    }

    /// Sets the primary context's flags, now and for when it is made again.
    fn cuDevicePrimaryCtxSetFlags_v2(device: CUdevice, flags: c_uint) {
        check(device)?;
        check_flags(flags)?;
        let mut primary = primary();
        primary.flags = flags;
        if primary.retained > 0 {
            primary.context.get()?.set_flags(flags);
        }
        Ok(())
    }

    /// The primary context's flags, and whether somebody holds it.
    fn cuDevicePrimaryCtxGetState(device: CUdevice, flags: Out<c_uint>, active: Out<c_int>) {
        check(device)?;
        active.check()?;
        let primary = primary();
        flags.set(primary.flags)?;
        active.set(c_int::from(primary.retained > 0))
    }

    /// Destroys the primary context and everything in it, whoever holds it, and with it a sticky error.
    fn cuDevicePrimaryCtxReset_v2(device: CUdevice) {
        check(device)?;
        let mut primary = primary();
        if primary.retained > 0 {
            primary.retained = 0;
            Context::destroy(primary.context)?;
        }
        Ok(())
    }
}

/// Whether a context is the one that all share: it is not for cuCtxDestroy.
pub(crate) fn is_primary(context: Handle<Context>) -> bool {
    let primary = primary();
    primary.retained > 0 && primary.context == context
}

/// The current context where it is the device's, else the device's primary one.
pub(crate) fn context_on(device: CUdevice) -> Answer<Arc<Context>> {
    check(device)?;
    match current() {
        Ok(context) if context.device == device => Ok(context),
        _ => primary().context.get(),
    }
}
