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
//           row's edges, whose elements a row moves one by one and never its neighbours'.
// Numerics  f32. With u = 2^-24 and S segments a row, m2 = D sigma^2 is within (40 + 2 S) u of exact relatively, mu within
//           (20 + 4 ln S) u of mean |o|, q = m2 + D mu^2 within (80 + 8 ln S + 2 S) u relatively; a constant row has
//           sigma = 0 exactly; no intermediate overflows or vanishes where the result does not. docs/numerics.md derives
//           these, and has what NaN and infinities give.
#include "../common/row_variants.cuh"
#include "losses.cuh"
#include "targets.cuh"

namespace oblate {
template <class element>
struct Dense {
  using f = element;
  using Params = DenseParams;
  using Partial = Moments;
  using Row = SphericalRow;
  static constexpr float FILL = 0.f;

  template <class Elements>
  static __device__ __forceinline__ Moments statistics(const Params&, Elements& elements) {
    return moments_of(elements);
  }

  // Target j of a row: its class, and its value; dropped when it is ignore_index.
  struct Target {
    int64_t index;
    float value;
    bool kept, valid;

    __device__ __forceinline__ Target(const Params& p, uint64_t row, uint64_t j) {
      const uint64_t flat = row * p.targets_per_row + j;
      index = load_index(p.targets, p.index_dtype, flat);
      value = p.values == nullptr ? 1.f : p.values[flat];
      kept = index != p.ignore_index;
      valid = index >= 0 && static_cast<uint64_t>(index) < p.classes;
    }
  };

  // The sum of the row's values that name the target's class, in the order of the entries.
  static __device__ __forceinline__ float named(const Params& p, uint64_t row, const Target& target) {
    if (p.targets_per_row == 1) return target.value;
    float sum = 0.f;
    for (uint64_t i = 0; i < p.targets_per_row; ++i) {
      const Target other(p, row, i);
      if (other.index == target.index) sum += other.value;
    }
    return sum;
  }

  // A row's only target is kept in registers; of several each lane keeps its own, their excess in target_gradients.
  template <class Logit, class Lanes>
  static __device__ __forceinline__ Row finish(const Params& p, uint64_t row, const Moments& total, Logit logit,
                                               const Lanes& lanes) {
    const SphericalLoss spherical(p, total);
    const bool is_squared_error = p.loss_kind == LOSS_SQUARED_ERROR;
    float loss = 0.f, slope = 0.f, offset = 0.f, only_excess = 0.f, only_logit = 0.f;
    uint32_t only = NO_TARGET;
    bool kept = false, valid = true;
    for (uint64_t j = lanes.index; j < p.targets_per_row; j += lanes.count) {
      const uint64_t flat = row * p.targets_per_row + j;
      const Target target(p, row, j);
      if (!target.kept) continue;
      kept = true;
      if (!target.valid) {
        valid = false;
        report(p.status, STATUS_TARGET_OUT_OF_RANGE, p.targets_tensor, flat);
        continue;
      }
      const float o = logit(target.index);
      TargetTerms terms = spherical.target(o);
      if (is_squared_error) terms.loss = fmaf(named(p, row, target), spherical.scale, terms.loss);
      loss = fmaf(is_squared_error ? target.value * spherical.scale : target.value, terms.loss, loss);
      slope = fmaf(target.value, terms.slope, slope);
      offset = fmaf(target.value, terms.offset, offset);
      if (p.targets_per_row == 1) {
        only = static_cast<uint32_t>(target.index);
        only_excess = target.value * terms.excess;
        only_logit = o;
      } else if (p.target_gradients != nullptr) {
        p.target_gradients[flat] = terms.excess;
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
    if (lanes.index == 0) p.loss[row] = loss;
    if (p.targets_per_row == 1) {
      constants.target = only;
      constants.target_gradient = (only_excess + constants.dense(only_logit)) * constants.factor;
    } else if (p.target_gradients != nullptr) {
      // Now, while no gradient has replaced a logit. Entries that name one class each find the same gradient for it.
      for (uint64_t j = lanes.index; j < p.targets_per_row; j += lanes.count) {
        const uint64_t flat = row * p.targets_per_row + j;
        const Target target(p, row, j);
        if (!target.kept || !target.valid) continue;
        const float excess = p.target_gradients[flat], dense = constants.dense(logit(target.index));
        p.target_gradients[flat] = fmaf(named(p, row, target), excess, dense) * constants.factor;
      }
    }
    return constants;
  }

  template <class Lanes>
  static __device__ __forceinline__ void store_targets(const Params& p, uint64_t row, const Row& constants, f* gradient,
                                                       uint64_t begin, uint64_t end, const Lanes& lanes) {
    if (p.targets_per_row == 1) {
      if (lanes.index == 0) store_target(constants, gradient, begin, end);
      return;
    }
    if (constants.ignored) return;
    for (uint64_t j = lanes.index; j < p.targets_per_row; j += lanes.count) {
      const Target target(p, row, j);
      const uint64_t index = target.index;  // a negative one is beyond every end
      if (!target.kept || index < begin || index >= end) continue;
      gradient[index] = narrow<f>(p.target_gradients[row * p.targets_per_row + j]);
    }
  }
};
}  // namespace oblate

ROW_ENTRIES(dense, Dense, DenseParams, f32, float)
ROW_ENTRIES(dense, Dense, DenseParams, f16, __half)
ROW_ENTRIES(dense, Dense, DenseParams, bf16, __nv_bfloat16)
