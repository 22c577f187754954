//! Looks for a driver with a device.

use std::ffi::{CStr, c_char, c_int, c_void};

use super::{Query, Running, dl_error};

/// The name that drivers are installed under first: "libcuda.so" alone is often a stub to link with. A library that stays
/// loaded is then not the one that a later look for "libcuda.so" gives.
const LIBRARIES: [&CStr; 2] = [c"libcuda.so.1", c"libcuda.so"];

/// A library, closed again unless it is kept.
struct Library(*mut c_void);

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: the handle is from dlopen, and no function of the library is called any more.
        unsafe { libc::dlclose(self.0) };
    }
}

impl Library {
    fn symbol(&self, name: &CStr) -> Result<*mut c_void, String> {
        // SAFETY: an open library and a string.
        let symbol = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        if symbol.is_null() { Err(format!("it has no {}", name.to_string_lossy())) } else { Ok(symbol) }
    }

    /// A function that writes one int.
    fn query(&self, name: &CStr) -> Result<c_int, String> {
        let symbol = self.symbol(name)?;
        let mut value = 0;
        // SAFETY: the two functions that are asked for have this signature in every driver.
        let result = unsafe { std::mem::transmute::<*mut c_void, Query>(symbol)(&raw mut value) };
        if result == 0 { Ok(value) } else { Err(format!("{} gives {result}", name.to_string_lossy())) }
    }
}

/// cuDeviceGetName.
type GetName = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> u32;

/// The GPU that is there, or what was tried in vain.
pub(super) fn gpu() -> Result<Running, String> {
    let mut tried = Vec::new();
    for name in LIBRARIES {
        match open(name).and_then(|library| {
            let gpu = first(&library)?;
            std::mem::forget(library); // the program's own look for it finds it loaded
            Ok(gpu)
        }) {
            Ok(gpu) => return Ok(gpu),
            Err(reason) => tried.push(reason),
        }
    }
    Err(tried.join("; "))
}

fn open(name: &CStr) -> Result<Library, String> {
    // SAFETY: loading runs the initialisers of a library that the user has installed as the CUDA driver.
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
    if library.is_null() { Err(dl_error()) } else { Ok(Library(library)) }
}

fn first(library: &Library) -> Result<Running, String> {
    let init = library.symbol(c"cuInit")?;
    // SAFETY: cuInit's signature, in every driver.
    let result = unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn(u32) -> u32>(init)(0) };
    if result != 0 {
        return Err(format!("cuInit of the installed driver gives {}", crate::driver::CUresult(result)));
    }
    let count = library.query(c"cuDeviceGetCount")?;
    if count < 1 {
        return Err("the installed driver has no device".to_owned());
    }
    let driver = library.query(c"cuDriverGetVersion")?;
    let mut name = [0u8; 256];
    let get_name = library.symbol(c"cuDeviceGetName")?;
    // SAFETY: cuDeviceGetName's signature; the buffer has the length that is passed, and device 0 exists.
    let result = unsafe { std::mem::transmute::<*mut c_void, GetName>(get_name)(name.as_mut_ptr().cast(), 256, 0) };
    let name = CStr::from_bytes_until_nul(&name).ok().filter(|_| result == 0);
    let name = name.map_or_else(|| "unnamed".to_owned(), |name| name.to_string_lossy().into_owned());
    // The same device as a shared library, found on the search path, is no card; nor is its state this process's.
    if name.starts_with(crate::driver::NAME) {
        return Err("the installed driver is the software device as a library".to_owned());
    }
    Ok(Running::Gpu { name, count: count.unsigned_abs(), driver: driver.unsigned_abs() })
}
