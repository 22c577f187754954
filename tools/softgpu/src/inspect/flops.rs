//! Floating-point operations of an instruction, by its text.

/// The type in which a floating-point operation is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FloatType {
    /// IEEE half precision, packed or not.
    F16,
    /// bfloat16, packed or not.
    Bf16,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

/// What a lane does in an instruction: one for an addition or a multiplication, two for a fused one, of each element of a
/// packed type. Comparisons, minima, conversions, divisions and functions are none: their instructions are counted.
pub(crate) fn flops(opcode: &str) -> Option<(FloatType, u32)> {
    let mut parts = opcode.split('.');
    let each = match parts.next()? {
        "add" | "sub" | "mul" => 1,
        "fma" | "mad" => 2,
        _ => return None,
    };
    parts.find_map(|part| {
        Some(match part {
            "f16" => (FloatType::F16, each),
            "f16x2" => (FloatType::F16, 2 * each),
            "bf16" => (FloatType::Bf16, each),
            "bf16x2" => (FloatType::Bf16, 2 * each),
            "f32" => (FloatType::F32, each),
            "f32x2" => (FloatType::F32, 2 * each),
            "f64" => (FloatType::F64, each),
            _ => return None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_opcode() {
        for (opcode, expected) in [
            ("add.f32", Some((FloatType::F32, 1))),
            ("sub.rn.ftz.f32", Some((FloatType::F32, 1))),
            ("fma.rn.f32", Some((FloatType::F32, 2))),
            ("mad.rz.f64", Some((FloatType::F64, 2))),
            ("mul.rn.bf16x2", Some((FloatType::Bf16, 2))),
            ("fma.rn.relu.f16x2", Some((FloatType::F16, 4))),
            ("add.s32", None),
            ("mad.lo.s32", None),
            ("max.f32", None),
            ("div.rn.f32", None),
            ("atom.global.add.f32", None),
        ] {
            assert_eq!(flops(opcode), expected, "{opcode}");
        }
    }
}
