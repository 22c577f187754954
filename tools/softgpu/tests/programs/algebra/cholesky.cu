// The Cholesky factor of a tile of 32 x 32 in shared memory, a block; then the triangular solve of a right side.
constexpr int N = 32;
extern "C" __global__ void cholesky(const float* matrices, float* factors, const float* sides, float* solutions) {
  __shared__ float a[N][N + 1], x[N];
  const int i = threadIdx.x, j = threadIdx.y;
  a[j][i] = matrices[blockIdx.x * N * N + j * N + i];
  __syncthreads();
  for (int k = 0; k < N; ++k) {
    if (i == k && j == k) a[k][k] = sqrtf(a[k][k]);
    __syncthreads();
    if (i == k && j > k) a[j][k] /= a[k][k];
    __syncthreads();
    if (j > k && i > k && i <= j) a[j][i] -= a[j][k] * a[i][k];
    __syncthreads();
  }
  factors[blockIdx.x * N * N + j * N + i] = i <= j ? a[j][i] : 0.f;
  if (j != 0) return;  // one warp solves L L' x = b
  x[i] = sides[blockIdx.x * N + i];
  __syncwarp();
  for (int k = 0; k < N; ++k) {
    if (i == k) x[k] /= a[k][k];
    __syncwarp();
    if (i > k) x[i] -= a[i][k] * x[k];
    __syncwarp();
  }
  for (int k = N - 1; k >= 0; --k) {
    if (i == k) x[k] /= a[k][k];
    __syncwarp();
    if (i < k) x[i] -= a[k][i] * x[k];
    __syncwarp();
  }
  solutions[blockIdx.x * N + i] = x[i];
}
