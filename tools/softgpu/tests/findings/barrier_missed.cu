// A named barrier for 64 threads that only one warp comes to.
extern "C" __global__ void barrier_missed(const int* x, int* y, int n) {
#ifdef FAULT
  if (threadIdx.x < 32)
#endif
    asm volatile("bar.sync 1, 64;" ::: "memory");
  if (threadIdx.x < 30) y[threadIdx.x] = x[threadIdx.x];
}
