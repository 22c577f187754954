// A counter under a lock: it is written before the lock is given back, and a fence says so.
__device__ int lock, counter;
extern "C" __global__ void unlocked_early(const int* x, int* y, int n) {
  if (threadIdx.x == 0) {
    while (atomicCAS(&lock, 0, 1) != 0) {
    }
    __threadfence();
    counter += x[blockIdx.x % n];
#ifndef FAULT
    __threadfence();
#endif
    atomicExch(&lock, 0);
  }
  if (threadIdx.x < n && blockIdx.x == 0) y[threadIdx.x] = 1;
}
