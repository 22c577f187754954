"""Compiles peers' kernels to PTX for sm_80, no GPU needed, and writes what it takes to run and to judge them:

    OUT/NAME/kernel.ptx             the kernel
    OUT/NAME/launch.json            its name, grid, threads, shared memory, arguments and outputs
    OUT/NAME/tensors.safetensors    every tensor that it is given
    OUT/NAME/expected.safetensors   each output in float64, and beside it, as NAME.bound, how far off it may be
    OUT/inputs.safetensors          the inputs of all, by the names that --input takes
"""

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path

# A multiplication and an addition fuse; Triton warns that a later release will have another default.
os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")

import numpy
import safetensors
import safetensors.numpy
import triton
from peer import DTYPES, Peer, Refused, Run, elements
from lift import lift
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, CompilationError

HERE = Path(__file__).parent.parent
SEED = 20_240_601
# What a pointer's address, and a size, are multiples of, as Triton's launcher finds out before it compiles.
DIVISIBLE = 16


def load(path: Path, name: str):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def known(folder: str) -> list[Peer]:
    return [peer for path in sorted((HERE / folder).glob("*.py")) for peer in load(path, path.stem).PEERS]


def below(root: Path, peer: Peer) -> Path | None:
    """A peer's source below a folder of the user's, which may be its repository or hold several."""
    candidates = sorted(root.rglob(Path(peer.source).name))
    return next((path for path in candidates if path.as_posix().endswith(f"/{peer.source}")), None)


def found(root: Path | None) -> list[tuple[Peer, Path, Path]]:
    """The peers to run, each with the root of its repository and its source."""
    if root is None:
        return [(peer, HERE, HERE / peer.source) for peer in known("kernels")]
    if not root.is_dir():
        raise Refused(f"{root} is no folder; expected the repository of a peer, or a folder of several")
    peers = known("public")
    here = [(peer, below(root.resolve(), peer)) for peer in peers]
    here = [(peer, path.parents[peer.source.count("/")], path) for peer, path in here if path]
    if not here:
        sources = ", ".join(dict.fromkeys(peer.source for peer in peers))
        raise Refused(f"{root} holds no source of a known peer; known are {sources}")
    return here


def read(path: Path) -> dict[str, numpy.ndarray]:
    names = {"BF16": "bf16", "F16": "fp16", "F32": "fp32", "I32": "i32", "U32": "u32", "I64": "i64"}
    try:
        tensors = safetensors.deserialize(path.read_bytes())
    except (OSError, safetensors.SafetensorError) as error:
        raise Refused(f"{path}: {error}") from None
    for name, tensor in tensors:
        if tensor["dtype"] not in names:
            raise Refused(f"{path}: {name} is {tensor['dtype']}, expected one of {', '.join(names)}")
    return {name: numpy.frombuffer(t["data"], DTYPES[names[t["dtype"]]]).reshape(t["shape"]) for name, t in tensors}


def inputs(peer: Peer, given: dict[str, numpy.ndarray] | None) -> dict[str, numpy.ndarray] | None:
    """A peer's inputs: from its seed, or those of a file under `PEER.TENSOR`; None where the file has none of it."""
    made = peer.inputs(numpy.random.default_rng(SEED))
    if given is None:
        return made
    mine = {name.removeprefix(f"{peer.name}."): x for name, x in given.items() if name.startswith(f"{peer.name}.")}
    if not mine:
        return None
    for name, like in made.items():
        if name not in mine:
            raise Refused(f"--input has no {peer.name}.{name}")
        if (mine[name].dtype, mine[name].ndim) != (like.dtype, like.ndim):
            got = f"{mine[name].dtype} of {mine[name].ndim} dimensions"
            raise Refused(f"--input: {peer.name}.{name} is {got}, expected {like.dtype} of {like.ndim}")
    if unknown := mine.keys() - made.keys():
        raise Refused(f"--input: {peer.name} has no tensor {', '.join(sorted(unknown))}; it has {', '.join(made)}")
    return mine


def compile(peer: Peer, function, run: Run):
    """The kernel, specialised as Triton's launcher would: on aligned pointers, on sizes divisible by 16 and on ones."""
    fixed, signature, constants, attributes = peer.constants | run.constants, {}, {}, {}
    for index, name in enumerate(function.arg_names):
        value = run.arguments.get(name)
        if name in fixed or value is None or (isinstance(value, int) and value == 1):
            signature[name] = "constexpr"
            constants[(index,)] = fixed.get(name, value)
            continue
        signature[name] = peer.types[name]
        if isinstance(value, numpy.ndarray) or (isinstance(value, int) and value % DIVISIBLE == 0):
            attributes[(index,)] = [["tt.divisibility", DIVISIBLE]]
    source = ASTSource(function, signature, constants, attributes)
    options = {"num_warps": peer.warps, "num_stages": peer.stages}
    try:
        return triton.compile(source, target=GPUTarget("cuda", 80, 32), options=options), signature
    except CompilationError as error:
        raise Refused(f"{peer.name} does not compile: {error}") from None


def write(peer: Peer, function, run: Run, out: Path) -> None:
    compiled, signature = compile(peer, function, run)
    metadata = compiled.metadata
    if metadata.global_scratch_size or metadata.profile_scratch_size:
        raise Refused(f"{peer.name} needs scratch memory of the launcher, which is not supported")
    arguments = []
    for name in function.arg_names:
        if signature[name] != "constexpr":
            value = run.arguments[name]
            is_tensor = isinstance(value, numpy.ndarray)
            arguments.append({"tensor": name} if is_tensor else {peer.types[name]: value})
    arguments += [{"i64": 0}] * 2  # Triton's own: global and profile scratch, of which there is none
    launch = {
        "kernel": metadata.name,
        "grid": (*run.grid, 1, 1)[:3],
        "threads": 32 * metadata.num_warps,
        "shared_bytes": metadata.shared,
        "arguments": arguments,
        "outputs": {name: peer.types[name].removeprefix("*") for name in run.expected},
    }
    tensors = {name: numpy.ascontiguousarray(x) for name, x in run.arguments.items() if isinstance(x, numpy.ndarray)}
    for name, tensor in tensors.items():
        assert tensor.dtype == elements(peer.types[name]), f"{peer.name}.{name} is {tensor.dtype}"
    expected = {name: e.value for name, e in run.expected.items()}
    expected |= {f"{name}.bound": numpy.broadcast_to(e.bound, e.value.shape) for name, e in run.expected.items()}
    (out / "kernel.ptx").write_text(compiled.asm["ptx"])
    (out / "launch.json").write_text(json.dumps(launch, indent=1))
    safetensors.numpy.save_file(tensors, out / "tensors.safetensors")
    expected = {name: numpy.ascontiguousarray(x, numpy.float64) for name, x in expected.items()}
    safetensors.numpy.save_file(expected, out / "expected.safetensors")


def prepare(out: Path, root: Path | None, given: Path | None) -> None:
    tensors, used = read(given) if given else None, {}
    os.environ["TRITON_CACHE_DIR"] = str(out / "triton")
    for peer, repository, source in found(root):
        mine = inputs(peer, tensors)
        if mine is None:
            continue
        used |= {f"{peer.name}.{name}": numpy.ascontiguousarray(x) for name, x in mine.items()}
        folder = out / peer.name
        folder.mkdir(parents=True, exist_ok=True)
        lifted = folder / "lifted.py"
        lifted.write_text(lift(repository, source, peer.kernel))
        print(f"peers: compiling {peer.name} ({peer.kernel} of {source})", file=sys.stderr)
        try:
            run = peer.run(mine)
        except (ValueError, IndexError) as error:
            raise Refused(f"{peer.name}: its inputs do not fit together: {error}") from None
        write(peer, getattr(load(lifted, peer.name), peer.kernel), run, folder)
    if not used:
        names = ", ".join(f"{peer.name}." for peer, *_ in found(root))
        raise Refused(f"{given} has no tensor of a peer to run; expected names that begin with {names}")
    safetensors.numpy.save_file(used, out / "inputs.safetensors")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--sources", type=Path)
    arguments.add_argument("--input", type=Path)
    parsed = arguments.parse_args()
    try:
        prepare(parsed.out.resolve(), parsed.sources, parsed.input)
    except Refused as refused:
        print(f"peers: {refused}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
