//! A PTX module as the parser gives it: scopes resolved, every modifier kept, nothing interpreted yet.

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;

/// Index into [`Body::registers`]. Scopes are lexical in PTX; the parser has resolved them, so an id is one register.
pub(crate) type RegisterId = u32;
/// Index into [`Body::labels`].
pub(crate) type LabelId = u32;
/// Index into [`Module::variables`] or, with [`Scope::Function`], [`Body::variables`].
pub(crate) type VariableId = u32;

/// One translation unit.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// `.version`: 9.0 is (9, 0).
    pub(crate) version: (u32, u32),
    /// `.target`: `sm_80`, with its suffix.
    pub(crate) target: String,
    /// Module-scope variables: `.global`, `.const`, and `.shared`, `.extern .shared`.
    pub(crate) variables: Vec<Variable>,
    /// Kernels and functions that have a body, and prototypes of those that have none (`vprintf`).
    pub(crate) functions: Vec<Function>,
    /// What [`Body::locations`] name.
    pub(crate) sources: Sources,
    /// The text, for messages.
    pub(crate) text: Arc<str>,
}

impl Module {
    /// `%r12`.
    pub(crate) fn name(&self, register: &Register) -> &str {
        self.text.get(register.name.start as usize..register.name.end as usize).unwrap_or("a register")
    }
}

/// A `.loc`: a place of the source, and where it was inlined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Location {
    /// Of [`Sources::file`].
    pub(crate) file: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
    /// The function whose body this line is, where it was inlined: of [`Sources::function`].
    pub(crate) function: Option<u32>,
    /// Index into [`Body::locations`] of the call.
    pub(crate) inlined_at: Option<u32>,
}

/// What locations name by number: looked up once somebody wants to read it.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// By the number that the text gives them.
    pub(crate) files: FxHashMap<u32, Arc<str>>,
    /// The bytes of `.debug_str`.
    pub(crate) strings: Vec<u8>,
}

impl Sources {
    /// Empty if the text does not say.
    pub(crate) fn file(&self, number: u32) -> &str {
        self.files.get(&number).map_or("", |name| name)
    }

    /// The string that begins so far into `.debug_str`.
    pub(crate) fn function(&self, start: u32) -> Option<&str> {
        let bytes = self.strings.get(start as usize..)?;
        std::str::from_utf8(&bytes[..memchr::memchr(0, bytes)?]).ok()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Space {
    Generic,
    Global,
    Shared,
    Local,
    Const,
    Param,
}

/// The fundamental types of PTX; packed ones (f16x2, bf16x2) appear in opcodes only, never in a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Type {
    B8,
    B16,
    B32,
    B64,
    B128,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F16,
    BF16,
    F32,
    F64,
    Pred,
}

impl Type {
    /// By the name that follows the dot.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "b8" => Self::B8,
            "b16" => Self::B16,
            "b32" => Self::B32,
            "b64" => Self::B64,
            "b128" => Self::B128,
            "u8" => Self::U8,
            "u16" => Self::U16,
            "u32" => Self::U32,
            "u64" => Self::U64,
            "s8" => Self::S8,
            "s16" => Self::S16,
            "s32" => Self::S32,
            "s64" => Self::S64,
            "f16" => Self::F16,
            "bf16" => Self::BF16,
            "f32" => Self::F32,
            "f64" => Self::F64,
            "pred" => Self::Pred,
            _ => return None,
        })
    }

    /// Bytes in memory; 1 for a predicate, which has no place there.
    pub(crate) fn bytes(self) -> u8 {
        match self {
            Self::B8 | Self::U8 | Self::S8 | Self::Pred => 1,
            Self::B16 | Self::U16 | Self::S16 | Self::F16 | Self::BF16 => 2,
            Self::B32 | Self::U32 | Self::S32 | Self::F32 => 4,
            Self::B64 | Self::U64 | Self::S64 | Self::F64 => 8,
            Self::B128 => 16,
        }
    }
}

/// A variable or a parameter, in declaration order.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) name: Arc<str>,
    pub(crate) space: Space,
    pub(crate) element: Type,
    /// 1 for a plain variable; `v2`, `v4` count as arrays; 0 for an `.extern` array without a length.
    pub(crate) elements: u64,
    /// In bytes, a power of two; natural where the text has no `.align`.
    pub(crate) align: u64,
    pub(crate) external: bool,
    /// Index and value of the elements that the text gives; the others are zero.
    pub(crate) initialiser: Vec<(u64, Initial)>,
    pub(crate) line: u32,
}

impl Variable {
    /// Its size in bytes: the parser has seen to it that this does not overflow.
    pub(crate) fn bytes(&self) -> u64 {
        self.elements * u64::from(self.element.bytes())
    }
}

/// One element of an initialiser.
#[derive(Debug, Clone)]
pub(crate) enum Initial {
    /// The element's bits, in its own width.
    Bits(u64),
    /// The address of a module variable or a function, plus an offset. What lies in global or constant memory has the
    /// same address with `generic()` and without.
    Address { name: Arc<str>, offset: i64 },
}

/// An `.entry` or a `.func`.
#[derive(Debug, Default)]
pub(crate) struct Function {
    pub(crate) name: Arc<str>,
    pub(crate) is_entry: bool,
    pub(crate) returns: Vec<Variable>,
    pub(crate) params: Vec<Variable>,
    /// `.maxntid`, `.reqntid`: threads of a block as x, y, z.
    pub(crate) max_threads: Option<[u32; 3]>,
    pub(crate) required_threads: Option<[u32; 3]>,
    pub(crate) min_blocks: Option<u32>,
    pub(crate) max_registers: Option<u32>,
    pub(crate) line: u32,
    /// None of a prototype.
    pub(crate) body: Option<Body>,
}

impl Function {
    /// Those of its body.
    pub(crate) fn variables(&self) -> &[Variable] {
        self.body.as_ref().map_or(&[], |body| &body.variables)
    }
}

/// What stands between a function's braces.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// One entry per declared register.
    pub(crate) registers: Vec<Register>,
    /// `.local`, `.shared` and call-scope `.param` variables of the body.
    pub(crate) variables: Vec<Variable>,
    /// For each label, the index of the instruction that follows it ([`Body::instructions`]'s length at the end).
    pub(crate) labels: Vec<u32>,
    /// `.branchtargets` lists of `brx.idx` and `.calltargets`, by name.
    pub(crate) branch_targets: Vec<Vec<LabelId>>,
    pub(crate) instructions: Vec<Instruction>,
    /// Those of all instructions.
    pub(crate) operands: Vec<Operand>,
    /// `.loc` places; [`Instruction::location`] points here.
    pub(crate) locations: Vec<Location>,
}

impl Body {
    /// What an instruction of this body works on.
    #[inline]
    pub(crate) fn operands(&self, of: &Instruction) -> &[Operand] {
        &self.operands[of.operands.start as usize..of.operands.end as usize]
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Register {
    /// Where `%r12` stands in [`Module::text`], for messages.
    pub(crate) name: Range<u32>,
    pub(crate) kind: Type,
}

#[derive(Debug, Clone)]
pub(crate) struct Instruction {
    /// The register of `@%p` or `@!%p`, and whether it is negated.
    pub(crate) guard: Option<(RegisterId, bool)>,
    /// With every modifier, as written: `ld.global.nc.v4.u32`.
    pub(crate) opcode: Arc<str>,
    /// Of [`Body::operands`].
    pub(crate) operands: Range<u32>,
    /// Line of the PTX text, from 1.
    pub(crate) line: u32,
    /// Index into [`Body::locations`].
    pub(crate) location: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    Module,
    Function,
    /// A parameter of the function that the operand stands in.
    Parameter,
    /// A return value of that function.
    Return,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Register(RegisterId),
    /// `!%p` as an operand.
    NotRegister(RegisterId),
    /// An integer literal, sign-extended, or `0f`/`0d` bits.
    Integer(i64),
    F32(u32),
    F64(u64),
    Special(Special),
    /// `{a, b}`.
    Vector(Vec<Operand>),
    /// `p|q`.
    Pair(Box<Operand>, Box<Operand>),
    /// `[base + offset]`.
    Memory {
        base: Base,
        offset: i64,
    },
    /// A variable's address as a value, or a `.param` variable in a call.
    Variable {
        scope: Scope,
        id: VariableId,
        offset: i64,
    },
    Function(Arc<str>),
    Label(LabelId),
    /// Index into [`Body::branch_targets`].
    Targets(u32),
    /// The `.callprototype` of an indirect call, which says no more than the arguments' declarations do.
    Prototype,
    /// The parenthesised lists of `call`: returns or arguments.
    List(Vec<Operand>),
    /// `_`.
    Sink,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Base {
    Register(RegisterId),
    Variable {
        scope: Scope,
        id: VariableId,
    },
    /// An absolute address.
    None,
}

/// Special registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Special {
    /// `%tid.x` is `Tid(0)`.
    Tid(u8),
    Ntid(u8),
    Ctaid(u8),
    Nctaid(u8),
    LaneId,
    WarpId,
    NwarpId,
    SmId,
    NsmId,
    GridId,
    LanemaskEq,
    LanemaskLe,
    LanemaskLt,
    LanemaskGe,
    LanemaskGt,
    /// `%clock`, `%clock_hi`, `%clock64`: instructions that the warp has issued.
    Clock,
    ClockHi,
    Clock64,
    GlobalTimer,
    GlobalTimerLo,
    GlobalTimerHi,
    DynamicSmemSize,
    TotalSmemSize,
    /// `%envreg0` and on.
    EnvReg(u8),
    /// The constant `WARP_SZ`.
    WarpSize,
}
