"""Read the signature of a `_target_` from its source with `ast`; importing torch just for that would take seconds.

Re-exports, aliases (`SizeName = Literal[...]`) and base classes are followed. Whatever the source does not settle
(`**kwargs`, classes of torch and Lightning, objects created at import) has the type Any.
"""

import ast
import os
from contextlib import suppress
from functools import cache, reduce
from operator import or_
from typing import Any, Literal, NamedTuple

from hms.config.keys import Node
from hms.config.source import absolute, find
from hms.errors import ConfigError

OURS = ("hms.", *os.environ.get("HMS_ALLOW", "").split())
"""Where a `_target_` in a checkpoint may point; HMS_ALLOW="mine." adds a package of the user's, but no file can."""

ALLOWED = (*OURS, "torch.optim.", "timm.optim.", "lightning.Trainer", "lightning.pytorch.")
"""Where a `_target_` may point: a config from elsewhere must not run other code."""


class Signature(NamedTuple):
    """The arguments that `name` takes: their types, which of them are required, and whether any others are accepted."""

    name: str
    types: dict[str, Any]
    required: list[str]
    takes_more: bool


_PLAIN: dict[str, Any] = {t.__name__: t for t in (int, float, bool, str, list, dict)} | {"Any": Any, "object": Any}


@cache
def signature(target: str) -> Signature:
    """The signature of a class or function. Raises ConfigError for a target that a config may not name."""
    want_allowed(target, ALLOWED)
    module, definition = find(target)
    name = target.rpartition(".")[2]
    want_allowed(f"{module}.{name}", ALLOWED)  # hms.network.log_stft.STFT is in fact nnAudio's
    arguments, bound = getattr(definition, "args", None), 0
    if isinstance(definition, ast.ClassDef):
        (module, arguments), bound = _init(module, definition), 1  # self
    if not isinstance(arguments, ast.arguments):
        return Signature(name, {}, [], takes_more=True)
    named = [*arguments.posonlyargs, *arguments.args][bound:]
    defaults = dict(zip([a.arg for a in reversed(named)], reversed(arguments.defaults), strict=False))
    defaults |= {a.arg: d for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d}
    types = {a.arg: _type(module, a.annotation) for a in (*named, *arguments.kwonlyargs)}
    for key, default in defaults.items():
        if isinstance(default, ast.Constant) and default.value is None:
            types[key] |= None  # `x: int = None`
    return Signature(name, types, [key for key in types if key not in defaults], arguments.kwarg is not None)


def want_allowed(name: str, allowed: tuple[str, ...]) -> None:
    """Raise ConfigError unless `name` starts with one of the prefixes `allowed`."""
    if not name.startswith(allowed):
        wish = " or ".join(filter(None, [", ".join(allowed[:-1]), allowed[-1]]))
        advice = "HMS_ALLOW, set before Python starts, adds a package of yours"
        raise ConfigError(f"want a name that starts with {wish} ({advice}), got '{name}'")


def _init(module: str, definition: ast.ClassDef) -> tuple[str, ast.arguments | None]:
    """The arguments of a class's `__init__`, own or inherited (None if unknown), and the module they are in."""
    for statement in definition.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return module, statement.args
    bases = [absolute(module, base) for base in definition.bases]
    if bases in ([], ["torch.nn.Module"]) and not definition.decorator_list:
        return module, ast.arguments([], [], None, [], [], None, [])
    for base in bases:
        with suppress(ConfigError):
            place, found = find(base)
            if isinstance(found, ast.ClassDef):
                return _init(place, found)
    return module, None


def _type(module: str, written: ast.expr | None) -> Any:
    """Turn an annotation into a type: int, float, bool, str, None, Literal, list, dict, a union of them, Node, Any."""
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
                place, found = find(absolute(module, written))
                if isinstance(found, ast.expr):
                    return _type(place, found)
            return type(name, (Node,), {}) if ours or name == "Tensor" else Any  # no config can hold a tensor
    return Any
