// Sobol points: each thread leaps to its index by Gray code, from direction numbers that it keeps in shared memory.
extern "C" __global__ void sobol(const unsigned* directions, float* points, int n) {
  __shared__ unsigned v[32];
  const int dimension = blockIdx.y;
  if (threadIdx.x < 32) v[threadIdx.x] = directions[32 * dimension + threadIdx.x];
  __syncthreads();
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    unsigned word = 0;
    for (unsigned gray = i ^ i >> 1; gray != 0; gray &= gray - 1) word ^= v[__ffs(gray) - 1];
    points[static_cast<size_t>(dimension) * n + i] = static_cast<float>(word >> 8) * 0x1p-24f;
  }
}
