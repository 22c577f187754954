// A trap in the thread that finds what it must not.
extern "C" __global__ void trap(const int* x, int* y, int n) {
#ifdef FAULT
  if (x[threadIdx.x % 30] == 11) __trap();
#endif
  y[threadIdx.x % 30] = 0;
}
