// The host frees the input before the launch.
extern "C" __global__ void use_after_free(const int* x, int* y, int n) { y[threadIdx.x] = x[threadIdx.x]; }
