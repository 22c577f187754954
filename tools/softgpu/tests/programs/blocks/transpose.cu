// Transpose of a [rows, columns] matrix through a padded tile, ragged at both edges.
extern "C" __global__ void transpose(const float* x, float* y, unsigned rows, unsigned columns) {
  __shared__ float tile[32][33];
  unsigned column = blockIdx.x * 32 + threadIdx.x;
  for (unsigned j = threadIdx.y; j < 32; j += 8) {
    const unsigned row = blockIdx.y * 32 + j;
    if (row < rows && column < columns) tile[j][threadIdx.x] = x[row * columns + column];
  }
  __syncthreads();
  const unsigned row = blockIdx.y * 32 + threadIdx.x;
  for (unsigned j = threadIdx.y; j < 32; j += 8) {
    column = blockIdx.x * 32 + j;
    if (row < rows && column < columns) y[column * rows + row] = tile[threadIdx.x][j];
  }
}
