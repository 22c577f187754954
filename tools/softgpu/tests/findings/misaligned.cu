// A 16-byte load from a row that begins between two vectors.
extern "C" __global__ void misaligned(const int* x, int* y, int n) {
#ifdef FAULT
  const int row = 1;
#else
  const int row = 4;
#endif
  const int4 v = *reinterpret_cast<const int4*>(x + row);
  if (threadIdx.x == 0) y[0] = v.x + v.w;
}
