// The log-sum-exp of a row, shifted by its largest element, in one pass over its chunks; and the sum of what each
// element lies below the largest, which label smoothing needs.
//
//   max = max_k o_k     sum = sum_k exp(o_k - max)     below = sum_k 2^-40 (max - o_k)     count = #{k: o_k > -inf}
//
// all over the elements that are not -inf. Every term is positive: no cancellation, whatever the logits' offset. Chunks
// merge with the factor exp(max_a - max) <= 1 and by count_a (max - max_a) >= 0. The 2^-40 keeps 2^31 differences of up
// to twice f32's range within it, and takes from a difference only what is below 2^-109, nothing beside a log of 2.
//
// Infinities and NaN. A row of -inf alone has sum = 0. With +inf, max and sum are +inf, so that max + log(sum) is. NaN
// anywhere makes sum NaN, whatever max is then.
#pragma once

#include "reduce.cuh"
#include "vector.cuh"

namespace oblate {
constexpr float LOG2_E = 1.44269504f;

// exp(x) within (4 + 2.3 |x|) 2^-24 relatively: 2 units in the last place of ex2 (PTX ISA, "Floating Point Instructions:
// ex2"), and two roundings of its argument, of log2 e and of the product. 0 below 2^-126.
__device__ __forceinline__ float exp_approximate(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x * LOG2_E));
  return y;
}

// As exp_approximate, with results down to 2^-149: for what is multiplied by a large number afterwards.
__device__ __forceinline__ float exp_to_subnormal(float x) {
  float y;
  asm("ex2.approx.f32 %0, %1;" : "=f"(y) : "f"(x * LOG2_E));
  return y;
}

constexpr float BELOW_SCALE = 0x1p-40f;

struct alignas(16) OnlineSoftmax {
  float max;
  float sum;
  float below;  // with count, 0 where it was not asked for
  uint32_t count;

  static __device__ __forceinline__ OnlineSoftmax none() { return {-INFINITY, 0.f, 0.f, 0}; }
  // What the exponents are shifted by: infinity minus itself would be NaN.
  static __device__ __forceinline__ float base(float max) { return isfinite(max) ? max : 0.f; }
  // How far x lies below max, in units of 2^40.
  static __device__ __forceinline__ float distance(float max, float x) {
    return fmaf(x, -BELOW_SCALE, max * BELOW_SCALE);
  }
};

// To and from shared memory by 16 bytes: four of 4 would meet on the banks.
__device__ __forceinline__ void put(OnlineSoftmax* shared, const OnlineSoftmax& s) {
  uint4 words;
  memcpy(&words, &s, 16);
  store_vector(shared, words);
}
__device__ __forceinline__ OnlineSoftmax get(const OnlineSoftmax* shared) {
  const uint4 words = *reinterpret_cast<const uint4*>(shared);
  OnlineSoftmax s;
  memcpy(&s, &words, 16);
  return s;
}

// The statistics of a chunk, whose elements beyond the row are -inf, or of a short row, in every lane that holds a part
// of it. `with_below` is uniform in the grid.
template <class Elements>
__device__ __forceinline__ OnlineSoftmax softmax_of(const Elements& row, bool with_below) {
  const float max = row.lanes.max(row.fold(-INFINITY, [](float& max, float x) { max = fmaxf(max, x); }));
  const float base = OnlineSoftmax::base(max);
  OnlineSoftmax s = {max, 0.f, 0.f, 0};
  s.sum = row.lanes.sum(row.sum(0.f, [=](float& sum, float x) { sum += exp_approximate(x - base); }));
  if (with_below) {
    s.below = row.lanes.sum(
        row.sum(0.f, [=](float& sum, float x) { sum += x == -INFINITY ? 0.f : OnlineSoftmax::distance(max, x); }));
    s.count = row.lanes.sum(row.fold(0u, [](uint32_t& count, float x) { count += x != -INFINITY; }));
  }
  return s;
}

// Of the elements of a and those of b after them.
__device__ __forceinline__ OnlineSoftmax merge(const OnlineSoftmax& a, const OnlineSoftmax& b) {
  const float max = fmaxf(a.max, b.max);
  const auto factor = [=](float part) { return part == max ? 1.f : exp_approximate(part - max); };
  const auto lower = [=](float part, uint32_t count) {
    return part == max || count == 0 ? 0.f : static_cast<float>(count) * OnlineSoftmax::distance(max, part);
  };
  return {max, a.sum * factor(a.max) + b.sum * factor(b.max),
          (a.below + lower(a.max, a.count)) + (b.below + lower(b.max, b.count)), a.count + b.count};
}
}  // namespace oblate
