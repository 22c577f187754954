// Mean and sum of squared deviations of a row, without cancellation and without overflow of what is representable.
//
// A chunk is in registers, so it takes two passes: mean = sum x / n, then d_k = x_k - mean, S1 = sum d_k, S2 = sum d_k^2,
// and the rounding of the mean is taken back: mean + S1/n, m2 = S2 - S1^2/n. Chunks merge by Chan, Golub and LeVeque
// (1983). A constant row gives m2 = 0 and its own value as mean, exactly: d_k is then one small number of units in the
// last place, whose 1024-fold sums are exact, so both corrections are; and equal means merge with delta = 0. The mean is
// kept as two f32, so that a spread far below the mean survives the merges: 1e4 and noise is as good as the noise alone.
//
// Squares of what is beyond 2^40 or below 2^-40 could leave f32's range, so a chunk whose largest magnitude is there is
// scaled first, by 2^-80 or 2^88: the scaled magnitudes then lie below 2^48, and n <= 2^31 of their squares below 2^127.
// A chunk of zeros fits any scale and takes the largest. Merging brings both sides to the smaller scale.
//
// Infinities and NaN. A chunk with any has mean = the IEEE sum of those elements (an infinity, or NaN) and m2 = the sum
// of their squares (infinity; NaN with a NaN), and so has a row: the sums s and q that a formula asks for.
#pragma once

#include "reduce.cuh"
#include "vector.cuh"

namespace oblate {
struct alignas(16) Moments {
  float weight;  // count * scale; both are told from it, since count is 1 to 2^31. 0 in the neutral one
  float mean;    // scale times the elements' mean, rounded
  float low;     // and what the rounding took: a spread of one unit in the last place of the mean is kept
  float m2;      // scale^2 times their sum of squared deviations; never negative

  static __device__ __forceinline__ Moments none() { return {0.f, 0.f, 0.f, 0.f}; }
  // What the elements are multiplied by: 2^-80, 1 or 2^88.
  __device__ __forceinline__ float scale() const {
    return weight < 0x1p-40f ? 0x1p-80f : weight < 0x1p40f ? 1.f : 0x1p88f;
  }
  __device__ __forceinline__ float count() const { return weight / scale(); }

  // Sets mean + low to a + b: their rounded sum, and its rounding exactly (Knuth's two-sum).
  __device__ __forceinline__ void set_mean(float a, float b) {
    mean = a + b;
    const float of_b = mean - a;
    low = (a - (mean - of_b)) + (b - of_b);
  }
};

// Sums of the deviations from an estimate of the mean, and of their squares.
struct Deviations {
  float d, d2;

  __device__ __forceinline__ void operator+=(const Deviations& other) {
    d += other.d;
    d2 += other.d2;
  }
};

// What the row's largest magnitude asks for. Every finite f16 is 0 or between 2^-24 and 2^16.
template <class Elements>
__device__ __forceinline__ float moments_scale(const Elements& row) {
  if (!IS_WIDE<typename Elements::f>) return 1.f;
  const float top = row.fold(0.f, [](float& top, float x) { top = fmaxf(top, fabsf(x)); });
  const bool is_large = row.lanes.any(top > 0x1p40f), is_small = !row.lanes.any(top >= 0x1p-40f);
  return is_large ? 0x1p-80f : is_small ? 0x1p88f : 1.f;
}

// The moments of a chunk, or of a short row, in every lane that holds a part of it.
template <class Elements>
__device__ __forceinline__ Moments moments_of(Elements& row) {
  const float n = static_cast<float>(row.count), scale = moments_scale(row);
  row.multiply(scale);
  const float mean = row.lanes.sum(row.sum(0.f, [](float& sum, float x) { sum += x; })) / n;
  row.refill(isfinite(mean) ? mean : 0.f);  // what is beyond the row does not deviate
  const Deviations lane = row.sum(Deviations{0.f, 0.f}, [=](Deviations& sum, float x) {
    sum.d += x - mean;
    sum.d2 = fmaf(x - mean, x - mean, sum.d2);
  });
  const float s1 = row.lanes.sum(lane.d), s2 = row.lanes.sum(lane.d2);
  const float shift = s1 / n, m2 = fmaf(-s1, shift, s2);
  Moments moments;
  moments.weight = n * scale;
  moments.set_mean(mean, shift);
  moments.m2 = m2 > 0.f ? m2 : 0.f;
  if (__any_sync(ALL_LANES, !isfinite(m2))) {  // some row's; all lanes take part in the sums
    float s = 0.f, q = 0.f;
#pragma unroll 1
    for (uint32_t i = row.lanes.index; i < row.count; i += row.lanes.count) {
      const float x = widen(row.elements[i]);
      if (!isfinite(x)) {
        s += x;
        q = fmaf(x, x, q);
      }
    }
    s = row.lanes.sum(s);
    q = row.lanes.sum(q);
    if (!isfinite(m2)) {
      moments.mean = s;
      moments.low = 0.f;
      moments.m2 = q;
    }
  }
  return moments;
}

// Of the elements of a and those of b after them.
__device__ __forceinline__ Moments merge(const Moments& a, const Moments& b) {
  if (b.weight == 0.f) return a;
  if (a.weight == 0.f) return b;
  const float scale = fminf(a.scale(), b.scale()), count_b = b.count(), count = a.count() + count_b;
  const float to_a = scale / a.scale(), to_b = scale / b.scale();  // powers of two, or 0 for 2^-168
  const float m2 = a.m2 * to_a * to_a + b.m2 * to_b * to_b;
  if (!isfinite(m2)) return {count * scale, a.mean + b.mean, 0.f, a.m2 + b.m2};
  const float mean = a.mean * to_a, low = a.low * to_a, part = count_b / count;
  const float delta = (b.mean * to_b - mean) + (b.low * to_b - low);
  Moments both;
  both.weight = count * scale;
  both.set_mean(mean, fmaf(delta, part, low));
  both.m2 = fmaf(delta * a.count(), delta * part, m2);
  return both;
}
}  // namespace oblate
