// Several targets a row: read once, into shared memory, or into the workspace where that has no room, each as
//
//   class      NO_TARGET where it is dropped, OUT_OF_RANGE where it is no class and reported
//   value      1 without values
//   gradient   in the end the finished gradient of the class; REPEATED where an earlier entry names the class too
//
// three arrays of K words a row, and a word more where that makes the rows' distance odd: lanes with a row each then meet
// no bank twice. In between they are the business of the row's lanes alone, entry j that of lane j mod lanes.
#pragma once

#include "targets.cuh"

namespace oblate {
constexpr uint32_t OUT_OF_RANGE = NO_TARGET - 1;
// No gradient has these bits: arithmetic gives NaN as 0x7fffffff (PTX ISA, "Floating Point Instructions").
constexpr uint32_t REPEATED = 0xffffffffu;

// The class of a flat entry of `targets`, or what it is instead.
__device__ __forceinline__ uint32_t load_class(const DenseParams& p, uint64_t flat) {
  const int64_t index = load_index(p.targets, p.index_dtype, flat);
  if (index == p.ignore_index) return NO_TARGET;
  if (index >= 0 && static_cast<uint64_t>(index) < p.classes) return static_cast<uint32_t>(index);
  report(p.status, STATUS_TARGET_OUT_OF_RANGE, p.targets_tensor, flat);
  return OUT_OF_RANGE;
}
__device__ __forceinline__ float load_value(const DenseParams& p, uint64_t flat) {
  return p.values == nullptr ? 1.f : p.values[flat];
}

struct SeveralTargets {
  uint64_t count;
  uint32_t* classes;
  float* values;
  float* gradients;

  // Those of the row; `place` is its index among the rows whose targets are in `shared`.
  __device__ __forceinline__ SeveralTargets(const DenseParams& p, unsigned char* shared, uint64_t row, uint32_t place)
      : count(p.targets_per_row) {
    const uint64_t words = 3 * count | 1;
    classes = p.targets_are_shared ? reinterpret_cast<uint32_t*>(shared) + place * words
                                   : static_cast<uint32_t*>(p.target_entries) + row * words;
    values = reinterpret_cast<float*>(classes + count);
    gradients = values + count;
  }

  // Reads the targets of `rows` rows from `first` on, by `threads` threads, in the order in which they lie in memory.
  static __device__ __forceinline__ void stage(const DenseParams& p, unsigned char* shared, uint64_t first,
                                               uint32_t first_place, uint32_t rows, uint32_t thread, uint32_t threads) {
    const uint64_t K = p.targets_per_row;
    if (K == 1) return;
    uint64_t row = thread / K, j = thread % K;
#pragma unroll 1
    while (row < rows) {
      const uint64_t flat = (first + row) * K + j;
      const SeveralTargets targets(p, shared, first + row, first_place + row);
      targets.classes[j] = load_class(p, flat);
      targets.values[j] = load_value(p, flat);
      row += threads / K;
      j += threads % K;
      if (j >= K) {
        j -= K;
        ++row;
      }
    }
  }

  __device__ __forceinline__ bool are_several() const { return count > 1; }
  // Whether a warp's part of the row's classes, [begin, end), has targets.
  __device__ __forceinline__ bool any_in(uint32_t begin, uint32_t end) const {
    bool any = false;
    for (uint64_t j = lane_index(); j < count; j += WARP) any = any || (classes[j] >= begin && classes[j] < end);
    return __any_sync(ALL_LANES, any);
  }

  // Of entry j: the sum of the values that name its class, in the order of the entries, and whether it is the first.
  __device__ __forceinline__ float named(uint64_t j, bool& is_first) const {
    float sum = 0.f;
    is_first = true;
#pragma unroll 1
    for (uint64_t i = 0; i < count; ++i) {
      if (classes[i] != classes[j]) continue;
      sum += values[i];
      is_first = is_first && i >= j;
    }
    return sum;
  }

  __device__ __forceinline__ bool has_gradient(uint64_t j) const {
    return classes[j] < OUT_OF_RANGE && __float_as_uint(gradients[j]) != REPEATED;
  }

  // Copies what the gradient's launch needs from shared memory to the workspace, and there from the workspace.
  template <class Lanes>
  __device__ __forceinline__ void save(const DenseParams& p, uint64_t row, const Lanes& lanes) const {
    if (count == 1 || !p.targets_are_shared || p.target_entries == nullptr) return;
    uint32_t* const to = static_cast<uint32_t*>(p.target_entries) + row * (3 * count | 1);
    for (uint64_t j = lanes.index; j < count; j += lanes.count) {
      to[j] = has_gradient(j) ? classes[j] : NO_TARGET;
      if (has_gradient(j)) to[2 * count + j] = __float_as_uint(gradients[j]);
    }
  }
  __device__ __forceinline__ void restore(const DenseParams& p, uint64_t row, uint32_t thread, uint32_t threads) const {
    if (count == 1 || !p.targets_are_shared) return;
    const uint32_t* const from = static_cast<const uint32_t*>(p.target_entries) + row * (3 * count | 1);
    for (uint64_t j = thread; j < count; j += threads) {
      classes[j] = from[j];
      if (classes[j] != NO_TARGET) gradients[j] = __uint_as_float(from[2 * count + j]);
    }
  }
};
}  // namespace oblate
