// A Fourier transform of 512 points a block in shared memory: bit reversal, nine rounds of butterflies, sincospif.
constexpr int N = 512;
extern "C" __global__ void fft(const float2* x, float2* y, float sign) {
  __shared__ float2 data[N];
  const int t = threadIdx.x;
  for (int i = t; i < N; i += N / 2) data[__brev(i) >> 23] = x[blockIdx.x * N + i];
  __syncthreads();
  for (int half = 1; half < N; half *= 2) {
    const int k = t % half, i = t / half * 2 * half + k;
    float sine, cosine;
    sincospif(sign * static_cast<float>(k) / static_cast<float>(half), &sine, &cosine);
    const float2 a = data[i], b = data[i + half];
    const float2 turned = {b.x * cosine - b.y * sine, b.x * sine + b.y * cosine};
    data[i] = {a.x + turned.x, a.y + turned.y};
    data[i + half] = {a.x - turned.x, a.y - turned.y};
    __syncthreads();
  }
  for (int i = t; i < N; i += N / 2) y[blockIdx.x * N + i] = data[i];
}
