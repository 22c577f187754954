//! Where variables lie: parameters, local frames, shared memory, and which ids functions and module variables get.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::program::MOST_LOCAL_BYTES;
use crate::ptx::PtxError;
use crate::ptx::ast::{Base, Function, Module, Operand, Scope, Space, Variable};

/// More than any block's shared memory.
const MOST_SHARED_BYTES: u64 = 1 << 20;
/// Dynamic shared memory begins at a multiple of this.
const DYNAMIC_ALIGN: u64 = 16;

/// A function's parameters and local memory.
#[derive(Default)]
pub(super) struct Frame {
    /// In the launch's argument buffer for a kernel, in the frame for a function.
    pub(super) params: Vec<u32>,
    pub(super) param_bytes: u32,
    pub(super) returns: Vec<u32>,
    /// By [`Body::variables`](crate::ptx::ast::Body::variables), those in local memory.
    pub(super) variables: Vec<u32>,
    pub(super) bytes: u32,
}

/// The layout of a module.
pub(super) struct Layout {
    /// By [`Module::functions`].
    pub(super) frames: Vec<Frame>,
    /// By function, the offsets of the `.shared` ones of [`Body::variables`](crate::ptx::ast::Body::variables).
    shared: Vec<FxHashMap<u32, u64>>,
    /// The offsets of the module's `.shared` variables.
    module_shared: FxHashMap<u32, u64>,
    /// Where dynamic shared memory begins, by function; `None` in a function that kernels with different bases may call.
    pub(super) dynamic_base: Vec<Option<u64>>,
    pub(super) shared_bytes: Vec<u32>,
    /// Indices among the functions that have a body.
    pub(super) function_ids: FxHashMap<Arc<str>, u32>,
    /// Of a module variable in global or constant memory, its index among those.
    pub(super) variable_ids: Vec<Option<u32>>,
}

/// Places variables one after the other, each at its alignment.
struct Packing {
    end: u64,
    align: u64,
}

impl Packing {
    fn new(start: u64) -> Self {
        Self { end: start, align: 1 }
    }

    fn place(&mut self, variable: &Variable) -> u64 {
        let offset = self.end.checked_next_multiple_of(variable.align).unwrap_or(u64::MAX);
        self.end = offset.saturating_add(variable.bytes());
        self.align = self.align.max(variable.align);
        offset
    }
}

/// Offsets of the parameters of a call, results first, packed as a callee's frame has them.
pub(super) fn pack<'a>(returns: &[&'a Variable], params: &[&'a Variable]) -> (Vec<u32>, Vec<u32>) {
    let mut packing = Packing::new(0);
    let mut offsets =
        |list: &[&Variable]| list.iter().map(|v| u32::try_from(packing.place(v)).unwrap_or(u32::MAX)).collect();
    (offsets(returns), offsets(params))
}

impl Layout {
    pub(super) fn of(module: &Module) -> Result<Self, PtxError> {
        let mut ids = 0..;
        let with_body = module.functions.iter().filter(|function| function.body.is_some());
        let function_ids = with_body.map(|function| Arc::clone(&function.name)).zip(&mut ids).collect();
        let mut ids = 0..;
        let variable_ids = module
            .variables
            .iter()
            .map(|variable| if matches!(variable.space, Space::Global | Space::Const) { ids.next() } else { None })
            .collect();
        let frames = module.functions.iter().map(|function| frame(module, function)).collect::<Result<_, _>>()?;
        let mut layout = Self {
            frames,
            shared: vec![FxHashMap::default(); module.functions.len()],
            module_shared: FxHashMap::default(),
            dynamic_base: Vec::new(),
            shared_bytes: Vec::new(),
            function_ids,
            variable_ids,
        };
        layout.place_shared(module)?;
        Ok(layout)
    }

    /// Shared variables that more than one kernel may name (those of the module and of functions) come first and lie at
    /// one place for all; a kernel's own follow, or begin at 0 where it can reach none of the former.
    fn place_shared(&mut self, module: &Module) -> Result<(), PtxError> {
        let mut common = Packing::new(0);
        for (id, variable) in (0..).zip(&module.variables) {
            if variable.space == Space::Shared && !variable.external {
                self.module_shared.insert(id, common.place(variable));
            }
        }
        for (index, function) in module.functions.iter().enumerate().filter(|(_, function)| !function.is_entry) {
            for (id, variable) in (0..).zip(function.variables()) {
                if variable.space == Space::Shared {
                    self.shared[index].insert(id, common.place(variable));
                }
            }
        }
        let mut bases: BTreeSet<u64> = BTreeSet::new();
        for (index, function) in module.functions.iter().enumerate() {
            if !function.is_entry {
                self.dynamic_base.push(None);
                self.shared_bytes.push(0);
                continue;
            }
            let uses = Uses::of(module, function);
            let mut own = Packing::new(if uses.common { common.end } else { 0 });
            for (id, variable) in (0..).zip(function.variables()) {
                if variable.space == Space::Shared {
                    self.shared[index].insert(id, own.place(variable));
                }
            }
            if own.end > MOST_SHARED_BYTES {
                let what = format!("{} has {} bytes of shared memory", function.name, own.end);
                return Err(PtxError::new(&module.text, function.line, what));
            }
            let base = own.end.next_multiple_of(uses.dynamic_align.max(DYNAMIC_ALIGN));
            let bytes = if uses.dynamic_align > DYNAMIC_ALIGN { base } else { own.end };
            bases.insert(base);
            self.dynamic_base.push(Some(base));
            self.shared_bytes.push(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
        if let (Some(&base), 1) = (bases.first(), bases.len()) {
            self.dynamic_base.iter_mut().for_each(|of| *of = Some(base));
        }
        Ok(())
    }

    /// Where a shared variable lies; `None` for dynamic shared memory without one place.
    pub(super) fn shared_offset(&self, module: &Module, function: usize, scope: Scope, id: u32) -> Option<u64> {
        match scope {
            Scope::Module if module.variables[id as usize].external => self.dynamic_base[function],
            Scope::Module => self.module_shared.get(&id).copied(),
            _ => self.shared[function].get(&id).copied(),
        }
    }
}

fn frame(module: &Module, function: &Function) -> Result<Frame, PtxError> {
    let too_large = |line: u32| PtxError::new(&module.text, line, "parameters or local variables beyond 512 KiB");
    let offset = |packing: &mut Packing, variable: &Variable| {
        let at = packing.place(variable);
        if packing.end > MOST_LOCAL_BYTES { Err(too_large(variable.line)) } else { Ok(u32::try_from(at).unwrap_or(0)) }
    };
    let mut frame = Frame::default();
    let mut packing = Packing::new(0);
    for variable in &function.returns {
        frame.returns.push(offset(&mut packing, variable)?);
    }
    for variable in &function.params {
        frame.params.push(offset(&mut packing, variable)?);
    }
    frame.param_bytes = u32::try_from(packing.end).unwrap_or(u32::MAX);
    // A kernel's parameters lie in a buffer of their own.
    let mut packing = if function.is_entry { Packing::new(0) } else { packing };
    for variable in function.variables() {
        let in_frame = matches!(variable.space, Space::Local | Space::Param);
        frame.variables.push(if in_frame { offset(&mut packing, variable)? } else { 0 });
    }
    // The next call's frame begins where this one ends.
    let bytes = packing.end.next_multiple_of(DYNAMIC_ALIGN.max(packing.align));
    if bytes > MOST_LOCAL_BYTES {
        return Err(too_large(function.line));
    }
    frame.bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    Ok(frame)
}

/// Which shared memory a kernel can reach, itself or through what it calls.
#[derive(Default)]
struct Uses {
    /// Variables of the module or of a function.
    common: bool,
    /// The largest alignment of the dynamic shared memory that it names; 1 if none.
    dynamic_align: u64,
}

impl Uses {
    fn of(module: &Module, kernel: &Function) -> Self {
        let by_name: FxHashMap<&str, &Function> = module.functions.iter().map(|f| (&*f.name, f)).collect();
        let mut uses = Self { common: false, dynamic_align: 1 };
        let mut seen: BTreeSet<&str> = BTreeSet::from([&*kernel.name]);
        let mut work = vec![kernel];
        while let Some(function) = work.pop() {
            uses.common |= !function.is_entry && function.variables().iter().any(|v| v.space == Space::Shared);
            let mut indirect = false;
            for operand in function.body.iter().flat_map(|body| &body.operands) {
                match operand {
                    Operand::Variable { scope: Scope::Module, id, .. }
                    | Operand::Memory { base: Base::Variable { scope: Scope::Module, id }, .. } => {
                        let variable = &module.variables[*id as usize];
                        if variable.space == Space::Shared && variable.external {
                            uses.dynamic_align = uses.dynamic_align.max(variable.align);
                        } else if variable.space == Space::Shared {
                            uses.common = true;
                        }
                    }
                    Operand::Function(name) => {
                        if let Some(callee) = by_name.get(&**name)
                            && seen.insert(&callee.name)
                        {
                            work.push(callee);
                        }
                    }
                    Operand::Prototype => indirect = true,
                    _ => {}
                }
            }
            // Through a pointer any function may be meant.
            if indirect {
                for callee in module.functions.iter().filter(|callee| !callee.is_entry) {
                    if seen.insert(&callee.name) {
                        work.push(callee);
                    }
                }
            }
        }
        uses
    }
}
