// Reads one element past the end of the input.
extern "C" __global__ void out_of_bounds_load(const int* x, int* y, int n) {
#ifdef FAULT
  const int i = threadIdx.x + 1;
#else
  const int i = threadIdx.x;
#endif
  y[threadIdx.x] = x[i];
}
