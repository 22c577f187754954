"""Lifts Triton functions, a kernel and all that it calls, out of sources that import torch."""

import ast
import builtins
import importlib
from pathlib import Path

from peer import Refused


class Lift:
    """The functions, constants and imports that a kernel needs, in the order in which they have to stand."""

    def __init__(self, root: Path):
        self.root = root
        self.modules: dict[Path, ast.Module] = {}
        self.done: set[tuple[Path, str]] = set()
        self.lines: list[str] = ["import triton", "import triton.language as tl"]

    def module(self, path: Path) -> ast.Module:
        if path not in self.modules:
            try:
                self.modules[path] = ast.parse(path.read_text())
            except (OSError, SyntaxError, UnicodeDecodeError) as error:
                raise Refused(f"{path} does not read as Python: {error}") from None
        return self.modules[path]

    def name(self, path: Path, name: str) -> None:
        """Lifts what `name` stands for in a module, once."""
        if (path, name) in self.done or name in ("triton", "tl"):
            return
        self.done.add((path, name))
        module = self.module(path)
        for node in ast.walk(module):
            match node:
                case ast.FunctionDef(name=found) if found == name:
                    return self.function(path, node)
                case ast.Assign(targets=[ast.Name(id=found)]) if found == name and node in module.body:
                    self.names(path, node.value)
                    return self.lines.append(ast.unparse(node))
                case ast.ImportFrom(module=origin) if origin and any((a.asname or a.name) == name for a in node.names):
                    alias = next(a for a in node.names if (a.asname or a.name) == name)
                    if origin.split(".")[0] == "triton":
                        if not has(origin, alias.name):
                            continue  # of another release of Triton: sources try several
                        text = alias.name if alias.asname is None else f"{alias.name} as {alias.asname}"
                        return self.lines.append(f"from {origin} import {text}")
                    if alias.name != name:
                        raise Refused(f"{path}: {alias.name} is imported under another name, {name}")
                    return self.name(self.file(path, node), alias.name)
        if not hasattr(builtins, name):
            raise Refused(f"{path}: {name}, which a kernel uses, is not defined there")

    def function(self, path: Path, node: ast.FunctionDef) -> None:
        for default in [*node.body, *node.args.defaults]:
            self.names(path, default, {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)} | assigned(node))
        node.decorator_list = [ast.parse("triton.jit", mode="eval").body]
        self.lines.append(ast.unparse(node))

    def names(self, path: Path, tree: ast.AST, own: set[str] = frozenset()) -> None:
        annotations = {id(n) for a in ast.walk(tree) if isinstance(a, ast.AnnAssign) for n in ast.walk(a.annotation)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in annotations:
                if node.id not in own:
                    self.name(path, node.id)

    def file(self, path: Path, node: ast.ImportFrom) -> Path:
        """The source of an import, below the root, beside the module that imports it, or above that."""
        below = Path(*(node.module or "").split("."))
        folders = [path.parents[node.level - 1]] if node.level else path.parents
        for folder in folders:
            for candidate in (folder / below.with_suffix(".py"), folder / below / "__init__.py"):
                if candidate.is_file():
                    return candidate
            if folder == self.root:
                break
        raise Refused(f"{path} imports {node.module}, which is not below {self.root}")


def has(module: str, name: str) -> bool:
    """Whether a module of this release of Triton has a name, which may be a module too."""
    try:
        if hasattr(importlib.import_module(module), name):
            return True
        importlib.import_module(f"{module}.{name}")
    except ImportError:
        return False
    return True


def assigned(function: ast.FunctionDef) -> set[str]:
    return {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def lift(root: Path, source: Path, kernel: str) -> str:
    """A module of the kernel and all that it uses of its repository."""
    lifted = Lift(root)
    lifted.name(source, kernel)
    return "\n\n".join(lifted.lines) + "\n"
