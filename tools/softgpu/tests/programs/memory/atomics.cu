// Every kind of atomic on 32 and 64 bits, from many blocks to one word each; f64 by compare-and-swap.
extern "C" __global__ void atomics(unsigned* words, unsigned long long* longs, int* signs, float* f, double* d) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(&words[0], i);
  atomicMin(&words[1], i + 3);
  atomicMax(&words[2], i);
  atomicInc(&words[3], 9u);
  atomicDec(&words[4], 9u);
  atomicAnd(&words[5], ~(1u << (i % 16)));
  atomicOr(&words[6], 1u << (i % 16));
  atomicXor(&words[7], i);
  atomicSub(&words[8], 1u);
  atomicAdd(&longs[0], 1ull << 33);
  atomicMax(&longs[1], static_cast<unsigned long long>(i) << 32);
  atomicMin(&signs[0], -static_cast<int>(i));
  atomicMax(&signs[1], static_cast<int>(i) - 1000);
  atomicAdd(f, 1.f);
  unsigned long long* bits = reinterpret_cast<unsigned long long*>(d);
  unsigned long long seen = *static_cast<volatile unsigned long long*>(bits), expected;  // others are changing it
  do {
    expected = seen;
    seen = atomicCAS(bits, expected, __double_as_longlong(__longlong_as_double(expected) + 0.5));
  } while (seen != expected);
  if (atomicExch(&words[9], i) == i) words[10] = 1;  // never: no two threads bring the same i
}
