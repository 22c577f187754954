// The Hadamard transform of 1,024 integers a block: two values a thread, five rounds by shuffles, the rest in shared memory.
constexpr int N = 1024;
extern "C" __global__ void hadamard(int* x) {
  __shared__ int data[N];
  int* row = x + blockIdx.x * N;
  for (int i = threadIdx.x; i < N; i += blockDim.x) {
    int v = row[i];
    for (int step = 1; step < 32; step *= 2) {
      const int other = __shfl_xor_sync(0xffffffffu, v, step);
      v = i & step ? other - v : v + other;
    }
    data[i] = v;
  }
  __syncthreads();
  for (int step = 32; step < N; step *= 2) {
    for (int pair = threadIdx.x; pair < N / 2; pair += blockDim.x) {
      const int i = pair / step * 2 * step + pair % step, a = data[i], b = data[i + step];
      data[i] = a + b;
      data[i + step] = a - b;
    }
    __syncthreads();
  }
  for (int i = threadIdx.x; i < N; i += blockDim.x) row[i] = data[i];
}
