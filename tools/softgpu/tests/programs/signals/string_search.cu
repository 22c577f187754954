// All places of a pattern in a text, a warp 128 bytes: four bytes a lane, neighbours' by shuffles, a mask of matches by
// SIMD comparison of bytes; the pattern has four bytes.
extern "C" __global__ void string_search(const unsigned* text, unsigned words, unsigned pattern, unsigned* matches,
                                         unsigned* count) {
  const unsigned lane = threadIdx.x % 32, warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  const unsigned i = warp * 32 + lane;
  const unsigned here = i < words ? text[i] : 0;
  unsigned next = __shfl_down_sync(0xffffffffu, here, 1);
  if (lane == 31) next = i + 1 < words ? text[i + 1] : 0;
  unsigned found = 0;
  for (unsigned byte = 0; byte < 4; ++byte) {
    const unsigned window = __funnelshift_r(here, next, 8 * byte);
    if (__vcmpeq4(window, pattern) == 0xffffffffu) found |= 1u << byte;
  }
  if (i >= words) return;
  matches[i] = found;
  if (found != 0) atomicAdd(count, __popc(found));
}
