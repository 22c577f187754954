//! `spherical.hierarchical_softmax`: the cross entropy of a softmax over clusters of classes and of one over the classes of
//! the target's cluster, and its gradients.
//!
//! In `hidden` f \[B, d\], `weight` f \[D, d\], `cluster_weight` f \[C, d\], `cluster_offsets` i64 \[C + 1\], `targets` i64
//! or u32 \[B\]; optional `row_weights` f32 \[B\] and `grad_loss` f32 (\[B\] for no reduction, else \[\]). The classes of
//! cluster j are those from `cluster_offsets[j]` up to `cluster_offsets[j + 1]`; it may have none, and its logit counts.
//! loss = -log p(cluster) - log p(class | cluster), p(cluster) the softmax of hidden `cluster_weight`' and p(class | cluster)
//! that of hidden `weight`\[classes of the cluster\]'. Out `loss` f32 (\[B\] or \[\]), `grad_hidden` f \[B, d\]; with
//! `need_grad_weight` `grad_weight` \[D, d\] and `grad_cluster_weight` \[C, d\], f or f32.
//!
//! A row costs C + s times d where the target's cluster has s classes, in the place of D times d: with about √D clusters of
//! about √D classes 2 √D d. Logits are never in global memory: 4 bytes a row beyond inputs and outputs, 72 more with the
//! gradients of the weights. A row's outputs have the same bits in any batch.

mod config;
mod reference;

pub use config::HierarchicalSoftmaxConfig;
pub use reference::{ReferenceInputs, ReferenceOutputs, reference};

use super::head::{Copies, are_aligned};
pub use super::product::Product;
use super::reducer::Reducer;
use super::{OFFSETS_TENSOR, TARGETS_TENSOR, index_dtype};
use crate::bindings::{
    HIERARCHICAL_THREADS, HierarchicalSoftmaxParams, ReductionDenominatorParams, ReductionSumParams,
};
use crate::check::Span;
use crate::device::{CudaStream, Kernel, handle_number};
use crate::fatbin::fatbin;
use crate::layout::{Layout, Part};
use crate::operations::{self, Operation};
use crate::status::Expectation;
use crate::view::Expected;
use crate::{Device, DevicePtr, Dtype, Reduction, Result, Stream, View, ViewMut, Workspace, check};

const CARD: &Operation = &operations::HIERARCHICAL_SOFTMAX;
const OP: &str = CARD.name;

/// Clusters of a block of `sort`: a warp each.
const CLUSTERS_PER_BLOCK: usize = 8;
/// Bytes of the constants of a row's gradient, of both levels.
const COEFFICIENT_BYTES: usize = 64;

/// The cross entropy of D classes in C clusters for B rows of width d, and its gradients. Made once for its shape, run on
/// any stream of its context; a run neither allocates device memory nor waits.
#[derive(Debug)]
pub struct HierarchicalSoftmax {
    device: Device,
    config: HierarchicalSoftmaxConfig,
    rows: Copies,
    /// For the gradients of the weights.
    weights: Option<Weights>,
    reducer: Reducer,
    parts: Parts,
    workspace_bytes: usize,
    number: u64,
}

#[derive(Debug)]
struct Weights {
    sort: Kernel,
    gradients: Copies,
}

/// The parts of the workspace.
#[derive(Debug)]
struct Parts {
    row_losses: Part,
    denominator: Part,
    coefficients: Part,
    row_clusters: Part,
    sorted_rows: Part,
    starts: Part,
}

/// The tensors that a run reads.
#[derive(Debug)]
pub struct HierarchicalSoftmaxTensors<'a> {
    /// f \[B, d\].
    pub hidden: View<'a>,
    /// f \[D, d\].
    pub weight: View<'a>,
    /// f \[C, d\].
    pub cluster_weight: View<'a>,
    /// i64 \[C + 1\], ascending from 0 to D.
    pub cluster_offsets: View<'a>,
    /// i64 or u32 \[B\].
    pub targets: View<'a>,
    /// f32 \[B\]; none: ones.
    pub row_weights: Option<View<'a>>,
    /// f32, \[B\] without a reduction, else \[\]; none: ones.
    pub grad_loss: Option<View<'a>>,
}

/// The tensors that a run writes.
#[derive(Debug)]
pub struct HierarchicalSoftmaxOutputs<'a> {
    /// f32, \[B\] without a reduction, else \[\].
    pub loss: ViewMut<'a>,
    /// f \[B, d\], with `need_grad`.
    pub grad_hidden: Option<ViewMut<'a>>,
    /// f or f32 \[D, d\], with `need_grad` and `need_grad_weight`.
    pub grad_weight: Option<ViewMut<'a>>,
    /// f or f32 \[C, d\], with these.
    pub grad_cluster_weight: Option<ViewMut<'a>>,
}

/// Where a launch reads and writes: addresses on the handle's device.
#[derive(Clone, Copy, Debug, Default)]
pub struct HierarchicalSoftmaxPointers {
    /// f \[B, d\], on any element; with the weights and d on multiples of 16 bytes it is read by vectors.
    pub hidden: DevicePtr,
    /// f \[D, d\], on any element.
    pub weight: DevicePtr,
    /// f \[C, d\], on any element.
    pub cluster_weight: DevicePtr,
    /// i64 \[C + 1\].
    pub cluster_offsets: DevicePtr,
    /// i64 or u32 \[B\].
    pub targets: DevicePtr,
    /// f32 \[B\]; none: ones.
    pub row_weights: Option<DevicePtr>,
    /// f32, \[B\] without a reduction, else \[\]; none: ones.
    pub grad_loss: Option<DevicePtr>,
    /// f32, \[B\] without a reduction, else \[\].
    pub loss: DevicePtr,
    /// f \[B, d\], with `need_grad`.
    pub grad_hidden: Option<DevicePtr>,
    /// f or f32 \[D, d\], with `need_grad` and `need_grad_weight`.
    pub grad_weight: Option<DevicePtr>,
    /// f or f32 \[C, d\], with these.
    pub grad_cluster_weight: Option<DevicePtr>,
    /// On 16 bytes.
    pub workspace: DevicePtr,
    /// Of `workspace`: `HierarchicalSoftmax::workspace_bytes` or more.
    pub workspace_bytes: usize,
    /// 16 bytes on a multiple of 8, each 0xff before the first launch that is asked about; see
    /// `HierarchicalSoftmax::check_status`.
    pub status: DevicePtr,
}

impl HierarchicalSoftmax {
    /// # Errors
    /// `Size` and `Dtype` for a field of `config` out of its range; `Driver` when the kernels do not load.
    pub fn new(device: &Device, config: HierarchicalSoftmaxConfig) -> Result<Self> {
        config.check()?;
        let HierarchicalSoftmaxConfig { dtype, rows, clusters, reduction, .. } = config;
        let image = fatbin!("spherical/hierarchical_softmax");
        let copies = |name| Copies::new(device, OP, image, &format!("hierarchical_softmax_{dtype}_{name}"), 0);
        let weights = || {
            let sort = device.kernel(OP, image, "hierarchical_softmax_sort", 0)?;
            Ok(Weights { sort, gradients: copies("weights")? })
        };
        let weights = config.has_grad_weight().then(weights).transpose()?;
        let when = |needed: bool, bytes: usize| if needed { bytes } else { 0 };
        let mut layout = Layout::default();
        let parts = Parts {
            row_losses: layout.part(when(reduction != Reduction::None, 4 * rows)),
            denominator: layout.part(when(reduction == Reduction::Mean, 4)),
            coefficients: layout.part(when(weights.is_some(), COEFFICIENT_BYTES * rows)),
            row_clusters: layout.part(when(weights.is_some(), 4 * rows)),
            sorted_rows: layout.part(when(weights.is_some(), 4 * rows)),
            starts: layout.part(when(weights.is_some(), 4 * (clusters + 2))),
        };
        Ok(Self {
            device: device.clone(),
            config,
            rows: copies("rows")?,
            weights,
            reducer: Reducer::new(device, OP, reduction)?,
            parts,
            workspace_bytes: layout.bytes(),
            number: handle_number(),
        })
    }

    /// What the handle was made for.
    pub fn config(&self) -> &HierarchicalSoftmaxConfig {
        &self.config
    }

    /// Bytes of workspace that a run needs.
    pub fn workspace_bytes(&self) -> usize {
        self.workspace_bytes
    }

    /// Puts the kernels on the stream. Rows are NaN whose targets are out of range, and the gradients of the weights then;
    /// everything is where `cluster_offsets` are out of order. `workspace.status()` tells the first.
    ///
    /// # Errors
    /// `Dtype`, `Shape`, `Length` and `WrongContext` for a tensor, the stream or the workspace; `Missing` and `Unused` for
    /// one that the configuration needs or does not; `WorkspaceTooSmall`; `Capturing` for a stream under capture; `Driver`
    /// when a launch is refused. Nothing is written then.
    pub fn run<'a>(
        &self,
        stream: &'a CudaStream,
        tensors: HierarchicalSoftmaxTensors<'a>,
        outputs: HierarchicalSoftmaxOutputs<'a>,
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
        let (cluster_weight, _cluster_weight) = tensors.cluster_weight.pointer(stream);
        let (cluster_offsets, _cluster_offsets) = tensors.cluster_offsets.pointer(stream);
        let (targets, _targets) = tensors.targets.pointer(stream);
        let (row_weights, grad_loss) = (read(tensors.row_weights), read(tensors.grad_loss));
        let (loss, _loss) = outputs.loss.pointer(stream);
        let (grad_hidden, grad_weight) = (written(outputs.grad_hidden), written(outputs.grad_weight));
        let grad_cluster_weight = written(outputs.grad_cluster_weight);
        let pointers = HierarchicalSoftmaxPointers {
            hidden,
            weight,
            cluster_weight,
            cluster_offsets,
            targets,
            row_weights: row_weights.as_ref().map(|(pointer, _)| *pointer),
            grad_loss: grad_loss.as_ref().map(|(pointer, _)| *pointer),
            loss,
            grad_hidden: grad_hidden.as_ref().map(|(pointer, _)| *pointer),
            grad_weight: grad_weight.as_ref().map(|(pointer, _)| *pointer),
            grad_cluster_weight: grad_cluster_weight.as_ref().map(|(pointer, _)| *pointer),
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
    /// the gradients of the weights then; everything is where `cluster_offsets` are out of order. The status tells the first.
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
    pub unsafe fn launch(&self, stream: Stream, pointers: &HierarchicalSoftmaxPointers) -> Result<()> {
        stream.check(OP, &self.device)?;
        self.check_pointers(pointers)?;
        let HierarchicalSoftmaxConfig { dtype, rows, classes, clusters, width, ignore_index, .. } = self.config;
        let params = self.params(pointers);
        let denominator = self.parts.denominator.at(pointers.workspace).cast();
        let of_the_denominator = ReductionDenominatorParams {
            targets: params.targets,
            row_weights: params.row_weights,
            denominator,
            rows: rows as u64,
            targets_per_row: 1,
            ignore_index,
            index_dtype: params.index_dtype,
            reserved: 0,
        };
        let of_the_sum = ReductionSumParams {
            row_losses: params.loss,
            row_penalties: DevicePtr::NULL.cast(),
            denominator,
            loss: pointers.loss.cast(),
            penalty: DevicePtr::NULL.cast(),
            rows: rows as u64,
        };
        let operands = [pointers.hidden, pointers.weight, pointers.cluster_weight];
        let is_aligned = are_aligned(operands, width, dtype);
        let grid = |size, blocks| Ok([check::to_u32(OP, size, blocks)?, 1, 1]);
        // SAFETY: the caller vouches for the tensors, `check_pointers` for the room of the workspace; each kernel reads and
        // writes what its header says of tensors of these shapes.
        unsafe {
            self.reducer.denominator(stream, &of_the_denominator)?;
            let blocks = grid("rows", rows.max(1))?;
            self.rows.choose(is_aligned).launch(OP, stream, blocks, HIERARCHICAL_THREADS, &params)?;
            if let Some(weights) = &self.weights {
                let blocks = grid("clusters", (clusters + 1).div_ceil(CLUSTERS_PER_BLOCK))?;
                weights.sort.launch(OP, stream, blocks, HIERARCHICAL_THREADS, &params)?;
                let blocks = grid("classes and clusters", classes + clusters)?;
                weights.gradients.choose(is_aligned).launch(OP, stream, blocks, HIERARCHICAL_THREADS, &params)?;
            }
            self.reducer.sum(stream, &of_the_sum)
        }
    }

    /// What the 16 bytes of a status, read from the device after a launch, say of the targets and the clusters.
    ///
    /// # Errors
    /// `TargetOutOfRange` with the first entry that is neither `ignore_index` nor a class; `OffsetsOutOfOrder`.
    pub fn check_status(&self, status: [u8; 16]) -> Result<()> {
        self.expectation().meets(status)
    }

    fn expectation(&self) -> Expectation {
        let HierarchicalSoftmaxConfig { ignore_index, classes, rows, .. } = self.config;
        Expectation { operation: OP, per_row: None, ignore_index, classes, rows, learning_rate: None }
    }

    /// The argument of every kernel.
    fn params(&self, pointers: &HierarchicalSoftmaxPointers) -> HierarchicalSoftmaxParams {
        let config = &self.config;
        let part = |part: Part| part.at(pointers.workspace);
        let optional = |pointer: Option<DevicePtr>| pointer.unwrap_or(DevicePtr::NULL);
        let loss = if config.reduction == Reduction::None { pointers.loss } else { part(self.parts.row_losses) };
        HierarchicalSoftmaxParams {
            hidden: pointers.hidden.cast(),
            weight: pointers.weight.cast(),
            cluster_weight: pointers.cluster_weight.cast(),
            cluster_offsets: pointers.cluster_offsets.cast(),
            targets: pointers.targets.cast(),
            row_weights: optional(pointers.row_weights).cast(),
            grad_loss: optional(pointers.grad_loss).cast(),
            denominator: part(self.parts.denominator).cast(),
            loss: loss.cast(),
            grad_hidden: optional(pointers.grad_hidden).cast(),
            grad_weight: optional(pointers.grad_weight).cast(),
            grad_cluster_weight: optional(pointers.grad_cluster_weight).cast(),
            coefficients: part(self.parts.coefficients).cast(),
            row_clusters: part(self.parts.row_clusters).cast(),
            sorted_rows: part(self.parts.sorted_rows).cast(),
            starts: part(self.parts.starts).cast(),
            status: pointers.status.cast(),
            rows: config.rows as u64,
            classes: config.classes as u64,
            clusters: config.clusters as u64,
            width: config.width as u64,
            ignore_index: config.ignore_index,
            index_dtype: index_dtype(config.index_dtype),
            grad_loss_stride: u32::from(config.reduction == Reduction::None),
            targets_tensor: TARGETS_TENSOR,
            offsets_tensor: OFFSETS_TENSOR,
            grad_weight_is_f32: u32::from(config.dtype_of_grad_weight() == Dtype::F32),
            reserved: 0,
        }
    }

    fn check_views(
        &self,
        tensors: &HierarchicalSoftmaxTensors<'_>,
        outputs: &HierarchicalSoftmaxOutputs<'_>,
    ) -> Result<()> {
        let HierarchicalSoftmaxConfig { dtype, index_dtype, rows, classes, clusters, width, reduction, .. } =
            self.config;
        let expect = |tensor, dtype, shape| Expected { operation: OP, tensor, dtype, shape, device: &self.device };
        let (by_row, offsets, reduced) = ([rows], [clusters + 1], reduction.shape(rows));
        let (of_hidden, of_weight, of_cluster_weight) = ([rows, width], [classes, width], [clusters, width]);
        tensors.hidden.check(expect("hidden", dtype, &of_hidden))?;
        tensors.weight.check(expect("weight", dtype, &of_weight))?;
        tensors.cluster_weight.check(expect("cluster_weight", dtype, &of_cluster_weight))?;
        tensors.cluster_offsets.check(expect("cluster_offsets", Dtype::I64, &offsets))?;
        tensors.targets.check(expect("targets", index_dtype, &by_row))?;
        View::check_optional(tensors.row_weights.as_ref(), expect("row_weights", Dtype::F32, &by_row))?;
        View::check_optional(tensors.grad_loss.as_ref(), expect("grad_loss", Dtype::F32, &reduced))?;
        outputs.loss.check(expect("loss", Dtype::F32, &reduced))?;
        let grad_weight = self.config.dtype_of_grad_weight();
        ViewMut::check_optional(outputs.grad_hidden.as_ref(), expect("grad_hidden", dtype, &of_hidden))?;
        ViewMut::check_optional(outputs.grad_weight.as_ref(), expect("grad_weight", grad_weight, &of_weight))?;
        let grad_cluster_weight = expect("grad_cluster_weight", grad_weight, &of_cluster_weight);
        ViewMut::check_optional(outputs.grad_cluster_weight.as_ref(), grad_cluster_weight)?;
        self.check_presence(
            outputs.grad_hidden.is_some(),
            outputs.grad_weight.is_some(),
            outputs.grad_cluster_weight.is_some(),
        )
    }

    /// The outputs that depend on the configuration are there exactly when it needs them.
    fn check_presence(
        &self,
        has_grad_hidden: bool,
        has_grad_weight: bool,
        has_grad_cluster_weight: bool,
    ) -> Result<()> {
        let config = &self.config;
        let HierarchicalSoftmaxConfig { dtype, rows, classes, clusters, width, .. } = *config;
        let grad_hidden = config.need_grad.then(|| (dtype, vec![rows, width]));
        check::presence(OP, "grad_hidden", has_grad_hidden, grad_hidden, "without need_grad")?;
        let weight = |rows| config.has_grad_weight().then(|| (config.dtype_of_grad_weight(), vec![rows, width]));
        let why_not = "without need_grad and need_grad_weight";
        check::presence(OP, "grad_weight", has_grad_weight, weight(classes), why_not)?;
        check::presence(OP, "grad_cluster_weight", has_grad_cluster_weight, weight(clusters), why_not)
    }

    fn check_pointers(&self, pointers: &HierarchicalSoftmaxPointers) -> Result<()> {
        let HierarchicalSoftmaxConfig { dtype, index_dtype, rows, classes, clusters, width, reduction, .. } =
            self.config;
        self.check_presence(
            pointers.grad_hidden.is_some(),
            pointers.grad_weight.is_some(),
            pointers.grad_cluster_weight.is_some(),
        )?;
        check::workspace(OP, pointers.workspace_bytes, self.workspace_bytes)?;
        let losses = reduction.shape(rows).iter().product();
        let (f, f32_bytes) = (dtype.size(), Dtype::F32.size());
        let of_weight = self.config.dtype_of_grad_weight().size();
        let read = |tensor, pointer: Option<DevicePtr>, elements| {
            pointer.map_or(Span::NONE, |pointer| Span::read(tensor, pointer, elements, f32_bytes))
        };
        let written = |tensor, pointer: Option<DevicePtr>, elements, bytes| {
            pointer.map_or(Span::NONE, |pointer| Span::written(tensor, pointer, elements, bytes))
        };
        let spans = [
            Span::read("hidden", pointers.hidden, rows * width, f),
            Span::read("weight", pointers.weight, classes * width, f),
            Span::read("cluster_weight", pointers.cluster_weight, clusters * width, f),
            Span::read("cluster_offsets", pointers.cluster_offsets, clusters + 1, Dtype::I64.size()),
            Span::read("targets", pointers.targets, rows, index_dtype.size()),
            read("row_weights", pointers.row_weights, rows),
            read("grad_loss", pointers.grad_loss, losses),
            Span::written("loss", pointers.loss, losses, f32_bytes),
            written("grad_hidden", pointers.grad_hidden, rows * width, f),
            written("grad_weight", pointers.grad_weight, classes * width, of_weight),
            written("grad_cluster_weight", pointers.grad_cluster_weight, clusters * width, of_weight),
            Span::written("the workspace", pointers.workspace, self.workspace_bytes.div_ceil(16), 16),
            Span::written("the status", pointers.status, 2, 8),
        ];
        check::spans(OP, &spans, None)
    }
}
