//! Where operations run: a GPU, the software device, or the f64 reference.

mod buffer;

use std::fmt;
use std::sync::Arc;

pub use buffer::Buffer;
use cudarc::driver::{CudaContext, CudaStream, DriverError};
use oblate_softgpu::{InstallError, Running};

use crate::arguments::Choice;
use crate::{Error, Result};

/// Where operations run.
#[derive(Debug)]
pub enum Place {
    /// The f64 reference on the CPU.
    Reference,
    /// A GPU or the software device, through the CUDA driver API.
    Device(Session),
}

impl Place {
    /// What `--device` asks for.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open(choice: Choice) -> Result<Self> {
        Ok(match choice {
            Choice::Reference => Self::Reference,
            _ => Self::Device(Session::open(choice)?),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reference => f.write_str("the f64 reference (CPU)"),
            Self::Device(session) => session.fmt(f),
        }
    }
}

/// Where the tensors of a run lie in their allocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Elements before each input.
    pub input_offset: usize,
    /// Elements before each output.
    pub output_offset: usize,
    /// Whether the output that may takes the place of its input.
    pub in_place: bool,
}

/// Device 0 of the machine and a stream on it.
#[derive(Debug)]
pub struct Session {
    stream: Arc<CudaStream>,
    device: oblate::Device,
    running: Running,
}

impl Session {
    /// Puts the software device in place where it is asked for, or where there is no GPU, and opens device 0.
    ///
    /// # Errors
    /// `NoGpu` when a GPU is asked for and there is none; `Install` and `Driver` when the device cannot be used.
    pub fn open(choice: Choice) -> Result<Self> {
        let running = install(choice)?;
        let context = CudaContext::new(0).map_err(driver)?;
        let stream = context.new_stream().map_err(driver)?;
        Ok(Self { stream, device: oblate::Device::new(0)?, running })
    }

    /// The library's device.
    pub fn device(&self) -> &oblate::Device {
        &self.device
    }

    /// The stream that everything of this session runs on.
    pub fn stream(&self) -> &Arc<CudaStream> {
        &self.stream
    }

    /// Whether this is the software device.
    pub fn is_software(&self) -> bool {
        matches!(self.running, Running::Software { .. })
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.running.fmt(f)
    }
}

/// Decides what is behind libcuda in this process.
///
/// # Errors
/// `NoGpu` when a GPU is asked for and there is none, `Install` when the software device cannot be put in place.
pub fn install(choice: Choice) -> Result<Running> {
    let choice = match choice {
        Choice::Gpu => oblate_softgpu::Choice::Gpu,
        Choice::Software => oblate_softgpu::Choice::Software,
        Choice::Auto | Choice::Reference => oblate_softgpu::Choice::Auto,
    };
    oblate_softgpu::install_as(choice).map_err(|error| match error {
        InstallError::NoGpu { reason } => Error::NoGpu { reason },
        other => Error::Install(other),
    })
}

/// Runs `body`, each launch under so many schedules, and gives what the software device has found in the launches of this
/// thread meanwhile; nothing on a GPU, which has a schedule of its own.
pub fn record<T>(schedules: u32, body: impl FnOnce() -> T) -> (T, Vec<String>) {
    let (value, record) = oblate_softgpu::record(|| oblate_softgpu::schedules(schedules, body));
    (value, record.findings.iter().map(ToString::to_string).collect())
}

/// The driver's refusal of what the command line itself asks of it: memory, copies, a stream.
pub(crate) fn driver(error: DriverError) -> Error {
    let name = error.error_name().map_or_else(|_| format!("{:?}", error.0), |name| name.to_string_lossy().into_owned());
    Error::Driver { name }
}
