// Each kind of shuffle, at widths 32, 16 and 8, and within a mask that is not the whole warp.
extern "C" __global__ void shuffles(const int* x, const int* lanes, int* out) {
  const int t = threadIdx.x;
  out[0 * 32 + t] = __shfl_sync(0xffffffffu, x[t], lanes[t]);
  out[1 * 32 + t] = __shfl_sync(0xffffffffu, x[t], lanes[t], 8);
  out[2 * 32 + t] = __shfl_up_sync(0xffffffffu, x[t], 3);
  out[3 * 32 + t] = __shfl_up_sync(0xffffffffu, x[t], 5, 16);
  out[4 * 32 + t] = __shfl_down_sync(0xffffffffu, x[t], 7);
  out[5 * 32 + t] = __shfl_down_sync(0xffffffffu, x[t], 2, 8);
  out[6 * 32 + t] = __shfl_xor_sync(0xffffffffu, x[t], 21);
  out[7 * 32 + t] = __shfl_xor_sync(0xffffffffu, x[t], 9, 16);
  out[8 * 32 + t] = -1;
  if (t % 2 == 1) out[8 * 32 + t] = __shfl_sync(0xaaaaaaaau, x[t], (t + 2) % 32);
}
