// Bitonic sort of 512 keys in shared memory, two a thread.
extern "C" __global__ void bitonic_sort(unsigned* keys) {
  __shared__ unsigned shared[512];
  const unsigned t = threadIdx.x;
  shared[t] = keys[blockIdx.x * 512 + t];
  shared[t + 256] = keys[blockIdx.x * 512 + t + 256];
  for (unsigned size = 2; size <= 512; size *= 2) {
    for (unsigned stride = size / 2; stride > 0; stride /= 2) {
      __syncthreads();
      const unsigned i = 2 * t - (t & (stride - 1));
      const bool up = (i & size) == 0;
      const unsigned a = shared[i], b = shared[i + stride];
      if ((a > b) == up) {
        shared[i] = b;
        shared[i + stride] = a;
      }
    }
  }
  __syncthreads();
  keys[blockIdx.x * 512 + t] = shared[t];
  keys[blockIdx.x * 512 + t + 256] = shared[t + 256];
}
