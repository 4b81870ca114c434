"""Compose configs with Hydra, and explain, more clearly than its own messages do, why it cannot use a word."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from hms.config.options import Options
from hms.errors import did_you_mean, first_line

_NO_PACKAGE = "{}: want '# @package _global_' as the first line of its YAML"


class Composer:
    """Composes configs of the command `name`, whose YAML files are in the folder `conf`.

    `search_path` holds the overrides that add further folders to Hydra's search path. `problems` gets a line for each
    word that Hydra cannot use; the configs do without it, so that the rest can still be checked.
    """

    def __init__(self, name: str, conf: Path, search_path: list[str], options: Options):
        self._name, self._conf, self._search_path, self._options = name, conf, search_path, options
        self.problems: list[str] = []

    def configs(self, jobs: Iterable[Sequence[str]]) -> Iterator[tuple[Sequence[str], DictConfig]]:
        """Yield the words of each job with the config they make; nothing if more than one of them is wrong."""
        with initialize_config_dir(str(self._conf), job_name=self._name, version_base="1.3"):
            for words in jobs:
                config = self._composed(words)
                if config is not None:
                    yield words, config

    def _composed(self, words: Sequence[str]) -> DictConfig | None:
        try:
            return self._checked(compose(self._name, [*words, *self._search_path]), words)
        except Exception as error:  # of Hydra, OmegaConf or the YAML parser, or a ValueError of any of them
            for word in words:
                others = [*(other for other in words if other != word), *self._search_path]
                try:
                    config = compose(self._name, others)
                except Exception:
                    continue
                self._add(self._refusal(word, others, error))
                return self._checked(config, others)
            self._add(_in_one_line(error))
            return None

    def _checked(self, config: DictConfig, words: Iterable[str]) -> DictConfig:
        """The config without the key `experiment`: the YAML of an experiment sets keys of the command itself.

        Of a group that takes several options, the only key of each YAML is its name, or one would replace another.
        """
        words = [*words]
        for group, chosen in map(self._options.chosen, words):
            for name in chosen if group in self._options.lists else ():
                if name not in config[group] and f"~{group}.{name}" not in words:
                    self._add(f"{group}: want '{name}:' as the only key of {name}.yaml")
        if "experiment" in config and self._options.of("experiment"):
            self._add(_NO_PACKAGE.format("experiment"))
            with open_dict(config):
                config.pop("experiment")
        return config

    def _refusal(self, word: str, others: list[str], error: Exception) -> str:
        """Say in one line why `word` made Hydra raise `error`, which it does not with the `others` alone."""
        message, override = str(error), self._options.parsed(word)
        if override is None:
            return f"{word}: {_in_one_line(error)}"
        key = override.key_or_group
        if key in ("experiment", "launcher") and f"@{key}" in message:
            return _NO_PACKAGE.format(key)
        if "No match in the defaults list" in message:
            return self._no_match(word, override, message)
        if key == "launcher" and (plugin := re.search(r"hydra/launcher/(\w+)", message)):
            package = (
                "pip install 'hms[slurm]'" if plugin[1].startswith("submitit") else f"Hydra's plugin '{plugin[1]}'"
            )
            return f"launcher: {override.value()} needs a package that is not installed: {package}"
        if key.startswith("hydra.") and error.__cause__:
            above, _, name = key.rpartition(".")
            siblings = OmegaConf.select(compose(self._name, others, return_hydra_config=True), above)
            if OmegaConf.is_dict(siblings) and name not in siblings:
                return f"{key}: {above} has no '{name}'{did_you_mean(name, siblings)}"
            return f"{key}: {first_line(error.__cause__)}"
        return f"{word}: {_in_one_line(error)}"

    def _no_match(self, word: str, override: Override, message: str) -> str:
        """Explain that Hydra finds no such group in the defaults list, or not the option that was to be removed."""
        group, options = override.key_or_group, self._options
        found = re.search(r"Could not \w+ '([^'@]+)", message)
        if override.is_delete() and group in options.lists:
            return f"{word}: {options.advice_on_none(group)}, or {group}=[...] with those that stay"
        if found and found[1] != group:  # in the YAML file that the word chooses
            return f"{word}: no group '{found[1]}'{did_you_mean(found[1], options.groups)}"
        if override.package and options.of(group):
            return f"{word}: want {group}=..., without @{override.package}"
        return f"{group}: {self._name} takes no '{group}'"

    def _add(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())
