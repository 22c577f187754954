// Sparse matrices in compressed rows: by a vector, by a dense matrix, and the product of two dense ones sampled at them.
extern "C" __global__ void spmv(const int* starts, const int* columns, const float* values, const float* x, float* y,
                                int rows) {
  const int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;  // whole warps
  float sum = 0.f;
  for (int i = starts[row] + lane; i < starts[row + 1]; i += 32) sum = fmaf(values[i], x[columns[i]], sum);
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  if (lane == 0) y[row] = sum;
}

extern "C" __global__ void spmm(const int* starts, const int* columns, const float* values, const float* b, float* c,
                                int rows, int n) {
  const int row = blockIdx.x, column = blockIdx.y * blockDim.x + threadIdx.x;
  if (row >= rows || column >= n) return;
  float sum = 0.f;
  for (int i = starts[row]; i < starts[row + 1]; ++i)
    sum = fmaf(__ldg(&values[i]), b[static_cast<size_t>(columns[i]) * n + column], sum);
  c[static_cast<size_t>(row) * n + column] = sum;
}

// A warp a stored element: its row is found by bisection.
extern "C" __global__ void sddmm(const int* starts, const int* columns, const float* a, const float* b, float* sampled,
                                 int rows, int k) {
  const int element = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
  if (element >= starts[rows]) return;
  int low = 0, high = rows;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (starts[middle] <= element)
      low = middle;
    else
      high = middle;
  }
  float sum = 0.f;
  for (int i = lane; i < k; i += 32) sum = fmaf(a[low * k + i], b[columns[element] * k + i], sum);
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  if (lane == 0) sampled[element] = sum;
}
