"""What to say of a word that Hydra cannot compose a config with, in place of its own text."""

import re
from collections.abc import Callable

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from hms.config.options import Options
from hms.errors import did_you_mean, first_line

NO_PACKAGE = "experiment: want '# @package _global_' as the first line of its YAML"


def refusal(
    word: str, override: Override | None, error: Exception, options: Options, rest: Callable[[], DictConfig]
) -> str:
    """A line about a word, parsed where it can be, and Hydra's `error`; `rest` composes a config without the word, with
    what Hydra itself has in it."""
    said = str(error)
    if override is None:
        return f"{word}: {in_one_line(error)}"
    key = override.key_or_group
    if key == "experiment" and "@experiment" in said:
        return NO_PACKAGE
    if "No match in the defaults list" in said:
        return _no_match(word, override, said, options)
    if key == "launcher" and "hydra/launcher" in said:
        return f"launcher: what {override.value()} wants is not installed: pip install 'hms[slurm]'"
    if key.startswith("hydra.") and error.__cause__:
        above, _, name = key.rpartition(".")
        beside = OmegaConf.select(rest(), above)
        if OmegaConf.is_dict(beside) and name not in beside:
            return f"{key}: {above} has no '{name}'{did_you_mean(name, beside)}"
        return f"{key}: {first_line(error.__cause__)}"
    return f"{word}: {in_one_line(error)}"


def in_one_line(error: Exception) -> str:
    """All of an error's text."""
    return " ".join(str(error).split())


def _no_match(word: str, override: Override, said: str, options: Options) -> str:
    """Hydra finds no such group, or none that was chosen before."""
    group = override.key_or_group
    found = re.search(r"Could not \w+ '([^'@]+)", said)
    if override.is_delete() and group in options.lists:
        return f"{word}: {options.none_of(group)}, or {group}=[...] with those that stay"
    if found and found[1] != group:  # in the YAML that the word chooses
        return f"{word}: no group '{found[1]}'{did_you_mean(found[1], options.groups)}"
    if override.package and options.of(group):
        return f"{word}: want {group}=..., without @{override.package}"
    return f"{group}: {options.name} takes no '{group}'"
