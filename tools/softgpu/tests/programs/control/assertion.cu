// assert: a thread whose value is negative stops the launch.
#undef NDEBUG
#include <cassert>
extern "C" __global__ void assertion(const int* x, int* y) {
  assert(x[threadIdx.x] >= 0);
  y[threadIdx.x] = x[threadIdx.x] + 1;
}
