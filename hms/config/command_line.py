"""Turn the words of a command line into the configs of its jobs.

Hydra stops at the first mistake, and wants a `+` before a key that no YAML file has. Here signatures define which keys
exist (see `check`), so no key needs a `+`, and the mistakes of all jobs of a sweep are reported before any job starts.
"""

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from hms.config.composer import Composed, Composer, mistakes_in_folder
from hms.config.words import at_home, corrected, gathered, last_of_each, not_readable
from hms.errors import did_you_mean

_FEW = 16
"""A sweep of at most so many jobs has all of them composed before the first starts, at 0.05 s each."""


class CommandLine:
    """The words after the command `name`, whose YAML files are in the folder `conf`.

    Words that set no key, such as those into which a shell expands `runs/*`, become the list `positional`.
    """

    def __init__(self, name: str, conf: Path, words: Sequence[str], positional: str | None = None):
        parser, self._conf = get_args_parser(), conf
        self._given, unknown = parser.parse_known_intermixed_args(words)
        typed = [*map(at_home, self._given.overrides)]
        self._flags = [word for word in words if word not in self._given.overrides]
        self.sweeps: bool = self._given.multirun
        self.refused: set[str] = set()  # groups whose option is unknown, so that the configs have the default instead
        self.lost: set[str] = set()  # keys of words that no config has, because they say nothing
        self._to_draw: dict[str, str] = {}  # by keys whose values a sweeper is to draw: what to say if none does
        search_path = [word for word in typed if word.startswith("hydra.searchpath=")]
        folder = Path(self._given.config_dir) if self._given.config_dir else None
        if folder and folder.is_dir():
            search_path.append(f"hydra.searchpath=[file://{folder.resolve()}]")
        self._composer = Composer(self._given.config_name or name, conf, search_path)
        self.keys = {*self._composer.keys, "launcher"}
        """Keys of the command's YAML file, its groups included, and the one group that all commands share."""
        own = gathered(typed, positional, self.keys) if positional else typed
        self._words, repeated = last_of_each(own, self._composer)
        self._unread = mistakes_in_folder(folder, conf) if folder else []  # a line for what is no part of the jobs
        if self.sweeps and self._given.cfg:
            self._unread.append("--cfg: want it without -m, as it shows one job")
        flags = re.findall(r"--[\w-]+", parser.format_usage())
        for flag in unknown:
            key = flag.strip("-").partition("=")[0]
            near = f"; want {key}=<value>" if key in self._composer.keys else did_you_mean(flag, flags)
            self._unread.append(f"{flag}: no such flag{near}")
        self._unread += repeated
        self._values = [values for word in self._words if (values := self._read(word))]

    @property
    def problems(self) -> list[str]:
        """A line for each mistake that kept a word out of the configs composed so far; the rest is in them."""
        return [*dict.fromkeys([*self._unread, *self._composer.problems])]

    @property
    def runs(self) -> bool:
        """Whether the command runs jobs, rather than only showing something."""
        shows = ("help", "hydra_help", "cfg", "info", "shell_completion", "experimental_rerun", "config_path")
        return not any(getattr(self._given, name) for name in shows)

    @property
    def shows_values(self) -> bool:
        """Whether the command only prints the values of a job."""
        return self._given.cfg in ("job", "all")

    @property
    def runs_here(self) -> bool:
        """Whether the command runs its jobs on this machine, judged by the configs composed so far."""
        return self.runs and (not self.sweeps or self._composer.launchers <= {"basic", "joblib"})

    @property
    def helps(self) -> bool:
        """Whether the command only explains itself."""
        return bool(self._given.help)

    @property
    def groups(self) -> dict[str, list[str]]:
        """The options of each group of the command."""
        names = (group for group in self._composer.groups if group in self.keys)
        return {group: self._composer.options(group) for group in names}

    @property
    def several(self) -> set[str]:
        """The groups from which several options may be chosen."""
        return {*self._composer.lists}

    @property
    def folders(self) -> list[Path]:
        """The folders of YAML files: ours, and a user's own."""
        return [self._conf, *([Path(self._given.config_dir)] if self._given.config_dir else [])]

    @property
    def completes(self) -> bool:
        """Whether a shell asks for the completions of a word."""
        return bool(self._given.shell_completion)

    @property
    def for_hydra(self) -> list[str]:
        """The same words in a form in which Hydra accepts any key, in any order."""
        return [*self._flags, *(self._words if self.completes else map(self._forced, self._words))]

    @property
    def samples_are_all_jobs(self) -> bool:
        """Whether jobs are so few that `samples` has them all."""
        return math.prod(map(len, self._values)) <= _FEW

    def samples(self) -> Iterator[Composed]:
        """Yield jobs that together contain every value of a sweep: all if they are few, else one per value.

        Each comes with the overrides in which jobs differ.
        """
        if self.samples_are_all_jobs:
            return self.jobs()
        first = [values[0] for values in self._values]
        others = (
            [*first[:place], value, *first[place + 1 :]]
            for place, values in enumerate(self._values)
            for value in values[1:]
        )
        return self._composed(itertools.chain([first], others))

    def jobs(self) -> Iterator[Composed]:
        """Yield every job with the overrides in which jobs differ."""
        return self._composed(itertools.product(*self._values))

    def config(self, overrides: Sequence[str]) -> DictConfig | None:
        """The config that the overrides of a job make, which its sweeper may have chosen; None if they make none."""
        problems = [*self._composer.problems]
        job = next(self._composer.configs([overrides]), None)
        return job.config if job and self._composer.problems == problems else None

    def chooses(self, word: str) -> bool:
        """Whether an override chooses an option of a group."""
        return bool(self._composer.options(word.partition("=")[0]))

    def _composed(self, jobs: Iterable[Sequence[str]]) -> Iterator[Composed]:
        for job in self._composer.configs(jobs):
            if not self._composer.draws:
                self._unread += self._to_draw.values()
                self.lost |= self._to_draw.keys()
            swept = (word for word, values in zip(job.words, self._values, strict=True) if len(values) > 1)
            yield job._replace(words=[word.lstrip("+") for word in swept])

    def _read(self, word: str) -> list[str]:
        """The overrides that a word stands for, one for each value that can be composed."""
        override = self._composer.parsed(word)
        if override is None:
            self._unread.append(not_readable(word, self._composer))
            self.lost.add(word.partition("=")[0].lstrip("+~"))
            return []
        key = override.key_or_group
        if key.startswith("launcher.") and self._composer.options("launcher"):
            self._unread.append(f"{key}: want hydra.{key}")
            return []
        values = self._swept(word, override) if override.is_sweep_override() else [word]
        pairs = [corrected(value, self._composer) for value in filter(None, map(self._composer.parsed, values))]
        self._unread += [line for _, lines in pairs for line in lines]
        if any(value is None for value, _ in pairs):
            self.refused.add(key)
        return [self._forced(value) for value, _ in pairs if value is not None]

    def _swept(self, word: str, override: Override) -> list[str]:
        """An override for each value of a sweep; none, and what is wrong is noted, if it cannot be listed."""
        key, wish = override.key_or_group, ""
        if not self.sweeps:
            names = word.partition("=")[2]
            several = f"{key}=[{names}] for all at once" if key in self._composer.lists else "one value"
            wish = f"want {several}, or -m to try them all"
        elif not override.is_discrete_sweep():  # for a sweeper that draws the values itself
            if self._composer.options("hydra/sweeper") == ["basic", "hms"]:
                wish = "want listed values, or a sweeper that draws them: pip install hydra-optuna-sweeper"
            else:
                self._to_draw[key] = f"{word}: want hydra/sweeper=..., as the default sweeper only tries listed values"
        else:
            try:
                if values := [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]:
                    return values
                offered = ", ".join(self._composer.options(key))
                wish = "gives no value" + (f"; want one of {offered}" if offered else "")
            except OmegaConfBaseException:  # range(0,3) within a list of values
                wish = "want values, or one function such as range(0,3), got both"
        if wish:
            self._unread.append(f"{word}: {wish}")
            self.lost.add(key)
        return []

    def _forced(self, word: str) -> str:
        """Make a word set its key whether or not a YAML file has it; groups and Hydra's own keys stay as typed."""
        override = self._composer.parsed(word)
        if override is None or override.package or override.type not in (OverrideType.CHANGE, OverrideType.ADD):
            return word
        if override.key_or_group.startswith("hydra") or self._composer.options(override.key_or_group):
            return word
        return f"++{word.removeprefix('+')}"
