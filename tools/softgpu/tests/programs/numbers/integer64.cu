// 64-bit integers: products, their high halves, quotients, remainders, shifts by any amount.
extern "C" __global__ void integer64(const long long* a, const long long* b, long long* out, int n) {
  const int i = threadIdx.x;
  if (i >= n) return;
  const unsigned long long ua = a[i], ub = b[i];
  out[0 * n + i] = a[i] * b[i];
  out[1 * n + i] = __mul64hi(a[i], b[i]);
  out[2 * n + i] = __umul64hi(ua, ub);
  out[3 * n + i] = a[i] / b[i];
  out[4 * n + i] = a[i] % b[i];
  out[5 * n + i] = ua / ub;
  out[6 * n + i] = ua % ub;
  out[7 * n + i] = a[i] >> (ub % 64);
  out[8 * n + i] = ua >> (ub % 64);
  out[9 * n + i] = a[i] << (ub % 64);
  out[10 * n + i] = (a[i] < b[i]) + 2 * (ua < ub);
  out[11 * n + i] = __clzll(a[i]) * 100 + __popcll(a[i]);
}
