// spherical.softmax_cross_entropy: log-softmax with label smoothing and a penalty on the log-sum-exp, on given logits.
//
//   lse = log sum_k exp(o_k)        L = (1 - e)(lse - o_c) + (e/D) sum_k (lse - o_k)        penalty = p lse^2
//   d(L + penalty)/do_k = (1 - e + e n/D + 2 p lse) exp(o_k - lse) - e/D - (1 - e) [k = c]
//
// A class whose logit is -inf is masked: it has no part in either sum, its probability and its gradient are 0. The
// weight e/D that smoothing gives it is dropped, not given to the others; n is the number of classes not masked. A masked
// target: loss +inf, the other gradients as ever. A row wholly masked: loss, penalty, lse and gradient NaN.
//
// Shapes    logits f [B, D], targets [B] -> loss, penalty, lse f32 [B], grad_logits f [B, D]; f = f32, f16, bf16. B = 0
//           launches nothing.
// Source    Szegedy et al. 2016 (label smoothing); Milakov and Gimelshein 2018 (the online normalizer).
// Work      A warp per chunk of 2 KiB, or for several short rows, by the variants of common/row_variants.cuh.
// Traffic   As spherical.dense: one read and one write of every byte in variants packed, warp and block, two reads and one
//           write in stream and partials + gradient, and at most one 32-byte sector per chunk besides.
// Numerics  f32, shifted by the row's largest logit M: L is computed from M - o_c and log sum exp(o_k - M), and sum_k
//           (M - o_k), all of them >= 0, so an offset common to all logits costs nothing. A probability below 2^-149
//           counts as 0. With u = 2^-24 and S segments a row, every probability is within
//           (60 + 2.3 (|o_k - M| + log D) + 7 S) u of exact relatively, and log sum exp(o_k - M) within
//           (50 + 2.3 log D + 7 S) u absolutely: docs/numerics.md derives both.
#include <cfloat>

#include "../common/online_softmax.cuh"
#include "../common/row_variants.cuh"
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

template <class element>
struct SoftmaxCrossEntropy {
  using f = element;
  using Params = SoftmaxCrossEntropyParams;
  using Partial = OnlineSoftmax;
  using Row = SoftmaxRow;
  using Targets = OneTarget;
  static constexpr float FILL = -INFINITY;
  struct Outputs {
    float loss, lse, penalty;
  };

  template <class Elements>
  static __device__ __forceinline__ OnlineSoftmax statistics(const Params& p, const Elements& elements) {
    return softmax_of(elements, p.label_smoothing != 0.f);
  }

  // One row's few operations: all its lanes compute them alike.
  template <class Logit, class Lanes>
  static __device__ __forceinline__ Row finish(const Params& p, uint64_t row, const OnlineSoftmax& total, Logit logit,
                                               const Lanes& lanes, const Targets&, Outputs& outputs) {
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
    Row constants;
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
    if (!valid && lanes.index == 0) report(p.status, STATUS_TARGET_OUT_OF_RANGE, p.targets_tensor, row);
    outputs.loss = ignored ? 0.f : 2.f * weighted(p, row, half);
    outputs.lse = valid ? lse : NAN;
    // A weight of 0 first: it leaves nothing of a square beyond f32.
    outputs.penalty = ignored ? 0.f : weighted(p, row, outputs.lse) * p.lse_penalty * lse;
    return constants;
  }

  static __device__ __forceinline__ void store_outputs(const Params& p, uint64_t row, const Outputs& outputs) {
    p.loss[row] = outputs.loss;
    if (p.lse != nullptr) p.lse[row] = outputs.lse;
    if (p.penalty != nullptr) p.penalty[row] = outputs.penalty;
  }

  template <class Lanes>
  static __device__ __forceinline__ void store_targets(const Row& constants, f* gradient, uint32_t begin, uint32_t end,
                                                       const Lanes& lanes, const Targets&) {
    store_target(constants, gradient, begin, end, lanes);
  }
};
}  // namespace oblate

ROW_ENTRIES(softmax_cross_entropy, SoftmaxCrossEntropy, SoftmaxCrossEntropyParams, f32, float)
ROW_ENTRIES(softmax_cross_entropy, SoftmaxCrossEntropy, SoftmaxCrossEntropyParams, f16, __half)
ROW_ENTRIES(softmax_cross_entropy, SoftmaxCrossEntropy, SoftmaxCrossEntropyParams, bf16, __nv_bfloat16)
