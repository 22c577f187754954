//! `spherical.linear`: a spherical loss over a linear head, and its gradient by hidden, without its logits.
//!
//! In `hidden` f \[B, d\], `weight` f \[D, d\], `targets` i64 or u32 \[B\], or \[B, K\] with `values` f32 \[B, K\];
//! optional `gram` f32 \[d, d\] = W'W and `row_sum` f32 \[d\] = W'1, else formed from the weight; optional `row_weights` f32
//! \[B\] and `grad_loss` f32 (\[B\] for no reduction, else \[\]). Out `loss` f32 (\[B\] or \[\]); `s` = Σ o_k and `q` =
//! Σ o_k² f32 \[B\] and `target_logits` f32 \[B, K\] (\[B, 1\] for `targets` \[B\]) of the logits o = hidden weight';
//! `grad_hidden` f \[B, d\].
//!
//! The losses are those of [`dense`](crate::spherical::dense). They see a row of logits through s, q and the targets' logits
//! alone, and with the Gram Q = W'W these are h'W'1, h'Qh and K dot products: B d² operations and K gathered rows of the weight
//! a row, whatever D. The Gram itself is D d² operations, for as long as the weight stays: form it once with
//! [`Linear::form_gram`] and hand it in. The weight is not trained by this operation; [`factored`](crate::spherical::factored)
//! is the layer that is.
//!
//! Memory beyond inputs and outputs: 4 B (d + K) bytes; where a run forms the Gram, that and at most 56 MiB for its parts, or 64
//! KiB for each tile of 128 x 128 of it where these are more.

mod config;
mod plan;
mod reference;

pub use config::{Gram, LinearConfig};
pub use reference::{ReferenceInputs, ReferenceOutputs, reference};

use self::plan::Plan;
use super::head::{Copies, SMALL_THREADS, SMALL_TILE, small_stage_bytes, stage_bytes, threads};
use super::reducer::Reducer;
use super::{TARGETS_TENSOR, index_dtype};
use crate::bindings::{LINEAR_THREADS, LinearParams, ReductionDenominatorParams, ReductionSumParams};
use crate::check::Span;
use crate::device::{CudaStream, Kernel, handle_number};
use crate::fatbin::fatbin;
use crate::layout::{Layout, Part};
use crate::operations::{self, Operation};
use crate::status::Expectation;
use crate::view::Expected;
use crate::{Device, DevicePtr, Dtype, Reduction, Result, Stream, View, ViewMut, Workspace, check};

const CARD: &Operation = &operations::LINEAR;
const OP: &str = CARD.name;

/// Rows of a block of `rows`: a warp each.
const ROWS_PER_BLOCK: usize = 8;

/// A spherical loss over a linear head of D classes for B rows of width d, and its gradient by hidden. Made once for its
/// shape, run on any stream of its context; a run neither allocates device memory nor waits.
#[derive(Debug)]
pub struct Linear {
    device: Device,
    config: LinearConfig,
    plan: Plan,
    kernels: Kernels,
    reducer: Reducer,
    parts: Parts,
    workspace_bytes: usize,
    gram_parts: GramParts,
    gram_workspace_bytes: usize,
    number: u64,
}

#[derive(Debug)]
struct Kernels {
    sums: Kernel,
    gram: GramKernel,
    finish: Kernel,
    products: Copies,
    rows: Kernel,
}

#[derive(Debug)]
enum GramKernel {
    Plain(Copies),
    Centred(Kernel),
}

/// The parts of a run's workspace.
#[derive(Debug)]
struct Parts {
    row_losses: Part,
    denominator: Part,
    gram: Part,
    row_sum: Part,
    products: Part,
    excesses: Part,
    forming: GramParts,
}

/// What forming the Gram and the row sum needs of a workspace.
#[derive(Clone, Copy, Debug)]
struct GramParts {
    sums: Part,
    partials: Part,
}

/// The tensors that a run reads.
#[derive(Debug)]
pub struct LinearTensors<'a> {
    /// f \[B, d\].
    pub hidden: View<'a>,
    /// f \[D, d\].
    pub weight: View<'a>,
    /// i64 or u32, \[B\] or \[B, K\].
    pub targets: View<'a>,
    /// f32 \[B, K\], with `targets_per_row`.
    pub values: Option<View<'a>>,
    /// f32 \[d, d\], unless a run forms it.
    pub gram: Option<View<'a>>,
    /// f32 \[d\]; none: formed from the weight.
    pub row_sum: Option<View<'a>>,
    /// f32 \[B\]; none: ones.
    pub row_weights: Option<View<'a>>,
    /// f32, \[B\] without a reduction, else \[\]; none: ones.
    pub grad_loss: Option<View<'a>>,
}

impl<'a> LinearTensors<'a> {
    /// These, and none of the optional ones.
    pub fn new(hidden: View<'a>, weight: View<'a>, targets: View<'a>) -> Self {
        Self { hidden, weight, targets, values: None, gram: None, row_sum: None, row_weights: None, grad_loss: None }
    }
}

/// The tensors that a run writes.
#[derive(Debug)]
pub struct LinearOutputs<'a> {
    /// f32, \[B\] without a reduction, else \[\].
    pub loss: ViewMut<'a>,
    /// f32 \[B\]; none where it is not wanted.
    pub s: Option<ViewMut<'a>>,
    /// f32 \[B\]; none where it is not wanted.
    pub q: Option<ViewMut<'a>>,
    /// f32 \[B, K\], or \[B, 1\]; 0 for an entry that is dropped; none where it is not wanted.
    pub target_logits: Option<ViewMut<'a>>,
    /// f \[B, d\], with `need_grad`.
    pub grad_hidden: Option<ViewMut<'a>>,
}

impl<'a> LinearOutputs<'a> {
    /// The loss, and none of the others.
    pub fn new(loss: ViewMut<'a>) -> Self {
        Self { loss, s: None, q: None, target_logits: None, grad_hidden: None }
    }
}

/// Where a launch reads and writes: addresses on the handle's device.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinearPointers {
    /// f \[B, d\], on any element.
    pub hidden: DevicePtr,
    /// f \[D, d\], on any element.
    pub weight: DevicePtr,
    /// i64 or u32, \[B\] or \[B, K\].
    pub targets: DevicePtr,
    /// f32 \[B, K\], with `targets_per_row`.
    pub values: Option<DevicePtr>,
    /// f32 \[d, d\], unless a run forms it.
    pub gram: Option<DevicePtr>,
    /// f32 \[d\]; none: formed from the weight.
    pub row_sum: Option<DevicePtr>,
    /// f32 \[B\]; none: ones.
    pub row_weights: Option<DevicePtr>,
    /// f32, \[B\] without a reduction, else \[\]; none: ones.
    pub grad_loss: Option<DevicePtr>,
    /// f32, \[B\] without a reduction, else \[\].
    pub loss: DevicePtr,
    /// f32 \[B\]; none where it is not wanted.
    pub s: Option<DevicePtr>,
    /// f32 \[B\]; none where it is not wanted.
    pub q: Option<DevicePtr>,
    /// f32 \[B, K\], or \[B, 1\]; none where it is not wanted.
    pub target_logits: Option<DevicePtr>,
    /// f \[B, d\], with `need_grad`.
    pub grad_hidden: Option<DevicePtr>,
    /// On 16 bytes.
    pub workspace: DevicePtr,
    /// Of `workspace`: `Linear::workspace_bytes` or more.
    pub workspace_bytes: usize,
    /// 16 bytes on a multiple of 8, each 0xff before the first launch that is asked about; see `Linear::check_status`.
    pub status: DevicePtr,
}

/// Where `Linear::launch_gram` reads and writes.
#[derive(Clone, Copy, Debug, Default)]
pub struct GramPointers {
    /// f \[D, d\], on any element.
    pub weight: DevicePtr,
    /// f32 \[d, d\].
    pub gram: DevicePtr,
    /// f32 \[d\].
    pub row_sum: DevicePtr,
    /// On 16 bytes.
    pub workspace: DevicePtr,
    /// Of `workspace`: `Linear::gram_workspace_bytes` or more.
    pub workspace_bytes: usize,
}

impl GramParts {
    fn new(layout: &mut Layout, config: &LinearConfig, plan: Plan, forms_gram: bool) -> Self {
        Self {
            sums: layout.part(8 * plan.slices * config.width),
            partials: layout.part(if forms_gram { plan.partial_bytes() } else { 0 }),
        }
    }
}

impl Linear {
    /// # Errors
    /// `Size`, `Parameter` and `Dtype` for a field of `config` out of its range; `Driver` when the kernels do not load.
    pub fn new(device: &Device, config: LinearConfig) -> Result<Self> {
        config.check()?;
        let LinearConfig { dtype, rows, classes, width, reduction, .. } = config;
        let plan = Plan::of(classes, width);
        let image = fatbin!("spherical/linear");
        let named = |name: &str| format!("linear_{dtype}_{name}");
        let kernel = |name: &str, bytes| device.kernel(OP, image, name, bytes);
        let gram = if config.is_centred() {
            GramKernel::Centred(kernel(&named("centred_gram"), stage_bytes(Dtype::F32) + 1024)?)
        } else {
            GramKernel::Plain(Copies::new(device, OP, image, &named("gram"), stage_bytes(dtype))?)
        };
        let kernels = Kernels {
            sums: kernel(&named("sums"), 0)?,
            gram,
            finish: kernel("linear_finish", 0)?,
            products: Copies::new(device, OP, image, &named("products"), small_stage_bytes(Dtype::F32))?,
            rows: kernel(&named("rows"), 0)?,
        };
        let reducer = Reducer::new(device, OP, reduction)?;
        let forms_gram = config.gram == Gram::Formed;
        let mut layout = Layout::default();
        let parts = Parts {
            row_losses: layout.part(if reduction == Reduction::None { 0 } else { 4 * rows }),
            denominator: layout.part(if reduction == Reduction::Mean { 4 } else { 0 }),
            gram: layout.part(if forms_gram { 4 * width * stride_of(width) } else { 0 }),
            row_sum: layout.part(4 * width),
            products: layout.part(4 * rows * stride_of(width)),
            excesses: layout.part(4 * rows * config.entries_of_row()),
            forming: GramParts::new(&mut layout, &config, plan, forms_gram),
        };
        let workspace_bytes = layout.bytes();
        let mut layout = Layout::default();
        let gram_parts = GramParts::new(&mut layout, &config, plan, true);
        Ok(Self {
            device: device.clone(),
            config,
            plan,
            kernels,
            reducer,
            parts,
            workspace_bytes,
            gram_parts,
            gram_workspace_bytes: layout.bytes(),
            number: handle_number(),
        })
    }

    /// What the handle was made for.
    pub fn config(&self) -> &LinearConfig {
        &self.config
    }

    /// Bytes of workspace that a run needs.
    pub fn workspace_bytes(&self) -> usize {
        self.workspace_bytes
    }

    /// Bytes of workspace that `form_gram` needs.
    pub fn gram_workspace_bytes(&self) -> usize {
        self.gram_workspace_bytes
    }

    /// Puts the kernels on the stream. Rows are NaN whose targets are out of range; `workspace.status()` tells the first.
    ///
    /// # Errors
    /// `Dtype`, `Shape`, `Length` and `WrongContext` for a tensor, the stream or the workspace; `Missing` and `Unused` for
    /// one that the configuration needs or does not; `WorkspaceTooSmall`; `Capturing` for a stream under capture; `Driver`
    /// when a launch is refused. Nothing is written then.
    pub fn run<'a>(
        &self,
        stream: &'a CudaStream,
        tensors: LinearTensors<'a>,
        outputs: LinearOutputs<'a>,
        workspace: &mut Workspace,
    ) -> Result<()> {
        self.check_views(&tensors, &outputs)?;
        let (plain, _current) = self.device.enter_with(OP, stream)?;
        let asked = (self.number, self.expectation());
        let room = workspace.begin(OP, &self.device, plain, asked, self.workspace_bytes)?;
        // The guards order what else uses the slices; they go when the launches are on the stream.
        let read = |view: Option<View<'a>>| view.map(|view| view.pointer(stream));
        let written = |view: Option<ViewMut<'a>>| view.map(|view| view.pointer(stream));
        let (hidden, _hidden) = tensors.hidden.pointer(stream);
        let (weight, _weight) = tensors.weight.pointer(stream);
        let (targets, _targets) = tensors.targets.pointer(stream);
        let (values, gram, row_sum) = (read(tensors.values), read(tensors.gram), read(tensors.row_sum));
        let (row_weights, grad_loss) = (read(tensors.row_weights), read(tensors.grad_loss));
        let (loss, _loss) = outputs.loss.pointer(stream);
        let (s, q) = (written(outputs.s), written(outputs.q));
        let (target_logits, grad_hidden) = (written(outputs.target_logits), written(outputs.grad_hidden));
        let pointers = LinearPointers {
            hidden,
            weight,
            targets,
            values: values.as_ref().map(|(pointer, _)| *pointer),
            gram: gram.as_ref().map(|(pointer, _)| *pointer),
            row_sum: row_sum.as_ref().map(|(pointer, _)| *pointer),
            row_weights: row_weights.as_ref().map(|(pointer, _)| *pointer),
            grad_loss: grad_loss.as_ref().map(|(pointer, _)| *pointer),
            loss,
            s: s.as_ref().map(|(pointer, _)| *pointer),
            q: q.as_ref().map(|(pointer, _)| *pointer),
            target_logits: target_logits.as_ref().map(|(pointer, _)| *pointer),
            grad_hidden: grad_hidden.as_ref().map(|(pointer, _)| *pointer),
            workspace: room.memory,
            workspace_bytes: room.bytes,
            status: room.status,
        };
        // SAFETY: the views are of the handle's context, dtypes and shapes; their borrows and guards keep them until the
        // stream has read and written them; the workspace is ours until `end`.
        let launched = unsafe { self.launch(plain, &pointers) };
        workspace.end(OP, plain)?;
        launched
    }

    /// Puts on the stream what forms the Gram and the row sum of a weight, to be handed to runs until the weight changes:
    /// W'W, or for `Gram::Centred` that of the weight's rows about their mean.
    ///
    /// # Errors
    /// As those of `run`.
    pub fn form_gram<'a>(
        &self,
        stream: &'a CudaStream,
        weight: View<'a>,
        gram: ViewMut<'a>,
        row_sum: ViewMut<'a>,
        workspace: &mut Workspace,
    ) -> Result<()> {
        let LinearConfig { dtype, classes, width, .. } = self.config;
        let expect = |tensor, dtype, shape| Expected { operation: OP, tensor, dtype, shape, device: &self.device };
        let (of_weight, of_gram, by_width) = ([classes, width], [width, width], [width]);
        weight.check(expect("weight", dtype, &of_weight))?;
        gram.check(expect("gram", Dtype::F32, &of_gram))?;
        row_sum.check(expect("row_sum", Dtype::F32, &by_width))?;
        let (plain, _current) = self.device.enter_with(OP, stream)?;
        let asked = (self.number, self.expectation());
        let room = workspace.begin(OP, &self.device, plain, asked, self.gram_workspace_bytes)?;
        let (weight, _weight) = weight.pointer(stream);
        let (gram, _gram) = gram.pointer(stream);
        let (row_sum, _row_sum) = row_sum.pointer(stream);
        let pointers = GramPointers { weight, gram, row_sum, workspace: room.memory, workspace_bytes: room.bytes };
        // SAFETY: as in `run`.
        let launched = unsafe { self.launch_gram(plain, &pointers) };
        workspace.end(OP, plain)?;
        launched
    }

    /// Puts the kernels on the stream, which may be captured into a graph. Rows are NaN whose targets are out of range; the
    /// status tells the first.
    ///
    /// # Errors
    /// `WrongContext` for a stream of another context than the handle's; `Missing` and `Unused` for a tensor that the
    /// configuration needs or does not; `NullPointer`, `Misaligned` and `Overlap`; `WorkspaceTooSmall`; `Driver` when a
    /// launch is refused. Nothing is written then.
    ///
    /// # Safety
    /// On the handle's device, until the launches have run: the tensors have the handle's dtypes and shapes, those that are
    /// read are readable, those that are written, the workspace and the 16 bytes of the status are writable, and nothing
    /// else writes to any of them, nor reads what is written. The stream is alive.
    pub unsafe fn launch(&self, stream: Stream, pointers: &LinearPointers) -> Result<()> {
        stream.check(OP, &self.device)?;
        self.check_pointers(pointers)?;
        let LinearConfig { rows, width, ignore_index, .. } = self.config;
        let part = |part: Part| part.at(pointers.workspace);
        let params = self.params(pointers);
        let denominator = part(self.parts.denominator);
        let of_the_denominator = ReductionDenominatorParams {
            targets: params.targets,
            row_weights: params.row_weights,
            denominator: denominator.cast(),
            rows: rows as u64,
            targets_per_row: params.targets_per_row,
            ignore_index,
            index_dtype: params.index_dtype,
            reserved: 0,
        };
        let of_the_sum = ReductionSumParams {
            row_losses: params.loss,
            row_penalties: std::ptr::null(),
            denominator: denominator.cast(),
            loss: pointers.loss.cast(),
            penalty: std::ptr::null_mut(),
            rows: rows as u64,
        };
        let hidden = if self.config.dtype == Dtype::F32 { (pointers.hidden, width) } else { (DevicePtr::NULL, 0) };
        let gram = (pointers.gram.unwrap_or(DevicePtr::NULL), usize::try_from(params.gram_stride).unwrap_or(1));
        let on_vectors =
            [hidden, gram].iter().all(|(base, stride)| base.0.is_multiple_of(16) && stride.is_multiple_of(4));
        let tiles = |size: usize| size.div_ceil(SMALL_TILE);
        let grid = |size: &'static str, blocks: usize| Ok([check::to_u32(OP, size, blocks)?, 1, 1]);
        // SAFETY: the caller vouches for the tensors, `check_pointers` for the room of the workspace; each kernel reads and
        // writes what its header says of tensors of these shapes.
        unsafe {
            if rows > 0 {
                self.form(stream, &params)?;
            }
            self.reducer.denominator(stream, &of_the_denominator)?;
            let blocks = grid("rows times width in tiles", tiles(rows) * tiles(width))?;
            self.kernels.products.choose(on_vectors).launch(OP, stream, blocks, SMALL_THREADS, &params)?;
            let blocks = grid("rows", rows.div_ceil(ROWS_PER_BLOCK))?;
            self.kernels.rows.launch(OP, stream, blocks, LINEAR_THREADS, &params)?;
            self.reducer.sum(stream, &of_the_sum)
        }
    }

    /// As `form_gram`, on a stream that may be captured into a graph.
    ///
    /// # Errors
    /// `WrongContext`, `NullPointer`, `Misaligned`, `Overlap`, `WorkspaceTooSmall` and `Driver`, as those of `launch`.
    ///
    /// # Safety
    /// As `launch`.
    pub unsafe fn launch_gram(&self, stream: Stream, pointers: &GramPointers) -> Result<()> {
        stream.check(OP, &self.device)?;
        let LinearConfig { dtype, classes, width, .. } = self.config;
        check::workspace(OP, pointers.workspace_bytes, self.gram_workspace_bytes)?;
        let f32_bytes = Dtype::F32.size();
        let spans = [
            Span::read("weight", pointers.weight, classes * width, dtype.size()),
            Span::written("gram", pointers.gram, width * width, f32_bytes),
            Span::written("row_sum", pointers.row_sum, width, f32_bytes),
            Span::written("the workspace", pointers.workspace, self.gram_workspace_bytes.div_ceil(16), 16),
        ];
        check::spans(OP, &spans, None)?;
        let params = LinearParams {
            weight: pointers.weight.cast(),
            formed_gram: pointers.gram.cast(),
            formed_row_sum: pointers.row_sum.cast(),
            sums: self.gram_parts.sums.at(pointers.workspace).cast(),
            partials: self.gram_parts.partials.at(pointers.workspace).cast(),
            gram_stride: width as u64,
            ..self.params(&LinearPointers::default())
        };
        // SAFETY: as in `launch`.
        unsafe { self.form(stream, &params) }
    }

    /// The Gram and the row sum, where they are to be formed.
    ///
    /// # Safety
    /// As `launch`.
    unsafe fn form(&self, stream: Stream, params: &LinearParams) -> Result<()> {
        let LinearConfig { dtype, width, .. } = self.config;
        let (forms_gram, forms_row_sum) = (!params.formed_gram.is_null(), !params.formed_row_sum.is_null());
        if !forms_gram && !forms_row_sum {
            return Ok(());
        }
        let Plan { pairs, splits, slices, column_blocks, .. } = self.plan;
        let size = |blocks: usize| check::to_u32(OP, "width in tiles", blocks);
        // SAFETY: the caller vouches for what `params` points to.
        unsafe {
            if forms_row_sum || self.config.is_centred() {
                let grid = [size(column_blocks)?, size(slices)?, 1];
                self.kernels.sums.launch(OP, stream, grid, LINEAR_THREADS, params)?;
            }
            if forms_gram {
                let grid = [size(pairs * splits)?, 1, 1];
                match &self.kernels.gram {
                    GramKernel::Plain(copies) => {
                        let are_aligned =
                            (width * dtype.size()).is_multiple_of(16) && params.weight.addr().is_multiple_of(16);
                        copies.choose(are_aligned).launch(OP, stream, grid, threads(dtype), params)?;
                    }
                    GramKernel::Centred(kernel) => {
                        kernel.launch(OP, stream, grid, threads(Dtype::F32), params)?;
                    }
                }
            }
            let grid = [size(self.plan.finish_blocks(forms_gram))?, 1, 1];
            self.kernels.finish.launch(OP, stream, grid, LINEAR_THREADS, params)
        }
    }

    /// What the 16 bytes of a status, read from the device after a launch, say of the targets.
    ///
    /// # Errors
    /// `TargetOutOfRange` with the first entry that is neither `ignore_index` nor a class.
    pub fn check_status(&self, status: [u8; 16]) -> Result<()> {
        self.expectation().meets(status)
    }

    fn expectation(&self) -> Expectation {
        let LinearConfig { ignore_index, classes, rows, targets_per_row, .. } = self.config;
        Expectation { operation: OP, per_row: targets_per_row, ignore_index, classes, rows, learning_rate: None }
    }

    /// The argument of every kernel.
    fn params(&self, pointers: &LinearPointers) -> LinearParams {
        let LinearConfig { rows, classes, width, loss, gram, reduction, ignore_index, .. } = self.config;
        let part = |part: Part| part.at(pointers.workspace);
        let optional = |pointer: Option<DevicePtr>| pointer.unwrap_or(DevicePtr::NULL);
        let row_losses = if reduction == Reduction::None { pointers.loss } else { part(self.parts.row_losses) };
        let (loss_kind, [a, b, epsilon]) = loss.for_kernels();
        let formed_gram = if gram == Gram::Formed { part(self.parts.gram) } else { DevicePtr::NULL };
        let formed_row_sum = if pointers.row_sum.is_none() { part(self.parts.row_sum) } else { DevicePtr::NULL };
        let size = |size: usize| u32::try_from(size).expect("the plan's counts are those of blocks");
        LinearParams {
            hidden: pointers.hidden.cast(),
            weight: pointers.weight.cast(),
            targets: pointers.targets.cast(),
            values: optional(pointers.values).cast(),
            row_weights: optional(pointers.row_weights).cast(),
            grad_loss: optional(pointers.grad_loss).cast(),
            denominator: part(self.parts.denominator).cast(),
            gram: pointers.gram.unwrap_or(formed_gram).cast(),
            row_sum: pointers.row_sum.unwrap_or(formed_row_sum).cast(),
            formed_gram: formed_gram.cast(),
            formed_row_sum: formed_row_sum.cast(),
            sums: part(self.parts.forming.sums).cast(),
            partials: part(self.parts.forming.partials).cast(),
            products: part(self.parts.products).cast(),
            excesses: part(self.parts.excesses).cast(),
            loss: row_losses.cast(),
            s: optional(pointers.s).cast(),
            q: optional(pointers.q).cast(),
            target_logits: optional(pointers.target_logits).cast(),
            grad_hidden: optional(pointers.grad_hidden).cast(),
            status: pointers.status.cast(),
            rows: rows as u64,
            classes: classes as u64,
            width: width as u64,
            targets_per_row: self.config.entries_of_row() as u64,
            stride: stride_of(width) as u64,
            gram_stride: if gram == Gram::Formed { stride_of(width) } else { width } as u64,
            split_classes: self.plan.split_classes as u64,
            ignore_index,
            slices: size(self.plan.slices),
            splits: size(self.plan.splits),
            gram_is_centred: u32::from(self.config.is_centred()),
            loss_kind,
            index_dtype: index_dtype(self.config.index_dtype),
            grad_loss_stride: u32::from(reduction == Reduction::None),
            targets_tensor: TARGETS_TENSOR,
            a,
            b,
            epsilon,
        }
    }

    fn check_views(&self, tensors: &LinearTensors<'_>, outputs: &LinearOutputs<'_>) -> Result<()> {
        let LinearConfig { dtype, index_dtype, rows, classes, width, reduction, .. } = self.config;
        let expect = |tensor, dtype, shape| Expected { operation: OP, tensor, dtype, shape, device: &self.device };
        let (by_row, by_width, reduced) = ([rows], [width], reduction.shape(rows));
        let (of_hidden, of_weight, of_gram) = ([rows, width], [classes, width], [width, width]);
        let (of_targets, entries) = (self.config.shape_of_targets(), [rows, self.config.entries_of_row()]);
        tensors.hidden.check(expect("hidden", dtype, &of_hidden))?;
        tensors.weight.check(expect("weight", dtype, &of_weight))?;
        tensors.targets.check(expect("targets", index_dtype, &of_targets))?;
        View::check_optional(tensors.values.as_ref(), expect("values", Dtype::F32, &of_targets))?;
        View::check_optional(tensors.gram.as_ref(), expect("gram", Dtype::F32, &of_gram))?;
        View::check_optional(tensors.row_sum.as_ref(), expect("row_sum", Dtype::F32, &by_width))?;
        View::check_optional(tensors.row_weights.as_ref(), expect("row_weights", Dtype::F32, &by_row))?;
        View::check_optional(tensors.grad_loss.as_ref(), expect("grad_loss", Dtype::F32, &reduced))?;
        outputs.loss.check(expect("loss", Dtype::F32, &reduced))?;
        ViewMut::check_optional(outputs.s.as_ref(), expect("s", Dtype::F32, &by_row))?;
        ViewMut::check_optional(outputs.q.as_ref(), expect("q", Dtype::F32, &by_row))?;
        ViewMut::check_optional(outputs.target_logits.as_ref(), expect("target_logits", Dtype::F32, &entries))?;
        ViewMut::check_optional(outputs.grad_hidden.as_ref(), expect("grad_hidden", dtype, &of_hidden))?;
        self.check_presence(tensors.values.is_some(), tensors.gram.is_some(), outputs.grad_hidden.is_some())
    }

    /// The tensors that depend on the configuration are there exactly when it needs them.
    fn check_presence(&self, has_values: bool, has_gram: bool, has_grad_hidden: bool) -> Result<()> {
        let LinearConfig { dtype, rows, width, targets_per_row, gram, need_grad, .. } = self.config;
        let values = targets_per_row.map(|k| (Dtype::F32, vec![rows, k]));
        check::presence(OP, "values", has_values, values, "without targets_per_row")?;
        let gram = (gram != Gram::Formed).then(|| (Dtype::F32, vec![width, width]));
        check::presence(OP, "gram", has_gram, gram, "where each run forms it")?;
        let grad_hidden = need_grad.then(|| (dtype, vec![rows, width]));
        check::presence(OP, "grad_hidden", has_grad_hidden, grad_hidden, "without need_grad")
    }

    fn check_pointers(&self, pointers: &LinearPointers) -> Result<()> {
        let LinearConfig { dtype, index_dtype, rows, classes, width, reduction, .. } = self.config;
        self.check_presence(pointers.values.is_some(), pointers.gram.is_some(), pointers.grad_hidden.is_some())?;
        check::workspace(OP, pointers.workspace_bytes, self.workspace_bytes)?;
        let losses = reduction.shape(rows).iter().product();
        let (f, f32_bytes, entries) = (dtype.size(), Dtype::F32.size(), rows * self.config.entries_of_row());
        let read = |tensor, pointer: Option<DevicePtr>, elements| {
            pointer.map_or(Span::NONE, |pointer| Span::read(tensor, pointer, elements, f32_bytes))
        };
        let written = |tensor, pointer: Option<DevicePtr>, elements, bytes| {
            pointer.map_or(Span::NONE, |pointer| Span::written(tensor, pointer, elements, bytes))
        };
        let spans = [
            Span::read("hidden", pointers.hidden, rows * width, f),
            Span::read("weight", pointers.weight, classes * width, f),
            Span::read("targets", pointers.targets, entries, index_dtype.size()),
            read("values", pointers.values, entries),
            read("gram", pointers.gram, width * width),
            read("row_sum", pointers.row_sum, width),
            read("row_weights", pointers.row_weights, rows),
            read("grad_loss", pointers.grad_loss, losses),
            Span::written("loss", pointers.loss, losses, f32_bytes),
            written("s", pointers.s, rows, f32_bytes),
            written("q", pointers.q, rows, f32_bytes),
            written("target_logits", pointers.target_logits, entries, f32_bytes),
            written("grad_hidden", pointers.grad_hidden, rows * width, f),
            Span::written("the workspace", pointers.workspace, self.workspace_bytes.div_ceil(16), 16),
            Span::written("the status", pointers.status, 2, 8),
        ];
        check::spans(OP, &spans, None)
    }
}

/// From one row of `width` f32 to the next: whole vectors.
fn stride_of(width: usize) -> usize {
    width.next_multiple_of(4)
}
