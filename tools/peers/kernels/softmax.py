"""Softmax of rows, each held whole by a block."""

import numpy
import triton
import triton.language as tl
from peer import F32, Expected, Peer, Run, power_of_two, wide


@triton.jit
def softmax(x, y, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * columns
    at = tl.arange(0, BLOCK)
    inside = at < columns
    value = tl.load(x + row + at, mask=inside, other=-float("inf"))
    term = tl.exp(value - tl.max(value, 0))
    tl.store(y + row + at, term / tl.sum(term, 0), mask=inside)


def run(tensors):
    x = tensors["x"]
    rows, columns = x.shape
    shifted = wide(x) - wide(x).max(1, keepdims=True)
    value = numpy.exp(shifted)
    value /= value.sum(1, keepdims=True)
    # The shift is rounded once, times log2(e) twice, ex2.approx is within 2^-22; a sum of a few terms a thread and
    # then of a tree, 17 roundings at 1,000 columns; a division.
    bound = value * ((3 * numpy.abs(shifted) + 17 + 4) * F32 + 2 * 2.0**-22) + 2.0**-126
    arguments = {"x": x, "y": numpy.zeros_like(x), "columns": columns}
    return Run((rows,), arguments, {"y": Expected(value, bound)}, {"BLOCK": power_of_two(columns)})


PEERS = [
    Peer(
        name="softmax",
        source="kernels/softmax.py",
        kernel="softmax",
        types={"x": "*fp32", "y": "*fp32", "columns": "i32"},
        inputs=lambda random: {"x": (8 * random.standard_normal((64, 1000))).astype(numpy.float32)},
        run=run,
    )
]
