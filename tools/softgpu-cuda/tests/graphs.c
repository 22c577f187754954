// A C program of what is newer in the driver API: a captured graph whose kernel gets other parameters, a pool of
// stream-ordered memory, copies of rows, pinned and managed memory, a library. Loads the PTX named by its argument; anything
// unexpected ends it with a line that says where.
#include <cuda.h>
#include <stdio.h>
#include <string.h>

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

#define EXPECT(condition)                                   \
  do {                                                      \
    if (!(condition)) {                                     \
      printf("line %d: not %s\n", __LINE__, #condition);    \
      return 1;                                             \
    }                                                       \
  } while (0)

enum { N = 64, PITCH = 512, ROWS = 4 };

// A capture of c = a + b and a copy of c; then the same with other arguments.
static int graphs(CUfunction kernel, CUstream stream) {
  CUdeviceptr a, b, c;
  float* host;
  CHECK(cuMemAlloc(&a, N * sizeof(float)));
  CHECK(cuMemAlloc(&b, N * sizeof(float)));
  CHECK(cuMemAlloc(&c, N * sizeof(float)));
  CHECK(cuMemAllocHost((void**)&host, N * sizeof(float)));
  CHECK(cuMemsetD32(a, 0x3f800000, N));  // 1.0
  CHECK(cuMemsetD32(b, 0x40000000, N));  // 2.0
  int n = N;
  void* arguments[] = {&a, &b, &c, &n};
  CUgraph graph;
  CUgraphExec exec;
  CHECK(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  CHECK(cuLaunchKernel(kernel, 1, 1, 1, N, 1, 1, 0, stream, arguments, NULL));
  CHECK(cuMemcpyDtoHAsync(host, c, N * sizeof(float), stream));
  CUdeviceptr refused;
  EXPECT(cuMemAlloc(&refused, 4) == CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  EXPECT(cuStreamEndCapture(stream, &graph) == CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  CHECK(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  CHECK(cuLaunchKernel(kernel, 1, 1, 1, N, 1, 1, 0, stream, arguments, NULL));
  CHECK(cuMemcpyDtoHAsync(host, c, N * sizeof(float), stream));
  CHECK(cuStreamEndCapture(stream, &graph));
  CHECK(cuGraphInstantiate(&exec, graph, 0));
  CHECK(cuGraphLaunch(exec, stream));
  CHECK(cuStreamSynchronize(stream));
  EXPECT(host[0] == 3.0f && host[N - 1] == 3.0f);

  CUgraphNode nodes[2];
  size_t count = 2;
  CHECK(cuGraphGetNodes(graph, nodes, &count));
  CUgraphNodeType type;
  CHECK(cuGraphNodeGetType(nodes[0], &type));
  EXPECT(count == 2 && type == CU_GRAPH_NODE_TYPE_KERNEL);
  CUDA_KERNEL_NODE_PARAMS params;
  CHECK(cuGraphKernelNodeGetParams(nodes[0], &params));
  void* others[] = {&b, &b, &c, &n};
  params.kernelParams = others;
  CHECK(cuGraphExecKernelNodeSetParams(exec, nodes[0], &params));
  CHECK(cuGraphLaunch(exec, stream));
  CHECK(cuStreamSynchronize(stream));
  EXPECT(host[0] == 4.0f && host[N - 1] == 4.0f);
  CHECK(cuGraphExecDestroy(exec));
  CHECK(cuGraphDestroy(graph));
  CHECK(cuMemFreeHost(host));
  CHECK(cuMemFree(a));
  CHECK(cuMemFree(b));
  CHECK(cuMemFree(c));
  return 0;
}

static int memory(CUdevice device, CUstream stream) {
  CUmemPoolProps props;
  memset(&props, 0, sizeof props);
  props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  props.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  props.location.id = device;
  CUmemoryPool pool;
  CUdeviceptr rows, managed;
  CHECK(cuMemPoolCreate(&pool, &props));
  CHECK(cuMemAllocFromPoolAsync(&rows, PITCH * ROWS, pool, stream));
  CHECK(cuMemsetD2D8Async(rows, PITCH, 7, 16, ROWS, stream));
  unsigned char there[ROWS][16];
  CUDA_MEMCPY2D copy;
  memset(&copy, 0, sizeof copy);
  copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = rows;
  copy.srcPitch = PITCH;
  copy.dstMemoryType = CU_MEMORYTYPE_HOST;
  copy.dstHost = there;
  copy.dstPitch = 16;
  copy.WidthInBytes = 16;
  copy.Height = ROWS;
  CHECK(cuMemcpy2DAsync(&copy, stream));
  CHECK(cuStreamSynchronize(stream));
  EXPECT(there[0][0] == 7 && there[ROWS - 1][15] == 7);
  cuuint64_t used = 0;
  CHECK(cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used));
  EXPECT(used == PITCH * ROWS);
  CHECK(cuMemFreeAsync(rows, stream));
  CHECK(cuMemPoolDestroy(pool));

  CHECK(cuMemAllocManaged(&managed, 4, CU_MEM_ATTACH_GLOBAL));
  CHECK(cuMemsetD32(managed, 5, 1));
  EXPECT(*(int*)managed == 5);
  CHECK(cuMemFree(managed));
  return 0;
}

static int library(const char* file) {
  CUlibrary library;
  CUkernel kernel;
  CUfunction function;
  int threads = 0;
  CHECK(cuLibraryLoadFromFile(&library, file, NULL, NULL, 0, NULL, NULL, 0));
  CHECK(cuLibraryGetKernel(&kernel, library, "vector_add"));
  CHECK(cuKernelGetFunction(&function, kernel));
  CHECK(cuFuncGetAttribute(&threads, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function));
  EXPECT(threads == 1024);
  CHECK(cuLibraryUnload(library));
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  CUdevice device;
  CUcontext context;
  CUmodule module;
  CUfunction kernel;
  CUstream stream;
  CHECK(cuInit(0));
  CHECK(cuDeviceGet(&device, 0));
  CHECK(cuDevicePrimaryCtxRetain(&context, device));
  CHECK(cuCtxSetCurrent(context));
  CHECK(cuModuleLoad(&module, argv[1]));
  CHECK(cuModuleGetFunction(&kernel, module, "vector_add"));
  CHECK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  if (graphs(kernel, stream) || memory(device, stream) || library(argv[1])) return 1;
  CHECK(cuStreamDestroy(stream));
  CHECK(cuModuleUnload(module));
  CHECK(cuDevicePrimaryCtxRelease(device));
  printf("as expected\n");
  return 0;
}
