// A block fills each row. Rows of 15 bytes end within words, which two blocks share; one byte too many is the next row's.
__device__ unsigned char rows[4 * 15];
extern "C" __global__ void rows_that_overlap(const int* x, int* y, int n) {
#ifdef FAULT
  const int width = blockIdx.x == 3 ? 15 : 16;
#else
  const int width = 15;
#endif
  const int i = static_cast<int>(threadIdx.x);
  if (i < width) rows[blockIdx.x * 15 + i] = static_cast<unsigned char>(x[i] + blockIdx.x);
  if (i < n && blockIdx.x == 0) y[i] = i;
}
