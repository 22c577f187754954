// CRC-32 of each message by a table in constant memory, and a module variable that counts the messages.
__constant__ unsigned table[256];
__device__ unsigned messages = 5;
extern "C" __global__ void crc32(const unsigned char* text, const unsigned* offsets, unsigned* crc) {
  const unsigned i = threadIdx.x;
  unsigned c = 0xffffffffu;
  for (unsigned k = offsets[i]; k < offsets[i + 1]; ++k) c = table[(c ^ text[k]) & 255] ^ (c >> 8);
  crc[i] = ~c;
  atomicAdd(&messages, 1u);
}
