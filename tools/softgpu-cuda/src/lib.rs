//! The software CUDA device as a shared library: `libcuda.so.1` for programs that are not written in Rust, or that
//! cannot call `oblate_softgpu::install`.
//!
//! ```sh
//! LD_LIBRARY_PATH=FOLDER a-program-that-uses-libcuda
//! ```
//!
//! where FOLDER has the library under the name `libcuda.so.1`, and under `libcuda.so` for cudarc. It exports each function
//! of `oblate_softgpu::driver` under its own name, and nothing else.

#![allow(non_snake_case, reason = "the names are the driver's")]

/// A function of the driver's name and signature that goes on to the device's; arguments stay where they are.
macro_rules! export {
    ($($name:ident),* $(,)?) => {$(
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            #[cfg(target_arch = "x86_64")]
            std::arch::naked_asm!("jmp {}", sym oblate_softgpu::driver::$name);
            #[cfg(target_arch = "aarch64")]
            std::arch::naked_asm!("b {}", sym oblate_softgpu::driver::$name);
        }
    )*};
}

oblate_softgpu::exports!(export);
