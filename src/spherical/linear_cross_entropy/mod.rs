//! `spherical.linear_cross_entropy`: the cross entropy of the softmax over a linear head, and its gradients, with no logits
//! in global memory beyond a chunk of bounded size.
//!
//! In `hidden` f \[B, d\], `weight` f \[D, d\], `targets` i64 or u32 \[B\]; optional `bias` f \[D\], `row_weights` f32
//! \[B\], `segments` u32 \[S + 1\] and `grad_loss` f32 (\[B\] for no reduction, else \[\]). The logits are o = hidden weight'
//! and bias, with a softcap c then c tanh(o/c). Out `loss` f32 (\[B\] or \[\]), without the penalty; `penalty` f32, as
//! `loss`, with `lse_penalty`; `lse` and `target_logits` f32 \[B\]; `segment_loss` f32 \[S\], the sum of the targets'
//! log-probabilities over the rows from `segments[s]` up to `segments[s + 1]` that are not ignored; `grad_hidden` f \[B, d\],
//! `grad_weight` f or f32 \[D, d\] and `grad_bias` f \[D\], of loss + penalty.
//!
//! A bias of -∞ masks its class, softcap or not, as a logit of -∞ does in
//! [`softmax_cross_entropy`](crate::spherical::softmax_cross_entropy).
//!
//! Memory beyond inputs and outputs: 2 KiB a row at most for the losses; with a gradient 4 B d bytes for the sums of
//! `grad_hidden` where f is f16 or bf16, and a chunk of the logits' gradients of at most 20 MiB or 2048 classes, whichever is
//! more. A row's outputs have the same bits in any batch.

mod config;
mod plan;
mod reference;

pub use config::LinearCrossEntropyConfig;
pub use reference::{ReferenceInputs, ReferenceOutputs, reference};

use self::plan::Plan;
use super::head::{Copies, TILE, are_aligned, blocks_of, stage_bytes, threads};
pub use super::product::Product;
use super::reducer::Reducer;
use super::{SEGMENTS_TENSOR, TARGETS_TENSOR, index_dtype};
use crate::bindings::{LinearCrossEntropyParams, ReductionDenominatorParams, ReductionSumParams};
use crate::check::Span;
use crate::device::{CudaStream, Kernel, handle_number};
use crate::fatbin::fatbin;
use crate::layout::{Layout, Part};
use crate::operations::{self, Operation};
use crate::status::Expectation;
use crate::view::Expected;
use crate::{Device, DevicePtr, Dtype, Reduction, Result, Stream, View, ViewMut, Workspace, check};

const CARD: &Operation = &operations::LINEAR_CROSS_ENTROPY;
const OP: &str = CARD.name;

/// Blocks of `widen` and `narrow`, which go on to further elements.
const MOST_BLOCKS: usize = 1024;
/// Threads of a block of `finish`, `segments`, `widen` and `narrow`.
const ROW_THREADS: u32 = 256;
/// Rows of a block of `finish`.
const FINISH_ROWS: usize = 32;
/// Segments of a block: a warp each.
const SEGMENTS_PER_BLOCK: usize = 8;
/// Bytes of a row's statistics of a run.
const PARTIAL_BYTES: usize = 16;
/// Bytes of the constants of a row's gradient.
const COEFFICIENT_BYTES: usize = 32;

/// The cross entropy of the softmax over a linear head of D classes for B rows of width d, and its gradients. Made once for
/// its shape, run on any stream of its context; a run neither allocates device memory nor waits.
#[derive(Debug)]
pub struct LinearCrossEntropy {
    device: Device,
    config: LinearCrossEntropyConfig,
    plan: Plan,
    kernels: Kernels,
    reducer: Reducer,
    parts: Parts,
    workspace_bytes: usize,
    number: u64,
}

#[derive(Debug)]
struct Kernels {
    forward: Copies,
    finish: Kernel,
    segments: Option<Kernel>,
    /// Of f16, for `grad_weight`.
    widen: Option<Kernel>,
    /// Of f16.
    narrow: Option<Kernel>,
    grad_logits: Option<Copies>,
    products: Option<Copies>,
}

/// The parts of the workspace.
#[derive(Debug)]
struct Parts {
    row_losses: Part,
    row_penalties: Part,
    denominator: Part,
    partials: Part,
    target_logits: Part,
    log_probabilities: Part,
    coefficients: Part,
    unscales: Part,
    wide_hidden: Part,
    grad_logits: Part,
    wide_grad_logits: Part,
    hidden_sums: Part,
    bias_partials: Part,
}

/// The tensors that a run reads.
#[derive(Debug)]
pub struct LinearCrossEntropyTensors<'a> {
    /// f \[B, d\].
    pub hidden: View<'a>,
    /// f \[D, d\].
    pub weight: View<'a>,
    /// i64 or u32 \[B\].
    pub targets: View<'a>,
    /// f \[D\], with `has_bias`; -∞ is a masked class.
    pub bias: Option<View<'a>>,
    /// f32 \[B\]; none: ones.
    pub row_weights: Option<View<'a>>,
    /// u32 \[S + 1\], ascending, at most B, with `segments`.
    pub segments: Option<View<'a>>,
    /// f32, \[B\] without a reduction, else \[\]; none: ones.
    pub grad_loss: Option<View<'a>>,
}

impl<'a> LinearCrossEntropyTensors<'a> {
    /// These, and none of the optional ones.
    pub fn new(hidden: View<'a>, weight: View<'a>, targets: View<'a>) -> Self {
        Self { hidden, weight, targets, bias: None, row_weights: None, segments: None, grad_loss: None }
    }
}

/// The tensors that a run writes.
#[derive(Debug)]
pub struct LinearCrossEntropyOutputs<'a> {
    /// f32, \[B\] without a reduction, else \[\]; without the penalty.
    pub loss: ViewMut<'a>,
    /// f32, shaped as `loss`, with `lse_penalty`.
    pub penalty: Option<ViewMut<'a>>,
    /// f32 \[B\]; none where it is not wanted.
    pub lse: Option<ViewMut<'a>>,
    /// f32 \[B\], 0 for an ignored row; none where it is not wanted.
    pub target_logits: Option<ViewMut<'a>>,
    /// f32 \[S\], with `segments`.
    pub segment_loss: Option<ViewMut<'a>>,
    /// f \[B, d\], of loss + penalty, with `need_grad`.
    pub grad_hidden: Option<ViewMut<'a>>,
    /// f or f32 \[D, d\], with `need_grad` and `need_grad_weight`.
    pub grad_weight: Option<ViewMut<'a>>,
    /// f \[D\], with these and `has_bias`.
    pub grad_bias: Option<ViewMut<'a>>,
}

impl<'a> LinearCrossEntropyOutputs<'a> {
    /// The loss, and none of the others.
    pub fn new(loss: ViewMut<'a>) -> Self {
        Self {
            loss,
            penalty: None,
            lse: None,
            target_logits: None,
            segment_loss: None,
            grad_hidden: None,
            grad_weight: None,
            grad_bias: None,
        }
    }
}

/// Where a launch reads and writes: addresses on the handle's device.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinearCrossEntropyPointers {
    /// f \[B, d\], on any element; with `weight` and d on multiples of 16 bytes it is copied without a detour.
    pub hidden: DevicePtr,
    /// f \[D, d\], on any element.
    pub weight: DevicePtr,
    /// i64 or u32 \[B\].
    pub targets: DevicePtr,
    /// f \[D\], with `has_bias`.
    pub bias: Option<DevicePtr>,
    /// f32 \[B\]; none: ones.
    pub row_weights: Option<DevicePtr>,
    /// u32 \[S + 1\], with `segments`.
    pub segments: Option<DevicePtr>,
    /// f32, \[B\] without a reduction, else \[\]; none: ones.
    pub grad_loss: Option<DevicePtr>,
    /// f32, \[B\] without a reduction, else \[\].
    pub loss: DevicePtr,
    /// f32, shaped as `loss`, with `lse_penalty`.
    pub penalty: Option<DevicePtr>,
    /// f32 \[B\]; none where it is not wanted.
    pub lse: Option<DevicePtr>,
    /// f32 \[B\]; none where it is not wanted.
    pub target_logits: Option<DevicePtr>,
    /// f32 \[S\], with `segments`.
    pub segment_loss: Option<DevicePtr>,
    /// f \[B, d\], with `need_grad`.
    pub grad_hidden: Option<DevicePtr>,
    /// f or f32 \[D, d\], with `need_grad` and `need_grad_weight`.
    pub grad_weight: Option<DevicePtr>,
    /// f \[D\], with these and `has_bias`.
    pub grad_bias: Option<DevicePtr>,
    /// On 16 bytes.
    pub workspace: DevicePtr,
    /// Of `workspace`: `LinearCrossEntropy::workspace_bytes` or more.
    pub workspace_bytes: usize,
    /// 16 bytes on a multiple of 8, each 0xff before the first launch that is asked about; see
    /// `LinearCrossEntropy::check_status`.
    pub status: DevicePtr,
}

impl LinearCrossEntropy {
    /// # Errors
    /// `Size`, `Parameter` and `Dtype` for a field of `config` out of its range; `Driver` when the kernels do not load.
    pub fn new(device: &Device, config: LinearCrossEntropyConfig) -> Result<Self> {
        config.check()?;
        let LinearCrossEntropyConfig { dtype, rows, width, need_grad, .. } = config;
        let plan = Plan::of(&config);
        let image = fatbin!("spherical/linear_cross_entropy");
        let kernel = |name: &str, bytes| device.kernel(OP, image, name, bytes);
        let copies = |name: &str, more| {
            let name = format!("linear_cross_entropy_{dtype}_{name}");
            Copies::new(device, OP, image, &name, stage_bytes(dtype) + more)
        };
        let segments = config.segments.map(|_| kernel("linear_cross_entropy_segments", 0)).transpose()?;
        let is_scaled = need_grad && dtype == Dtype::F16;
        let is_widened = is_scaled && config.has_grad_weight();
        let kernels = Kernels {
            narrow: is_scaled.then(|| kernel("linear_cross_entropy_f16_narrow", 0)).transpose()?,
            widen: is_widened.then(|| kernel("linear_cross_entropy_f16_widen", 0)).transpose()?,
            forward: copies("forward", 512)?,
            finish: kernel("linear_cross_entropy_finish", 0)?,
            segments,
            grad_logits: need_grad.then(|| copies("grad_logits", 1024)).transpose()?,
            products: need_grad.then(|| copies("products", 0)).transpose()?,
        };
        let reducer = Reducer::new(device, OP, config.reduction)?;
        let row_values = if config.reduction == Reduction::None { 0 } else { 4 * rows };
        let when = |needed: bool, bytes: usize| if needed { bytes } else { 0 };
        let mut layout = Layout::default();
        let parts = Parts {
            row_losses: layout.part(row_values),
            row_penalties: layout.part(when(config.lse_penalty.is_some(), row_values)),
            denominator: layout.part(when(config.reduction == Reduction::Mean, 4)),
            partials: layout.part(PARTIAL_BYTES * rows * plan.runs),
            target_logits: layout.part(4 * rows),
            log_probabilities: layout.part(when(config.segments.is_some(), 4 * rows)),
            coefficients: layout.part(when(need_grad, COEFFICIENT_BYTES * rows)),
            unscales: layout.part(when(is_scaled, 4 * rows)),
            wide_hidden: layout.part(when(is_widened, 4 * rows * width.next_multiple_of(4))),
            grad_logits: layout.part(when(need_grad, dtype.size() * rows * plan.chunk_classes)),
            wide_grad_logits: layout.part(when(is_scaled, 4 * rows * plan.chunk_classes)),
            hidden_sums: layout.part(when(need_grad && dtype != Dtype::F32, 4 * rows * width)),
            bias_partials: layout.part(when(config.has_grad_bias(), 4 * plan.row_tiles * plan.chunk_classes)),
        };
        let (workspace_bytes, number) = (layout.bytes(), handle_number());
        Ok(Self { device: device.clone(), config, plan, kernels, reducer, parts, workspace_bytes, number })
    }

    /// What the handle was made for.
    pub fn config(&self) -> &LinearCrossEntropyConfig {
        &self.config
    }

    /// Bytes of workspace that a run needs.
    pub fn workspace_bytes(&self) -> usize {
        self.workspace_bytes
    }

    /// Puts the kernels on the stream. Rows are NaN whose targets are out of range, and `segment_loss` as a whole where
    /// `segments` are out of order; `workspace.status()` tells the first.
    ///
    /// # Errors
    /// `Dtype`, `Shape`, `Length` and `WrongContext` for a tensor, the stream or the workspace; `Missing` and `Unused` for
    /// one that the configuration needs or does not; `WorkspaceTooSmall`; `Capturing` for a stream under capture; `Driver`
    /// when a launch is refused. Nothing is written then.
    pub fn run<'a>(
        &self,
        stream: &'a CudaStream,
        tensors: LinearCrossEntropyTensors<'a>,
        outputs: LinearCrossEntropyOutputs<'a>,
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
        let (bias, row_weights) = (read(tensors.bias), read(tensors.row_weights));
        let (segments, grad_loss) = (read(tensors.segments), read(tensors.grad_loss));
        let (loss, _loss) = outputs.loss.pointer(stream);
        let (penalty, lse) = (written(outputs.penalty), written(outputs.lse));
        let (target_logits, segment_loss) = (written(outputs.target_logits), written(outputs.segment_loss));
        let (grad_hidden, grad_weight) = (written(outputs.grad_hidden), written(outputs.grad_weight));
        let grad_bias = written(outputs.grad_bias);
        let pointers = LinearCrossEntropyPointers {
            hidden,
            weight,
            targets,
            bias: bias.as_ref().map(|(pointer, _)| *pointer),
            row_weights: row_weights.as_ref().map(|(pointer, _)| *pointer),
            segments: segments.as_ref().map(|(pointer, _)| *pointer),
            grad_loss: grad_loss.as_ref().map(|(pointer, _)| *pointer),
            loss,
            penalty: penalty.as_ref().map(|(pointer, _)| *pointer),
            lse: lse.as_ref().map(|(pointer, _)| *pointer),
            target_logits: target_logits.as_ref().map(|(pointer, _)| *pointer),
            segment_loss: segment_loss.as_ref().map(|(pointer, _)| *pointer),
            grad_hidden: grad_hidden.as_ref().map(|(pointer, _)| *pointer),
            grad_weight: grad_weight.as_ref().map(|(pointer, _)| *pointer),
            grad_bias: grad_bias.as_ref().map(|(pointer, _)| *pointer),
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

    /// Puts the kernels on the stream, which may be captured into a graph. Rows are NaN whose targets are out of range, and
    /// `segment_loss` as a whole where `segments` are out of order; the status tells the first.
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
    pub unsafe fn launch(&self, stream: Stream, pointers: &LinearCrossEntropyPointers) -> Result<()> {
        stream.check(OP, &self.device)?;
        self.check_pointers(pointers)?;
        let LinearCrossEntropyConfig { dtype, rows, width, classes, ignore_index, .. } = self.config;
        let part = |part: Part| part.at(pointers.workspace);
        let optional = |pointer: Option<DevicePtr>| pointer.unwrap_or(DevicePtr::NULL);
        let params = self.params(pointers);
        let of_the_denominator = ReductionDenominatorParams {
            targets: params.targets,
            row_weights: params.row_weights,
            denominator: part(self.parts.denominator).cast(),
            rows: rows as u64,
            targets_per_row: 1,
            ignore_index,
            index_dtype: params.index_dtype,
            reserved: 0,
        };
        let of_the_sum = ReductionSumParams {
            row_losses: params.loss,
            row_penalties: params.penalty,
            denominator: part(self.parts.denominator).cast(),
            loss: pointers.loss.cast(),
            penalty: optional(pointers.penalty).cast(),
            rows: rows as u64,
        };
        let is_aligned = are_aligned([pointers.hidden, pointers.weight], width, dtype);
        // SAFETY: the caller vouches for the tensors, `check_pointers` for the room of the workspace; each kernel reads and
        // writes what its header says of tensors of these shapes.
        unsafe {
            self.reducer.denominator(stream, &of_the_denominator)?;
            let grid = blocks_of(OP, self.plan.row_tiles * self.plan.runs)?;
            self.kernels.forward.choose(is_aligned).launch(OP, stream, grid, threads(dtype), &params)?;
            let grid = [check::to_u32(OP, "rows", rows.div_ceil(FINISH_ROWS))?, 1, 1];
            self.kernels.finish.launch(OP, stream, grid, ROW_THREADS, &params)?;
            if let (Some(kernel), Some(count)) = (&self.kernels.segments, self.config.segments) {
                let grid = [check::to_u32(OP, "segments", count.div_ceil(SEGMENTS_PER_BLOCK))?, 1, 1];
                kernel.launch(OP, stream, grid, ROW_THREADS, &params)?;
            }
            self.reducer.sum(stream, &of_the_sum)?;
            if let Some(kernel) = &self.kernels.widen {
                let blocks = (rows * width).div_ceil(ROW_THREADS as usize).min(MOST_BLOCKS);
                kernel.launch(OP, stream, blocks_of(OP, blocks)?, ROW_THREADS, &params)?;
            }
            for (begin, count) in self.plan.chunks(classes) {
                self.launch_chunk(stream, params, (begin, count), is_aligned)?;
            }
        }
        Ok(())
    }

    /// The gradients by way of `count` classes from `begin`.
    ///
    /// # Safety
    /// As `launch`.
    unsafe fn launch_chunk(
        &self,
        stream: Stream,
        mut params: LinearCrossEntropyParams,
        (begin, count): (usize, usize),
        is_aligned: bool,
    ) -> Result<()> {
        let (Some(grad_logits), Some(products)) = (&self.kernels.grad_logits, &self.kernels.products) else {
            return Ok(());
        };
        params.chunk_begin = begin as u64;
        let Plan { row_tiles, width_tiles, chunk_run_tiles, .. } = self.plan;
        let threads = threads(self.config.dtype);
        let tiles = count.div_ceil(TILE);
        let of_the_weight = if self.config.has_grad_weight() { tiles * width_tiles } else { 0 };
        let of_the_bias = if self.config.has_grad_bias() { count.div_ceil(threads as usize) } else { 0 };
        // SAFETY: the caller vouches for the tensors and for the workspace.
        unsafe {
            let blocks = blocks_of(OP, row_tiles * tiles.div_ceil(chunk_run_tiles))?;
            grad_logits.choose(is_aligned).launch(OP, stream, blocks, threads, &params)?;
            if let Some(narrow) = &self.kernels.narrow {
                let vectors = self.config.rows * self.plan.chunk_classes / 8;
                let blocks = blocks_of(OP, vectors.div_ceil(ROW_THREADS as usize).min(MOST_BLOCKS))?;
                narrow.launch(OP, stream, blocks, ROW_THREADS, &params)?;
            }
            let blocks = blocks_of(OP, of_the_weight + row_tiles * width_tiles + of_the_bias)?;
            products.choose(is_aligned).launch(OP, stream, blocks, threads, &params)
        }
    }

    /// What the 16 bytes of a status, read from the device after a launch, say of the targets and segments.
    ///
    /// # Errors
    /// `TargetOutOfRange` with the first entry that is neither `ignore_index` nor a class; `SegmentsOutOfOrder`.
    pub fn check_status(&self, status: [u8; 16]) -> Result<()> {
        self.expectation().meets(status)
    }

    fn expectation(&self) -> Expectation {
        let LinearCrossEntropyConfig { ignore_index, classes, rows, .. } = self.config;
        Expectation { operation: OP, per_row: None, ignore_index, classes, rows, learning_rate: None }
    }

    /// The argument of every kernel, `chunk_begin` aside.
    fn params(&self, pointers: &LinearCrossEntropyPointers) -> LinearCrossEntropyParams {
        let config = &self.config;
        let part = |part: Part| part.at(pointers.workspace);
        let optional = |pointer: Option<DevicePtr>| pointer.unwrap_or(DevicePtr::NULL);
        let (loss, penalty) = if config.reduction == Reduction::None {
            (pointers.loss, optional(pointers.penalty))
        } else {
            (part(self.parts.row_losses), part(self.parts.row_penalties))
        };
        let grad_hidden = optional(pointers.grad_hidden);
        let hidden_sums = if config.dtype == Dtype::F32 { grad_hidden } else { part(self.parts.hidden_sums) };
        let size = |size: usize| u32::try_from(size).expect("the plan's sizes are those of tiles");
        LinearCrossEntropyParams {
            hidden: pointers.hidden.cast(),
            weight: pointers.weight.cast(),
            bias: optional(pointers.bias).cast(),
            targets: pointers.targets.cast(),
            row_weights: optional(pointers.row_weights).cast(),
            grad_loss: optional(pointers.grad_loss).cast(),
            segments: optional(pointers.segments).cast(),
            denominator: part(self.parts.denominator).cast(),
            loss: loss.cast(),
            penalty: penalty.cast(),
            lse: optional(pointers.lse).cast(),
            target_logits: pointers.target_logits.unwrap_or_else(|| part(self.parts.target_logits)).cast(),
            segment_loss: optional(pointers.segment_loss).cast(),
            grad_hidden: grad_hidden.cast(),
            grad_weight: optional(pointers.grad_weight).cast(),
            grad_bias: optional(pointers.grad_bias).cast(),
            partials: part(self.parts.partials).cast(),
            log_probabilities: part(self.parts.log_probabilities).cast(),
            coefficients: part(self.parts.coefficients).cast(),
            unscales: part(self.parts.unscales).cast(),
            wide_hidden: part(self.parts.wide_hidden).cast(),
            wide_grad_logits: part(self.parts.wide_grad_logits).cast(),
            grad_logits: part(self.parts.grad_logits).cast(),
            hidden_sums: hidden_sums.cast(),
            bias_partials: part(self.parts.bias_partials).cast(),
            status: pointers.status.cast(),
            rows: config.rows as u64,
            classes: config.classes as u64,
            width: config.width as u64,
            segment_count: config.segments.unwrap_or(0) as u64,
            chunk_begin: 0,
            ignore_index: config.ignore_index,
            chunk_classes: size(self.plan.chunk_classes),
            chunk_run_tiles: size(self.plan.chunk_run_tiles),
            run_tiles: size(self.plan.run_tiles),
            index_dtype: index_dtype(config.index_dtype),
            grad_loss_stride: u32::from(config.reduction == Reduction::None),
            targets_tensor: TARGETS_TENSOR,
            segments_tensor: SEGMENTS_TENSOR,
            grad_weight_is_f32: u32::from(config.dtype_of_grad_weight() == Dtype::F32),
            label_smoothing: check::to_f32(config.label_smoothing),
            lse_penalty: check::to_f32(config.lse_penalty.unwrap_or(0.0)),
            softcap: check::to_f32(config.softcap.unwrap_or(0.0)),
            reserved: 0,
        }
    }

    fn check_views(
        &self,
        tensors: &LinearCrossEntropyTensors<'_>,
        outputs: &LinearCrossEntropyOutputs<'_>,
    ) -> Result<()> {
        let LinearCrossEntropyConfig { dtype, index_dtype, rows, classes, width, reduction, .. } = self.config;
        let expect = |tensor, dtype, shape| Expected { operation: OP, tensor, dtype, shape, device: &self.device };
        let (by_row, by_class, reduced) = ([rows], [classes], reduction.shape(rows));
        let (of_hidden, of_weight) = ([rows, width], [classes, width]);
        let segments = self.config.segments.unwrap_or(0);
        let (offsets, by_segment) = ([segments + 1], [segments]);
        tensors.hidden.check(expect("hidden", dtype, &of_hidden))?;
        tensors.weight.check(expect("weight", dtype, &of_weight))?;
        tensors.targets.check(expect("targets", index_dtype, &by_row))?;
        View::check_optional(tensors.bias.as_ref(), expect("bias", dtype, &by_class))?;
        View::check_optional(tensors.row_weights.as_ref(), expect("row_weights", Dtype::F32, &by_row))?;
        View::check_optional(tensors.segments.as_ref(), expect("segments", Dtype::U32, &offsets))?;
        View::check_optional(tensors.grad_loss.as_ref(), expect("grad_loss", Dtype::F32, &reduced))?;
        outputs.loss.check(expect("loss", Dtype::F32, &reduced))?;
        ViewMut::check_optional(outputs.penalty.as_ref(), expect("penalty", Dtype::F32, &reduced))?;
        ViewMut::check_optional(outputs.lse.as_ref(), expect("lse", Dtype::F32, &by_row))?;
        ViewMut::check_optional(outputs.target_logits.as_ref(), expect("target_logits", Dtype::F32, &by_row))?;
        ViewMut::check_optional(outputs.segment_loss.as_ref(), expect("segment_loss", Dtype::F32, &by_segment))?;
        ViewMut::check_optional(outputs.grad_hidden.as_ref(), expect("grad_hidden", dtype, &of_hidden))?;
        let grad_weight = expect("grad_weight", self.config.dtype_of_grad_weight(), &of_weight);
        ViewMut::check_optional(outputs.grad_weight.as_ref(), grad_weight)?;
        ViewMut::check_optional(outputs.grad_bias.as_ref(), expect("grad_bias", dtype, &by_class))?;
        self.check_presence(Presence {
            bias: tensors.bias.is_some(),
            segments: tensors.segments.is_some(),
            penalty: outputs.penalty.is_some(),
            segment_loss: outputs.segment_loss.is_some(),
            grad_hidden: outputs.grad_hidden.is_some(),
            grad_weight: outputs.grad_weight.is_some(),
            grad_bias: outputs.grad_bias.is_some(),
        })
    }

    /// The tensors that depend on the configuration are there exactly when it needs them.
    fn check_presence(&self, has: Presence) -> Result<()> {
        let config = &self.config;
        let LinearCrossEntropyConfig { dtype, rows, classes, width, reduction, .. } = *config;
        let bias = config.has_bias.then(|| (dtype, vec![classes]));
        check::presence(OP, "bias", has.bias, bias, "without has_bias")?;
        let segments = config.segments.map(|segments| (Dtype::U32, vec![segments + 1]));
        check::presence(OP, "segments", has.segments, segments, "without segments in the configuration")?;
        let penalty = config.lse_penalty.map(|_| (Dtype::F32, reduction.shape(rows)));
        check::presence(OP, "penalty", has.penalty, penalty, "without lse_penalty")?;
        let segment_loss = config.segments.map(|segments| (Dtype::F32, vec![segments]));
        check::presence(OP, "segment_loss", has.segment_loss, segment_loss, "without segments")?;
        let grad_hidden = config.need_grad.then(|| (dtype, vec![rows, width]));
        check::presence(OP, "grad_hidden", has.grad_hidden, grad_hidden, "without need_grad")?;
        let grad_weight = config.has_grad_weight().then(|| (config.dtype_of_grad_weight(), vec![classes, width]));
        check::presence(OP, "grad_weight", has.grad_weight, grad_weight, "without need_grad and need_grad_weight")?;
        let grad_bias = config.has_grad_bias().then(|| (dtype, vec![classes]));
        check::presence(OP, "grad_bias", has.grad_bias, grad_bias, "without bias, need_grad and need_grad_weight")
    }

    fn check_pointers(&self, pointers: &LinearCrossEntropyPointers) -> Result<()> {
        let config = &self.config;
        let LinearCrossEntropyConfig { dtype, index_dtype, rows, classes, width, reduction, .. } = *config;
        self.check_presence(Presence {
            bias: pointers.bias.is_some(),
            segments: pointers.segments.is_some(),
            penalty: pointers.penalty.is_some(),
            segment_loss: pointers.segment_loss.is_some(),
            grad_hidden: pointers.grad_hidden.is_some(),
            grad_weight: pointers.grad_weight.is_some(),
            grad_bias: pointers.grad_bias.is_some(),
        })?;
        check::workspace(OP, pointers.workspace_bytes, self.workspace_bytes)?;
        let losses = reduction.shape(rows).iter().product();
        let (f, f32_bytes) = (dtype.size(), Dtype::F32.size());
        let segments = config.segments.unwrap_or(0);
        let read = |tensor, pointer: Option<DevicePtr>, elements, bytes| {
            pointer.map_or(Span::NONE, |pointer| Span::read(tensor, pointer, elements, bytes))
        };
        let written = |tensor, pointer: Option<DevicePtr>, elements, bytes| {
            pointer.map_or(Span::NONE, |pointer| Span::written(tensor, pointer, elements, bytes))
        };
        let spans = [
            Span::read("hidden", pointers.hidden, rows * width, f),
            Span::read("weight", pointers.weight, classes * width, f),
            Span::read("targets", pointers.targets, rows, index_dtype.size()),
            read("bias", pointers.bias, classes, f),
            read("row_weights", pointers.row_weights, rows, f32_bytes),
            read("segments", pointers.segments, segments + 1, Dtype::U32.size()),
            read("grad_loss", pointers.grad_loss, losses, f32_bytes),
            Span::written("loss", pointers.loss, losses, f32_bytes),
            written("penalty", pointers.penalty, losses, f32_bytes),
            written("lse", pointers.lse, rows, f32_bytes),
            written("target_logits", pointers.target_logits, rows, f32_bytes),
            written("segment_loss", pointers.segment_loss, segments, f32_bytes),
            written("grad_hidden", pointers.grad_hidden, rows * width, f),
            written("grad_weight", pointers.grad_weight, classes * width, config.dtype_of_grad_weight().size()),
            written("grad_bias", pointers.grad_bias, classes, f),
            Span::written("the workspace", pointers.workspace, self.workspace_bytes.div_ceil(16), 16),
            Span::written("the status", pointers.status, 2, 8),
        ];
        check::spans(OP, &spans, None)
    }
}

/// Which of the tensors that depend on the configuration a call has.
#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "one a tensor")]
struct Presence {
    bias: bool,
    segments: bool,
    penalty: bool,
    segment_loss: bool,
    grad_hidden: bool,
    grad_weight: bool,
    grad_bias: bool,
}
