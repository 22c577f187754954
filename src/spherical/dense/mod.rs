//! `spherical.dense`: a spherical loss of given logits, and its gradient.
//!
//! In `logits` f \[B, D\], `targets` i64 or u32 \[B\], or `targets` \[B, K\] and `values` f32 \[B, K\]; optional
//! `row_weights` f32 \[B\] and `grad_loss` f32 (\[B\] for no reduction, else \[\]). Out `loss` f32 (\[B\] or \[\]) and
//! `grad_logits` f \[B, D\]. A target that is neither `ignore_index` nor a class makes its row NaN, and is told by the
//! status. Source: de Brebisson and Vincent 2016.

mod config;
mod reference;

pub use config::{DenseConfig, Loss};
pub use reference::{ReferenceInputs, ReferenceOutputs, reference};

use super::reducer::Reducer;
use super::rows::RowKernels;
use super::{TARGETS_TENSOR, index_dtype};
use crate::bindings::{DenseParams, ReductionDenominatorParams, ReductionSumParams};
use crate::check::Span;
use crate::device::{CudaStream, handle_number};
use crate::fatbin::fatbin;
use crate::layout::{Layout, Part};
use crate::operations::{self, Operation};
use crate::status::Expectation;
use crate::view::Expected;
use crate::{Device, DevicePtr, Dtype, Reduction, Result, Stream, View, ViewMut, Workspace, check};

const CARD: &Operation = &operations::DENSE;
const OP: &str = CARD.name;

/// A spherical loss of B rows of D logits, and its gradient. Made once for its shape, run on any stream of its context; a
/// run neither allocates device memory nor waits.
#[derive(Debug)]
pub struct Dense {
    device: Device,
    config: DenseConfig,
    rows: RowKernels,
    reducer: Reducer,
    parts: Parts,
    workspace_bytes: usize,
    number: u64,
}

/// The parts of the workspace.
#[derive(Debug)]
struct Parts {
    row_losses: Part,
    denominator: Part,
    target_entries: Part,
    partials: Part,
    coefficients: Part,
}

/// The tensors that a run reads.
#[derive(Debug)]
pub struct DenseTensors<'a> {
    /// f \[B, D\].
    pub logits: View<'a>,
    /// i64 or u32, \[B\] or \[B, K\].
    pub targets: View<'a>,
    /// f32 \[B, K\], with `targets` \[B, K\].
    pub values: Option<View<'a>>,
    /// f32 \[B\]; none: ones.
    pub row_weights: Option<View<'a>>,
    /// f32, \[B\] without a reduction, else \[\]; none: ones.
    pub grad_loss: Option<View<'a>>,
}

impl<'a> DenseTensors<'a> {
    /// These, and none of the optional ones.
    pub fn new(logits: View<'a>, targets: View<'a>) -> Self {
        Self { logits, targets, values: None, row_weights: None, grad_loss: None }
    }
}

/// The tensors that a run writes.
#[derive(Debug)]
pub struct DenseOutputs<'a> {
    /// f32, \[B\] without a reduction, else \[\].
    pub loss: ViewMut<'a>,
    /// f \[B, D\], with `need_grad`.
    pub grad_logits: Option<ViewMut<'a>>,
}

/// Where a launch reads and writes: addresses on the handle's device.
#[derive(Clone, Copy, Debug, Default)]
pub struct DensePointers {
    /// f \[B, D\], on any element.
    pub logits: DevicePtr,
    /// i64 or u32, \[B\] or \[B, K\].
    pub targets: DevicePtr,
    /// f32 \[B, K\], with `targets` \[B, K\].
    pub values: Option<DevicePtr>,
    /// f32 \[B\]; none: ones.
    pub row_weights: Option<DevicePtr>,
    /// f32, \[B\] without a reduction, else \[\]; none: ones.
    pub grad_loss: Option<DevicePtr>,
    /// f32, \[B\] without a reduction, else \[\].
    pub loss: DevicePtr,
    /// f \[B, D\], with `need_grad`; may be `logits`.
    pub grad_logits: Option<DevicePtr>,
    /// On 16 bytes.
    pub workspace: DevicePtr,
    /// Of `workspace`: `Dense::workspace_bytes` or more.
    pub workspace_bytes: usize,
    /// 16 bytes on a multiple of 8, each 0xff before the first launch that is asked about; see `Dense::check_status`.
    pub status: DevicePtr,
}

impl Dense {
    /// # Errors
    /// `Size`, `Parameter` and `Dtype` for a field of `config` out of its range; `Driver` when the kernels do not load.
    pub fn new(device: &Device, config: DenseConfig) -> Result<Self> {
        config.check()?;
        let DenseConfig { dtype, rows: row_count, classes, reduction, need_grad, .. } = config;
        let image = (fatbin!("spherical/dense"), "dense");
        let targets_per_row = config.targets_per_row.unwrap_or(1);
        let rows = RowKernels::new(device, OP, image, dtype, [row_count, classes, targets_per_row], need_grad)?;
        let reducer = Reducer::new(device, OP, reduction)?;
        let mut layout = Layout::default();
        let parts = Parts {
            row_losses: layout.part(if reduction == Reduction::None { 0 } else { 4 * row_count }),
            denominator: layout.part(if reduction == Reduction::Mean { 4 } else { 0 }),
            target_entries: layout.part(rows.target_entries_bytes),
            partials: layout.part(rows.partials_bytes),
            coefficients: layout.part(rows.coefficients_bytes),
        };
        let (workspace_bytes, number) = (layout.bytes(), handle_number());
        Ok(Self { device: device.clone(), config, rows, reducer, parts, workspace_bytes, number })
    }

    /// What the handle was made for.
    pub fn config(&self) -> &DenseConfig {
        &self.config
    }

    /// Bytes of workspace that a run needs.
    pub fn workspace_bytes(&self) -> usize {
        self.workspace_bytes
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
        tensors: DenseTensors<'a>,
        outputs: DenseOutputs<'a>,
        workspace: &mut Workspace,
    ) -> Result<()> {
        let DenseConfig { dtype, index_dtype, rows, classes, targets_per_row, reduction, .. } = self.config;
        let expect = |tensor, dtype, shape| Expected { operation: OP, tensor, dtype, shape, device: &self.device };
        let (matrix, vector, reduced) = ([rows, classes], [rows], reduction.shape(rows));
        let targets = [rows, targets_per_row.unwrap_or(1)];
        let targets = &targets[..if targets_per_row.is_some() { 2 } else { 1 }];
        tensors.logits.check(expect("logits", dtype, &matrix))?;
        tensors.targets.check(expect("targets", index_dtype, targets))?;
        View::check_optional(tensors.values.as_ref(), expect("values", Dtype::F32, targets))?;
        View::check_optional(tensors.row_weights.as_ref(), expect("row_weights", Dtype::F32, &vector))?;
        View::check_optional(tensors.grad_loss.as_ref(), expect("grad_loss", Dtype::F32, &reduced))?;
        outputs.loss.check(expect("loss", Dtype::F32, &reduced))?;
        ViewMut::check_optional(outputs.grad_logits.as_ref(), expect("grad_logits", dtype, &matrix))?;
        self.check_presence(tensors.values.is_some(), outputs.grad_logits.is_some())?;

        let (plain, _current) = self.device.enter_with(OP, stream)?;
        let asked = (self.number, self.expectation());
        let room = workspace.begin(OP, &self.device, plain, asked, self.workspace_bytes)?;
        // The guards order what else uses the slices; they go when the launches are on the stream.
        let (logits, _logits) = tensors.logits.pointer(stream);
        let (targets, _targets) = tensors.targets.pointer(stream);
        let values = tensors.values.map(|view| view.pointer(stream));
        let row_weights = tensors.row_weights.map(|view| view.pointer(stream));
        let grad_loss = tensors.grad_loss.map(|view| view.pointer(stream));
        let (loss, _loss) = outputs.loss.pointer(stream);
        let grad_logits = outputs.grad_logits.map(|view| view.pointer(stream));
        let pointers = DensePointers {
            logits,
            targets,
            values: values.as_ref().map(|(pointer, _)| *pointer),
            row_weights: row_weights.as_ref().map(|(pointer, _)| *pointer),
            grad_loss: grad_loss.as_ref().map(|(pointer, _)| *pointer),
            loss,
            grad_logits: grad_logits.as_ref().map(|(pointer, _)| *pointer),
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

    /// Puts the kernels on the stream, which may be captured into a graph. Rows are NaN whose targets are out of range; the
    /// status tells the first.
    ///
    /// # Errors
    /// `WrongContext` for a stream of another context than the handle's; `Missing` and `Unused` for a tensor that the
    /// configuration needs or does not; `NullPointer`, `Misaligned` and `Overlap`, where `grad_logits` may be exactly
    /// `logits`; `WorkspaceTooSmall`; `Driver` when a launch is refused. Nothing is written then.
    ///
    /// # Safety
    /// On the handle's device, until the launches have run: the tensors have the handle's dtypes and shapes, those that are
    /// read are readable, those that are written, the workspace and the 16 bytes of the status are writable, and nothing
    /// else writes to any of them, nor reads what is written. The stream is alive.
    pub unsafe fn launch(&self, stream: Stream, pointers: &DensePointers) -> Result<()> {
        stream.check(OP, &self.device)?;
        self.check_pointers(pointers)?;
        let DenseConfig { rows, classes, reduction, ignore_index, .. } = self.config;
        let targets_per_row = self.config.targets_per_row.unwrap_or(1) as u64;
        let index_dtype = index_dtype(self.config.index_dtype);
        let part = |part: Part| part.at(pointers.workspace);
        let optional = |pointer: Option<DevicePtr>| pointer.unwrap_or(DevicePtr::NULL);
        let (row_losses, denominator) = (part(self.parts.row_losses), part(self.parts.denominator));
        let (loss_kind, [a, b, epsilon]) = self.config.loss.for_kernels();
        let of_the_denominator = ReductionDenominatorParams {
            targets: pointers.targets.cast(),
            row_weights: optional(pointers.row_weights).cast(),
            denominator: denominator.cast(),
            rows: rows as u64,
            targets_per_row,
            ignore_index,
            index_dtype,
            reserved: 0,
        };
        let of_the_rows = DenseParams {
            logits: pointers.logits.cast(),
            targets: pointers.targets.cast(),
            values: optional(pointers.values).cast(),
            row_weights: optional(pointers.row_weights).cast(),
            grad_loss: optional(pointers.grad_loss).cast(),
            denominator: denominator.cast(),
            loss: if reduction == Reduction::None { pointers.loss } else { row_losses }.cast(),
            grad_logits: optional(pointers.grad_logits).cast(),
            target_entries: part(self.parts.target_entries).cast(),
            partials: part(self.parts.partials).cast(),
            coefficients: part(self.parts.coefficients).cast(),
            status: pointers.status.cast(),
            rows: rows as u64,
            classes: classes as u64,
            targets_per_row,
            ignore_index,
            loss_kind,
            index_dtype,
            grad_loss_stride: u32::from(reduction == Reduction::None),
            targets_tensor: TARGETS_TENSOR,
            a,
            b,
            epsilon,
            targets_are_shared: u32::from(self.rows.targets_are_shared),
        };
        let of_the_sum = ReductionSumParams {
            row_losses: row_losses.cast(),
            row_penalties: std::ptr::null(),
            denominator: denominator.cast(),
            loss: pointers.loss.cast(),
            penalty: std::ptr::null_mut(),
            rows: rows as u64,
        };
        // SAFETY: the caller vouches for the tensors, `check_pointers` for the room of the workspace; each kernel reads and
        // writes what its header says of tensors of these shapes.
        unsafe {
            self.reducer.denominator(stream, &of_the_denominator)?;
            self.rows.launch(stream, &of_the_rows)?;
            self.reducer.sum(stream, &of_the_sum)
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
        let DenseConfig { targets_per_row: per_row, ignore_index, classes, rows, .. } = self.config;
        Expectation { operation: OP, per_row, ignore_index, classes, rows, learning_rate: None }
    }

    /// The optional tensors are there exactly when the configuration needs them.
    fn check_presence(&self, has_values: bool, has_grad_logits: bool) -> Result<()> {
        let DenseConfig { dtype, rows, classes, targets_per_row, need_grad, .. } = self.config;
        let values = targets_per_row.map(|k| (Dtype::F32, vec![rows, k]));
        check::presence(OP, "values", has_values, values, "with targets [rows]")?;
        let grad_logits = need_grad.then(|| (dtype, vec![rows, classes]));
        check::presence(OP, "grad_logits", has_grad_logits, grad_logits, "without need_grad")
    }

    fn check_pointers(&self, pointers: &DensePointers) -> Result<()> {
        let DenseConfig { dtype, index_dtype, rows, classes, reduction, .. } = self.config;
        self.check_presence(pointers.values.is_some(), pointers.grad_logits.is_some())?;
        check::workspace(OP, pointers.workspace_bytes, self.workspace_bytes)?;
        let entries = rows * self.config.targets_per_row.unwrap_or(1);
        let losses = reduction.shape(rows).iter().product();
        let f32_bytes = Dtype::F32.size();
        let read = |tensor, pointer: Option<DevicePtr>, elements| {
            pointer.map_or(Span::NONE, |pointer| Span::read(tensor, pointer, elements, f32_bytes))
        };
        let grad_logits = pointers
            .grad_logits
            .map_or(Span::NONE, |grad| Span::written("grad_logits", grad, rows * classes, dtype.size()));
        let spans = [
            Span::read("logits", pointers.logits, rows * classes, dtype.size()),
            Span::read("targets", pointers.targets, entries, index_dtype.size()),
            read("values", pointers.values, entries),
            read("row_weights", pointers.row_weights, rows),
            read("grad_loss", pointers.grad_loss, losses),
            Span::written("loss", pointers.loss, losses, f32_bytes),
            grad_logits,
            Span::written("the workspace", pointers.workspace, self.workspace_bytes.div_ceil(16), 16),
            Span::written("the status", pointers.status, 2, 8),
        ];
        check::spans(OP, &spans, Some(("grad_logits", "logits")))
    }
}
