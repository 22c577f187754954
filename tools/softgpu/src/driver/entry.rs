//! Initialisation, the version, and the functions by their names.

use std::ffi::{c_int, c_uint, c_void};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::{
    Answer, CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NOT_FOUND, CUDA_ERROR_NOT_INITIALIZED, CUDA_ERROR_NOT_SUPPORTED,
};
use super::types::{CUuuid, Out, Text};
use crate::settings::Settings;

/// The version of the API that the device speaks, as cuDriverGetVersion counts: 1000 major + 10 minor.
pub(crate) const VERSION: c_int = 13_000;

static INITIALISED: AtomicBool = AtomicBool::new(false);

/// Every function but those of this file and the names of errors begins with it, if only through the context.
pub(crate) fn initialised() -> Answer {
    if INITIALISED.load(Ordering::Acquire) { Ok(()) } else { Err(CUDA_ERROR_NOT_INITIALIZED) }
}

const FOUND: c_int = 0;
const SYMBOL_NOT_FOUND: c_int = 1;
const VERSION_NOT_SUFFICIENT: c_int = 2;
/// Both modes for the default stream are the same here.
const PROC_ADDRESS_FLAGS: u64 = 3;

api! {
    /// Initialises the driver; an environment that does not make sense is said on stderr.
    fn cuInit(flags: c_uint) {
        if flags != 0 {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        Settings::environment().map_err(|error| {
            eprintln!("softgpu: {error}");
            CUDA_ERROR_INVALID_VALUE
        })?;
        INITIALISED.store(true, Ordering::Release);
        Ok(())
    }

    /// The newest version of CUDA that the driver serves; needs no initialisation.
    fn cuDriverGetVersion(version: Out<c_int>) {
        version.set(VERSION)
    }

    /// Private tables of the driver, by which the runtime API reaches it: there are none here.
    fn cuGetExportTable(table: Out<*const c_void>, id: *const CUuuid) {
        initialised()?;
        table.check()?;
        // SAFETY: the caller vouches for the name of a table, or gives null.
        let id = unsafe { id.as_ref() }.ok_or(CUDA_ERROR_INVALID_VALUE)?;
        refuse_table(id);
        table.set(std::ptr::null())?;
        Err(CUDA_ERROR_NOT_SUPPORTED)
    }

    /// A function's address by its name without the `_v2` of later versions, for a program of version `version`.
    fn cuGetProcAddress_v2(symbol: Text, address: Out<*const c_void>, version: c_int, flags: u64, status: Out<c_int>) {
        let name = symbol.get()?.to_str().map_err(|_| CUDA_ERROR_INVALID_VALUE)?;
        address.check()?;
        if name.is_empty() || flags & !PROC_ADDRESS_FLAGS != 0 {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        let found = newest(name, version);
        let has_newer = found.is_none() && newest(name, VERSION).is_some();
        address.set(found.unwrap_or(std::ptr::null()))?;
        status.set_if_asked(match (found, has_newer) {
            (Some(_), _) => FOUND,
            (None, true) => VERSION_NOT_SUFFICIENT,
            (None, false) => SYMBOL_NOT_FOUND,
        });
        // With somewhere to put the status, a missing symbol is an answer; without, an error.
        if found.is_none() && status.check().is_err() { Err(CUDA_ERROR_NOT_FOUND) } else { Ok(()) }
    }
}

/// Says once for the process what is refused: a program that takes no for an answer asks again and again.
fn refuse_table(id: &CUuuid) {
    static SAID: Once = Once::new();
    let id = u128::from_be_bytes(id.bytes);
    SAID.call_once(|| {
        eprintln!(
            "softgpu: cuGetExportTable is refused: its table {id:032x} is not documented; the runtime API needs such tables, \
             the driver API and NVRTC do not"
        );
    });
}

/// The versions of CUDA that brought the later forms of functions which have several here; any other came with 12.0 at the
/// latest, which is older than what any caller of cuGetProcAddress_v2 asks for.
const SINCE: [(&str, c_int); 12] = [
    ("cuCtxCreate_v3", 11_040),
    ("cuCtxCreate_v4", 13_000),
    ("cuDeviceGetUuid_v2", 11_040),
    ("cuEventElapsedTime_v2", 12_080),
    ("cuGetProcAddress_v2", 12_000),
    ("cuGraphAddDependencies_v2", 12_030),
    ("cuGraphGetEdges_v2", 12_030),
    ("cuGraphNodeGetDependencies_v2", 12_030),
    ("cuGraphNodeGetDependentNodes_v2", 12_030),
    ("cuGraphRemoveDependencies_v2", 12_030),
    ("cuStreamGetCaptureInfo_v3", 12_030),
    ("cuStreamUpdateCaptureDependencies_v2", 12_030),
];

/// The latest form of a function that a program of this version knows.
fn newest(name: &str, version: c_int) -> Option<*const c_void> {
    let hidden = crate::install::hidden();
    // The one function whose later form cuda.h names otherwise.
    let name = if name == "cuGraphInstantiate" { "cuGraphInstantiateWithFlags" } else { name };
    super::exported()
        .iter()
        .filter(|(exported, _)| {
            let form = exported.strip_prefix(name);
            let is_form = form.is_some_and(|rest| rest.is_empty() || matches!(rest, "_v2" | "_v3" | "_v4"));
            let since = SINCE.iter().find(|(of, _)| of == exported).map_or(0, |(_, since)| *since);
            is_form && since <= version && !hidden.iter().any(|hidden| hidden == exported)
        })
        .max_by_key(|(exported, _)| *exported)
        .map(|(_, address)| address.cast())
}
