// printf of every conversion that device code has, with flags, widths and precisions.
#include <cstdio>
extern "C" __global__ void formats(const int* unused) {
  printf("%d %i %5d|%-5d|%05d|%+d|% d|%.3d\n", 1, -2, 3, 4, -5, 6, 7, 8);
  printf("%u %o %x %X %#x %#o\n", 4000000000u, 8u, 255u, 255u, 255u, 8u);
  printf("%hd %ld %lld %llu\n", 70000, -5000000000l, -6000000000ll, 18446744073709551615ull);
  printf("%f %.2f %10.3f|%-10.1f|%+.0f\n", 1.5, 2.345, -3.25, 4.75, 5.5);
  printf("%e %.1E %g %G %g %g %a\n", 12345.678, 0.00012, 0.0001, 1e-10, 1e20, 100000.0, 1.0);
  printf("%f %f %g %e\n", 1. / 0., -1e308 * 10., 0.0, -0.0);
  printf("%c%c %s|%8s|%-8s|%.2s %%\n", 'a', 66, "text", "right", "left", "cut");
  printf("%*d|%-*d|\n", 6, 42, 6, 42);
  printf("no argument\n");
}
