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
#include "../common/row_variants.cuh"
#include "softmax.cuh"

namespace oblate {
template <class element>
struct SoftmaxCrossEntropy {
  using f = element;
  using Params = SoftmaxCrossEntropyParams;
  using Partial = OnlineSoftmax;
  using Row = SoftmaxRow;
  using Targets = OneTarget;
  static constexpr float FILL = -INFINITY;
  using Outputs = SoftmaxOutputs;

  template <class Elements>
  static __device__ __forceinline__ OnlineSoftmax statistics(const Params& p, const Elements& elements) {
    return softmax_of(elements, p.label_smoothing != 0.f);
  }

  template <class Logit, class Lanes>
  static __device__ __forceinline__ Row finish(const Params& p, uint64_t row, const OnlineSoftmax& total, Logit logit,
                                               const Lanes& lanes, const Targets&, Outputs& outputs) {
    return finish_softmax(p, row, total, logit, lanes.index == 0, outputs);
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
