//! Control flow, calls, barriers, and what lanes do together.

use super::builder::{Builder, describe};
use super::layout;
use crate::inspect::Class;
use crate::isa::forms::{Build, Matched};
use crate::program::{Barrier, BarrierKind, Builtin, Call, CallTarget, Kind, Mbarrier, MbarrierAction, NONE, Slot};
use crate::ptx::PtxError;
use crate::ptx::ast::{Operand, Scope, Space, Variable};

impl<'a> Builder<'a> {
    pub(super) fn control_or_warp(&mut self, form: &Matched) -> Result<(), PtxError> {
        let class = form.form.class;
        let (no_d, no_s) = ([NONE; 2], [NONE; 4]);
        let plain = |builder: &mut Self, kind, extra| {
            builder.expect_operands(0..=0)?;
            builder.op(kind, class, no_d, no_s, extra);
            Ok(())
        };
        match form.form.build {
            Build::CopyCommit => plain(self, Kind::CopyCommit, 0),
            Build::CopyWaitAll => plain(self, Kind::CopyWait, u32::MAX),
            Build::Return => plain(self, Kind::Return, 0),
            Build::Exit => plain(self, Kind::Exit, 0),
            Build::Trap => plain(self, Kind::Trap, 0),
            Build::Breakpoint => plain(self, Kind::Breakpoint, 0),
            Build::Fence => {
                let reach = if form.has("cta") {
                    0
                } else if form.has("sys") {
                    2
                } else {
                    1
                };
                plain(self, Kind::Fence, reach)
            }
            Build::CopyWaitGroup => {
                let operands = self.expect_operands(1..=1)?;
                let Operand::Integer(groups) = operands[0] else {
                    return Err(self.error("a count that is no literal"));
                };
                let groups = u32::try_from(groups).map_err(|_| self.error("a count of groups out of range"))?;
                self.op(Kind::CopyWait, class, no_d, no_s, groups.min(u32::MAX - 1));
                Ok(())
            }
            Build::Branch => {
                let operands = self.expect_operands(1..=1)?;
                let Operand::Label(label) = operands[0] else {
                    return Err(self.error(format!("{} where a label is expected", describe(&operands[0]))));
                };
                let target = self.target(label);
                self.op(Kind::Branch, class, no_d, no_s, target);
                Ok(())
            }
            Build::BranchIndexed => {
                let operands = self.expect_operands(2..=2)?;
                let Operand::Targets(list) = operands[1] else {
                    return Err(self.error(format!("{} where a list of targets is expected", describe(&operands[1]))));
                };
                let index = self.source(&operands[0], 4)?;
                let targets = self.of.body.branch_targets[list as usize].iter().map(|&l| self.target(l)).collect();
                let table = self.entry(|program| &mut program.branch_tables, targets);
                self.op(Kind::BranchIndexed, class, no_d, [index, NONE, NONE, NONE], table);
                Ok(())
            }
            Build::Call => self.call(form),
            Build::Nanosleep => {
                let operands = self.expect_operands(1..=1)?;
                let time = self.source(&operands[0], 4)?;
                self.op(Kind::Nanosleep, class, no_d, [time, NONE, NONE, NONE], 0);
                Ok(())
            }
            Build::Barrier(kind, aligned) => self.barrier(form, kind, aligned),
            Build::WarpBarrier => {
                let operands = self.expect_operands(1..=1)?;
                let mask = self.source(&operands[0], 4)?;
                self.op(Kind::WarpBarrier, class, no_d, [mask, NONE, NONE, NONE], 0);
                Ok(())
            }
            Build::Shuffle(mode) => {
                let operands = self.expect_operands(5..=5)?;
                let mut s = no_s;
                for (slot, operand) in s.iter_mut().zip(&operands[1..]) {
                    *slot = self.source(operand, 4)?;
                }
                let d = self.value_and_predicate(&operands[0])?;
                self.op(Kind::Shuffle, class, d, s, mode);
                Ok(())
            }
            Build::Vote(mode) => {
                let operands = self.expect_operands(3..=3)?;
                let s = [self.source(&operands[1], 1)?, self.source(&operands[2], 4)?, NONE, NONE];
                let d = self.result(&operands[0], if mode == 3 { 4 } else { 1 })?;
                self.op(Kind::Vote, class, [d, NONE], s, mode);
                Ok(())
            }
            Build::Match(mode) => {
                let operands = self.expect_operands(3..=3)?;
                let bytes = if mode % 2 == 0 { 4 } else { 8 };
                let s = [self.source(&operands[1], bytes)?, self.source(&operands[2], 4)?, NONE, NONE];
                let d = self.value_and_predicate(&operands[0])?;
                if d[1] != NONE && mode < 2 {
                    return Err(self.error("a predicate of match.any"));
                }
                self.op(Kind::Match, class, d, s, mode);
                Ok(())
            }
            Build::Redux(redux) => {
                let operands = self.expect_operands(3..=3)?;
                let s = [self.source(&operands[1], 4)?, self.source(&operands[2], 4)?, NONE, NONE];
                let d = self.result(&operands[0], 4)?;
                self.op(Kind::Redux, class, [d, NONE], s, redux as u32);
                Ok(())
            }
            Build::Elect => {
                let operands = self.expect_operands(2..=2)?;
                let s = [NONE, self.source(&operands[1], 4)?, NONE, NONE];
                let d = self.value_and_predicate(&operands[0])?;
                self.op(Kind::Elect, class, d, s, 0);
                Ok(())
            }
            Build::Mbarrier(action) => self.mbarrier(class, action),
            Build::IsSpace => {
                let operands = self.expect_operands(2..=2)?;
                let s = [self.source(&operands[1], 8)?, NONE, NONE, NONE];
                let d = self.result(&operands[0], 1)?;
                let space = match form.last() {
                    "shared" | "shared::cta" => Space::Shared,
                    "local" => Space::Local,
                    "const" => Space::Const,
                    "param" | "param::entry" => Space::Param,
                    _ => Space::Global,
                };
                let extra = self.entry(|program| &mut program.spaces, space);
                self.op(Kind::IsSpace, class, [d, NONE], s, extra);
                Ok(())
            }
            Build::ActiveMask => {
                let operands = self.expect_operands(1..=1)?;
                let d = self.result(&operands[0], 4)?;
                self.op(Kind::ActiveMask, class, [d, NONE], no_s, 0);
                Ok(())
            }
            _ => Err(self.error("a form that is built elsewhere")),
        }
    }

    /// An operation on an mbarrier object. Whether `.shared` stands there or not, the address may be of either kind.
    fn mbarrier(&mut self, class: Class, action: MbarrierAction) -> Result<(), PtxError> {
        let operands = match action {
            MbarrierAction::Init => self.expect_operands(2..=2)?,
            MbarrierAction::Invalidate | MbarrierAction::CopiesArrive { .. } => self.expect_operands(1..=1)?,
            MbarrierAction::Arrive { completes, .. } => self.expect_operands(if completes { 2 } else { 3 }..=3)?,
            // The last is how long try_wait may suspend the thread.
            MbarrierAction::Test { .. } => self.expect_operands(3..=4)?,
        };
        let gives = matches!(action, MbarrierAction::Arrive { .. } | MbarrierAction::Test { .. });
        let at = usize::from(gives);
        let says = |what| self.at.is_some_and(|at| at.opcode.contains(what));
        let (in_shared, relaxed) = (says(".shared"), says(".relaxed"));
        let (space, address, offset) =
            self.address(&operands[at], if in_shared { Space::Shared } else { Space::Generic })?;
        let mut s = [NONE; 4];
        if let Some(operand) = operands.get(at + 1) {
            let wide = action == MbarrierAction::Test { parity: false };
            s[0] = self.source(operand, if wide { 8 } else { 4 })?;
        }
        let d = match action {
            MbarrierAction::Test { .. } => self.result(&operands[0], 1)?,
            MbarrierAction::Arrive { .. } => self.optional_result(&operands[0], 8)?,
            _ => NONE,
        };
        let extra = self.entry(|program| &mut program.mbarriers, Mbarrier { action, relaxed, space, address, offset });
        self.op(Kind::Mbarrier, class, [d, NONE], s, extra);
        Ok(())
    }

    /// `d` or `d|p`.
    fn value_and_predicate(&mut self, operand: &Operand) -> Result<[Slot; 2], PtxError> {
        match operand {
            Operand::Pair(value, predicate) => {
                Ok([self.optional_result(value, 4)?, self.optional_result(predicate, 1)?])
            }
            value => Ok([self.result(value, 4)?, NONE]),
        }
    }

    fn barrier(&mut self, form: &Matched, kind: BarrierKind, aligned: bool) -> Result<(), PtxError> {
        let reduces = matches!(kind, BarrierKind::ReducePopc | BarrierKind::ReduceAnd | BarrierKind::ReduceOr);
        let (before, after) = (usize::from(reduces), usize::from(reduces));
        let least = before + after + if kind == BarrierKind::Arrive { 2 } else { 1 };
        let operands = self.expect_operands(least..=before + after + 2)?;
        let mut s = [NONE; 4];
        s[0] = self.source(&operands[before], 4)?;
        if operands.len() == before + after + 2 {
            s[1] = self.source(&operands[before + 1], 4)?;
        }
        let mut d = NONE;
        if reduces {
            s[2] = self.source(&operands[operands.len() - 1], 1)?;
            d = self.result(&operands[0], if kind == BarrierKind::ReducePopc { 4 } else { 1 })?;
        }
        let extra = self.entry(|program| &mut program.barriers, Barrier { kind, aligned });
        self.op(Kind::Barrier, form.form.class, [d, NONE], s, extra);
        Ok(())
    }

    /// `call (results), function, (arguments), prototype;` with each list optional.
    fn call(&mut self, form: &Matched) -> Result<(), PtxError> {
        let mut operands = self.expect_operands(1..=4)?.iter().peekable();
        let mut list = |wanted: bool| match operands.peek() {
            Some(Operand::List(list)) if wanted => {
                operands.next();
                Some(&list[..])
            }
            _ => None,
        };
        let results = list(true).unwrap_or(&[]);
        let callee = operands.next();
        let arguments = match operands.peek() {
            Some(Operand::List(list)) => {
                operands.next();
                &list[..]
            }
            _ => &[],
        };
        let results = self.call_variables(results)?;
        let arguments = self.call_variables(arguments)?;
        let variables = |list: &[(u32, &'_ Variable)]| -> Vec<(u64, u64)> {
            list.iter().map(|(_, variable)| (variable.bytes(), variable.align)).collect()
        };
        let target = match callee {
            Some(Operand::Function(name)) => {
                let declared = self.of.module.functions.iter().find(|function| function.name == *name);
                if let Some(declared) = declared {
                    let shape = |list: &[Variable]| -> Vec<(u64, u64)> {
                        list.iter().map(|variable| (variable.bytes(), variable.align)).collect()
                    };
                    let bytes = |list: &[(u64, u64)]| list.iter().map(|(bytes, _)| *bytes).collect::<Vec<_>>();
                    if bytes(&shape(&declared.params)) != bytes(&variables(&arguments))
                        || bytes(&shape(&declared.returns)) != bytes(&variables(&results))
                    {
                        return Err(self.error(format!("a call of {name} with other parameters than it declares")));
                    }
                }
                match (self.of.layout.function_ids.get(name), &**name) {
                    (Some(&id), _) => CallTarget::Function(id),
                    (None, "vprintf") => CallTarget::Builtin(Builtin::Vprintf),
                    (None, "__assertfail") => CallTarget::Builtin(Builtin::Assertfail),
                    (None, "malloc") => CallTarget::Builtin(Builtin::Malloc),
                    (None, "free") => CallTarget::Builtin(Builtin::Free),
                    _ => return Err(self.error(format!("a call of {name}, which has no body"))),
                }
            }
            Some(Operand::Register(register)) => {
                self.expect_bytes(*register, 8)?;
                CallTarget::Indirect(self.read(*register))
            }
            other => {
                let came = other.map_or("nothing", describe);
                return Err(self.error(format!("{came} where a function is expected")));
            }
        };
        // Where the callee has them: as it declares them itself; through a pointer, as the arguments are declared here.
        let (in_results, in_arguments) = match &target {
            CallTarget::Function(_) | CallTarget::Indirect(_) => {
                let callee = match callee {
                    Some(Operand::Function(name)) => self.of.module.functions.iter().position(|f| f.name == *name),
                    _ => None,
                };
                if let Some(callee) = callee {
                    let frame = &self.of.layout.frames[callee];
                    (frame.returns.clone(), frame.params.clone())
                } else {
                    layout::pack(&only_variables(&results), &only_variables(&arguments))
                }
            }
            CallTarget::Builtin(_) => {
                let (_, arguments) = layout::pack(&[], &only_variables(&arguments));
                (vec![0; results.len()], arguments)
            }
        };
        let bytes = |variable: &Variable| u32::try_from(variable.bytes()).unwrap_or(u32::MAX);
        let call = Call {
            target,
            arguments: arguments.iter().zip(in_arguments).map(|((at, v), to)| (*at, to, bytes(v))).collect(),
            results: results.iter().zip(in_results).map(|((at, v), from)| (from, *at, bytes(v))).collect(),
        };
        let extra = self.entry(|program| &mut program.calls, call);
        self.op(Kind::Call, form.form.class, [NONE; 2], [NONE; 4], extra);
        Ok(())
    }

    /// The `.param` variables of a call, with their offsets in the frame.
    fn call_variables(&self, list: &[Operand]) -> Result<Vec<(u32, &'a Variable)>, PtxError> {
        let mut variables = Vec::new();
        for operand in list {
            let Operand::Variable { scope, id, offset: 0 } = operand else {
                return Err(self.error(format!("{} as an argument, where a .param is expected", describe(operand))));
            };
            let kernels = *scope == Scope::Parameter && self.of.function.is_entry;
            let variable = self.variable(*scope, *id);
            if variable.space != Space::Param || kernels || *scope == Scope::Module {
                return Err(self.error(format!("{} as an argument, where a .param is expected", variable.name)));
            }
            variables.push((u32::try_from(self.frame_offset(*scope, *id)).unwrap_or(u32::MAX), variable));
        }
        Ok(variables)
    }
}

fn only_variables<'a>(list: &[(u32, &'a Variable)]) -> Vec<&'a Variable> {
    list.iter().map(|(_, variable)| *variable).collect()
}
