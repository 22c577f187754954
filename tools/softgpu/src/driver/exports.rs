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
            cuMemcpy2D_v2, cuMemcpy2DUnaligned_v2, cuMemcpy2DAsync_v2, cuMemcpy3D_v2, cuMemcpy3DAsync_v2, cuMemcpy3DPeer,
            cuMemcpy3DPeerAsync, cuMemAllocPitch_v2, cuMemsetD2D8_v2, cuMemsetD2D16_v2, cuMemsetD2D32_v2,
            cuMemsetD2D8Async, cuMemsetD2D16Async, cuMemsetD2D32Async,
            cuStreamCreate, cuStreamCreateWithPriority, cuStreamDestroy_v2, cuStreamSynchronize, cuStreamQuery,
            cuStreamWaitEvent, cuStreamGetCtx, cuStreamGetDevice, cuStreamGetId, cuStreamGetPriority, cuStreamGetFlags,
            cuStreamAddCallback, cuLaunchHostFunc,
            cuStreamBeginCapture_v2, cuStreamBeginCaptureToGraph, cuStreamEndCapture, cuStreamIsCapturing,
            cuStreamGetCaptureInfo_v2, cuStreamGetCaptureInfo_v3, cuStreamUpdateCaptureDependencies,
            cuStreamUpdateCaptureDependencies_v2, cuThreadExchangeStreamCaptureMode,
            cuGraphCreate, cuGraphDestroy, cuGraphClone, cuGraphGetNodes, cuGraphGetRootNodes, cuGraphGetEdges,
            cuGraphGetEdges_v2, cuGraphAddDependencies, cuGraphAddDependencies_v2, cuGraphRemoveDependencies,
            cuGraphRemoveDependencies_v2, cuGraphAddEmptyNode, cuGraphAddEventRecordNode, cuGraphAddEventWaitNode,
            cuGraphEventRecordNodeGetEvent, cuGraphEventRecordNodeSetEvent, cuGraphEventWaitNodeGetEvent,
            cuGraphEventWaitNodeSetEvent, cuGraphAddChildGraphNode, cuGraphChildGraphNodeGetGraph, cuGraphNodeGetType,
            cuGraphNodeGetDependencies, cuGraphNodeGetDependencies_v2, cuGraphNodeGetDependentNodes,
            cuGraphNodeGetDependentNodes_v2, cuGraphDestroyNode, cuGraphAddKernelNode_v2,
            cuGraphKernelNodeGetParams_v2, cuGraphKernelNodeSetParams_v2, cuGraphAddMemcpyNode,
            cuGraphMemcpyNodeGetParams, cuGraphMemcpyNodeSetParams, cuGraphAddMemsetNode, cuGraphMemsetNodeGetParams,
            cuGraphMemsetNodeSetParams, cuGraphAddHostNode, cuGraphHostNodeGetParams, cuGraphHostNodeSetParams,
            cuGraphInstantiateWithFlags, cuGraphInstantiateWithParams, cuGraphExecGetFlags, cuGraphExecDestroy,
            cuGraphUpload, cuGraphLaunch, cuGraphExecKernelNodeSetParams_v2, cuGraphExecMemcpyNodeSetParams,
            cuGraphExecMemsetNodeSetParams, cuGraphExecHostNodeSetParams, cuGraphExecEventRecordNodeSetEvent,
            cuGraphExecEventWaitNodeSetEvent, cuGraphNodeSetEnabled, cuGraphNodeGetEnabled, cuGraphExecUpdate_v2,
            cuEventCreate, cuEventRecord, cuEventRecordWithFlags, cuEventQuery, cuEventSynchronize, cuEventElapsedTime,
            cuEventElapsedTime_v2, cuEventDestroy_v2,
            cuModuleLoad, cuModuleLoadData, cuModuleLoadDataEx, cuModuleLoadFatBinary, cuModuleUnload,
            cuModuleGetFunction, cuModuleGetFunctionCount, cuModuleGetGlobal_v2,
            cuModuleGetLoadingMode, cuModuleEnumerateFunctions,
            cuLibraryLoadData, cuLibraryLoadFromFile, cuLibraryUnload, cuLibraryGetKernel, cuLibraryGetKernelCount,
            cuLibraryEnumerateKernels, cuLibraryGetModule, cuLibraryGetGlobal, cuKernelGetFunction, cuKernelGetLibrary,
            cuKernelGetName, cuKernelGetAttribute, cuKernelSetAttribute, cuKernelGetParamInfo,
            cuFuncGetAttribute, cuFuncSetAttribute, cuFuncSetCacheConfig, cuFuncGetName, cuFuncGetModule,
            cuFuncGetParamInfo,
            cuLaunchKernel, cuLaunchKernelEx, cuLaunchCooperativeKernel,
            cuOccupancyMaxActiveBlocksPerMultiprocessor, cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags,
            cuOccupancyMaxPotentialBlockSize, cuOccupancyMaxPotentialBlockSizeWithFlags,
            cuOccupancyAvailableDynamicSMemPerBlock,
        }
    };
}
