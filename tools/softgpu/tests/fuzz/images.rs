//! Images: fatbins, their wrappers, what they hold in either compression, and arbitrary bytes.

use std::ffi::{CString, c_void};
use std::os::unix::ffi::OsStrExt;

use cudarc::driver::sys::CUresult;
use oblate_softgpu::Settings;
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::harness::Campaign;
use crate::mutate::{Material, mutate_bytes};
use crate::raw::{self, Context};
use crate::seeds::FATBINS;
use crate::texts::{changed, outcome};

const FATBIN: [u8; 4] = 0xBA55_ED50u32.to_le_bytes();
const WRAPPER: [u8; 4] = 0x4662_43B1u32.to_le_bytes();
const HEADER_BYTES: u8 = 16;
const PTX: u16 = 1;
const ELF: u16 = 2;
const LZ4: u64 = 0x2000;
const ZSTD: u64 = 0x8000;

pub(crate) struct Images<'a> {
    material: Material<'a>,
    /// A file of images that claim to be longer than they are: from memory no driver could tell.
    path: std::path::PathBuf,
    _context: Context,
}

impl<'a> Images<'a> {
    pub(crate) fn new(material: Material<'a>) -> Self {
        let mut settings = Settings::default();
        settings.memory_bytes = 16 << 20;
        let path = std::env::temp_dir().join(format!("softgpu-fuzz-{}.image", std::process::id()));
        Self { material, path, _context: Context::new(settings) }
    }

    /// An entry of a fatbin: its header, and its payload in some compression.
    fn entry(&self, rng: &mut SmallRng) -> Vec<u8> {
        let contents = if rng.random_ratio(1, 16) {
            let count = rng.random_range(0..4096);
            vec![rng.random(); count]
        } else {
            changed(&self.material, rng)
        };
        let (mut payload, flags) = match rng.random_range(0..3) {
            0 => (contents.clone(), 0),
            1 => (lz4_flex::block::compress(&contents), LZ4),
            _ => (compress_to_vec(&contents[..], CompressionLevel::Fastest), ZSTD),
        };
        if rng.random_ratio(1, 4) {
            mutate_bytes(&mut payload, rng);
        }
        let mut header = [0u8; 64];
        let kind = *[PTX, PTX, PTX, PTX, ELF, rng.random()].choose(rng).expect("there are kinds");
        let architecture = *[80u32, 80, 80, 75, 90, rng.random()].choose(rng).expect("there are architectures");
        let compressed = if flags == 0 { 0 } else { u32::try_from(payload.len()).expect("a small payload") };
        payload.resize(payload.len().next_multiple_of(8), 0);
        header[..2].copy_from_slice(&kind.to_le_bytes());
        header[4..8].copy_from_slice(&64u32.to_le_bytes());
        header[8..16].copy_from_slice(&(payload.len() as u64).to_le_bytes());
        header[16..20].copy_from_slice(&compressed.to_le_bytes());
        header[28..32].copy_from_slice(&architecture.to_le_bytes());
        header[40..48].copy_from_slice(&(flags | if rng.random_ratio(1, 16) { 0x10_0000 } else { 0 }).to_le_bytes());
        header[56..64].copy_from_slice(&(contents.len() as u64).to_le_bytes());
        let mut entry = header.to_vec();
        entry.extend(payload);
        entry
    }

    fn fatbin(&self, rng: &mut SmallRng) -> Vec<u8> {
        let entries: Vec<u8> = (0..rng.random_range(1..4)).flat_map(|_| self.entry(rng)).collect();
        let mut image = FATBIN.to_vec();
        image.extend([1, 0, HEADER_BYTES, 0]);
        image.extend((entries.len() as u64).to_le_bytes());
        image.extend(entries);
        image
    }
}

impl Drop for Images<'_> {
    fn drop(&mut self) {
        // There is none if no image was of that kind.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What the driver would read of an image: no more than its header and then as much as that says.
fn claimed(image: &[u8]) -> Option<usize> {
    let header: &[u8; HEADER_BYTES as usize] = image.first_chunk()?;
    let header_bytes = u64::from(u16::from_le_bytes([header[6], header[7]]));
    let following = u64::from_le_bytes(*header.last_chunk()?);
    usize::try_from(header_bytes.checked_add(following)?).ok()
}

impl Campaign for Images<'_> {
    const NAME: &'static str = "images";
    const LEAST: u64 = 20_000;
    const SHARES: &'static [(&'static str, u64)] =
        &[("loaded", 50), ("refused", 100), ("no image", 100), ("nothing for the device", 20)];

    fn input(&mut self, rng: &mut SmallRng) -> Vec<u8> {
        let mut image = match rng.random_range(0..4) {
            0 | 1 => self.fatbin(rng),
            2 => FATBINS.choose(rng).expect("there are fatbins").to_vec(),
            _ => {
                let count = rng.random_range(0..256);
                let mut bytes: Vec<u8> = (0..count).map(|_| rng.random()).collect();
                if rng.random() {
                    let magic = [FATBIN, *b"\x7fELF", *b".ver", *b"// \n"];
                    bytes.splice(0..0, *magic.choose(rng).expect("there are magics"));
                }
                bytes
            }
        };
        if rng.random_ratio(3, 4) {
            (0..rng.random_range(1..4)).for_each(|_| mutate_bytes(&mut image, rng));
        }
        image
    }

    fn run(&mut self, input: &[u8], rng: &mut SmallRng) -> Result<&'static str, String> {
        let is_fatbin = input.starts_with(&FATBIN);
        // A wrapper of random bytes would point anywhere.
        if input.starts_with(&WRAPPER) {
            return Ok("of another kind");
        }
        let answer = if is_fatbin && claimed(input).is_none_or(|bytes| bytes > input.len()) || rng.random_ratio(1, 64) {
            std::fs::write(&self.path, input).map_err(|error| error.to_string())?;
            let path = CString::new(self.path.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
            match raw::try_file(&path) {
                CUresult::CUDA_SUCCESS => Ok(()),
                answer => Err(answer),
            }
        } else {
            // In memory of just its size, so that a byte too far may be noticed; text ends with NUL.
            let mut image = input.to_vec();
            if !is_fatbin {
                image.push(0);
            }
            let image = image.into_boxed_slice();
            let wrapper: [*const c_void; 3] =
                [std::ptr::without_provenance(0x1_4662_43B1), image.as_ptr().cast(), std::ptr::null()];
            let wraps = is_fatbin && rng.random_ratio(1, 8);
            let start = if wraps { wrapper.as_ptr().cast() } else { image.as_ptr().cast() };
            // SAFETY: the image is as long as it claims, or text that ends with NUL; a wrapper points at the former.
            unsafe { raw::load(start) }.map(drop).map_err(|(answer, _)| answer)
        };
        outcome(answer)
    }
}
