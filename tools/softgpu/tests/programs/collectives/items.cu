// CUB's other collectives of a block: loads and stores, exchanges, shuffles, heads and tails of runs, differences, run
// lengths decoded, histograms.
#include <cub/block/block_adjacent_difference.cuh>
#include <cub/block/block_discontinuity.cuh>
#include <cub/block/block_exchange.cuh>
#include <cub/block/block_histogram.cuh>
#include <cub/block/block_load.cuh>
#include <cub/block/block_run_length_decode.cuh>
#include <cub/block/block_shuffle.cuh>
#include <cub/block/block_store.cuh>

constexpr int THREADS = 64, ITEMS = 4, TILE = THREADS * ITEMS;

// Doubles what a tile holds; the last tile is part of one.
template <class T, cub::BlockLoadAlgorithm LOAD, cub::BlockStoreAlgorithm STORE>
__device__ void doubled(const T* x, T* y, int n) {
  using Load = cub::BlockLoad<T, THREADS, ITEMS, LOAD>;
  using Store = cub::BlockStore<T, THREADS, ITEMS, STORE>;
  __shared__ union {
    typename Load::TempStorage load;
    typename Store::TempStorage store;
  } storage;
  const int first = blockIdx.x * TILE, valid = min(TILE, n - first);
  T items[ITEMS];
  if (valid == TILE)
    Load(storage.load).Load(x + first, items);
  else
    Load(storage.load).Load(x + first, items, valid, T(0));
  for (int i = 0; i < ITEMS; ++i) items[i] = static_cast<T>(items[i] + items[i]);
  __syncthreads();
  if (valid == TILE)
    Store(storage.store).Store(y + first, items);
  else
    Store(storage.store).Store(y + first, items, valid);
}
#define DOUBLED(name, T, ALGORITHM)                                                 \
  extern "C" __global__ void doubled_##name(const T* x, T* y, int n) {              \
    doubled<T, cub::BLOCK_LOAD_##ALGORITHM, cub::BLOCK_STORE_##ALGORITHM>(x, y, n); \
  }
DOUBLED(direct, int, DIRECT)
DOUBLED(vectorize, int, VECTORIZE)
DOUBLED(transpose, short, TRANSPOSE)
DOUBLED(warp_transpose, double, WARP_TRANSPOSE)
DOUBLED(striped, float, STRIPED)

extern "C" __global__ void exchange(const int* x, const int* ranks, int* striped, int* scattered) {
  using Exchange = cub::BlockExchange<int, THREADS, ITEMS>;
  __shared__ typename Exchange::TempStorage storage;
  int items[ITEMS], by_rank[ITEMS], rank[ITEMS];
  for (int i = 0; i < ITEMS; ++i) {
    items[i] = by_rank[i] = x[threadIdx.x * ITEMS + i];
    rank[i] = ranks[threadIdx.x * ITEMS + i];
  }
  Exchange(storage).BlockedToStriped(items, items);
  __syncthreads();
  Exchange(storage).ScatterToBlocked(by_rank, by_rank, rank);
  for (int i = 0; i < ITEMS; ++i) {
    striped[threadIdx.x * ITEMS + i] = items[i];
    scattered[threadIdx.x * ITEMS + i] = by_rank[i];
  }
}

extern "C" __global__ void shuffle(const int* x, int* offset, int* rotated, int* up) {
  using Shuffle = cub::BlockShuffle<int, THREADS>;
  __shared__ typename Shuffle::TempStorage storage;
  const int v = x[threadIdx.x];
  int three = v, five, before[1], here[1] = {v};
  Shuffle(storage).Offset(v, three, -3);
  __syncthreads();
  Shuffle(storage).Rotate(v, five, 5);
  __syncthreads();
  before[0] = -1;
  Shuffle(storage).Up(here, before);
  offset[threadIdx.x] = three;
  rotated[threadIdx.x] = five;
  up[threadIdx.x] = before[0];
}

struct Differs {
  __device__ bool operator()(int a, int b) const { return a != b; }
};
struct Minus {
  __device__ int operator()(int a, int b) const { return a - b; }
};
extern "C" __global__ void runs(const int* x, int* heads, int* tails, int* differences) {
  using Discontinuity = cub::BlockDiscontinuity<int, THREADS>;
  using Difference = cub::BlockAdjacentDifference<int, THREADS>;
  __shared__ typename Discontinuity::TempStorage for_flags;
  __shared__ typename Difference::TempStorage for_differences;
  int items[ITEMS], head[ITEMS], tail[ITEMS], difference[ITEMS];
  for (int i = 0; i < ITEMS; ++i) items[i] = x[threadIdx.x * ITEMS + i];
  Discontinuity(for_flags).FlagHeadsAndTails(head, tail, items, Differs());
  Difference(for_differences).SubtractLeft(items, difference, Minus());
  for (int i = 0; i < ITEMS; ++i) {
    heads[threadIdx.x * ITEMS + i] = head[i];
    tails[threadIdx.x * ITEMS + i] = tail[i];
    differences[threadIdx.x * ITEMS + i] = difference[i];
  }
}

// Two runs a thread, decoded by windows of a tile.
extern "C" __global__ void run_length_decode(const int* values, const unsigned* lengths, int* decoded,
                                             unsigned* decoded_size) {
  using Decode = cub::BlockRunLengthDecode<int, THREADS, 2, ITEMS>;
  __shared__ typename Decode::TempStorage storage;
  int value[2] = {values[2 * threadIdx.x], values[2 * threadIdx.x + 1]};
  unsigned length[2] = {lengths[2 * threadIdx.x], lengths[2 * threadIdx.x + 1]}, total = 0;
  Decode decode(storage, value, length, total);
  for (unsigned first = 0; first < total; first += TILE) {
    int items[ITEMS];
    decode.RunLengthDecode(items, first);
    for (int i = 0; i < ITEMS; ++i) {
      const unsigned at = first + threadIdx.x * ITEMS + i;
      if (at < total) decoded[at] = items[i];
    }
  }
  if (threadIdx.x == 0) *decoded_size = total;
}

template <cub::BlockHistogramAlgorithm ALGORITHM>
__device__ void histogram(const unsigned char* x, unsigned* bins) {
  using Histogram = cub::BlockHistogram<unsigned char, THREADS, ITEMS, 64, ALGORITHM>;
  __shared__ typename Histogram::TempStorage storage;
  __shared__ unsigned counts[64];
  unsigned char items[ITEMS];
  for (int i = 0; i < ITEMS; ++i) items[i] = x[blockIdx.x * TILE + threadIdx.x * ITEMS + i];
  Histogram(storage).Histogram(items, counts);
  __syncthreads();
  bins[blockIdx.x * 64 + threadIdx.x] = counts[threadIdx.x];
}
extern "C" __global__ void histogram_sort(const unsigned char* x, unsigned* bins) {
  histogram<cub::BLOCK_HISTO_SORT>(x, bins);
}
extern "C" __global__ void histogram_atomic(const unsigned char* x, unsigned* bins) {
  histogram<cub::BLOCK_HISTO_ATOMIC>(x, bins);
}
