//! A CUDA driver in software: it runs the PTX that nvcc emits on the CPU, warp by warp, checks every access and counts
//! what the kernel does.

mod cubin;
pub mod driver;
mod execute;
mod fatbin;
pub mod inspect;
mod install;
mod isa;
mod memory;
mod numerics;
mod program;
mod ptx;
mod record;
mod settings;

pub use install::{Choice, InstallError, Running, install, install_as};
pub use record::{LaunchRecord, Record, record};
pub use settings::{Settings, SettingsError};
