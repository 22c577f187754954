// Writes the last row of a shared tile one row too far.
extern "C" __global__ void shared_out_of_bounds(const int* x, int* y, int n) {
  __shared__ int tile[32];
#ifdef FAULT
  const int to = threadIdx.x + (n == 30 ? 16 : 0);
#else
  const int to = threadIdx.x;
#endif
  tile[to] = threadIdx.x;
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x];
}
