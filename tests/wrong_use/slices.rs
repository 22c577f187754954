//! The device memory that the calls are made of.

use std::sync::Arc;

use half::f16;
use oblate::cudarc::driver::{CudaContext, CudaSlice, CudaStream};
use oblate::{Device, Workspace};

pub(crate) const ROWS: usize = 2;
pub(crate) const CLASSES: usize = 3;

/// The device, and slices for right and for wrong calls of `ROWS` rows and `CLASSES` classes in f32.
pub(crate) struct Slices {
    pub(crate) right: Right,
    pub(crate) wrong: Wrong,
    pub(crate) device: Device,
    pub(crate) stream: Arc<CudaStream>,
    pub(crate) workspace: Workspace,
}

/// What a right call is made of.
pub(crate) struct Right {
    pub(crate) logits: CudaSlice<f32>,
    pub(crate) targets: CudaSlice<i64>,
    pub(crate) loss: CudaSlice<f32>,
    pub(crate) lse: CudaSlice<f32>,
    pub(crate) grad_logits: CudaSlice<f32>,
}

/// What makes a call wrong.
pub(crate) struct Wrong {
    pub(crate) floats: CudaSlice<f32>,
    pub(crate) floats_out: CudaSlice<f32>,
    pub(crate) halves: CudaSlice<f16>,
    pub(crate) halves_out: CudaSlice<f16>,
    pub(crate) indices: CudaSlice<u32>,
}

impl Slices {
    pub(crate) fn new() -> Self {
        oblate_softgpu::install().expect("a device");
        let stream = CudaContext::new(0).expect("a context").default_stream();
        let device = Device::new(0).expect("a device");
        let floats = |elements| stream.alloc_zeros::<f32>(elements).expect("memory");
        let halves = || stream.alloc_zeros::<f16>(ROWS * CLASSES).expect("memory");
        Self {
            right: Right {
                logits: stream.clone_htod(&[0.5_f32, 1.0, -1.0, 0.0, 2.0, 0.25]).expect("memory"),
                targets: stream.clone_htod(&[0_i64, 2]).expect("memory"),
                loss: floats(ROWS),
                lse: floats(ROWS),
                grad_logits: floats(ROWS * CLASSES),
            },
            wrong: Wrong {
                floats: floats(ROWS * CLASSES),
                floats_out: floats(ROWS * CLASSES),
                halves: halves(),
                halves_out: halves(),
                indices: stream.alloc_zeros::<u32>(ROWS).expect("memory"),
            },
            workspace: Workspace::new(&device, 4096).expect("memory"),
            device,
            stream,
        }
    }
}
