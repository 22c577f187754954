//! The tensors of one run in device memory.

use std::collections::BTreeMap;

use oblate::{DevicePtr, Stream};
use safetensors::Dtype;

use super::{Call, OutputShape};
use crate::place::{Buffer, Placement, Session};
use crate::{Result, Tensor, Tensors};

/// Bytes of a status.
const STATUS_BYTES: usize = 16;

/// Inputs, outputs, workspace and status of one run, each in an allocation of its own.
pub(super) struct Memory<'a> {
    session: &'a Session,
    call: &'a Call,
    inputs: BTreeMap<&'static str, Buffer>,
    /// By name as well: an output may have that of an input.
    outputs: BTreeMap<&'static str, Buffer>,
    /// The output whose buffer is that of an input.
    in_place: Option<(&'static str, &'static str)>,
    workspace: Buffer,
    workspace_bytes: usize,
    status: Buffer,
}

impl<'a> Memory<'a> {
    /// Uploads the inputs and allocates the rest.
    pub(super) fn new(
        session: &'a Session,
        call: &'a Call,
        placement: Placement,
        in_place: Option<(&'static str, &'static str)>,
        workspace_bytes: usize,
    ) -> Result<Self> {
        let in_place = in_place.filter(|_| placement.in_place);
        let (mut inputs, mut outputs) = (BTreeMap::new(), BTreeMap::new());
        for card in call.card.inputs() {
            if let Some(tensor) = call.tensors.get(card.name) {
                inputs.insert(card.name, Buffer::upload(session, tensor, placement.input_offset)?);
            }
        }
        for OutputShape { name, dtype, shape } in call.outputs() {
            if in_place.is_none_or(|(output, _)| output != name) {
                outputs.insert(name, Buffer::uninitialised(session, dtype, &shape, placement.output_offset)?);
            }
        }
        Ok(Self {
            session,
            call,
            inputs,
            outputs,
            in_place,
            workspace: Buffer::uninitialised(session, Dtype::U8, &[workspace_bytes], 0)?,
            workspace_bytes,
            status: Buffer::upload(session, &Tensor::new(Dtype::U8, [STATUS_BYTES], vec![0xff; STATUS_BYTES]), 0)?,
        })
    }

    /// Fills the workspace with zeros.
    pub(super) fn clear_workspace(&mut self) -> Result<()> {
        self.workspace.clear(self.session)
    }

    /// The stream to launch on.
    pub(super) fn stream(&self) -> Stream {
        Stream::from(self.session.stream().as_ref())
    }

    /// The buffer of an output: its own, or that of the input whose place it takes.
    fn output_buffer(&self, name: &str) -> Option<&Buffer> {
        let in_place = self.in_place.filter(|(output, _)| *output == name);
        in_place.map_or_else(|| self.outputs.get(name), |(_, input)| self.inputs.get(input))
    }

    /// The address of an output that the call has.
    pub(super) fn output(&self, name: &str) -> Option<DevicePtr> {
        self.output_buffer(name).map(|buffer| DevicePtr(buffer.address(self.session)))
    }

    /// The address of a tensor that the call has, an input where there are two of the name.
    pub(super) fn optional(&self, name: &str) -> Option<DevicePtr> {
        let input = self.inputs.get(name).map(|buffer| DevicePtr(buffer.address(self.session)));
        input.or_else(|| self.output(name))
    }

    /// The address of a tensor that every call has.
    pub(super) fn pointer(&self, name: &str) -> DevicePtr {
        self.optional(name).unwrap_or(DevicePtr::NULL)
    }

    pub(super) fn workspace(&self) -> DevicePtr {
        DevicePtr(self.workspace.address(self.session))
    }

    pub(super) fn workspace_bytes(&self) -> usize {
        self.workspace_bytes
    }

    pub(super) fn status(&self) -> DevicePtr {
        DevicePtr(self.status.address(self.session))
    }

    /// Waits for the launches and gives what the handle says of their status.
    pub(super) fn check(&self, check: impl FnOnce([u8; STATUS_BYTES]) -> oblate::Result<()>) -> Result<Result<()>> {
        let status = self.status.download(self.session)?;
        let status = status.bytes().try_into().expect("a status of 16 bytes");
        Ok(check(status).map_err(|error| self.with_value(error).into()))
    }

    /// Waits for the launches and gives the outputs, and what the handle says of their status.
    pub(super) fn outputs(
        &self,
        check: impl FnOnce([u8; STATUS_BYTES]) -> oblate::Result<()>,
    ) -> Result<(Tensors, Result<()>)> {
        let status = self.check(check)?;
        let download = |OutputShape { name, .. }| {
            let buffer = self.output_buffer(name).expect("an output of the call");
            Ok((name.to_owned(), buffer.download(self.session)?))
        };
        let outputs: Result<Tensors> = self.call.outputs().into_iter().map(download).collect();
        Ok((outputs?, status))
    }

    /// The device tells where an entry is wrong; the host knows which entry that is.
    fn with_value(&self, error: oblate::Error) -> oblate::Error {
        match error {
            oblate::Error::TargetOutOfRange { operation, tensor, index, came: None, ignore_index, classes } => {
                let tensors = &self.call.tensors[tensor];
                let flat = index.iter().zip(tensors.shape()).fold(0, |flat, (at, size)| flat * size + at);
                let came = tensors.to_i64().get(flat).copied();
                oblate::Error::TargetOutOfRange { operation, tensor, index, came, ignore_index, classes }
            }
            oblate::Error::SegmentsOutOfOrder { operation, index, came: None, rows } => {
                let segments = self.call.tensors["segments"].to_i64();
                let came = segments.get(index).and_then(|&bound| u32::try_from(bound).ok());
                oblate::Error::SegmentsOutOfOrder { operation, index, came, rows }
            }
            oblate::Error::OffsetsOutOfOrder { operation, index, came: None, classes } => {
                let came = self.call.tensors["cluster_offsets"].to_i64().get(index).copied();
                oblate::Error::OffsetsOutOfOrder { operation, index, came, classes }
            }
            other => other,
        }
    }
}
