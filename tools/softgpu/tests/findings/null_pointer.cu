// Loads through a null pointer.
extern "C" __global__ void null_pointer(const int* x, int* y, int n) {
#ifdef FAULT
  const int* from = n > 0 ? nullptr : x;
#else
  const int* from = n > 0 ? x : nullptr;
#endif
  y[threadIdx.x] = from[threadIdx.x];
}
