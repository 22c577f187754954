// Each warp has a part of shared memory of its own, and no barrier is needed but that of the warp.
extern "C" __global__ void warp_private(const int* x, int* y, int n) {
  __shared__ int tile[96];
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
#ifdef FAULT
  int* own = tile + 31 * warp;  // the last word is the next warp's first
#else
  int* own = tile + 32 * warp;
#endif
  for (int k = 1; k < 4; ++k) {
    own[lane] = x[(k * lane + warp) % n];
    __syncwarp();
    const int right = own[(lane + 1) % 32];
    __syncwarp();
    if (threadIdx.x < n) y[threadIdx.x] = right;
  }
}
