//! f16 and bf16, alone and in pairs: the same arithmetic on each half.

use super::exact;
use super::float::arithmetic;
use super::{Expected, Form};

pub(super) fn expected(form: &Form, s: &[u64]) -> Option<Expected> {
    let name = form.kind(0);
    if !matches!(name, "f16" | "bf16" | "f16x2" | "bf16x2") {
        return None;
    }
    let format = exact::format(name)?;
    let halves = |shift: u32| s.iter().map(|bits| (bits >> shift) & 0xffff).collect::<Vec<_>>();
    let low = arithmetic(form, format, &halves(0))?;
    let high = if name.ends_with("x2") { arithmetic(form, format, &halves(16))? << 16 } else { 0 };
    Some((low | high).into())
}
