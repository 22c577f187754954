//! Copies and fills of rows.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each call is of a function with handles and places of the test's"
)]

use std::ptr::null_mut;

use cudarc::driver::sys::{self, CUDA_MEMCPY2D, CUmemorytype::*, CUresult::*};

use crate::support::{Context, copy_2d, copy_3d, done, read, words};

/// From rows of 4 words at the host to rows of 128 at the device.
fn there(host: &[i32], to: sys::CUdeviceptr) -> CUDA_MEMCPY2D {
    let mut copy = copy_2d(CU_MEMORYTYPE_HOST, CU_MEMORYTYPE_DEVICE);
    (copy.srcHost, copy.srcPitch, copy.dstDevice, copy.dstPitch) = (host.as_ptr().cast(), 16, to, 512);
    (copy.WidthInBytes, copy.Height) = (8, 3);
    copy
}

#[test]
fn rows_are_copied() {
    let _own = Context::new();
    let (mut address, mut pitch) = (0, 0);
    done!(cuMemAllocPitch_v2(&raw mut address, &raw mut pitch, 16, 3, 4));
    assert_eq!(pitch, 512);
    done!(cuMemsetD2D32_v2(address, pitch, 9, 128, 3));
    let host: Vec<i32> = (0..12).collect();
    let mut copy = there(&host, address);
    (copy.srcXInBytes, copy.srcY, copy.dstXInBytes, copy.dstY, copy.Height) = (4, 1, 8, 1, 2);
    done!(cuMemcpy2D_v2(&raw const copy));
    let rows = read(address, 3 * 128);
    assert_eq!([&rows[..4], &rows[128..132], &rows[256..260]], [[9, 9, 9, 9], [9, 9, 5, 6], [9, 9, 9, 10]]);
    // Back, in a stream, from memory that says itself where it is; the rows lie close.
    let mut back = copy_2d(CU_MEMORYTYPE_UNIFIED, CU_MEMORYTYPE_HOST);
    let mut few = [0i32; 6];
    (back.srcDevice, back.srcPitch, back.dstHost) = (address, 512, few.as_mut_ptr().cast());
    (back.srcXInBytes, back.WidthInBytes, back.Height) = (8, 8, 3);
    done!(cuMemcpy2DAsync_v2(&raw const back, null_mut()));
    assert_eq!(few, [9, 9, 5, 6, 9, 10]);
}

#[test]
fn planes_are_copied() {
    let _own = Context::new();
    let values: Vec<i32> = (0..24).collect();
    let (from, to) = (words(&values), words(&[0; 24]));
    // Of planes of 3 rows of 4 words, the inner 2 by 2 of both planes, to the start of planes of 2 rows of 3.
    let mut copy = copy_3d(CU_MEMORYTYPE_DEVICE, CU_MEMORYTYPE_DEVICE);
    (copy.srcDevice, copy.srcPitch, copy.srcHeight) = (from, 16, 3);
    (copy.dstDevice, copy.dstPitch, copy.dstHeight) = (to, 12, 2);
    (copy.srcXInBytes, copy.srcY) = (4, 1);
    (copy.WidthInBytes, copy.Height, copy.Depth) = (8, 2, 2);
    done!(cuMemcpy3D_v2(&raw const copy));
    assert_eq!(read(to, 12), [5, 6, 0, 9, 10, 0, 17, 18, 0, 21, 22, 0]);
}

#[test]
fn fills_keep_to_their_rows() {
    let _own = Context::new();
    let x = words(&[0; 12]);
    done!(cuMemsetD2D8_v2(x, 16, 1, 4, 1));
    done!(cuMemsetD2D16_v2(x + 16, 16, 2, 2, 2));
    done!(cuMemsetD2D32Async(x + 8, 16, 3, 1, 3, null_mut()));
    assert_eq!(read(x, 12), [0x0101_0101, 0, 3, 0, 0x0002_0002, 0, 3, 0, 0x0002_0002, 0, 3, 0]);
    let refused = unsafe {
        [
            ("a row longer than its pitch", sys::cuMemsetD2D32_v2(x, 16, 0, 5, 2)),
            ("rows beyond the end", sys::cuMemsetD2D32_v2(x, 16, 0, 4, 4)),
            ("misaligned", sys::cuMemsetD2D32_v2(x + 2, 16, 0, 1, 1)),
            ("a pitch of odd bytes", sys::cuMemsetD2D16_v2(x, 7, 0, 2, 2)),
        ]
    };
    for (what, answer) in refused {
        assert_eq!(answer, CUDA_ERROR_INVALID_VALUE, "{what}");
    }
    done!(cuMemsetD2D32_v2(x, 16, 0, 0, 100));
}

#[test]
fn what_does_not_fit_is_refused() {
    let _own = Context::new();
    let x = words(&[0; 128 * 3]);
    let host = [1i32; 12];
    let mut bad = Vec::new();
    let mut try_with = |what: &'static str, change: &dyn Fn(&mut CUDA_MEMCPY2D)| {
        let mut copy = there(&host, x);
        change(&mut copy);
        if unsafe { sys::cuMemcpy2D_v2(&raw const copy) } != CUDA_ERROR_INVALID_VALUE {
            bad.push(what);
        }
    };
    try_with("a row longer than its pitch", &|copy| copy.srcPitch = 7);
    try_with("rows beyond the end", &|copy| copy.Height = 4);
    try_with("a start beyond the row", &|copy| copy.dstXInBytes = 508);
    try_with("an array", &|copy| copy.dstMemoryType = CU_MEMORYTYPE_ARRAY);
    try_with("no host memory", &|copy| copy.srcHost = std::ptr::null());
    try_with("rows past counting", &|copy| copy.dstY = usize::MAX / 512);
    assert!(bad.is_empty(), "accepted: {bad:?}");
    assert_eq!(read(x, 128 * 3), [0; 128 * 3], "nothing was written");
    assert_eq!(unsafe { sys::cuMemcpy2D_v2(std::ptr::null()) }, CUDA_ERROR_INVALID_VALUE);
    let (mut address, mut pitch) = (0, 0);
    let odd = unsafe { sys::cuMemAllocPitch_v2(&raw mut address, &raw mut pitch, 16, 3, 5) };
    assert_eq!(odd, CUDA_ERROR_INVALID_VALUE, "elements of five bytes");
}
