// Loads through a null pointer.
extern "C" __global__ void null_pointer(const int* x, int* y, int n) {
  const int* from = x;
#ifdef FAULT
  asm volatile("mov.u64 %0, 0;" : "=l"(from));  // hidden from the compiler, which may assume that it does not happen
#endif
  y[threadIdx.x] = from[threadIdx.x];
}
