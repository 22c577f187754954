//! The software CUDA device as libcuda, for programs that are not ours.
