// A convolution of images of several channels by 3 x 3 filters with padding and stride: a tile with its border in shared
// memory, filters in constant memory.
constexpr int CHANNELS = 3, FILTERS = 4, TILE = 8;
__constant__ float filters[FILTERS][CHANNELS][3][3];

template <int STRIDE>
__device__ void convolve(const float* x, float* y, int height, int width) {
  constexpr int INPUT = (TILE - 1) * STRIDE + 3;
  __shared__ float tile[CHANNELS][INPUT][INPUT];
  const int out_height = (height - 1) / STRIDE + 1, out_width = (width - 1) / STRIDE + 1;
  const int top = blockIdx.y * TILE * STRIDE - 1, left = blockIdx.x * TILE * STRIDE - 1;
  for (int i = threadIdx.y * TILE + threadIdx.x; i < CHANNELS * INPUT * INPUT; i += TILE * TILE) {
    const int c = i / (INPUT * INPUT), row = top + i / INPUT % INPUT, column = left + i % INPUT;
    const bool inside = row >= 0 && row < height && column >= 0 && column < width;
    tile[c][i / INPUT % INPUT][i % INPUT] = inside ? x[(c * height + row) * width + column] : 0.f;
  }
  __syncthreads();
  const int row = blockIdx.y * TILE + threadIdx.y, column = blockIdx.x * TILE + threadIdx.x;
  if (row >= out_height || column >= out_width) return;
  for (int f = 0; f < FILTERS; ++f) {
    float sum = 0.f;
    for (int c = 0; c < CHANNELS; ++c)
      for (int i = 0; i < 9; ++i)
        sum =
            fmaf(tile[c][threadIdx.y * STRIDE + i / 3][threadIdx.x * STRIDE + i % 3], filters[f][c][i / 3][i % 3], sum);
    y[(f * out_height + row) * out_width + column] = sum;
  }
}
extern "C" __global__ void convolution_1(const float* x, float* y, int height, int width) {
  convolve<1>(x, y, height, width);
}
extern "C" __global__ void convolution_2(const float* x, float* y, int height, int width) {
  convolve<2>(x, y, height, width);
}
