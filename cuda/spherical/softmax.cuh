// What a row's cross entropy is, and the constants of its gradient, from the statistics of its logits: the end of
// softmax_cross_entropy and of linear_cross_entropy. softmax_cross_entropy.cu has the formulas and the bounds.
#pragma once

#include <cfloat>

#include "../common/online_softmax.cuh"
#include "spherical.h"
#include "targets.cuh"

namespace oblate {
struct SoftmaxRow {
  float base;             // what the exponents are shifted by; +inf, and so exp 0 or NaN, where the largest logit is
  float slope;            // of exp(o - base) in the gradient
  float offset;           // of every class that is not masked
  float masked;           // the gradient of those that are: 0, or NaN where the row has none other or holds NaN
  float target_gradient;  // the finished gradient of the target
  uint32_t target;        // NO_TARGET where it is none
  uint32_t ignored;

  __device__ __forceinline__ float gradient(float o) const {
    const float g = fmaf(exp_to_subnormal(o - base), slope, offset);
    return o == -INFINITY ? masked : g;
  }
};
static_assert(sizeof(SoftmaxRow) <= 32, "spherical.h: coefficients");

struct SoftmaxOutputs {
  float loss, lse, penalty;
};

// All who compute one row's few operations do so alike; `reports` is true of one of them. `logit` gives the target's.
template <class Params, class Logit>
__device__ __forceinline__ SoftmaxRow finish_softmax(const Params& p, uint64_t row, const OnlineSoftmax& total,
                                                     Logit logit, bool reports, SoftmaxOutputs& outputs) {
  // With +inf, what every finite logit lies below by more than any exponential holds, so that their probability is 0.
  const float base = total.max == INFINITY ? FLT_MAX : OnlineSoftmax::base(total.max);
  const float e = p.label_smoothing, D = static_cast<float>(p.classes);
  const float log_sum = total.sum == 0.f ? NAN : logf(total.sum);  // 0: wholly masked
  const float lse = base + log_sum;
  const int64_t target = load_index(p.targets, p.index_dtype, row);
  const bool ignored = target == p.ignore_index;
  const bool valid = ignored || (target >= 0 && static_cast<uint64_t>(target) < p.classes);
  const float o = valid && !ignored ? logit(target) : NAN;

  // Half the loss: lse - o_c may be twice f32's range, and what e or a weight below 1 makes of it within.
  float half = fmaf(0.5f, log_sum, 0.5f * total.max - 0.5f * o);
  if (e != 0.f && !(half == INFINITY && o == -INFINITY)) {
    const float others = fmaf(0.5f * total.count, log_sum * BELOW_SCALE, 0.5f * total.below);
    half = fmaf(1.f - e, half, e / D / BELOW_SCALE * others);
  }
  const float weight = upstream(p, row), smoothed = e == 0.f ? 1.f : 1.f - e + e * (total.count / D);
  SoftmaxRow constants;
  constants.base = total.max == INFINITY ? INFINITY : base;
  // No penalty is not 0 times an infinite lse.
  constants.slope = weight * (p.penalty == nullptr ? smoothed : fmaf(2.f * p.lse_penalty, lse, smoothed)) / total.sum;
  // Beyond f32 it would be NaN times a probability of 0: it stays the largest f32.
  if (isinf(constants.slope) && isfinite(lse)) constants.slope = copysignf(FLT_MAX, constants.slope);
  constants.offset = weight * -(e / D);
  constants.masked = valid && total.sum > 0.f ? 0.f : NAN;
  constants.ignored = ignored;
  constants.target = valid && !ignored ? static_cast<uint32_t>(target) : NO_TARGET;
  if (!valid) constants.slope = NAN;
  constants.target_gradient = o == -INFINITY ? constants.masked : constants.gradient(o) - weight * (1.f - e);
  if (ignored) constants = {0.f, 0.f, 0.f, 0.f, 0.f, NO_TARGET, 1};
  if (!valid && reports) report(p.status, STATUS_TARGET_OUT_OF_RANGE, p.targets_tensor, row);
  outputs.loss = ignored ? 0.f : 2.f * weighted(p, row, half);
  outputs.lse = valid ? lse : NAN;
  // A weight of 0 first: it leaves nothing of a square beyond f32.
  outputs.penalty = ignored ? 0.f : weighted(p, row, outputs.lse) * p.lse_penalty * lse;
  return constants;
}
}  // namespace oblate
