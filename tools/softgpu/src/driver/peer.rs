//! Access of one device's kernels to the memory of another.

use std::ffi::{c_int, c_uint};

use super::context::{Context, current, current_or_failed};
use super::device;
use super::error::{
    CUDA_ERROR_INVALID_CONTEXT, CUDA_ERROR_INVALID_DEVICE, CUDA_ERROR_INVALID_VALUE,
    CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, CUDA_ERROR_PEER_ACCESS_NOT_ENABLED, CUDA_ERROR_PEER_ACCESS_UNSUPPORTED,
};
use super::handle::Handle;
use super::types::{CUdevice, Out};

/// `CUdevice_P2PAttribute`.
const PERFORMANCE_RANK: c_uint = 1;
const ACCESS_SUPPORTED: c_uint = 2;
const NATIVE_ATOMIC_SUPPORTED: c_uint = 3;
const ARRAY_ACCESS_SUPPORTED: c_uint = 4;
const ONLY_PARTIAL_NATIVE_ATOMIC_SUPPORTED: c_uint = 5;

api! {
    /// Whether a device's kernels may be let reach another's memory: each other device's.
    fn cuDeviceCanAccessPeer(can: Out<c_int>, device: CUdevice, peer: CUdevice) {
        device::check(device)?;
        device::check(peer)?;
        can.set(c_int::from(device != peer))
    }

    /// What a device can do with another's memory, by the number in cuda.h.
    fn cuDeviceGetP2PAttribute(value: Out<c_int>, number: c_uint, from: CUdevice, to: CUdevice) {
        device::check(from)?;
        device::check(to)?;
        value.check()?;
        if from == to {
            return Err(CUDA_ERROR_INVALID_DEVICE);
        }
        value.set(match number {
            ACCESS_SUPPORTED | NATIVE_ATOMIC_SUPPORTED => 1,
            PERFORMANCE_RANK | ARRAY_ACCESS_SUPPORTED | ONLY_PARTIAL_NATIVE_ATOMIC_SUPPORTED => 0,
            _ => return Err(CUDA_ERROR_INVALID_VALUE),
        })
    }

    /// Lets the current context's kernels reach the memory of a context on another device.
    fn cuCtxEnablePeerAccess(peer: Handle<Context>, flags: c_uint) {
        let context = current()?;
        let peer = peer.get()?;
        if flags != 0 {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        if peer.handle == context.handle {
            return Err(CUDA_ERROR_INVALID_CONTEXT);
        }
        if peer.device == context.device {
            return Err(CUDA_ERROR_PEER_ACCESS_UNSUPPORTED);
        }
        let new = context.memory.reach(&peer.memory, true);
        if new { Ok(()) } else { Err(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED) }
    }

    /// Ends that.
    fn cuCtxDisablePeerAccess(peer: Handle<Context>) {
        let context = current_or_failed()?;
        let peer = peer.get()?;
        let known = context.memory.reach(&peer.memory, false);
        if known { Ok(()) } else { Err(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED) }
    }
}
