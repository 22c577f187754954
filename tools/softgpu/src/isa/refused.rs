//! Instructions that this device knows and does not run, each with its reason: they are refused by name when a module is
//! loaded.

/// Some forms of an opcode.
pub(crate) struct Refused {
    /// The opcode, and modifiers that it has in any order; `!word` is one that it does not have.
    pub(crate) words: &'static str,
    pub(crate) reason: &'static str,
}

const TEXTURES: &str = "textures and surfaces are not part of this device";
const SPARSE: &str = "products of sparse matrices are not part of this device";
const CLUSTERS: &str = "clusters of blocks (sm_90) are not part of this device";
const BULK: &str = "bulk and tensor copies (sm_90) are not part of this device";
const LATER: &str = "of an architecture after sm_90, which this device does not stand for";
const WITHOUT_SYNC: &str = "without .sync it has been gone since sm_70";
const VIDEO: &str = "of the video instructions this device has those alone that nvcc makes for sm_80";
const WIDE: &str = "registers of 128 bits are not part of this device";
const VECTORS: &str = "atomics on vectors (sm_90) are not part of this device";
const PACKED: &str = "packed 16-bit integers (sm_90) are not part of this device";

macro_rules! refused {
    ($($words:literal => $reason:expr;)*) => {
        /// Every refusal; the first that fits gives the reason.
        pub(crate) static REFUSED: &[Refused] = &[$(Refused { words: $words, reason: $reason },)*];
    };
}

refused! {
    "tex" => TEXTURES;
    "tld4" => TEXTURES;
    "txq" => TEXTURES;
    "istypep" => TEXTURES;
    "suld" => TEXTURES;
    "sust" => TEXTURES;
    "sured" => TEXTURES;
    "suq" => TEXTURES;
    "mma sp" => SPARSE;
    "mma sp::ordered_metadata" => SPARSE;
    "mma block_scale" => LATER;
    "mma kind::f8f6f4" => LATER;
    "wgmma" => "products of warp groups (sm_90a) are not part of this device";
    "tcgen05" => LATER;
    "ldmatrix m16n16" => LATER;
    "ldmatrix m8n16" => LATER;
    "stmatrix m16n8" => LATER;
    "setmaxnreg" => "registers of warp groups (sm_90a) are not part of this device";
    "cp bulk" => BULK;
    "cp reduce" => BULK;
    "tensormap" => BULK;
    "prefetch tensormap" => BULK;
    "fence proxy tensormap::generic" => BULK;
    "mbarrier expect_tx" => BULK;
    "mbarrier complete_tx" => BULK;
    "st async" => CLUSTERS;
    "red async" => CLUSTERS;
    "mapa" => CLUSTERS;
    "getctarank" => CLUSTERS;
    "barrier cluster" => CLUSTERS;
    "cvta shared::cluster" => CLUSTERS;
    "isspacep shared::cluster" => CLUSTERS;
    "clusterlaunchcontrol" => LATER;
    "griddepcontrol" => "launches that depend on each other (sm_90) are not part of this device";
    "multimem" => "memory of several devices at one address is not part of this device";
    "redux f32" => "a reduction of f32 over the warp is of sm_100a, which this device does not stand for";
    "atom b128" => WIDE;
    "ld b128" => WIDE;
    "st b128" => WIDE;
    "mov b128" => WIDE;
    "atom v2" => VECTORS;
    "atom v4" => VECTORS;
    "atom v8" => VECTORS;
    "red v2" => VECTORS;
    "red v4" => VECTORS;
    "red v8" => VECTORS;
    "shfl !sync" => WITHOUT_SYNC;
    "vote !sync" => WITHOUT_SYNC;
    "match !sync" => WITHOUT_SYNC;
    "add s16x2" => PACKED;
    "add u16x2" => PACKED;
    "min s16x2" => PACKED;
    "max s16x2" => PACKED;
    "min u16x2" => PACKED;
    "max u16x2" => PACKED;
    "min relu" => PACKED;
    "max relu" => PACKED;
    "fma oob" => "fma.oob (sm_90) is not part of this device";
    "add f32x2" => LATER;
    "sub f32x2" => LATER;
    "mul f32x2" => LATER;
    "fma f32x2" => LATER;
    "cvt e2m1x2" => LATER;
    "cvt e2m3x2" => LATER;
    "cvt e3m2x2" => LATER;
    "cvt ue8m0x2" => LATER;
    "cvt rs" => LATER;
    "vadd" => VIDEO;
    "vsub" => VIDEO;
    "vabsdiff" => VIDEO;
    "vmin" => VIDEO;
    "vmax" => VIDEO;
    "vshl" => VIDEO;
    "vshr" => VIDEO;
    "vmad" => VIDEO;
    "vset" => VIDEO;
    "vadd2" => VIDEO;
    "vsub2" => VIDEO;
    "vavrg2" => VIDEO;
    "vabsdiff2 sat" => VIDEO;
    "vabsdiff2 s32" => VIDEO;
    "vmin2" => VIDEO;
    "vmax2" => VIDEO;
    "vset2" => VIDEO;
    "vadd4" => VIDEO;
    "vsub4" => VIDEO;
    "vavrg4" => VIDEO;
    "vabsdiff4 sat" => VIDEO;
    "vabsdiff4 s32" => VIDEO;
    "vmin4" => VIDEO;
    "vmax4" => VIDEO;
    "vset4" => VIDEO;
    "alloca" => "memory that is allocated on the stack as a kernel runs is not part of this device";
    "stacksave" => "memory that is allocated on the stack as a kernel runs is not part of this device";
    "stackrestore" => "memory that is allocated on the stack as a kernel runs is not part of this device";
}

/// Why an opcode that no form has is refused, if it is known.
pub(crate) fn reason(opcode: &str) -> Option<&'static str> {
    let mut parts = opcode.split('.');
    let base = parts.next()?;
    let modifiers: Vec<&str> = parts.collect();
    let fits = |refused: &&Refused| {
        let mut words = refused.words.split(' ');
        words.next() == Some(base)
            && words.all(|word| match word.strip_prefix('!') {
                Some(absent) => !modifiers.contains(&absent),
                None => modifiers.contains(&word),
            })
    };
    REFUSED.iter().find(fits).map(|refused| refused.reason)
}

#[cfg(test)]
mod tests {
    use super::{REFUSED, reason};
    use crate::isa::forms::{FORMS, every_opcode};
    use crate::program::decode;
    use crate::ptx::parse;

    #[test]
    fn refusals_are_made_by_name_when_a_module_is_loaded() {
        for refused in REFUSED {
            let words: Vec<&str> = refused.words.split(' ').filter(|word| !word.starts_with('!')).collect();
            let opcode = words.join(".");
            let text = format!(".version 9.0\n.target sm_90\n.address_size 64\n.entry k() {{\n{opcode};\nret;\n}}\n");
            let error = parse(&text).and_then(|module| decode(module).map(drop)).unwrap_err();
            let expected = format!("PTX line 5: {opcode} is refused: {} in \"{opcode};\"", refused.reason);
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn nothing_is_both_run_and_refused() {
        for form in FORMS {
            // A line of many optional words would be a long list.
            let opcodes = if form.syntax.contains("SCOPE") { Vec::new() } else { every_opcode(form) };
            for opcode in opcodes {
                assert_eq!(reason(&opcode), None, "{opcode}");
            }
        }
        for name in crate::isa::rows().flat_map(|row| row.names) {
            assert_eq!(reason(name), None, "{name}");
        }
    }
}
