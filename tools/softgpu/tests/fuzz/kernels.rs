//! Kernels: programs with a few changes, run on a small grid with arguments of every kind, wild pointers among them.

use std::ffi::CStr;

use cudarc::driver::sys::{CUdeviceptr, CUresult};
use oblate_softgpu::{Settings, record};
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

use crate::harness::Campaign;
use crate::mutate::Material;
use crate::raw::{self, Context, Kernel, Shape};

/// Of device memory that a kernel may well reach.
const BUFFER_BYTES: usize = 1 << 16;
/// What lies in the host's memory for wild pointers to meet, which nothing may change.
const CANARY: u64 = 0x5afe_c0de_5afe_c0de;

pub(crate) struct Kernels<'a> {
    material: Material<'a>,
    canary: Box<[u64; 512]>,
    /// `None` after a launch that failed, which its context does not survive.
    context: Option<(Context, [CUdeviceptr; 2])>,
}

impl<'a> Kernels<'a> {
    pub(crate) fn new(material: Material<'a>) -> Self {
        Self { material, canary: Box::new([CANARY; 512]), context: None }
    }

    /// One that looks for races or shuffles, or neither.
    fn new_context(rng: &mut SmallRng) -> (Context, [CUdeviceptr; 2]) {
        let mut settings = Settings::default();
        settings.workers = 1;
        settings.memory_bytes = 16 << 20;
        settings.watchdog = 20_000;
        settings.seed = rng.random_ratio(1, 4).then(|| rng.random());
        (settings.checks.races, settings.checks.equal_writes) = (rng.random(), true);
        let context = Context::new(settings);
        let bytes: Vec<u8> = (0..64u32).cycle().take(BUFFER_BYTES / 4).flat_map(u32::to_le_bytes).collect();
        let buffers = [raw::device_bytes(&bytes), raw::device_bytes(&bytes)];
        (context, buffers)
    }

    /// A value of 8 bytes: mostly a pointer to memory that is there.
    fn word(&self, buffers: [CUdeviceptr; 2], rng: &mut SmallRng) -> u64 {
        let buffer = *buffers.choose(rng).expect("there are buffers");
        match rng.random_range(0..16) {
            0..=8 => buffer,
            9 => buffer + rng.random_range(0..BUFFER_BYTES as u64),
            10 => rng.random_range(0..256),
            11 => (self.canary.as_ptr() as u64).wrapping_add(rng.random_range(0..4096)),
            12 => (&raw const buffer) as u64,
            13 => Self::new_context as fn(&mut SmallRng) -> _ as usize as u64,
            14 => (1u64 << rng.random_range(0..64)).wrapping_add_signed(rng.random_range(-16..16)),
            _ => rng.random(),
        }
    }

    fn launch(&self, kernel: Kernel, buffers: [CUdeviceptr; 2], rng: &mut SmallRng) -> CUresult {
        let parameters = kernel.parameters();
        let bytes = parameters.last().map_or(0, |(offset, bytes)| offset + bytes);
        let mut values = Vec::with_capacity(bytes);
        for (offset, bytes) in parameters {
            values.resize(offset, 0);
            while values.len() < offset + bytes {
                let left = offset + bytes - values.len();
                let word = if left >= 8 {
                    self.word(buffers, rng)
                } else {
                    *[1, 2, 16, 33, 64, 1 << 10, u64::from(rng.random::<u32>())].choose(rng).expect("there are numbers")
                };
                values.extend(&word.to_le_bytes()[..left.min(8)]);
            }
        }
        let threads = *[1, 16, 32, 32, 33, 64, 96].choose(rng).expect("there are sizes");
        let grid = [rng.random_range(1..4), 1, if rng.random_ratio(1, 8) { 2 } else { 1 }];
        let shared_bytes = if rng.random_ratio(1, 4) { rng.random_range(0..8192) } else { 0 };
        kernel.launch(Shape { grid, block: [threads, 1, 1], shared_bytes }, &values)
    }
}

impl Campaign for Kernels<'_> {
    const NAME: &'static str = "kernels";
    const LEAST: u64 = 5_000;
    const SHARES: &'static [(&'static str, u64)] = &[("ran", 100), ("failed", 50)];

    fn input(&mut self, rng: &mut SmallRng) -> Vec<u8> {
        let mut text = self.material.texts.choose(rng).expect("there are texts").clone();
        (0..rng.random_range(0..4)).for_each(|_| text.mutate(rng, &self.material));
        let mut bytes = text.text();
        bytes.push(0);
        bytes
    }

    fn run(&mut self, input: &[u8], rng: &mut SmallRng) -> Result<&'static str, String> {
        // What one input leaves in memory must not be what the next one depends on.
        self.context = None;
        let (context, buffers) = Self::new_context(rng);
        self.context = Some((context, buffers));
        let text = CStr::from_bytes_until_nul(input).expect("a text ends with NUL");
        let Ok(module) = raw::load_text(text) else { return Ok("refused") };
        let mut outcome = "no kernel";
        for kernel in module.kernels().into_iter().take(3) {
            let (answer, record) = record(|| self.launch(kernel, buffers, rng));
            if self.canary.iter().any(|&word| word != CANARY) {
                return Err("the kernel changed the host's memory".to_owned());
            }
            outcome = match answer {
                CUresult::CUDA_SUCCESS => "ran",
                CUresult::CUDA_ERROR_INVALID_VALUE | CUresult::CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES => "not launched",
                CUresult::CUDA_ERROR_UNKNOWN => return Err("the driver panicked".to_owned()),
                CUresult::CUDA_ERROR_ILLEGAL_ADDRESS
                | CUresult::CUDA_ERROR_MISALIGNED_ADDRESS
                | CUresult::CUDA_ERROR_ASSERT
                | CUresult::CUDA_ERROR_LAUNCH_FAILED
                | CUresult::CUDA_ERROR_LAUNCH_TIMEOUT
                    if !record.findings.is_empty() =>
                {
                    "failed"
                }
                other => return Err(format!("the driver answered {other:?}, with {:?}", record.findings)),
            };
            // Its text must be there, however odd the program is.
            if record.findings.iter().any(|finding| finding.to_string().is_empty()) {
                return Err("a finding without a text".to_owned());
            }
            if outcome == "failed" {
                break;
            }
        }
        Ok(outcome)
    }
}
