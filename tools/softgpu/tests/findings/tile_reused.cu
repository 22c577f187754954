// A tile is filled again while others may still read it: the barrier at the end of the loop is missing.
extern "C" __global__ void tile_reused(const int* x, int* y, int n) {
  __shared__ int tile[64];
  const int i = static_cast<int>(threadIdx.x);
  int sum = 0;
  for (int k = 0; k < 3; ++k) {
    tile[i] = x[(i + k) % n];
    __syncthreads();
    sum += tile[(i + 32) % 64];
#ifndef FAULT
    __syncthreads();
#endif
  }
  if (i < n) y[i] = sum;
}
