//! The devices: one, or as many as `SOFTGPU_DEVICES` says, all alike.

use std::ffi::{c_char, c_int, c_uint};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attributes::attribute;
use super::context::{Context, check_flags, current};
use super::entry::initialised;
use super::error::{Answer, CUDA_ERROR_INVALID_CONTEXT, CUDA_ERROR_INVALID_DEVICE, CUDA_ERROR_INVALID_VALUE};
use super::handle::Handle;
use super::types::{CUdevice, CUuuid, Out, Text, write_text};
use crate::settings::{MOST_DEVICES, Machine, Settings, capability, machine};

/// A device's place on the bus: a bus each.
fn bus_id(device: CUdevice) -> String {
    format!("0000:{device:02x}:00.0")
}

/// The context of a device that all of a process share.
#[derive(Clone, Copy)]
struct Primary {
    context: Handle<Context>,
    retained: u32,
    flags: c_uint,
}

/// By device.
type Primaries = [Primary; MOST_DEVICES];

fn primaries() -> MutexGuard<'static, Primaries> {
    static PRIMARIES: Mutex<Primaries> =
        Mutex::new([Primary { context: Handle::NULL, retained: 0, flags: 0 }; MOST_DEVICES]);
    PRIMARIES.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn count() -> usize {
    machine().devices as usize
}

/// The device's number, if there is such a device.
fn index(device: CUdevice) -> Answer<usize> {
    initialised()?;
    usize::try_from(device).ok().filter(|&index| index < count()).ok_or(CUDA_ERROR_INVALID_DEVICE)
}

pub(crate) fn check(device: CUdevice) -> Answer {
    index(device).map(drop)
}

/// The primary context of a device, while somebody holds it.
pub(crate) fn primary_on(device: CUdevice) -> Option<Handle<Context>> {
    let primary = primaries()[index(device).ok()?];
    (primary.retained > 0).then_some(primary.context)
}

fn uuid(device: CUdevice) -> Answer<CUuuid> {
    let mut bytes = *b"oblate-softgpu-0";
    // A digit, or the letter behind: there are 16 devices at most.
    bytes[15] += index(device)? as u8;
    Ok(CUuuid { bytes })
}

/// What the name of this device begins with, and that of no card.
pub(crate) const NAME: &str = "oblate software device";

/// The device's name.
pub(crate) fn name() -> String {
    let Machine { capability, card, .. } = machine();
    let card = card.map(|card| format!("{}, ", card.name)).unwrap_or_default();
    format!("{NAME} ({card}sm_{}{})", capability.major, capability.minor)
}

fn total_bytes() -> u64 {
    Settings::for_context().memory_bytes
}

api! {
    /// The device of an ordinal.
    fn cuDeviceGet(device: Out<CUdevice>, ordinal: c_int) {
        check(ordinal)?;
        device.set(ordinal)
    }

    /// How many devices there are.
    fn cuDeviceGetCount(count: Out<c_int>) {
        initialised()?;
        count.set(c_int::try_from(self::count()).map_err(|_| CUDA_ERROR_INVALID_VALUE)?)
    }

    /// The device's name, cut to `length` bytes with its NUL.
    fn cuDeviceGetName(text: *mut c_char, length: c_int, device: CUdevice) {
        check(device)?;
        write_text(text, length, &name())
    }

    /// The device's identity, the same on every machine.
    fn cuDeviceGetUuid(uuid: Out<CUuuid>, device: CUdevice) {
        uuid.set(self::uuid(device)?)
    }

    /// As [`cuDeviceGetUuid`]: the device has no partitions.
    fn cuDeviceGetUuid_v2(uuid: Out<CUuuid>, device: CUdevice) {
        uuid.set(self::uuid(device)?)
    }

    /// Bytes of device memory.
    fn cuDeviceTotalMem_v2(bytes: Out<usize>, device: CUdevice) {
        check(device)?;
        bytes.set(usize::try_from(total_bytes()).map_err(|_| CUDA_ERROR_INVALID_VALUE)?)
    }

    /// An attribute by its number in cuda.h.
    fn cuDeviceGetAttribute(value: Out<c_int>, number: c_uint, device: CUdevice) {
        check(device)?;
        value.set(attribute(number, device).ok_or(CUDA_ERROR_INVALID_VALUE)?)
    }

    /// The compute capability.
    fn cuDeviceComputeCapability(major: Out<c_int>, minor: Out<c_int>, device: CUdevice) {
        check(device)?;
        minor.check()?;
        major.set(capability().major.cast_signed())?;
        minor.set(capability().minor.cast_signed())
    }

    /// Where the device is on the bus.
    fn cuDeviceGetPCIBusId(text: *mut c_char, length: c_int, device: CUdevice) {
        check(device)?;
        write_text(text, length, &bus_id(device))
    }

    /// The device at a place on the bus.
    fn cuDeviceGetByPCIBusId(device: Out<CUdevice>, place: Text) {
        initialised()?;
        device.check()?;
        let place = place.get()?.to_string_lossy();
        // Domain and function may be left out.
        let names = |device: CUdevice| {
            let whole = bus_id(device);
            [&whole[..], &whole[..10], &whole[5..], &whole[5..10]].contains(&&*place)
        };
        let found = (0..self::count() as CUdevice).find(|&device| names(device));
        device.set(found.ok_or(CUDA_ERROR_INVALID_DEVICE)?)
    }

    /// Makes the primary context when nobody holds it, and holds it.
    fn cuDevicePrimaryCtxRetain(context: Out<Handle<Context>>, device: CUdevice) {
        let index = index(device)?;
        context.check()?;
        let primary = &mut primaries()[index];
        if primary.retained == 0 {
            primary.context = Context::create(device, primary.flags);
        }
        primary.retained += 1;
        context.set(primary.context)
    }

    /// Gives up one hold; the last destroys the context.
    fn cuDevicePrimaryCtxRelease_v2(device: CUdevice) {
        let index = index(device)?;
        let mut primaries = primaries();
        let primary = &mut primaries[index];
        primary.retained = primary.retained.checked_sub(1).ok_or(CUDA_ERROR_INVALID_CONTEXT)?;
        let ended = (primary.retained == 0).then_some(primary.context);
        drop(primaries);
        ended.map_or(Ok(()), Context::destroy)
    }

    /// Sets the primary context's flags, now and for when it is made again.
    fn cuDevicePrimaryCtxSetFlags_v2(device: CUdevice, flags: c_uint) {
        let index = index(device)?;
        check_flags(flags)?;
        let primary = &mut primaries()[index];
        primary.flags = flags;
        if primary.retained > 0 {
            primary.context.get()?.set_flags(flags);
        }
        Ok(())
    }

    /// The primary context's flags, and whether somebody holds it.
    fn cuDevicePrimaryCtxGetState(device: CUdevice, flags: Out<c_uint>, active: Out<c_int>) {
        let index = index(device)?;
        active.check()?;
        let primary = primaries()[index];
        flags.set(primary.flags)?;
        active.set(c_int::from(primary.retained > 0))
    }

    /// Destroys the primary context and everything in it, whoever holds it, and with it a sticky error.
    fn cuDevicePrimaryCtxReset_v2(device: CUdevice) {
        let index = index(device)?;
        let mut primaries = primaries();
        let ended = (primaries[index].retained > 0).then_some(primaries[index].context);
        primaries[index].retained = 0;
        drop(primaries);
        ended.map_or(Ok(()), Context::destroy)
    }
}

/// Whether a context is the one that all share: it is not for cuCtxDestroy.
pub(crate) fn is_primary(context: Handle<Context>) -> bool {
    primaries().iter().any(|primary| primary.retained > 0 && primary.context == context)
}

/// The current context where it is the device's, else the device's primary one.
pub(crate) fn context_on(device: CUdevice) -> Answer<Arc<Context>> {
    check(device)?;
    match current() {
        Ok(context) if context.device == device => Ok(context),
        _ => primary_on(device).ok_or(CUDA_ERROR_INVALID_CONTEXT)?.get(),
    }
}
