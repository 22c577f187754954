// CUB's sorts of a block: radix sort of keys and of pairs, up and down, part of the bits, and merge sort.
#include <cub/block/block_merge_sort.cuh>
#include <cub/block/block_radix_sort.cuh>

template <class T, int THREADS, int ITEMS>
__device__ void sort_keys(const T* x, T* up, T* down) {
  using Sort = cub::BlockRadixSort<T, THREADS, ITEMS>;
  __shared__ typename Sort::TempStorage storage;
  const int block = blockIdx.x * THREADS * ITEMS, first = block + threadIdx.x * ITEMS;
  T items[ITEMS];
  for (int i = 0; i < ITEMS; ++i) items[i] = x[first + i];
  Sort(storage).Sort(items);
  for (int i = 0; i < ITEMS; ++i) up[first + i] = items[i];
  __syncthreads();
  Sort(storage).SortDescendingBlockedToStriped(items);
  for (int i = 0; i < ITEMS; ++i) down[block + i * THREADS + threadIdx.x] = items[i];
}
#define SORT_KEYS(name, T, THREADS, ITEMS)                                                   \
  extern "C" __global__ void sort_##name##_##THREADS##x##ITEMS(const T* x, T* up, T* down) { \
    sort_keys<T, THREADS, ITEMS>(x, up, down);                                               \
  }
SORT_KEYS(u32, unsigned, 128, 4)
SORT_KEYS(i32, int, 64, 1)
SORT_KEYS(f32, float, 64, 5)
SORT_KEYS(u8, unsigned char, 128, 3)
SORT_KEYS(i64, long long, 64, 2)
SORT_KEYS(f64, double, 32, 4)

// Pairs by bits 4 to 12 of the key, stable.
extern "C" __global__ void sort_pairs(const unsigned* keys, const float* values, unsigned* sorted_keys,
                                      float* sorted_values) {
  using Sort = cub::BlockRadixSort<unsigned, 128, 2, float>;
  __shared__ typename Sort::TempStorage storage;
  const int first = blockIdx.x * 256 + threadIdx.x * 2;
  unsigned key[2] = {keys[first], keys[first + 1]};
  float value[2] = {values[first], values[first + 1]};
  Sort(storage).Sort(key, value, 4, 12);
  for (int i = 0; i < 2; ++i) {
    sorted_keys[first + i] = key[i];
    sorted_values[first + i] = value[i];
  }
}

struct ByLastDigit {
  __device__ bool operator()(int a, int b) const { return a % 10 < b % 10; }
};
extern "C" __global__ void merge_sort(const int* x, int* y, int valid) {
  using Sort = cub::BlockMergeSort<int, 64, 4>;
  __shared__ typename Sort::TempStorage storage;
  // A merge reads a key past the end of a run, and does not use it.
  for (unsigned i = threadIdx.x; i < sizeof(storage) / 4; i += 64) reinterpret_cast<int*>(&storage)[i] = 0;
  __syncthreads();
  const int first = threadIdx.x * 4;
  int items[4];
  for (int i = 0; i < 4; ++i) items[i] = first + i < valid ? x[first + i] : 0;
  Sort(storage).StableSort(items, ByLastDigit(), valid, 9);
  for (int i = 0; i < 4; ++i)
    if (first + i < valid) y[first + i] = items[i];
}
