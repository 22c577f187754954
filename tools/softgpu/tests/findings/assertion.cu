// A failed assertion.
#undef NDEBUG
#include <cassert>
extern "C" __global__ void assertion(const int* x, int* y, int n) {
#ifdef FAULT
  assert(x[threadIdx.x % 30] < 20);
#else
  assert(x[threadIdx.x % 30] < 30);
#endif
  y[threadIdx.x % 30] = 0;
}
