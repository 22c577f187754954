// Half of the first warp waits at a barrier that the other half, in its own branch, waits for at another place.
extern "C" __global__ void barrier_divergence(const int* x, int* y, int n) {
  __shared__ int tile[64];
  tile[threadIdx.x] = x[threadIdx.x % 30];
#ifdef FAULT
  if (threadIdx.x < 16) {
    __syncthreads();
    y[threadIdx.x % 30] = tile[threadIdx.x + 1];
  } else {
    tile[threadIdx.x] += 1;
    __syncthreads();
  }
#else
  __syncthreads();
  if (threadIdx.x < 16) y[threadIdx.x] = tile[threadIdx.x + 1];
#endif
}
