// All threads of a block leave something, and its first draws the ticket: a barrier comes before that.
__device__ int partials[4 * 64], ticket;
extern "C" __global__ void barrier_before_ticket(const int* x, int* y, int n) {
  __shared__ bool last;
  partials[blockIdx.x * 64 + 63 - threadIdx.x] = x[threadIdx.x % n];
#ifndef FAULT
  __syncthreads();
#endif
  if (threadIdx.x == 0) {
    __threadfence();
    last = atomicAdd(&ticket, 1) == 3;
  }
  __syncthreads();
  if (last && threadIdx.x < n) y[threadIdx.x] = partials[64 + threadIdx.x];
}
