// Softmax of a row a block: maximum and sum through warps and shared memory, expf.
__device__ float over_block(float x, bool maximum) {
  __shared__ float warps[8];
  for (int lane = 16; lane > 0; lane /= 2) {
    const float other = __shfl_xor_sync(0xffffffffu, x, lane);
    x = maximum ? fmaxf(x, other) : x + other;
  }
  __syncthreads();  // the previous call's readers are done with `warps`
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
  __syncthreads();
  float all = warps[0];
  for (int w = 1; w < 8; ++w) all = maximum ? fmaxf(all, warps[w]) : all + warps[w];
  return all;
}
extern "C" __global__ void softmax(const float* x, float* y, unsigned columns) {
  const float* row = x + blockIdx.x * columns;
  float high = -INFINITY, sum = 0.f;
  for (unsigned k = threadIdx.x; k < columns; k += 256) high = fmaxf(high, row[k]);
  high = over_block(high, true);
  for (unsigned k = threadIdx.x; k < columns; k += 256) sum += expf(row[k] - high);
  sum = over_block(sum, false);
  for (unsigned k = threadIdx.x; k < columns; k += 256) y[blockIdx.x * columns + k] = expf(row[k] - high) / sum;
}
