//! Devices, contexts, streams and workspaces.

use oblate::cudarc::driver::CudaContext;
use oblate::spherical::{Dense, DenseConfig, DensePointers};
use oblate::{Device, Error, Stream, View, Workspace};

use crate::message;
use crate::slices::Slices;

#[test]
fn a_device_that_is_not_there_is_named_with_their_number() {
    oblate_softgpu::install().expect("a device");
    let count = oblate::devices().expect("a driver").len();
    assert_eq!(message(Device::new(count)), format!("no CUDA device {count}: the driver has {count}"));
    assert_eq!(message(Device::new(usize::MAX)), format!("no CUDA device {}: the driver has {count}", usize::MAX));
}

#[test]
fn a_thread_without_a_context_has_no_current_device() {
    oblate_softgpu::install().expect("a device");
    let said = std::thread::spawn(|| message(Device::current())).join().expect("a thread");
    assert_eq!(said, "no CUDA context is current on this thread");
}

#[test]
fn the_context_of_the_caller_is_used_as_it_is() {
    let slices = Slices::new();
    let context = slices.stream.context();
    context.bind_to_thread().expect("a context");
    let current = Device::current().expect("a device");
    assert_eq!(current, slices.device);
    assert_eq!(current.context(), context.cu_ctx().addr());
}

#[test]
fn a_workspace_that_the_device_has_no_room_for() {
    let slices = Slices::new();
    let error = Workspace::new(&slices.device, 1 << 60).expect_err("no such memory");
    let expected = "workspace: cuMemAlloc_v2 answered 2 (CUDA_ERROR_OUT_OF_MEMORY)";
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, Error::Driver { code: 2, .. }));
}

/// A handle of the primary context, called with what belongs to another context of the same device.
#[test]
fn what_is_of_another_context_is_refused() {
    let mut slices = Slices::new();
    let dense = Dense::new(&slices.device, DenseConfig::default()).expect("a handle");
    let other = CudaContext::new_non_primary(0, 0).expect("a context");
    let stream = other.new_stream().expect("a stream");
    let of_other = Device::current().expect("the context that was made last");
    let (came, expected) = (other.cu_ctx().addr(), slices.device.context());
    assert_ne!(came, expected);
    let said =
        |what: &str| format!("spherical.dense: {what} is of context {came:#x}, expected {expected:#x}, the handle's");

    // SAFETY: the stream is alive, and the call is refused before anything is launched.
    let launched = unsafe { dense.launch(Stream::from(&*stream), &DensePointers::default()) };
    assert_eq!(message(launched), said("the stream"));

    let mut workspace = Workspace::new(&of_other, 0).expect("memory");
    let (tensors, outputs) = crate::dense::right(&mut slices.right);
    let dense = Dense::new(&slices.device, crate::dense::config()).expect("a handle");
    let ran = dense.run(&slices.stream, tensors, outputs, &mut workspace);
    assert_eq!(message(ran), said("the workspace"));

    let (tensors, outputs) = crate::dense::right(&mut slices.right);
    let ran = dense.run(&stream, tensors, outputs, &mut slices.workspace);
    assert_eq!(message(ran), said("the stream"));

    let logits = stream.alloc_zeros::<f32>(6).expect("memory");
    let (mut tensors, outputs) = crate::dense::right(&mut slices.right);
    tensors.logits = View::new(&logits, [2, 3]);
    let ran = dense.run(&slices.stream, tensors, outputs, &mut slices.workspace);
    assert_eq!(message(ran), said("logits"));
}
