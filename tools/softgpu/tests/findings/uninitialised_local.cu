// Reads an element of a thread's own array that it never wrote.
extern "C" __global__ void uninitialised_local(const int* x, int* y, int n) {
  int values[8];
#ifdef FAULT
  for (int i = 0; i < n % 8; ++i) values[i] = i;
#else
  for (int i = 0; i < 8; ++i) values[i] = i;
#endif
  y[threadIdx.x] = values[(n + threadIdx.x) % 8];
}
