// A producer and a consumer share one buffer by two named barriers: it is given back once it has been read.
__device__ void arrive(int barrier) { asm volatile("bar.arrive %0, 64;" ::"r"(barrier) : "memory"); }
__device__ void wait(int barrier) { asm volatile("bar.sync %0, 64;" ::"r"(barrier) : "memory"); }
extern "C" __global__ void named_barrier_race(const int* x, int* y, int n) {
  __shared__ int buffer[32];
  const int lane = static_cast<int>(threadIdx.x % 32), full = 1, empty = 2;
  if (threadIdx.x < 32) {
    for (int k = 0; k < 3; ++k) {
      if (k > 0) wait(empty);
      buffer[lane] = x[(lane + k) % n];
      arrive(full);
    }
  } else {
    int sum = 0;
    for (int k = 0; k < 3; ++k) {
      wait(full);
#ifdef FAULT
      if (k < 2) arrive(empty);
      sum += buffer[31 - lane];
#else
      sum += buffer[31 - lane];
      if (k < 2) arrive(empty);
#endif
    }
    if (lane < n) y[lane] = sum;
  }
}
