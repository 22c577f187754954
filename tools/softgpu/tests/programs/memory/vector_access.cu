// Loads and stores of each width, 1 to 16 bytes, of each element type that CUDA has vectors of.
#define COPY(name, type)                                                       \
  extern "C" __global__ void copy_##name(const type* x, type* y, unsigned n) { \
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;                  \
    if (i < n) y[n - 1 - i] = x[i];                                            \
  }
COPY(u8, unsigned char)
COPY(u8x2, uchar2)
COPY(u8x4, uchar4)
COPY(u16, unsigned short)
COPY(u16x2, ushort2)
COPY(u16x4, ushort4)
COPY(u32, unsigned)
COPY(u32x2, uint2)
COPY(u32x4, uint4)
COPY(f32x4, float4)
COPY(u64, unsigned long long)
COPY(u64x2, ulonglong2)
COPY(f64x2, double2)
