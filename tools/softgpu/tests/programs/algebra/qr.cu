// QR of small matrices by Householder reflections in f64, a matrix a thread, in local memory with indices known at run time.
constexpr int ROWS = 6, COLUMNS = 4;
extern "C" __global__ void qr(const double* matrices, double* r, double* q, int count) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= count) return;
  double a[ROWS][COLUMNS], orthogonal[ROWS][ROWS];
  for (int i = 0; i < ROWS * COLUMNS; ++i) a[i / COLUMNS][i % COLUMNS] = matrices[t * ROWS * COLUMNS + i];
  for (int i = 0; i < ROWS * ROWS; ++i) orthogonal[i / ROWS][i % ROWS] = i / ROWS == i % ROWS ? 1. : 0.;
#pragma unroll 1
  for (int k = 0; k < COLUMNS; ++k) {
    double norm = 0., v[ROWS];
    for (int i = k; i < ROWS; ++i) norm += a[i][k] * a[i][k];
    norm = sqrt(norm);
    for (int i = 0; i < ROWS; ++i) v[i] = i < k ? 0. : a[i][k];
    v[k] += copysign(norm, a[k][k]);
    double square = 0.;
    for (int i = k; i < ROWS; ++i) square += v[i] * v[i];
    if (square == 0.) continue;
    for (int j = k; j < COLUMNS; ++j) {
      double dot = 0.;
      for (int i = k; i < ROWS; ++i) dot += v[i] * a[i][j];
      for (int i = k; i < ROWS; ++i) a[i][j] -= 2. * dot / square * v[i];
    }
    for (int j = 0; j < ROWS; ++j) {
      double dot = 0.;
      for (int i = k; i < ROWS; ++i) dot += v[i] * orthogonal[j][i];
      for (int i = k; i < ROWS; ++i) orthogonal[j][i] -= 2. * dot / square * v[i];
    }
  }
  for (int i = 0; i < ROWS * COLUMNS; ++i) r[t * ROWS * COLUMNS + i] = a[i / COLUMNS][i % COLUMNS];
  for (int i = 0; i < ROWS * ROWS; ++i) q[t * ROWS * ROWS + i] = orthogonal[i / ROWS][i % ROWS];
}
