//! `spherical.factored`: an output layer of D classes that is trained exactly at a cost without D in it.
//!
//! The layer is W = V U + 1 (omega + centre)' \[D, d\]. A step on `hidden` f32 \[B, d\] with `targets` i64 or u32 \[B\], or
//! `targets` \[B, K\] and `values` f32 \[B, K\], is exactly W <- W - learning_rate (G'H + weight_decay W), G the gradient of
//! the reduced loss of the logits H W' (without a reduction: of their sum) times `grad_loss`; it changes U and the rows of V
//! that `targets` name, and never sees the others. Out `loss` f32 (\[B\] or \[\]) and `grad_hidden` f32 \[B, d\], both of the
//! layer before the step. Optional `row_weights` f32 \[B\] and `grad_loss` f32 (\[B\] without a reduction, else \[\]).
//!
//! Source: Vincent, de Brebisson and Bouthillier 2015, with weight decay, K targets, and classes that several rows name.
//!
//! Rounding makes T, which is to be U^-T, wrong little by little, and steps make U ill conditioned. *Upkeep* corrects T by a
//! Newton step, and where a singular value of U is outside `fold_range` lets V take U over, which costs D d². It is made after
//! every `newton_every` steps and whenever it is asked for.
//!
//! A step whose I - (eta/rho) H' Lam H is singular, and one with a target that is no class, changes nothing, and neither do
//! those after it, until the error is told.

mod config;
mod layer;
mod reference;

pub use config::FactoredConfig;
pub use layer::{FactoredLayer, FactoredOutputs, FactoredTensors};
pub use reference::{ReferenceInputs, ReferenceOutputs, reference};

use super::{STEP_TENSOR, TARGETS_TENSOR, index_dtype};
use crate::bindings::{
    FACTORED_INVERSE_ERROR, FACTORED_LARGEST, FACTORED_LEAST, FACTORED_MOST_SLICES, FACTORED_REFACTOR_ROWS,
    FACTORED_SHARED, FACTORED_THREADS, FACTORED_TILE, FactoredParams,
};
use crate::check::Span;
use crate::device::{Kernel, handle_number};
use crate::fatbin::fatbin;
use crate::layout::{Layout, Part};
use crate::operations::{self, Operation};
use crate::spherical::Loss;
use crate::status::Expectation;
use crate::{Device, DevicePtr, Dtype, Reduction, Result, Stream, check};

const CARD: &Operation = &operations::FACTORED;
const OP: &str = CARD.name;

const THREADS: usize = FACTORED_THREADS as usize;
/// Blocks of a kernel whose threads go on to further elements.
const MOST_BLOCKS: usize = 1024;
/// The same of one that goes over all classes.
const MOST_LOAD_BLOCKS: usize = 65_536;
/// Classes of a slice of the sums over them.
const SLICE_CLASSES: usize = 1024;
/// Shared memory of the rows that a block of `refactor` has.
const REFACTOR_BYTES: usize = 96 << 10;
/// A Newton step more than squares an error below this; above it T is made afresh.
const MOST_INVERSE_ERROR: f64 = 0.1;

/// The kernels of a factored layer, for layers of one shape. Made once; a step neither allocates device memory nor waits.
///
/// [`FactoredLayer`] is a layer with its memory; this is what it is made of, for callers with plain pointers.
#[derive(Debug)]
pub struct Factored {
    device: Device,
    config: FactoredConfig,
    kernels: Kernels,
    parts: Parts,
    memory_bytes: usize,
    number: u64,
}

/// By name, without `factored_`.
#[derive(Debug)]
struct Kernels {
    prepare: Kernel,
    products: Kernel,
    rows: Kernel,
    combine: Kernel,
    solve: Kernel,
    /// Where B > d.
    dual: Option<Dual>,
    update: Kernel,
    load_sums: Kernel,
    load: Kernel,
    reset: Kernel,
    load_gram: Kernel,
    newton_residual: Kernel,
    newton: Kernel,
    measure: Kernel,
    invert: Kernel,
    invert_substitute: Kernel,
    refactor: Kernel,
    off_diagonal: Kernel,
    expand: Kernel,
}

#[derive(Debug)]
struct Dual {
    substitute: Kernel,
    project: Kernel,
}

/// The parts of the memory: the state, and what is only in use within a call.
#[derive(Debug)]
struct Parts {
    v: Part,
    u: Part,
    t: Part,
    q: Part,
    row_sum: Part,
    omega: Part,
    centre: Part,
    h: Part,
    hq: Part,
    uh: Part,
    ht: Part,
    x: Part,
    lh: Part,
    y: Part,
    z: Part,
    r: Part,
    c: Part,
    n: Part,
    w1: Part,
    groups: Part,
    vectors: Part,
    by_row: Part,
    s: Part,
    lc: Part,
    norms: Part,
    pivots: Part,
    order: Part,
    named: Part,
    heads: Part,
    denominator: Part,
    sums: Part,
    residual: Part,
    copy: Part,
    measured: Part,
}

/// How far the factors of a layer are from what they should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// The largest singular value of U, by 16 steps of the power method: from below.
    pub largest: f64,
    /// The least singular value of U, by way of T: from above.
    pub least: f64,
    /// The largest |U'T - I|: what a step's update is wrong by, relative to itself.
    pub inverse_error: f64,
}

impl Condition {
    /// The condition number of U.
    pub fn number(&self) -> f64 {
        self.largest / self.least
    }
}

/// Where a step reads and writes: addresses on the handle's device, each on a whole element.
#[derive(Clone, Copy, Debug, Default)]
pub struct FactoredPointers {
    /// f32 \[B, d\].
    pub hidden: DevicePtr,
    /// i64 or u32 \[B\] or \[B, K\].
    pub targets: DevicePtr,
    /// f32 \[B, K\], with `targets_per_row`.
    pub values: Option<DevicePtr>,
    /// f32 \[B\]; none: ones.
    pub row_weights: Option<DevicePtr>,
    /// f32, \[B\] without a reduction, else \[\]; none: ones.
    pub grad_loss: Option<DevicePtr>,
    /// f32, \[B\] without a reduction, else \[\].
    pub loss: DevicePtr,
    /// f32 \[B, d\], with `need_grad`.
    pub grad_hidden: Option<DevicePtr>,
    /// On 16 bytes, `Factored::memory_bytes` long: as `load` and the steps before have left it.
    pub memory: DevicePtr,
    /// 16 bytes on a multiple of 8, each 0xff before the first step that is asked about; while they say anything, steps
    /// change nothing. See `Factored::check_status`.
    pub status: DevicePtr,
}

impl Factored {
    /// # Errors
    /// `Size`, `Parameter` and `Dtype` for a field of `config` out of its range; `Driver` when the kernels do not load.
    pub fn new(device: &Device, config: FactoredConfig) -> Result<Self> {
        config.check()?;
        let FactoredConfig { rows, classes, width, .. } = config;
        let kernel = |image, name: &str, bytes| device.kernel(OP, image, &format!("factored_{name}"), bytes);
        let step = |name: &str, bytes| kernel(fatbin!("spherical/factored"), name, bytes);
        let upkeep = |name: &str, bytes| kernel(fatbin!("spherical/factored_upkeep"), name, bytes);
        let form = |name: &str| {
            step(&if config.is_dual() { format!("{name}_dual") } else { name.to_owned() }, FACTORED_SHARED)
        };
        let dual = || Ok(Dual { substitute: step("substitute", 0)?, project: step("project", FACTORED_SHARED)? });
        let refactor_bytes = check::to_u32(OP, "width", 4 * width * refactor_rows(width))?;
        let kernels = Kernels {
            prepare: step("prepare", 0)?,
            products: step("products", FACTORED_SHARED)?,
            rows: step("rows", FACTORED_SHARED)?,
            combine: form("combine")?,
            solve: form("solve")?,
            dual: config.is_dual().then(dual).transpose()?,
            update: step("update", FACTORED_SHARED)?,
            load_sums: upkeep("load_sums", 0)?,
            load: upkeep("load", 0)?,
            reset: upkeep("reset", 0)?,
            load_gram: upkeep("load_gram", FACTORED_SHARED)?,
            newton_residual: upkeep("newton_residual", FACTORED_SHARED)?,
            newton: upkeep("newton", FACTORED_SHARED)?,
            measure: upkeep("measure", 0)?,
            invert: upkeep("invert", FACTORED_SHARED)?,
            invert_substitute: upkeep("invert_substitute", 0)?,
            refactor: upkeep("refactor", refactor_bytes)?,
            off_diagonal: upkeep("off_diagonal", 0)?,
            expand: upkeep("expand", FACTORED_SHARED)?,
        };
        let (stride, row_stride, entries) = (stride(width), stride(rows), config.entries());
        let mut layout = Layout::default();
        let mut floats = |elements: usize| layout.part(4 * elements);
        let (square, by_row, pairs) = (width * stride, rows * stride, rows * row_stride);
        let parts = Parts {
            v: floats(classes * stride),
            u: floats(square),
            t: floats(square),
            q: floats(square),
            row_sum: floats(width),
            omega: floats(width),
            centre: floats(width),
            h: floats(by_row),
            hq: floats(by_row),
            uh: floats(by_row),
            ht: floats(by_row.max(if config.is_dual() { square } else { 0 })),
            x: floats(by_row),
            lh: floats(by_row),
            y: floats(by_row),
            z: floats(by_row),
            r: floats(if config.is_dual() { by_row } else { 0 }),
            c: floats(if config.is_dual() { square } else { pairs }),
            n: floats(pairs),
            w1: floats(pairs),
            groups: floats(entries * stride),
            vectors: floats(4 * stride),
            by_row: floats(5 * rows),
            s: floats(rows),
            lc: floats(entries),
            norms: floats(rows.max(width)),
            pivots: floats(rows.max(width)),
            order: floats(entries),
            named: floats(entries),
            heads: floats(entries),
            denominator: floats(1),
            sums: floats(2 * slices(classes) * width),
            residual: floats(square),
            copy: floats(square),
            measured: floats(3),
        };
        let (memory_bytes, number) = (layout.bytes(), handle_number());
        Ok(Self { device: device.clone(), config, kernels, parts, memory_bytes, number })
    }

    /// What the handle was made for.
    pub fn config(&self) -> &FactoredConfig {
        &self.config
    }

    /// Steps from now on have this learning rate; those that are captured in a graph keep theirs.
    ///
    /// # Errors
    /// `Parameter` for one out of its range; the old one stays then.
    pub fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()> {
        let config = FactoredConfig { learning_rate, ..self.config };
        config.check()?;
        self.config = config;
        Ok(())
    }

    /// Bytes of memory of a layer: its state, and what a step needs beside it.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Puts the making of a layer from `weight` f32 \[D, d\] on the stream.
    ///
    /// # Errors
    /// `WrongContext` for a stream of another context than the handle's; `NullPointer`, `Misaligned` and `Overlap`; `Driver`
    /// when a launch is refused.
    ///
    /// # Safety
    /// On the handle's device, until the launches have run: `weight` is readable, `memory`, on 16 bytes, is writable and
    /// `memory_bytes` long, and nothing else uses it. The stream is alive.
    pub unsafe fn load(&self, stream: Stream, weight: DevicePtr, memory: DevicePtr) -> Result<()> {
        stream.check(OP, &self.device)?;
        let FactoredConfig { classes, width, .. } = self.config;
        let spans = [Span::read("weight", weight, classes * width, 4), self.memory_span(memory)];
        check::spans(OP, &spans, None)?;
        let mut params = self.params(&FactoredPointers { memory, ..FactoredPointers::default() }, 0);
        params.weight = weight.cast();
        let by_column = [blocks(width.div_ceil(THREADS))?[0], params.slices, 1];
        let kernels = &self.kernels;
        // SAFETY: the caller vouches for the tensors; each kernel reads and writes what its header says.
        unsafe {
            Self::launch_kernel(&kernels.load_sums, stream, by_column, &params)?;
            let of_elements = blocks((classes * width).div_ceil(THREADS).min(MOST_LOAD_BLOCKS))?;
            Self::launch_kernel(&kernels.load, stream, of_elements, &params)?;
            params.sums_are_of_v = 1;
            Self::launch_kernel(&kernels.load_sums, stream, by_column, &params)?;
            self.reset(stream, &params)?;
            let tiles = tiles(width);
            Self::launch_kernel(&kernels.load_gram, stream, blocks(tiles * (tiles + 1) / 2)?, &params)
        }
    }

    /// Puts a step on the stream, which may be captured into a graph: 6 launches, 8 where B > d. `step` is its number, which
    /// an error tells. What is wrong with the data is told by the status; the layer is then as it was.
    ///
    /// # Errors
    /// `WrongContext` for a stream of another context than the handle's; `Missing` and `Unused` for a tensor that the
    /// configuration needs or does not; `NullPointer`, `Misaligned` and `Overlap`; `Driver` when a launch is refused. Nothing
    /// is written then.
    ///
    /// # Safety
    /// On the handle's device, until the launches have run: the tensors have the handle's dtypes and shapes, those that are
    /// read are readable, those that are written, the memory and the 16 bytes of the status are writable, and nothing else
    /// writes to any of them, nor reads what is written. The memory holds a layer of this handle. The stream is alive.
    pub unsafe fn launch(&self, stream: Stream, pointers: &FactoredPointers, step: u64) -> Result<()> {
        stream.check(OP, &self.device)?;
        self.check_pointers(pointers)?;
        let params = self.params(pointers, step);
        let FactoredConfig { rows, width, .. } = self.config;
        let (entries, of_rows, of_width, by_column) =
            (self.config.entries(), tiles(rows), tiles(width), width.div_ceil(THREADS));
        let of_hidden = of_rows * of_width;
        let copies =
            if std::ptr::eq(params.h, params.hidden) { 0 } else { (rows * width).div_ceil(THREADS).min(MOST_BLOCKS) };
        let launch = |kernel: &Kernel, count: usize| {
            // SAFETY: the caller vouches for the tensors; each kernel reads and writes what its header says.
            unsafe { Self::launch_kernel(kernel, stream, blocks(count)?, &params) }
        };
        let kernels = &self.kernels;
        launch(&kernels.prepare, entries.div_ceil(THREADS) + 1 + copies)?;
        let of_pairs = of_rows * of_rows;
        let is_dual = kernels.dual.is_some();
        launch(&kernels.products, if is_dual { 2 * of_hidden } else { 3 * of_hidden + of_pairs })?;
        launch(&kernels.rows, of_pairs + rows.div_ceil(THREADS / 32))?;
        let of_system = if is_dual { of_width * of_width } else { 1 };
        launch(&kernels.combine, of_system + of_hidden + of_pairs + by_column + entries + 1)?;
        launch(&kernels.solve, of_hidden + if is_dual { 1 } else { by_column })?;
        if let Some(dual) = &kernels.dual {
            launch(&dual.substitute, by_column)?;
            launch(&dual.project, of_hidden)?;
        }
        launch(&kernels.update, of_width * (of_width + 1) / 2 + 2 * of_width * of_width + by_column + entries)
    }

    /// Corrects T, and where U is out of `fold_range` lets V take it over; waits for the stream, which must not be under
    /// capture. The condition is that from before.
    ///
    /// # Errors
    /// As `load`.
    ///
    /// # Safety
    /// As `launch`, of the memory.
    pub unsafe fn upkeep(&self, stream: Stream, memory: DevicePtr) -> Result<Condition> {
        // SAFETY: the caller vouches for the memory.
        let before = unsafe { self.measure(stream, memory) }?;
        let params = self.params(&FactoredPointers { memory, ..FactoredPointers::default() }, 0);
        let FactoredConfig { classes, width, fold_range: (low, high), .. } = self.config;
        let tiles = tiles(width);
        let kernels = &self.kernels;
        // SAFETY: the caller vouches for the memory; each kernel reads and writes what its header says.
        unsafe {
            if before.least < low || before.largest > high {
                let rows = params.refactor_rows as usize;
                Self::launch_kernel(&kernels.refactor, stream, blocks(classes.div_ceil(rows))?, &params)?;
                self.reset(stream, &params)?;
            } else if before.inverse_error > MOST_INVERSE_ERROR {
                Self::launch_kernel(&kernels.invert, stream, [1, 1, 1], &params)?;
                Self::launch_kernel(&kernels.invert_substitute, stream, blocks(width.div_ceil(THREADS))?, &params)?;
            } else {
                // `measure` has left 2 I - U'T.
                Self::launch_kernel(&kernels.newton, stream, blocks(tiles * tiles)?, &params)?;
            }
        }
        Ok(before)
    }

    /// How far the factors are from what they should be; waits for the stream, which must not be under capture.
    ///
    /// # Errors
    /// As `load`.
    ///
    /// # Safety
    /// As `launch`, of the memory.
    pub unsafe fn measure(&self, stream: Stream, memory: DevicePtr) -> Result<Condition> {
        stream.check(OP, &self.device)?;
        check::spans(OP, &[self.memory_span(memory)], None)?;
        let params = self.params(&FactoredPointers { memory, ..FactoredPointers::default() }, 0);
        let tiles = tiles(self.config.width);
        let mut bytes = [0_u8; 12];
        // SAFETY: the caller vouches for the memory; each kernel reads and writes what its header says.
        unsafe {
            Self::launch_kernel(&self.kernels.newton_residual, stream, blocks(tiles * tiles)?, &params)?;
            Self::launch_kernel(&self.kernels.measure, stream, [1, 1, 1], &params)?;
            self.device.read(OP, stream, self.parts.measured.at(memory), &mut bytes)?;
        }
        let measured = |place: u32| {
            let at = 4 * place as usize;
            f64::from(f32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]))
        };
        Ok(Condition {
            largest: measured(FACTORED_LARGEST),
            least: measured(FACTORED_LEAST),
            inverse_error: measured(FACTORED_INVERSE_ERROR),
        })
    }

    /// Puts the writing of W to `weight` f32 \[D, d\] on the stream.
    ///
    /// # Errors
    /// As `load`.
    ///
    /// # Safety
    /// As `launch`, of the memory and `weight`, which is written.
    pub unsafe fn expand(&self, stream: Stream, memory: DevicePtr, weight: DevicePtr) -> Result<()> {
        stream.check(OP, &self.device)?;
        let FactoredConfig { classes, width, .. } = self.config;
        let spans = [Span::written("weight", weight, classes * width, 4), self.memory_span(memory)];
        check::spans(OP, &spans, None)?;
        let mut params = self.params(&FactoredPointers { memory, ..FactoredPointers::default() }, 0);
        params.expanded = weight.cast();
        let of_square = blocks((width * width).div_ceil(THREADS).min(MOST_BLOCKS))?;
        // SAFETY: the caller vouches for the memory; each kernel reads and writes what its header says.
        unsafe {
            Self::launch_kernel(&self.kernels.off_diagonal, stream, of_square, &params)?;
            Self::launch_kernel(&self.kernels.expand, stream, blocks(tiles(classes) * tiles(width))?, &params)
        }
    }

    /// Whether upkeep is due after so many steps.
    pub fn is_upkeep_due(&self, steps: u64) -> bool {
        let every = self.config.newton_every as u64;
        every > 0 && steps > 0 && steps.is_multiple_of(every)
    }

    /// What the 16 bytes of a status, read from the device after a step, say of the targets and of the step.
    ///
    /// # Errors
    /// `TargetOutOfRange` with the first entry that is neither `ignore_index` nor a class, its step first; `SingularStep`.
    pub fn check_status(&self, status: [u8; 16]) -> Result<()> {
        self.expectation().meets(status)
    }

    fn expectation(&self) -> Expectation {
        let FactoredConfig { ignore_index, classes, rows, targets_per_row: per_row, learning_rate, .. } = self.config;
        Expectation { operation: OP, per_row, ignore_index, classes, rows, learning_rate: Some(learning_rate) }
    }

    /// # Safety
    /// As `launch`, of what `params` points to.
    unsafe fn launch_kernel(kernel: &Kernel, stream: Stream, grid: [u32; 3], params: &FactoredParams) -> Result<()> {
        // SAFETY: the kernel's own struct; the caller vouches for what it points to.
        unsafe { kernel.launch(OP, stream, grid, FACTORED_THREADS, params) }
    }

    /// U = T = I.
    ///
    /// # Safety
    /// As `launch`, of what `params` points to.
    unsafe fn reset(&self, stream: Stream, params: &FactoredParams) -> Result<()> {
        let width = self.config.width;
        let count = (width * width).div_ceil(THREADS).min(MOST_BLOCKS);
        // SAFETY: the caller vouches for it.
        unsafe { Self::launch_kernel(&self.kernels.reset, stream, blocks(count)?, params) }
    }

    fn memory_span(&self, memory: DevicePtr) -> Span {
        Span::written("the memory", memory, self.memory_bytes.div_ceil(16), 16)
    }

    fn check_pointers(&self, pointers: &FactoredPointers) -> Result<()> {
        let FactoredConfig { index_dtype, rows, width, reduction, .. } = self.config;
        self.check_presence(pointers.values.is_some(), pointers.grad_hidden.is_some())?;
        let losses = reduction.shape(rows).iter().product();
        let entries = self.config.entries();
        let read = |tensor, pointer: Option<DevicePtr>, elements| {
            pointer.map_or(Span::NONE, |pointer| Span::read(tensor, pointer, elements, 4))
        };
        let spans = [
            Span::read("hidden", pointers.hidden, rows * width, 4),
            Span::read("targets", pointers.targets, entries, index_dtype.size()),
            read("values", pointers.values, entries),
            read("row_weights", pointers.row_weights, rows),
            read("grad_loss", pointers.grad_loss, losses),
            Span::written("loss", pointers.loss, losses, 4),
            pointers.grad_hidden.map_or(Span::NONE, |at| Span::written("grad_hidden", at, rows * width, 4)),
            self.memory_span(pointers.memory),
            Span::written("the status", pointers.status, 2, 8),
        ];
        check::spans(OP, &spans, None)
    }

    /// The tensors that depend on the configuration are there exactly when it needs them.
    fn check_presence(&self, values: bool, grad_hidden: bool) -> Result<()> {
        let FactoredConfig { rows, width, targets_per_row, need_grad, .. } = self.config;
        let needed = targets_per_row.map(|k| (Dtype::F32, vec![rows, k]));
        check::presence(OP, "values", values, needed, "with targets [rows]")?;
        let needed = need_grad.then(|| (Dtype::F32, vec![rows, width]));
        check::presence(OP, "grad_hidden", grad_hidden, needed, "without need_grad")
    }

    /// The argument of every kernel.
    fn params(&self, pointers: &FactoredPointers, step: u64) -> FactoredParams {
        let config = &self.config;
        let part = |part: Part| part.at(pointers.memory);
        let optional = |pointer: Option<DevicePtr>| pointer.unwrap_or(DevicePtr::NULL);
        let (loss_kind, [a, b, epsilon]) = config.loss.for_kernels();
        let stride_of = |size: usize| u32::try_from(stride(size)).expect("sizes are below 2^31");
        let is_usable = config.width == stride(config.width) && pointers.hidden.0.is_multiple_of(16);
        FactoredParams {
            v: part(self.parts.v).cast(),
            u: part(self.parts.u).cast(),
            t: part(self.parts.t).cast(),
            q: part(self.parts.q).cast(),
            row_sum: part(self.parts.row_sum).cast(),
            omega: part(self.parts.omega).cast(),
            centre: part(self.parts.centre).cast(),
            hidden: pointers.hidden.cast(),
            targets: pointers.targets.cast(),
            values: optional(pointers.values).cast(),
            row_weights: optional(pointers.row_weights).cast(),
            grad_loss: optional(pointers.grad_loss).cast(),
            loss: pointers.loss.cast(),
            grad_hidden: optional(pointers.grad_hidden).cast(),
            weight: std::ptr::null(),
            expanded: std::ptr::null_mut(),
            h: if is_usable { pointers.hidden } else { part(self.parts.h) }.cast(),
            hq: part(self.parts.hq).cast(),
            uh: part(self.parts.uh).cast(),
            ht: part(self.parts.ht).cast(),
            x: part(self.parts.x).cast(),
            lh: part(self.parts.lh).cast(),
            y: part(self.parts.y).cast(),
            z: part(self.parts.z).cast(),
            r: part(if config.is_dual() { self.parts.r } else { self.parts.ht }).cast(),
            c: part(self.parts.c).cast(),
            n: part(self.parts.n).cast(),
            w1: part(self.parts.w1).cast(),
            groups: part(self.parts.groups).cast(),
            vectors: part(self.parts.vectors).cast(),
            by_row: part(self.parts.by_row).cast(),
            s: part(self.parts.s).cast(),
            lc: part(self.parts.lc).cast(),
            norms: part(self.parts.norms).cast(),
            pivots: part(self.parts.pivots).cast(),
            order: part(self.parts.order).cast(),
            named: part(self.parts.named).cast(),
            heads: part(self.parts.heads).cast(),
            denominator: if config.reduction == Reduction::Mean {
                part(self.parts.denominator).cast()
            } else {
                std::ptr::null_mut()
            },
            sums: part(self.parts.sums).cast(),
            residual: part(self.parts.residual).cast(),
            copy: part(self.parts.copy).cast(),
            measured: part(self.parts.measured).cast(),
            status: pointers.status.cast(),
            rows: config.rows as u64,
            classes: config.classes as u64,
            width: config.width as u64,
            targets_per_row: config.targets_per_row.unwrap_or(1) as u64,
            step,
            ignore_index: config.ignore_index,
            stride: stride_of(config.width),
            row_stride: stride_of(config.rows),
            loss_kind,
            index_dtype: index_dtype(config.index_dtype),
            grad_loss_stride: u32::from(config.reduction == Reduction::None),
            targets_tensor: TARGETS_TENSOR,
            step_tensor: STEP_TENSOR,
            is_centred: u32::from(matches!(config.loss, Loss::Z { .. })),
            is_reduced: u32::from(config.reduction != Reduction::None),
            sums_are_of_v: 0,
            slices: u32::try_from(slices(config.classes)).unwrap_or(FACTORED_MOST_SLICES),
            refactor_rows: u32::try_from(refactor_rows(config.width)).unwrap_or(1),
            a,
            b,
            epsilon,
            eta: check::to_f32(config.learning_rate),
            rho: check::to_f32(config.decay()),
        }
    }
}

/// Elements from one row of a matrix to the next: every row begins at a multiple of 16 bytes.
fn stride(width: usize) -> usize {
    width.next_multiple_of(4)
}

fn tiles(size: usize) -> usize {
    size.div_ceil(FACTORED_TILE as usize)
}

fn slices(classes: usize) -> usize {
    classes.div_ceil(SLICE_CLASSES).min(FACTORED_MOST_SLICES as usize)
}

/// Rows of V that a block of `refactor` has room for.
fn refactor_rows(width: usize) -> usize {
    (REFACTOR_BYTES / (4 * width)).clamp(1, FACTORED_REFACTOR_ROWS as usize)
}

/// So many blocks.
fn blocks(count: usize) -> Result<[u32; 3]> {
    Ok([check::to_u32(OP, "rows times width in tiles", count)?, 1, 1])
}
