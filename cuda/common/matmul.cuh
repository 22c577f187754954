// The tiled matmul that the library's products stand on: C = A B' in f32, a tile of it per block at a time, which an
// operation does something with before anything is stored.
//
//   C[m, n] = sum_k A[m, k] B[n, k]        m < M, n < N, k < K
//
// Operands  f = f16 or bf16: mma.m16n8k16 with f32 sums. f = f32: three tf32 products, lo hi + hi lo + hi hi, so that a
//           product is right to 2^-20.5 of its magnitude. Each operand lies with k contiguous ([M, K], [N, K]) or with k
//           strided ([K, M], [K, N]): NT, NN and TN are all there. Any M, N, K, stride and element-aligned base. Of MatmulOf an
//           operand may be `Gathered` from rows of a matrix by their numbers, or `Widened` from 16 bits to f32.
// Pipeline  S stages of shared memory, filled S - 1 steps ahead by cp.async of 16 bytes, zero beyond the matrix; one barrier
//           per step of BK. Rows of a stage are swizzled by chunks of 16 bytes: neither the copies nor ldmatrix (or, of f32
//           with k strided, the 4-byte loads) meet on a bank. An operand whose rows do not begin at multiples of 16 bytes
//           goes through registers, two aligned vectors and a shift a chunk; what lies in shared memory is the same.
// Traffic   Of each tile, BM K of A and BN K of B; with T_m by T_n tiles T_n M K + T_m N K elements in all, mostly from L2
//           in the order of `tile_at`.
// Numerics  A sum takes its terms in the order of k, 16 (tf32: 8) to an instruction, whatever the tile: an element of C
//           depends on its row of A, its row of B and K alone, not on M, N or the tile. Beyond K zeros are added, which
//           changes nothing.
//
// A client gives a tile (one of those below), its operands, and what becomes of the sums; here hidden [B, d] by weight
// [D, d], aligned:
//
//   extern __shared__ uint4 stages[];
//   using Product = Matmul<Medium<f>, f, false, false, true>;
//   Product product(stages, {hidden, B, d, d}, {weight, D, d, d});
//   for (uint32_t t = blockIdx.x; t < tiles; t += gridDim.x) {
//     const TileAt at = tile_at(t, tiles_m, tiles_n, 8);
//     product.tiles(at.m * Medium<f>::BM, at.n * Medium<f>::BN, 1, [&](Product::Sums& sums) {
//       sums.each([&](uint64_t m, uint64_t n, float& c) { ... });            // also m >= M, n >= N
//     });
//   }
//
// Every thread of the block calls `tiles`, with the same arguments; sizes may pass 2^32. With a count above 1 it goes on to
// the tiles to the right, whose first steps are copied while the epilogue of the one before runs: an epilogue that takes a
// barrier holds that up, but may. Without the stages as scratch: behind `tiles` and a barrier they are free. `store` writes
// a tile, 16 bytes an access whatever its type. Entry points have __launch_bounds__(THREADS, 1): without the 1, ptxas keeps
// some of them to 128 registers and spills.
#pragma once

#include "cp_async.cuh"
#include "mma.cuh"
#include "reduce.cuh"
#include "vector.cuh"

namespace oblate {
// Of a block and its warps. A step is 64 bytes of k for 16-bit elements: the kernel has half as many stages to wait for
// with 128, but a stage then takes twice the memory. f32 steps are as many elements, and 128 bytes.
template <int BM_, int BN_, int WARPS_M_, int WARPS_N_, int STAGES_>
struct Tile {
  static constexpr int BM = BM_, BN = BN_, BK = 32;
  static constexpr int WARPS_M = WARPS_M_, WARPS_N = WARPS_N_, STAGES = STAGES_;
  static constexpr int THREADS = 32 * WARPS_M * WARPS_N;
  static constexpr int WM = BM / WARPS_M, WN = BN / WARPS_N;
  static_assert(WM % 16 == 0 && WN % 16 == 0, "a warp loads fragments of 16 rows of each operand");
};

// A warp has 64 x 64 of a 16-bit product: smaller warp tiles load more from shared memory than it gives a tensor core. Of
// f32, whose fragments are split into two, half of that, so that a thread's registers suffice.
template <class f>
struct Medium : Tile<128, 128, 2, 2, 4> {};
template <>
struct Medium<float> : Tile<128, 128, 2, 4, 3> {};
// For products of few tiles.
template <class f>
struct Small : Tile<64, 64, 2, 2, 4> {};

// A matrix of `rows` (m or n) by `depth` (k), both below 2^31: element (i, k) at i stride + k, or with k strided at
// k stride + i.
template <class f, bool K_STRIDED_>
struct Operand {
  static constexpr bool K_STRIDED = K_STRIDED_, IS_COMPUTED = false;
  const f* at;
  uint64_t stride;
  uint32_t rows, depth;

  __device__ __forceinline__ Operand(const f* at, uint64_t rows, uint64_t depth, uint64_t stride)
      : at(at), stride(stride), rows(static_cast<uint32_t>(rows)), depth(static_cast<uint32_t>(depth)) {}

  __device__ __forceinline__ const f* end() const {
    const uint32_t lines = K_STRIDED ? depth : rows, within = K_STRIDED ? rows : depth;
    return lines == 0 ? at : at + (lines - 1) * stride + within;
  }
};

// Rows of such a matrix, k contiguous, by their numbers: row first + i is the matrix's row numbers[i], i < count; zeros where
// that is NO_ROW, and beyond. The numbers of a tile's rows lie in shared memory, there before `tiles`.
constexpr uint32_t NO_ROW = 0xffffffffu;
template <class f>
struct Gathered {
  static constexpr bool K_STRIDED = false, IS_COMPUTED = false;
  const f* at;
  uint64_t stride;
  uint32_t matrix_rows, depth;
  const uint32_t* numbers;
  uint32_t count;
  uint64_t first;

  __device__ __forceinline__ Gathered(const f* at, uint64_t matrix_rows, uint64_t depth, uint64_t stride,
                                      const uint32_t* numbers, uint32_t count, uint64_t first)
      : at(at),
        stride(stride),
        matrix_rows(static_cast<uint32_t>(matrix_rows)),
        depth(static_cast<uint32_t>(depth)),
        numbers(numbers),
        count(count),
        first(first) {}

  __device__ __forceinline__ const f* end() const {
    return matrix_rows == 0 ? at : at + (matrix_rows - 1) * stride + depth;
  }
};

// A matrix of f that is multiplied as f32, as Operand lays it out, and less a mean for each row where there are `means`: those
// of a tile's rows, in shared memory, there before `tiles`, which then has one tile. It goes through registers.
template <class f, bool K_STRIDED_>
struct Widened {
  static constexpr bool K_STRIDED = K_STRIDED_, IS_COMPUTED = true;
  const f* at;
  uint64_t stride;
  uint32_t rows, depth;
  const float* means;

  __device__ __forceinline__ Widened(const f* at, uint64_t rows, uint64_t depth, uint64_t stride,
                                     const float* means = nullptr)
      : at(at), stride(stride), rows(static_cast<uint32_t>(rows)), depth(static_cast<uint32_t>(depth)), means(means) {}
};

// One operand's part of a stage: lines of 16-byte chunks, line i of them row i, or with k strided its line k.
template <class f, int ROWS, int BK, bool K_STRIDED>
struct Stage {
  static constexpr int PER_CHUNK = PER_VECTOR<f>;
  static constexpr int LINES = K_STRIDED ? BK : ROWS;
  static constexpr int CHUNKS = (K_STRIDED ? ROWS : BK) / PER_CHUNK;  // of a line
  static constexpr int BYTES = LINES * CHUNKS * 16;
  static constexpr int SWIZZLED_LINES = K_STRIDED && sizeof(f) == 4 ? 4 : 8;  // after so many the swizzle begins anew
  static_assert(CHUNKS == 4 || CHUNKS % 8 == 0, "what the swizzles below are made for");

  // Byte of a chunk. The 8 lines of a matrix that ldmatrix reads at one chunk lie on all banks; so do 4 lines of 8 f32.
  __device__ __forceinline__ static uint32_t offset(int line, int chunk) {
    const int swizzle = CHUNKS == 4 ? line >> 1 & 3 : K_STRIDED && sizeof(f) == 4 ? 2 * (line & 3) : line & 7;
    return static_cast<uint32_t>(line * CHUNKS + (chunk ^ swizzle)) * 16;
  }
};

// Up to 16 bytes from any element-aligned address, zero beyond `count` elements: two aligned vectors and a shift where both
// lie within the matrix, element by element at its ends.
template <class f>
__device__ __forceinline__ uint4 gather_chunk(const f* from, int count, const f* begin, const f* end) {
  if (count <= 0) return make_uint4(0, 0, 0, 0);
  const auto address = reinterpret_cast<uintptr_t>(from);
  const auto* lower = reinterpret_cast<const uint4*>(address & ~uintptr_t{15});
  f elements[PER_VECTOR<f>];
  if (count >= PER_VECTOR<f> && reinterpret_cast<const f*>(lower) >= begin &&
      reinterpret_cast<const f*>(lower + 2) <= end) {
    return shift_vector(__ldg(lower), __ldg(lower + 1), static_cast<uint32_t>(address & 15));
  }
#pragma unroll
  for (int i = 0; i < PER_VECTOR<f>; ++i) elements[i] = i < count ? from[i] : narrow<f>(0.f);
  uint4 chunk;
  memcpy(&chunk, elements, 16);
  return chunk;
}

// A thread's chunks of a stage: in one column, LINE_STEP lines apart.
template <class S, int THREADS>
struct ChunksOfThread {
  static constexpr int LINE_STEP = THREADS / S::CHUNKS, EACH = S::LINES / LINE_STEP;
  static_assert(THREADS % S::CHUNKS == 0 && S::LINES % LINE_STEP == 0,
                "every thread has as many chunks, in one column");
  static_assert(LINE_STEP % S::SWIZZLED_LINES == 0, "a thread's chunks are swizzled alike");
};

// Where they are copied from: the first, from which the others follow. A step is an addition.
template <class f, class S, class O, int THREADS, int BK>
struct Source : ChunksOfThread<S, THREADS> {
  using ChunksOfThread<S, THREADS>::LINE_STEP;
  using ChunksOfThread<S, THREADS>::EACH;
  const f* at;
  int lines, within;  // lines and elements of the matrix from there; 0 or less: beyond it

  // At k = 0, of the rows from i0.
  __device__ __forceinline__ Source(const O& o, uint64_t i0) {
    const int line = threadIdx.x / S::CHUNKS, element = threadIdx.x % S::CHUNKS * S::PER_CHUNK;
    const int rows = o.rows - static_cast<uint32_t>(i0), depth = o.depth;
    at = o.at + (O::K_STRIDED ? line * o.stride + (i0 + element) : (i0 + line) * o.stride + element);
    lines = (O::K_STRIDED ? depth : rows) - line;
    within = (O::K_STRIDED ? rows : depth) - element;
  }
  __device__ __forceinline__ void step(const O& o) {
    at += O::K_STRIDED ? BK * o.stride : BK;
    (O::K_STRIDED ? lines : within) -= BK;
  }

  // Calls copy(i, from, count) of each chunk, `count` elements of which are within the matrix.
  template <class Copy>
  __device__ __forceinline__ void each(const O& o, Copy&& copy) const {
    const uint64_t line_step = LINE_STEP * o.stride;
    const int count = max(0, min(within, S::PER_CHUNK));
    const f* from = at;
#pragma unroll
    for (int c = 0; c < EACH; ++c, from += line_step) copy(c, from, c * LINE_STEP < lines ? count : 0);
  }
};

// The same of gathered rows: each has an address of its own.
template <class f, class S, int THREADS, int BK>
struct Source<f, S, Gathered<f>, THREADS, BK> : ChunksOfThread<S, THREADS> {
  using ChunksOfThread<S, THREADS>::LINE_STEP;
  using ChunksOfThread<S, THREADS>::EACH;
  const f* rows[EACH];  // at the chunk's first element; null: zeros
  int within;

  __device__ __forceinline__ Source(const Gathered<f>& o, uint64_t i0) {
    const int line = threadIdx.x / S::CHUNKS, element = threadIdx.x % S::CHUNKS * S::PER_CHUNK;
#pragma unroll
    for (int c = 0; c < EACH; ++c) {
      const uint64_t i = i0 - o.first + line + c * LINE_STEP;
      const uint32_t number = i < o.count ? o.numbers[i] : NO_ROW;
      rows[c] = number == NO_ROW ? nullptr : o.at + number * o.stride + element;
    }
    within = static_cast<int>(o.depth) - element;
  }
  __device__ __forceinline__ void step(const Gathered<f>&) {
#pragma unroll
    for (const f*& row : rows) row = row == nullptr ? nullptr : row + BK;
    within -= BK;
  }
  template <class Copy>
  __device__ __forceinline__ void each(const Gathered<f>& o, Copy&& copy) const {
    const int count = max(0, min(within, S::PER_CHUNK));
#pragma unroll
    for (int c = 0; c < EACH; ++c) copy(c, rows[c] == nullptr ? o.at : rows[c], rows[c] == nullptr ? 0 : count);
  }
};

// The sums of a tile, a warp's part of them in each thread: fragments as mma.cuh draws them.
template <class Tile>
struct TileSums {
  static constexpr int MI = Tile::WM / 16, NJ = Tile::WN / 8;
  float at[MI][NJ][4];
  uint64_t m0, n0;  // the matrix's row and column of this thread's first element

  __device__ __forceinline__ uint64_t row(int i, int half) const { return m0 + 16 * i + 8 * half; }
  __device__ __forceinline__ uint64_t column(int j) const { return n0 + 8 * j; }

  template <class F>
  __device__ __forceinline__ void each(F&& f) {
#pragma unroll
    for (int i = 0; i < MI; ++i) {
#pragma unroll
      for (int j = 0; j < NJ; ++j) {
#pragma unroll
        for (int c = 0; c < 4; ++c) f(row(i, c / 2), column(j) + c % 2, at[i][j][c]);
      }
    }
  }
};

// Of four words in each of the four lanes of a quad, word i of lane t becomes word t of lane i.
__device__ __forceinline__ void transpose_quad(uint32_t (&w)[4]) {
#pragma unroll
  for (int bit = 1; bit < 4; bit *= 2) {
    const bool upper = threadIdx.x & bit;
#pragma unroll
    for (int pair = 0; pair < 4; ++pair) {
      if (pair & bit) continue;
      uint32_t &low = w[pair], &high = w[pair + bit];
      const uint32_t got = __shfl_xor_sync(ALL_LANES, upper ? low : high, bit);
      low = upper ? got : low;
      high = upper ? high : got;
    }
  }
}

// Writes the elements within rows x columns, `stride` elements a row, rounded to `out`. `whole`: `to` and the stride are
// multiples of 16 bytes. A quad has 32 bytes of f32 in its pairs; of 16 bits it exchanges words until each lane has 16 bytes.
struct AsItIs {
  __device__ __forceinline__ float operator()(float sum) const { return sum; }
};
template <class out, class Tile, class Change = AsItIs>
__device__ __forceinline__ void store(const TileSums<Tile>& sums, out* to, uint64_t rows, uint64_t columns,
                                      uint64_t stride, bool whole, Change change = Change()) {
  using Sums = TileSums<Tile>;
  constexpr bool WIDE = sizeof(out) == 4;
  constexpr int GROUP = WIDE ? 1 : 4, EACH = WIDE ? 2 : 8;  // accumulator columns and elements of an access
  static_assert(Sums::NJ % GROUP == 0, "whole accesses");
  const uint64_t first = kept(WIDE ? sums.n0 : sums.n0 + 6 * (threadIdx.x % 4));  // 8 t instead of 2 t
  const uint64_t first_row = kept(sums.m0);
#pragma unroll
  for (int i = 0; i < Sums::MI; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint64_t row = first_row + 16 * i + 8 * half;
#pragma unroll
      for (int j = 0; j < Sums::NJ; j += GROUP) {
        const uint64_t column = first + 8 * j;
        uint32_t w[4];
        out elements[EACH];
        if constexpr (WIDE) {
          elements[0] = change(sums.at[i][j][2 * half]);
          elements[1] = change(sums.at[i][j][2 * half + 1]);
        } else {
#pragma unroll
          for (int word = 0; word < 4; ++word) {
            const float pair[2] = {change(sums.at[i][j + word][2 * half]), change(sums.at[i][j + word][2 * half + 1])};
            w[word] = narrow_word(pair, out());
          }
          transpose_quad(w);
        }
        if (row >= rows || column >= columns) continue;
        out* const at = to + row * stride + column;
        if (whole && column + EACH <= columns) {
          if constexpr (WIDE) {
            *reinterpret_cast<float2*>(at) = make_float2(elements[0], elements[1]);
          } else {
            store_vector(at, make_uint4(w[0], w[1], w[2], w[3]));
          }
        } else {
          if constexpr (!WIDE) memcpy(elements, w, 16);
#pragma unroll
          for (int e = 0; e < EACH; ++e) {
            if (column + e < columns) at[e] = elements[e];
          }
        }
      }
    }
  }
}

// The same of what is computed on the way: copy(i, chunk).
template <class f, class S, bool K_STRIDED, int THREADS, int BK>
struct Source<float, S, Widened<f, K_STRIDED>, THREADS, BK> : ChunksOfThread<S, THREADS> {
  using ChunksOfThread<S, THREADS>::LINE_STEP;
  using ChunksOfThread<S, THREADS>::EACH;
  using O = Widened<f, K_STRIDED>;
  static constexpr int PER_CHUNK = S::PER_CHUNK;
  const f* at;
  int lines, within;
  float means[PER_CHUNK];

  __device__ __forceinline__ Source(const O& o, uint64_t i0) {
    const int line = threadIdx.x / S::CHUNKS, element = threadIdx.x % S::CHUNKS * PER_CHUNK;
    const int rows = o.rows - static_cast<uint32_t>(i0), depth = o.depth;
    at = o.at + (K_STRIDED ? line * o.stride + (i0 + element) : (i0 + line) * o.stride + element);
    lines = (K_STRIDED ? depth : rows) - line;
    within = (K_STRIDED ? rows : depth) - element;
#pragma unroll
    for (int e = 0; e < PER_CHUNK; ++e)
      means[e] = K_STRIDED && o.means != nullptr && e < within ? o.means[element + e] : 0.f;
  }
  __device__ __forceinline__ void step(const O& o) {
    at += K_STRIDED ? BK * o.stride : BK;
    (K_STRIDED ? lines : within) -= BK;
  }
  template <class Copy>
  __device__ __forceinline__ void each(const O& o, Copy&& copy) const {
    const uint64_t line_step = LINE_STEP * o.stride;
    const f* from = at;
#pragma unroll
    for (int c = 0; c < EACH; ++c, from += line_step) {
      const int count = c * LINE_STEP < lines ? within : 0;
      float x[PER_CHUNK] = {};
      if (count >= PER_CHUNK && reinterpret_cast<uintptr_t>(from) % (PER_CHUNK * sizeof(f)) == 0) {
        f elements[PER_CHUNK];
        if constexpr (sizeof(f) == 4) {
          const uint4 vector = __ldg(reinterpret_cast<const uint4*>(from));
          memcpy(elements, &vector, sizeof elements);
        } else {
          const uint2 vector = __ldg(reinterpret_cast<const uint2*>(from));
          memcpy(elements, &vector, sizeof elements);
        }
#pragma unroll
        for (int e = 0; e < PER_CHUNK; ++e) x[e] = widen(elements[e]) - means[e];
      } else {
#pragma unroll
        for (int e = 0; e < PER_CHUNK; ++e) x[e] = e < count ? widen(from[e]) - means[e] : 0.f;
      }
      copy(c, narrow_vector<float>(x));
    }
  }
};

// `ALIGNED`: both bases and strides are multiples of 16 bytes. `ARE_TF32`: the operands are f32 that tf32 holds, so that one
// product is enough.
template <class Tile_, class f, class A_, class B_, bool ALIGNED, bool ARE_TF32 = false>
class MatmulOf {
 public:
  using Tile = Tile_;
  using Sums = TileSums<Tile>;
  using A = A_;
  using B = B_;
  static constexpr bool A_STRIDED = A::K_STRIDED, B_STRIDED = B::K_STRIDED;
  using StageA = Stage<f, Tile::BM, Tile::BK, A_STRIDED>;
  using StageB = Stage<f, Tile::BN, Tile::BK, B_STRIDED>;
  static constexpr int STAGE_BYTES = StageA::BYTES + StageB::BYTES;
  static constexpr int SHARED_BYTES = Tile::STAGES * STAGE_BYTES;

  __device__ __forceinline__ MatmulOf(void* stages, const A& a, const B& b)
      : a(a), b(b), stages(static_cast<char*>(stages)), base(static_cast<uint32_t>(__cvta_generic_to_shared(stages))) {}

  // The tile whose first element is (m0, n0), and the count - 1 to the right of it: `done` has each one's sums.
  template <class Done>
  __device__ __forceinline__ void tiles(uint64_t m0, uint64_t n0, uint32_t count, Done&& done) {
    folded_tiles<0>(m0, n0, count, [](Sums&) {}, done);
  }

  // The same with the sums of every FOLD terms, a multiple of a step, by themselves: `part` has each but the last, `done` has
  // that. Tensor cores cut their sums off, so that long ones are better added up in parts.
  template <uint32_t FOLD, class Part, class Done>
  __device__ __forceinline__ void folded_tiles(uint64_t m0, uint64_t n0, uint32_t count, Part&& part, Done&& done) {
    static_assert(FOLD % Tile::BK == 0, "whole steps");
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int warp_m = Tile::WM * (warp % Tile::WARPS_M), warp_n = Tile::WN * (warp / Tile::WARPS_M);
    const uint32_t first_a = first_fragment<StageA, A_STRIDED>(warp_m, lane);
    const uint32_t first_b = first_fragment<StageB, B_STRIDED>(warp_n, lane);
    Sums sums;
    sums.m0 = m0 + warp_m + lane / 4;
    // What is copied next, up to S - 1 steps ahead, over the ends of tiles.
    const uint32_t steps = (a.depth + Tile::BK - 1) / Tile::BK;
    uint32_t ahead_tile = steps == 0 ? count : 0, ahead_step = 0;
    SourceA from_a(a, m0);
    SourceB from_b(b, n0);
    const auto copy_ahead = [&](int stage) {
      if (ahead_tile < count) {
        load<StageA>(a, from_a, stage * STAGE_BYTES);
        load<StageB>(b, from_b, stage * STAGE_BYTES + StageA::BYTES);
        from_a.step(a);
        from_b.step(b);
        if (++ahead_step == steps) {
          ahead_step = 0;
          ++ahead_tile;
          from_a = SourceA(a, m0);
          from_b = SourceB(b, n0 + static_cast<uint64_t>(ahead_tile) * Tile::BN);
        }
      }
      cp_async_commit();  // also an empty group, so that the count of those in flight stays right
    };
    __syncthreads();  // nobody still reads the stages of what came before
#pragma unroll
    for (int stage = 0; stage < Tile::STAGES - 1; ++stage) copy_ahead(stage);
    int stage = 0, next_stage = Tile::STAGES - 1;
    for (uint32_t t = 0; t < count; ++t) {
      sums.n0 = n0 + static_cast<uint64_t>(t) * Tile::BN + warp_n + 2 * (lane % 4);
      sums.each([](uint64_t, uint64_t, float& c) { c = 0.f; });
      for (uint32_t step = 0; step < steps;) {
        cp_async_wait<Tile::STAGES - 2>();
        __syncthreads();  // this step's stage is there for all, and nobody still reads the one that is filled next
        copy_ahead(next_stage);
        multiply(sums, stage, first_a, first_b, warp_m, warp_n, lane);
        stage = stage + 1 == Tile::STAGES ? 0 : stage + 1;
        next_stage = next_stage + 1 == Tile::STAGES ? 0 : next_stage + 1;
        ++step;
        if constexpr (FOLD != 0) {
          if (step % (FOLD / Tile::BK) == 0 && step < steps) {
            hand_over(sums, part);
            sums.each([](uint64_t, uint64_t, float& c) { c = 0.f; });
          }
        }
      }
      hand_over(sums, done);
    }
    cp_async_wait<0>();  // the last groups are empty; the stages are free behind the caller's barrier
  }

 private:
  A a;
  B b;
  char* stages;
  uint32_t base;  // of the stages, as an address of shared memory

  // m0 and n0 are not to be known before: what `done` makes of them would be kept in registers through the loop.
  template <class Done>
  __device__ __forceinline__ static void hand_over(Sums& sums, Done&& done) {
    sums.m0 = kept(sums.m0);
    sums.n0 = kept(sums.n0);
    done(sums);
  }

  using SourceA = Source<f, StageA, A, Tile::THREADS, Tile::BK>;
  using SourceB = Source<f, StageB, B, Tile::THREADS, Tile::BK>;

  // A stage's part of one operand, zero beyond the matrix.
  template <class S, class O, class From>
  __device__ __forceinline__ void load(const O& o, const From& from, int to) {
    const uint32_t first = to + S::offset(threadIdx.x / S::CHUNKS, threadIdx.x % S::CHUNKS);
    const auto offset = [&](int c) { return first + c * From::LINE_STEP * S::CHUNKS * 16; };
    if constexpr (O::IS_COMPUTED) {
      from.each(o, [&](int c, uint4 chunk) { store_vector(stages + offset(c), chunk); });
    } else {
      from.each(o, [&](int c, const f* at, int count) {
        if constexpr (ALIGNED) {
          constexpr int BYTES = sizeof(f);
          cp_async_16_or_zero(base + offset(c), at, count * BYTES);
        } else {
          *reinterpret_cast<uint4*>(stages + offset(c)) = gather_chunk(at, count, o.at, o.end());
        }
      });
    }
  }

  // Where a lane reads an operand's first fragment of a stage; that of other rows and k is an exclusive or, since neither
  // leaves the bits of a chunk, and an addition. Kept in a register, or nvcc forms it anew for every fragment.
  template <class S, bool K_STRIDED>
  __device__ __forceinline__ static uint32_t first_fragment(int warp_row, int lane) {
    if constexpr (!K_STRIDED) return kept(S::offset(warp_row + lane % 16, lane / 16));
    return kept(S::offset(lane % 8 + 8 * (lane / 16), (warp_row + 8 * (lane / 8 % 2)) / S::PER_CHUNK));
  }

  // 16 rows of an operand at 16 bytes or 8 f32 of k: matrix 0 and 1 are its rows 0 to 7 and 8 to 15, 2 and 3 the same with the
  // next k. So it is an A fragment; of B, matrices 0 and 2 are the fragment of rows 0 to 7, 1 and 3 that of 8 to 15.
  template <class S, bool K_STRIDED>
  __device__ __forceinline__ void fragment(uint32_t (&to)[4], int stage, uint32_t first, int warp_row, int row, int kk,
                                           int lane) {
    if constexpr (!K_STRIDED) {
      constexpr int BYTES = sizeof(f);
      ldmatrix_x4(to, base + stage + (first ^ kk * BYTES) + row * S::CHUNKS * 16);
    } else if constexpr (sizeof(f) == 2) {
      ldmatrix_x4_trans(to, base + stage + (first ^ row * 2) + kk * S::CHUNKS * 16);
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int line = kk + lane % 4 + 4 * (i / 2), element = warp_row + row + lane / 4 + 8 * (i % 2);
        const uint32_t byte = S::offset(line, element / S::PER_CHUNK) + element % S::PER_CHUNK * 4;
        to[i] = *reinterpret_cast<const uint32_t*>(stages + stage + byte);
      }
    }
  }

  __device__ __forceinline__ void multiply(Sums& sums, int stage, uint32_t first_a, uint32_t first_b, int warp_m,
                                           int warp_n, int lane) {
    constexpr int MI = Sums::MI, NJ = Sums::NJ;
    constexpr int DEPTH = sizeof(f) == 2 ? 16 : 8;  // of an instruction
    const int stage_a = stage * STAGE_BYTES, stage_b = stage_a + StageA::BYTES;
    // Fragments of 32 bits have an address each: those of all steps at once take more registers than there are.
    constexpr int AT_ONCE = ARE_TF32 ? 1 : Tile::BK / DEPTH;
#pragma unroll AT_ONCE
    for (int kk = 0; kk < Tile::BK; kk += DEPTH) {
      uint32_t fb[NJ / 2][4];
#pragma unroll
      for (int j = 0; j < NJ / 2; ++j) {
        fragment<StageB, B_STRIDED>(fb[j], stage_b, first_b, warp_n, 16 * j, kk, lane);
      }
#pragma unroll
      for (int i = 0; i < MI; ++i) {
        uint32_t fa[4];
        fragment<StageA, A_STRIDED>(fa, stage_a, first_a, warp_m, 16 * i, kk, lane);
        if constexpr (sizeof(f) == 2) {
#pragma unroll
          for (int j = 0; j < NJ; ++j) mma_16x8x16(sums.at[i][j], fa, fb[j / 2][j % 2], fb[j / 2][j % 2 + 2], f());
        } else if constexpr (ARE_TF32) {
#pragma unroll
          for (int j = 0; j < NJ; ++j) mma_16x8x8_tf32(sums.at[i][j], fa, fb[j / 2][j % 2], fb[j / 2][j % 2 + 2]);
        } else {
          multiply_tf32(sums, i, fa, fb);
        }
      }
    }
  }

  // The small terms first, each kind for all columns, so that a sum's three instructions do not wait for each other.
  template <int PAIRS>
  __device__ __forceinline__ void multiply_tf32(Sums& sums, int i, const uint32_t (&fa)[4],
                                                const uint32_t (&fb)[PAIRS][4]) {
    uint32_t hi[4], lo[4], b_hi[PAIRS][4], b_lo[PAIRS][4];
#pragma unroll
    for (int e = 0; e < 4; ++e) split_tf32(fa[e], hi[e], lo[e]);
#pragma unroll
    for (int j = 0; j < PAIRS; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) split_tf32(fb[j][e], b_hi[j][e], b_lo[j][e]);
    }
#pragma unroll
    for (int j = 0; j < 2 * PAIRS; ++j) mma_16x8x8_tf32(sums.at[i][j], lo, b_hi[j / 2][j % 2], b_hi[j / 2][j % 2 + 2]);
#pragma unroll
    for (int j = 0; j < 2 * PAIRS; ++j) mma_16x8x8_tf32(sums.at[i][j], hi, b_lo[j / 2][j % 2], b_lo[j / 2][j % 2 + 2]);
#pragma unroll
    for (int j = 0; j < 2 * PAIRS; ++j) mma_16x8x8_tf32(sums.at[i][j], hi, b_hi[j / 2][j % 2], b_hi[j / 2][j % 2 + 2]);
  }
};

template <class Tile, class f, bool A_STRIDED, bool B_STRIDED, bool ALIGNED, bool ARE_TF32 = false>
using Matmul = MatmulOf<Tile, f, Operand<f, A_STRIDED>, Operand<f, B_STRIDED>, ALIGNED, ARE_TF32>;

// A tile's place in the grid of tiles.
struct TileAt {
  uint32_t m, n;
};

// The t-th tile, in groups of `group` tile rows, within a group column by column: what blocks side by side work on shares
// rows of A and of B in L2.
__device__ __forceinline__ TileAt tile_at(uint32_t t, uint32_t tiles_m, uint32_t tiles_n, uint32_t group) {
  const uint32_t of_group = group * tiles_n;
  const uint32_t first = t / of_group * group;
  const uint32_t height = min(group, tiles_m - first);
  const uint32_t within = t % of_group;
  return {first + within % height, within / height};
}
}  // namespace oblate
