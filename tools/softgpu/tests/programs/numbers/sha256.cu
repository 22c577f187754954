// SHA-256 of one short message a thread: rotations by funnel shifts, a schedule of 16 words that turns round.
__constant__ unsigned constants[64];
__device__ unsigned turned(unsigned x, int n) { return __funnelshift_r(x, x, n); }
extern "C" __global__ void sha256(const unsigned* blocks, unsigned* digests, int n) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= n) return;
  unsigned w[16],
      h[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au, 0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
  for (int i = 0; i < 16; ++i) w[i] = __byte_perm(blocks[16 * t + i], 0, 0x0123);  // big-endian
  unsigned s[8];
  for (int i = 0; i < 8; ++i) s[i] = h[i];
#pragma unroll 1
  for (int i = 0; i < 64; ++i) {
    if (i >= 16) {
      const unsigned a = w[(i + 1) % 16], b = w[(i + 14) % 16];
      w[i % 16] +=
          w[(i + 9) % 16] + (turned(a, 7) ^ turned(a, 18) ^ a >> 3) + (turned(b, 17) ^ turned(b, 19) ^ b >> 10);
    }
    const unsigned choice = (s[4] & s[5]) ^ (~s[4] & s[6]), majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
    const unsigned one =
        s[7] + (turned(s[4], 6) ^ turned(s[4], 11) ^ turned(s[4], 25)) + choice + constants[i] + w[i % 16];
    const unsigned two = (turned(s[0], 2) ^ turned(s[0], 13) ^ turned(s[0], 22)) + majority;
    for (int j = 7; j > 0; --j) s[j] = s[j - 1];
    s[4] += one;
    s[0] = one + two;
  }
  for (int i = 0; i < 8; ++i) digests[8 * t + i] = h[i] + s[i];
}
