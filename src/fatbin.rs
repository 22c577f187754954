//! The compiled kernels: an image for each `cuda/FAMILY/OPERATION.cu`, and what ptxas reports of the kernels in it.

/// The bytes of a fatbin, on the alignment that the driver reads it with.
#[doc(hidden)]
#[repr(C, align(16))]
#[derive(Debug)]
pub struct Image<T: ?Sized>(pub T);

/// The fatbin of `cuda/FAMILY/OPERATION.cu`, by `"FAMILY/OPERATION"`: `&'static [u8]`, 16-byte aligned. Without a .cu of
/// that name the crate does not compile. Empty in a documentation build, which has no nvcc.
macro_rules! fatbin {
    ($operation:literal) => {{
        static IMAGE: &$crate::fatbin::Image<[u8]> =
            &$crate::fatbin::Image(*include_bytes!(concat!(env!("OUT_DIR"), "/fatbin/", $operation)));
        &IMAGE.0 as &'static [u8]
    }};
}
pub(crate) use fatbin;

/// What ptxas reports of one kernel on one architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resources {
    /// The image that holds the kernel, `spherical/dense`.
    pub fatbin: &'static str,
    /// The entry point.
    pub kernel: &'static str,
    /// The architecture of the cubin, `sm_80`.
    pub architecture: &'static str,
    /// Registers of a thread.
    pub registers: u32,
    /// Bytes of a thread's stack.
    pub stack_bytes: u32,
    /// Bytes that a thread stores because registers ran out.
    pub spill_store_bytes: u32,
    /// Bytes that it loads back.
    pub spill_load_bytes: u32,
    /// Bytes of a block's shared memory, without what a launch adds.
    pub shared_bytes: u32,
}

const BUILT: (&[Resources], (u32, u32)) = include!(concat!(env!("OUT_DIR"), "/resources.rs"));

/// What ptxas reports of every kernel on every architecture that this crate was built for.
pub const RESOURCES: &[Resources] = BUILT.0;

/// The release of the nvcc that compiled the kernels, (13, 0) for 13.0: an older driver does not read their PTX. (0, 0)
/// where nothing was compiled.
pub const NVCC_RELEASE: (u32, u32) = BUILT.1;
