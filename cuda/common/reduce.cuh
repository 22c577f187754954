// Reductions of a warp and of a block in a fixed order: the same bits whatever the schedule.
#pragma once

#include <stdint.h>

namespace oblate {
constexpr uint32_t WARP = 32;
constexpr uint32_t ALL_LANES = 0xffffffffu;

__device__ __forceinline__ uint32_t lane_index() { return threadIdx.x % WARP; }
__device__ __forceinline__ uint32_t warp_index() { return threadIdx.x / WARP; }

// A value that is kept in its register. Without, nvcc 13.0 forms the offsets of a chunk anew for each of its vectors.
__device__ __forceinline__ uint32_t kept(uint32_t x) {
  asm volatile("" : "+r"(x));
  return x;
}
__device__ __forceinline__ uint64_t kept(uint64_t x) {
  asm volatile("" : "+l"(x));
  return x;
}

// Butterflies: every lane gets the result, in the same bits, since a + b = b + a.
template <class T>
__device__ __forceinline__ T warp_sum(T x) {
#pragma unroll
  for (uint32_t step = 1; step < WARP; step *= 2) x += __shfl_xor_sync(ALL_LANES, x, step);
  return x;
}

// NaN is passed over: of NaN alone the result is NaN.
__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
  for (uint32_t step = 1; step < WARP; step *= 2) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, step));
  return x;
}

// The lanes that hold a row between them; every lane of the warp calls each function. Here the whole warp.
struct WarpLanes {
  static constexpr uint32_t count = WARP;
  uint32_t index = lane_index();

  template <class T>
  __device__ __forceinline__ T sum(T x) const {
    return warp_sum(x);
  }
  __device__ __forceinline__ float max(float x) const { return warp_max(x); }
  __device__ __forceinline__ bool any(bool x) const { return __any_sync(ALL_LANES, x); }
};

// A row for each group of neighbouring lanes, whose number is a power of two.
struct GroupLanes {
  static constexpr uint32_t NO_ROW = 0xffffffffu;

  uint32_t count;
  uint32_t index;  // in the group; NO_ROW, beyond all elements and targets, where the group has no row

  __device__ __forceinline__ GroupLanes(uint32_t count, bool has_row)
      : count(count), index(has_row ? lane_index() & (count - 1) : NO_ROW) {}

  // Of n things that the lanes take in turn, those of this lane.
  __device__ __forceinline__ uint32_t own(uint32_t n) const {
    return index < n ? (n - 1 - index >> __ffs(count) - 1) + 1 : 0;
  }

  template <class T>
  __device__ __forceinline__ T sum(T x) const {
#pragma unroll 1
    for (uint32_t step = 1; step < count; step *= 2) x += __shfl_xor_sync(ALL_LANES, x, step);
    return x;
  }
  __device__ __forceinline__ float max(float x) const {
#pragma unroll 1
    for (uint32_t step = 1; step < count; step *= 2) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, step));
    return x;
  }
  __device__ __forceinline__ bool any(bool x) const {
    const uint32_t own = (ALL_LANES >> (WARP - count)) << (lane_index() & ~(count - 1));
    return (__ballot_sync(ALL_LANES, x) & own) != 0;
  }
};

// Any struct of 32-bit words, from lane `source` or from `step` lanes above.
template <class T, class Shuffle>
__device__ __forceinline__ T shuffle_words(T value, Shuffle shuffle) {
  static_assert(sizeof(T) % 4 == 0, "whole words");
  uint32_t words[sizeof(T) / 4];
  memcpy(words, &value, sizeof(T));
#pragma unroll
  for (uint32_t& word : words) word = shuffle(word);
  memcpy(&value, words, sizeof(T));
  return value;
}
template <class T>
__device__ __forceinline__ T from_lane(T value, uint32_t source) {
  return shuffle_words(value, [=](uint32_t word) { return __shfl_sync(ALL_LANES, word, source); });
}
template <class T>
__device__ __forceinline__ T from_above(T value, uint32_t step) {
  return shuffle_words(value, [=](uint32_t word) { return __shfl_down_sync(ALL_LANES, word, step); });
}

// The sum over a block of THREADS, in every thread of warp 0. Each call needs scratch of its own.
template <int THREADS, class T>
__device__ __forceinline__ T block_sum(T x, T (&scratch)[THREADS / WARP]) {
  static_assert(THREADS % WARP == 0 && THREADS / WARP <= WARP, "one value a warp, at most a warp of them");
  x = warp_sum(x);
  if (lane_index() == 0) scratch[warp_index()] = x;
  __syncthreads();  // every warp's sum before warp 0 reads them
  return warp_sum(threadIdx.x < THREADS / WARP ? scratch[threadIdx.x] : T(0));
}
}  // namespace oblate
