// Radix sort of keys with values over many blocks, 4 bits a pass: a histogram of each block, one scan of all, a stable
// scatter by ballots within warps and counts before them.
constexpr int THREADS = 128, DIGITS = 16, WARPS = THREADS / 32;

extern "C" __global__ void count(const unsigned* keys, unsigned* counts, int n, int shift) {
  __shared__ unsigned of_digit[DIGITS];
  if (threadIdx.x < DIGITS) of_digit[threadIdx.x] = 0;
  __syncthreads();
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i < n) atomicAdd(&of_digit[keys[i] >> shift & (DIGITS - 1)], 1u);
  __syncthreads();
  if (threadIdx.x < DIGITS) counts[threadIdx.x * gridDim.x + blockIdx.x] = of_digit[threadIdx.x];
}

// Exclusive sums in place, one block: each thread a run, then the runs' sums.
extern "C" __global__ void exclusive_sums(unsigned* counts, int n) {
  __shared__ unsigned sums[THREADS];
  const int run = (n + THREADS - 1) / THREADS, first = threadIdx.x * run;
  unsigned sum = 0;
  for (int i = first; i < min(first + run, n); ++i) sum += counts[i];
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    unsigned before = 0;
    for (int t = 0; t < THREADS; ++t) {
      const unsigned of_thread = sums[t];
      sums[t] = before;
      before += of_thread;
    }
  }
  __syncthreads();
  unsigned before = sums[threadIdx.x];
  for (int i = first; i < min(first + run, n); ++i) {
    const unsigned here = counts[i];
    counts[i] = before;
    before += here;
  }
}

extern "C" __global__ void scatter(const unsigned* keys, const unsigned* values, const unsigned* firsts,
                                   unsigned* sorted_keys, unsigned* sorted_values, int n, int shift) {
  __shared__ unsigned of_warp[WARPS][DIGITS];
  const int i = blockIdx.x * THREADS + threadIdx.x, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const bool inside = i < n;
  const unsigned key = inside ? keys[i] : 0, digit = inside ? key >> shift & (DIGITS - 1) : DIGITS;
  unsigned before = 0;
  for (unsigned d = 0; d < DIGITS; ++d) {
    const unsigned here = __ballot_sync(0xffffffffu, digit == d);
    if (digit == d) before = __popc(here & ((1u << lane) - 1));
    if (lane == 0) of_warp[warp][d] = __popc(here);
  }
  __syncthreads();
  if (!inside) return;
  unsigned to = firsts[digit * gridDim.x + blockIdx.x] + before;
  for (int w = 0; w < warp; ++w) to += of_warp[w][digit];
  sorted_keys[to] = key;
  sorted_values[to] = values[i];
}
