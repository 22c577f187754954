//! What `mov`, `selp` and `slct` do, by name.

use super::Expected;

pub(super) fn expected(name: &str, s: &[u64]) -> Option<Expected> {
    let join = |parts: &[u64], bits: u32| {
        parts.iter().enumerate().map(|(i, part)| (part & ((1 << bits) - 1)) << (i as u32 * bits)).sum::<u64>()
    };
    let part = |index: u32, bits: u32| (s[0] >> (index * bits)) & ((1 << bits) - 1);
    let bits = match name {
        "mov.b16.pack2" | "mov.b32.pack4" => vec![join(s, 8)],
        "mov.b32.pack2" | "mov.b64.pack4" => vec![join(s, 16)],
        "mov.b64.pack2" => vec![join(s, 32)],
        "mov.b16.unpack2" | "mov.b32.unpack4.low" => vec![part(0, 8), part(1, 8)],
        "mov.b32.unpack4.high" => vec![part(2, 8), part(3, 8)],
        "mov.b32.unpack2" | "mov.b64.unpack4.low" => vec![part(0, 16), part(1, 16)],
        "mov.b64.unpack4.high" => vec![part(2, 16), part(3, 16)],
        "mov.b64.unpack2" => vec![part(0, 32), part(1, 32)],
        // Opaque in the ISA; here the lowest 20 bits.
        "mbarrier.pending_count.b64" => vec![s[0] & 0xf_ffff],
        _ if name.starts_with("mov.") => vec![s[0]],
        _ if name.starts_with("selp.") => vec![if s[2] == 0 { s[1] } else { s[0] }],
        _ if name.starts_with("slct.") && name.rsplit('.').next() == Some("s32") => {
            vec![if s[2] < 0x8000_0000 { s[0] } else { s[1] }]
        }
        _ if name.starts_with("slct.") => {
            // c >= 0 as f32: positive up to infinity, or either zero; with .ftz every negative subnormal is one.
            let negative_zero = if name.contains(".ftz") { 0x8000_0000..0x8080_0000 } else { 0x8000_0000..0x8000_0001 };
            vec![if s[2] <= 0x7f80_0000 || negative_zero.contains(&s[2]) { s[0] } else { s[1] }]
        }
        _ => return None,
    };
    Some(Expected::Bits(bits))
}
