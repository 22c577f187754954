// Accesses at byte offsets that a table gives: loads and stores of each width, atomics, asynchronous copies, matrix loads.
// A lane whose offset is NONE takes no part. One warp.
#include <cstdint>

constexpr uint32_t NONE = ~0u;
constexpr int SHARED_WORDS = 1024;

template <class T>
__device__ void global_load(const uint32_t* at, const char* x, T* y) {
  const uint32_t offset = at[threadIdx.x];
  if (offset != NONE) y[threadIdx.x] = *reinterpret_cast<const T*>(x + offset);
}

template <class T>
__device__ void global_store(const uint32_t* at, char* y) {
  const uint32_t offset = at[threadIdx.x];
  if (offset != NONE) *reinterpret_cast<T*>(y + offset) = T{};
}

// Shared memory is written once, a word a lane, before the access; what is loaded goes to y, a T a lane.
__device__ void fill(uint32_t* words) {
  for (int i = threadIdx.x; i < SHARED_WORDS; i += 32) words[i] = i;
  __syncthreads();
}

template <class T>
__device__ void shared_load(const uint32_t* at, T* y) {
  __shared__ __align__(16) uint32_t words[SHARED_WORDS];
  fill(words);
  const uint32_t offset = at[threadIdx.x];
  if (offset != NONE) y[threadIdx.x] = *reinterpret_cast<const T*>(reinterpret_cast<const char*>(words) + offset);
}

#define WIDTH(name, T)                                                                                              \
  extern "C" __global__ void global_load_##name(const uint32_t* at, const char* x, T* y) { global_load(at, x, y); } \
  extern "C" __global__ void global_store_##name(const uint32_t* at, char* y) { global_store<T>(at, y); }           \
  extern "C" __global__ void shared_load_##name(const uint32_t* at, T* y) { shared_load(at, y); }
WIDTH(1, uint8_t)
WIDTH(2, uint16_t)
WIDTH(4, uint32_t)
WIDTH(8, uint2)
WIDTH(16, uint4)

extern "C" __global__ void atomic_global(const uint32_t* at, char* y) {
  const uint32_t offset = at[threadIdx.x];
  if (offset != NONE) atomicAdd(reinterpret_cast<uint32_t*>(y + offset), 1);
}

extern "C" __global__ void atomic_shared(const uint32_t* at) {
  __shared__ uint32_t words[SHARED_WORDS];
  fill(words);
  const uint32_t offset = at[threadIdx.x];
  if (offset != NONE) atomicAdd(reinterpret_cast<uint32_t*>(reinterpret_cast<char*>(words) + offset), 1);
}

__device__ uint32_t shared_address(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }

// From x to shared memory, at the two offsets that the table gives each lane.
extern "C" __global__ void copy_16(const uint32_t* at, const char* x) {
  __shared__ __align__(16) char bytes[4 * SHARED_WORDS];
  const uint2 offsets = reinterpret_cast<const uint2*>(at)[threadIdx.x];
  const uint32_t from = offsets.x, to = offsets.y;
  if (from != NONE)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(bytes + to)), "l"(x + from));
  asm volatile("cp.async.wait_all;");
}

extern "C" __global__ void matrix_load(const uint32_t* at, uint4* y) {
  __shared__ __align__(16) uint32_t words[SHARED_WORDS];
  fill(words);
  uint4 d;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(d.x), "=r"(d.y), "=r"(d.z), "=r"(d.w)
               : "r"(shared_address(words) + at[threadIdx.x]));
  y[threadIdx.x] = d;
}
