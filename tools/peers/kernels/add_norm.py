"""A residual sum and its root-mean-square norm in one pass: s = x + r, y = w s / sqrt(mean(s^2) + eps), in bf16."""

import ml_dtypes
import numpy
import triton
import triton.language as tl
from peer import BF16, F32, Expected, Peer, Run, power_of_two, wide

EPSILON = 1e-5


@triton.jit
def add_norm(x, residual, weight, total, y, columns, epsilon, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * columns
    at = tl.arange(0, BLOCK)
    inside = at < columns
    s = tl.load(x + row + at, mask=inside, other=0.0).to(tl.float32)
    s += tl.load(residual + row + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(total + row + at, s.to(tl.bfloat16), mask=inside)
    scale = tl.rsqrt(tl.sum(s * s, 0) / columns + epsilon)
    w = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(y + row + at, (s * scale * w).to(tl.bfloat16), mask=inside)


def run(tensors):
    x, residual, weight = tensors["x"], tensors["residual"], tensors["weight"]
    rows, columns = x.shape
    s = wide(x) + wide(residual)
    y = wide(weight) * s / numpy.sqrt((s * s).mean(1, keepdims=True) + EPSILON)
    # A sum of squares in a tree, rsqrt.approx, three products: below 32 roundings of f32; then one of bf16.
    expected = {
        "total": Expected(s, numpy.abs(s) * (BF16 + F32)),
        "y": Expected(y, numpy.abs(y) * (BF16 + 32 * F32) + 2.0**-133),
    }
    arguments = {"x": x, "residual": residual, "weight": weight, "columns": columns, "epsilon": EPSILON}
    arguments |= {"total": numpy.zeros_like(x), "y": numpy.zeros_like(x)}
    return Run((rows,), arguments, expected, {"BLOCK": power_of_two(columns)})


def normal(random, *shape):
    return random.standard_normal(shape).astype(ml_dtypes.bfloat16)


PEERS = [
    Peer(
        name="add_norm",
        source="kernels/add_norm.py",
        kernel="add_norm",
        types={"columns": "i32", "epsilon": "fp32"} | dict.fromkeys(("x", "residual", "weight", "total", "y"), "*bf16"),
        inputs=lambda random: {
            "x": normal(random, 48, 1536),
            "residual": normal(random, 48, 1536),
            "weight": normal(random, 1536),
        },
        run=run,
        warps=8,
    )
]
