//! A kernel on the device.

use std::collections::BTreeMap;
use std::sync::Arc;

use cudarc::driver::sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
use cudarc::driver::{CudaSlice, CudaStream, DriverError, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::Ptx;
use oblate_softgpu::inspect::counters::Counters;

use crate::Error;
use crate::judge::{self, Verdict};
use crate::prepared::{Argument, Prepared};

/// What came of a kernel.
pub(crate) struct Ran {
    pub(crate) name: String,
    pub(crate) counters: Counters,
    pub(crate) findings: Vec<String>,
    /// Of each output.
    pub(crate) verdicts: Vec<Verdict>,
}

impl Ran {
    pub(crate) fn is_right(&self) -> bool {
        self.findings.is_empty() && self.verdicts.iter().all(Verdict::is_right)
    }
}

/// Shared memory of a block beyond which a kernel has to ask for it.
const WITHOUT_ASKING: u32 = 48 << 10;

/// Loads and launches a kernel, and compares what it wrote.
pub(crate) fn run(stream: &Arc<CudaStream>, kernel: &Prepared) -> Result<Ran, Error> {
    let failed = |what| move |error| Error::Driver { kernel: kernel.name.clone(), what, error };
    let launch = &kernel.launch;
    let module = stream.context().load_module(Ptx::from_src(&kernel.ptx)).map_err(failed("loading its PTX"))?;
    let function = module.load_function(&launch.kernel).map_err(failed("finding its entry point"))?;
    if launch.shared_bytes > WITHOUT_ASKING {
        let bytes = i32::try_from(launch.shared_bytes).unwrap_or(i32::MAX);
        let attribute = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        function.set_attribute(attribute, bytes).map_err(failed("asking for its shared memory"))?;
    }
    let tensors = kernel.tensors.iter().map(|(name, bytes)| Ok((name.as_str(), stream.clone_htod(bytes)?)));
    let tensors: BTreeMap<&str, CudaSlice<u8>> =
        tensors.collect::<Result<_, DriverError>>().map_err(failed("copying its tensors"))?;

    let (ran, record) = oblate_softgpu::record(|| {
        let mut builder = stream.launch_builder(&function);
        for argument in &launch.arguments {
            match argument {
                Argument::Tensor(name) => builder.arg(&tensors[name.as_str()]),
                Argument::I32(value) => builder.arg(value),
                Argument::I64(value) => builder.arg(value),
                Argument::F32(value) => builder.arg(value),
            };
        }
        let config = LaunchConfig {
            grid_dim: launch.grid.into(),
            block_dim: (launch.threads, 1, 1),
            shared_mem_bytes: launch.shared_bytes,
        };
        // SAFETY: the arguments are those that the kernel was compiled for; the device refuses what it must not access.
        unsafe { builder.launch(config) }.map(drop)?;
        stream.synchronize()
    });
    let findings: Vec<String> = record.findings.iter().map(ToString::to_string).collect();
    if let (Err(error), true) = (ran, findings.is_empty()) {
        return Err(failed("running it")(error));
    }
    let mut verdicts = Vec::new();
    for (name, &element) in &launch.outputs {
        // A context that a launch broke gives nothing back; the findings say why.
        if let Ok(bytes) = stream.clone_dtoh(&tensors[name.as_str()]) {
            verdicts.push(judge::verdict(name, element, &bytes, &kernel.expected[name]));
        }
    }
    let counters = record.launches.into_iter().map(|launch| launch.counters).next().unwrap_or_default();
    Ok(Ran { name: kernel.name.clone(), counters, findings, verdicts })
}
