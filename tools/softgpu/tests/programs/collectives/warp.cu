// CUB's collectives of a warp: reductions, scans, exchanges and merge sorts of whole warps and of parts.
#include <cub/warp/warp_exchange.cuh>
#include <cub/warp/warp_load.cuh>
#include <cub/warp/warp_merge_sort.cuh>
#include <cub/warp/warp_reduce.cuh>
#include <cub/warp/warp_scan.cuh>
#include <cub/warp/warp_store.cuh>

constexpr int WARPS = 4;

struct Smaller {
  template <class T>
  __device__ bool operator()(const T& a, const T& b) const {
    return a < b;
  }
};

struct Larger {
  template <class T>
  __device__ T operator()(const T& a, const T& b) const {
    return a < b ? b : a;
  }
};

// The sum, the largest, the sum of the first `valid`, inclusive sums and exclusive largest ones of each group of LANES.
template <class T, int LANES>
__device__ void reduce_and_scan(const T* x, T* out, int n, int valid) {
  using Reduce = cub::WarpReduce<T, LANES>;
  using Scan = cub::WarpScan<T, LANES>;
  __shared__ typename Reduce::TempStorage for_reduce[WARPS * 32 / LANES];
  __shared__ typename Scan::TempStorage for_scan[WARPS * 32 / LANES];
  const int i = blockIdx.x * blockDim.x + threadIdx.x, group = threadIdx.x / LANES;
  const T v = x[i];
  const T sum = Reduce(for_reduce[group]).Sum(v);
  __syncwarp();
  const T largest = Reduce(for_reduce[group]).Reduce(v, Larger());
  __syncwarp();
  const T some = Reduce(for_reduce[group]).Sum(v, valid);
  if (threadIdx.x % LANES == 0) {
    out[i] = sum;
    out[n + i] = largest;
    out[2 * n + i] = some;
  }
  T inclusive, exclusive;
  Scan(for_scan[group]).InclusiveSum(v, inclusive);
  __syncwarp();
  Scan(for_scan[group]).ExclusiveScan(v, exclusive, T(0), Larger());
  out[3 * n + i] = inclusive;
  out[4 * n + i] = exclusive;
}
#define REDUCE_AND_SCAN(name, T, LANES)                                                    \
  extern "C" __global__ void warp_##name##_##LANES(const T* x, T* out, int n, int valid) { \
    reduce_and_scan<T, LANES>(x, out, n, valid);                                           \
  }
REDUCE_AND_SCAN(i32, int, 32)
REDUCE_AND_SCAN(i32, int, 8)
REDUCE_AND_SCAN(u64, unsigned long long, 32)
REDUCE_AND_SCAN(f32, float, 32)
REDUCE_AND_SCAN(f32, float, 16)
REDUCE_AND_SCAN(f64, double, 32)

// Sorts pairs of each warp, four items a lane, through a transposing load and store.
extern "C" __global__ void warp_sort(const int* keys, const short* values, int* sorted_keys, short* sorted_values) {
  using Load = cub::WarpLoad<int, 4, cub::WARP_LOAD_TRANSPOSE>;
  using Store = cub::WarpStore<int, 4, cub::WARP_STORE_VECTORIZE>;
  using Sort = cub::WarpMergeSort<int, 4, 32, short>;
  using Exchange = cub::WarpExchange<short, 4>;
  __shared__ typename Load::TempStorage for_load[WARPS];
  __shared__ typename Store::TempStorage for_store[WARPS];
  __shared__ typename Sort::TempStorage for_sort[WARPS];
  __shared__ typename Exchange::TempStorage for_exchange[WARPS];
  // A merge reads a key past the end of a run, and does not use it.
  for (unsigned i = threadIdx.x; i < sizeof(for_sort) / 4; i += 32 * WARPS) reinterpret_cast<int*>(for_sort)[i] = 0;
  __syncthreads();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, first = (blockIdx.x * WARPS + warp) * 128;
  int key[4];
  short value[4];
  Load(for_load[warp]).Load(keys + first, key);
  for (int i = 0; i < 4; ++i) value[i] = values[first + 32 * i + lane];
  Exchange(for_exchange[warp]).StripedToBlocked(value, value);
  Sort(for_sort[warp]).Sort(key, value, Smaller());
  Store(for_store[warp]).Store(sorted_keys + first, key);
  for (int i = 0; i < 4; ++i) sorted_values[first + 4 * lane + i] = value[i];
}
