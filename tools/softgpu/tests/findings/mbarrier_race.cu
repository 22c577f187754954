// A producer and a consumer share one buffer by two mbarriers, each for the arrivals of a warp: it is given back once it has
// been read.
#include <cstdint>
using Barrier = uint64_t;
__device__ unsigned shared(const void* at) { return static_cast<unsigned>(__cvta_generic_to_shared(at)); }
__device__ void init(Barrier* barrier, int count) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(shared(barrier)), "r"(count) : "memory");
}
__device__ void arrive(Barrier* barrier) {
  asm volatile("{ .reg .b64 state; mbarrier.arrive.shared.b64 state, [%0]; }" ::"r"(shared(barrier)) : "memory");
}
__device__ void wait(Barrier* barrier, int parity) {
  asm volatile(
      "{ .reg .pred done; again: mbarrier.test_wait.parity.shared.b64 done, [%0], %1; @!done bra again; }" ::"r"(
          shared(barrier)),
      "r"(parity)
      : "memory");
}
extern "C" __global__ void mbarrier_race(const int* x, int* y, int n) {
  __shared__ int buffer[32];
  __shared__ Barrier full, empty;
  const int lane = static_cast<int>(threadIdx.x % 32);
  if (threadIdx.x == 0) {
    init(&full, 32);
    init(&empty, 32);
  }
  __syncthreads();
  if (threadIdx.x < 32) {
    for (int k = 0; k < 3; ++k) {
      if (k > 0) wait(&empty, (k - 1) % 2);
      buffer[lane] = x[(lane + k) % n];
      arrive(&full);
    }
  } else {
    int sum = 0;
    for (int k = 0; k < 3; ++k) {
      wait(&full, k % 2);
#ifdef FAULT
      arrive(&empty);
      sum += buffer[31 - lane];
#else
      sum += buffer[31 - lane];
      arrive(&empty);
#endif
    }
    if (lane < n) y[lane] = sum;
  }
}
