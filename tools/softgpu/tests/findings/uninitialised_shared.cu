// Reads a shared word that only the even threads wrote.
extern "C" __global__ void uninitialised_shared(const int* x, int* y, int n) {
  __shared__ int tile[32];
#ifdef FAULT
  if (threadIdx.x % 2 == 0)
#endif
    tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = tile[29 - threadIdx.x];
}
