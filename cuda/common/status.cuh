// Reporting into a Status (status.h) from a kernel.
#pragma once

#include "status.h"

namespace oblate {
// Integer minima: the least offending index stays, whatever the order in which rows report.
__device__ __forceinline__ void report(Status* status, uint32_t code, uint32_t tensor, uint64_t index) {
  atomicMin(&status->code, code);
  atomicMin(&status->tensor, tensor);
  atomicMin(reinterpret_cast<unsigned long long*>(&status->index), static_cast<unsigned long long>(index));
}
}  // namespace oblate
