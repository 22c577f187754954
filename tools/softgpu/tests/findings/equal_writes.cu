// Every thread sets a flag, to the same bits.
extern "C" __global__ void equal_writes(const int* x, int* y, int n) {
  __shared__ int any;
  const int i = static_cast<int>(threadIdx.x);
  if (i == 0) any = 0;
  __syncthreads();
#ifdef FAULT
  if (x[i % n] > 3) any = 1;
#else
  if (i == 4) any = 1;
  __syncthreads();
  if (i == 40) any = 1;
#endif
  __syncthreads();
  if (i < n) y[i] = any;
}
