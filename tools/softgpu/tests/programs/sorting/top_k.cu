// The k largest of a row by radix select: from the highest 8 bits down, a histogram of the candidates finds the bin of
// the k-th, until its whole key is known; ties go to the lowest index.
__device__ unsigned ordered(float x) {
  const unsigned bits = __float_as_uint(x);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

extern "C" __global__ void top_k(const float* x, float* values, int* indices, int columns, int k) {
  __shared__ unsigned bins[256], prefix, wanted;
  const float* row = x + static_cast<size_t>(blockIdx.x) * columns;
  if (threadIdx.x == 0) {
    prefix = 0;
    wanted = k;
  }
  for (int shift = 24; shift >= 0; shift -= 8) {
    bins[threadIdx.x] = 0;
    __syncthreads();
    const unsigned high = shift == 24 ? 0 : ~0u << (shift + 8);
    for (int i = threadIdx.x; i < columns; i += 256) {
      const unsigned key = ordered(row[i]);
      if ((key & high) == prefix) atomicAdd(&bins[key >> shift & 255], 1u);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      int bin = 255;
      for (; bins[bin] < wanted; --bin) wanted -= bins[bin];
      prefix |= static_cast<unsigned>(bin) << shift;
    }
    __syncthreads();
  }
  // `prefix` is the k-th key, of which `wanted` are taken; all larger keys are. Warp 0 goes in the order of the row.
  if (threadIdx.x >= 32) return;
  unsigned equals = 0, to = 0;
  for (int first = 0; first < columns; first += 32) {
    const int i = first + threadIdx.x;
    const unsigned key = i < columns ? ordered(row[i]) : 0, before = (1u << threadIdx.x) - 1;
    const unsigned equal = __ballot_sync(0xffffffffu, i < columns && key == prefix);
    const bool chosen = i < columns && (key > prefix || (key == prefix && equals + __popc(equal & before) < wanted));
    const unsigned all = __ballot_sync(0xffffffffu, chosen);
    if (chosen) {
      values[blockIdx.x * k + to + __popc(all & before)] = row[i];
      indices[blockIdx.x * k + to + __popc(all & before)] = i;
    }
    equals += __popc(equal);
    to += __popc(all);
  }
}
