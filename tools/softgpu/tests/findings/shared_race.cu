// Threads exchange words of shared memory without a barrier between.
extern "C" __global__ void shared_race(const int* x, int* y, int n) {
  __shared__ int tile[64];
  const int i = static_cast<int>(threadIdx.x);
  tile[i] = x[i % n];
#ifndef FAULT
  __syncthreads();
#endif
  if (i < n) y[i] = tile[63 - i];
}
