"""What `--help` prints: what a command is for, the options of its groups with what each is, and all values."""

import re
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from hms.system.console import terminal_width

_FLAGS = {
    "-m": "a sweep: a job for each combination of the values given as a=1,2 or a=range(0,5) or group=one,[one,two]",
    "--cfg job": "check the values, and only print them",
    "--info defaults": "print which YAML files they come from, the later ones replacing what the earlier ones say",
    "--config-dir FOLDER": "add options of your own, FOLDER/<group>/<option>.yaml",
    "-sc install=bash": "print what makes a shell complete groups, options and keys",
}


def help_text(
    name: str, folders: Sequence[Path], groups: Mapping[str, list[str]], several: Collection[str], config: DictConfig
) -> str:
    """The help of the command `name`, whose YAML file is in the first of `folders`.

    `groups` gives the options of each of its groups, whose files are in any of `folders`, and `several` the groups of
    which more than one option may be chosen; `config` has the command's values.
    """
    width = min(max(terminal_width() or 120, 80), 120)
    lines = [*_comment((folders[0] / f"{name}.yaml").read_text()), "", "Options, chosen by group=option:", ""]
    for group, options in groups.items():
        files = (folder / group / f"{option}.yaml" for option in options for folder in folders)
        purposes = {path.stem: _purpose(path) for path in files if path.is_file()}
        lines += [f"{group}=[...]" if group in several else group, *_table(purposes, width)]
    values = _annotated(config, _yaml(folders[0], name))
    lines += ["", "Values, changed by key=value, such as optimizer.lr=1e-3:", "", *values]
    return "\n".join([*lines, "", "Flags:", "", *_table(_FLAGS, width)])


def _comment(text: str) -> list[str]:
    """The lines of the comment at the top of a YAML file, without that which is for Hydra."""
    lines = re.match(r"(#.*\n)*", text)
    assert lines
    return [line.removeprefix("# ") for line in lines[0].splitlines() if not line.startswith("# @package")]


def _purpose(path: Path) -> str:
    """What an option is: the first line of its YAML file without the module's name and commands."""
    first = "".join(_comment(path.read_text())[:1])
    return re.sub(r"^\S+ -- |: python -m .*", "", first)


def _table(rows: Mapping[str, str], width: int) -> Iterator[str]:
    """Names with explanations, which are wrapped to `width` columns."""
    column = max(map(len, rows), default=0) + 4
    for name, text in rows.items():
        yield textwrap.fill(
            text or "-", width, initial_indent=f"  {name}".ljust(column), subsequent_indent=" " * column
        )


def _yaml(folder: Path, name: str) -> str:
    """The YAML file of a command, after those in the same folder that its defaults name."""
    text = (folder / f"{name}.yaml").read_text()
    content: Any = OmegaConf.create(text)
    shared = [other for other in content.get("defaults", []) if isinstance(other, str) and other != "_self_"]
    return "".join([*(_yaml(folder, other) for other in shared), text])


def _annotated(config: DictConfig, yaml: str) -> Iterator[str]:
    """The lines of a config's YAML; those of a command's own keys say what `yaml` says about them."""
    said = dict(re.findall(r"^(\w+):[^#\n]*# (.+)$", yaml, re.MULTILINE))
    for line in OmegaConf.to_yaml(config).splitlines():
        comment = said.get(line.partition(":")[0])
        yield f"{line:<22} # {comment}" if comment else line
