// cuda/common/index.cuh on the host: every byte of a tensor is in one chunk, every byte of its gradient is written by one
// warp, and nothing wraps where a tensor is larger than 2^32 bytes. Prints what is wrong; exits with 1 then.
#include <cinttypes>
#include <cstdio>
#include <initializer_list>

#include "common/index.cuh"
#include "common/row.h"

namespace {
int failures = 0;

void check(bool holds, const char* what, uint64_t tensor, uint64_t classes, uint64_t chunk) {
  if (holds || ++failures > 10) return;
  std::printf("%s: tensor at %" PRIx64 ", %" PRIu64 " classes, chunk %" PRIu64 "\n", what, tensor, classes, chunk);
}

// The chunks of one row tile it, and so do the parts of its gradient; each part lies in what its warp copied.
void row(uint64_t tensor, uint64_t row, uint64_t classes, uint64_t element_bytes) {
  using namespace oblate;
  const uint64_t begin = tensor + row * classes * element_bytes, bytes = classes * element_bytes;
  const uint64_t chunks = chunks_of(classes, element_bytes, CHUNK_BYTES);
  uint64_t end = begin, gradient_end = begin;
  // All chunks of a short row, the first and the last of a long one.
  for (uint64_t chunk = 0; chunk < chunks; ++chunk) {
    if (chunk == 8 && chunks > 16) {
      chunk = chunks - 8;
      end = begin + chunk * CHUNK_BYTES;
      gradient_end = sector_ceil(end);
    }
    const ChunkSpan s = chunk_span(tensor, row, classes, element_bytes, chunk, CHUNK_BYTES);
    const bool last = chunk + 1 == chunks;
    check(s.row_begin == begin && s.row_end == begin + bytes, "the row", tensor, classes, chunk);
    check(s.begin == end && s.end > s.begin, "chunks follow each other", tensor, classes, chunk);
    check(last ? s.end == s.row_end : s.end - s.begin == CHUNK_BYTES, "a chunk's size", tensor, classes, chunk);
    check(s.slot % SECTOR_BYTES == 0 && s.begin - s.slot < SECTOR_BYTES, "the slot", tensor, classes, chunk);
    check(sector_ceil(s.end) - s.slot <= SLOT_BYTES, "a chunk fits its slot", tensor, classes, chunk);
    const bool whole = s.gradient_end % SECTOR_BYTES == 0 || s.gradient_end == s.row_end;
    check(s.gradient_begin == least(gradient_end, s.row_end) && whole, "whole sectors", tensor, classes, chunk);
    check(s.gradient_begin >= s.begin || s.gradient_begin == s.row_end, "copied", tensor, classes, chunk);
    check(s.gradient_end <= sector_ceil(s.end), "copied", tensor, classes, chunk);
    check(!last || s.gradient_end == s.row_end, "the gradient's end", tensor, classes, chunk);
    end = s.end;
    gradient_end = s.gradient_end;
  }
}
}  // namespace

int main() {
  for (const uint64_t element_bytes : {2, 4}) {
    for (uint64_t tensor = 1 << 20; tensor < (1 << 20) + 64; tensor += element_bytes) {
      for (const uint64_t classes : {1, 2, 7, 15, 16, 17, 511, 512, 513, 1023, 1024, 1025, 5000, 30522, 50257}) {
        for (const uint64_t b : {0, 1, 2, 3}) row(tensor, b, classes, element_bytes);
      }
    }
    // A tensor of 2^31 - 1 rows of 2^31 - 1 classes would end at 2^64; one of 2^59 bytes, and rows of 2^33.
    const uint64_t most = (uint64_t{1} << 31) - 1;
    for (const uint64_t b : {uint64_t{0}, uint64_t{1} << 16, most >> 8}) row(uint64_t{1} << 60, b, most, element_bytes);
    for (const uint64_t b : {most - 1, most}) row((uint64_t{1} << 40) + element_bytes, b, 50257, element_bytes);
  }
  return failures != 0;
}
