// A sum by atomics in shared memory is read once all have added to it.
extern "C" __global__ void atomics_then_read(const int* x, int* y, int n) {
  __shared__ int sum;
  const int i = static_cast<int>(threadIdx.x);
  if (i == 0) sum = 0;
  __syncthreads();
  atomicAdd(&sum, x[i % n]);
#ifndef FAULT
  __syncthreads();
#endif
  if (i < n) y[i] = sum;
}
