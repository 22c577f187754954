//! Compiling, loading and launching a program of this folder.

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, CudaModule, CudaStream, LaunchConfig};
use cudarc::nvrtc::Ptx;
use oblate_softgpu::Choice;
pub(crate) use oblate_softgpu::Record;

#[path = "../compile/mod.rs"]
mod compile;

/// A compiled program on the device.
pub(crate) struct Program {
    pub(crate) stream: Arc<CudaStream>,
    pub(crate) module: Arc<CudaModule>,
}

impl Program {
    /// Compiles `name.cu` for compute_80 and loads it.
    pub(crate) fn load(name: &str) -> Self {
        Self::of(compile::compile(&format!("tests/programs/{name}.cu"), &[]))
    }

    /// Compiles `name.cu` for a later architecture and loads it, on a device that has it: where this process's is an
    /// older one, `test` is run in a process of its own, and there is nothing left to do here.
    pub(crate) fn load_for(name: &str, architecture: u32, test: &str) -> Option<Self> {
        let capability = format!("{}.{}", architecture / 10, architecture % 10);
        if std::env::var("SOFTGPU_CC").is_ok_and(|set| set == capability) {
            return Some(Self::of(compile::compile_for(architecture, &format!("tests/programs/{name}.cu"), &[])));
        }
        crate::run_again(&[("SOFTGPU_CC", &capability)], &["--exact", test]);
        None
    }

    fn of(image: Vec<u8>) -> Self {
        oblate_softgpu::install_as(Choice::Software).expect("the software device");
        let context = CudaContext::new(0).expect("a context");
        let module = context.load_module(Ptx::from_binary(image)).expect("the module loads");
        Self { stream: context.default_stream(), module }
    }

    pub(crate) fn function(&self, kernel: &str) -> CudaFunction {
        self.module.load_function(kernel).expect("the kernel is in the module")
    }
}

pub(crate) trait Dim {
    fn xyz(self) -> (u32, u32, u32);
}

impl Dim for u32 {
    fn xyz(self) -> (u32, u32, u32) {
        (self, 1, 1)
    }
}

impl Dim for (u32, u32) {
    fn xyz(self) -> (u32, u32, u32) {
        (self.0, self.1, 1)
    }
}

impl Dim for [u32; 3] {
    fn xyz(self) -> (u32, u32, u32) {
        self.into()
    }
}

pub(crate) fn config(grid: impl Dim, block: impl Dim, shared_mem_bytes: u32) -> LaunchConfig {
    LaunchConfig { grid_dim: grid.xyz(), block_dim: block.xyz(), shared_mem_bytes }
}

/// Launches a kernel and waits for it: `launch!(program, "kernel", grid, block; arguments)` gives its record. `cooperative`
/// before the program makes it a cooperative launch. No finding is accepted.
macro_rules! launch {
    (cooperative $($rest:tt)*) => { launch!(@launch_cooperative $($rest)*) };
    (@$method:ident $program:expr, $kernel:expr, $grid:expr, $block:expr $(, shared $bytes:expr)?; $($arg:expr),+ $(,)?) => {{
        use cudarc::driver::PushKernelArg;
        let function = $program.function($kernel);
        let bytes = 0 $(+ $bytes)?;
        let ((), record) = oblate_softgpu::record(|| {
            let mut launch = $program.stream.launch_builder(&function);
            let config = $crate::support::config($grid, $block, bytes);
            // SAFETY: the arguments are those of the kernel's signature, and cover what it accesses; the device checks.
            unsafe { launch$(.arg($arg))+.$method(config) }.expect("the launch");
            $program.stream.synchronize().expect("the kernel");
        });
        let findings: Vec<String> = record.findings.iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{}", findings.join("\n"));
        record
    }};
    ($($rest:tt)*) => { launch!(@launch $($rest)*) };
}

/// Reproducible words (SplitMix64).
pub(crate) fn words(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// `n` values made from reproducible words.
pub(crate) fn random<T>(seed: u64, n: usize, mut value: impl FnMut(u64) -> T) -> Vec<T> {
    let mut word = words(seed);
    (0..n).map(|_| value(word())).collect()
}

/// Uniform in [-1, 1), a multiple of 2^-20, so that short sums of them are exact in f32.
pub(crate) fn unit(word: u64) -> f32 {
    (word >> 43) as f32 / (1 << 20) as f32 - 1.0
}
