// An atomic on the word before the output.
extern "C" __global__ void before_the_start(const int* x, int* y, int n) {
#ifdef FAULT
  int* counter = y - 1;
#else
  int* counter = y;
#endif
  if (threadIdx.x == 7) {
    y[0] = 0;
    atomicAdd(counter, 1);
  }
}
