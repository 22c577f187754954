// libcuda in miniature: for each exported function a jump through a table, which oblate_softgpu::install fills.
// jumps.inc, written by build.rs, has a line JUMP(index, name) for each and TABLE(count) at its end.

#if defined(__x86_64__)
#define JUMP(index, name) \
  .globl name; .type name, @function; .p2align 4; name: jmp *(oblate_softgpu_table + 8 * index)(%rip); .size name, . - name
#elif defined(__aarch64__)
#define JUMP(index, name) \
  .globl name; .type name, @function; .p2align 4; name: adrp x16, oblate_softgpu_table + 8 * index; \
  ldr x16, [x16, #:lo12:oblate_softgpu_table + 8 * index]; br x16; .size name, . - name
#else
#error "the software device runs on x86-64 and AArch64"
#endif

// Protected: the jumps read the table of their own object, whichever of the two was loaded first.
#define TABLE(count) \
  .bss; .globl oblate_softgpu_table; .protected oblate_softgpu_table; .type oblate_softgpu_table, @object; .p2align 4; \
  oblate_softgpu_table: .zero 8 * count; .size oblate_softgpu_table, 8 * count

.text
#include "jumps.inc"
.section .note.GNU-stack, "", %progbits
