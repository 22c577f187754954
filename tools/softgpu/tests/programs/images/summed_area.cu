// A summed-area table: sums along rows by warps, then along columns by threads, in place.
extern "C" __global__ void along_rows(unsigned* x, int width) {
  unsigned* row = x + static_cast<size_t>(blockIdx.x) * width;
  unsigned before = 0;
  for (int first = 0; first < width; first += 32) {
    const int i = first + threadIdx.x;
    unsigned v = i < width ? row[i] : 0;
    for (int step = 1; step < 32; step *= 2) {
      const unsigned left = __shfl_up_sync(0xffffffffu, v, step);
      if (threadIdx.x >= step) v += left;
    }
    v += before;
    if (i < width) row[i] = v;
    before = __shfl_sync(0xffffffffu, v, 31);
  }
}
extern "C" __global__ void along_columns(unsigned* x, int height, int width) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= width) return;
  unsigned sum = 0;
  for (int row = 0; row < height; ++row) x[row * width + column] = sum += x[row * width + column];
}
