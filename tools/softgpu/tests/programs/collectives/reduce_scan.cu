// CUB's reductions and scans of a block, by each of their algorithms, in several types, sizes of block and items a thread.
#include <cub/block/block_reduce.cuh>
#include <cub/block/block_scan.cuh>

struct Larger {
  template <class T>
  __device__ T operator()(const T& a, const T& b) const {
    return a < b ? b : a;
  }
};

template <class T, int THREADS, int ITEMS, cub::BlockReduceAlgorithm REDUCE, cub::BlockScanAlgorithm SCAN>
__device__ void reduce_and_scan(const T* x, T* totals, T* inclusive, T* exclusive) {
  using Reduce = cub::BlockReduce<T, THREADS, REDUCE>;
  using Scan = cub::BlockScan<T, THREADS, SCAN>;
  __shared__ union {
    typename Reduce::TempStorage reduce;
    typename Scan::TempStorage scan;
  } storage;
  const int first = (blockIdx.x * THREADS + threadIdx.x) * ITEMS;
  T items[ITEMS], sums[ITEMS], all;
  for (int i = 0; i < ITEMS; ++i) items[i] = x[first + i];
  const T sum = Reduce(storage.reduce).Sum(items);
  __syncthreads();
  const T largest = Reduce(storage.reduce).Reduce(items, Larger());
  __syncthreads();
  const T some = Reduce(storage.reduce).Sum(items[0], THREADS / 2 + 1);
  __syncthreads();
  Scan(storage.scan).InclusiveSum(items, sums, all);
  for (int i = 0; i < ITEMS; ++i) inclusive[first + i] = sums[i];
  __syncthreads();
  Scan(storage.scan).ExclusiveScan(items, sums, T(0), Larger());
  for (int i = 0; i < ITEMS; ++i) exclusive[first + i] = sums[i];
  if (threadIdx.x == 0) {
    totals[4 * blockIdx.x] = sum;
    totals[4 * blockIdx.x + 1] = largest;
    totals[4 * blockIdx.x + 2] = some;
    totals[4 * blockIdx.x + 3] = all;
  }
}
#define REDUCE_AND_SCAN(name, T, THREADS, ITEMS, REDUCE, SCAN)                                                       \
  extern "C" __global__ void block_##name##_##THREADS##x##ITEMS(const T* x, T* totals, T* inclusive, T* exclusive) { \
    reduce_and_scan<T, THREADS, ITEMS, cub::BLOCK_REDUCE_##REDUCE, cub::BLOCK_SCAN_##SCAN>(x, totals, inclusive,     \
                                                                                           exclusive);               \
  }
REDUCE_AND_SCAN(i32, int, 128, 4, WARP_REDUCTIONS, WARP_SCANS)
REDUCE_AND_SCAN(i32, int, 96, 1, RAKING, RAKING)
REDUCE_AND_SCAN(u64, unsigned long long, 256, 2, RAKING_COMMUTATIVE_ONLY, RAKING_MEMOIZE)
REDUCE_AND_SCAN(f32, float, 64, 3, WARP_REDUCTIONS, RAKING)
REDUCE_AND_SCAN(f64, double, 128, 2, RAKING, WARP_SCANS)
REDUCE_AND_SCAN(u8, unsigned char, 32, 1, RAKING_COMMUTATIVE_ONLY, WARP_SCANS)

// A running prefix from tile to tile, as a caller hands it over.
struct Running {
  int total;
  __device__ int operator()(int tile) {
    const int before = total;
    total += tile;
    return before;
  }
};
extern "C" __global__ void running(const int* x, int* y, int tiles) {
  using Scan = cub::BlockScan<int, 64>;
  __shared__ typename Scan::TempStorage storage;
  Running prefix = {1000};
  for (int tile = 0; tile < tiles; ++tile) {
    const int i = 64 * tile + threadIdx.x;
    int v = x[i];
    Scan(storage).InclusiveSum(v, v, prefix);
    __syncthreads();  // the storage is used again
    y[i] = v;
  }
}
