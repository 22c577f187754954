"""Makes the extracts in this folder from the full data sets: python tests/golden/make.py DATA

DATA is the folder that holds digits.safetensors and vocabulary_head.safetensors (SOURCES.md says what they are).
Needs numpy and safetensors. The same inputs give the same bytes: sums are f64 in one order, rounded to f32 once.
"""

import json
import pathlib
import struct
import sys

import numpy
from safetensors import TensorSpec, serialize_file
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).resolve().parent
ROWS = 8  # 8 x 30,522 f32 are 0.98 MB
WORDS, STATES = 2048, 64  # 2,048 x 384 bf16 are 1.57 MB
NUMPY = {"U8": "u1", "I64": "<i8", "BF16": "<u2"}


def read(path):
    """Every tensor of a file; bf16, which numpy lacks, is widened to f64 exactly."""
    data = path.read_bytes()
    (header_bytes,) = struct.unpack_from("<Q", data)
    body = data[8 + header_bytes :]
    tensors = {}
    for name, info in json.loads(data[8 : 8 + header_bytes]).items():
        if name == "__metadata__":
            continue
        begin, end = info["data_offsets"]
        tensor = numpy.frombuffer(body[begin:end], NUMPY[info["dtype"]]).reshape(info["shape"])
        if info["dtype"] == "BF16":
            tensor = (tensor.astype("<u4") << 16).view("<f4").astype("f8")
        tensors[name] = tensor
    return tensors


def logits(hidden, weight):
    """hidden weight', each entry an f64 sum in ascending order of the width: no BLAS, whose order varies."""
    sums = numpy.zeros((hidden.shape[0], weight.shape[0]))
    for k in range(hidden.shape[1]):
        sums += hidden[:, k : k + 1] * weight[:, k]
    return sums.astype("<f4")


def head_of(head):
    """STATES hidden states, spread over the documents, and WORDS words with theirs among them, spread over the rest."""
    chosen = numpy.arange(STATES) * (head["hidden"].shape[0] // STATES)
    named = numpy.unique(head["targets"][chosen])
    others = numpy.setdiff1d(numpy.arange(head["weight"].shape[0]), named)
    spread = others[numpy.arange(WORDS - named.size) * others.size // (WORDS - named.size)]
    words = numpy.union1d(named, spread)
    targets = numpy.searchsorted(words, head["targets"][chosen]).astype("<i8")
    return head["hidden"][chosen], head["weight"][words], targets


def bf16(tensor):
    """The upper halves of values that bf16 holds exactly."""
    return (tensor.astype("<f4").view("<u4") >> 16).astype("<u2")


def save_with_bf16(tensors, path):
    """Writes tensors whose u2 are bf16, which numpy lacks."""
    names = {"uint16": "bfloat16", "int64": "int64"}
    specs = {
        name: TensorSpec(
            dtype=names[tensor.dtype.name],
            shape=list(tensor.shape),
            data_ptr=tensor.ctypes.data,
            data_len=tensor.nbytes,
        )
        for name, tensor in tensors.items()
    }
    serialize_file(specs, path)


def main(data):
    head = read(data / "vocabulary_head.safetensors")
    hidden, weight, targets = head_of(head)
    tensors = {"hidden": bf16(hidden), "weight": bf16(weight), "targets": targets}
    save_with_bf16(tensors, HERE / "spherical-head.safetensors")
    chosen = numpy.arange(ROWS) * (head["hidden"].shape[0] // ROWS)  # spread over the documents
    vocabulary = {
        "logits": logits(head["hidden"][chosen], head["weight"]),
        "targets": head["targets"][chosen].copy(),
    }
    save_file(vocabulary, HERE / "spherical-vocabulary.safetensors")
    digits = read(data / "digits.safetensors")
    save_file({"images": digits["images"], "labels": digits["labels"]}, HERE / "digits.safetensors")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
