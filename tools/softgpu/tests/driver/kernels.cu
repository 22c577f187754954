// Kernels for the tests of the driver's functions.

__device__ int counter = 5;
__constant__ float scale = 2.f;

extern "C" __global__ void vector_add(const float* a, const float* b, float* c, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}

extern "C" __global__ void count(int by) { atomicAdd(&counter, by); }

extern "C" __global__ void scaled(float* x) { x[threadIdx.x] *= scale; }

extern "C" __global__ void __launch_bounds__(128) bounded(int* x) { x[threadIdx.x] = threadIdx.x; }

extern "C" __global__ void shared(int* x) {
  extern __shared__ int dynamic[];
  __shared__ int fixed[32];
  dynamic[threadIdx.x] = threadIdx.x;
  fixed[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = dynamic[31 - threadIdx.x] + fixed[threadIdx.x];
}

extern "C" __global__ void nothing() {}

extern "C" __global__ void store(int* x) { *x = 1; }

extern "C" __global__ void stop() { __trap(); }

extern "C" __global__ void add(int* x, int by) { *x += by; }
