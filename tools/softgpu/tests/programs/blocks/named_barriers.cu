// A warp that produces and a warp that consumes, on barriers 1 and 2 of 64 threads, while a third warp goes its way.
extern "C" __global__ void named_barriers(const int* x, int* y, int rounds) {
  __shared__ int slot[32];
  const int lane = threadIdx.x % 32;
  if (threadIdx.x < 32) {
    for (int r = 0; r < rounds; ++r) {
      slot[lane] = x[r * 32 + lane] * 2;
      asm volatile("bar.arrive 1, 64;" ::: "memory");  // full
      asm volatile("bar.sync 2, 64;" ::: "memory");    // empty again
    }
  } else if (threadIdx.x < 64) {
    int sum = 0;
    for (int r = 0; r < rounds; ++r) {
      asm volatile("bar.sync 1, 64;" ::: "memory");
      sum += slot[31 - lane];
      asm volatile("bar.arrive 2, 64;" ::: "memory");
    }
    y[lane] = sum;
  }
}
