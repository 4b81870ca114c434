"""What a `_target_` takes, read from its source with `ast`: importing torch to look at a signature takes seconds.

Re-exports, aliases (`SizeName = Literal[...]`) and base classes are followed. What the source does not settle
(`**kwargs`, classes of torch and Lightning, things made at import) has the type Any.
"""

import ast
import difflib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache, reduce
from importlib.machinery import PathFinder
from importlib.util import resolve_name
from operator import or_
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hms.errors import ConfigError

OURS = ("hms.", *os.environ.get("HMS_ALLOW", "").split())
"""Where a `_target_` in a checkpoint may point; HMS_ALLOW="mine." adds a package of the user's, which no file can."""

ALLOWED = (*OURS, "torch.optim.", "lightning.Trainer", "lightning.pytorch.")
"""Where a `_target_` may point: a config from elsewhere must not run other code."""


class Node:
    """The type of a mapping with `_target_`; a subclass of it stands for each class that a signature names."""


class Signature(NamedTuple):
    """What `name` takes, of what types; what it cannot do without; whether it takes other names, too."""

    name: str
    types: dict[str, Any]
    needed: list[str]
    takes_more: bool


_Definition = ast.ClassDef | ast.FunctionDef | ast.expr
_PLAIN: dict[str, Any] = {t.__name__: t for t in (int, float, bool, str, list, dict)} | {"Any": Any, "object": Any}


@cache
def signature(target: str) -> Signature:
    """The signature of a class or function. Raises ConfigError where there is none that a config may name."""
    want_allowed(target)
    module, definition = _find(target)
    name = target.rpartition(".")[2]
    want_allowed(f"{module}.{name}")  # hms.extractor.stft.STFT is nnAudio's
    arguments, own = getattr(definition, "args", None), 0
    if isinstance(definition, ast.ClassDef):
        (module, arguments), own = _init(module, definition), 1  # self
    if not isinstance(arguments, ast.arguments):
        return Signature(name, {}, [], takes_more=True)
    named = [*arguments.posonlyargs, *arguments.args][own:]
    defaults = dict(zip([a.arg for a in reversed(named)], reversed(arguments.defaults), strict=False))
    defaults |= {a.arg: d for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d}
    types = {a.arg: _type(module, a.annotation) for a in (*named, *arguments.kwonlyargs)}
    for key, default in defaults.items():
        if isinstance(default, ast.Constant) and default.value is None:
            types[key] |= None  # `x: int = None`
    return Signature(name, types, [key for key in types if key not in defaults], arguments.kwarg is not None)


def want_allowed(name: str, allowed: tuple[str, ...] = ()) -> None:
    """Raise ConfigError for a name outside the prefixes `allowed`, which are `ALLOWED` unless given."""
    allowed = allowed or ALLOWED
    if not name.startswith(allowed):
        wish = " or ".join(filter(None, [", ".join(allowed[:-1]), allowed[-1]]))
        raise ConfigError(f"want a name that starts with {wish}, got '{name}'")


def _init(module: str, definition: ast.ClassDef) -> tuple[str, ast.arguments | None]:
    """The arguments of a class's `__init__`, its own or inherited, and the module they stand in; None: not certain."""
    for statement in definition.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return module, statement.args
    bases = [_absolute(module, base) for base in definition.bases]
    if bases in ([], ["torch.nn.Module"]) and not definition.decorator_list:
        return module, ast.arguments([], [], None, [], [], None, [])
    for base in bases:
        with suppress(ConfigError):
            place, found = _find(base)
            if isinstance(found, ast.ClassDef):
                return _init(place, found)
    return module, None


def _type(module: str, written: ast.expr | None) -> Any:
    """An annotation as a type: of int, float, bool, str, None, Literal, list, dict and unions of them, Node or Any."""
    ours = module.startswith(OURS)
    match written:
        case ast.Constant(value=None):
            return type(None)
        case ast.Constant(value=str(text)):
            return _type(module, ast.parse(text, mode="eval").body)
        case ast.BinOp(left=left, right=right):
            return _type(module, left) | _type(module, right)
        case ast.Subscript(value=outer, slice=inner):
            name = ast.unparse(outer).rpartition(".")[2]
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if name == "Literal":
                with suppress(ValueError):  # an Enum
                    return Literal[ast.literal_eval(inner)]
            types = [_type(module, part) for part in parts if ast.unparse(part) != "..."]
            if name in ("Union", "Optional"):
                return reduce(or_, [*types, type(None)] if name == "Optional" else types)
            if ours and name in ("list", "tuple", "Sequence", "Iterable"):
                return list[reduce(or_, types)]  # type: ignore[misc]
            if ours and name in ("dict", "Mapping"):
                return dict[types[0], types[1]]  # type: ignore[valid-type]
            return type(name, (Node,), {}) if ours else Any
        case ast.Name() | ast.Attribute():
            name = ast.unparse(written).rpartition(".")[2]
            if name in _PLAIN:
                return _PLAIN[name]
            with suppress(ConfigError):
                place, found = _find(_absolute(module, written))
                if isinstance(found, ast.expr):
                    return _type(place, found)
            return type(name, (Node,), {}) if ours or name == "Tensor" else Any  # no config can hold a tensor
    return Any


def _absolute(module: str, written: ast.expr) -> str:
    """The full name of what a module calls `nn.Module`, one import followed."""
    first, dot, rest = ast.unparse(written).partition(".")
    return (found if isinstance(found := _names(module).get(first), str) else f"{module}.{first}") + dot + rest


def _find(dotted: str) -> tuple[str, _Definition]:
    """The definition that a dotted name leads to, and the module it stands in."""
    for _ in range(20):  # re-exports; or they go round in a circle
        module, rest = dotted, list[str]()
        while module and not _file(module):
            module, _, last = module.rpartition(".")
            rest.insert(0, last)
        if not module:
            break
        if not rest:
            raise ConfigError(f"want a class or a function, got the module {module}")
        found = _names(module).get(rest[0])
        if found is None:
            raise ConfigError(f"no '{rest[0]}' in {module}{nearest(rest[0], _public(module))}")
        if not isinstance(found, str):
            if len(rest) == 1:  # or a method, and load_from_checkpoint is one
                return module, found
            break
        dotted = ".".join([found, *rest[1:]])
    raise ConfigError(f"want a class or a function whose source is here, got '{dotted}'")


@cache
def _names(module: str) -> dict[str, _Definition | str]:
    """What the top level of a module defines or, as a full name, imports."""
    assert (file := _file(module)), module
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise ConfigError(f"{file}, line {error.lineno}: {error.msg}") from None
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names: dict[str, _Definition | str] = {}
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
    """What a `_target_` could name in a module: its classes and functions, of a package also what it imports."""
    names, file = _names(module), _file(module)
    if file and file.name == "__init__.py":
        inside = {path.stem for path in file.parent.glob("*.py")} | {path.name for path in file.parent.glob("*/")}
        return {name for name in {*names} | inside if not name.startswith("_")}
    return {name for name, found in names.items() if isinstance(found, ast.ClassDef | ast.FunctionDef)}


@cache
def _file(module: str) -> Path | None:
    """The source of a module, which is not imported."""
    top, *rest = module.split(".")
    spec = PathFinder.find_spec(top)
    paths = [Path(place, *rest) for place in (spec and spec.submodule_search_locations) or []]
    files = (file for path in paths for file in (path / "__init__.py", path.with_name(f"{path.name}.py")))
    return next(filter(Path.is_file, files), None)


def nearest(word: object, known: Iterable[str]) -> str:
    """A hint at the known word that is most like `word`, if one is."""
    spelling = {one.lower(): one for one in sorted(map(str, known), reverse=True)}  # Adamw: AdamW before adamw
    close = difflib.get_close_matches(str(word).lower(), spelling, 1, cutoff=0.5)
    return f"; did you mean '{spelling[close[0]]}'?" if close else ""
