// Maximum and sum of each 32 floats by butterfly shuffles; the last warp of the grid is partial.
extern "C" __global__ void warp_reduce(const float* x, float* sums, float* maxima, unsigned n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  float sum = i < n ? x[i] : 0.f;
  float high = i < n ? x[i] : -INFINITY;
  for (int lane = 16; lane > 0; lane /= 2) {
    sum += __shfl_xor_sync(0xffffffffu, sum, lane);
    high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, lane));
  }
  if (threadIdx.x % 32 == 0 && i < n) {
    sums[i / 32] = sum;
    maxima[i / 32] = high;
  }
}
