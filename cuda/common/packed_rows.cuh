// Short rows: as many whole rows to a warp as fit a chunk, 2 to 32 of them, each held by a group of 32 / rows lanes.
//
// The rows of a warp are one stretch of memory, copied to the warp's slot by aligned 16-byte vectors; the gradient
// replaces the logits there and goes back the same way, so that what is moved is what is needed, however short a row is.
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

// The rows of one warp.
template <class f>
struct PackedRows {
  const RowTensor<f>& tensor;
  PackedSpan span;
  uint64_t index;  // of the lane's row; of the last one for lanes without a row
  uint32_t rows, local;

  __device__ __forceinline__ PackedRows(const RowTensor<f>& tensor, uint64_t warp) : tensor(tensor) {
    rows = packed_rows(tensor.classes, sizeof(f));
    span = packed_span(tensor.begin, tensor.rows, tensor.classes, sizeof(f), warp);
    local = lane_index() / (WARP / rows);
    index = least(span.first + local, tensor.rows - 1);
  }

  __device__ __forceinline__ bool is_empty() const { return span.first >= tensor.rows; }

  __device__ __forceinline__ ShortRow<f> row(unsigned char* slot) const {
    const bool has_row = span.first + local < tensor.rows;
    const bool on_words = (tensor.classes * sizeof(f) | span.begin) % 4 == 0;
    const uint32_t place = index - span.first;
    auto* const elements = reinterpret_cast<f*>(slot + (span.begin - span.slot) + place * span.stride);
    return ShortRow<f>(elements, tensor.classes, GroupLanes(WARP / rows, has_row), on_words);
  }

  // Where vector v of the stretch lies in the slot: a free vector after each row for `padding` of them.
  __device__ __forceinline__ unsigned char* vector(unsigned char* slot, uint32_t v) const {
    return slot + (v + (v * span.reciprocal >> 16)) * VECTOR_BYTES;
  }

  __device__ __forceinline__ void copy_in(unsigned char* slot) const {
    const uint32_t vectors = (span.end - span.slot + VECTOR_BYTES - 1) / VECTOR_BYTES;
    for (uint32_t v = lane_index(); v < vectors; v += WARP) {
      const uint64_t address = span.slot + v * VECTOR_BYTES;
      if (address >= tensor.begin && address + VECTOR_BYTES <= tensor.end()) {
        cp_async_16(vector(slot, v), global_pointer<const unsigned char>(address));
      } else {
        copy_edge<f>(vector(slot, v), address, tensor);
      }
    }
  }

  __device__ __forceinline__ void copy_out(unsigned char* slot, void* grad_logits) const {
    const uint64_t to_gradient = __cvta_generic_to_global(grad_logits) - tensor.begin;
    const bool by_vectors = to_gradient % VECTOR_BYTES == 0;
    const uint32_t vectors = (span.end - span.slot + VECTOR_BYTES - 1) / VECTOR_BYTES;
#pragma unroll 1
    for (uint32_t v = lane_index(); v < vectors; v += WARP) {
      const uint64_t address = span.slot + v * VECTOR_BYTES;
      if (!by_vectors || address < span.begin || address + VECTOR_BYTES > span.end) continue;
      __stwb(global_pointer<uint4>(address + to_gradient), *reinterpret_cast<const uint4*>(vector(slot, v)));
    }
    // What the whole vectors leave, or all: the stretch without [head, tail).
    const uint64_t head =
        by_vectors ? least(span.slot + (span.slot < span.begin ? VECTOR_BYTES : 0), span.end) : span.begin;
    const uint64_t whole = span.end - span.end % VECTOR_BYTES, tail = by_vectors && whole > head ? whole : head;
#pragma unroll 1
    for (uint64_t at = span.begin + lane_index() * sizeof(f); at < span.end - (tail - head); at += WARP * sizeof(f)) {
      const uint64_t from = at < head ? at : at + (tail - head);
      const uint32_t offset = from - span.slot;
      const unsigned char* const element = vector(slot, offset / VECTOR_BYTES) + offset % VECTOR_BYTES;
      *global_pointer<f>(from + to_gradient) = *reinterpret_cast<const f*>(element);
    }
  }
};
}  // namespace oblate
