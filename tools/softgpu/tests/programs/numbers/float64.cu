// f64: exp by its series, a square root by Newton's method beside the instruction's, division and fma.
extern "C" __global__ void float64(const double* x, double* out, int n) {
  const int i = threadIdx.x;
  if (i >= n) return;
  double term = 1.0, sum = 1.0;
  for (int k = 1; k < 30; ++k) {
    term = term * x[i] / k;
    sum += term;
  }
  double root = 1.0;
  const double square = x[i] * x[i] + 2.0;
  for (int k = 0; k < 60; ++k) root = 0.5 * (root + square / root);
  out[0 * n + i] = sum;
  out[1 * n + i] = root;
  out[2 * n + i] = sqrt(square);
  out[3 * n + i] = fma(x[i], x[i], -square);
  out[4 * n + i] = exp(x[i]);
  out[5 * n + i] = log(square);
}
