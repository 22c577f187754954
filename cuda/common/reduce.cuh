// Reductions of a warp and of a block in a fixed order: the same bits whatever the schedule.
#pragma once

#include <stdint.h>

namespace oblate {
constexpr uint32_t WARP = 32;
constexpr uint32_t ALL_LANES = 0xffffffffu;

__device__ __forceinline__ uint32_t lane_index() { return threadIdx.x % WARP; }
__device__ __forceinline__ uint32_t warp_index() { return threadIdx.x / WARP; }

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
