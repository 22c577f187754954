// Philox 4x32-10: four random words a thread from its index.
extern "C" __global__ void philox(uint4* out, unsigned key0, unsigned key1) {
  uint4 c = make_uint4(blockIdx.x * blockDim.x + threadIdx.x, 0, 0, 0);
  for (int round = 0; round < 10; ++round) {
    const unsigned long long p = 0xD2511F53ull * c.x, q = 0xCD9E8D57ull * c.z;
    c = make_uint4(static_cast<unsigned>(q >> 32) ^ c.y ^ key0, static_cast<unsigned>(q),
                   static_cast<unsigned>(p >> 32) ^ c.w ^ key1, static_cast<unsigned>(p));
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = c;
}
