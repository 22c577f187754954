// A vote by all lanes whose mask leaves the last one out.
extern "C" __global__ void lane_outside_its_mask(const int* x, int* y, int n) {
#ifdef FAULT
  const unsigned mask = 0x7fffffffu;
#else
  const unsigned mask = 0xffffffffu;
#endif
  const unsigned votes = __ballot_sync(mask, threadIdx.x % 3 == 0);
  if (threadIdx.x == 0) y[0] = votes;
}
