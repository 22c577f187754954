// Reads an output that no one has written yet, and branches on it.
extern "C" __global__ void uninitialised_global(const int* x, int* y, int n) {
#ifdef FAULT
  if (y[threadIdx.x] == 0) y[threadIdx.x] = 1;
#else
  if (x[threadIdx.x] == 0) y[threadIdx.x] = 1;
#endif
}
