// The block that draws the last ticket adds what all have left, which takes a fence before the ticket.
__device__ int partials[4], ticket;
extern "C" __global__ void last_block(const int* x, int* y, int n) {
  __shared__ bool last;
  if (threadIdx.x == 0) {
    partials[blockIdx.x] = x[blockIdx.x % n];
#ifndef FAULT
    __threadfence();
#endif
    last = atomicAdd(&ticket, 1) == 3;
  }
  __syncthreads();
  if (last) {
    if (threadIdx.x < n) y[threadIdx.x] = partials[threadIdx.x % 4];
    if (threadIdx.x == 0) ticket = 0;
  }
}
