// Sum of n integers: a grid-stride loop, a tree in shared memory, one partial a block.
extern "C" __global__ void reduce_sum(const int* x, long long* partials, unsigned n) {
  __shared__ long long tree[128];
  long long sum = 0;
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += x[i];
  tree[threadIdx.x] = sum;
  __syncthreads();
  for (unsigned half = 64; half > 0; half /= 2) {
    if (threadIdx.x < half) tree[threadIdx.x] += tree[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) partials[blockIdx.x] = tree[0];
}
