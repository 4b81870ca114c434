"""Turn the words of a command line into the configs of its jobs.

Hydra stops at the first mistake, and wants a `+` before a key that no YAML file has. Here signatures define which keys
exist (see `check`), so no key needs a `+`, and the mistakes of all jobs of a sweep are reported before any job starts.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict

from hms.config.options import Options
from hms.config.refusal import NO_PACKAGE, in_one_line, refusal
from hms.errors import did_you_mean

_FEW = 16
"""A sweep of at most so many jobs has all of them composed before the first starts, at 0.05 s each."""


class CommandLine:
    """The words after the command `name`, whose YAML files are in the folder `conf`.

    Words without `=`, such as those into which a shell expands `runs/*`, become the list `positional`.
    `problems` has a line for each mistake that keeps a config from being composed; the words concerned are left out of
    the jobs, so that the rest can still be checked.
    """

    def __init__(self, name: str, conf: Path, words: Sequence[str], positional: str | None = None):
        parser = get_args_parser()
        self._given, unknown = parser.parse_known_intermixed_args(words)
        self._flags = [word for word in words if word not in self._given.overrides]
        if positional:
            self._given.overrides = _gathered(self._given.overrides, positional)
        self._name: str = self._given.config_name or name
        self._conf = conf
        self.sweeps: bool = self._given.multirun
        self.problems: list[str] = []
        self.refused: set[str] = set()  # groups whose option is unknown, so that the configs have the default instead
        self._search_path: list[str] = []
        if self._given.config_dir:
            self._add_folder(Path(self._given.config_dir))
        with self._composer():
            loader = GlobalHydra.instance().config_loader()
        given_path = [word for word in self._given.overrides if word.startswith("hydra.searchpath=")]
        self._options = Options(loader, self._conf, self._name, [*self._search_path, *given_path])
        flags = parser._option_string_actions
        for flag in unknown:
            key = flag.strip("-").partition("=")[0]
            near = f"; want {key}=<value>" if key in self._options.keys else did_you_mean(flag, flags)
            self._add(f"{flag}: no such flag{near}")
        self._parser = OverridesParser.create(loader)
        self._values = [values for word in self._given.overrides if (values := self._read(word))]

    @property
    def runs(self) -> bool:
        """Whether the command runs jobs, rather than only showing something."""
        shows = ("help", "hydra_help", "cfg", "info", "shell_completion", "experimental_rerun", "config_path")
        return not any(getattr(self._given, name) for name in shows)

    @property
    def completes(self) -> bool:
        """Whether a shell asks for the completions of a word."""
        return bool(self._given.shell_completion)

    @property
    def for_hydra(self) -> list[str]:
        """The same words in a form in which Hydra accepts any key, in any order."""
        if self.completes:
            return [*self._flags, *self._given.overrides]
        overrides = [(word, self._parsed(word)) for word in self._given.overrides]
        return [*self._flags, *(self._forced(override) if override else word for word, override in overrides)]

    def samples(self) -> Iterator[DictConfig]:
        """Yield configs that together contain every value of a sweep: all jobs if they are few, else one per value."""
        if math.prod(map(len, self._values)) <= _FEW:
            yield from self.jobs()
            return
        first = [values[0] for values in self._values]
        yield from self._composed([first])
        for place, values in enumerate(self._values):
            yield from self._composed([*first[:place], value, *first[place + 1 :]] for value in values[1:])

    def jobs(self) -> Iterator[DictConfig]:
        """Yield the config of every job."""
        yield from self._composed(itertools.product(*self._values))

    def _composed(self, jobs: Any) -> Iterator[DictConfig]:
        with self._composer():
            for words in jobs:
                if (config := self._compose(list(words))) is not None:
                    yield config

    def _composer(self) -> AbstractContextManager[None]:
        return initialize_config_dir(str(self._conf), job_name=self._name, version_base="1.3")

    def _compose(self, words: list[str]) -> DictConfig | None:
        """Compose a config, if need be without the one word that Hydra cannot use; None if more is wrong."""
        try:
            return self._checked(compose(self._name, [*words, *self._search_path]))
        except Exception as error:  # of Hydra, OmegaConf or the YAML parser, or a ValueError of any of them
            for word in words:
                others = [*(other for other in words if other != word), *self._search_path]
                try:
                    config = compose(self._name, others)
                except Exception:
                    continue
                rest = partial(compose, self._name, others, return_hydra_config=True)
                self._add(refusal(word, self._parsed(word), error, self._options, rest))
                return self._checked(config)
            self._add(in_one_line(error))
            return None

    def _checked(self, config: DictConfig) -> DictConfig:
        """Return the config without the key `experiment`: the YAML of an experiment sets keys of the command itself."""
        if "experiment" in config and self._options.of("experiment"):
            self._add(NO_PACKAGE)
            with open_dict(config):
                config.pop("experiment")
        return config

    def _read(self, word: str) -> list[str]:
        """Return the overrides that a word stands for, one for each value that can be composed."""
        override = self._parsed(word)
        if override is None:
            key, _, value = word.partition("=")
            problem = f"{word}: not a value that Hydra can read" if value else f"{word}: want <key>=<value>"
            if value and "'" not in value:
                problem += f"; quote a value that has spaces, = or brackets: \"{key}='{value}'\""
            self._add(problem)
            return []
        key = override.key_or_group
        if key.startswith("launcher.") and self._options.of("launcher"):
            self._add(f"{key}: want hydra.{key}")
            return []
        if not override.is_sweep_override():
            values = [word]
        elif not self.sweeps:
            names = word.partition("=")[2]
            several = f"{key}=[{names}] for all at once" if key in self._options.lists else "one value"
            self._add(f"{word}: want {several}, or -m to try them all")
            return []
        elif not override.is_discrete_sweep():  # for a sweeper that draws the values itself
            return []
        else:
            values = [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
            if not values:
                offered = self._options.of(key)
                self._add(f"{word}: gives no value" + (f"; want one of {', '.join(offered)}" if offered else ""))
        corrected = filter(None, map(self._corrected, values))
        return [self._forced(self._parser.parse_override(value)) for value in corrected]

    def _corrected(self, word: str) -> str | None:
        override = self._parser.parse_override(word)
        corrected, lines = self._options.corrected(override)
        for line in lines:
            self._add(line)
        if corrected is None:
            self.refused.add(override.key_or_group)
        return corrected

    def _parsed(self, word: str) -> Override | None:
        try:
            return self._parser.parse_overrides([word])[0]
        except HydraException:
            return None

    def _forced(self, override: Override) -> str:
        """Make an override set its key whether or not a YAML file has it; groups and Hydra's own keys stay as typed."""
        key = override.key_or_group
        free = override.type in (OverrideType.CHANGE, OverrideType.ADD) and not override.package
        if not free or key.startswith("hydra") or self._options.of(key):
            return str(override.input_line)
        return f"++{str(override.input_line).removeprefix('+')}"

    def _add_folder(self, folder: Path) -> None:
        """Offer the YAML files of a user's folder as options, too."""
        if not folder.is_dir():
            return self._add(f"--config-dir: want a folder of YAML files, got '{folder}' (no such folder)")
        self._search_path = [f"hydra.searchpath=[file://{folder.resolve()}]"]
        for path in sorted(folder.rglob("*.yaml")):
            same = path.relative_to(folder)
            if (self._conf / same).is_file() and not self._conf.samefile(folder):
                self._add(f"{path}: hms has its own {same}, which takes precedence; rename this one")
        return None

    def _add(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def _gathered(words: list[str], key: str) -> list[str]:
    names = [word for word in words if "=" not in word]
    quoted = ",".join("'" + name.replace("'", r"\'") + "'" for name in names)
    return [*(word for word in words if "=" in word), *([f"{key}=[{quoted}]"] if names else [])]
