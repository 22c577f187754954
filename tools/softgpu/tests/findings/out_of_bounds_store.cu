// Stores 16 bytes where the last vector is only half inside: the tail is not masked.
extern "C" __global__ void out_of_bounds_store(const int* x, int* y, int n) {
  const int i = 4 * threadIdx.x;
#ifdef FAULT
  const bool whole = i < n;
#else
  const bool whole = i + 4 <= n;
#endif
  if (whole) *reinterpret_cast<int4*>(y + i) = make_int4(1, 2, 3, 4);
}
