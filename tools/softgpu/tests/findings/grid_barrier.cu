// Blocks wait for each other at a counter, then read what their neighbours wrote: the barrier of the block comes first.
__device__ int values[4 * 64], arrived;
extern "C" __global__ void grid_barrier(const int* x, int* y, int n) {
  const unsigned i = blockIdx.x * 64 + threadIdx.x;
  values[i] = x[i % n];
#ifndef FAULT
  __syncthreads();
#endif
  if (threadIdx.x == 0) {
    __threadfence();
    atomicAdd(&arrived, 1);
    while (*static_cast<volatile int*>(&arrived) < 4) {
    }
    __threadfence();
  }
  __syncthreads();
  const int right = values[(i + 96) % 256];
  if (i < n) y[i] = right;
}
