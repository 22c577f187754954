//! PTX ISA, "Control Flow Instructions": bra, brx.idx, call, ret, exit; and trap.

use crate::execute::Failure;
use crate::execute::registers::{lanes, row, wide_row};
use crate::execute::warp::{Flow, Frame, Step, Stopped};
use crate::inspect::finding::FindingKind;
use crate::memory::store::Store;
use crate::program::{Call, CallTarget, FUNCTION_BASE, Function, MOST_LOCAL_BYTES, Op};

/// bra: the lanes of the mask jump, the others fall through. The part that is lower goes on; the other waits its turn.
pub(crate) fn bra(step: &mut Step<'_, '_>, target: u32, mask: u32) -> Flow {
    let others = step.group.mask & !mask;
    if others != 0 {
        step.worker.tally.divergent_branches += 1;
        let mut behind = step.group.split(others);
        behind.op += 1;
        step.warp.groups.push(behind);
    }
    step.jump(target)
}

/// brx.idx: each lane to the target of its index.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
pub(crate) unsafe fn brx_idx(step: &mut Step<'_, '_>, op: &Op, targets: &[u32], mask: u32) -> Result<Flow, Stopped> {
    // SAFETY: the caller's.
    let indices = *unsafe { row(step.regs, op.s[0]) };
    if let Some(lane) = lanes(mask).find(|&lane| indices[lane] as usize >= targets.len()) {
        let detail = format!("brx.idx with index {} into {} targets", indices[lane], targets.len());
        step.find(lane, FindingKind::Trap { detail });
        return Err(step.fail(Failure::LaunchFailed));
    }
    let others = step.group.mask & !mask;
    if others != 0 {
        let mut behind = step.group.split(others);
        behind.op += 1;
        step.warp.groups.push(behind);
    }
    let mut rest = mask;
    let mut ways = u32::from(others != 0);
    loop {
        ways += 1;
        let target = targets[indices[rest.trailing_zeros() as usize & 31] as usize];
        let same = lanes(rest).filter(|&l| targets[indices[l] as usize] == target).fold(0, |mask, l| mask | 1 << l);
        rest &= !same;
        if rest == 0 {
            step.worker.tally.divergent_branches += u64::from(ways > 1);
            return Ok(step.jump(target));
        }
        let mut apart = step.group.split(same);
        apart.op = target;
        step.warp.groups.push(apart);
    }
}

/// What a call takes of the stack: the function's frame, its registers, which it would have to save if it called on, and
/// where it returns to.
fn stack_bytes(function: &Function) -> u64 {
    const RETURN_ADDRESS: u64 = 16;
    u64::from(function.frame_bytes) + 4 * u64::from(function.slots) + RETURN_ADDRESS
}

/// Whether a function's parameters are what a call through a pointer hands over and takes back.
fn agrees(function: &Function, call: &Call) -> bool {
    let given = call.arguments.iter().map(|&(_, to, bytes)| (to, bytes));
    let taken = function.params.iter().map(|parameter| (parameter.offset, parameter.bytes));
    given.eq(taken) && call.results.iter().all(|&(from, _, bytes)| from.saturating_add(bytes) <= function.param_bytes)
}

/// call, direct and through a pointer: a new frame of registers and of local memory for the lanes that call.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
pub(crate) unsafe fn call(step: &mut Step<'_, '_>, op: &Op, mask: u32) -> Result<Flow, Stopped> {
    let program = step.worker.grid.program;
    let call = &program.calls[op.extra as usize];
    let (target, mask) = match call.target {
        CallTarget::Function(id) => (id, mask),
        CallTarget::Builtin(builtin) => {
            super::builtin::call(step, builtin, call, mask)?;
            return Ok(Flow::Next);
        }
        CallTarget::Indirect(slot) => {
            // SAFETY: the caller's.
            let addresses = *unsafe { wide_row(step.regs, slot) };
            let first = mask.trailing_zeros() as usize & 31;
            let index = addresses[first].wrapping_sub(FUNCTION_BASE) / 16;
            let function = program.functions.get(usize::try_from(index).unwrap_or(usize::MAX));
            if addresses[first] % 16 != 0 || function.is_none_or(|function| function.is_entry) {
                let detail = format!("call through {:#x}, which is no function", addresses[first]);
                step.find(first, FindingKind::Trap { detail });
                return Err(step.fail(Failure::LaunchFailed));
            }
            if let Some(function) = function.filter(|function| !agrees(function, call)) {
                let detail = format!("call of {} through a pointer, with other parameters than it has", function.name);
                step.find(first, FindingKind::Trap { detail });
                return Err(step.fail(Failure::LaunchFailed));
            }
            let same = lanes(mask).filter(|&lane| addresses[lane] == addresses[first]);
            (index as u32, same.fold(0, |mask, lane| mask | 1 << lane))
        }
    };
    // Lanes that call elsewhere come back to this instruction; those that do not call go on behind it.
    // SAFETY: the caller's.
    let calling = unsafe { step.guarded(op) };
    let (elsewhere, behind) = (calling & !mask, step.group.mask & !calling);
    if elsewhere != 0 {
        let group = step.group.split(elsewhere);
        step.warp.groups.push(group);
    }
    if behind != 0 {
        let mut group = step.group.split(behind);
        group.op += 1;
        step.warp.groups.push(group);
    }
    let caller = &program.functions[step.group.function as usize];
    let callee = &program.functions[target as usize];
    let frame = Frame {
        op: step.group.op + 1,
        function: step.group.function,
        window: step.group.window,
        local: step.group.local,
        call: op.extra,
    };
    // Frames begin at multiples of 16, which is what any `.align` of PTX's types asks for.
    let local = (step.group.local + caller.frame_bytes).next_multiple_of(16);
    let bytes = u64::from(local) + u64::from(callee.frame_bytes);
    let stack = step.group.stack + stack_bytes(callee);
    let most = step.worker.grid.launch.settings.stack_bytes;
    if stack > most || bytes > MOST_LOCAL_BYTES {
        let (depth, name, more) = (step.group.calls.len(), &callee.name, stack_bytes(callee));
        let what = if stack > most {
            format!("the stack of {most} bytes")
        } else {
            format!("the thread's local memory of {MOST_LOCAL_BYTES} bytes")
        };
        let detail = format!("{what} overflows: {depth} calls deep, {name} needs {more} more");
        step.find(mask.trailing_zeros() as usize & 31, FindingKind::Trap { detail });
        return Err(step.fail(Failure::LaunchFailed));
    }
    step.warp.reserve_local(bytes as usize);
    step.group.stack = stack;
    let window = free_window(step, target, step.group.window + caller.slots);
    step.warp.registers.reserve((window + callee.slots) as usize);
    step.group.calls.push(frame);
    step.group.function = target;
    step.group.op = callee.first_op;
    step.group.window = window;
    step.group.local = local;
    if let Some(store) = &step.warp.local {
        let stride = step.warp.local_bytes;
        for lane in lanes(mask) {
            store.written.clear(lane * stride + local as usize, callee.frame_bytes as usize);
        }
        copy_frames(store, stride, mask, frame_local(step), local, &call.arguments);
    }
    step.regs = step.warp.registers.window(window as usize);
    let group = step.group.clone();
    step.warp.fill(step.worker, step.block, &group);
    Ok(Flow::Jump)
}

/// Where the registers of a function that the group calls may lie: from `lowest` on, and apart from the windows of other
/// functions that other lanes of the warp are in, as a slot's lanes lie differently for 32 and for 64 bits.
fn free_window(step: &Step<'_, '_>, target: u32, lowest: u32) -> u32 {
    let functions = &step.worker.grid.program.functions;
    let end = |function: u32, window: u32| window + functions[function as usize].slots;
    let others = || {
        step.warp.groups.iter().flat_map(|group| {
            let callers = group.calls.iter().map(|frame| (frame.function, frame.window));
            callers.chain([(group.function, group.window)])
        })
    };
    let clash = others().any(|(function, window)| {
        let apart = end(function, window) <= lowest || end(target, lowest) <= window;
        !apart && (function, window) != (target, lowest)
    });
    if clash { others().map(|(function, window)| end(function, window)).fold(lowest, u32::max) } else { lowest }
}

/// The local frame of the group's caller.
fn frame_local(step: &Step<'_, '_>) -> u32 {
    step.group.calls.last().map_or(0, |frame| frame.local)
}

/// Copies (offset in `from`, offset in `to`, bytes) between two frames of each lane, with what is known of the bytes.
fn copy_frames(store: &Store, stride: usize, mask: u32, from: u32, to: u32, parts: &[(u32, u32, u32)]) {
    for lane in lanes(mask) {
        for &(from_offset, to_offset, bytes) in parts {
            let at = |frame: u32, offset: u32| lane * stride + (frame + offset) as usize;
            store.copy_from(at(to, to_offset), store, at(from, from_offset), bytes as usize);
        }
    }
}

/// ret: back to the caller, or out of the kernel.
pub(crate) fn ret(step: &mut Step<'_, '_>, mask: u32) -> Flow {
    if step.group.calls.is_empty() {
        return exit(step, mask);
    }
    let others = step.group.mask & !mask;
    if others != 0 {
        let mut behind = step.group.split(others);
        behind.op += 1;
        step.warp.groups.push(behind);
    }
    let Some(frame) = step.group.calls.pop() else { return Flow::Next };
    let results = &step.worker.grid.program.calls[frame.call as usize].results;
    if let Some(store) = &step.warp.local {
        copy_frames(store, step.warp.local_bytes, mask, step.group.local, frame.local, results);
    }
    step.group.op = frame.op;
    step.group.stack -= stack_bytes(&step.worker.grid.program.functions[step.group.function as usize]);
    step.group.function = frame.function;
    step.group.window = frame.window;
    step.group.local = frame.local;
    step.regs = step.warp.registers.window(frame.window as usize);
    // Others may have come back already and wait for nothing: look.
    if step.warp.groups.is_empty() { Flow::Jump } else { Flow::Leave }
}

/// exit: the lanes leave the kernel, whatever they were called from.
pub(crate) fn exit(step: &mut Step<'_, '_>, mask: u32) -> Flow {
    if let Some(lane) = step.warp.copies.pending(mask) {
        let detail = "a thread leaves the kernel with asynchronous copies in flight".to_owned();
        step.find(lane, FindingKind::AsyncCopy { detail });
    }
    step.worker.changes += 1;
    step.warp.live &= !mask;
    step.group.mask &= !mask;
    step.group.op += 1;
    Flow::Leave
}

/// trap and brkpt.
pub(crate) fn trap(step: &mut Step<'_, '_>, what: &str, mask: u32) -> Stopped {
    step.find(mask.trailing_zeros() as usize & 31, FindingKind::Trap { detail: what.to_owned() });
    step.fail(Failure::LaunchFailed)
}
