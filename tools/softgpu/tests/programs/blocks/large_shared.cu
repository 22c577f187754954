// 96 KB of dynamic shared memory, more than a launch gets without asking: reverses a block's data through it.
extern "C" __global__ void large_shared(const unsigned* x, unsigned* y) {
  extern __shared__ unsigned buffer[];
  for (unsigned i = threadIdx.x; i < 24576; i += blockDim.x) buffer[i] = x[i];
  __syncthreads();
  for (unsigned i = threadIdx.x; i < 24576; i += blockDim.x) y[i] = buffer[24575 - i];
}
