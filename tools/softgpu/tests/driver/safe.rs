//! cudarc's safe layer.

use cudarc::driver::{CudaContext, DriverError, LaunchConfig, PushKernelArg, sys};
use cudarc::nvrtc::Ptx;

use crate::support::{KERNELS, installed};

#[test]
fn a_device_is_found() -> Result<(), DriverError> {
    installed();
    let running = oblate_softgpu::install_as(oblate_softgpu::Choice::Software).unwrap();
    assert_eq!(running.to_string(), "software: oblate software device (sm_80)");
    assert_eq!(CudaContext::device_count()?, 1);
    let context = CudaContext::new(0)?;
    assert_eq!(context.name()?, "oblate software device (sm_80)");
    assert_eq!(context.compute_capability()?, (8, 0));
    assert_eq!(context.uuid()?.bytes.map(|byte| byte.to_ne_bytes()[0]), *b"oblate-softgpu-0");
    assert_eq!(context.total_mem()?, 16 << 30);
    assert_eq!(context.attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?, 1024);
    assert!(context.has_async_alloc());
    assert!(CudaContext::new(1).is_err_and(|error| error.0 == sys::CUresult::CUDA_ERROR_INVALID_DEVICE));
    Ok(())
}

#[test]
fn what_is_copied_there_comes_back() -> Result<(), DriverError> {
    installed();
    let context = CudaContext::new(0)?;
    let other = context.new_stream()?;
    for stream in [context.default_stream(), other] {
        let there = stream.clone_htod(&[1.0f32, 2.0, 3.0])?;
        assert_eq!(stream.clone_dtoh(&there)?, [1.0, 2.0, 3.0]);
        let mut copy = stream.clone_dtod(&there)?;
        stream.memset_zeros(&mut copy)?;
        assert_eq!(stream.clone_dtoh(&copy)?, [0.0; 3]);
        stream.memcpy_dtod(&there.slice(1..3), &mut copy.slice_mut(0..2))?;
        assert_eq!(stream.clone_dtoh(&copy)?, [2.0, 3.0, 0.0]);
        stream.synchronize()?;
        assert_eq!(stream.clone_dtoh(&stream.alloc_zeros::<u8>(1000)?)?, [0; 1000]);
    }
    Ok(())
}

#[test]
fn a_kernel_runs() -> Result<(), DriverError> {
    installed();
    let context = CudaContext::new(0)?;
    let module = context.load_module(Ptx::from_binary(KERNELS.clone()))?;
    let kernel = module.load_function("vector_add")?;
    let n = 1000u16;
    let a: Vec<f32> = (0..n).map(f32::from).collect();
    for stream in [context.default_stream(), context.new_stream()?] {
        let (a_there, b_there) = (stream.clone_htod(&a)?, stream.clone_htod(&vec![0.5f32; n.into()])?);
        let mut c_there = stream.alloc_zeros::<f32>(n.into())?;
        let ((), record) = oblate_softgpu::record(|| {
            let mut launch = stream.launch_builder(&kernel);
            let count = i32::from(n);
            launch.arg(&a_there).arg(&b_there).arg(&mut c_there).arg(&count);
            // SAFETY: the arguments are the kernel's, and as long as its last says.
            unsafe { launch.launch(LaunchConfig::for_num_elems(n.into())) }.expect("the launch");
        });
        assert_eq!(record.launches.len(), 1);
        assert_eq!(record.launches[0].kernel, "vector_add");
        assert_eq!(record.launches[0].grid, [1, 1, 1]);
        assert_eq!(record.launches[0].block, [1024, 1, 1]);
        assert_eq!(record.findings, []);
        let c = stream.clone_dtoh(&c_there)?;
        assert!(c.iter().zip(&a).all(|(c, a)| *c == a + 0.5));
    }
    Ok(())
}

#[test]
fn events_order_streams() -> Result<(), DriverError> {
    installed();
    let context = CudaContext::new(0)?;
    let flags = Some(sys::CUevent_flags::CU_EVENT_DEFAULT);
    let (first, second) = (context.new_stream()?, context.new_stream()?);
    let start = first.record_event(flags)?;
    second.wait(&start)?;
    let end = second.record_event(flags)?;
    end.synchronize()?;
    assert!(end.is_complete());
    assert!(start.elapsed_ms(&end)? >= 0.0);
    Ok(())
}

#[test]
fn pinned_memory_is_copied() -> Result<(), DriverError> {
    installed();
    let context = CudaContext::new(0)?;
    let stream = context.default_stream();
    // SAFETY: it is written before it is read.
    let mut pinned = unsafe { context.alloc_pinned::<u32>(100) }?;
    pinned.as_mut_slice()?.copy_from_slice(&[7; 100]);
    let there = stream.clone_htod(&pinned)?;
    assert_eq!(stream.clone_dtoh(&there)?, [7; 100]);
    Ok(())
}
