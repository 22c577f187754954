// One step of softened gravity between n bodies, tiles of 64 in shared memory, rsqrtf.
extern "C" __global__ void nbody(const float4* bodies, float4* force, int n) {
  __shared__ float4 tile[64];
  const int i = blockIdx.x * 64 + threadIdx.x;
  const float4 me = bodies[i];
  float x = 0.f, y = 0.f, z = 0.f;
  for (int first = 0; first < n; first += 64) {
    tile[threadIdx.x] = bodies[first + threadIdx.x];
    __syncthreads();
    for (int j = 0; j < 64; ++j) {
      const float dx = tile[j].x - me.x, dy = tile[j].y - me.y, dz = tile[j].z - me.z;
      const float inverse = rsqrtf(dx * dx + dy * dy + dz * dz + 0.01f);
      const float pull = tile[j].w * inverse * inverse * inverse;
      x += dx * pull;
      y += dy * pull;
      z += dz * pull;
    }
    __syncthreads();
  }
  force[i] = make_float4(x, y, z, 0.f);
}
