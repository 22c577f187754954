//! PTX ISA, "Data Movement and Conversion Instructions: isspacep".

use crate::execute::registers::{lanes, row, wide_row};
use crate::execute::warp::Step;
use crate::memory::{LOCAL_BASE, PARAM_BASE, SHARED_BASE, WINDOW};
use crate::program::Op;
use crate::ptx::ast::Space;

/// Whether each lane's generic address lies in a space's window, or among the module's constants.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
pub(crate) unsafe fn isspacep(step: &mut Step<'_, '_>, op: &Op, space: Space, mask: u32) {
    let module = step.worker.grid.launch.module;
    let constant = |address: u64| {
        let variables = module.program.variables.iter().zip(&module.addresses);
        variables
            .filter(|(variable, _)| variable.space == Space::Const)
            .any(|(variable, &first)| (first..first + variable.bytes.max(1)).contains(&address))
    };
    let window = |base: u64, address: u64| (base..base + WINDOW).contains(&address);
    for lane in lanes(mask) {
        // SAFETY: the caller's, here and below.
        let address = unsafe { wide_row(step.regs, op.s[0]) }[lane];
        let own = [SHARED_BASE, LOCAL_BASE, PARAM_BASE].into_iter().find(|base| window(*base, address));
        let lies = match space {
            Space::Shared => own == Some(SHARED_BASE),
            Space::Local => own == Some(LOCAL_BASE),
            Space::Param => own == Some(PARAM_BASE),
            Space::Const => constant(address),
            // Constants have addresses of global memory here, but are none of it.
            _ => own.is_none() && !constant(address),
        };
        // SAFETY: as above.
        unsafe { row(step.regs, op.d[0])[lane] = if lies { u32::MAX } else { 0 } };
    }
}
