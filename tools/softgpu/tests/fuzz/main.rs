//! Fuzzing: random changes to texts, images and kernels, none of which may make the device panic, hang, touch the host's
//! memory or take more of it than a cap.
//!
//! Each campaign runs for 50 seconds, side by side; `SOFTGPU_FUZZ_SECONDS` or `SOFTGPU_FUZZ_INPUTS` make it longer, and
//! `SOFTGPU_FUZZ_SEED` has it try other inputs than last time. `harness` says how a failure is had again.

mod cap;
mod harness;
mod images;
mod kernels;
mod mutate;
#[path = "../raw/mod.rs"]
mod raw;
mod seeds;
mod texts;

use std::ffi::CString;

use oblate_softgpu::Settings;

#[global_allocator]
static ALLOCATOR: cap::Counting = cap::Counting;

#[test]
fn the_seeds_load() {
    let _own = raw::Context::new(Settings::default());
    for program in seeds::programs() {
        let text = CString::new(program.clone()).expect("a program has no NUL");
        let module = raw::load_text(&text).unwrap_or_else(|error| panic!("{error:?}:\n{program}"));
        assert!(!module.kernels().is_empty(), "{program}");
    }
    for image in seeds::FATBINS {
        // SAFETY: a fatbin, whole.
        let module = unsafe { raw::load(image.as_ptr().cast()) }.unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(module.kernels().len(), 1);
    }
}

#[test]
fn texts() {
    let programs = seeds::programs();
    harness::run(texts::Texts::new(seeds::material(&programs)));
}

#[test]
fn images() {
    let programs = seeds::programs();
    harness::run(images::Images::new(seeds::material(&programs)));
}

#[test]
fn kernels() {
    let programs = seeds::programs();
    harness::run(kernels::Kernels::new(seeds::material(&programs)));
}
