"""The rules of the house (README, "Development"): where things stand, what may import what, how large a file may grow.

Everything is read from source and YAML; a rule that is broken says what to do.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache, reduce
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from itertools import zip_longest
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from configs import CONF, GROUPS, by_hydra, options
from conftest import ROOT
from omegaconf import OmegaConf

from hms.config.signature import signature

HMS = ROOT / "hms"

LAYERS = ["__init__"]
for line in re.findall(r"^    (\S.*)", ast.get_docstring(ast.parse((HMS / "__init__.py").read_text())), re.MULTILINE):
    LAYERS += line.partition("  ")[0].split()
"""Modules and packages of hms as hms/__init__.py lists them; each imports only those before it."""

HYDRA = {"config", "runs"}
"""Where hydra and omegaconf may be imported, beside the entry points."""

OF_A_LIBRARY = {"trainer", "logger", "launcher", "optimizer", "callbacks"}
"""Groups that set up a library, which has no module here."""

NOT_MIRRORED = OF_A_LIBRARY | {"data", "experiment", "pretrain"}
"""`data` stands where its corpus is made; an experiment, or a stage of training, sets values of other groups."""

MANY = ("extractor", "augmentation")
"""Packages with a module for each option."""

MOST_BY_PLACE = 5
"""A class of ours gets at most so many arguments by place."""

MODULE_LINES, YAML_LINES = 210, 20
"""A module, or a YAML, stays under this many lines."""

MEMBER_LINES = 10
"""The most of an experiment that is one member of an ensemble: it only names what differs."""

LISTED = 7
"""A package of so many modules lists them in its __init__.py, in reading order; those of MANY have a YAML each."""

IN_A_STEP = """
    cached_tensor batch montage spectrogram_images preprocess augmentation
    network backbone extractor fusion model loss weighting averaging training.module training.guard
""".split()
"""Modules and packages of hms whose code runs in each training step."""

OWN_DEFAULTS = {"hms.simulate.corpus.SimulatedFolder"}
"""May have defaults in Python: scripts and tests make corpora with it, without a YAML."""

MODULES = sorted(HMS.rglob("*.py"))
YAMLS = sorted(CONF.rglob("*.yaml"))


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def name_of(path: Path) -> str:
    """`hms.extractor.stft` of hms/extractor/stft.py, `hms.extractor` of its __init__.py."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def layer_of(name: str) -> str:
    """The module's entry in LAYERS, or where it would stand: a package counts as one, its entry point aside."""
    inside = name.removeprefix("hms").removeprefix(".") or "__init__"
    return inside if inside.endswith(".__main__") else inside.partition(".")[0]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def imports(path: Path) -> Iterator[str]:
    """Full names of everything that a module imports, inside functions, too."""
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            yield from (f"{source}.{one.name}" for one in node.names)


def own_imports(path: Path) -> set[str]:
    """Modules of hms that a module imports."""
    known = {name_of(module) for module in MODULES}
    found = {name for name in imports(path) if name.partition(".")[0] == "hms"}
    return {name if name in known else name.rpartition(".")[0] for name in found}


def top_level(path: Path) -> Iterator[ast.AST]:
    """What runs when a module is imported: everything outside its functions."""
    left: list[ast.AST] = [tree(path)]
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            left.extend(ast.iter_child_nodes(node))


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping with `_target_` within a value."""
    if isinstance(value, dict):
        if "_target_" in value:
            yield value
        for part in value.values():
            yield from nodes(part)
    elif isinstance(value, list):
        for part in value:
            yield from nodes(part)


def options_of(value: Any) -> list[str]:
    """The targets that are chosen by a group's name, not those of the parts within them."""
    if not isinstance(value, dict):
        return []
    return (
        [value["_target_"]] if "_target_" in value else [name for part in value.values() for name in options_of(part)]
    )


@cache
def content(path: Path) -> dict[str, Any]:
    """What a YAML says, with interpolations as they are written."""
    return OmegaConf.to_container(OmegaConf.load(path))  # type: ignore[return-value]


def targets(path: Path) -> list[str]:
    return [node["_target_"] for node in nodes(content(path))]


@cache
def composed(*overrides: str) -> dict[str, Any]:
    """train.yaml as Hydra puts it together; interpolations stay as they are written."""
    return OmegaConf.to_container(by_hydra("train", *overrides))  # type: ignore[return-value]


def everything() -> Iterator[tuple[str, ...]]:
    """Overrides that together compose every option of every group; an experiment alone, for it chooses of others."""
    chosen = {group for entry in content(CONF / "train.yaml")["defaults"] if isinstance(entry, dict) for group in entry}
    each = {group: [f"{group}={option}" for option in options(group)] for group in GROUPS if group in chosen}
    alone = each.pop("experiment")
    yield from (tuple(filter(None, one_of_each)) for one_of_each in zip_longest(*each.values()))
    yield from zip(alone)


def want_none(problems: Iterable[str]) -> None:
    """Fail with all problems, a line each, so that one run names them all."""
    if found := [*problems]:
        pytest.fail("\n".join(found), pytrace=False)


# Mirror: conf/ has the folders and modules of hms/


@pytest.mark.parametrize("group", sorted({*GROUPS} - NOT_MIRRORED))
def test_a_group_has_a_module_of_its_name_and_its_targets_stand_there(group: str):
    assert (HMS / f"{group}.py").is_file() or (HMS / group / "__init__.py").is_file(), (
        f"conf/{group}/: no module hms/{group}.py and no package hms/{group}/; give the group the name of its module"
    )
    want_none(
        f"{short(path)}: {target} is not in hms.{group}; move the class there, or the YAML to the group of its module"
        for path in YAMLS
        if path.parent == CONF / group
        for target in options_of(content(path))
        if not target.startswith(f"hms.{group}.")
    )


@pytest.mark.parametrize("package", MANY)
def test_a_package_of_options_holds_nothing_that_cannot_be_chosen(package: str):
    chosen = {target for path in YAMLS for target in targets(path)}
    for path in (path for path in MODULES if path.parent == HMS / package and path.name != "__init__.py"):
        classes = [f"{name_of(path)}.{node.name}" for node in tree(path).body if isinstance(node, ast.ClassDef)]
        shared = not classes and any(name_of(path) in own_imports(other) for other in path.parent.glob("*.py"))
        assert shared or chosen & {*classes}, (
            f"{short(path)}: no YAML names a class of it; add conf/{package}/{path.stem}.yaml, or delete the module"
        )
        want_none(
            f"{short(path)}: no YAML names {name}; add one in conf/{package}/, or call it _{name}"
            for name in (known.rpartition(".")[2] for known in classes if known not in chosen)
            if not name.startswith("_")
        )


# Layers: imports go one way


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_earlier_layers(path: Path):
    layer = layer_of(name_of(path))
    assert layer in LAYERS, (
        f"{short(path)}: '{layer}' has no layer; add it to the list in hms/__init__.py "
        "after everything it imports and before what imports it"
    )
    earlier = LAYERS if layer == "__init__" else LAYERS[: LAYERS.index(layer)]  # `hms.load` imports when it is called
    want_none(
        f"{short(path)}: {layer} must not import {name}, which is of a later layer; "
        "move what it needs from there to an earlier module (the list in hms/__init__.py)"
        for name in sorted(own_imports(path))
        if layer_of(name) not in (layer, *earlier)
    )


def test_no_imports_go_round_in_a_circle():
    try:
        TopologicalSorter({name_of(path): own_imports(path) for path in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(f"imports go round: {' <- '.join(error.args[1])}; move what they share to a module of its own")


def test_no_test_module_imports_another():
    want_none(
        f"{short(path)}: imports {name}; move what both need to a helper, whose name does not begin with test_"
        for path in sorted((ROOT / "tests").glob("test_*.py"))
        for name in imports(path)
        if re.match(r"(tests\.)?test_", name)
    )


def test_layers_hold_no_module_that_is_gone():
    there = {layer_of(name_of(path)) for path in MODULES}
    want_none(f"the list in hms/__init__.py: no hms/{name}; take it out" for name in LAYERS if name not in there)


@pytest.mark.parametrize("library", ["hydra", "omegaconf"])
def test_only_a_few_modules_know_hydra(library: str):
    want_none(
        f"{short(path)}: imports {library}; take plain values instead, or do it in {', '.join(sorted(HYDRA))}"
        for path in MODULES
        if any(name.partition(".")[0] == library for name in imports(path))
        if layer_of(name_of(path)) not in HYDRA and not is_entry_point(path)
    )


def is_entry_point(path: Path) -> bool:
    """Whether a module ends in `if __name__ == "__main__":`."""
    tests = [ast.unparse(node.test) for node in tree(path).body if isinstance(node, ast.If)]
    return "__name__ == '__main__'" in tests


def test_no_constructor_takes_a_config():
    want_none(
        f"{short(path)}, line {init.lineno}: {node.name} takes '{argument.arg}'; take the plain values it needs"
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
        for init in node.body
        if isinstance(init, ast.FunctionDef) and init.name == "__init__"
        for argument in (*init.args.args, *init.args.kwonlyargs)
        if argument.arg in ("config", "cfg") or "DictConfig" in ast.dump(argument)
    )


def test_a_long_call_of_a_class_names_its_arguments():
    """Two values of one type next to each other are swapped by no type checker."""
    code = {path: tree(path) for path in (*MODULES, *sorted((ROOT / "scripts").rglob("*.py")))}
    classes = {node.name for path in MODULES for node in ast.walk(code[path]) if isinstance(node, ast.ClassDef)}
    want_none(
        f"{short(path)}, line {node.lineno}: {name} gets {len(node.args)} arguments by place; name them"
        for path, module in code.items()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and len(node.args) > MOST_BY_PLACE
        if (name := ast.unparse(node.func).rpartition(".")[2]) in classes
    )


# Sizes and headers


def test_a_module_stays_short():
    lines = {path: len(path.read_text().splitlines()) for path in MODULES}
    want_none(
        f"{short(path)}: want under {MODULE_LINES} lines, got {count}; split it in two"
        for path, count in lines.items()
        if count >= MODULE_LINES
    )


def test_a_large_package_lists_its_modules():
    for package in sorted({path.parent for path in MODULES} - {HMS, *(HMS / name for name in MANY)}):
        inside = [*package.glob("*.py"), *(path.parent for path in package.glob("*/__init__.py"))]
        there = {path.stem for path in inside} - {"__init__", "__main__"}
        listed = re.findall(r"^(\w+)  +\S", ast.get_docstring(tree(package / "__init__.py")) or "", re.MULTILINE)
        if listed or len(there) >= LISTED:
            assert sorted(listed) == sorted(there), f"{short(package)}/__init__.py: want a line for each of its modules"


def test_a_yaml_stays_short():
    for path in YAMLS:
        lines = len(path.read_text().splitlines())
        most = MEMBER_LINES if path.name.startswith("member_") else YAML_LINES - 1
        assert lines <= most or path == CONF / "train.yaml", (
            f"{short(path)}: want up to {most} lines, got {lines}; take what another has, too, with `defaults: [...]`"
        )


@pytest.mark.parametrize("path", YAMLS, ids=short)
def test_a_yaml_says_in_its_first_line_where_its_code_is(path: Path):
    first = path.read_text().partition("\n")[0]
    assert re.match(r"# \S", first), f"{short(path)}: want a comment in the first line that says what it is for"
    for file in re.findall(r"\bhms/[\w/]+\.py\b", first):
        assert (ROOT / file).is_file(), f"{short(path)}: its first line names {file}, which is not there; correct it"
    if first.startswith("# @package"):
        return
    if path.parent == CONF:
        assert f"python -m hms.{path.stem} " in first, f"{short(path)}: want `# python -m hms.{path.stem} ...` first"
    elif path.parent.name not in OF_A_LIBRARY:
        ours = [target for target in targets(path) if target.startswith("hms.")]
        modules = [HMS.parent.joinpath(*target.split(".")[:-1]) for target in ours]
        files = [short(at / "__init__.py" if at.is_dir() else at.with_suffix(".py")) for at in modules]
        assert not files or any(file in first for file in files), (
            f"{short(path)}: want the module in the first line, `# {files[0]} -- what this option is`, got '{first}'"
        )


# One name, and one place for a value


def test_a_yaml_gives_every_argument_and_no_argument_has_a_default():
    want_none(sorted({problem for overrides in everything() for problem in unequal(composed(*overrides))}))


def unequal(config: dict[str, Any]) -> Iterator[str]:
    """Where the keys of a node of ours are not the arguments of its target."""
    for node in nodes(config):
        target = node["_target_"]
        if target.startswith("hms."):
            takes, given = signature(target), {key for key in node if not key.startswith("_")}
            for key in {*takes.types} - given:
                if not node.get("_partial_"):  # the code that builds it gives the rest
                    yield f"{target}: no YAML gives it '{key}'; write the value there"
            for key in given - {*takes.types}:
                yield f"{target}: takes no '{key}'; let the YAML and the constructor say the same word"
            for key in {*takes.types} - {*takes.required}:
                if target not in OWN_DEFAULTS:
                    yield f"{target}: '{key}' has a default in Python; write it in the YAML alone"


# Nothing at module level, nothing that waits for the device


def test_importing_a_module_makes_no_state():
    stateful = re.compile(
        r"(Generator|default_rng|RandomState|manual_seed|random\.seed|set_default_\w+|torch\.device)$"
    )
    want_none(
        f"{short(path)}, line {node.lineno}: {ast.unparse(node.func)} at module level; call it where it is used"
        for path in MODULES
        for node in top_level(path)
        if isinstance(node, ast.Call) and stateful.search(ast.unparse(node.func))
    )


def test_nothing_is_registered():
    """A class is found by its `_target_`, so nothing needs a mapping that fills up as modules are imported."""
    empty = ("{}", "[]", "set()", "dict()", "list()")
    want_none(
        f"{short(path)}, line {node.lineno}: `{ast.unparse(node)}` is filled by others; give and return values instead"
        for path in MODULES
        for node in top_level(path)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and ast.unparse(node.value) in empty
    )


def test_a_step_does_not_wait_for_the_device():
    of_a_step = {
        entry: [path for path in MODULES if f"{name_of(path)}.".startswith(f"hms.{entry}.")] for entry in IN_A_STEP
    }
    want_none(f"IN_A_STEP: no hms.{entry}; correct its name" for entry, paths in of_a_step.items() if not paths)
    want_none(
        f"{short(path)}, line {node.lineno}: .item() waits for the device in every step; keep it a tensor"
        for paths in of_a_step.values()
        for path in paths
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "item"
    )


def test_annotations_are_values_not_text():
    want_none(
        f"{short(path)}: drop `from __future__ import annotations`; shapes are checked by the types themselves"
        for path in MODULES
        if "__future__.annotations" in imports(path)
    )


# What an experiment or a user overrides


def test_an_experiment_comes_after_self():
    defaults = content(CONF / "train.yaml")["defaults"]
    assert {"experiment": None} in defaults[defaults.index("_self_") :], (
        "conf/train.yaml: `- experiment: null` must stand after `- _self_`, or train.yaml's own values beat it"
    )


@pytest.mark.parametrize("name", options("experiment"))
def test_an_experiment_wins_over_train_yaml(name: str):
    for place, value in leaves(content(CONF / f"experiment/{name}.yaml")):
        got = reduce(getitem, place, composed(f"experiment={name}"))
        assert got == value, f"conf/experiment/{name}.yaml: {'.'.join(place)} is {value} there and {got} when composed"


def leaves(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value of a YAML that is no mapping, and the keys that lead to it; its defaults list aside."""
    if not isinstance(value, dict):
        yield place, value
    else:
        for key in value.keys() - {"defaults"}:
            yield from leaves(value[key], (*place, key))


def test_what_a_user_may_override_has_a_key_not_a_number():
    want_none(
        f"{short(path)}: {'.'.join(place)} is a list of mappings; give each a name to override it by, `<name>: {{...}}`"
        for path in YAMLS
        for place, value in leaves(content(path))
        if isinstance(value, list) and any(isinstance(part, dict) for part in value)
    )


def test_what_several_may_be_chosen_of_is_a_mapping():
    for overrides in everything():
        config = composed(*overrides)
        places = {group: config[group] for group in ("extractor", "augmentation", "logger")}
        for place, value in {**places, "montage.groups": config["montage"]["groups"]}.items():
            assert isinstance(value, dict), f"{overrides}: want {place} to be a mapping of names, got {value}"


@pytest.mark.parametrize(
    ("name", "group"),
    [
        (path.stem, group)
        for path in sorted((CONF / "experiment").glob("*.yaml"))
        for group in re.findall(r"override /(\w+):", path.read_text())
        if "none" in options(group)
    ],
)
def test_an_experiment_can_do_without_what_it_chooses(name: str, group: str):
    assert composed(f"experiment={name}", f"{group}=none")[group] == {}
