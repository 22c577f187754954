// The ways in which warps share the rows of a row kernel (spherical.h says which is for what shape). An operation is a
// struct that gives
//
//   f, Params          the element type, and the struct of arguments: logits, grad_logits, rows, classes, partials,
//                      coefficients
//   Partial            16 bytes; Partial::none() and merge(Partial, Partial) are found beside it
//   Row                at most 32 bytes: all that the gradient of an element needs besides the element; `ignored`
//   Outputs            what is written of a row besides its gradient
//   Targets            (p, shared, row, place): several targets of a row; its stage() reads them, save() keeps them between
//                      launches: several_targets.cuh
//   FILL               what stands for the elements of a chunk beyond the row
//   statistics(p, elements&) -> Partial           of a Chunk or a ShortRow, in every lane that holds a part of it
//   finish(p, row, Partial, logit, lanes, targets, outputs&) -> Row   by the lanes; logit(k) is the row's logit k
//   store_outputs(p, row, outputs)                by a thread
//   Row::gradient(o) -> float                     of an element that is no target; 0 of 0 in an ignored row
//   store_targets(Row, gradient, begin, end, lanes, targets)   by the lanes; the gradient of the targets in [begin, end), of
//                      which that of element begin is at `gradient`
//
// The order of a row's merges is here alone: a tree over the chunks of a segment, then segment after segment.
#pragma once

#include "packed_rows.cuh"
#include "row.cuh"

namespace oblate {
constexpr uint32_t WINDOW_CHUNKS = 16 * SEGMENT_CHUNKS;  // chunks whose partials wait in shared memory for their merge
constexpr uint32_t MAX_THREADS = MAX_WARPS * WARP;
static_assert(SEGMENT_CHUNKS == MAX_WARPS && 2 * SEGMENT_CHUNKS == WARP,
              "a warp a chunk; two segments merge in a warp");

extern __shared__ __align__(16) unsigned char slots[];

__device__ __forceinline__ unsigned char* slot(uint32_t index) { return slots + index * SLOT_BYTES; }

// Warps of a block whose warps have rows of their own.
__device__ __forceinline__ uint32_t row_warps() { return blockDim.x / WARP; }

// Merges the first `count` partials onto `total`, by one warp; the first is a segment's first. In lanes 0 and 16 the
// tree over 16 lanes is complete, adjacent chunks first. Steps that would merge nothing but none() are left out.
template <class Partial>
__device__ __forceinline__ Partial merge_segments(Partial total, const Partial* partials, uint32_t count) {
  for (uint32_t first = 0; first < count; first += WARP) {
    const uint32_t i = first + lane_index(), left = least(count - first, WARP);
    Partial segment = i < count ? partials[i] : Partial::none();
#pragma unroll 1
    for (uint32_t step = 1; step < least(left, SEGMENT_CHUNKS); step *= 2) {
      segment = merge(segment, from_above(segment, step));
    }
#pragma unroll 1
    for (uint32_t lane = 0; lane < left; lane += SEGMENT_CHUNKS) total = merge(total, from_lane(segment, lane));
  }
  return total;
}

template <class Op>
__device__ __forceinline__ typename Op::Partial statistics(const typename Op::Params& p, const unsigned char* slot,
                                                           const ChunkSpan& span) {
  Chunk<typename Op::f> chunk(slot, span, Op::FILL);
  return Op::statistics(p, chunk);
}

// By a warp. The logits of the targets are `logit`'s.
template <class Op, class Logit>
__device__ __forceinline__ typename Op::Row finish(const typename Op::Params& p, uint64_t row,
                                                   const typename Op::Partial& total, Logit logit,
                                                   const typename Op::Targets& targets) {
  typename Op::Outputs outputs;
  const auto constants = Op::finish(p, row, total, logit, WarpLanes(), targets, outputs);
  if (lane_index() == 0) Op::store_outputs(p, row, outputs);
  return constants;
}

// A logit of a row, in global memory.
template <class Op>
__device__ __forceinline__ auto global_logit(const typename Op::Params& p, uint64_t row) {
  const auto* const logits = static_cast<const typename Op::f*>(p.logits) + row * p.classes;
  return [=](uint64_t k) { return widen(logits[k]); };
}

// By a warp, before the next barrier of its own and what uses the targets.
template <class Op>
__device__ __forceinline__ void stage_targets(const typename Op::Params& p, unsigned char* shared, uint64_t row,
                                              uint32_t place) {
  Op::Targets::stage(p, shared, row, place, 1, lane_index(), WARP);
}

// The gradient of a chunk, by its warp. One with some of several targets is put together in the slot, so that each byte of it
// is written once.
template <class Op>
__device__ __forceinline__ void store(const typename Op::Params& p, const RowTensor<typename Op::f>& logits,
                                      unsigned char* slot, const ChunkSpan& span, const typename Op::Row& row,
                                      const typename Op::Targets& targets) {
  using f = typename Op::f;
  const uint32_t begin = kept(static_cast<uint32_t>(span.gradient_begin - span.slot));
  const uint32_t end = kept(static_cast<uint32_t>(span.gradient_end - span.slot));
  unsigned char* const to = static_cast<unsigned char*>(p.grad_logits) + (span.slot - logits.begin);
  const auto gradient = [&](float o) { return row.gradient(o); };
  if (row.ignored) clear_slot(slot);  // whatever its logits, NaN too
  uint32_t first = 0, last = 0;       // classes of the chunk
  if (targets.are_several()) {
    first = (span.gradient_begin - span.row_begin) / sizeof(f);
    last = first + (end - begin) / sizeof(f);
  }
  const bool in_slot = targets.are_several() && targets.any_in(first, last);
  unsigned char* const put = in_slot ? slot : to;
  store_gradient<f>(slot, reinterpret_cast<unsigned char*>(kept(reinterpret_cast<uint64_t>(put))), begin, end,
                    gradient);
  if (!in_slot) return;
  __syncwarp();  // every lane's gradient before the targets' entries replace it
  Op::store_targets(row, reinterpret_cast<f*>(slot + begin), first, last, WarpLanes(), targets);
  __syncwarp();  // the chunk's gradient before any lane copies it
  copy_out<f>(to, begin, end, lane_index(), WARP, [&](uint32_t at) { return slot + at; });
}

// The gradient of a row's only target, if it is in [begin, end), by a warp after the others'.
template <class Op>
__device__ __forceinline__ void store_only_target(const typename Op::Params& p, uint64_t row,
                                                  const typename Op::Row& constants, uint32_t begin, uint32_t end,
                                                  const typename Op::Targets& targets) {
  auto* const gradient = static_cast<typename Op::f*>(p.grad_logits) + row * p.classes + begin;
  Op::store_targets(constants, gradient, begin, end, WarpLanes(), targets);
}

// The rows of a warp, whose logits and targets are in shared memory: the former become their gradient.
template <class Op>
__device__ __forceinline__ void packed_warp(const typename Op::Params& p, const PackedRows<typename Op::f>& packed,
                                            typename Op::Outputs* block_outputs) {
  ShortRow<typename Op::f> row = packed.row(slots);
  const typename Op::Targets targets(p, slots + PACKED_BYTES, packed.index, packed.place);
  const auto total = Op::statistics(p, row);
  const auto logit = [&](uint64_t k) { return widen(row.elements[k]); };
  typename Op::Outputs outputs;
  const auto constants = Op::finish(p, packed.index, total, logit, row.lanes, targets, outputs);
  if (row.lanes.index == 0) block_outputs[packed.place] = outputs;
  if (p.grad_logits == nullptr) return;
  __syncwarp();  // the reads of the targets' logits before the gradient replaces them
  row.replace([&](float o) { return constants.ignored ? 0.f : constants.gradient(o); });
  __syncwarp();  // the row's gradient before its targets' entries replace it
  Op::store_targets(constants, row.elements, 0, p.classes, row.lanes, targets);
}

// A block for as many rows as fit its shared memory, each a group of lanes'.
template <class Op>
__device__ __forceinline__ void row_packed(const typename Op::Params& p) {
  __shared__ typename Op::Outputs outputs[ROW_WARPS * PACKED_MOST_ROWS];
  const RowTensor<typename Op::f> logits(p.logits, p.rows, p.classes);
  const PackedRows<typename Op::f> packed(logits);
  const uint64_t first = packed.span.first;
  const uint32_t rows = packed.span.last - first;
  packed.copy_in(slots);
  Op::Targets::stage(p, slots + PACKED_BYTES, first, 0, rows, threadIdx.x, blockDim.x);
  cp_async_wait<0>();
  __syncthreads();  // every thread's copies before any reads a row
  if (packed.warp_has_row()) packed_warp<Op>(p, packed, outputs);
  __syncthreads();  // every row's outputs and gradient before any thread copies them
  if (threadIdx.x < rows) Op::store_outputs(p, first + threadIdx.x, outputs[threadIdx.x]);
  if (p.grad_logits != nullptr) packed.copy_out(slots, p.grad_logits);
}

// A warp per row of one chunk.
template <class Op>
__device__ __forceinline__ void row_warp(const typename Op::Params& p) {
  using f = typename Op::f;
  const RowTensor<f> logits(p.logits, p.rows, p.classes);
  const uint64_t row = static_cast<uint64_t>(blockIdx.x) * row_warps() + warp_index();
  if (row >= p.rows) return;
  unsigned char* const own = slot(warp_index());
  const ChunkSpan span = logits.span(row, 0);
  const Copy copy = Copy::for_statistics(span);
  copy.start(own);
  cp_async_commit();
  copy.edges<f>(own);
  stage_targets<Op>(p, slot(row_warps()), row, warp_index());
  cp_async_wait<0>();
  __syncwarp();  // every lane's copies before any lane reads the slot
  const auto total = statistics<Op>(p, own, span);
  const auto* const elements = reinterpret_cast<const f*>(own + (span.begin - span.slot));
  const auto logit = [&](uint64_t k) { return widen(elements[k]); };
  const typename Op::Targets targets(p, slot(row_warps()), row, warp_index());
  const auto constants = finish<Op>(p, row, total, logit, targets);
  if (p.grad_logits == nullptr) return;
  __syncwarp();  // the reads of the targets' logits before an ignored row's are cleared
  store<Op>(p, logits, own, span, constants, targets);
  if (targets.are_several()) return;
  __syncwarp();  // the row's gradient before its target's entry replaces it
  store_only_target<Op>(p, row, constants, 0, p.classes, targets);
}

// A block per row, all of whose chunks stay in shared memory; warp w takes the chunks w, w + warps, ...
template <class Op>
__device__ __forceinline__ void row_block(const typename Op::Params& p) {
  using f = typename Op::f;
  __shared__ typename Op::Partial partials[WINDOW_CHUNKS];
  __shared__ typename Op::Row shared_constants;
  const RowTensor<f> logits(p.logits, p.rows, p.classes);
  const uint64_t row = blockIdx.x;
  const uint32_t chunks = logits.chunks(), warps = blockDim.x / WARP, warp = warp_index();
#pragma unroll 1
  for (uint32_t chunk = warp; chunk < chunks; chunk += warps) {
    Copy::for_statistics(logits.span(row, chunk)).start(slot(chunk));
    cp_async_commit();
  }
  // Made where they are used: kept from one loop to the next they cost registers that sm_120 has not.
  const auto targets = [&] { return typename Op::Targets(p, slot(chunks), row, 0); };
  if (warp == 0) stage_targets<Op>(p, slot(chunks), row, 0);
    // The edges are waited for: after every other copy has begun. The row may end in a sector of its last chunk but one.
#pragma unroll 1
  for (uint32_t chunk = 0; chunk < chunks; chunk += chunk == 0 && chunks > 3 ? chunks - 2 : 1) {
    if (chunk % warps == warp) Copy::for_statistics(logits.span(row, chunk)).edges<f>(slot(chunk));
  }
#pragma unroll 1
  for (uint32_t chunk = warp; chunk < chunks; chunk += warps) {
    if (chunk + warps < chunks) {
      cp_async_wait<1>();  // the copies are done in order: the last chunk's may go on
    } else {
      cp_async_wait<0>();
    }
    __syncwarp();  // every lane's copies before any lane reads the slot
    const auto partial = statistics<Op>(p, slot(chunk), logits.span(row, chunk));
    if (lane_index() == 0) partials[chunk] = partial;
  }
  __syncthreads();  // every chunk's partial before warp 0 merges them
  if (warp == 0) {
    const auto total = merge_segments(Op::Partial::none(), partials, chunks);
    const uint32_t phase = logits.span(row, 0).begin % SECTOR_BYTES;  // every chunk's in its slot
    const auto logit = [&](uint32_t k) {
      const unsigned char* const at = slot(k / CHUNK_ELEMENTS<f>) + phase + k % CHUNK_ELEMENTS<f> * sizeof(f);
      return widen(*reinterpret_cast<const f*>(at));
    };
    const auto constants = finish<Op>(p, row, total, logit, targets());
    if (lane_index() == 0) shared_constants = constants;
  }
  if (p.grad_logits == nullptr) return;
  __syncthreads();  // the row's constants, and the reads of its targets' logits, before its gradient is written
  const auto constants = shared_constants;
#pragma unroll 1
  for (uint32_t chunk = warp; chunk < chunks; chunk += warps) {
    store<Op>(p, logits, slot(chunk), logits.span(row, chunk), constants, targets());
  }
  if (targets().are_several()) return;
  __syncthreads();  // the row's gradient before its target's entry replaces it
  if (warp == 0) store_only_target<Op>(p, row, constants, 0, p.classes, targets());
}

// A block per row that is read twice, the second time backwards: what was read last is still in L2. Each warp keeps
// STREAM_STAGES of its chunks in flight.
template <class Op>
__device__ __forceinline__ void row_stream(const typename Op::Params& p) {
  __shared__ typename Op::Partial partials[WINDOW_CHUNKS];
  __shared__ typename Op::Partial total;  // of the windows so far, warp 0's
  __shared__ typename Op::Row shared_constants;
  using f = typename Op::f;
  const RowTensor<f> logits(p.logits, p.rows, p.classes);
  const uint64_t row = blockIdx.x;
  const uint32_t chunks = logits.chunks(), warp = warp_index();
  const auto own = [](uint32_t chunk) {
    return slot(chunk % (STREAM_STAGES * MAX_WARPS));
  };  // chunk mod MAX_WARPS = warp

  const auto read = [&](uint32_t chunk) {
    if (chunk < chunks) Copy::for_statistics(logits.span(row, chunk)).start(own(chunk));
    cp_async_commit();  // an empty group too, so that the count of those in flight stays right
  };
  const typename Op::Targets targets(p, slot(STREAM_STAGES * MAX_WARPS), row, 0);
  for (uint32_t stage = 0; stage < STREAM_STAGES - 1; ++stage) read(warp + stage * MAX_WARPS);
  if (warp == 0) stage_targets<Op>(p, slot(STREAM_STAGES * MAX_WARPS), row, 0);
  if (threadIdx.x == 0) total = Op::Partial::none();
  for (uint32_t window = 0; window < chunks; window += WINDOW_CHUNKS) {
    const uint32_t window_end = least(window + WINDOW_CHUNKS, chunks);
#pragma unroll 1
    for (uint32_t chunk = window + warp; chunk < window_end; chunk += MAX_WARPS) {
      __syncwarp();  // every lane has read the slot that the next copy fills
      read(chunk + (STREAM_STAGES - 1) * MAX_WARPS);
      const ChunkSpan span = logits.span(row, chunk);
      Copy::for_statistics(span).edges<f>(own(chunk));
      cp_async_wait<STREAM_STAGES - 1>();
      __syncwarp();  // every lane's copies before any lane reads the slot
      const auto partial = statistics<Op>(p, own(chunk), span);
      if (lane_index() == 0) partials[chunk % WINDOW_CHUNKS] = partial;
    }
    __syncthreads();  // the window's partials before warp 0 merges them
    if (warp == 0) {
      const auto merged = merge_segments(total, partials, window_end - window);
      __syncwarp();  // every lane has read the total before lane 0 replaces it
      if (lane_index() == 0) total = merged;
    }
    __syncthreads();  // their merge before the next window replaces them
  }
  if (warp == 0) {
    const auto constants = finish<Op>(p, row, total, global_logit<Op>(p, row), targets);
    if (lane_index() == 0) shared_constants = constants;
  }
  if (p.grad_logits == nullptr) return;
  cp_async_wait<0>();
  __syncthreads();  // the row's constants, and every read of its logits, before its gradient is written
  const auto constants = shared_constants;

  const uint32_t own_chunks = warp < chunks ? (chunks - warp + MAX_WARPS - 1) / MAX_WARPS : 0;
  const auto read_back = [&](uint32_t i) {  // the warp's i-th chunk, if i is not "before 0"
    if (i < own_chunks) {
      const uint32_t chunk = warp + i * MAX_WARPS;
      Copy::for_gradient(logits.span(row, chunk)).start(own(chunk));
    }
    cp_async_commit();
  };
  for (uint32_t stage = 1; stage < STREAM_STAGES; ++stage) read_back(own_chunks - stage);
#pragma unroll 1
  for (uint32_t i = own_chunks; i-- > 0;) {
    __syncwarp();  // every lane has read the slot that the next copy fills
    read_back(i - (STREAM_STAGES - 1));
    const uint32_t chunk = warp + i * MAX_WARPS;
    const ChunkSpan span = logits.span(row, chunk);
    Copy::for_gradient(span).edges<f>(own(chunk));
    cp_async_wait<STREAM_STAGES - 1>();
    __syncwarp();  // every lane's copies before any lane reads the slot
    store<Op>(p, logits, own(chunk), span, constants, targets);
  }
  if (targets.are_several()) return;
  __syncthreads();  // the row's gradient before its target's entry replaces it
  if (warp == 0) store_only_target<Op>(p, row, constants, 0, p.classes, targets);
}

// The block's segment of its row, for the three launches of few long rows; the block's warp takes one chunk of it.
template <class f>
struct Segment {
  uint64_t row;
  uint32_t index, chunk, chunks;

  __device__ __forceinline__ explicit Segment(const RowTensor<f>& logits) {
    chunks = logits.chunks();
    const uint32_t segments = (chunks + SEGMENT_CHUNKS - 1) / SEGMENT_CHUNKS;
    row = blockIdx.x / segments;
    index = blockIdx.x % segments;
    chunk = index * SEGMENT_CHUNKS + warp_index();
  }
};

// First launch: the partial of each segment.
template <class Op>
__device__ __forceinline__ void row_partials(const typename Op::Params& p) {
  __shared__ typename Op::Partial partials[SEGMENT_CHUNKS];
  using f = typename Op::f;
  const RowTensor<f> logits(p.logits, p.rows, p.classes);
  const Segment<f> segment(logits);
  auto partial = Op::Partial::none();
  if (segment.chunk < segment.chunks) {
    const ChunkSpan span = logits.span(segment.row, segment.chunk);
    const Copy copy = Copy::for_statistics(span);
    copy.start(slot(warp_index()));
    cp_async_commit();
    copy.edges<f>(slot(warp_index()));
    cp_async_wait<0>();
    __syncwarp();  // every lane's copies before any lane reads the slot
    partial = statistics<Op>(p, slot(warp_index()), span);
  }
  if (lane_index() == 0) partials[warp_index()] = partial;
  __syncthreads();  // every chunk's partial before warp 0 merges them
  if (warp_index() != 0) return;
  const auto total = merge_segments(Op::Partial::none(), partials, SEGMENT_CHUNKS);
  if (lane_index() == 0) static_cast<typename Op::Partial*>(p.partials)[blockIdx.x] = total;
}

// Second launch: a warp per row merges its segments in index order.
template <class Op>
__device__ __forceinline__ void row_finish(const typename Op::Params& p) {
  const RowTensor<typename Op::f> logits(p.logits, p.rows, p.classes);
  const uint64_t row = static_cast<uint64_t>(blockIdx.x) * row_warps() + warp_index();
  if (row >= p.rows) return;
  const uint64_t segments = (logits.chunks() + SEGMENT_CHUNKS - 1) / SEGMENT_CHUNKS;
  const auto* partials = static_cast<const typename Op::Partial*>(p.partials) + row * segments;
  auto total = Op::Partial::none();
  for (uint64_t first = 0; first < segments; first += WARP) {
    const uint64_t i = first + lane_index();
    const auto partial = i < segments ? partials[i] : Op::Partial::none();
    for (uint32_t lane = 0; lane < least(segments - first, WARP); ++lane)
      total = merge(total, from_lane(partial, lane));
  }
  const typename Op::Targets targets(p, slots, row, warp_index());
  stage_targets<Op>(p, slots, row, warp_index());
  __syncwarp();  // every lane's targets before any lane looks for its own among them
  const auto constants = finish<Op>(p, row, total, global_logit<Op>(p, row), targets);
  if (p.coefficients == nullptr) return;
  if (lane_index() == 0) static_cast<typename Op::Row*>(p.coefficients)[row] = constants;
  targets.save(p, row, WarpLanes());
}

// Third launch: the gradient of each segment.
template <class Op>
__device__ __forceinline__ void row_gradient(const typename Op::Params& p) {
  using f = typename Op::f;
  const RowTensor<f> logits(p.logits, p.rows, p.classes);
  const Segment<f> segment(logits);
  __shared__ typename Op::Row shared_constants;
  const ChunkSpan span = logits.span(segment.row, segment.chunk);
  const Copy copy = Copy::for_gradient(span);
  if (segment.chunk < segment.chunks) copy.start(slot(warp_index()));
  cp_async_commit();
  if (threadIdx.x < sizeof(shared_constants) / sizeof(uint32_t)) {  // once for the block, in one request
    const auto* words =
        reinterpret_cast<const uint32_t*>(static_cast<const typename Op::Row*>(p.coefficients) + segment.row);
    reinterpret_cast<uint32_t*>(&shared_constants)[threadIdx.x] = words[threadIdx.x];
  }
  const typename Op::Targets targets(p, slot(MAX_WARPS), segment.row, 0);
  targets.restore(p, segment.row, threadIdx.x, blockDim.x);
  if (segment.chunk < segment.chunks) copy.edges<f>(slot(warp_index()));
  cp_async_wait<0>();
  __syncthreads();  // the row's constants and targets, and every lane's copies before any lane reads the slot
  const auto constants = shared_constants;
  if (segment.chunk < segment.chunks) store<Op>(p, logits, slot(warp_index()), span, constants, targets);
  if (targets.are_several()) return;
  __syncthreads();  // the segment's gradient before its target's entry replaces it
  if (warp_index() != 0) return;
  const uint64_t last = least((segment.index + 1) * SEGMENT_CHUNKS, segment.chunks) - 1;
  const ChunkSpan first_span = logits.span(segment.row, segment.index * SEGMENT_CHUNKS);
  const ChunkSpan last_span = logits.span(segment.row, last);
  store_only_target<Op>(p, segment.row, constants, (first_span.gradient_begin - first_span.row_begin) / sizeof(f),
                        (last_span.gradient_end - first_span.row_begin) / sizeof(f), targets);
}
}  // namespace oblate

// Blocks that registers are rationed for. Of OP_T_stream the 100 KB of shared memory of 8.6, 8.9 and 12.0 hold one. Of
// OP_T_block on 12.0 ptxas 13.0 spills within the 80 registers that two leave, and takes 110 without: one, until it does not.
#if defined(__CUDA_ARCH__) && (__CUDA_ARCH__ == 860 || __CUDA_ARCH__ == 890 || __CUDA_ARCH__ >= 1200)
#define ROW_STREAM_BLOCKS 1
#else
#define ROW_STREAM_BLOCKS 2
#endif
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1200
#define ROW_BLOCK_BLOCKS 1
#else
#define ROW_BLOCK_BLOCKS 2
#endif

// The entry points of an operation whose struct is `operation`<f>: operation_dtype_variant.
#define ROW_ENTRY(operation, Op, Params, dtype, f, variant, threads, blocks) \
  extern "C" __global__ void __launch_bounds__(threads, blocks)              \
      operation##_##dtype##_##variant(const __grid_constant__ Params p) {    \
    oblate::row_##variant<oblate::Op<f>>(p);                                 \
  }
#define ROW_ENTRIES(operation, Op, Params, dtype, f)                                             \
  ROW_ENTRY(operation, Op, Params, dtype, f, packed, ROW_WARPS* oblate::WARP, 3)                 \
  ROW_ENTRY(operation, Op, Params, dtype, f, warp, ROW_WARPS* oblate::WARP, 2)                   \
  ROW_ENTRY(operation, Op, Params, dtype, f, block, BLOCK_WARPS* oblate::WARP, ROW_BLOCK_BLOCKS) \
  ROW_ENTRY(operation, Op, Params, dtype, f, stream, oblate::MAX_THREADS, ROW_STREAM_BLOCKS)     \
  ROW_ENTRY(operation, Op, Params, dtype, f, partials, oblate::MAX_THREADS, 2)                   \
  ROW_ENTRY(operation, Op, Params, dtype, f, finish, ROW_WARPS* oblate::WARP, 2)                 \
  ROW_ENTRY(operation, Op, Params, dtype, f, gradient, oblate::MAX_THREADS, 2)
