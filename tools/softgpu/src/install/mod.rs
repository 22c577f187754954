//! Puts the device in libcuda's place, where there is no other.

mod jumps;
mod probe;

use std::ffi::c_int;
use std::fmt;
use std::sync::OnceLock;

use crate::driver::exported;
use crate::settings::{Settings, SettingsError};

/// Which device the programs of this process will find behind libcuda.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Running {
    /// This one.
    Software {
        /// Its name, as cuDeviceGetName gives it.
        name: String,
    },
    /// A card, through its own driver.
    Gpu {
        /// The name of the first.
        name: String,
        /// How many there are.
        count: u32,
        /// The version of CUDA that the driver serves: 1000 major + 10 minor.
        driver: u32,
    },
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Software { name } => write!(f, "software: {name}"),
            Self::Gpu { name, count, driver } => {
                write!(f, "gpu: {name}")?;
                if *count > 1 {
                    write!(f, " and {} more", count - 1)?;
                }
                write!(f, ", driver for CUDA {}.{}", driver / 1000, driver % 1000 / 10)
            }
        }
    }
}

/// Why no device is in place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// `OBLATE_DEVICE` holds something else than a choice.
    #[error("OBLATE_DEVICE is {value:?}, expected auto, gpu or software")]
    Choice {
        /// What it holds.
        value: String,
    },
    /// A GPU is asked for, and there is none.
    #[error("a GPU is asked for, and there is none: {reason}")]
    NoGpu {
        /// What was tried, and what came of it.
        reason: String,
    },
    /// A setting of the software device does not make sense.
    #[error(transparent)]
    Setting(#[from] SettingsError),
    /// `SOFTGPU_HIDE` names a function that the device does not export.
    #[error("SOFTGPU_HIDE names {name:?}, which the software device does not export")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The process has decided otherwise before.
    #[error("this process has decided already: {running}")]
    Decided {
        /// What is in place.
        running: Running,
    },
    /// The jumps cannot be loaded.
    #[error("the software device cannot stand in for {library}: {reason}")]
    Load {
        /// Which of its two names.
        library: &'static str,
        /// What the system says.
        reason: String,
    },
}

/// Which device is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// A GPU where one is, else the software device.
    #[default]
    Auto,
    /// A GPU, or an error.
    Gpu,
    /// The software device, whatever the machine has.
    Software,
}

impl Choice {
    /// What `OBLATE_DEVICE` says; `auto` without it.
    ///
    /// # Errors
    /// [`InstallError::Choice`] for anything but `auto`, `gpu` and `software`.
    pub fn environment() -> Result<Self, InstallError> {
        match std::env::var_os("OBLATE_DEVICE").map(|value| value.to_string_lossy().into_owned()).as_deref() {
            None | Some("auto" | "") => Ok(Self::Auto),
            Some("gpu") => Ok(Self::Gpu),
            Some("software") => Ok(Self::Software),
            Some(value) => Err(InstallError::Choice { value: value.to_owned() }),
        }
    }
}

/// Decides which device this process has, by `OBLATE_DEVICE`, and puts it in place. Call it before anything looks for
/// libcuda; later calls give the same answer.
///
/// # Errors
/// As [`install_as`], and [`InstallError::Choice`].
pub fn install() -> Result<Running, InstallError> {
    install_as(Choice::environment()?)
}

/// As [`install`], with a choice of the caller's.
///
/// A GPU is there when a driver loads, initialises and has a device: the software device steps back then, unless it is the
/// choice. A process decides once.
///
/// # Errors
/// See [`InstallError`]. Nothing is in place then, and the answer stays.
pub fn install_as(choice: Choice) -> Result<Running, InstallError> {
    static RUNNING: OnceLock<Result<Running, InstallError>> = OnceLock::new();
    let running = RUNNING.get_or_init(|| decide(choice)).clone()?;
    let as_wanted = match (choice, &running) {
        (Choice::Auto, _) | (Choice::Gpu, Running::Gpu { .. }) | (Choice::Software, Running::Software { .. }) => true,
        (Choice::Gpu, Running::Software { .. }) | (Choice::Software, Running::Gpu { .. }) => false,
    };
    if as_wanted { Ok(running) } else { Err(InstallError::Decided { running }) }
}

fn decide(choice: Choice) -> Result<Running, InstallError> {
    match choice {
        Choice::Auto => probe::gpu().or_else(|_| software()),
        Choice::Gpu => probe::gpu().map_err(|reason| InstallError::NoGpu { reason }),
        Choice::Software => software(),
    }
}

fn software() -> Result<Running, InstallError> {
    Settings::environment().map_err(Clone::clone)?;
    let hidden = hidden();
    if let Some(name) = hidden.iter().find(|&name| !exported().iter().any(|(exported, _)| exported == name)) {
        return Err(InstallError::Unknown { name: name.clone() });
    }
    jumps::load(hidden)?;
    Ok(Running::Software { name: crate::driver::name() })
}

/// The functions that `SOFTGPU_HIDE` takes out of the library, by names with commas between them: a program's way with a
/// driver that lacks one can so be tested. Read once.
pub(crate) fn hidden() -> &'static [String] {
    static HIDDEN: OnceLock<Vec<String>> = OnceLock::new();
    HIDDEN.get_or_init(|| {
        let names = std::env::var("SOFTGPU_HIDE").unwrap_or_default();
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    })
}

/// What dlerror has to say.
fn dl_error() -> String {
    // SAFETY: dlerror gives null or a string that is valid until this thread's next dl call.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "no reason given".to_owned();
    }
    // SAFETY: it is not null.
    unsafe { std::ffi::CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// `cuInit` and its kind, as a driver exports them.
type Query = unsafe extern "C" fn(*mut c_int) -> u32;
