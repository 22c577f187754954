"""C = A B in bf16 with f32 sums: tiles of 64 x 64 x 32, three stages, on the tensor core."""

import ml_dtypes
import numpy
import triton
import triton.language as tl
from peer import Expected, Peer, Run, wide

BLOCK = 64


@triton.jit
def matmul(a, b, c, m, n, k, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr):
    row = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    column = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    depth = tl.arange(0, BLOCK_K)
    total = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for first in range(0, k, BLOCK_K):
        inner = first + depth
        a_inside = (row[:, None] < m) & (inner[None, :] < k)
        b_inside = (inner[:, None] < k) & (column[None, :] < n)
        a_tile = tl.load(a + row[:, None] * k + inner[None, :], mask=a_inside, other=0.0)
        b_tile = tl.load(b + inner[:, None] * n + column[None, :], mask=b_inside, other=0.0)
        total = tl.dot(a_tile, b_tile, total)
    tl.store(c + row[:, None] * n + column[None, :], total, mask=(row[:, None] < m) & (column[None, :] < n))


def run(tensors):
    a, b = tensors["a"], tensors["b"]
    (m, k), n = a.shape, b.shape[1]
    # A card truncates to f32 once for each 8 products, by no more than 2^-22 of the largest of them.
    bound = -(-k // 8) * 2.0**-22 * (numpy.abs(wide(a)) @ numpy.abs(wide(b)))
    arguments = {"a": a, "b": b, "c": numpy.zeros((m, n), numpy.float32), "m": m, "n": n, "k": k}
    return Run((-(-m // BLOCK), -(-n // BLOCK)), arguments, {"c": Expected(wide(a) @ wide(b), bound)})


def normal(random, *shape):
    return random.standard_normal(shape).astype(ml_dtypes.bfloat16)


PEERS = [
    Peer(
        name="matmul",
        source="kernels/matmul.py",
        kernel="matmul",
        types={"a": "*bf16", "b": "*bf16", "c": "*fp32", "m": "i32", "n": "i32", "k": "i32"},
        constants={"BLOCK_M": BLOCK, "BLOCK_N": BLOCK, "BLOCK_K": 32},
        inputs=lambda random: {"a": normal(random, 200, 256), "b": normal(random, 256, 192)},
        run=run,
    )
]
