"""What a peer is: a Triton kernel, inputs to run it on, and what it has to give in float64."""

from collections.abc import Callable
from dataclasses import dataclass, field

import ml_dtypes
import numpy

# The rounding of an f32 operation, and of one that is rounded to bf16.
F32 = 2.0**-24
BF16 = 2.0**-8

DTYPES = {
    "bf16": numpy.dtype(ml_dtypes.bfloat16),
    "fp16": numpy.dtype(numpy.float16),
    "fp32": numpy.dtype(numpy.float32),
    "i32": numpy.dtype(numpy.int32),
    "u32": numpy.dtype(numpy.uint32),
    "i64": numpy.dtype(numpy.int64),
}


class Refused(Exception):
    """A wrong state, in one line."""


@dataclass(frozen=True)
class Expected:
    """An output in float64, and how far from it each element may be."""

    value: numpy.ndarray
    bound: numpy.ndarray


@dataclass(frozen=True)
class Run:
    """A launch: its grid, a value for every parameter that is no constant, and what the outputs are to be.

    A parameter's value is an array, which is copied to the device and, for an output, holds what is there before; a
    number; or None for a pointer that the kernel is told not to use.
    """

    grid: tuple[int, ...]
    arguments: dict[str, object]
    expected: dict[str, Expected]
    constants: dict[str, object] = field(default_factory=dict)
    """Those constants that hang on the shapes."""


@dataclass(frozen=True)
class Peer:
    """A kernel of a Triton source. Tiles, warps and stages are fixed here, not autotuned: counts depend on them."""

    name: str
    source: str
    """The file, from the root of the repository that it is published in."""
    kernel: str
    types: dict[str, str]
    """Triton's type of each parameter that is no constant: `*bf16` for a pointer, `i32`, `fp32`."""
    inputs: Callable[[numpy.random.Generator], dict[str, numpy.ndarray]]
    """The input tensors that are made from a seed; a file of the user's holds the same names."""
    run: Callable[[dict[str, numpy.ndarray]], Run]
    """The launch on input tensors, of any shape that the kernel takes."""
    constants: dict[str, object] = field(default_factory=dict)
    warps: int = 4
    stages: int = 3


def elements(type: str) -> numpy.dtype:
    """The elements that a pointer of Triton's type leads to."""
    return DTYPES[type.removeprefix("*")]


def wide(x: numpy.ndarray) -> numpy.ndarray:
    return x.astype(numpy.float64)


def power_of_two(n: int) -> int:
    """The least that holds n elements."""
    return 1 << (n - 1).bit_length()
