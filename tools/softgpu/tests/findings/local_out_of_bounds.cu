// Indexes a thread's own array past its end.
extern "C" __global__ void local_out_of_bounds(const int* x, int* y, int n) {
  int values[8];
  for (int i = 0; i < 8; ++i) values[(i + n) % 8] = i;
#ifdef FAULT
  const int last = n;
#else
  const int last = n % 8;
#endif
  values[last] = 1;
  y[threadIdx.x] = values[(n + threadIdx.x) % 8];
}
