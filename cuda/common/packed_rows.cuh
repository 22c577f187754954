// Short rows: as many whole rows to a warp as fit a chunk, 2 to 32 of them, each held by a group of 32 / rows lanes.
//
// The rows of a block are one stretch of memory, copied to shared memory by aligned 16-byte vectors; the gradient replaces
// the logits there and goes back the same way, so that what is moved is what is needed, however short a row is. They are 16
// rows or more, whole sectors where the tensor begins on one; a stretch for each warp would not be, and of the 1,028 bytes
// that two rows of 257 classes have would move 8 % more than it needs.
// Lane i of a group holds the words i, i + lanes, ... of its row. Where rows are a whole, even number of vectors, equal
// elements of the rows would lie in few banks: then a vector is left free after each row.
//
//   rows = 32, 16, ..., 2: the most with rows * D * sizeof f <= CHUNK_BYTES        lanes of a row = 32 / rows
#pragma once

#include "row.cuh"

namespace oblate {
// The elements of one short row, of which a lane takes its own as they are asked for: the words (one f32, two elements
// of 16 bits) index, index + lanes, ... of the row; an element left over comes after the last word. See Chunk, which holds
// its elements.
template <class element>
struct ShortRow {
  using f = element;
  static constexpr uint32_t PER_WORD = 4 / sizeof(f);
  static constexpr uint32_t WORDS = 4 / PER_WORD;  // loaded together

  f* elements;
  uint32_t count;
  GroupLanes lanes;
  bool on_words;  // the row begins on a whole word; the same in the whole grid
  float factor = 1.f;

  __device__ __forceinline__ ShortRow(f* elements, uint32_t count, const GroupLanes& lanes, bool on_words)
      : elements(elements), count(count), lanes(lanes), on_words(on_words) {}
  __device__ __forceinline__ void multiply(float by) { factor = by; }
  __device__ __forceinline__ void refill(float) {}  // there is nothing beyond the row

  __device__ __forceinline__ uint32_t load(const f* at) const {
    if (PER_WORD == 1 || on_words) return *reinterpret_cast<const uint32_t*>(at);
    const auto* const halves = reinterpret_cast<const uint16_t*>(at);
    return halves[0] | static_cast<uint32_t>(halves[1]) << 16;
  }
  __device__ __forceinline__ void store(f* at, uint32_t word) const {
    if (PER_WORD == 1 || on_words) {
      *reinterpret_cast<uint32_t*>(at) = word;
    } else {
      auto* const halves = reinterpret_cast<uint16_t*>(at);
      halves[0] = word;
      halves[1] = word >> 16;
    }
  }

  // Calls each(at, word) for the lane's words, then last(at) for the element left over.
  template <class Each, class Last>
  __device__ __forceinline__ void visit(Each each, Last last) const {
    const uint32_t words = count / PER_WORD, step = lanes.count * PER_WORD;
    uint32_t own = lanes.own(words);
    f* at = elements + lanes.index * PER_WORD;
#pragma unroll 1
    for (; own >= WORDS; own -= WORDS) {
      uint32_t word[WORDS];
#pragma unroll
      for (uint32_t w = 0; w < WORDS; ++w) word[w] = load(at + w * step);
#pragma unroll
      for (uint32_t w = 0; w < WORDS; ++w) each(at + w * step, word[w]);
      at += WORDS * step;
    }
#pragma unroll 1
    for (; own > 0; --own) {
      each(at, load(at));
      at += step;
    }
    if (PER_WORD > 1 && count % PER_WORD != 0 && lanes.index == (words & (lanes.count - 1))) last(elements + count - 1);
  }

  template <class T, class Take>
  __device__ __forceinline__ T fold(T total, Take take) const {
    const auto each = [&](const f*, uint32_t word) {
      float x[PER_WORD];
      widen_word(word, x, f());
#pragma unroll
      for (float x_e : x) take(total, x_e * factor);
    };
    visit(each, [&](const f* at) { take(total, widen(*at) * factor); });
    return total;
  }
  // In order: at most 16 words a lane.
  template <class T, class Add>
  __device__ __forceinline__ T sum(T zero, Add add) const {
    return fold(zero, add);
  }

  template <class Gradient>
  __device__ __forceinline__ void replace(Gradient gradient) const {
    const auto each = [&](f* at, uint32_t word) {
      float x[PER_WORD];
      widen_word(word, x, f());
#pragma unroll
      for (float& x_e : x) x_e = gradient(x_e);
      store(at, narrow_word(x, f()));
    };
    visit(each, [&](f* at) { *at = narrow<f>(gradient(widen(*at))); });
  }
};

// The rows of one block.
template <class f>
struct PackedRows {
  const RowTensor<f>& tensor;
  PackedSpan span;
  uint64_t index;       // of the lane's row; of the last one for lanes without a row
  uint32_t lanes;       // of a row
  uint32_t begin, end;  // the stretch, from the start of shared memory
  uint32_t place;       // of that row in the block
  bool has_row;

  __device__ __forceinline__ explicit PackedRows(const RowTensor<f>& tensor) : tensor(tensor) {
    const uint32_t rows = packed_rows(tensor.classes, sizeof(f));
    span = packed_span(tensor.begin, tensor.rows, tensor.classes, sizeof(f), blockIdx.x, rows * (blockDim.x / WARP));
    span.slot = kept(span.slot);
    const uint32_t lanes_log2 = __clz(rows) - __clz(WARP);  // both are powers of two
    lanes = 1u << lanes_log2;
    begin = kept(static_cast<uint32_t>(span.begin - span.slot));
    end = kept(static_cast<uint32_t>(span.end - span.slot));
    place = threadIdx.x >> lanes_log2;
    has_row = span.first + place < span.last;
    if (!has_row) place = span.last - 1 - span.first;
    index = span.first + place;
  }

  __device__ __forceinline__ bool warp_has_row() const { return __any_sync(ALL_LANES, has_row); }

  __device__ __forceinline__ ShortRow<f> row(unsigned char* slot) const {
    const bool on_words = (tensor.classes * sizeof(f) | span.begin) % 4 == 0;
    auto* const elements = reinterpret_cast<f*>(slot + begin + place * span.stride);
    return ShortRow<f>(elements, tensor.classes, GroupLanes(lanes, has_row), on_words);
  }

  // Where an offset of the stretch lies in shared memory.
  __device__ __forceinline__ unsigned char* shared(unsigned char* slot, uint32_t at) const {
    return slot + at + span.free_vectors(at / VECTOR_BYTES) * VECTOR_BYTES;
  }

  // Until cp_async_wait.
  __device__ __forceinline__ void copy_in(unsigned char* slot) const {
    const unsigned char* const from = global_pointer<const unsigned char>(span.slot);
#pragma unroll 1
    for (uint32_t at = sector_ceil(begin) + threadIdx.x * VECTOR_BYTES; at < sector_floor(end);
         at += blockDim.x * VECTOR_BYTES) {
      cp_async_16(shared(slot, at), from + at);
    }
    cp_async_commit();
    if (warp_index() == 0 && (begin | end) % SECTOR_BYTES != 0) {
      const Edge<f> edge(begin, end);
      if (edge.is_inside) *reinterpret_cast<f*>(shared(slot, edge.at)) = edge.load(span.slot);
    }
  }

  __device__ __forceinline__ void copy_out(unsigned char* slot, void* grad_logits) const {
    unsigned char* const to = static_cast<unsigned char*>(grad_logits) + (span.slot - tensor.begin);
    oblate::copy_out<f>(to, begin, end, threadIdx.x, blockDim.x, [&](uint32_t at) { return shared(slot, at); });
  }
};
}  // namespace oblate
