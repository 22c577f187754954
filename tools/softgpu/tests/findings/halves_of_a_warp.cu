// Each half of a warp works by itself, on its half of a tile: a __syncwarp of 16 lanes orders these and no others.
extern "C" __global__ void halves_of_a_warp(const int* x, int* y, int n) {
  __shared__ int tile[32];
  const int i = static_cast<int>(threadIdx.x);
  tile[i] = x[i % n];
  __syncwarp(i < 16 ? 0x0000ffffu : 0xffff0000u);
#ifdef FAULT
  const int other = i ^ 16;
#else
  const int other = i ^ 15;
#endif
  if (i < n) y[i] = tile[other];
}
