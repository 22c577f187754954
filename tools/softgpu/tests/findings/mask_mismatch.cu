// A shuffle whose mask names all lanes, while the odd ones wait for the even ones elsewhere.
extern "C" __global__ void mask_mismatch(const int* x, int* y, int n) {
  int v = x[threadIdx.x % 30];
#ifdef FAULT
  if (threadIdx.x % 2 == 0) {
    v = __shfl_xor_sync(0xffffffffu, v, 2);
  } else {
    __syncwarp();
  }
#else
  if (threadIdx.x % 2 == 0) v = __shfl_xor_sync(0x55555555u, v, 2);
#endif
  if (threadIdx.x < 30) y[threadIdx.x] = v;
}
