// The spherical losses: what a row's moments and its target logits make of them.
//
// With D the classes, m2 and mean the row's moments, s the power of two by which they are scaled (moments.cuh):
//
//   squared_error           q - 2 sum_j v_j o_cj + sum_j v_j w_cj            q = m2 + D mean^2
//   log_spherical_softmax   sum_j v_j log(sum_k y_k^2 + D e) / (y_cj^2 + e)   y = o,      e = epsilon
//   log_taylor_softmax      the same                                         y = 1 + o,  e = 1
//   z                       sum_j v_j softplus(a (b - z_cj)) / a             z = (o - mean) / sigma, sigma^2 = m2 / D
//
// j runs over the row's targets, v_j their values, w_c the sum of the v_j that name class c. log_taylor_softmax is
// written so because 1 + o + o^2/2 = ((1 + o)^2 + 1)/2, of the target and of the sum D + s + q/2 alike. The gradient is
//
//   dL/do_k = upstream ((s o_k + shift) slope + offset + [k is a target] w_k excess_k) factor
//
// where shift, slope and offset are the row's and factor, upstream included, takes the scale back: with logits of 1e30
// or 1e-30 every intermediate stays in range.
#pragma once

#include "../common/moments.cuh"
#include "targets.cuh"

namespace oblate {
// All that an element's gradient needs of its row.
struct SphericalRow {
  float scale, shift, slope, offset, factor;
  float target_gradient;  // the finished gradient of the row's only target, when it has one
  uint32_t target;        // and that target, or NO_TARGET; both in the first of the row's lanes
  uint32_t ignored;

  __device__ __forceinline__ float dense(float o) const { return fmaf(fmaf(o, scale, shift), slope, offset); }
  __device__ __forceinline__ float gradient(float o) const { return dense(o) * factor; }
};
static_assert(sizeof(SphericalRow) <= 32, "spherical.h: coefficients");

// One target's part: of the loss, of the row's constants, and of its own gradient, each per unit of its value.
struct TargetTerms {
  float loss, slope, offset, excess;
};

// What a loss takes from the moments, before its targets are known. Params has classes, loss_kind, a, b and epsilon.
template <class Params>
struct SphericalLoss {
  const Params& p;
  float scale, mean, low, m2;  // scale, and the scaled moments
  float deviation;             // z: scaled sigma
  float mean_square;           // the log losses: scaled (sum_k y_k^2 / D + e)
  float log_total;             // and log(sum_k y_k^2 + D e)

  __device__ __forceinline__ SphericalLoss(const Params& params, const Moments& row)
      : p(params), scale(row.scale()), mean(row.mean), low(row.low), m2(row.m2) {
    // Scaled up, e or the values would leave f32's range. Unscaled, what the squares of such small logits lose is below
    // 2^-34 e; squared_error's q is then nothing beside what an f32 loss resolves.
    if (scale > 1.f && (p.loss_kind == LOSS_SQUARED_ERROR || (is_log() && epsilon() >= 0x1p-110f))) {
      mean /= scale;
      m2 = m2 / scale / scale;
      scale = 1.f;
    }
    deviation = sqrtf(m2 / classes());
    const float mean_y = fmaf(added(), scale, mean);
    mean_square = m2 / classes() + fmaf(mean_y, mean_y, epsilon() * scale * scale);
    // Infinities and NaN: mean is then s, m2 is q, and the formula's sum is D + s + q/2 or q + D e.
    if (!isfinite(m2)) mean_square = added() == 0.f ? m2 : mean + m2;
    log_total = logf(classes()) + logf(mean_square) - 2.f * logf(scale);
  }

  __device__ __forceinline__ float classes() const { return static_cast<float>(p.classes); }
  // The log losses: y = added + o, and e.
  __device__ __forceinline__ float added() const { return p.loss_kind == LOSS_LOG_TAYLOR_SOFTMAX ? 1.f : 0.f; }
  __device__ __forceinline__ float epsilon() const { return p.loss_kind == LOSS_LOG_TAYLOR_SOFTMAX ? 1.f : p.epsilon; }
  __device__ __forceinline__ bool is_log() const {
    return p.loss_kind == LOSS_LOG_SPHERICAL_SOFTMAX || p.loss_kind == LOSS_LOG_TAYLOR_SOFTMAX;
  }

  // scale^2 sum_k o_k^2.
  __device__ __forceinline__ float square_sum() const { return isfinite(m2) ? fmaf(classes() * mean, mean, m2) : m2; }

  __device__ __forceinline__ TargetTerms target(float o) const {
    if (p.loss_kind == LOSS_SQUARED_ERROR) return {-2.f * (o * scale), 0.f, 0.f, -1.f};
    if (p.loss_kind == LOSS_Z) {
      const float z = deviation == 0.f ? 0.f : (fmaf(o, scale, -mean) - low) / deviation;
      const float below = p.b - z, tail = expf(-fabsf(p.a * below));
      const float loss = (below > 0.f ? below : 0.f) + log1pf(tail) / p.a;
      const float g = (below > 0.f ? 1.f : tail) / (1.f + tail);
      const float offset = deviation == 0.f ? 0.f : g / deviation / classes();
      return {loss, deviation == 0.f ? 0.f : offset * z / deviation, offset, deviation == 0.f ? 0.f : -g / deviation};
    }
    const float y = added() + o, slope = 2.f / classes() / mean_square;
    if (fabsf(y) > 0x1p60f) {  // e is nothing beside the square, which may overflow; y / y is 1, or NaN for infinities
      return {log_total - 2.f * logf(fabsf(y)), slope, 0.f, -2.f / y * (y / y) / scale};
    }
    const float square = fmaf(y, y, epsilon());
    return {log_total - logf(square), slope, 0.f, -2.f * y / square / scale};
  }

  // The row's constants, from the sums of its targets' slopes and offsets.
  __device__ __forceinline__ SphericalRow row(float slope, float offset, float upstream) const {
    if (p.loss_kind == LOSS_SQUARED_ERROR) return {1.f, 0.f, 1.f, 0.f, 2.f * upstream, 0.f, NO_TARGET, 0};
    if (p.loss_kind == LOSS_Z)
      return {scale, -mean, slope, fmaf(-low, slope, offset), upstream * scale, 0.f, NO_TARGET, 0};
    return {scale, added() * scale, slope, 0.f, upstream * scale, 0.f, NO_TARGET, 0};
  }
};
}  // namespace oblate
