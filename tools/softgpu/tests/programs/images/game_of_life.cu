// The game of life on a torus: a tile with its border in shared memory, a generation a launch.
constexpr int TILE = 16;
extern "C" __global__ void game_of_life(const unsigned char* cells, unsigned char* next, int height, int width) {
  __shared__ unsigned char tile[TILE + 2][TILE + 2];
  const int top = blockIdx.y * TILE, left = blockIdx.x * TILE;
  for (int i = threadIdx.y * TILE + threadIdx.x; i < (TILE + 2) * (TILE + 2); i += TILE * TILE) {
    const int row = (top + i / (TILE + 2) - 1 + height) % height, column = (left + i % (TILE + 2) - 1 + width) % width;
    tile[i / (TILE + 2)][i % (TILE + 2)] = cells[row * width + column];
  }
  __syncthreads();
  const int row = top + threadIdx.y, column = left + threadIdx.x;
  if (row >= height || column >= width) return;
  int neighbours = 0;
  for (int i = 0; i < 9; ++i)
    if (i != 4) neighbours += tile[threadIdx.y + i / 3][threadIdx.x + i % 3];
  next[row * width + column] = neighbours == 3 || (neighbours == 2 && tile[threadIdx.y + 1][threadIdx.x + 1]);
}
