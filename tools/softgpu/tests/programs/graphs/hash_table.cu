// A hash table with open addressing: keys claimed by 64-bit compare-and-swap, values added up, then looked up.
constexpr unsigned long long EMPTY = ~0ull;
__device__ unsigned slot_of(unsigned long long key, unsigned slots) {
  key ^= key >> 33;
  key *= 0xff51afd7ed558ccdull;
  key ^= key >> 33;
  return static_cast<unsigned>(key) & (slots - 1);
}
extern "C" __global__ void insert(unsigned long long* keys, unsigned* sums, unsigned slots,
                                  const unsigned long long* new_keys, const unsigned* values, int n) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= n) return;
  for (unsigned slot = slot_of(new_keys[t], slots);; slot = (slot + 1) & (slots - 1)) {
    const unsigned long long there = atomicCAS(&keys[slot], EMPTY, new_keys[t]);
    if (there == EMPTY || there == new_keys[t]) {
      atomicAdd(&sums[slot], values[t]);
      return;
    }
  }
}
extern "C" __global__ void look_up(const unsigned long long* keys, const unsigned* sums, unsigned slots,
                                   const unsigned long long* wanted, unsigned* found, int n) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= n) return;
  unsigned slot = slot_of(wanted[t], slots);
  while (keys[slot] != EMPTY && keys[slot] != wanted[t]) slot = (slot + 1) & (slots - 1);
  found[t] = keys[slot] == EMPTY ? 0xffffffffu : sums[slot];
}
