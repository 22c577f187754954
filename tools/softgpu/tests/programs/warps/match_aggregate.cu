// Warp-aggregated counting: lanes with one key are found by match.any, and their leader adds for all.
extern "C" __global__ void match_aggregate(const unsigned* keys, unsigned* counts, unsigned n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned active = __ballot_sync(0xffffffffu, i < n);
  if (i >= n) return;
  const unsigned peers = __match_any_sync(active, keys[i]);
  if (threadIdx.x % 32 == __ffs(peers) - 1) atomicAdd(&counts[keys[i]], __popc(peers));
}
