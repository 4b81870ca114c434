"""What the groups of a command offer, and what to say of a word that chooses something else."""

from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from hms.errors import did_you_mean, nearest_word


class Options:
    """The groups of the command `name`, whose YAML is in the folder `conf`, as Hydra's `loader` finds them.

    `places` are words that tell Hydra of further folders.
    """

    def __init__(self, loader: Any, conf: Path, name: str, places: list[str]):
        self._loader, self.name, self._places = loader, name, places
        yaml = conf / f"{name}.yaml"
        values: Any = OmegaConf.load(yaml) if yaml.is_file() else {}
        chosen = [entry for entry in values.get("defaults", []) if OmegaConf.is_dict(entry)]
        self.lists = {
            group: group in values for entry in chosen for group, value in entry.items() if OmegaConf.is_list(value)
        }
        """Groups of which several options may be chosen, and whether none may be."""
        self.keys = {*values, *(key for entry in chosen for key in entry)}
        """Of the command's YAML, its groups included."""

    @cache  # noqa: B019 -- one instance per process
    def of(self, group: str) -> list[str]:
        """The names of a group's options; none of what is no group."""
        return sorted(self._loader.get_group_options(group, config_name=self.name, overrides=self._places))

    @property
    def groups(self) -> list[str]:
        """The names of all groups, those within others aside."""
        found: list[str] = self._loader.list_groups("")
        return found

    def mended(self, override: Override) -> tuple[str | None, list[str]]:
        """The override with each option that does not exist replaced by the nearest, so that the rest of a command line
        can be checked, or None where none is near; and a line for each such option."""
        group, value, word = override.key_or_group, override.value(), str(override.input_line)
        offered = self.of(group)
        if not offered or override.is_delete():
            return word, []
        if value == [] and self.lists.get(group):
            return word, []
        if value == [] or (value in (None, "", "none", {}) and self.lists.get(group)):
            return None, [f"{group}: {self.none_of(group)}"]
        choices = [str(choice) for choice in value] if isinstance(value, list) else [_name(value)]
        near = {one: nearest_word(one, offered) for one in choices if "/" not in one and one not in offered}
        wish = f"{group}: want one of {', '.join(offered)}, got"
        lines = [f"{wish} '{one}'{did_you_mean(one, offered)}" for one in near]
        right_ones = [name for one in choices if (name := near.get(one, one))]
        if not lines or len(right_ones) < len(choices):
            return (None if lines else word), lines
        mended = ",".join(right_ones)
        return f"{override.get_key_element()}={f'[{mended}]' if isinstance(value, list) else mended}", lines

    def none_of(self, group: str) -> str:
        """What to say to who wants none of the options of a group."""
        return (
            f"want {group}=[] for none"
            if self.lists.get(group)
            else f"want at least one of {', '.join(self.of(group))}"
        )


def _name(value: object) -> str:
    return "null" if value is None else str(value)
