// C = A B with the inner dimension split over blocks: each writes its partial, and the last one of a tile to arrive adds
// them in the order of their index, so that the sum has the same bits whoever comes last.
extern "C" __global__ void split_k(const float* a, const float* b, float* partials, unsigned* arrived, float* c, int m,
                                   int n, int k) {
  const int column = blockIdx.x * 16 + threadIdx.x, row = blockIdx.y * 16 + threadIdx.y;
  const int parts = gridDim.z, length = (k + parts - 1) / parts, first = blockIdx.z * length;
  const bool inside = row < m && column < n;
  float sum = 0.f;
  if (inside)
    for (int i = first; i < min(first + length, k); ++i) sum = fmaf(a[row * k + i], b[i * n + column], sum);
  const size_t tile = static_cast<size_t>(m) * n, element = static_cast<size_t>(row) * n + column;
  if (inside) partials[blockIdx.z * tile + element] = sum;
  __threadfence();  // the partial is visible before the arrival is
  __shared__ bool last;
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0)
    last = atomicAdd(&arrived[blockIdx.y * gridDim.x + blockIdx.x], 1u) == gridDim.z - 1;
  __syncthreads();
  if (!last || !inside) return;
  __threadfence();  // the other blocks' partials are read after their arrivals
  sum = 0.f;
  for (int part = 0; part < parts; ++part) sum += __ldcg(&partials[part * tile + element]);
  c[element] = sum;
}
