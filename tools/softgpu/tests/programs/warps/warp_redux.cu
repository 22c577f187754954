// redux.sync of every kind, and votes, over lanes of a mask.
extern "C" __global__ void warp_redux(const unsigned* x, unsigned* out) {
  const unsigned v = x[threadIdx.x];
  const bool low = threadIdx.x < 20;
  const unsigned mask = __ballot_sync(0xffffffffu, low);
  if (!low) return;
  unsigned r[9] = {__reduce_add_sync(mask, v),
                   __reduce_min_sync(mask, v),
                   __reduce_max_sync(mask, v),
                   __reduce_and_sync(mask, v),
                   __reduce_or_sync(mask, v),
                   __reduce_xor_sync(mask, v),
                   static_cast<unsigned>(__reduce_max_sync(mask, static_cast<int>(v))),
                   static_cast<unsigned>(__all_sync(mask, v != 0)),
                   static_cast<unsigned>(__any_sync(mask, v == x[3]))};
  if (threadIdx.x == 19)
    for (int k = 0; k < 9; ++k) out[k] = r[k];
}
