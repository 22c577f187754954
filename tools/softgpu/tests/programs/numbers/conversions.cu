// Conversions between floats and integers: truncation, each rounding, saturation, NaN.
extern "C" __global__ void conversions(const float* x, const double* d, int* out, long long* wide, float* narrow,
                                       int n) {
  const int i = threadIdx.x;
  if (i >= n) return;
  out[0 * n + i] = __float2int_rz(x[i]);
  out[1 * n + i] = __float2int_rn(x[i]);
  out[2 * n + i] = __float2int_rd(x[i]);
  out[3 * n + i] = __float2int_ru(x[i]);
  out[4 * n + i] = static_cast<int>(__float2uint_rz(x[i]));
  out[5 * n + i] = static_cast<int>(static_cast<signed char>(__float2int_rz(x[i])));
  wide[0 * n + i] = __double2ll_rz(d[i]);
  wide[1 * n + i] = static_cast<long long>(__double2ull_rn(d[i]));
  narrow[0 * n + i] = __double2float_rn(d[i]);
  narrow[1 * n + i] = __double2float_rz(d[i]);
  narrow[2 * n + i] = __double2float_ru(d[i]);
  narrow[3 * n + i] = __ll2float_rn(__double2ll_rz(d[i]));
  narrow[4 * n + i] = rintf(x[i]) + floorf(x[i]) - ceilf(x[i]) + truncf(x[i]);
}
