"""Explain why Hydra cannot compose a config with a word of the command line, more clearly than its own message does."""

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
    """Say in one line why `word` made Hydra raise `error`.

    `override` is the parsed word, if it can be parsed; `rest` composes the config without it, with Hydra's own keys.
    """
    message = str(error)
    if override is None:
        return f"{word}: {in_one_line(error)}"
    key = override.key_or_group
    if key == "experiment" and "@experiment" in message:
        return NO_PACKAGE
    if "No match in the defaults list" in message:
        return _no_match(word, override, message, options)
    if key == "launcher" and "hydra/launcher" in message:
        return f"launcher: {override.value()} needs a package that is not installed: pip install 'hms[slurm]'"
    if key.startswith("hydra.") and error.__cause__:
        above, _, name = key.rpartition(".")
        siblings = OmegaConf.select(rest(), above)
        if OmegaConf.is_dict(siblings) and name not in siblings:
            return f"{key}: {above} has no '{name}'{did_you_mean(name, siblings)}"
        return f"{key}: {first_line(error.__cause__)}"
    return f"{word}: {in_one_line(error)}"


def in_one_line(error: Exception) -> str:
    """Return the whole text of an error, without line breaks."""
    return " ".join(str(error).split())


def _no_match(word: str, override: Override, message: str, options: Options) -> str:
    """Explain that Hydra finds no such group in the defaults list, or not the option that was to be removed."""
    group = override.key_or_group
    found = re.search(r"Could not \w+ '([^'@]+)", message)
    if override.is_delete() and group in options.lists:
        return f"{word}: {options.advice_on_none(group)}, or {group}=[...] with those that stay"
    if found and found[1] != group:  # in the YAML file that the word chooses
        return f"{word}: no group '{found[1]}'{did_you_mean(found[1], options.groups)}"
    if override.package and options.of(group):
        return f"{word}: want {group}=..., without @{override.package}"
    return f"{group}: {options.name} takes no '{group}'"
