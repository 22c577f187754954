//! Texts: the lexer, the parser and the decoder, through the loading of a module.

use std::ffi::CStr;

use cudarc::driver::sys::CUresult;
use oblate_softgpu::Settings;
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

use crate::harness::Campaign;
use crate::mutate::{Material, mutate_bytes};
use crate::raw::{self, Context};

pub(crate) struct Texts<'a> {
    material: Material<'a>,
    _context: Context,
}

impl<'a> Texts<'a> {
    pub(crate) fn new(material: Material<'a>) -> Self {
        let mut settings = Settings::default();
        settings.memory_bytes = 16 << 20;
        Self { material, _context: Context::new(settings) }
    }
}

/// What becomes of a module that is loaded and not run; a panic, which the driver catches, is what is looked for.
pub(crate) fn outcome(answer: Result<(), CUresult>) -> Result<&'static str, String> {
    match answer {
        Ok(()) => Ok("loaded"),
        Err(CUresult::CUDA_ERROR_INVALID_PTX) => Ok("refused"),
        Err(CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION) => Ok("of another version"),
        Err(CUresult::CUDA_ERROR_INVALID_IMAGE) => Ok("no image"),
        Err(CUresult::CUDA_ERROR_NO_BINARY_FOR_GPU) => Ok("nothing for the device"),
        Err(CUresult::CUDA_ERROR_OUT_OF_MEMORY) => Ok("too large"),
        Err(CUresult::CUDA_ERROR_UNKNOWN) => Err("the driver panicked".to_owned()),
        Err(other) => Err(format!("the driver answered {other:?}")),
    }
}

/// A program with a few changes, often only one, so that much of what comes of it is still a module; NUL-terminated.
pub(crate) fn changed(material: &Material<'_>, rng: &mut SmallRng) -> Vec<u8> {
    let mut text = material.texts.choose(rng).expect("there are texts").clone();
    let changes = if rng.random_ratio(1, 8) { rng.random_range(4..32) } else { rng.random_range(1..4) };
    (0..changes).for_each(|_| text.mutate(rng, material));
    let mut bytes = text.text();
    if rng.random_ratio(1, 8) {
        (0..rng.random_range(1..4)).for_each(|_| mutate_bytes(&mut bytes, rng));
    }
    bytes.push(0);
    bytes
}

impl Campaign for Texts<'_> {
    const NAME: &'static str = "texts";
    const LEAST: u64 = 20_000;
    const SHARES: &'static [(&'static str, u64)] = &[("loaded", 100), ("refused", 300)];

    fn input(&mut self, rng: &mut SmallRng) -> Vec<u8> {
        changed(&self.material, rng)
    }

    fn run(&mut self, input: &[u8], _: &mut SmallRng) -> Result<&'static str, String> {
        let text = CStr::from_bytes_until_nul(input).expect("a text ends with NUL");
        // As an image, not as a text: its first bytes may make it one of another kind.
        if input.starts_with(b"\x7fELF") || input.first().is_some_and(|byte| matches!(byte, 0x50 | 0xb1)) {
            return Ok("of another kind");
        }
        outcome(raw::load_text(text).map(drop).map_err(|(answer, _)| answer))
    }
}
