use std::path::Path;
use std::process::Command;

use proptest::prelude::*;

use super::{ImageError, bytes, ptx};

#[path = "../../../../build/nvcc.rs"]
pub(crate) mod nvcc;

const SOURCE: &str = "extern \"C\" __global__ void twice(float* x) { x[threadIdx.x] *= 2.f; }\n";

/// What nvcc makes of [`SOURCE`].
fn compile(name: &str, arguments: &[&str]) -> Vec<u8> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let nvcc = nvcc::find(Some(workspace)).unwrap_or_else(|error| panic!("{error}"));
    let folder = std::env::temp_dir().join(format!("softgpu-fatbin-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (source, image) = (folder.join("twice.cu"), folder.join("image"));
    std::fs::write(&source, SOURCE).unwrap();
    let run = Command::new(nvcc.path).args(arguments).arg("-o").arg(&image).arg(&source).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let bytes = std::fs::read(&image).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    bytes
}

const PTX_80_AND_90: [&str; 4] =
    ["-fatbin", "-gencode=arch=compute_80,code=[sm_80,compute_80]", "-gencode", "arch=compute_90,code=compute_90"];

#[test]
fn every_compression_gives_the_same_text_and_the_highest_that_fits() {
    let mut texts = Vec::new();
    for mode in ["none", "speed", "size", "balance"] {
        let flag = format!("--compress-mode={mode}");
        let mut arguments = PTX_80_AND_90.to_vec();
        arguments.push(&flag);
        let image = compile(mode, &arguments);
        for (capability, target) in [((8, 0), ".target sm_80"), ((8, 9), ".target sm_80"), ((9, 0), ".target sm_90")] {
            let text = ptx(&image, capability).unwrap_or_else(|error| panic!("{mode}: {error}"));
            assert!(text.contains(target) && text.contains(".visible .entry twice("), "{mode} {capability:?}");
            assert!(!text.contains('\0'));
        }
        texts.push(ptx(&image, (8, 0)).unwrap());
        // SAFETY: a fatbin, whole.
        assert_eq!(unsafe { bytes(image.as_ptr().cast()) }.unwrap(), &image[..]);
        let wrapper = [u64::from(super::WRAPPER) | 1 << 32, image.as_ptr() as u64, 0];
        // SAFETY: a wrapper that points at a fatbin.
        assert_eq!(unsafe { bytes(wrapper.as_ptr().cast()) }.unwrap(), &image[..]);
        assert_eq!(
            ptx(&image, (7, 5)).unwrap_err().to_string(),
            "no PTX for compute capability 7.5 in the image, which has sm_80 cubin, compute_80 PTX, compute_90 PTX"
        );
    }
    texts.dedup();
    assert_eq!(texts.len(), 1);
}

#[test]
fn a_cubin_is_refused_alone_and_in_a_fatbin() {
    let cubin = compile("cubin", &["-cubin", "-arch=sm_80"]);
    let alone = ImageError::NoBinaryForGpu { capability: (8, 0), found: "a cubin alone".to_owned() };
    assert_eq!(ptx(&cubin, (8, 0)), Err(alone));
    let image = compile("cubins", &["-fatbin", "-gencode=arch=compute_80,code=sm_80"]);
    let only = ImageError::NoBinaryForGpu { capability: (8, 0), found: "sm_80 cubin".to_owned() };
    assert_eq!(ptx(&image, (8, 0)), Err(only));
}

#[test]
fn text_with_or_without_its_end() {
    let text = "\n// PTX\n.version 9.0\n";
    assert_eq!(ptx(text.as_bytes(), (8, 0)).unwrap(), text);
    assert_eq!(ptx(format!("{text}\0rest").as_bytes(), (8, 0)).unwrap(), text);
    assert_eq!(ptx(b"", (8, 0)), Err(ImageError::Unrecognised(vec![])));
    assert_eq!(ptx(b"MZ\x90", (8, 0)), Err(ImageError::Unrecognised(b"MZ\x90".to_vec())));
    assert_eq!(ptx(b".version\xff", (8, 0)), Err(ImageError::Damaged("its PTX is not UTF-8".to_owned())));
}

#[test]
fn damage_is_an_error_wherever_it_is() {
    let image = compile("damage", &["-fatbin", "-gencode=arch=compute_80,code=compute_80"]);
    let whole = ptx(&image, (8, 0)).unwrap();
    for length in 0..image.len() {
        assert!(ptx(&image[..length], (8, 0)).is_err(), "cut to {length} bytes");
    }
    // Any byte of the headers, any value: an answer, and never more text than a damaged length could cut out.
    let mut runner = proptest::test_runner::TestRunner::default();
    let changes = (0usize..96, any::<u8>(), 0usize..96, any::<u8>());
    let run = runner.run(&changes, |(first, value, second, other)| {
        let mut damaged = image.clone();
        damaged[first] = value;
        damaged[second] = other;
        if let Ok(text) = ptx(&damaged, (8, 0)) {
            prop_assert!(text.len() <= whole.len().max(damaged.len()));
        }
        Ok(())
    });
    run.unwrap();
}
