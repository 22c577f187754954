//! Several devices. Their number is the process's, so that the tests are started again in an environment of their own.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each call is of a function with handles and places of the test's"
)]

use std::ffi::{CStr, c_void};
use std::process::Command;
use std::ptr::null_mut;

use cudarc::driver::sys::{self, CUdevice_P2PAttribute as Peer, CUpointer_attribute as Attribute, CUresult::*};
use oblate_softgpu::inspect::finding::FindingKind;
use oblate_softgpu::{Choice, install_as};

/// Calls a function of the driver, which succeeds.
macro_rules! done {
    ($function:ident($($argument:expr),* $(,)?)) => {
        unsafe { sys::$function($($argument),*) }.result().expect(stringify!($function))
    };
}

const ADD: &CStr = c".version 8.0
.target sm_80
.address_size 64
.visible .entry add(.param .u64 to, .param .u32 by) {
  .reg .b64 %rd<2>;
  .reg .b32 %r<4>;
  ld.param.u64 %rd1, [to];
  ld.param.u32 %r1, [by];
  ld.global.u32 %r2, [%rd1];
  add.u32 %r3, %r2, %r1;
  st.global.u32 [%rd1], %r3;
  ret;
}";

/// Adds to a word, by a kernel in the current context.
fn add(mut to: u64, mut by: i32) -> oblate_softgpu::Record {
    let (mut module, mut add) = (null_mut(), null_mut());
    done!(cuModuleLoadData(&raw mut module, ADD.as_ptr().cast()));
    done!(cuModuleGetFunction(&raw mut add, module, c"add".as_ptr()));
    let mut arguments: [*mut c_void; 2] = [(&raw mut to).cast(), (&raw mut by).cast()];
    let ((), record) = oblate_softgpu::record(|| {
        done!(cuLaunchKernel(add, 1, 1, 1, 1, 1, 1, 0, null_mut(), arguments.as_mut_ptr(), null_mut()));
    });
    record
}

fn context(device: i32) -> sys::CUcontext {
    let mut context = null_mut();
    done!(cuCtxCreate_v2(&raw mut context, 0, device));
    context
}

fn word(value: i32) -> sys::CUdeviceptr {
    let mut address = 0;
    done!(cuMemAlloc_v2(&raw mut address, 4));
    done!(cuMemcpyHtoD_v2(address, (&raw const value).cast(), 4));
    address
}

fn read(address: sys::CUdeviceptr) -> i32 {
    let mut value = 0;
    done!(cuMemcpyDtoH_v2((&raw mut value).cast(), address, 4));
    value
}

fn started() {
    install_as(Choice::Software).unwrap();
    done!(cuInit(0));
}

#[test]
#[ignore = "started by the last test, with two devices"]
fn each_is_a_device() {
    started();
    let (mut count, mut third, mut found) = (0, 0, 0);
    done!(cuDeviceGetCount(&raw mut count));
    assert_eq!(count, 2);
    assert_eq!(unsafe { sys::cuDeviceGet(&raw mut third, 2) }, CUDA_ERROR_INVALID_DEVICE);
    let names = [0, 1].map(|device| {
        let (mut place, mut uuid) = ([0u8; 16], sys::CUuuid { bytes: [0; 16] });
        done!(cuDeviceGetPCIBusId(place.as_mut_ptr().cast(), 16, device));
        done!(cuDeviceGetUuid_v2(&raw mut uuid, device));
        done!(cuDeviceGetByPCIBusId(&raw mut found, place.as_ptr().cast()));
        assert_eq!(found, device);
        (place, uuid.bytes)
    });
    assert_ne!(names[0], names[1]);
    let [mut first, mut second] = [null_mut(); 2];
    done!(cuDevicePrimaryCtxRetain(&raw mut first, 0));
    done!(cuDevicePrimaryCtxRetain(&raw mut second, 1));
    assert_ne!(first, second);
    done!(cuCtxSetCurrent(second));
    done!(cuCtxGetDevice(&raw mut found));
    assert_eq!(found, 1);
    done!(cuDevicePrimaryCtxRelease_v2(1));
    done!(cuDevicePrimaryCtxRelease_v2(0));
}

#[test]
#[ignore = "started by the last test, with two devices"]
fn copies_go_between_devices() {
    started();
    let first = context(0);
    let a = word(1);
    let second = context(1);
    let b = word(2);
    assert_ne!(a, b, "one address space");
    // An address says whose it is.
    let (mut device, mut of) = (0, null_mut::<c_void>());
    done!(cuPointerGetAttribute((&raw mut device).cast(), Attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, a));
    done!(cuPointerGetAttribute((&raw mut of).cast(), Attribute::CU_POINTER_ATTRIBUTE_CONTEXT, a));
    assert_eq!((device, of), (0, first.cast()));
    done!(cuMemcpyPeer(b, second, a, first, 4));
    assert_eq!(read(b), 1);
    let c = word(3);
    done!(cuMemcpyPeerAsync(a, first, c, second, 4, null_mut()));
    assert_eq!(read(a), 3, "read from the other device's context");
    done!(cuMemcpyDtoD_v2(c, a, 4));
    done!(cuMemcpy(b, c, 4));
    assert_eq!(read(b), 3);
    done!(cuCtxDestroy_v2(second));
    assert_eq!(unsafe { sys::cuMemcpyPeer(a, first, b, second, 4) }, CUDA_ERROR_INVALID_CONTEXT);
    done!(cuCtxDestroy_v2(first));
}

#[test]
#[ignore = "started by the last test, with two devices"]
fn kernels_reach_a_peer_that_is_enabled() {
    started();
    let first = context(0);
    let a = word(1);
    let second = context(1);
    let (mut can, mut own, mut value) = (0, 1, 0);
    done!(cuDeviceCanAccessPeer(&raw mut can, 0, 1));
    done!(cuDeviceCanAccessPeer(&raw mut own, 1, 1));
    let access = Peer::CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED;
    done!(cuDeviceGetP2PAttribute(&raw mut value, access, 0, 1));
    assert_eq!((can, own, value), (1, 0, 1));
    let refused = unsafe {
        [
            ("itself", sys::cuCtxEnablePeerAccess(second, 0), CUDA_ERROR_INVALID_CONTEXT),
            ("flags", sys::cuCtxEnablePeerAccess(first, 1), CUDA_ERROR_INVALID_VALUE),
            ("nobody", sys::cuCtxEnablePeerAccess(0x1234 as sys::CUcontext, 0), CUDA_ERROR_INVALID_CONTEXT),
            ("not enabled", sys::cuCtxDisablePeerAccess(first), CUDA_ERROR_PEER_ACCESS_NOT_ENABLED),
            ("no device", sys::cuDeviceCanAccessPeer(&raw mut can, 0, 2), CUDA_ERROR_INVALID_DEVICE),
            ("one device", sys::cuDeviceGetP2PAttribute(&raw mut value, access, 1, 1), CUDA_ERROR_INVALID_DEVICE),
        ]
    };
    for (what, came, expected) in refused {
        assert_eq!(came, expected, "{what}");
    }
    done!(cuCtxEnablePeerAccess(first, 0));
    assert_eq!(unsafe { sys::cuCtxEnablePeerAccess(first, 0) }, CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED);
    assert_eq!(add(a, 41).findings, []);
    assert_eq!(read(a), 42);
    done!(cuCtxDisablePeerAccess(first));
    let record = add(a, 1);
    let FindingKind::PeerAccess { address, device, .. } = record.findings[0].kind else {
        panic!("{}", record.findings[0])
    };
    assert_eq!((address, device), (a, 0));
    let text = record.findings[0].to_string();
    assert!(text.contains(", memory of device 0, without peer access to it\n"), "{text}");
    assert_eq!(unsafe { sys::cuCtxSynchronize() }, CUDA_ERROR_ILLEGAL_ADDRESS);
}

#[test]
fn two_devices() {
    let mut command = Command::new(std::env::current_exe().expect("the test has a path"));
    command.args(["--ignored", "--test-threads=1"]).env("SOFTGPU_DEVICES", "2");
    let output = command.output().expect("the tests start");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("3 passed"), "{text}");
}
