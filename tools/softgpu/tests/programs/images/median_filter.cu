// The median of 3 x 3 pixels, four pixels a word, by minima and maxima of packed bytes.
__device__ void sort2(unsigned& a, unsigned& b) {
  const unsigned low = __vminu4(a, b);
  b = __vmaxu4(a, b);
  a = low;
}
__device__ unsigned median3(unsigned a, unsigned b, unsigned c) {
  return __vmaxu4(__vminu4(a, b), __vminu4(__vmaxu4(a, b), c));
}
extern "C" __global__ void median_filter(const unsigned char* x, unsigned* y, int height, int width) {
  const int word = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
  if (4 * word >= width) return;
  unsigned column[3][3];
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) {
      unsigned packed = 0;
      for (int byte = 0; byte < 4; ++byte) {
        const int r = min(max(row + i - 1, 0), height - 1), c = min(max(4 * word + byte + j - 1, 0), width - 1);
        packed |= static_cast<unsigned>(x[r * width + c]) << (8 * byte);
      }
      column[j][i] = packed;
    }
  for (int j = 0; j < 3; ++j) {
    sort2(column[j][0], column[j][1]);
    sort2(column[j][1], column[j][2]);
    sort2(column[j][0], column[j][1]);
  }
  const unsigned low = __vmaxu4(__vmaxu4(column[0][0], column[1][0]), column[2][0]);
  const unsigned high = __vminu4(__vminu4(column[0][2], column[1][2]), column[2][2]);
  y[row * (width / 4) + word] = median3(low, median3(column[0][1], column[1][1], column[2][1]), high);
}
