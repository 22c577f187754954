// Calls that survive: a function with many arguments, recursion to a lane's own depth, and a table of functions.
struct Pair {
  int a;
  double b;
};
__device__ __noinline__ Pair combine(int a, char b, double c, short d, long long e) {
  return Pair{a + b, c * d + static_cast<double>(e)};
}
__device__ __noinline__ unsigned ackermann(unsigned m, unsigned n) {
  if (m == 0) return n + 1;
  if (n == 0) return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}
__device__ __noinline__ int add_one(int x) { return x + 1; }
__device__ __noinline__ int twice(int x) { return 2 * x; }
__device__ __noinline__ int negate(int x) { return -x; }
__device__ int (*const table[3])(int) = {add_one, twice, negate};

extern "C" __global__ void calls(int* combined, double* sums, unsigned* depth, int* chosen) {
  const int t = threadIdx.x;
  const Pair pair = combine(t, static_cast<char>(-t), t + 0.5, static_cast<short>(3 * t), 1ll << t);
  combined[t] = pair.a;
  sums[t] = pair.b;
  depth[t] = ackermann(t % 3, t % 5);
  chosen[t] = table[t % 3](t + 10);
}
