// A global lock that every thread takes: lanes of one warp wait for each other, and blocks for blocks.
extern "C" __global__ void spin_lock(int* lock, volatile unsigned* counter) {
  while (atomicCAS(lock, 0, 1) != 0) {
  }
  __threadfence();
  *counter = *counter + 1;
  __threadfence();
  atomicExch(lock, 0);
}
