// The price of a call option by simulation in f64: xorshift words, Box and Muller's normals, a sum by f64 atomics.
__device__ unsigned long long next(unsigned long long& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}
extern "C" __global__ void monte_carlo(double* payoffs, double* total, int steps, double spot, double strike,
                                       double rate, double volatility) {
  const unsigned t = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned long long state = 0x9e3779b97f4a7c15ull * (t + 1);
  double logarithm = log(spot);
  const double dt = 1. / steps;
  for (int i = 0; i < steps; ++i) {
    const double u = (static_cast<double>(next(state) >> 11) + 0.5) * 0x1p-53;
    const double v = static_cast<double>(next(state) >> 11) * 0x1p-53;
    const double normal = sqrt(-2. * log(u)) * cospi(2. * v);
    logarithm += (rate - 0.5 * volatility * volatility) * dt + volatility * sqrt(dt) * normal;
  }
  const double payoff = exp(-rate) * fmax(exp(logarithm) - strike, 0.);
  payoffs[t] = payoff;
  atomicAdd(total, payoff);
}
