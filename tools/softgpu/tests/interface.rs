//! Types and constants of the driver's interface, against cudarc's bindings of cuda.h.

use std::mem::{align_of, offset_of, size_of};

use cudarc::driver::sys;
use oblate_softgpu::driver;

macro_rules! results {
    ($($name:ident),* $(,)?) => {
        [$((stringify!($name), driver::$name, sys::CUresult::$name as u32)),*]
    };
}

#[test]
fn results_have_the_numbers_of_cuda_h() {
    let results = results![
        CUDA_SUCCESS,
        CUDA_ERROR_INVALID_VALUE,
        CUDA_ERROR_OUT_OF_MEMORY,
        CUDA_ERROR_NOT_INITIALIZED,
        CUDA_ERROR_DEINITIALIZED,
        CUDA_ERROR_STUB_LIBRARY,
        CUDA_ERROR_NO_DEVICE,
        CUDA_ERROR_INVALID_DEVICE,
        CUDA_ERROR_INVALID_IMAGE,
        CUDA_ERROR_INVALID_CONTEXT,
        CUDA_ERROR_NO_BINARY_FOR_GPU,
        CUDA_ERROR_UNSUPPORTED_LIMIT,
        CUDA_ERROR_INVALID_PTX,
        CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
        CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY,
        CUDA_ERROR_INVALID_SOURCE,
        CUDA_ERROR_FILE_NOT_FOUND,
        CUDA_ERROR_INVALID_HANDLE,
        CUDA_ERROR_NOT_FOUND,
        CUDA_ERROR_NOT_READY,
        CUDA_ERROR_ILLEGAL_ADDRESS,
        CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES,
        CUDA_ERROR_LAUNCH_TIMEOUT,
        CUDA_ERROR_CONTEXT_IS_DESTROYED,
        CUDA_ERROR_ASSERT,
        CUDA_ERROR_MISALIGNED_ADDRESS,
        CUDA_ERROR_LAUNCH_FAILED,
        CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE,
        CUDA_ERROR_NOT_PERMITTED,
        CUDA_ERROR_NOT_SUPPORTED,
        CUDA_ERROR_INVALID_CLUSTER_SIZE,
        CUDA_ERROR_UNKNOWN,
    ];
    for (name, ours, theirs) in results {
        assert_eq!(ours.0, theirs, "{name}");
        assert_eq!(ours.name().unwrap().to_str().unwrap(), name);
        assert!(!ours.text().unwrap().is_empty(), "{name}");
    }
    assert_eq!(driver::CUresult(12345).name(), None);
    assert_eq!(driver::CUDA_ERROR_NOT_FOUND.to_string(), "CUDA_ERROR_NOT_FOUND: named symbol not found");
}

#[test]
fn structs_have_the_layout_of_cuda_h() {
    type Ours = driver::CUlaunchConfig;
    type Theirs = sys::CUlaunchConfig;
    assert_eq!((size_of::<Ours>(), align_of::<Ours>()), (size_of::<Theirs>(), align_of::<Theirs>()));
    assert_eq!(offset_of!(Ours, grid), offset_of!(Theirs, gridDimX));
    assert_eq!(offset_of!(Ours, block), offset_of!(Theirs, blockDimX));
    assert_eq!(offset_of!(Ours, shared_bytes), offset_of!(Theirs, sharedMemBytes));
    assert_eq!(offset_of!(Ours, stream), offset_of!(Theirs, hStream));
    assert_eq!(offset_of!(Ours, attributes), offset_of!(Theirs, attrs));
    assert_eq!(offset_of!(Ours, attribute_count), offset_of!(Theirs, numAttrs));

    assert_eq!(size_of::<driver::CUlaunchAttribute>(), size_of::<sys::CUlaunchAttribute>());
    assert_eq!(offset_of!(driver::CUlaunchAttribute, value), offset_of!(sys::CUlaunchAttribute, value));
    assert_eq!(size_of::<driver::CUctxCreateParams>(), size_of::<sys::CUctxCreateParams>());
    assert_eq!(offset_of!(driver::CUctxCreateParams, graphics), offset_of!(sys::CUctxCreateParams, cigParams));
    assert_eq!(size_of::<driver::CUuuid>(), size_of::<sys::CUuuid>());
    assert_eq!(size_of::<driver::Handle<driver::Stream>>(), size_of::<sys::CUstream>());
    assert_eq!(size_of::<driver::CUdevice>(), size_of::<sys::CUdevice>());
    assert_eq!(size_of::<driver::CUdeviceptr>(), size_of::<sys::CUdeviceptr>());
    assert_eq!(size_of::<driver::CUresult>(), size_of::<sys::CUresult>());

    macro_rules! same_size {
        ($($name:ident),* $(,)?) => {
            $(assert_eq!(size_of::<driver::$name>(), size_of::<sys::$name>(), stringify!($name));)*
        };
    }
    same_size![
        CUDA_MEMCPY2D,
        CUDA_MEMCPY3D,
        CUDA_KERNEL_NODE_PARAMS,
        CUDA_MEMSET_NODE_PARAMS,
        CUDA_HOST_NODE_PARAMS,
        CUDA_GRAPH_INSTANTIATE_PARAMS,
        CUgraphExecUpdateResultInfo,
        CUgraphEdgeData,
    ];
    assert_eq!(size_of::<driver::CUDA_MEMCPY3D>(), size_of::<sys::CUDA_MEMCPY3D_PEER>());
    let to = offset_of!(driver::CUDA_MEMCPY3D, to);
    assert_eq!(to, offset_of!(sys::CUDA_MEMCPY3D, dstXInBytes));
    assert_eq!(to + offset_of!(driver::Volume, device), offset_of!(sys::CUDA_MEMCPY3D, dstDevice));
    assert_eq!(to + offset_of!(driver::Volume, context), offset_of!(sys::CUDA_MEMCPY3D_PEER, dstContext));
    assert_eq!(to + offset_of!(driver::Volume, rows), offset_of!(sys::CUDA_MEMCPY3D, dstHeight));
    let to = offset_of!(driver::CUDA_MEMCPY2D, to);
    assert_eq!(to + offset_of!(driver::Plane, pitch), offset_of!(sys::CUDA_MEMCPY2D, dstPitch));
    assert_eq!(
        offset_of!(driver::CUDA_KERNEL_NODE_PARAMS, params),
        offset_of!(sys::CUDA_KERNEL_NODE_PARAMS, kernelParams)
    );
    assert_eq!(
        offset_of!(driver::CUDA_GRAPH_INSTANTIATE_PARAMS, result),
        offset_of!(sys::CUDA_GRAPH_INSTANTIATE_PARAMS, result_out)
    );
}
