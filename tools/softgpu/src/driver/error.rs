//! What the functions answer with: `CUresult`, its names and texts.

use std::ffi::{CStr, c_char};
use std::fmt;

use super::types::Out;

/// The answer of every function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct CUresult(pub u32);

/// What a function's body gives.
pub(crate) type Answer<T = ()> = Result<T, CUresult>;

macro_rules! results {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        $(
            #[doc = $text]
            pub const $name: CUresult = CUresult($code);
        )*

        /// Number, name and text of each result.
        const RESULTS: &[(u32, &CStr, &CStr)] =
            &[$(($code, text(concat!(stringify!($name), "\0")), text(concat!($text, "\0")))),*];
    };
}

const fn text(with_nul: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(with_nul.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a NUL, and one alone, ends the text"),
    }
}

results! {
    CUDA_SUCCESS = 0, "no error";
    CUDA_ERROR_INVALID_VALUE = 1, "invalid argument";
    CUDA_ERROR_OUT_OF_MEMORY = 2, "out of memory";
    CUDA_ERROR_NOT_INITIALIZED = 3, "the driver is not initialised";
    CUDA_ERROR_DEINITIALIZED = 4, "the driver is shutting down";
    CUDA_ERROR_PROFILER_DISABLED = 5, "the profiler is disabled";
    CUDA_ERROR_PROFILER_NOT_INITIALIZED = 6, "the profiler is not initialised";
    CUDA_ERROR_PROFILER_ALREADY_STARTED = 7, "the profiler is already started";
    CUDA_ERROR_PROFILER_ALREADY_STOPPED = 8, "the profiler is already stopped";
    CUDA_ERROR_STUB_LIBRARY = 34, "the library is a stub";
    CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER = 36, "the call needs a newer driver";
    CUDA_ERROR_DEVICE_UNAVAILABLE = 46, "the device is unavailable";
    CUDA_ERROR_NO_DEVICE = 100, "no CUDA-capable device is there";
    CUDA_ERROR_INVALID_DEVICE = 101, "invalid device ordinal";
    CUDA_ERROR_DEVICE_NOT_LICENSED = 102, "the device is not licensed";
    CUDA_ERROR_INVALID_IMAGE = 200, "the device kernel image is invalid";
    CUDA_ERROR_INVALID_CONTEXT = 201, "invalid device context";
    CUDA_ERROR_CONTEXT_ALREADY_CURRENT = 202, "the context is already current";
    CUDA_ERROR_MAP_FAILED = 205, "mapping failed";
    CUDA_ERROR_UNMAP_FAILED = 206, "unmapping failed";
    CUDA_ERROR_ARRAY_IS_MAPPED = 207, "the array is mapped";
    CUDA_ERROR_ALREADY_MAPPED = 208, "the resource is already mapped";
    CUDA_ERROR_NO_BINARY_FOR_GPU = 209, "no kernel image is available for execution on the device";
    CUDA_ERROR_ALREADY_ACQUIRED = 210, "the resource is already acquired";
    CUDA_ERROR_NOT_MAPPED = 211, "the resource is not mapped";
    CUDA_ERROR_NOT_MAPPED_AS_ARRAY = 212, "the resource is not mapped as an array";
    CUDA_ERROR_NOT_MAPPED_AS_POINTER = 213, "the resource is not mapped as a pointer";
    CUDA_ERROR_ECC_UNCORRECTABLE = 214, "uncorrectable ECC error";
    CUDA_ERROR_UNSUPPORTED_LIMIT = 215, "the limit is not supported";
    CUDA_ERROR_CONTEXT_ALREADY_IN_USE = 216, "the context is already in use by another thread";
    CUDA_ERROR_PEER_ACCESS_UNSUPPORTED = 217, "peer access is not supported between the devices";
    CUDA_ERROR_INVALID_PTX = 218, "a PTX JIT compilation failed";
    CUDA_ERROR_INVALID_GRAPHICS_CONTEXT = 219, "invalid graphics context";
    CUDA_ERROR_NVLINK_UNCORRECTABLE = 220, "uncorrectable NVLink error";
    CUDA_ERROR_JIT_COMPILER_NOT_FOUND = 221, "the PTX JIT compiler was not found";
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222, "the PTX was compiled with an unsupported toolchain";
    CUDA_ERROR_JIT_COMPILATION_DISABLED = 223, "PTX JIT compilation is disabled";
    CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY = 224, "the execution affinity is not supported";
    CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC = 225, "unsupported device-side synchronisation";
    CUDA_ERROR_CONTAINED = 226, "an exception was contained";
    CUDA_ERROR_INVALID_SOURCE = 300, "the device kernel source is invalid";
    CUDA_ERROR_FILE_NOT_FOUND = 301, "file not found";
    CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND = 302, "a shared object's symbol was not found";
    CUDA_ERROR_SHARED_OBJECT_INIT_FAILED = 303, "a shared object failed to initialise";
    CUDA_ERROR_OPERATING_SYSTEM = 304, "an operating system call failed";
    CUDA_ERROR_INVALID_HANDLE = 400, "invalid resource handle";
    CUDA_ERROR_ILLEGAL_STATE = 401, "the operation is not permitted in the resource's state";
    CUDA_ERROR_LOSSY_QUERY = 402, "the query would lose information";
    CUDA_ERROR_NOT_FOUND = 500, "named symbol not found";
    CUDA_ERROR_NOT_READY = 600, "the device is not ready";
    CUDA_ERROR_ILLEGAL_ADDRESS = 700, "an illegal memory access was encountered";
    CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701, "too many resources requested for the launch";
    CUDA_ERROR_LAUNCH_TIMEOUT = 702, "the launch timed out and was ended";
    CUDA_ERROR_LAUNCH_INCOMPATIBLE_TEXTURING = 703, "the launch uses an incompatible texturing mode";
    CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED = 704, "peer access is already enabled";
    CUDA_ERROR_PEER_ACCESS_NOT_ENABLED = 705, "peer access is not enabled";
    CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE = 708, "the primary context is already active";
    CUDA_ERROR_CONTEXT_IS_DESTROYED = 709, "the context is destroyed";
    CUDA_ERROR_ASSERT = 710, "a device-side assertion was triggered";
    CUDA_ERROR_TOO_MANY_PEERS = 711, "too many peers";
    CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED = 712, "the host memory is already registered";
    CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED = 713, "the host memory is not registered";
    CUDA_ERROR_HARDWARE_STACK_ERROR = 714, "hardware stack error";
    CUDA_ERROR_ILLEGAL_INSTRUCTION = 715, "an illegal instruction was encountered";
    CUDA_ERROR_MISALIGNED_ADDRESS = 716, "misaligned address";
    CUDA_ERROR_INVALID_ADDRESS_SPACE = 717, "the operation is not supported on the address space";
    CUDA_ERROR_INVALID_PC = 718, "invalid program counter";
    CUDA_ERROR_LAUNCH_FAILED = 719, "the kernel failed: unspecified launch failure";
    CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE = 720, "too many blocks in a cooperative launch";
    CUDA_ERROR_TENSOR_MEMORY_LEAK = 721, "tensor memory was not released";
    CUDA_ERROR_NOT_PERMITTED = 800, "the operation is not permitted";
    CUDA_ERROR_NOT_SUPPORTED = 801, "the operation is not supported";
    CUDA_ERROR_SYSTEM_NOT_READY = 802, "the system is not ready";
    CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803, "the driver and the library do not match";
    CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE = 804, "forward compatibility is not supported on the device";
    CUDA_ERROR_MPS_CONNECTION_FAILED = 805, "no connection to the MPS control daemon";
    CUDA_ERROR_MPS_RPC_FAILURE = 806, "an MPS call failed";
    CUDA_ERROR_MPS_SERVER_NOT_READY = 807, "the MPS server is not ready";
    CUDA_ERROR_MPS_MAX_CLIENTS_REACHED = 808, "the MPS server has its most clients";
    CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED = 809, "the MPS server has its most connections";
    CUDA_ERROR_MPS_CLIENT_TERMINATED = 810, "the MPS client was ended";
    CUDA_ERROR_CDP_NOT_SUPPORTED = 811, "dynamic parallelism is not supported";
    CUDA_ERROR_CDP_VERSION_MISMATCH = 812, "versions of dynamic parallelism do not match";
    CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900, "the operation is not permitted while a stream is capturing";
    CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901, "the capture was invalidated";
    CUDA_ERROR_STREAM_CAPTURE_MERGE = 902, "the operation would merge two captures";
    CUDA_ERROR_STREAM_CAPTURE_UNMATCHED = 903, "the capture was not begun in this stream";
    CUDA_ERROR_STREAM_CAPTURE_UNJOINED = 904, "the capture has work that was not joined";
    CUDA_ERROR_STREAM_CAPTURE_ISOLATION = 905, "a dependency would cross the boundary of the capture";
    CUDA_ERROR_STREAM_CAPTURE_IMPLICIT = 906, "an implicit dependency on the legacy stream is not permitted in a capture";
    CUDA_ERROR_CAPTURED_EVENT = 907, "the operation is not permitted on an event last recorded in a capture";
    CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD = 908, "the capture was begun by another thread";
    CUDA_ERROR_TIMEOUT = 909, "the wait timed out";
    CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE = 910, "the graph update violates its constraints";
    CUDA_ERROR_EXTERNAL_DEVICE = 911, "an external device failed";
    CUDA_ERROR_INVALID_CLUSTER_SIZE = 912, "invalid cluster size";
    CUDA_ERROR_FUNCTION_NOT_LOADED = 913, "the function is not loaded";
    CUDA_ERROR_INVALID_RESOURCE_TYPE = 914, "invalid resource type";
    CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION = 915, "invalid resource configuration";
    CUDA_ERROR_KEY_ROTATION = 916, "key rotation";
    CUDA_ERROR_UNKNOWN = 999, "unknown error";
}

impl CUresult {
    /// The constant's name, such as `CUDA_ERROR_INVALID_VALUE`; `None` for a number that is none of the driver's.
    pub fn name(self) -> Option<&'static CStr> {
        self.row().map(|row| row.1)
    }

    /// What it says, in words.
    pub fn text(self) -> Option<&'static CStr> {
        self.row().map(|row| row.2)
    }

    fn row(self) -> Option<&'static (u32, &'static CStr, &'static CStr)> {
        RESULTS.iter().find(|row| row.0 == self.0)
    }
}

impl fmt::Display for CUresult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row() {
            Some((_, name, text)) => write!(f, "{}: {}", name.to_string_lossy(), text.to_string_lossy()),
            None => write!(f, "CUresult {}", self.0),
        }
    }
}

api! {
    /// The name of a result's constant.
    fn cuGetErrorName(error: CUresult, text: Out<*const c_char>) {
        give(error.name(), text)
    }

    /// A result in words.
    fn cuGetErrorString(error: CUresult, text: Out<*const c_char>) {
        give(error.text(), text)
    }
}

/// An unknown result has a null text, and is an invalid value, as the driver documents.
fn give(found: Option<&'static CStr>, text: Out<*const c_char>) -> Answer {
    text.set(found.map_or(std::ptr::null(), CStr::as_ptr))?;
    found.map(drop).ok_or(CUDA_ERROR_INVALID_VALUE)
}
