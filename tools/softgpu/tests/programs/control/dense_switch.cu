// A switch with many dense cases whose bodies differ: a table of branches, or a chain, as the compiler likes.
extern "C" __global__ void dense_switch(const int* x, int* y, volatile int* sink) {
  const int t = threadIdx.x, v = x[t];
  int r = v;
  switch (v) {
    case 0:
      r = t;
      break;
    case 1:
      r = t * t;
      sink[0] = 1;
      break;
    case 2:
      r = t ^ 0x55;
      break;
    case 3:
      r = __popc(t) + 7;
      sink[1] = 1;
      break;
    case 4:
      r = -t;
      break;
    case 5:
      r = t << 3;
      sink[2] = 1;
      break;
    case 6:
      r = t / 3;
      break;
    case 7:
      r = t % 5;
      sink[3] = 1;
      break;
    case 8:
      r = 1000 - t;
      break;
    case 9:
      r = t * 13 + 1;  // falls through
    case 10:
      r += 2;
      sink[4] = 1;
      break;
    case 11:
      r = __clz(t);
      break;
    default:
      r = -1;
  }
  y[t] = r;
}
