// A loop that waits for a flag which nobody sets.
extern "C" __global__ void endless(const int* x, volatile int* y, int n) {
  y[threadIdx.x % 30] = 1;
#ifdef FAULT
  while (y[0] == 1) {
  }
#else
  while (y[0] != 1) {
  }
#endif
}
