"""The groups and the configs of a command, as Hydra finds and composes them, and why it cannot use a word."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from hms.errors import did_you_mean, first_line

_NO_PACKAGE = "{}: want '# @package _global_' as the first line of its YAML"


class Composed(NamedTuple):
    """A job's words, the config that they make, without Hydra's own part, and the option chosen from each group."""

    words: Sequence[str]
    config: DictConfig
    choices: dict[str, str]
    """As `own_choices` returns them."""


class Composer:
    """Composes configs of the command `name`, whose YAML files are in the folder `conf`.

    `search_path` holds the overrides that add further folders to Hydra's search path. `problems` gets a line for each
    word that Hydra cannot use; the configs do without it, so that the rest can still be checked.
    """

    def __init__(self, name: str, conf: Path, search_path: list[str]):
        self._name, self._conf, self._search_path = name, conf, search_path
        self.problems: list[str] = []
        self.launchers: set[str] = set()  # those of the configs composed so far
        self.draws = True  # whether their sweepers draw values, and do not just try those listed
        with initialize_config_dir(str(conf), job_name=name, version_base="1.3"):
            self._loader = GlobalHydra.instance().config_loader()
        self._parser = OverridesParser.create(self._loader)
        yaml = conf / f"{name}.yaml"
        values = _loaded(yaml) if yaml.is_file() else {}
        # Where Hydra looks for `hydra.searchpath` each time that it lists options, which takes long; ours have none.
        self._with_search_path = name if "hydra" in values or not yaml.is_file() else None
        self.lists = lists(values)
        """Groups from which several options may be chosen, and for each whether it may be left empty."""
        self.keys = {*values, *default_options(values)}
        """Keys of the command's YAML file, its groups included."""

    @cache  # noqa: B019 -- one instance per process
    def options(self, group: str) -> list[str]:
        """The names of a group's options; an empty list if there is no such group."""
        found = self._loader.get_group_options(group, config_name=self._with_search_path, overrides=self._search_path)
        return sorted(found)

    @property
    def groups(self) -> list[str]:
        """The names of all top-level groups."""
        names: list[str] = self._loader.list_groups("")
        return names

    def parsed(self, word: str) -> Override | None:
        """What Hydra's grammar makes of a word; None if it is not an override."""
        try:
            return self._parser.parse_overrides([word])[0]
        except HydraException:
            return None

    def configs(self, jobs: Iterable[Sequence[str]]) -> Iterator[Composed]:
        """Yield what the words of each job make; nothing if more than one of them is wrong."""
        yield from filter(None, (self._job(tuple(words)) for words in jobs))

    @lru_cache(maxsize=128)  # noqa: B019 -- one instance per process; jobs are checked, run and described
    def _job(self, words: tuple[str, ...]) -> Composed | None:
        if (config := self._composed(words)) is None:
            return None
        with open_dict(config):
            hydra = config.pop("hydra")
        self.launchers.add(hydra.runtime.choices["hydra/launcher"])
        sweeper = str(OmegaConf.select(hydra, "sweeper._target_"))
        self.draws &= sweeper.rpartition(".")[2] not in ("BasicSweeper", "EverySweeper")
        return Composed(words, config, own_choices(hydra.runtime.choices))

    def _composed(self, words: Sequence[str]) -> DictConfig | None:
        try:
            return self._checked(words)
        except Exception as error:  # of Hydra, OmegaConf or the YAML parser, or a ValueError of any of them
            for word in words:
                try:
                    config = self._checked([other for other in words if other != word])
                except Exception:
                    continue
                self.problems.append(self._refusal(word, config.hydra, error))
                return config
            self.problems.append(_in_one_line(error))
            return None

    def _checked(self, words: Sequence[str]) -> DictConfig:
        """The config that words make, without the key `experiment`: its YAML sets keys of the command itself.

        Of a group that takes several options, the only key of each YAML is its name, or one would replace another.
        """
        overrides = [*words, *self._search_path]
        config: DictConfig = self._loader.load_configuration(self._name, overrides, RunMode.RUN, from_shell=False)
        for override in filter(None, map(self.parsed, words)):
            group = override.key_or_group
            for name in chosen(override) if group in self.lists and not override.is_delete() else ():
                if name in self.options(group) and name not in config[group] and f"~{group}.{name}" not in words:
                    self.problems.append(f"{group}: want '{name}:' as the only key of {name}.yaml")
        if "experiment" in config and self.options("experiment"):
            self.problems.append(_NO_PACKAGE.format("experiment"))
            with open_dict(config):
                config.pop("experiment")
        return config

    def _refusal(self, word: str, hydra: DictConfig, error: Exception) -> str:
        """Say in one line why `word` made Hydra raise `error`; without it, Hydra's own settings are `hydra`."""
        message, override = _in_one_line(error), self.parsed(word)
        if override is None:
            return f"{word}: {message}"
        key = override.key_or_group
        if key in ("experiment", "launcher") and f"@{key}" in message:
            return _NO_PACKAGE.format(key)
        if self.options(key) and override.type is OverrideType.CHANGE and not self._takes(override, hydra):
            return (
                f"{word}: want {key}=..., without @{override.package}"
                if override.package
                else f"{key}: {self._name} takes no '{key}'{self._takers(key)}"
            )
        if group := re.search(r"Could not override '([^'@]+)'. No match", message):  # in the YAML that the word chooses
            return f"{word}: no group '{group[1]}'{did_you_mean(group[1], self.groups)}"
        if key == "launcher" and (plugin := re.search(r"hydra/launcher/(\w+)", message)):
            package = (
                "pip install 'hms[slurm]'" if plugin[1].startswith("submitit") else f"Hydra's plugin '{plugin[1]}'"
            )
            return f"launcher: {override.value()} needs a package that is not installed: {package}"
        if key.startswith("hydra.") and error.__cause__:
            above, _, name = key.rpartition(".")
            siblings = OmegaConf.select(hydra, above.partition(".")[2])
            if OmegaConf.is_dict(siblings) and name not in siblings:
                return f"{key}: {above} has no '{name}'{did_you_mean(name, siblings)}"
            return f"{key}: {first_line(error.__cause__)}"
        return f"{word}: {message}"

    def _takers(self, group: str) -> str:
        """The end of a message that names the commands that have a group; empty if none has."""
        files = sorted(self._conf.glob("*.yaml"))
        names = [f"hms.{file.stem}" for file in files if group in default_options(_loaded(file))]
        return f"; {', '.join(names)} {'do' if len(names) > 1 else 'does'}" if names else ""

    def _takes(self, override: Override, hydra: DictConfig) -> bool:
        """Whether the command has the group of an override, at its package."""
        of_several = override.key_or_group in self.lists and not override.package
        return of_several or override.get_key_element() in hydra.runtime.choices


def chosen(override: Override) -> list[str]:
    """The names of the options that an override of a group chooses."""
    value = override.value()
    names = value if isinstance(value, list) else [value]
    return ["null" if name is None else str(name) for name in names]


def own_choices(choices: Mapping[str, str | None]) -> dict[str, str]:
    """The option chosen from each group of a command, of all that Hydra records, which include those of its own groups.

    It records none for a group from which a list of options was chosen.
    """
    return {group: option for group, option in choices.items() if option and not group.startswith("hydra/")}


def mistakes_in_folder(folder: Path, conf: Path) -> list[str]:
    """Describe, in a line each, what is wrong with a user's folder: ours hide its YAML files of the same name."""
    if not folder.is_dir():
        return [f"--config-dir: want a folder of YAML files, got '{folder}' (no such folder)"]
    if conf.samefile(folder):
        return []
    return [
        f"{path}: hms has its own {path.relative_to(folder)}, which takes precedence; rename this one"
        for path in sorted(folder.rglob("*.yaml"))
        if (conf / path.relative_to(folder)).is_file()
    ]


def lists(values: dict[str, Any]) -> dict[str, bool]:
    """The groups from which several options may be chosen, by a command's YAML, and whether each may be left empty."""
    return {group: group in values for group, value in default_options(values).items() if isinstance(value, list)}


def default_options(values: dict[str, Any]) -> dict[str, Any]:
    """The options that a command's YAML chooses, by their groups."""
    entries = (entry for entry in values.get("defaults", ()) if isinstance(entry, dict))
    return {group: value for entry in entries for group, value in entry.items()}


def _loaded(yaml: Path) -> dict[str, Any]:
    return OmegaConf.to_container(OmegaConf.load(yaml))  # type: ignore[return-value]


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())
