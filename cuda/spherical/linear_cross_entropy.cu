// spherical.linear_cross_entropy: softmax_cross_entropy over a linear head, whose logits are never in global memory.
//
//   o = hidden weight' + bias, capped: o <- c tanh(o / c) with softcap c        loss, penalty, lse: softmax_cross_entropy.cu
//   G = d(loss + penalty)/do, times 1 - (o / c)^2 with a softcap
//   grad_hidden = G weight        grad_weight = G' hidden        grad_bias = column sums of G
//   segment_loss_s = sum over the rows b of segment s of o_bc - lse_b, the log-probabilities of their targets
//
// Shapes    hidden f [B, d], weight f [D, d], bias f [D], targets [B] -> loss, penalty, lse, target_logits f32 [B],
//           segment_loss f32 [S], grad_hidden f [B, d], grad_weight [D, d] (f or f32), grad_bias f [D]; f = f32, f16, bf16.
// Source    Wijmans et al. 2024 (Cut Your Losses) and Hsu et al. 2024 (Liger) for the fused head; Milakov and Gimelshein
//           2018 for the online normalizer. Unlike theirs, nothing is skipped by a threshold and nothing added atomically.
// Work      forward: 2 B D d. Backward: 6 B D d, of which 2 form the logits again, to the same bits. Both on tensor cores.
// Traffic   forward: of each 128 x 128 tile of logits its rows of hidden and weight, B D d / 64 elements in all, mostly
//           from L2; 16 bytes a row and run of tiles. Backward, by chunks of C classes: the same again for the logits; G of
//           the chunk (B C elements, bounded: it lies in L2) written once and read d / 64 times; hidden and weight once per
//           128 columns of the outputs; grad_hidden's f32 sums read and written once a chunk; grad_weight written once.
// Numerics  The sums of a logit go on in f32 over d, those of grad_hidden over LINEAR_FOLD classes, whose sums are then
//           added, and those of grad_weight over B, each in the order of its index, 16 terms (f32: 8) to an instruction: a
//           row's outputs depend neither on the batch nor on the chunk. G is rounded to f between its products. f16 has not
//           the range for it: there G is f32, rounded to tf32, which has as many bits as f16. So it meets a copy of hidden in
//           f32 for grad_weight, at twice the tensor time of that product; for grad_hidden each of its rows becomes f16,
//           scaled by a power of two so that its largest entry is near 2^13 and one of 2^-27 of that is still normal. A class of
//           less than 2^-149 of the row's largest probability counts as 0.
#include "../common/matmul.cuh"
#include "softmax.cuh"

namespace oblate {
using HeadParams = LinearCrossEntropyParams;

template <class f>
using HeadTile = Medium<f>;
static_assert(Medium<float>::BM == LINEAR_TILE && Medium<float>::BN == LINEAR_TILE, "spherical.h");
static_assert(Medium<__half>::BM == LINEAR_TILE && Medium<__half>::BN == LINEAR_TILE, "spherical.h");

template <class f, bool ALIGNED>
using Logits = Matmul<HeadTile<f>, f, false, false, ALIGNED>;

__device__ __forceinline__ uint32_t tiles_of(uint64_t size) {
  return static_cast<uint32_t>((size + LINEAR_TILE - 1) / LINEAR_TILE);
}

// Classes of the chunk, its last tile's beyond D not among them.
__device__ __forceinline__ uint32_t classes_of_chunk(const HeadParams& p) {
  return static_cast<uint32_t>(min(static_cast<uint64_t>(p.chunk_classes), p.classes - p.chunk_begin));
}

// A tile's sums become its logits, -inf where a class is masked or beyond D. A bit for each of this thread's columns, in the
// order of j and of the pair's element: whether it is a class that is not masked.
template <class f, class Sums>
__device__ __forceinline__ uint32_t form_logits(const HeadParams& p, Sums& sums) {
  constexpr int COLUMNS = 2 * Sums::NJ;
  constexpr uint32_t ALL = COLUMNS == 32 ? ~0u : (1u << COLUMNS) - 1;
  const bool whole = sums.column(Sums::NJ - 1) + 1 < p.classes;
  if (p.bias == nullptr && p.softcap == 0.f && whole) return ALL;
  const float inverse = p.softcap == 0.f ? 0.f : 1.f / p.softcap;
  uint32_t kept = 0;
#pragma unroll
  for (int column = 0; column < COLUMNS; ++column) {
    const int j = column / 2, c = column % 2;
    const uint64_t n = sums.column(j) + c;
    const float bias = p.bias == nullptr ? 0.f : n < p.classes ? widen(static_cast<const f*>(p.bias)[n]) : 0.f;
    const bool masked = n >= p.classes || bias == -INFINITY;
    kept |= static_cast<uint32_t>(!masked) << column;
#pragma unroll
    for (int i = 0; i < Sums::MI; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float& o = sums.at[i][j][2 * half + c];
        o += bias;
        if (p.softcap != 0.f) o = p.softcap * tanhf(o * inverse);
        if (masked) o = -INFINITY;
      }
    }
  }
  return kept;
}

// The online softmax of the logits that a thread has of each of its rows.
template <class Sums>
struct ThreadSoftmax {
  static constexpr int ROWS = 2 * Sums::MI;
  float max[ROWS], sum[ROWS], below[ROWS];
  uint32_t count;  // the same for all rows: only a bias masks

  __device__ __forceinline__ void clear() {
    count = 0;
#pragma unroll
    for (int r = 0; r < ROWS; ++r) max[r] = -INFINITY, sum[r] = below[r] = 0.f;
  }

  // `with_below` is uniform in the grid.
  __device__ __forceinline__ void add(const Sums& sums, uint32_t kept, bool with_below) {
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const int i = r / 2, half = r % 2;
      float top = max[r];
#pragma unroll
      for (int j = 0; j < Sums::NJ; ++j) top = fmaxf(top, fmaxf(sums.at[i][j][2 * half], sums.at[i][j][2 * half + 1]));
      const float base = OnlineSoftmax::base(top);
      float more = 0.f;
#pragma unroll
      for (int j = 0; j < Sums::NJ; ++j) {
        more += exp_approximate(sums.at[i][j][2 * half] - base);
        more += exp_approximate(sums.at[i][j][2 * half + 1] - base);
      }
      sum[r] = (top == max[r] ? sum[r] : sum[r] * exp_approximate(max[r] - top)) + more;
      if (with_below) {
        if (top != max[r] && count != 0) below[r] += static_cast<float>(count) * OnlineSoftmax::distance(top, max[r]);
#pragma unroll
        for (int j = 0; j < Sums::NJ; ++j) {
#pragma unroll
          for (int c = 0; c < 2; ++c) {
            if (kept >> (2 * j + c) & 1) below[r] += OnlineSoftmax::distance(top, sums.at[i][j][2 * half + c]);
          }
        }
      }
      max[r] = top;
    }
    count += __popc(kept);
  }

  // Of a row, together with the three other lanes of the quad: in its first lane.
  __device__ __forceinline__ OnlineSoftmax of_quad(int r) const {
    OnlineSoftmax s = {max[r], sum[r], below[r], count};
#pragma unroll
    for (int step = 1; step < 4; step *= 2) s = merge(s, from_above(s, step));
    return s;
  }
};

// The targets of a tile's rows, NO_TARGET where there is none.
__device__ __forceinline__ void load_targets(const HeadParams& p, uint32_t* targets, uint64_t m0) {
  if (threadIdx.x >= LINEAR_TILE) return;
  const uint64_t row = m0 + threadIdx.x;
  uint32_t target = NO_TARGET;
  if (row < p.rows) {
    const int64_t named = load_index(p.targets, p.index_dtype, row);
    if (named != p.ignore_index && named >= 0 && static_cast<uint64_t>(named) < p.classes) {
      target = static_cast<uint32_t>(named);
    }
  }
  targets[threadIdx.x] = target;
}

// The target's logit, written by the thread that has it.
template <class Sums>
__device__ __forceinline__ void store_target_logits(const HeadParams& p, const Sums& sums, const uint32_t* targets,
                                                    uint64_t m0) {
#pragma unroll
  for (int r = 0; r < 2 * Sums::MI; ++r) {
    const int i = r / 2, half = r % 2;
    const uint64_t row = sums.row(i, half);
    const uint32_t target = targets[row - m0];
    // A thread's columns are n0 + 8 j and the one after.
    const uint32_t offset = target - static_cast<uint32_t>(sums.n0);
    if (target == NO_TARGET || offset >= 8 * Sums::NJ || (offset & 6) != 0) continue;
    float logit = 0.f;
#pragma unroll
    for (int j = 0; j < Sums::NJ; ++j) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        if (offset == 8 * j + c) logit = sums.at[i][j][2 * half + c];
      }
    }
    p.target_logits[row] = logit;
  }
}

template <class f, bool ALIGNED>
__device__ __forceinline__ void forward(const HeadParams& p) {
  using Product = Logits<f, ALIGNED>;
  using Tile = typename Product::Tile;
  using Sums = typename Product::Sums;
  extern __shared__ uint4 shared[];
  auto* const targets = reinterpret_cast<uint32_t*>(reinterpret_cast<char*>(shared) + Product::SHARED_BYTES);
  auto* const parts = reinterpret_cast<OnlineSoftmax*>(shared);  // [WARPS_N][BM], over the stages
  static_assert(Tile::WARPS_N * LINEAR_TILE * sizeof(OnlineSoftmax) <= Product::SHARED_BYTES, "parts");
  Product product(shared, {static_cast<const f*>(p.hidden), p.rows, p.width, p.width},
                  {static_cast<const f*>(p.weight), p.classes, p.width, p.width});
  const uint32_t tiles_n = tiles_of(p.classes), runs = (tiles_n + p.run_tiles - 1) / p.run_tiles;
  const TileAt at = tile_at(blockIdx.x, tiles_of(p.rows), runs, 16);
  const uint64_t m0 = static_cast<uint64_t>(at.m) * LINEAR_TILE;
  const uint32_t first = at.n * p.run_tiles;
  load_targets(p, targets, m0);

  const bool with_below = p.label_smoothing != 0.f;
  ThreadSoftmax<Sums> softmax;
  softmax.clear();
  product.tiles(m0, static_cast<uint64_t>(first) * LINEAR_TILE, min(p.run_tiles, tiles_n - first), [&](Sums& sums) {
    const uint32_t kept = form_logits<f>(p, sums);
    store_target_logits(p, sums, targets, m0);
    softmax.add(sums, kept, with_below);
  });
  __syncthreads();  // the stages are read
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
  for (int r = 0; r < 2 * Sums::MI; ++r) {
    const OnlineSoftmax of_warp = softmax.of_quad(r);
    const int row = Tile::WM * (warp % Tile::WARPS_M) + 16 * (r / 2) + 8 * (r % 2) + lane / 4;
    if (lane % 4 == 0) put(parts + warp / Tile::WARPS_M * LINEAR_TILE + row, of_warp);
  }
  __syncthreads();  // every warp's part of a row
  const uint64_t row = m0 + threadIdx.x;
  if (threadIdx.x >= LINEAR_TILE || row >= p.rows) return;
  OnlineSoftmax of_run = get(parts + threadIdx.x);
#pragma unroll
  for (int warp_n = 1; warp_n < Tile::WARPS_N; ++warp_n) {
    of_run = merge(of_run, get(parts + warp_n * LINEAR_TILE + threadIdx.x));
  }
  static_cast<OnlineSoftmax*>(p.partials)[at.n * p.rows + row] = of_run;
}

// 2^13 over the largest gradient that a row can have, to a power of two; 1 where there is none.
__device__ __forceinline__ float scale_of(const SoftmaxRow& row) {
  const float largest = fabsf(row.slope) + fabsf(row.offset) + fabsf(row.target_gradient);
  return largest > 0.f ? ldexpf(1.f, max(-126, min(126, 13 - ilogbf(largest)))) : 1.f;
}

__device__ __forceinline__ void finish(const HeadParams& p) {
  constexpr uint32_t ROWS = 32, PARTS = 8;
  __shared__ OnlineSoftmax parts[PARTS][ROWS];
  const uint32_t tiles_n = tiles_of(p.classes), runs = (tiles_n + p.run_tiles - 1) / p.run_tiles;
  const uint32_t part = warp_index(), lane = lane_index();
  const uint64_t row = static_cast<uint64_t>(blockIdx.x) * ROWS + lane;
  const uint32_t each = (runs + PARTS - 1) / PARTS;
  OnlineSoftmax total = OnlineSoftmax::none();
  if (row < p.rows) {
    const auto* const partials = static_cast<const OnlineSoftmax*>(p.partials) + row;
#pragma unroll 4
    for (uint32_t run = part * each; run < min(runs, (part + 1) * each); ++run) {
      total = merge(total, partials[run * p.rows]);
    }
  }
  put(&parts[part][lane], total);
  __syncthreads();  // every part of a row
  if (part != 0 || row >= p.rows) return;
#pragma unroll
  for (uint32_t other = 1; other < PARTS; ++other) total = merge(total, get(&parts[other][lane]));

  SoftmaxOutputs outputs;
  const auto logit = [&](int64_t) { return p.target_logits[row]; };
  SoftmaxRow constants = finish_softmax(p, row, total, logit, true, outputs);
  const bool has_target = constants.target != NO_TARGET;
  if (!has_target) p.target_logits[row] = constants.ignored ? 0.f : NAN;
  p.loss[row] = outputs.loss;
  if (p.lse != nullptr) p.lse[row] = outputs.lse;
  if (p.penalty != nullptr) p.penalty[row] = outputs.penalty;
  if (p.log_probabilities != nullptr) {
    const float log_sum = total.sum == 0.f ? NAN : logf(total.sum);
    const float o = p.target_logits[row];
    p.log_probabilities[row] = has_target ? o - total.max - log_sum : o;
  }
  if (p.coefficients == nullptr) return;
  if (p.unscales != nullptr) p.unscales[row] = 1.f / scale_of(constants);
  uint4 words[2] = {};
  memcpy(words, &constants, sizeof constants);
  store_vector(static_cast<uint4*>(p.coefficients) + 2 * row, words[0]);
  store_vector(static_cast<uint4*>(p.coefficients) + 2 * row + 1, words[1]);
}

__device__ __forceinline__ void add_segments(const HeadParams& p) {
  const uint64_t segment = static_cast<uint64_t>(blockIdx.x) * (blockDim.x / WARP) + warp_index();
  if (segment >= p.segment_count) return;
  // One that is out of order is somewhere: all of them are looked at by every warp, so that all are NaN.
  bool wrong = false;
  for (uint64_t s = lane_index(); s <= p.segment_count; s += WARP) {
    const bool bad = p.segments[s] > p.rows || (s > 0 && p.segments[s] < p.segments[s - 1]);
    if (bad && segment == 0) {
      report(p.status, STATUS_SEGMENTS_OUT_OF_ORDER, p.segments_tensor, s | uint64_t{1} << STATUS_INDEX_BITS);
    }
    wrong |= bad;
  }
  if (__any_sync(ALL_LANES, wrong)) {
    if (lane_index() == 0) p.segment_loss[segment] = NAN;
    return;
  }
  float sum = 0.f;
  for (uint64_t row = p.segments[segment] + lane_index(); row < p.segments[segment + 1]; row += WARP) {
    sum += p.log_probabilities[row];
  }
  sum = warp_sum(sum);
  if (lane_index() == 0) p.segment_loss[segment] = sum;
}

// From one row of wide_hidden to the next: whole vectors.
__device__ __forceinline__ uint64_t wide_stride(const HeadParams& p) { return (p.width + 3) / 4 * 4; }

// The f32 copy of an f16 hidden.
__device__ __forceinline__ void widen_hidden(const HeadParams& p) {
  const uint64_t elements = p.rows * p.width, threads = static_cast<uint64_t>(gridDim.x) * blockDim.x;
  for (uint64_t i = static_cast<uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < elements; i += threads) {
    p.wide_hidden[i / p.width * wide_stride(p) + i % p.width] = widen(static_cast<const __half*>(p.hidden)[i]);
  }
}

// The f16 gradients of the chunk's logits, each row scaled, from those in f32.
__device__ __forceinline__ void narrow_gradients(const HeadParams& p) {
  const uint32_t vectors = p.chunk_classes / 8;
  const uint64_t threads = static_cast<uint64_t>(gridDim.x) * blockDim.x;
  for (uint64_t i = static_cast<uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < p.rows * vectors; i += threads) {
    const uint64_t row = i / vectors;
    // Beyond D, in the last chunk, there is nothing that anyone wrote or reads.
    if (i % vectors * 8 >= tiles_of(classes_of_chunk(p)) * LINEAR_TILE) continue;
    const float scale = 1.f / p.unscales[row];
    const auto* const from = reinterpret_cast<const float4*>(p.wide_grad_logits) + 2 * i;
    const float4 low = from[0], high = from[1];
    const float g[8] = {low.x * scale,  low.y * scale,  low.z * scale,  low.w * scale,
                        high.x * scale, high.y * scale, high.z * scale, high.w * scale};
    store_vector(static_cast<uint4*>(p.grad_logits) + i, narrow_vector<__half>(g));
  }
}

// A logit's gradient.
__device__ __forceinline__ float gradient(const SoftmaxRow& row, float o, bool is_target, float inverse_cap) {
  float g = fmaf(exp_to_subnormal(o - row.base), row.slope, row.offset);
  if (is_target) g = row.target_gradient;
  const float capped = o * inverse_cap;  // 0 without a cap
  g *= fmaf(-capped, capped, 1.f);
  return o == -INFINITY ? row.masked : g;
}

// A tile's logits become their gradients, 0 in ignored rows, whatever is in them, and in those beyond B.
template <class f, class Sums>
__device__ __forceinline__ void form_gradients(const HeadParams& p, Sums& sums) {
  const float inverse_cap = p.softcap == 0.f ? 0.f : 1.f / p.softcap;
#pragma unroll
  for (int r = 0; r < 2 * Sums::MI; ++r) {
    const int i = r / 2, half = r % 2;
    const uint64_t m = sums.row(i, half);
    uint4 words[2] = {};
    if (m < p.rows) {
      const auto* const from = static_cast<const uint4*>(p.coefficients) + 2 * m;
      words[0] = __ldg(from);
      words[1] = __ldg(from + 1);
    }
    SoftmaxRow row;
    memcpy(&row, words, sizeof row);
    const bool has_gradient = m < p.rows && row.ignored == 0;
    const uint32_t target = row.target - static_cast<uint32_t>(sums.n0);
#pragma unroll
    for (int j = 0; j < Sums::NJ; ++j) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        float& o = sums.at[i][j][2 * half + c];
        o = has_gradient ? gradient(row, o, target == 8 * j + c, inverse_cap) : 0.f;
      }
    }
  }
}

// The sums of a tile's columns, of all its rows, into bias_partials. `parts` is [WARPS_M][BN] f32.
template <class Tile, class Sums>
__device__ __forceinline__ void add_columns(const HeadParams& p, const Sums& sums, float* parts, uint32_t tile_m,
                                            uint32_t column0) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  __syncthreads();  // the parts of the tile before are read
#pragma unroll
  for (int column = 0; column < 2 * Sums::NJ; ++column) {
    const int j = column / 2, c = column % 2;
    float sum = 0.f;
#pragma unroll
    for (int r = 0; r < 2 * Sums::MI; ++r) sum += sums.at[r / 2][j][2 * (r % 2) + c];
#pragma unroll
    for (int step = 4; step < 32; step *= 2) sum += __shfl_xor_sync(ALL_LANES, sum, step);
    const int n = Tile::WN * (warp / Tile::WARPS_M) + 8 * j + 2 * (lane % 4) + c;
    if (lane < 4) parts[warp % Tile::WARPS_M * LINEAR_TILE + n] = sum;
  }
  __syncthreads();  // every warp's part of a column
  if (threadIdx.x >= LINEAR_TILE) return;
  float sum = parts[threadIdx.x];
#pragma unroll
  for (int warp_m = 1; warp_m < Tile::WARPS_M; ++warp_m) sum += parts[warp_m * LINEAR_TILE + threadIdx.x];
  p.bias_partials[static_cast<uint64_t>(tile_m) * p.chunk_classes + column0 + threadIdx.x] = sum;
}

template <class f, bool ALIGNED>
__device__ __forceinline__ void grad_logits(const HeadParams& p) {
  using Product = Logits<f, ALIGNED>;
  using Tile = typename Product::Tile;
  using Sums = typename Product::Sums;
  extern __shared__ uint4 shared[];
  auto* const parts = reinterpret_cast<float*>(reinterpret_cast<char*>(shared) + Product::SHARED_BYTES);
  static_assert(4 * Tile::WARPS_M * LINEAR_TILE <= 1024, "spherical.h: grad_logits");
  const uint32_t classes = classes_of_chunk(p), tiles_n = tiles_of(classes), tiles_m = tiles_of(p.rows);
  const TileAt at = tile_at(blockIdx.x, tiles_m, (tiles_n + p.chunk_run_tiles - 1) / p.chunk_run_tiles, 16);
  const uint64_t m0 = static_cast<uint64_t>(at.m) * LINEAR_TILE;
  const uint32_t first = at.n * p.chunk_run_tiles;
  Product product(shared, {static_cast<const f*>(p.hidden), p.rows, p.width, p.width},
                  {static_cast<const f*>(p.weight), p.classes, p.width, p.width});
  product.tiles(m0, p.chunk_begin + static_cast<uint64_t>(first) * LINEAR_TILE, min(p.chunk_run_tiles, tiles_n - first),
                [&](Sums& sums) {
                  form_logits<f>(p, sums);
                  form_gradients<f>(p, sums);
                  // Columns of the chunk, whose padding takes what is beyond D.
                  sums.n0 -= p.chunk_begin;
                  if (p.bias_partials != nullptr) {
                    const auto column0 = static_cast<uint32_t>(sums.n0) / LINEAR_TILE * LINEAR_TILE;
                    add_columns<Tile>(p, sums, parts, at.m, column0);
                  }
                  if constexpr (IS_WIDE<f>) {
                    store(sums, static_cast<f*>(p.grad_logits), p.rows, p.chunk_classes, p.chunk_classes, true);
                  } else {
                    store(sums, p.wide_grad_logits, p.rows, p.chunk_classes, p.chunk_classes, true,
                          [](float g) { return round_tf32(g); });
                  }
                });
}

__device__ __forceinline__ bool is_whole(const void* base, uint64_t stride, uint32_t element_bytes) {
  return (reinterpret_cast<uintptr_t>(base) | stride * element_bytes) % 16 == 0;
}

// What grad_weight is a product of: G and hidden; where these are f16, of both in f32, whose rows are whole vectors.
template <class f, bool ALIGNED>
struct WeightProduct : Matmul<HeadTile<f>, f, true, true, ALIGNED> {
  __device__ __forceinline__ WeightProduct(const HeadParams& p, void* stages, uint32_t classes)
      : Matmul<HeadTile<f>, f, true, true, ALIGNED>(
            stages, {static_cast<const f*>(p.grad_logits), classes, p.rows, p.chunk_classes},
            {static_cast<const f*>(p.hidden), p.width, p.rows, p.width}) {}
};
using WideProduct = Matmul<Tile<128, 128, 2, 2, 2>, float, true, true, true, true>;
template <bool ALIGNED>
struct WeightProduct<__half, ALIGNED> : WideProduct {
  __device__ __forceinline__ WeightProduct(const HeadParams& p, void* stages, uint32_t classes)
      : WideProduct(stages, {p.wide_grad_logits, classes, p.rows, p.chunk_classes},
                    {p.wide_hidden, p.width, p.rows, wide_stride(p)}) {}
};

// grad_weight of the chunk: all its sum over B in one block.
template <class f, bool ALIGNED>
__device__ __forceinline__ void weight_tile(const HeadParams& p, void* stages, TileAt at) {
  using Product = WeightProduct<f, ALIGNED>;
  using Sums = typename Product::Sums;
  static_assert(Product::SHARED_BYTES <= Logits<f, ALIGNED>::SHARED_BYTES, "spherical.h: products");
  static_assert(Product::Tile::THREADS == HeadTile<f>::THREADS, "spherical.h: products");
  const uint32_t classes = classes_of_chunk(p);
  Product product(p, stages, classes);
  product.tiles(static_cast<uint64_t>(at.m) * LINEAR_TILE, static_cast<uint64_t>(at.n) * LINEAR_TILE, 1,
                [&](Sums& sums) {
                  const uint64_t first = p.chunk_begin * p.width;
                  if (p.grad_weight_is_f32) {
                    float* const to = static_cast<float*>(p.grad_weight) + first;
                    store(sums, to, classes, p.width, p.width, is_whole(to, p.width, 4));
                  } else {
                    f* const to = static_cast<f*>(p.grad_weight) + first;
                    store(sums, to, classes, p.width, p.width, is_whole(to, p.width, sizeof(f)));
                  }
                });
}

// Each row without the scale of its gradients.
template <class Sums>
__device__ __forceinline__ void unscale_rows(const HeadParams& p, Sums& sums) {
#pragma unroll
  for (int r = 0; r < 2 * Sums::MI; ++r) {
    const uint64_t row = sums.row(r / 2, r % 2);
    const float unscale = row < p.rows ? p.unscales[row] : 0.f;
#pragma unroll
    for (int column = 0; column < 2 * Sums::NJ; ++column) {
      sums.at[r / 2][column / 2][2 * (r % 2) + column % 2] *= unscale;
    }
  }
}

// Calls f(sum, before) of every sum within grad_hidden and of what hidden_sums has there, which it then has if WRITES.
template <bool WRITES, class Sums, class F>
__device__ __forceinline__ void with_hidden_sums(const HeadParams& p, Sums& sums, F&& f) {
  const bool pairs = (reinterpret_cast<uintptr_t>(p.hidden_sums) | p.width * 4) % 8 == 0;
#pragma unroll
  for (int r = 0; r < 2 * Sums::MI; ++r) {
    const uint64_t row = sums.row(r / 2, r % 2);
    float* const of_row = p.hidden_sums + row * p.width + sums.n0;
    const int left = row < p.rows ? static_cast<int>(p.width - min(p.width, sums.n0)) : 0;
#pragma unroll
    for (int j = 0; j < Sums::NJ; ++j) {
      float(&sum)[4] = sums.at[r / 2][j];
      const int c = 2 * (r % 2);
      if (pairs && 8 * j < left) {
        auto* const at = reinterpret_cast<float2*>(of_row + 8 * j);
        float2 before = *at;
        f(sum[c], before.x);
        f(sum[c + 1], before.y);
        if (WRITES) *at = before;
      } else {
        if (8 * j < left) f(sum[c], of_row[8 * j]);
        if (8 * j + 1 < left) f(sum[c + 1], of_row[8 * j + 1]);
      }
    }
  }
}

// grad_hidden: the chunk's terms on top of those before. Every LINEAR_FOLD classes have sums of their own, which are added
// in order: tensor cores cut their sums off, f32 additions round.
template <class f, bool ALIGNED>
__device__ __forceinline__ void hidden_tile(const HeadParams& p, void* stages, TileAt at) {
  using Product = Matmul<HeadTile<f>, f, false, true, ALIGNED>;
  using Sums = typename Product::Sums;
  const uint32_t classes = classes_of_chunk(p);
  Product product(stages, {static_cast<const f*>(p.grad_logits), p.rows, classes, p.chunk_classes},
                  {static_cast<const f*>(p.weight) + p.chunk_begin * p.width, p.width, classes, p.width});
  bool is_first = p.chunk_begin == 0;
  const auto add = [&](Sums& sums) {
    if (is_first) {
      store(sums, p.hidden_sums, p.rows, p.width, p.width, is_whole(p.hidden_sums, p.width, 4));
    } else {
      with_hidden_sums<true>(p, sums, [](float sum, float& before) { before += sum; });
    }
    is_first = false;
  };
  const auto finish = [&](Sums& sums) {
    if (p.chunk_begin + classes < p.classes) return add(sums);
    if (!is_first) with_hidden_sums<false>(p, sums, [](float& sum, float before) { sum += before; });
    if constexpr (!IS_WIDE<f>) unscale_rows(p, sums);
    f* const to = static_cast<f*>(p.grad_hidden);
    store(sums, to, p.rows, p.width, p.width, is_whole(to, p.width, sizeof(f)));
  };
  const uint64_t m0 = static_cast<uint64_t>(at.m) * LINEAR_TILE, n0 = static_cast<uint64_t>(at.n) * LINEAR_TILE;
  product.template folded_tiles<LINEAR_FOLD>(m0, n0, 1, add, finish);
}

template <class f, bool ALIGNED>
__device__ __forceinline__ void products(const HeadParams& p) {
  extern __shared__ uint4 shared[];
  const uint32_t tiles_n = tiles_of(p.width), classes = classes_of_chunk(p);
  uint32_t t = blockIdx.x;
  const uint32_t weight_tiles = p.grad_weight == nullptr ? 0 : tiles_of(classes) * tiles_n;
  if (t < weight_tiles) return weight_tile<f, ALIGNED>(p, shared, tile_at(t, tiles_of(classes), tiles_n, 8));
  t -= weight_tiles;
  const uint32_t hidden_tiles = tiles_of(p.rows) * tiles_n;
  if (t < hidden_tiles) return hidden_tile<f, ALIGNED>(p, shared, tile_at(t, tiles_of(p.rows), tiles_n, 8));
  t -= hidden_tiles;
  const uint32_t column = t * HeadTile<f>::THREADS + threadIdx.x;
  if (column >= classes) return;
  float sum = 0.f;
  for (uint32_t tile_m = 0; tile_m < tiles_of(p.rows); ++tile_m) {
    sum += p.bias_partials[static_cast<uint64_t>(tile_m) * p.chunk_classes + column];
  }
  static_cast<f*>(p.grad_bias)[p.chunk_begin + column] = narrow<f>(sum);
}
}  // namespace oblate

#define LINEAR_ENTRY(kernel, dtype, f, copies, ALIGNED)                                                     \
  extern "C" __global__ void __launch_bounds__(oblate::HeadTile<f>::THREADS, 1)                             \
      linear_cross_entropy_##dtype##_##kernel##copies(const __grid_constant__ LinearCrossEntropyParams p) { \
    oblate::kernel<f, ALIGNED>(p);                                                                          \
  }
#define LINEAR_ENTRIES(dtype, f)                         \
  LINEAR_ENTRY(forward, dtype, f, , true)                \
  LINEAR_ENTRY(forward, dtype, f, _unaligned, false)     \
  LINEAR_ENTRY(grad_logits, dtype, f, , true)            \
  LINEAR_ENTRY(grad_logits, dtype, f, _unaligned, false) \
  LINEAR_ENTRY(products, dtype, f, , true)               \
  LINEAR_ENTRY(products, dtype, f, _unaligned, false)
LINEAR_ENTRIES(f32, float)
LINEAR_ENTRIES(f16, __half)
LINEAR_ENTRIES(bf16, __nv_bfloat16)

extern "C" __global__ void __launch_bounds__(256)
    linear_cross_entropy_finish(const __grid_constant__ LinearCrossEntropyParams p) {
  oblate::finish(p);
}

extern "C" __global__ void __launch_bounds__(256)
    linear_cross_entropy_f16_widen(const __grid_constant__ LinearCrossEntropyParams p) {
  oblate::widen_hidden(p);
}

extern "C" __global__ void __launch_bounds__(256)
    linear_cross_entropy_f16_narrow(const __grid_constant__ LinearCrossEntropyParams p) {
  oblate::narrow_gradients(p);
}

extern "C" __global__ void __launch_bounds__(256)
    linear_cross_entropy_segments(const __grid_constant__ LinearCrossEntropyParams p) {
  oblate::add_segments(p);
}
