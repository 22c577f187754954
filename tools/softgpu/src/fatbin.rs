//! Images that a driver is handed: fatbins as nvcc makes them, their wrapper, and PTX text.
//!
//! A fatbin is a header of 16 bytes (u32 magic, u16 version, u16 header size, u64 bytes that follow) and entries, all
//! little-endian. An entry's header:
//!
//! | offset | field |
//! | --- | --- |
//! | 0 | u16 kind: 1 PTX, 2 ELF |
//! | 4 | u32 bytes of this header |
//! | 8 | u64 bytes of the payload, padded to 8 |
//! | 16 | u32 bytes of the compressed payload, 0 when it is plain |
//! | 28 | u32 architecture: 80 |
//! | 40 | u64 flags: 0x2000 LZ4, 0x8000 zstd, 0x100000 for this architecture alone (`sm_90a`) |
//! | 56 | u64 bytes when decompressed |

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_void};
use std::io::Read;

const FATBIN: u32 = 0xBA55_ED50;
const WRAPPER: u32 = 0x4662_43B1;
const ELF: [u8; 4] = *b"\x7fELF";
const HEADER_BYTES: usize = 16;
const KIND_PTX: u16 = 1;
const KIND_ELF: u16 = 2;
const FLAG_LZ4: u64 = 0x2000;
const FLAG_ZSTD: u64 = 0x8000;
const FLAG_ARCHITECTURE_ALONE: u64 = 0x10_0000;
/// Far above any module's text: a header that claims more is damaged, or would have a few bytes fill the memory.
const MOST_TEXT_BYTES: u64 = 1 << 28;

/// An image without PTX that this device can run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ImageError {
    /// A cubin, or a fatbin without PTX that the device's compute capability allows.
    #[error("no PTX for compute capability {}.{} in the image, which has {found}", capability.0, capability.1)]
    NoBinaryForGpu {
        /// The device's.
        capability: (u32, u32),
        /// What there is: `sm_80 cubin, compute_90 PTX`.
        found: String,
    },
    /// Neither a fatbin, nor its wrapper, nor ELF, nor PTX text.
    #[error("not a fatbin, a cubin or PTX text: it begins with {0:02x?}")]
    Unrecognised(Vec<u8>),
    /// A fatbin whose headers or payload contradict themselves.
    #[error("a damaged fatbin: {0}")]
    Damaged(String),
}

fn damaged(what: impl Into<String>) -> ImageError {
    ImageError::Damaged(what.into())
}

/// The bytes of the image that starts at `image`, as long as its own header says; a wrapper is followed.
///
/// # Errors
/// [`ImageError::Unrecognised`] and [`ImageError::Damaged`], as far as the headers show.
///
/// # Safety
/// `image` points at an image in the caller's memory that is readable for the length that its header gives (PTX text: to
/// its NUL) for `'a`, as cuModuleLoadData requires of its caller.
pub(crate) unsafe fn bytes<'a>(image: *const c_void) -> Result<&'a [u8], ImageError> {
    let start: *const u8 = image.cast();
    // SAFETY: an image is text that ends with NUL, which is seen before it is stepped over, or has a longer header.
    let first = |count: usize| unsafe {
        let mut read = Vec::with_capacity(count);
        while read.len() < count && read.last() != Some(&0) {
            read.push(*start.add(read.len()));
        }
        read
    };
    match first(4).try_into().map(u32::from_le_bytes) {
        Ok(WRAPPER) => {
            // SAFETY: the wrapper is u32 magic, u32 version, a pointer to the fatbin, a pointer.
            let inner = unsafe { start.add(8).cast::<*const c_void>().read_unaligned() };
            if inner.is_null() {
                return Err(damaged("its wrapper points nowhere"));
            }
            // SAFETY: the caller's promise covers what the wrapper points at. A wrapper in a wrapper is not an image.
            if unsafe { inner.cast::<u32>().read_unaligned() } == WRAPPER {
                return Err(damaged("its wrapper points at a wrapper"));
            }
            // SAFETY: as above.
            unsafe { bytes(inner) }
        }
        Ok(FATBIN) => {
            // SAFETY: a fatbin has 16 bytes of header.
            let header = unsafe { std::slice::from_raw_parts(start, HEADER_BYTES) };
            let length = fatbin_bytes(header)?;
            // SAFETY: the header gives its length, and the caller vouches for that.
            Ok(unsafe { std::slice::from_raw_parts(start, length) })
        }
        // A cubin is refused whole, so that its length is of no interest.
        // SAFETY: the four bytes were just read.
        Ok(word) if word.to_le_bytes() == ELF => Ok(unsafe { std::slice::from_raw_parts(start, 4) }),
        // SAFETY: anything else is text, which ends with NUL.
        _ => Ok(unsafe { CStr::from_ptr(start.cast::<c_char>()) }.to_bytes()),
    }
}

/// The PTX text in `image` that a device of compute capability `capability` runs: of several, the highest.
///
/// # Errors
/// As [`ImageError`] says.
pub(crate) fn ptx(image: &[u8], capability: (u32, u32)) -> Result<String, ImageError> {
    if image.starts_with(&FATBIN.to_le_bytes()) {
        return from_fatbin(image, capability);
    }
    if image.starts_with(&ELF) {
        return Err(ImageError::NoBinaryForGpu { capability, found: "a cubin alone".to_owned() });
    }
    // Text begins with a comment or a directive, after newlines or not.
    match image.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'/' | b'.') => text(image),
        _ => Err(ImageError::Unrecognised(image[..image.len().min(8)].to_vec())),
    }
}

fn text(bytes: &[u8]) -> Result<String, ImageError> {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    match std::str::from_utf8(&bytes[..end]) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(damaged("its PTX is not UTF-8")),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Length of a fatbin, header and all.
fn fatbin_bytes(header: &[u8]) -> Result<usize, ImageError> {
    let length = (|| {
        let header_bytes = usize::from(u16_at(header, 6)?);
        let following = usize::try_from(u64_at(header, 8)?).ok()?;
        (header_bytes >= HEADER_BYTES).then_some(())?;
        header_bytes.checked_add(following).filter(|&length| isize::try_from(length).is_ok())
    })();
    length.ok_or_else(|| damaged("its header gives no sensible length"))
}

struct Entry<'a> {
    kind: u16,
    architecture: u32,
    flags: u64,
    compressed_bytes: usize,
    text_bytes: u64,
    payload: &'a [u8],
}

impl Entry<'_> {
    fn allowed(&self, capability: (u32, u32)) -> bool {
        let device = capability.0.saturating_mul(10).saturating_add(capability.1);
        if self.flags & FLAG_ARCHITECTURE_ALONE != 0 {
            self.architecture == device
        } else {
            self.architecture <= device
        }
    }

    fn describe(&self) -> String {
        let suffix = if self.flags & FLAG_ARCHITECTURE_ALONE != 0 { "a" } else { "" };
        match self.kind {
            KIND_PTX => format!("compute_{}{suffix} PTX", self.architecture),
            KIND_ELF => format!("sm_{}{suffix} cubin", self.architecture),
            other => format!("an entry of unknown kind {other}"),
        }
    }

    fn contents(&self) -> Result<Cow<'_, [u8]>, ImageError> {
        if self.flags & (FLAG_LZ4 | FLAG_ZSTD) == 0 {
            return Ok(Cow::Borrowed(self.payload));
        }
        if self.text_bytes > MOST_TEXT_BYTES {
            return Err(damaged(format!("an entry claims {} bytes", self.text_bytes)));
        }
        let compressed = match self.compressed_bytes {
            0 => self.payload,
            count => self.payload.get(..count).ok_or_else(|| damaged("compressed data longer than its entry"))?,
        };
        Ok(Cow::Owned(if self.flags & FLAG_LZ4 != 0 { self.lz4(compressed)? } else { self.zstd(compressed)? }))
    }

    fn lz4(&self, compressed: &[u8]) -> Result<Vec<u8>, ImageError> {
        // A byte of LZ4 gives at most 255, so a larger claim is not worth the memory.
        let claimed = usize::try_from(self.text_bytes).unwrap_or(usize::MAX);
        if claimed > compressed.len().saturating_mul(255) {
            return Err(damaged(format!("its LZ4 claims {claimed} bytes of {}", compressed.len())));
        }
        lz4_flex::block::decompress(compressed, claimed).map_err(|error| damaged(format!("its LZ4: {error}")))
    }

    fn zstd(&self, compressed: &[u8]) -> Result<Vec<u8>, ImageError> {
        let decoder = ruzstd::decoding::StreamingDecoder::new(compressed)
            .map_err(|error| damaged(format!("its zstd: {error}")))?;
        let mut bytes = Vec::new();
        decoder
            .take(self.text_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| damaged(format!("its zstd: {error}")))?;
        if bytes.len() as u64 != self.text_bytes {
            return Err(damaged(format!("its zstd is not the {} bytes that it claims", self.text_bytes)));
        }
        Ok(bytes)
    }
}

fn entries(image: &[u8]) -> Result<Vec<Entry<'_>>, ImageError> {
    let length = fatbin_bytes(image)?;
    let image = image.get(..length).ok_or_else(|| damaged("it ends before the length in its header"))?;
    let mut at = usize::from(u16_at(image, 6).unwrap_or(0));
    let mut entries = Vec::new();
    while at < image.len() {
        let entry = (|| {
            let header = image.get(at..)?;
            let header_bytes = usize::try_from(u32_at(header, 4)?).ok()?;
            (header_bytes >= 64).then_some(())?;
            let payload_bytes = usize::try_from(u64_at(header, 8)?).ok()?;
            let end = header_bytes.checked_add(payload_bytes)?;
            let entry = Entry {
                kind: u16_at(header, 0)?,
                architecture: u32_at(header, 28)?,
                flags: u64_at(header, 40)?,
                compressed_bytes: usize::try_from(u32_at(header, 16)?).ok()?,
                text_bytes: u64_at(header, 56)?,
                payload: header.get(header_bytes..end)?,
            };
            Some((entry, end))
        })();
        let Some((entry, bytes)) = entry else {
            return Err(damaged(format!("the entry at byte {at} reaches beyond its end")));
        };
        entries.push(entry);
        at += bytes;
    }
    Ok(entries)
}

/// The cubin in a fatbin that a device of compute capability `capability` runs: of several, the highest.
pub(crate) fn cubin(image: &[u8], capability: (u32, u32)) -> Option<Vec<u8>> {
    let entries = entries(image).ok()?;
    let runs = |entry: &&Entry<'_>| {
        entry.kind == KIND_ELF && entry.allowed(capability) && entry.architecture / 10 == capability.0
    };
    let best = entries.iter().filter(runs).max_by_key(|entry| entry.architecture)?;
    best.contents().ok().map(Cow::into_owned)
}

fn from_fatbin(image: &[u8], capability: (u32, u32)) -> Result<String, ImageError> {
    let entries = entries(image)?;
    let best = entries
        .iter()
        .filter(|entry| entry.kind == KIND_PTX && entry.allowed(capability))
        .max_by_key(|entry| entry.architecture);
    let Some(entry) = best else {
        let found: Vec<String> = entries.iter().map(Entry::describe).collect();
        let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
        return Err(ImageError::NoBinaryForGpu { capability, found });
    };
    text(&entry.contents()?)
}

#[cfg(test)]
pub(crate) mod tests;
