"""Liger's cross entropy: the loss of each row, and the gradient in place of the logits; mean over the rows."""

import ml_dtypes
import numpy
from peer import BF16, F32, Expected, Peer, Run, wide


def run(tensors):
    x, targets = tensors["X_ptr"], tensors["Y_ptr"]
    rows, columns = x.shape
    shifted = wide(x) - wide(x).max(1, keepdims=True)
    p = numpy.exp(shifted)
    total = p.sum(1, keepdims=True)
    p /= total
    at = (numpy.arange(rows), targets)
    loss = (numpy.log(total[:, 0]) - shifted[at]) / rows
    gradient = p / rows
    gradient[at] -= 1 / rows
    # exp2 of a product by log2(e), the online sum over the blocks of a row, divisions; then one rounding to bf16.
    relative = (3 * numpy.abs(shifted) + 40) * F32 + 2 * 2.0**-22
    of_loss = ((40 + 3 * numpy.abs(shifted).max(1)) * F32 + 2 * 2.0**-22 + 2 * F32 * numpy.abs(wide(x)).max(1)) / rows
    expected = {
        "X_ptr": Expected(gradient, numpy.abs(gradient) * BF16 + 2 * p * relative / rows + 2.0**-133),
        "loss_ptr": Expected(loss, numpy.abs(loss) * BF16 + 2 * of_loss),
    }
    # What the kernel is told not to use has no memory.
    unused = ("weight_ptr", "z_loss_ptr", "token_accuracy_ptr", "predicted_tokens_ptr", "softcap")
    arguments = dict.fromkeys(unused) | {
        "X_ptr": x,
        "X_stride": columns,
        "Y_ptr": targets,
        "Y_stride": 1,
        "loss_ptr": numpy.zeros(rows, ml_dtypes.bfloat16),
        "loss_stride": 1,
        "token_accuracy_stride": 0,
        "predicted_tokens_stride": 0,
        "n_cols": columns,
        "n_non_ignore": float(rows),
        "sum_non_ignore_weight": float(rows),
        "weight_sum": 0.0,
        "ignore_index": -100,
    }
    return Run((rows,), arguments, expected)


def inputs(random):
    return {
        "X_ptr": (4 * random.standard_normal((24, 5000))).astype(ml_dtypes.bfloat16),
        "Y_ptr": random.integers(0, 5000, 24),
    }


SIZES = "X_stride Y_stride loss_stride token_accuracy_stride predicted_tokens_stride n_cols ignore_index".split()
FLOATS = ("n_non_ignore", "sum_non_ignore_weight", "weight_sum")

PEERS = [
    Peer(
        name="liger",
        source="src/liger_kernel/ops/cross_entropy.py",
        kernel="liger_cross_entropy_kernel",
        types={"X_ptr": "*bf16", "Y_ptr": "*i64", "loss_ptr": "*bf16"}
        | dict.fromkeys(SIZES, "i32")
        | dict.fromkeys(FLOATS, "fp32"),
        constants={
            "lse_square_scale": 0.0,
            "label_smoothing": 0.0,
            "reduction": "mean",
            "RETURN_Z_LOSS": False,
            "RETURN_TOKEN_ACCURACY": False,
            "RETURN_PREDICTED_TOKENS": False,
            "BLOCK_SIZE": 2048,
            "HAS_WEIGHT": False,
            "HAS_SOFTCAPPING": False,
            "HAS_GRADIENTS": True,
        },
        inputs=inputs,
        run=run,
        warps=8,
    )
]
