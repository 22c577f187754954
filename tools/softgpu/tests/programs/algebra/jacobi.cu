// Jacobi's iteration for Poisson's equation on a square, f64, with the largest change of each sweep by atomicMax on bits.
extern "C" __global__ void jacobi(const double* u, const double* f, double* next, unsigned long long* change, int n) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
  if (row >= n || column >= n) return;
  const int at = row * n + column;
  const double up = row > 0 ? u[at - n] : 0., down = row < n - 1 ? u[at + n] : 0.;
  const double left = column > 0 ? u[at - 1] : 0., right = column < n - 1 ? u[at + 1] : 0.;
  const double value = ((up + down) + (left + right) + f[at]) * 0.25;
  next[at] = value;
  atomicMax(change,
            static_cast<unsigned long long>(__double_as_longlong(fabs(value - u[at]))));  // not negative: in order
}
