// spherical.dense: a spherical loss on given logits, and its gradient.
//
//   s = sum_k o_k,  q = sum_k o_k^2,  mu = s/D,  sigma^2 = q/D - mu^2,  z_k = (o_k - mu)/sigma         k = 0 .. D-1
//   squared_error           L = q - 2 o_c + 1
//   log_spherical_softmax   L = -log((o_c^2 + eps)/(q + D eps))
//   log_taylor_softmax      L = -log((1 + o_c + o_c^2/2)/(D + s + q/2))
//   z                       L = softplus(a (b - z_c))/a
//   dL/do_k = Ls + 2 Lq o_k + [k = c] Lc; with K targets of values v_j: sum_j v_j L(o_cj), for squared_error
//   q - 2 sum_j v_j o_cj + sum_c (sum of the v_j that name c)^2
//
// Shapes    logits f [B, D], targets [B] or [B, K] with values f32 -> loss f32 [B], grad_logits f [B, D]; f = f32, f16,
//           bf16. B = 0 launches nothing.
// Source    de Brebisson and Vincent 2016 (the Z-loss; An exploration of softmax alternatives belonging to the spherical
//           loss family), Vincent et al. 2015; moments merged as Chan, Golub and LeVeque 1983.
// Work      A warp per chunk of 2 KiB, or for several short rows, by the variants of common/row_variants.cuh. One kernel
//           for all four losses: they see a row through (mean, m2) alone, and differ in the few operations that are done
//           once a row, so that a loss of its own per kernel would save nothing per element and cost four times the code.
// Traffic   Variants packed, warp and block: every byte of logits once in, of grad_logits once out, and at most one
//           32-byte sector per chunk besides (1/64 of the reading). Variants stream and partials + gradient read the logits
//           twice. By 16-byte accesses, whatever D, when logits and grad_logits agree modulo 16, but for the sectors at a
//           row's edges, whose elements a row moves one by one and never its neighbours'. K targets are read once where
//           spherical.h says that they fit shared memory; else they are read for each 32 of them again, from the workspace.
// Numerics  f32. With u = 2^-24 and S segments a row, m2 = D sigma^2 is within (40 + 2 S) u of exact relatively, mu within
//           (20 + 4 ln S) u of mean |o|, q = m2 + D mu^2 within (80 + 8 ln S + 2 S) u relatively; a constant row has
//           sigma = 0 exactly; no intermediate overflows or vanishes where the result does not. docs/numerics.md derives
//           these, and has what NaN and infinities give.
#include "../common/row_variants.cuh"
#include "losses.cuh"
#include "several_targets.cuh"

namespace oblate {
template <class element>
struct Dense {
  using f = element;
  using Params = DenseParams;
  using Partial = Moments;
  using Row = SphericalRow;
  using Targets = SeveralTargets;
  static constexpr float FILL = 0.f;
  struct Outputs {
    float loss;
  };

  template <class Elements>
  static __device__ __forceinline__ Moments statistics(const Params&, Elements& elements) {
    return moments_of(elements);
  }

  // A row's only target is kept in registers.
  template <class Logit, class Lanes>
  static __device__ __forceinline__ Row finish(const Params& p, uint64_t row, const Moments& total, Logit logit,
                                               const Lanes& lanes, const Targets& targets, Outputs& outputs) {
    const SphericalLoss<DenseParams> spherical(p, total);
    const bool is_squared_error = p.loss_kind == LOSS_SQUARED_ERROR, is_only = !targets.are_several();
    const bool has_gradient = p.grad_logits != nullptr;
    float loss = 0.f, slope = 0.f, offset = 0.f, only_excess = 0.f, only_logit = 0.f;
    uint32_t only = NO_TARGET;
    bool kept = false, valid = true;
    for (uint64_t j = lanes.index; j < targets.count; j += lanes.count) {
      const uint32_t target = is_only ? load_class(p, row) : targets.classes[j];
      if (target == NO_TARGET) continue;
      kept = true;
      if (target == OUT_OF_RANGE) {
        valid = false;
        continue;
      }
      const float value = is_only ? load_value(p, row) : targets.values[j], o = logit(target);
      bool is_first = true;
      const float named = is_only || !(is_squared_error || has_gradient) ? value : targets.named(j, is_first);
      TargetTerms terms = spherical.target(o);
      if (is_squared_error) terms.loss = fmaf(named, spherical.scale, terms.loss);
      loss = fmaf(is_squared_error ? value * spherical.scale : value, terms.loss, loss);
      slope = fmaf(value, terms.slope, slope);
      offset = fmaf(value, terms.offset, offset);
      const float excess = named * terms.excess;
      if (is_only) {
        only = target;
        only_excess = excess;
        only_logit = o;
      } else {
        targets.gradients[j] = is_first ? excess : __uint_as_float(REPEATED);
      }
    }
    kept = lanes.any(kept);
    valid = !lanes.any(!valid);
    loss = weighted(p, row, lanes.sum(loss) + (is_squared_error ? spherical.square_sum() : 0.f));
    if (is_squared_error) loss = loss / spherical.scale / spherical.scale;
    Row constants = spherical.row(lanes.sum(slope), lanes.sum(offset), upstream(p, row));
    if (!valid) {
      loss = NAN;
      constants.factor = NAN;
    }
    if (!kept) {
      loss = 0.f;
      constants = {0.f, 0.f, 0.f, 0.f, 0.f, 0.f, NO_TARGET, 1};
    }
    outputs.loss = loss;
    if (is_only) {
      constants.target = only;
      constants.target_gradient = (only_excess + constants.dense(only_logit)) * constants.factor;
    } else if (has_gradient) {
      // Now, while no gradient has replaced a logit.
      for (uint64_t j = lanes.index; j < targets.count; j += lanes.count) {
        if (!targets.has_gradient(j)) continue;
        const float dense = constants.dense(logit(targets.classes[j]));
        targets.gradients[j] = (targets.gradients[j] + dense) * constants.factor;
      }
    }
    return constants;
  }

  static __device__ __forceinline__ void store_outputs(const Params& p, uint64_t row, const Outputs& outputs) {
    p.loss[row] = outputs.loss;
  }

  template <class Lanes>
  static __device__ __forceinline__ void store_targets(const Row& constants, f* gradient, uint32_t begin, uint32_t end,
                                                       const Lanes& lanes, const Targets& targets) {
    if (!targets.are_several()) {
      store_target(constants, gradient, begin, end, lanes);
      return;
    }
    if (constants.ignored) return;
    for (uint64_t j = lanes.index; j < targets.count; j += lanes.count) {
      const uint32_t target = targets.classes[j];
      if (target < begin || target >= end || !targets.has_gradient(j)) continue;
      gradient[target - begin] = narrow<f>(targets.gradients[j]);
    }
  }
};
}  // namespace oblate

ROW_ENTRIES(dense, Dense, DenseParams, f32, float)
ROW_ENTRIES(dense, Dense, DenseParams, f16, __half)
ROW_ENTRIES(dense, Dense, DenseParams, bf16, __nv_bfloat16)
