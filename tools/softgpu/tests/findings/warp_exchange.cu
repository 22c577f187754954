// Lanes of a warp exchange words of shared memory: it takes a __syncwarp, which a shuffle is not.
extern "C" __global__ void warp_exchange(const int* x, int* y, int n) {
  __shared__ int tile[32];
  const int i = static_cast<int>(threadIdx.x);
  tile[i] = x[i % n];
#ifdef FAULT
  const int other = __shfl_xor_sync(0xffffffffu, i, 1);
#else
  __syncwarp();
  const int other = i ^ 1;
#endif
  if (i < n) y[i] = tile[other];
}
