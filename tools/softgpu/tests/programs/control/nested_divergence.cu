// Branches within branches between barriers, so that warps arrive split and must meet again before each.
extern "C" __global__ void nested_divergence(const int* x, int* y, int rounds) {
  __shared__ int values[96];
  const int t = threadIdx.x;
  values[t] = x[t];
  __syncthreads();
  for (int r = 0; r < rounds; ++r) {
    const int left = values[(t + 95) % 96], right = values[(t + 1) % 96];
    int next;
    if (t % 3 == 0) {
      if (left > right) {
        next = left - right;
      } else if (left == right) {
        next = 1;
      } else {
        next = right - left;
        for (int i = 0; i < t % 5; ++i) next ^= i;
      }
    } else if (t < 40) {
      next = left + right;
    } else {
      next = left;
    }
    __syncthreads();
    values[t] = next & 1023;
    __syncthreads();
  }
  y[t] = values[t];
}
