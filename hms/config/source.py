"""Find where in Python source a dotted name is defined, with `ast` and without importing anything.

Re-exports and aliased imports are followed.
"""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, resolve_name
from pathlib import Path

from hms.errors import ConfigError, did_you_mean

Definition = ast.ClassDef | ast.FunctionDef | ast.expr


def find(dotted: str) -> tuple[str, Definition]:
    """The definition that a dotted name leads to, and the module that contains it."""
    for _ in range(20):  # re-exports to follow; more would mean that they form a circle
        module, rest = dotted, list[str]()
        while module and not _file(module):
            module, _, last = module.rpartition(".")
            rest.insert(0, last)
        if not module:
            if not _spec(dotted.partition(".")[0]):
                raise ConfigError(f"want the module of '{dotted}' to be installed, or on PYTHONPATH; found none")
            break
        if not rest:
            raise ConfigError(f"want a class or a function, got the module {module}")
        found = _names(module).get(rest[0])
        if found is None:
            raise ConfigError(f"no '{rest[0]}' in {module}{did_you_mean(rest[0], _public(module))}")
        if not isinstance(found, str):
            if len(rest) == 1:  # more would name a method, such as load_from_checkpoint
                return module, found
            break
        dotted = ".".join([found, *rest[1:]])
    raise ConfigError(f"want a class or a function whose source can be found, got '{dotted}'")


def absolute(module: str, written: ast.expr) -> str:
    """The full name of what a module calls, say, `nn.Module`, following one import."""
    first, dot, rest = ast.unparse(written).partition(".")
    return (found if isinstance(found := _names(module).get(first), str) else f"{module}.{first}") + dot + rest


@cache
def _names(module: str) -> dict[str, Definition | str]:
    """Map each name at the top level of a module to its definition or, if it is imported, to its full name."""
    file = _file(module)
    assert file, module
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise ConfigError(f"{file}, line {error.lineno}: {error.msg}") from None
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names: dict[str, Definition | str] = {}
    for statement in _statements(tree):
        match statement:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names[name] = statement
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                names[name] = value
            case ast.Import(names=imported):
                names |= dict((n.asname, n.name) if n.asname else (n.name.split(".")[0],) * 2 for n in imported)
            case ast.ImportFrom(module=source, names=imported, level=level):
                source = resolve_name("." * level + (source or ""), package)
                names |= {n.asname or n.name: f"{source}.{n.name}" for n in imported}
    return names


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    for statement in ast.iter_child_nodes(tree):
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.ExceptHandler):
            yield from _statements(statement)


def _public(module: str) -> set[str]:
    """What a `_target_` could name in a module: its classes and functions; in a package also what it imports."""
    names, file = _names(module), _file(module)
    if file and file.name == "__init__.py":
        inside = {path.stem for path in file.parent.glob("*.py")} | {path.name for path in file.parent.glob("*/")}
        return {name for name in {*names} | inside if not name.startswith("_")}
    return {name for name, found in names.items() if isinstance(found, ast.ClassDef | ast.FunctionDef)}


def _spec(top: str) -> ModuleSpec | None:
    """Where a top-level module comes from; it is not imported."""
    try:
        return find_spec(top)
    except ValueError:  # of __main__
        return None


@cache
def _file(module: str) -> Path | None:
    """The source file of a module, without importing it."""
    top, *rest = module.split(".")
    spec = _spec(top)
    if not rest:  # a package, or a module on its own
        return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None
    paths = [Path(place, *rest) for place in (spec and spec.submodule_search_locations) or []]
    files = (file for path in paths for file in (path / "__init__.py", path.with_name(f"{path.name}.py")))
    return next(filter(Path.is_file, files), None)
