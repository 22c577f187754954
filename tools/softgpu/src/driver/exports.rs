// The names of all exported functions, once for all who need them: build.rs makes a jump of each, `install` fills the
// jumps, cuGetProcAddress looks them up, and softgpu-cuda exports them.

/// Hands every exported name to the macro `$then`.
#[macro_export]
#[doc(hidden)]
macro_rules! exports {
    ($then:ident) => {
        $then! {
            cuInit, cuDriverGetVersion, cuGetErrorName, cuGetErrorString, cuGetProcAddress_v2,
            cuDeviceGet, cuDeviceGetCount, cuDeviceGetName, cuDeviceGetUuid, cuDeviceGetUuid_v2, cuDeviceTotalMem_v2,
            cuDeviceGetAttribute, cuDeviceComputeCapability, cuDeviceGetPCIBusId, cuDeviceGetByPCIBusId,
            cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRelease_v2, cuDevicePrimaryCtxSetFlags_v2,
            cuDevicePrimaryCtxGetState, cuDevicePrimaryCtxReset_v2,
            cuCtxCreate_v2, cuCtxCreate_v4, cuCtxDestroy_v2, cuCtxPushCurrent_v2, cuCtxPopCurrent_v2, cuCtxSetCurrent,
            cuCtxGetCurrent, cuCtxGetDevice, cuCtxGetId, cuCtxSynchronize, cuCtxGetFlags, cuCtxSetFlags, cuCtxGetLimit,
            cuCtxSetLimit, cuCtxGetApiVersion, cuCtxGetStreamPriorityRange, cuCtxGetCacheConfig, cuCtxSetCacheConfig,
            cuMemGetInfo_v2, cuMemAlloc_v2, cuMemFree_v2, cuMemAllocAsync, cuMemFreeAsync, cuMemAllocHost_v2,
            cuMemHostAlloc, cuMemFreeHost, cuMemGetAddressRange_v2, cuPointerGetAttribute, cuPointerGetAttributes,
            cuMemcpy, cuMemcpyAsync, cuMemcpyHtoD_v2, cuMemcpyHtoDAsync_v2, cuMemcpyDtoH_v2, cuMemcpyDtoHAsync_v2,
            cuMemcpyDtoD_v2, cuMemcpyDtoDAsync_v2, cuMemcpyPeer, cuMemcpyPeerAsync,
            cuMemsetD8_v2, cuMemsetD16_v2, cuMemsetD32_v2, cuMemsetD8Async, cuMemsetD16Async, cuMemsetD32Async,
            cuStreamCreate, cuStreamCreateWithPriority, cuStreamDestroy_v2, cuStreamSynchronize, cuStreamQuery,
            cuStreamWaitEvent, cuStreamGetCtx, cuStreamGetDevice, cuStreamGetId, cuStreamGetPriority, cuStreamGetFlags,
            cuStreamIsCapturing, cuStreamAddCallback, cuLaunchHostFunc,
            cuEventCreate, cuEventRecord, cuEventRecordWithFlags, cuEventQuery, cuEventSynchronize, cuEventElapsedTime,
            cuEventElapsedTime_v2, cuEventDestroy_v2,
            cuModuleLoad, cuModuleLoadData, cuModuleLoadDataEx, cuModuleLoadFatBinary, cuModuleUnload,
            cuModuleGetFunction, cuModuleGetFunctionCount, cuModuleGetGlobal_v2,
            cuFuncGetAttribute, cuFuncSetAttribute, cuFuncSetCacheConfig, cuFuncGetName, cuFuncGetModule,
            cuFuncGetParamInfo,
            cuLaunchKernel, cuLaunchKernelEx, cuLaunchCooperativeKernel,
            cuOccupancyMaxActiveBlocksPerMultiprocessor, cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags,
            cuOccupancyMaxPotentialBlockSize, cuOccupancyMaxPotentialBlockSizeWithFlags,
            cuOccupancyAvailableDynamicSMemPerBlock,
        }
    };
}
