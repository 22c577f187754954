// A block reads what its neighbour writes in the same launch.
__device__ int values[4 * 32];
extern "C" __global__ void in_place(const int* x, int* y, int n) {
  const int i = static_cast<int>(blockIdx.x * 32 + threadIdx.x);
#ifdef FAULT
  const int from = (i + 1) % 128;
#else
  const int from = i;
#endif
  values[i] = values[from] + x[i % n];
  if (i < n) y[i] = i;
}
