// Bit tricks: counting, finding, reversing, permuting bytes, funnel shifts.
extern "C" __global__ void bits(const unsigned* a, const unsigned* b, unsigned* out, unsigned n) {
  const unsigned i = threadIdx.x;
  out[0 * n + i] = __popc(a[i]);
  out[1 * n + i] = __clz(a[i]);
  out[2 * n + i] = __brev(a[i]);
  out[3 * n + i] = __ffs(a[i]);
  out[4 * n + i] = __byte_perm(a[i], b[i], 0x7250);
  out[5 * n + i] = __byte_perm(a[i], b[i], b[i]);
  out[6 * n + i] = __funnelshift_l(a[i], b[i], b[i]);
  out[7 * n + i] = __funnelshift_rc(a[i], b[i], b[i] & 63);
  out[8 * n + i] = (a[i] & b[i]) | (~a[i] & 0x0f0f0f0f);
  out[9 * n + i] = __umulhi(a[i], b[i]);
  out[10 * n + i] = __usad(a[i], b[i], 3u);
  out[11 * n + i] = min(a[i], b[i]) ^ static_cast<unsigned>(max(static_cast<int>(a[i]), static_cast<int>(b[i])));
}
