//! Loads the jumps that build.rs linked, from memory, and fills their tables.

use std::ffi::{CStr, CString, c_void};
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd};

use super::{InstallError, dl_error};
use crate::driver::exported;

/// The shared objects, by the name that each is found under.
const LIBRARIES: [(&CStr, &[u8]); 2] = [
    (c"libcuda.so", include_bytes!(concat!(env!("OUT_DIR"), "/libcuda.so"))),
    (c"libcuda.so.1", include_bytes!(concat!(env!("OUT_DIR"), "/libcuda.so.1"))),
];

/// Loads both, without the functions that are hidden.
pub(super) fn load(hidden: &[String]) -> Result<(), InstallError> {
    for (soname, image) in LIBRARIES {
        let library = soname.to_str().unwrap_or("libcuda");
        load_one(soname, image, hidden).map_err(|reason| InstallError::Load { library, reason })?;
    }
    Ok(())
}

fn load_one(soname: &CStr, image: &[u8], hidden: &[String]) -> Result<(), String> {
    let image = without(image, hidden);
    // SAFETY: a string and a flag.
    let fd = unsafe { libc::memfd_create(soname.as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(format!("memfd_create: {}", std::io::Error::last_os_error()));
    }
    // SAFETY: the descriptor is new, and owned by nobody else.
    let mut file = unsafe { std::fs::File::from_raw_fd(fd) };
    file.write_all(&image).map_err(|error| format!("writing a memory file: {error}"))?;
    let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(|error| error.to_string())?;
    // The file stays open: the loader knows the object by its path, and would take the next memory file, were it to get
    // the same number, for this one.
    std::mem::forget(file);
    // SAFETY: the object has no initialisers. It stays loaded: programs keep addresses into it.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL | libc::RTLD_NODELETE) };
    if handle.is_null() {
        return Err(dl_error());
    }
    // SAFETY: an open library and a string.
    let table = unsafe { libc::dlsym(handle, c"oblate_softgpu_table".as_ptr()) };
    if table.is_null() {
        return Err(dl_error());
    }
    for (i, (_, function)) in exported().iter().enumerate() {
        // SAFETY: the table has a place per exported function, in this order: both come of the same list. Nothing jumps
        // through it yet, since nobody has looked the library up.
        unsafe { table.cast::<*const ()>().add(i).write(*function) };
    }
    found_under(soname, handle)
}

/// A look for the name has to end at our object, not at one that was loaded before.
fn found_under(soname: &CStr, ours: *mut c_void) -> Result<(), String> {
    // SAFETY: a string; nothing is loaded that is not loaded already.
    let found = unsafe { libc::dlopen(soname.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
    if found == ours { Ok(()) } else { Err("another library of this name is loaded already".to_owned()) }
}

/// The image with other names in place of the hidden functions', so that a look for them ends in vain.
fn without(image: &[u8], hidden: &[String]) -> Vec<u8> {
    let mut image = image.to_vec();
    for name in hidden {
        // In the table of strings every name has a NUL before and behind it.
        let wanted = [b"\0", name.as_bytes(), b"\0"].concat();
        let places: Vec<usize> = (0..image.len()).filter(|&at| image[at..].starts_with(&wanted)).collect();
        for at in places {
            image[at + 1] = b'-';
        }
    }
    image
}
