// Integers of 1,024 bits, a word a lane: sums with carries resolved by one addition of ballots, products by columns.
__device__ unsigned long long generate_and_propagate(unsigned generate, unsigned propagate) {
  // A carry runs through the lanes that would pass one on, as it does through the bits of a sum.
  return (static_cast<unsigned long long>(generate) << 1) + propagate;
}
extern "C" __global__ void add(const unsigned* a, const unsigned* b, unsigned* sum, unsigned* overflow) {
  const unsigned lane = threadIdx.x % 32, number = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  const unsigned x = a[32 * number + lane], partial = x + b[32 * number + lane];
  const unsigned generate = __ballot_sync(0xffffffffu, partial < x),
                 propagate = __ballot_sync(0xffffffffu, partial == ~0u);
  const unsigned long long carried = generate_and_propagate(generate, propagate);
  const unsigned long long carries = carried ^ propagate;
  sum[32 * number + lane] = partial + static_cast<unsigned>(carries >> lane & 1);
  if (lane == 0) overflow[number] = static_cast<unsigned>(carries >> 32 & 1);
}
extern "C" __global__ void multiply(const unsigned* a, const unsigned* b, unsigned* product, int words) {
  // A thread a column of the product, its sum in 96 bits; then one thread carries.
  extern __shared__ unsigned long long columns[];  // low 64 bits, then high 32 of each
  const int column = threadIdx.x;
  unsigned low = 0, middle = 0, high = 0;
  for (int i = max(0, column - words + 1); i <= min(column, words - 1); ++i)
    asm("mad.lo.cc.u32 %0, %3, %4, %0;\n\tmadc.hi.cc.u32 %1, %3, %4, %1;\n\taddc.u32 %2, %2, 0;"
        : "+r"(low), "+r"(middle), "+r"(high)
        : "r"(a[i]), "r"(b[column - i]));
  columns[column] = static_cast<unsigned long long>(middle) << 32 | low;
  columns[2 * words + column] = high;
  __syncthreads();
  if (column != 0) return;
  unsigned long long carry_low = 0, carry_high = 0;
  for (int i = 0; i < 2 * words; ++i) {
    const unsigned long long sum = carry_low + columns[i];
    const unsigned long long over = columns[2 * words + i] + carry_high + (sum < carry_low);
    product[i] = static_cast<unsigned>(sum);
    carry_low = sum >> 32 | over << 32;
    carry_high = over >> 32;
  }
}
