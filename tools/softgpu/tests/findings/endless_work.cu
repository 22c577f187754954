// A loop that computes for ever.
extern "C" __global__ void endless_work(const int* x, volatile int* y, int n) {
  unsigned long long steps = 0;
#ifdef FAULT
  while (n != 0) y[threadIdx.x % 30] = static_cast<int>(++steps);
#else
  while (steps < n) y[threadIdx.x % 30] = static_cast<int>(++steps);
#endif
}
