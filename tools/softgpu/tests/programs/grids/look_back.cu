// A scan in one pass by decoupled look-back: a block takes a ticket, tells its sum, and adds up what blocks before it tell
// until one knows its whole prefix.
constexpr int THREADS = 64;
constexpr unsigned long long SUM = 1ull << 32, PREFIX = 2ull << 32;

extern "C" __global__ void look_back(const unsigned* x, unsigned* y, unsigned long long* states, unsigned* ticket,
                                     int n) {
  __shared__ unsigned tile, before, warps[THREADS / 32];
  if (threadIdx.x == 0) tile = atomicAdd(ticket, 1u);
  __syncthreads();
  const int i = tile * THREADS + threadIdx.x;
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  unsigned v = i < n ? x[i] : 0;
  for (int step = 1; step < 32; step *= 2) {
    const unsigned left = __shfl_up_sync(0xffffffffu, v, step);
    if (lane >= step) v += left;
  }
  if (lane == 31) warps[warp] = v;
  __syncthreads();
  for (unsigned w = 0; w < warp; ++w) v += warps[w];
  if (threadIdx.x == THREADS - 1) {
    volatile unsigned long long* const told = states;
    told[tile] = (tile == 0 ? PREFIX : SUM) | v;  // value and meaning in one word
    unsigned sum = 0;
    for (int back = static_cast<int>(tile) - 1; back >= 0;) {
      const unsigned long long state = told[back];
      if (state < SUM) continue;
      sum += static_cast<unsigned>(state);
      if (state >= PREFIX) break;
      --back;
    }
    if (tile != 0) told[tile] = PREFIX | (sum + v);
    before = sum;
  }
  __syncthreads();
  if (i < n) y[i] = v + before;
}
