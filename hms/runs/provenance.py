"""What a fold was trained from, as its config.yaml and provenance.json record it."""

import glob
import json
import sys
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from hms.config.build import is_of
from hms.errors import ConfigError, DataError, first_line
from hms.run_folders import RunName
from hms.runs.settings import files_read, settings, teachers
from hms.runs.versions import differing, versions
from hms.system.atomic import write_text
from hms.system.console import say
from hms.system.reading import read_json


def open_fold(fold: Path, config: dict[str, Any], fingerprint: str, start: dict[str, Any] | None = None) -> None:
    """Create a fold's folder and record what is about to be trained, on which data and with which versions.

    `start` is what `hms.runs.start.record` says of the weights that training begins with, if it says anything.
    """
    fold.mkdir(parents=True, exist_ok=True)
    values = {key: value for key, value in config.items() if key != "choices"}
    write_text(fold / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(values)))
    command = [word.removeprefix("++") for word in sys.argv]
    origin = {"corpus": fingerprint, "files": files_read(config), "command": command}
    origin |= {"choices": config.get("choices", {}), **versions(config)}
    origin |= {"start": start} if start else {}
    write_text(fold / "provenance.json", json.dumps(origin, indent=1))


def read_config(fold: Path) -> dict[str, Any]:
    """The resolved config a fold was trained with. Raises DataError for a file that is not one."""
    path = fold / "config.yaml"
    try:
        return {**OmegaConf.to_container(OmegaConf.load(path))}  # type: ignore[dict-item]
    except Exception as error:  # of OmegaConf or the YAML parser, or because it is not a mapping
        raise DataError(f"{path}: not the config of a fold ({first_line(error)})") from None


def provenance(fold: Path) -> dict[str, Any]:
    """The content of provenance.json: `corpus`, `files`, `command`, `choices`, `versions`, and any `start`."""
    return read_json(fold / "provenance.json", "corpus")


def corpus_of(fold: Path) -> str:
    """The fingerprint of the corpus a fold was trained on."""
    return str(provenance(fold)["corpus"])


def files_of(fold: Path) -> dict[str, str]:
    """The digests of what a fold learned from besides its corpus, as `settings.files_read` gave them."""
    return {**provenance(fold).get("files", {})}


def warn_of_changes(fold: Path, config: dict[str, Any], fingerprint: str) -> None:
    """Warn if a fold was trained, or started, with different versions, or on inputs that have changed since.

    The inputs are the corpus, and the files that `files_read` names.
    """
    if (fold / "provenance.json").is_file() and (old := differing(provenance(fold), versions(config))):
        say(f"{fold} was made with different versions: {', '.join(old)}")
    read = {"corpus": fingerprint} | files_read(config)
    run = RunName.parse(fold.parent.name)
    namesakes = fold.parents[1].glob(f"{glob.escape(run.name)}-*/{fold.name}/provenance.json") if run else ()
    for path in namesakes:
        then = {"corpus": corpus_of(path.parent)} | files_of(path.parent)
        changed = [kind for kind in read if kind in then and read[kind] != then[kind]]
        if changed:
            other = read_config(path.parent)
            places = all(other.get(key) == config.get(key) for key in ("data", "folds_from", "start_from"))
            if places and teachers(other) == teachers(config) and settings(other) == settings(config):
                say(f"{path.parent} was trained before the {' and '.join(changed)} changed; {fold} is a new run")


def is_simulated(config: dict[str, Any]) -> bool:
    """Whether a fold of this config learned from simulated EEG, in a folder or made as it was needed."""
    from hms.simulate.corpus import SimulatedFolder  # slow to import

    if config.get("live"):
        return True
    if (root := config["data"].get("root")) and (Path(root) / "corpus.json").is_file():
        return True
    try:
        return is_of(config["data"], SimulatedFolder)
    except ConfigError:  # a class of somebody's own that is not here, where the model only predicts
        return False
