//! A factored layer with its memory.

mod saved;

use super::{Condition, Factored, FactoredConfig, FactoredPointers, OP};
use crate::device::CudaStream;
use crate::view::Expected;
use crate::{Device, DevicePtr, Dtype, Result, Stream, View, ViewMut, Workspace};

/// The tensors that a step reads.
#[derive(Debug)]
pub struct FactoredTensors<'a> {
    /// f32 \[B, d\].
    pub hidden: View<'a>,
    /// i64 or u32 \[B\] or \[B, K\].
    pub targets: View<'a>,
    /// f32 \[B, K\], with `targets_per_row`.
    pub values: Option<View<'a>>,
    /// f32 \[B\]; none: ones.
    pub row_weights: Option<View<'a>>,
    /// f32, \[B\] without a reduction, else \[\]; none: ones.
    pub grad_loss: Option<View<'a>>,
}

impl<'a> FactoredTensors<'a> {
    /// These, and none of the optional ones.
    pub fn new(hidden: View<'a>, targets: View<'a>) -> Self {
        Self { hidden, targets, values: None, row_weights: None, grad_loss: None }
    }
}

/// The tensors that a step writes.
#[derive(Debug)]
pub struct FactoredOutputs<'a> {
    /// f32, \[B\] without a reduction, else \[\].
    pub loss: ViewMut<'a>,
    /// f32 \[B, d\], with `need_grad`.
    pub grad_hidden: Option<ViewMut<'a>>,
}

/// An output layer W \[D, d\] in factors, on its device.
#[derive(Debug)]
pub struct FactoredLayer {
    factored: Factored,
    memory: Workspace,
    steps: u64,
}

impl FactoredLayer {
    /// The layer of `weight` f32 \[D, d\], which is no longer needed when the stream has come to the end of this.
    ///
    /// # Errors
    /// `Size`, `Parameter` and `Dtype` for a field of `config` out of its range; `Shape`, `Dtype`, `Length` and
    /// `WrongContext` for `weight` and the stream; `Capturing` for a stream under capture; `Driver` when there is not enough
    /// memory, or the kernels do not load.
    pub fn new(device: &Device, stream: &CudaStream, config: FactoredConfig, weight: View<'_>) -> Result<Self> {
        let factored = Factored::new(device, config)?;
        let shape = [config.classes, config.width];
        weight.check(Expected { operation: OP, tensor: "weight", dtype: Dtype::F32, shape: &shape, device })?;
        let memory = Workspace::new(device, factored.memory_bytes())?;
        let mut layer = Self { factored, memory, steps: 0 };
        layer.with_memory(stream, |factored, plain, memory, _| {
            let (weight, _guard) = weight.pointer(stream);
            // SAFETY: the view is of the device, of this shape, and its guard keeps it until the stream has read it; the
            // memory is the layer's own and as long as the handle says.
            unsafe { factored.load(plain, weight, memory) }
        })?;
        Ok(layer)
    }

    /// What the layer was made for.
    pub fn config(&self) -> &FactoredConfig {
        self.factored.config()
    }

    /// Steps from now on have this learning rate.
    ///
    /// # Errors
    /// `Parameter` for one out of its range; the old one stays then.
    pub fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()> {
        self.factored.set_learning_rate(learning_rate)
    }

    /// Steps since the layer was made, those that an error held back among them.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Puts a step on the stream. Every `newton_every`-th is followed by upkeep, which waits for the stream; the others do
    /// not wait.
    ///
    /// # Errors
    /// `Dtype`, `Shape`, `Length` and `WrongContext` for a tensor or the stream; `Missing` and `Unused` for one that the
    /// configuration needs or does not; `Capturing` for a stream under capture; `Driver` when a launch is refused. Nothing is
    /// written then. `check` tells what is wrong with the data.
    pub fn step<'a>(
        &mut self,
        stream: &'a CudaStream,
        tensors: FactoredTensors<'a>,
        outputs: FactoredOutputs<'a>,
    ) -> Result<()> {
        self.check_views(&tensors, &outputs)?;
        let step = self.steps;
        self.with_memory(stream, |factored, plain, memory, status| {
            // The guards order what else uses the slices; they go when the launches are on the stream.
            let (hidden, _hidden) = tensors.hidden.pointer(stream);
            let (targets, _targets) = tensors.targets.pointer(stream);
            let read = |view: Option<View<'a>>| view.map(|view| view.pointer(stream));
            let (values, row_weights) = (read(tensors.values), read(tensors.row_weights));
            let grad_loss = read(tensors.grad_loss);
            let (loss, _loss) = outputs.loss.pointer(stream);
            let grad_hidden = outputs.grad_hidden.map(|view| view.pointer(stream));
            let pointers = FactoredPointers {
                hidden,
                targets,
                values: values.as_ref().map(|(pointer, _)| *pointer),
                row_weights: row_weights.as_ref().map(|(pointer, _)| *pointer),
                grad_loss: grad_loss.as_ref().map(|(pointer, _)| *pointer),
                loss,
                grad_hidden: grad_hidden.as_ref().map(|(pointer, _)| *pointer),
                memory,
                status,
            };
            // SAFETY: the views are of the handle's context, dtypes and shapes; their borrows and guards keep them until the
            // stream has read and written them; the memory is the layer's own, and holds it.
            unsafe { factored.launch(plain, &pointers, step) }
        })?;
        self.steps += 1;
        if self.factored.is_upkeep_due(self.steps) {
            self.upkeep(stream)?;
        }
        Ok(())
    }

    /// Corrects T, and where U is out of `fold_range` lets V take it over; the condition from before. Waits for the stream.
    ///
    /// # Errors
    /// `WrongContext` and `Capturing` for the stream; `Driver` for what went wrong on the device.
    pub fn upkeep(&mut self, stream: &CudaStream) -> Result<Condition> {
        self.with_memory(stream, |factored, plain, memory, _| {
            // SAFETY: the memory is the layer's own, and holds it.
            unsafe { factored.upkeep(plain, memory) }
        })
    }

    /// How far the factors are from what they should be. Waits for the stream.
    ///
    /// # Errors
    /// As `upkeep`.
    pub fn condition(&mut self, stream: &CudaStream) -> Result<Condition> {
        self.with_memory(stream, |factored, plain, memory, _| {
            // SAFETY: the memory is the layer's own, and holds it.
            unsafe { factored.measure(plain, memory) }
        })
    }

    /// Puts the writing of W to `weight` f32 \[D, d\] on the stream.
    ///
    /// # Errors
    /// `Shape`, `Dtype`, `Length` and `WrongContext` for `weight` and the stream; `Capturing`; `Driver`.
    pub fn expand(&mut self, stream: &CudaStream, weight: ViewMut<'_>) -> Result<()> {
        let shape = [self.config().classes, self.config().width];
        let device = &self.factored.device;
        weight.check(Expected { operation: OP, tensor: "weight", dtype: Dtype::F32, shape: &shape, device })?;
        self.with_memory(stream, |factored, plain, memory, _| {
            let (weight, _guard) = weight.pointer(stream);
            // SAFETY: the view is of the device and of this shape, and its guard keeps it until the stream has written it; the
            // memory is the layer's own, and holds it.
            unsafe { factored.expand(plain, memory, weight) }
        })
    }

    /// Waits for the stream and tells what the steps found wrong with their data. It is told once; steps are made again then.
    ///
    /// # Errors
    /// `TargetOutOfRange` with the first entry that is neither `ignore_index` nor a class, its step first; `SingularStep`;
    /// `WrongContext` for the stream; `Driver` for what went wrong on the device.
    pub fn check(&mut self, stream: &CudaStream) -> Result<()> {
        self.memory.status().check(stream)
    }

    /// Does something with the layer's memory and its status in the order of the stream.
    fn with_memory<T>(
        &mut self,
        stream: &CudaStream,
        body: impl FnOnce(&Factored, Stream, DevicePtr, DevicePtr) -> Result<T>,
    ) -> Result<T> {
        let factored = &self.factored;
        let (plain, _current) = factored.device.enter_with(OP, stream)?;
        let asked = (factored.number, factored.expectation());
        let room = self.memory.begin(OP, &factored.device, plain, asked, factored.memory_bytes)?;
        let done = body(factored, plain, room.memory, room.status);
        self.memory.end(OP, plain)?;
        done
    }

    fn check_views(&self, tensors: &FactoredTensors<'_>, outputs: &FactoredOutputs<'_>) -> Result<()> {
        let FactoredConfig { index_dtype, rows, width, targets_per_row, reduction, .. } = *self.config();
        let device = &self.factored.device;
        let expect = |tensor, dtype, shape| Expected { operation: OP, tensor, dtype, shape, device };
        let (by_row, of_hidden, reduced) = ([rows], [rows, width], reduction.shape(rows));
        let entries: Vec<usize> = [Some(rows), targets_per_row].into_iter().flatten().collect();
        tensors.hidden.check(expect("hidden", Dtype::F32, &of_hidden))?;
        tensors.targets.check(expect("targets", index_dtype, &entries))?;
        View::check_optional(tensors.values.as_ref(), expect("values", Dtype::F32, &entries))?;
        View::check_optional(tensors.row_weights.as_ref(), expect("row_weights", Dtype::F32, &by_row))?;
        View::check_optional(tensors.grad_loss.as_ref(), expect("grad_loss", Dtype::F32, &reduced))?;
        outputs.loss.check(expect("loss", Dtype::F32, &reduced))?;
        ViewMut::check_optional(outputs.grad_hidden.as_ref(), expect("grad_hidden", Dtype::F32, &of_hidden))?;
        self.factored.check_presence(tensors.values.is_some(), outputs.grad_hidden.is_some())
    }
}
