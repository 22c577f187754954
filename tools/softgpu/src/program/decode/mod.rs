//! A parsed module to the program that the executor runs.
//!
//! A function is gone through twice, in the order of its layout, by the same code: the first time the registers that
//! each operation reads and writes are noted, and slots are given to them; the second time the operations are made of
//! those slots. So there is one account of an instruction's operands, and none can be forgotten.

mod builder;
mod lanes;
mod layout;
mod link;
mod memory;
mod tensor;
#[cfg(test)]
mod tests;
mod warp;

use std::sync::Arc;

pub(super) use self::builder::ends_run;
use self::builder::{Builder, Exit, Forms, Source};
use self::layout::Layout;
use self::link::{append, link_runs};
use super::slots::{self, Span};
use super::{Block, Constant, Function, Parameter, Program, Relocation, Slot, Variable, control_flow};
use crate::cores;
use crate::inspect::{Class, FloatType};
use crate::numerics::Modes;
use crate::ptx::PtxError;
use crate::ptx::ast::{self, Initial, Space, Special};

/// Where device memory is allocated, its addresses are multiples of this.
const MOST_ALIGN: u64 = 512;

/// Decodes a module, to compute as the defaults say.
///
/// # Errors
/// As for [`decode_for`].
#[cfg(test)]
pub(crate) fn decode(module: ast::Module) -> Result<Program, PtxError> {
    decode_for(module, Modes::default())
}

/// A module with fewer instructions is not worth a thread.
const WORTH_A_THREAD: usize = 4096;

/// Decodes a module: its functions on every core, where there is much to do, as they have nothing to do with each other.
///
/// # Errors
/// The first instruction or declaration that this device does not have, with its line.
pub(crate) fn decode_for(mut module: ast::Module, modes: Modes) -> Result<Program, PtxError> {
    let layout = Layout::of(&module)?;
    let variables = variables(&module, &layout)?;
    // Whoever decodes a body drops it too.
    let functions = module.functions.iter_mut().enumerate();
    let bodies: Vec<_> = functions.filter_map(|(index, function)| Some((index, function.body.take()?))).collect();
    let instructions: usize = bodies.iter().map(|(_, body)| body.instructions.len()).sum();
    let threads = cores::count().min(1 + instructions / WORTH_A_THREAD);
    let parts = cores::map(threads, bodies, Forms::default, |forms, (index, body)| {
        let function = &module.functions[index];
        let source = Source { module: &module, layout: &layout, modes, index, function, body: &body };
        let decoded = self::function(&source, forms)?;
        Ok((function.line, decoded))
    })?;
    let mut program = Program { variables, ..Program::default() };
    for (line, (function, part)) in parts {
        let appended = append(&mut program, function, part);
        appended.ok_or_else(|| PtxError::new(&module.text, line, "too many instructions"))?;
    }
    program.sources = module.sources;
    Ok(program)
}

/// The variables in global and constant memory.
fn variables(module: &ast::Module, layout: &Layout) -> Result<Vec<Variable>, PtxError> {
    let mut variables = Vec::new();
    for variable in &module.variables {
        if !matches!(variable.space, Space::Global | Space::Const) {
            continue;
        }
        let error = |what: String| PtxError::new(&module.text, variable.line, what);
        if variable.external {
            return Err(error(format!("variable {} is defined in another module", variable.name)));
        }
        if variable.align > MOST_ALIGN {
            return Err(error(format!("an alignment of {}, expected {MOST_ALIGN} at most,", variable.align)));
        }
        let element_bytes = u64::from(variable.element.bytes());
        let mut initial = Vec::new();
        let mut relocations = Vec::new();
        for (at, value) in &variable.initialiser {
            let place = at * element_bytes;
            match value {
                Initial::Bits(bits) => {
                    let bytes = usize::from(variable.element.bytes()).min(8);
                    give(&mut initial, place, &bits.to_le_bytes()[..bytes]);
                }
                Initial::Address { name, offset } => {
                    let target = if let Some(&id) = layout.function_ids.get(name) {
                        Relocation::Function(id)
                    } else {
                        let named = module.variables.iter().position(|other| other.name == *name);
                        match named.and_then(|index| layout.variable_ids[index]) {
                            Some(id) => Relocation::Variable(id, *offset),
                            None => return Err(error(format!("unknown name {name} in an initialiser"))),
                        }
                    };
                    relocations.push((place, target));
                }
            }
        }
        variables.push(Variable {
            name: Arc::clone(&variable.name),
            space: variable.space,
            bytes: variable.bytes(),
            initial,
            relocations,
        });
    }
    Ok(variables)
}

/// Adds an element to what a variable starts with: to the last run of bytes if it lies close behind; a zero only where
/// another value was given before.
fn give(initial: &mut Vec<(u64, Vec<u8>)>, place: u64, bytes: &[u8]) {
    const CLOSE: u64 = 64;
    let zero = bytes.iter().all(|&byte| byte == 0);
    if let Some((first, run)) = initial.last_mut() {
        let end = *first + run.len() as u64;
        match place.checked_sub(end) {
            Some(_) if zero => return,
            Some(gap @ ..=CLOSE) => {
                run.resize(run.len() + gap as usize, 0);
                run.extend_from_slice(bytes);
                return;
            }
            _ => {}
        }
    } else if zero {
        return;
    }
    initial.push((place, bytes.to_vec()));
}

/// A run of instructions that is entered at its start alone.
struct Run {
    first: usize,
    end: usize,
    exit: Exit,
    /// Runs that may follow, the next in the text last.
    successors: Vec<usize>,
}

/// A function's instructions as runs, in the order of the text, and the run in which each label lies.
fn runs(body: &ast::Body) -> (Vec<Run>, Vec<usize>) {
    let count = body.instructions.len();
    let mut starts = vec![false; count + 1];
    starts[0] = true;
    for &label in &body.labels {
        starts[label as usize] = true;
    }
    for (i, instruction) in body.instructions.iter().enumerate() {
        starts[i + 1] |= builder::ends_run(&instruction.opcode);
    }
    // The end of the text is a place too: what comes there returns.
    let firsts: Vec<usize> = (0..=count).filter(|&i| starts[i] || i == count).collect();
    let run_at = |instruction: u32| firsts.partition_point(|&first| first <= instruction as usize) - 1;
    let labels: Vec<usize> = body.labels.iter().map(|&label| run_at(label)).collect();
    let mut runs: Vec<Run> = Vec::with_capacity(firsts.len());
    for (index, &first) in firsts.iter().enumerate() {
        let end = firsts.get(index + 1).copied().unwrap_or(count);
        let last = if end > first { body.instructions.get(end - 1) } else { None };
        let (exit, mut successors) = builder::exit(body, last, &labels);
        match exit {
            Exit::Falls if index + 1 < firsts.len() => successors.push(index + 1),
            _ => {}
        }
        let exit = if first == count { Exit::End } else { exit };
        runs.push(Run { first, end, exit, successors });
    }
    (runs, labels)
}

/// Where everything of a function will lie.
struct Plan {
    runs: Vec<Run>,
    /// The runs that can be reached, in the order of their blocks.
    order: Vec<usize>,
    /// Each run's block, or `u32::MAX`.
    place: Vec<u32>,
    /// Each label's block.
    label_places: Vec<u32>,
    /// The first op of each block.
    firsts: Vec<u32>,
    /// How many ops there are.
    ops: u32,
    slots: slots::Assignment,
}

/// Decodes a function, by itself.
fn function(source: &Source<'_>, forms: &mut Forms) -> Result<(Function, Program), PtxError> {
    let plan = plan(source, forms)?;
    let (function, mut program) = build(source, forms, plan)?;
    link_runs(&mut program);
    Ok((function, program))
}

/// The first time round: what is read and written where, and so the slots.
fn plan(source: &Source<'_>, forms: &mut Forms) -> Result<Plan, PtxError> {
    let Source { function, body, .. } = *source;
    let (runs, labels) = runs(body);
    let successors: Vec<_> = runs.iter().map(|run| &run.successors[..]).collect();
    let order = control_flow::layout(&successors).map_err(|_| {
        let what = format!("{} has more than {} loops inside each other", function.name, control_flow::MOST_DEEP);
        PtxError::new(&source.module.text, function.line, what)
    })?;
    let mut place = vec![u32::MAX; runs.len()];
    for (at, &run) in (0..).zip(&order) {
        place[run] = at;
    }
    let label_places = labels.iter().map(|&run| place[run]).collect();

    let mut scratch = Program::default();
    let mut survey = Builder::new(*source, forms, &mut scratch);
    survey.reserve(body.instructions.len());
    let mut spans = Vec::with_capacity(order.len());
    for (at, &run) in order.iter().enumerate() {
        let first = survey.op_count();
        let next = order.get(at + 1).copied();
        build_run(&mut survey, &runs, run, next, &place)?;
        let successors = runs[run].successors.iter().map(|&successor| place[successor]).collect();
        spans.push(Span { first, end: survey.op_count(), successors });
    }
    let ops = survey.op_count();
    let (steps, widths) = survey.survey();
    // Instructions that cannot be reached are looked at too, for errors alone.
    for (run, _) in place.iter().enumerate().filter(|(_, at)| **at == u32::MAX) {
        build_run(&mut survey, &runs, run, None, &place)?;
    }
    let slots = slots::assign(&widths, 0, &spans, &steps).map_err(|_| too_many_slots(source))?;
    let firsts = spans.iter().map(|span| span.first).collect();
    Ok(Plan { runs, order, place, label_places, firsts, ops, slots })
}

fn too_many_slots(source: &Source<'_>) -> PtxError {
    let what = "more registers are live at once than this device has slots";
    PtxError::new(&source.module.text, source.function.line, what)
}

/// The second time round: the operations.
fn build(source: &Source<'_>, forms: &mut Forms, plan: Plan) -> Result<(Function, Program), PtxError> {
    let Plan { runs, order, place, label_places, firsts, ops, slots } = plan;
    let Source { function, layout, index, .. } = *source;
    let mut program = Program { locations: source.body.locations.clone(), ..Program::default() };
    let mut builder = Builder::new(*source, forms, &mut program);
    builder.place(slots, firsts, label_places);
    builder.reserve(ops as usize);
    for (at, &run) in order.iter().enumerate() {
        builder.open_block();
        build_run(&mut builder, &runs, run, order.get(at + 1).copied(), &place)?;
    }
    let (constants, specials, slots) = builder.finish().ok_or_else(|| too_many_slots(source))?;
    debug_assert_eq!(program.blocks.len(), order.len());

    let frame = &layout.frames[index];
    let params = function.params.iter().zip(&frame.params);
    let function = Function {
        name: Arc::clone(&function.name),
        is_entry: function.is_entry,
        first_op: 0,
        slots,
        constants,
        specials,
        params: params
            .map(|(param, &offset)| Parameter { offset, bytes: u32::try_from(param.bytes()).unwrap_or(u32::MAX) })
            .collect(),
        param_bytes: frame.param_bytes,
        frame_bytes: frame.bytes,
        shared_bytes: layout.shared_bytes[index],
        max_threads: function.max_threads,
        required_threads: function.required_threads,
        min_blocks: function.min_blocks,
    };
    Ok((function, program))
}

/// Builds a run's instructions, and the branch to where it falls through if that is not what comes next.
fn build_run(
    builder: &mut Builder<'_>,
    runs: &[Run],
    run: usize,
    next: Option<usize>,
    place: &[u32],
) -> Result<(), PtxError> {
    let Run { first, end, exit, .. } = runs[run];
    for instruction in &builder.of.body.instructions[first..end] {
        builder.instruction(instruction)?;
    }
    match exit {
        Exit::Falls if next != Some(run + 1) => builder.branch_to(place[run + 1]),
        Exit::End => builder.implicit_return(),
        _ => {}
    }
    Ok(())
}

/// A constant slot's fill, and the slots that it takes.
type Constants = Vec<(Slot, Constant)>;
type Specials = Vec<(Slot, Special)>;

impl Block {
    fn count(&mut self, class: Class, flops: Option<(FloatType, u32)>) {
        add(&mut self.classes, class, 1);
        if let Some((of, flops)) = flops {
            add(&mut self.flops, of, flops);
        }
    }
}

fn add<T: PartialEq>(counts: &mut Vec<(T, u32)>, of: T, more: u32) {
    match counts.iter_mut().find(|(counted, _)| *counted == of) {
        Some((_, count)) => *count += more,
        None => counts.push((of, more)),
    }
}
