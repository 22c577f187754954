// Odd-even transposition sort between the lanes of a warp, by shuffles alone.
extern "C" __global__ void odd_even(int* x) {
  const int lane = threadIdx.x % 32, i = blockIdx.x * blockDim.x + threadIdx.x;
  int v = x[i];
  for (int round = 0; round < 32; ++round) {
    const bool left = lane % 2 == round % 2;
    const int partner = left ? lane + 1 : lane - 1;
    const int other = __shfl_sync(0xffffffffu, v, partner & 31);
    if (partner >= 0 && partner < 32) v = left ? min(v, other) : max(v, other);
  }
  x[i] = v;
}
