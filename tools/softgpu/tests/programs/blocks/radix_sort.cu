// Least-significant-digit radix sort of 128 keys, one bit a pass, stable by a ballot-free scan in shared memory.
extern "C" __global__ void radix_sort(unsigned* keys, unsigned* values) {
  __shared__ unsigned key[128], value[128], zeros[128];
  const unsigned t = threadIdx.x;
  key[t] = keys[t];
  value[t] = values[t];
  for (int bit = 0; bit < 32; ++bit) {
    const unsigned k = key[t], v = value[t], zero = !((k >> bit) & 1);
    zeros[t] = zero;
    __syncthreads();
    for (unsigned step = 1; step < 128; step *= 2) {
      const unsigned left = t >= step ? zeros[t - step] : 0;
      __syncthreads();
      zeros[t] += left;
      __syncthreads();
    }
    const unsigned to = zero ? zeros[t] - 1 : zeros[127] + t - zeros[t];
    __syncthreads();
    key[to] = k;
    value[to] = v;
    __syncthreads();
  }
  keys[t] = key[t];
  values[t] = value[t];
}
