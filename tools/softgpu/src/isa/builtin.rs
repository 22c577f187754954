//! Functions that the device's runtime has and a module only declares: vprintf and __assertfail.

use super::access;
use crate::execute::Failure;
use crate::execute::format::{Arguments, format};
use crate::execute::registers::lanes;
use crate::execute::warp::{Step, Stopped};
use crate::inspect::finding::FindingKind;
use crate::program::{Builtin, Call};
use crate::ptx::ast::Space;

/// Longest string that is read of a kernel.
const LONGEST: usize = 1 << 16;

/// Calls a builtin for each lane of the mask, in ascending order.
///
/// # Errors
/// After a failed assertion, and for what the device has not.
pub(crate) fn call(step: &mut Step<'_, '_>, builtin: Builtin, call: &Call, mask: u32) -> Result<(), Stopped> {
    for lane in lanes(mask) {
        let arguments: Vec<u64> =
            call.arguments.iter().map(|&(from, _, bytes)| frame(step, lane, from, bytes)).collect();
        match (builtin, arguments[..].as_ref()) {
            (Builtin::Vprintf, &[text, buffer]) => {
                let most = step.worker.grid.launch.settings.printf_bytes;
                let text = string(step, lane, text, LONGEST).unwrap_or_default();
                let (printed, used) = format(&text, &mut Packed { step: &mut *step, lane, at: buffer }, most);
                let printed = String::from_utf8_lossy(&printed).into_owned();
                // It takes its time, of which the watchdog must hear.
                step.warp.executed += (text.len() + printed.len()) as u64;
                step.worker.print(step.block, &printed);
                for &(_, to, bytes) in &call.results {
                    set_frame(step, lane, to, bytes, u64::from(used));
                }
            }
            (Builtin::Assertfail, &[message, file, line, function, ..]) => {
                let text = |step: &mut Step<'_, '_>, address| {
                    String::from_utf8_lossy(&string(step, lane, address, LONGEST).unwrap_or_default()).into_owned()
                };
                let (message, file, function) = (text(step, message), text(step, file), text(step, function));
                let thread = step.warp.index * 32 + lane as u32;
                let [bx, by, bz] = step.block.place;
                let [x, y, _] = step.worker.grid.launch.block;
                let (tx, ty, tz) = (thread % x, thread / x % y, thread / (x * y));
                let detail = format!(
                    "{file}:{line}: {function}: block: [{bx},{by},{bz}], thread: [{tx},{ty},{tz}] Assertion `{message}` failed."
                );
                step.worker.print(step.block, &format!("{detail}\n"));
                step.find(lane, FindingKind::Trap { detail });
                // The other lanes' assertions are printed too, as on a card.
                if lane as u32 == mask.ilog2() {
                    return Err(step.fail(Failure::Assert));
                }
            }
            _ => {
                let name = match builtin {
                    Builtin::Vprintf => "vprintf",
                    Builtin::Assertfail => "__assertfail",
                    Builtin::Malloc => "malloc",
                    Builtin::Free => "free",
                };
                let detail = format!("a call of {name}, which the device has not in this form");
                step.find(lane, FindingKind::Trap { detail });
                return Err(step.fail(Failure::LaunchFailed));
            }
        }
    }
    Ok(())
}

/// A value of the caller's frame, of at most 8 bytes.
fn frame(step: &Step<'_, '_>, lane: usize, offset: u32, bytes: u32) -> u64 {
    let mut value = [0; 8];
    if let Some(store) = &step.warp.local {
        let at = lane * step.warp.local_bytes + (step.group.local + offset) as usize;
        store.read(at, &mut value[..bytes.min(8) as usize]);
    }
    u64::from_le_bytes(value)
}

fn set_frame(step: &Step<'_, '_>, lane: usize, offset: u32, bytes: u32, value: u64) {
    if let Some(store) = &step.warp.local {
        let at = lane * step.warp.local_bytes + (step.group.local + offset) as usize;
        store.write(at, &value.to_le_bytes()[..bytes.min(8) as usize]);
    }
}

/// A value at a generic address, if there is one.
fn value(step: &mut Step<'_, '_>, lane: usize, address: u64, bytes: usize) -> Option<u64> {
    let mut value = [0; 8];
    for (i, byte) in value[..bytes].iter_mut().enumerate() {
        let span = access::locate(step, Space::Generic, lane, address.wrapping_add(i as u64))?;
        // SAFETY: a span that was located has at least one byte.
        *byte = unsafe { span.at.read() };
    }
    Some(u64::from_le_bytes(value))
}

/// The characters from a generic address to their end, at most so many.
fn string(step: &mut Step<'_, '_>, lane: usize, address: u64, most: usize) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    for i in 0..most.min(LONGEST) {
        let byte = value(step, lane, address.wrapping_add(i as u64), 1)? as u8;
        if byte == 0 {
            break;
        }
        text.push(byte);
    }
    Some(text)
}

/// vprintf's buffer: each argument at the next multiple of its size.
struct Packed<'a, 's, 'g> {
    step: &'a mut Step<'s, 'g>,
    lane: usize,
    at: u64,
}

impl Arguments for Packed<'_, '_, '_> {
    fn next(&mut self, bytes: usize) -> Option<u64> {
        // A buffer that ends with the address space has no next argument: none is found there.
        let at = self.at.checked_next_multiple_of(bytes as u64)?;
        self.at = at.checked_add(bytes as u64)?;
        value(self.step, self.lane, at, bytes)
    }

    fn string(&mut self, address: u64, most: usize) -> Option<Vec<u8>> {
        string(self.step, self.lane, address, most)
    }
}
