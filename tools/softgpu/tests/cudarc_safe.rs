//! The device through cudarc, unmodified, as its users call it.

use cudarc::driver::{CudaContext, DriverError, sys};
use oblate_softgpu::{Choice, Running, install_as};

fn installed() {
    let running = install_as(Choice::Software).expect("the software device takes libcuda's place");
    assert!(matches!(running, Running::Software { .. }));
}

#[test]
fn a_device_is_found() -> Result<(), DriverError> {
    installed();
    assert_eq!(install_as(Choice::Software).unwrap().to_string(), "software: oblate software device (sm_80)");
    assert_eq!(CudaContext::device_count()?, 1);
    let context = CudaContext::new(0)?;
    assert_eq!(context.name()?, "oblate software device (sm_80)");
    assert_eq!(context.compute_capability()?, (8, 0));
    assert_eq!(context.uuid()?.bytes.map(i8::cast_unsigned), *b"oblate-softgpu-0");
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
