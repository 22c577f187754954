// Stream compaction: a ballot and popc in each warp, a ticket a warp, order kept within a warp.
extern "C" __global__ void compact(const int* x, int* kept, unsigned* count, unsigned n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  const bool keep = i < n && x[i] % 3 == 0;
  const unsigned votes = __ballot_sync(0xffffffffu, keep);
  unsigned first = 0;
  if (threadIdx.x % 32 == 0) first = atomicAdd(count, __popc(votes));
  first = __shfl_sync(0xffffffffu, first, 0);
  if (keep) kept[first + __popc(votes & ((1u << (threadIdx.x % 32)) - 1))] = x[i];
}
