"""Inf-CLIP's forward kernel: the log-sum-exp of each row of Q K', never held whole, in its own tiles.

Its callers widen to f32; in bf16 it multiplies on the same units as a kernel that keeps what the encoder gave.
"""

import ml_dtypes
import numpy
from peer import F32, Expected, Peer, Run, wide

BLOCK, HEAD = 64, 128


def run(tensors):
    q, k = tensors["Q"], tensors["K"]
    if q.shape[1] % HEAD:
        raise ValueError(f"Q has {q.shape[1]} columns, expected a multiple of {HEAD}")
    logits = wide(q) @ wide(k).T
    high = logits.max(1)
    lse = high + numpy.log(numpy.exp(logits - high[:, None]).sum(1))
    # A logit is truncated once for each 8 products; a tile's step of the online sum has exp, two products and a tree.
    of_logits = -(-q.shape[1] // 8) * 2.0**-22 * (numpy.abs(wide(q)) @ numpy.abs(wide(k)).T).max(1)
    range_of_row = high - logits.min(1)
    tiles = -(-k.shape[0] // BLOCK)
    bound = of_logits + (tiles * 16 + 3 * range_of_row) * F32 + 2 * 2.0**-22 + 2 * F32 * numpy.abs(lse)
    rows = -(-len(q) // BLOCK) * BLOCK  # the kernel writes whole tiles, with zeros past the last row
    padded = [numpy.pad(x, (0, rows - len(q))) for x in (lse, bound)]
    arguments = {
        "Q": q,
        "K": k,
        "LSE": numpy.zeros(rows, numpy.float32),
        "nheads": q.shape[1] // HEAD,
        "seqlen_q": len(q),
        "seqlen_k": len(k),
    }
    return Run((rows // BLOCK,), arguments, {"LSE": Expected(*padded)})


def unit_rows(random, *shape):
    x = random.standard_normal(shape)
    return x / numpy.linalg.norm(x, axis=1, keepdims=True)


def inputs(random):
    q, k = unit_rows(random, 250, 3 * HEAD), unit_rows(random, 300, 3 * HEAD)
    return {"Q": (14.3 * q).astype(ml_dtypes.bfloat16), "K": k.astype(ml_dtypes.bfloat16)}


PEERS = [
    Peer(
        name="inf_clip",
        source="inf_cl/flash.py",
        kernel="_prob_fwd_kernel",
        types={"Q": "*bf16", "K": "*bf16", "LSE": "*fp32", "nheads": "i32", "seqlen_q": "i32", "seqlen_k": "i32"},
        constants={"BLOCK_HEADDIM": HEAD, "BLOCK_M": BLOCK, "BLOCK_N": BLOCK},
        inputs=inputs,
        run=run,
        warps=8,
        stages=1,
    )
]
