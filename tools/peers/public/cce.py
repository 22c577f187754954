"""Cut cross entropy's forward kernel: the log-sum-exp of E C' by tiles, which add up under a lock of each 128 rows.

Of the tiles that it tunes itself by, one: 128 x 128 x 32, 4 warps, 4 stages.
"""

import ml_dtypes
import numpy
from peer import F32, Expected, Peer, Run, wide

BLOCK_B, BLOCK_V, BLOCK_D = 128, 128, 32


def run(tensors):
    e, c = tensors["E"], tensors["C"]
    (rows, width), classes = e.shape, len(c)
    logits = wide(e) @ wide(c).T
    high = logits.max(1)
    lse = high + numpy.log(numpy.exp(logits - high[:, None]).sum(1))
    # As for a product in bf16; a tile has exp, a sum in a tree and a log, and joins the others by log1p(exp).
    of_logits = -(-width // 8) * 2.0**-22 * (numpy.abs(wide(e)) @ numpy.abs(wide(c)).T).max(1)
    tiles = -(-classes // BLOCK_V)
    range_of_row = high - logits.min(1)
    bound = of_logits + (1 + tiles) * ((24 + 3 * range_of_row + 2 * numpy.abs(logits).max(1)) * F32 + 2 * 2.0**-22)
    locks = numpy.zeros(-(-rows // 128), numpy.uint32)
    arguments = dict.fromkeys(("Bias", "LA", "Valids", "softcap")) | {
        "E": e,
        "C": c,
        "LSE": numpy.full(rows, -numpy.inf, numpy.float32),
        "Locks": locks,
        "B": rows,
        "V": classes,
        "D": width,
        "BMax": rows,
        "stride_eb": width,
        "stride_ed": 1,
        "stride_cv": width,
        "stride_cd": 1,
        "stride_biasv": 1,
        "stride_lse_b": 1,
        "stride_vb": 1,
        "num_locks": len(locks),
        "B_BIN": 128 if rows <= 128 else 512 if rows < 1024 else 1024,
    }
    grid, expected = (-(-rows // BLOCK_B) * tiles,), {"LSE": Expected(lse, bound)}
    return Run(grid, arguments, expected, {"EVEN_D": width % BLOCK_D == 0})


def inputs(random):
    e, c = random.standard_normal((200, 128)), random.standard_normal((700, 128))
    return {"E": e.astype(ml_dtypes.bfloat16), "C": (0.3 * c).astype(ml_dtypes.bfloat16)}


SIZES = "B V D BMax stride_eb stride_ed stride_cv stride_cd stride_biasv stride_lse_b stride_vb num_locks B_BIN".split()

PEERS = [
    Peer(
        name="cce",
        source="cut_cross_entropy/cce_lse_forward.py",
        kernel="_cce_lse_forward_kernel",
        types={"E": "*bf16", "C": "*bf16", "LSE": "*fp32", "Locks": "*u32"} | dict.fromkeys(SIZES, "i32"),
        constants={
            "HAS_BIAS": False,
            "HAS_VALIDS": False,
            "BLOCK_B": BLOCK_B,
            "BLOCK_V": BLOCK_V,
            "BLOCK_D": BLOCK_D,
            "GROUP_B": 8,
            "HAS_SOFTCAP": False,
            "HAS_LA": False,
            "DOT_PRECISION": "ieee",
        },
        inputs=inputs,
        run=run,
        warps=4,
        stages=4,
    )
]
