//! Functions put together to a program. Each is decoded by itself, so that its operations refer to its own tables.

use crate::program::{Function, Kind, NONE, Program, Site};

/// Tells each operation of plain lanes how many of its kind the executor may run from there without a look.
pub(super) fn link_runs(program: &mut Program) {
    let mut next = (u32::MAX, 0);
    for (op, &block) in program.ops.iter_mut().zip(&program.block_of).rev() {
        let mut run = 0;
        if op.kind == Kind::Lanes {
            let behind = if next.0 == block { next.1 } else { 0 };
            run = if op.guard == NONE { 1 + behind } else { 0 };
            op.extra = run;
        }
        next = (block, run);
    }
}

/// Adds a function, of which `part` is the program; `None` if the operations cannot be numbered.
pub(super) fn append(program: &mut Program, function: Function, part: Program) -> Option<()> {
    u32::try_from(program.ops.len() + part.ops.len()).ok()?;
    // No table but the locations has more entries than there are operations; a location takes a line of text.
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let (ops, blocks) = (length(program.ops.len()), length(program.blocks.len()));
    let [accesses, tensor_ops, branch_tables, calls] =
        [program.accesses.len(), program.tensor_ops.len(), program.branch_tables.len(), program.calls.len()]
            .map(length);
    let [barriers, mbarriers, spaces, dynamic_specials, locations] = [
        program.barriers.len(),
        program.mbarriers.len(),
        program.spaces.len(),
        program.dynamic_specials.len(),
        program.locations.len(),
    ]
    .map(length);
    program.functions.push(Function { first_op: ops, ..function });
    program.ops.extend(part.ops.into_iter().map(|mut op| {
        op.extra += match op.kind {
            Kind::Load | Kind::Store | Kind::Atomic | Kind::CopyAsync => accesses,
            Kind::Tensor => tensor_ops,
            Kind::Branch => ops,
            Kind::BranchIndexed => branch_tables,
            Kind::Call => calls,
            Kind::Barrier => barriers,
            Kind::Mbarrier => mbarriers,
            Kind::IsSpace => spaces,
            Kind::ReadSpecial => dynamic_specials,
            Kind::Lanes
            | Kind::CopyCommit
            | Kind::CopyWait
            | Kind::Return
            | Kind::Exit
            | Kind::Trap
            | Kind::Breakpoint
            | Kind::WarpBarrier
            | Kind::Elect
            | Kind::Fence
            | Kind::Shuffle
            | Kind::Vote
            | Kind::Match
            | Kind::Redux
            | Kind::ActiveMask
            | Kind::Nanosleep
            | Kind::Nop => 0,
        };
        op
    }));
    let moved = |location: Option<u32>| location.map(|location| location + locations);
    program.sites.extend(part.sites.into_iter().map(|site| Site { location: moved(site.location), ..site }));
    program.block_of.extend(part.block_of.into_iter().map(|block| block + blocks));
    program.blocks.extend(part.blocks.into_iter().map(|mut block| {
        block.first += ops;
        block
    }));
    program.branch_tables.extend(part.branch_tables.into_iter().map(|mut table| {
        for target in &mut table {
            *target += ops;
        }
        table
    }));
    program.locations.extend(part.locations.into_iter().map(|mut location| {
        location.inlined_at = moved(location.inlined_at);
        location
    }));
    program.accesses.extend(part.accesses);
    program.tensor_ops.extend(part.tensor_ops);
    program.calls.extend(part.calls);
    program.barriers.extend(part.barriers);
    program.mbarriers.extend(part.mbarriers);
    program.spaces.extend(part.spaces);
    program.dynamic_specials.extend(part.dynamic_specials);
    Some(())
}
