// A C program of the driver API, as toolkits' samples are: loads the PTX named by its argument, adds two vectors, and
// compares. Prints what it ran on; anything unexpected ends it with a line that says where.
#include <cuda.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(call)                                            \
  do {                                                         \
    CUresult result = (call);                                  \
    if (result != CUDA_SUCCESS) {                              \
      const char* name = "?";                                  \
      cuGetErrorName(result, &name);                           \
      printf("line %d: %s gives %s\n", __LINE__, #call, name); \
      return 1;                                                \
    }                                                          \
  } while (0)

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  enum { N = 1000 };
  float a[N], b[N], c[N];
  for (int i = 0; i < N; ++i) {
    a[i] = (float)i;
    b[i] = 0.5f;
  }
  CUdevice device;
  CUcontext context;
  CUmodule module;
  CUfunction kernel;
  CUstream stream;
  char name[64];
  CHECK(cuInit(0));
  CHECK(cuDeviceGet(&device, 0));
  CHECK(cuDeviceGetName(name, sizeof name, device));
  CHECK(cuCtxCreate(&context, NULL, 0, device));
  CHECK(cuModuleLoad(&module, argv[1]));
  CHECK(cuModuleGetFunction(&kernel, module, "vector_add"));
  CHECK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  CUdeviceptr a_there, b_there, c_there;
  CHECK(cuMemAlloc(&a_there, sizeof a));
  CHECK(cuMemAlloc(&b_there, sizeof b));
  CHECK(cuMemAllocAsync(&c_there, sizeof c, stream));
  CHECK(cuMemcpyHtoD(a_there, a, sizeof a));
  CHECK(cuMemcpyHtoDAsync(b_there, b, sizeof b, stream));
  int n = N;
  void* arguments[] = {&a_there, &b_there, &c_there, &n};
  CHECK(cuLaunchKernel(kernel, (N + 127) / 128, 1, 1, 128, 1, 1, 0, stream, arguments, NULL));
  CHECK(cuMemcpyDtoHAsync(c, c_there, sizeof c, stream));
  CHECK(cuStreamSynchronize(stream));
  for (int i = 0; i < N; ++i) {
    if (c[i] != a[i] + b[i]) {
      printf("c[%d] is %g\n", i, c[i]);
      return 1;
    }
  }
  void* launch = NULL;
  CUdriverProcAddressQueryResult found;
  CHECK(cuGetProcAddress("cuLaunchKernel", &launch, CUDA_VERSION, CU_GET_PROC_ADDRESS_DEFAULT, &found));
  if (launch == NULL || found != CU_GET_PROC_ADDRESS_SUCCESS) return 1;
  CHECK(cuGetProcAddress("cuTexObjectCreate", &launch, CUDA_VERSION, CU_GET_PROC_ADDRESS_DEFAULT, &found));
  if (launch != NULL || found != CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND) return 1;
  CHECK(cuMemFreeAsync(c_there, stream));
  CHECK(cuMemFree(a_there));
  CHECK(cuMemFree(b_there));
  CHECK(cuStreamDestroy(stream));
  CHECK(cuModuleUnload(module));
  CHECK(cuCtxDestroy(context));
  printf("added on %s\n", name);
  return 0;
}
