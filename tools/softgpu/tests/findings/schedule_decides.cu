// What a block writes depends on when it ran: it draws its number, where it has one already.
__device__ int drawn;
extern "C" __global__ void schedule_decides(const int* x, int* y, int n) {
  __shared__ int number;
#ifdef FAULT
  if (threadIdx.x == 0) number = atomicAdd(&drawn, 1);
#else
  if (threadIdx.x == 0) number = static_cast<int>(blockIdx.x);
#endif
  __syncthreads();
  const int i = static_cast<int>(blockIdx.x * 8 + threadIdx.x);
  if (threadIdx.x < 8 && i < n) y[i] = x[i] + number;
}
