// printf from device code: one line a thread, every conversion that kernels use.
#include <cstdio>
extern "C" __global__ void print(const char* unused, int n) {
  if (threadIdx.x < n)
    printf("t=%d u=%u x=%04x f=%.3f e=%e g=%g s=%s c=%c ll=%lld %%\n", -static_cast<int>(threadIdx.x), 7u, 0xabu, 1.5,
           12345.678, 0.0001, "text", 'z', 1ll << 40);
}
