"""The options that a command's groups offer, and what to report about a word that chooses something else."""

from functools import cache
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from hms.errors import did_you_mean, nearest_word


class Options:
    """The groups of the command `name`, whose YAML file is in the folder `conf`, as Hydra finds them.

    `search_path` holds the overrides that add further folders to Hydra's search path.
    """

    def __init__(self, name: str, conf: Path, search_path: list[str]):
        self._name, self._search_path = name, search_path
        with initialize_config_dir(str(conf), job_name=name, version_base="1.3"):
            self._loader = GlobalHydra.instance().config_loader()
        self._parser = OverridesParser.create(self._loader)
        yaml = conf / f"{name}.yaml"
        values: Any = OmegaConf.load(yaml) if yaml.is_file() else {}
        chosen = [entry for entry in values.get("defaults", []) if OmegaConf.is_dict(entry)]
        self.lists = {
            group: group in values for entry in chosen for group, value in entry.items() if OmegaConf.is_list(value)
        }
        """Groups from which several options may be chosen, and for each whether it may be left empty."""
        self.keys = {*values, *(key for entry in chosen for key in entry)}
        """Keys of the command's YAML file, its groups included."""

    @cache  # noqa: B019 -- one instance per process
    def of(self, group: str) -> list[str]:
        """The names of a group's options; an empty list if there is no such group."""
        return sorted(self._loader.get_group_options(group, config_name=self._name, overrides=self._search_path))

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

    def chosen(self, word: str) -> tuple[str, list[str]]:
        """The group in which a word chooses options, and the names of those that exist; without a group, ""."""
        override = self.parsed(word)
        if override is None or override.is_delete() or not (offered := self.of(override.key_or_group)):
            return "", []
        value = override.value()
        names = map(str, value) if isinstance(value, list) else [_name(value)]
        return override.key_or_group, [name for name in names if name in offered]

    def corrected(self, word: str) -> tuple[str | None, list[str]]:
        """Replace each option that does not exist with the nearest one, so that the rest can be checked.

        Returns the corrected word, or None if no option is near, and a line about each option that was wrong.
        """
        override = self._parser.parse_override(word)
        group, value = override.key_or_group, override.value()
        offered, may_be_empty = self.of(group), self.lists.get(group, False)
        if not offered or override.is_delete() or (value == [] and may_be_empty):
            return word, []
        if value == [] or (may_be_empty and value in (None, "", "none", {})):
            return None, [f"{group}: {self.advice_on_none(group)}"]
        choices = [str(choice) for choice in value] if isinstance(value, list) else [_name(value)]
        wrong = dict.fromkeys(choice for choice in choices if "/" not in choice and choice not in offered)
        if not wrong:
            return word, []
        wish = f"{group}: want one of {', '.join(offered)}, got"
        lines = [f"{wish} '{choice}'{did_you_mean(choice, offered)}" for choice in wrong]
        names = [nearest_word(choice, offered) if choice in wrong else choice for choice in choices]
        if None in names:
            return None, lines
        joined = ",".join(filter(None, names))
        return f"{override.get_key_element()}={f'[{joined}]' if isinstance(value, list) else joined}", lines

    def advice_on_none(self, group: str) -> str:
        """Say how to choose no option of a group, or that at least one is needed."""
        return (
            f"want {group}=[] for none"
            if self.lists.get(group)
            else f"want at least one of {', '.join(self.of(group))}"
        )


def _name(value: object) -> str:
    return "null" if value is None else str(value)
