"""Run folders: `runs/<name>-<hash>/fold{f}_seed{s}/`, one per trained fold.

The hash is that of the resolved config, so two runs share a folder only if they would train the same model on the same
data. Settings that do not change the result (paths, devices, loggers; fold and seed, which the folder's name has) are
left out; the corpus counts by its fingerprint, files of weights and a teacher's labels by content
(`hms.runs.settings`).

    config.yaml       the resolved config
    provenance.json   git commit, package versions, fingerprint of the corpus, command, digests of other files
    metrics.csv       a row per epoch
    last.ckpt         state of an unfinished training, to resume from
    model.ckpt        config and weights of the trained model
    oof.parquet       votes and predicted probabilities of the validation rows
    teacher.parquet   the same for every window of the held-out patients that another fold would learn from
    scores.json       written last: the run is finished
"""

import glob
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from hms.data.files import read_json
from hms.errors import DataError, UserError, first_line
from hms.runs.bundle import is_bundle, members, read_bundle
from hms.runs.settings import files_read, settings
from hms.runs.versions import versions
from hms.simulate.corpus import FORMAT
from hms.system.atomic import replacing
from hms.system.console import say


def run_folder(config: dict[str, Any], fingerprint: str) -> Path:
    """Return the folder of the fold that `config` describes. Raises UserError if it names weights that do not exist."""
    relevant = settings(config) | files_read(config) | {"corpus": fingerprint}
    if config["live"]:
        relevant["simulator"] = FORMAT
    text = json.dumps(relevant, sort_keys=True)
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    name = config["name"] or "+".join(config["extractor"])
    return Path(config["runs"]) / f"{name}-{digest}" / f"fold{config['fold']}_seed{config['seed']}"


def is_finished(folder: Path) -> bool:
    """Whether a fold's training has ended and everything has been written."""
    return (folder / "scores.json").is_file()


def finished_folds(run: Path) -> list[Path]:
    """Return the finished folds that a run predicts by, or a fold's own folder; for a bundle, the files of its members.

    A run predicts by its cross-validation, to which an ensemble's calibration is fitted, or if none of its folds is
    finished by fold=all. Raises DataError if nothing is finished, and for a bundle that is incomplete or changed.
    """
    if is_bundle(run):
        return members(run)
    folds = _finished(run)
    if not folds:
        raise DataError(f"{run}: no finished fold here; a run is a folder such as runs/<name>-<hash>")
    return [fold for fold in folds if not is_of_all_patients(fold)] or folds


def is_of_all_patients(fold: Path) -> bool:
    """Whether a fold's folder, or the file of a bundle's member, is that of fold=all, which holds no patients out."""
    return fold.name.startswith("foldall_")


def open_run(folder: Path, config: dict[str, Any], fingerprint: str) -> None:
    """Create a fold's folder and record what is about to be trained, on which data and with which versions."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "config.yaml") as temporary:
        temporary.write_text(OmegaConf.to_yaml(OmegaConf.create(config)))
    command = [word.removeprefix("++") for word in sys.argv]
    origin = {"corpus": fingerprint, "files": files_read(config), "command": command, **versions()}
    with replacing(folder / "provenance.json") as temporary:
        temporary.write_text(json.dumps(origin, indent=1))


def warn_of_changes(folder: Path, config: dict[str, Any], fingerprint: str) -> None:
    """Warn if a fold was trained, or started, with different versions, or on inputs that have changed since.

    The inputs are the corpus, pretrained weights and a teacher's labels.
    """
    if (folder / "provenance.json").is_file():
        then, now = provenance(folder), versions()
        old = {name: value for name, value in then.get("packages", {}).items() if value != now["packages"].get(name)}
        if then.get("commit") != now["commit"]:
            old["commit"] = then.get("commit")
        if old:
            listed = ", ".join(f"{name} {value}" for name, value in old.items())
            say(f"{folder} was made with different versions: {listed}")
    read = {"corpus": fingerprint} | files_read(config)
    for path in folder.parents[1].glob(f"{folder.parent.name.rpartition('-')[0]}-*/{folder.name}/provenance.json"):
        then = {"corpus": corpus_of(path.parent)} | files_of(path.parent)
        changed = [kind for kind in read if kind in then and read[kind] != then[kind]]
        if changed:
            other = read_config(path.parent)
            if other["data"] == config["data"] and settings(other) == settings(config):
                say(f"{path.parent} was trained before the {' and '.join(changed)} changed; {folder} is a new run")


def read_config(folder: Path) -> dict[str, Any]:
    """Return the resolved config a fold was trained with. Raises DataError for a file that is not one."""
    path = folder / "config.yaml"
    try:
        return {**OmegaConf.to_container(OmegaConf.load(path))}  # type: ignore[dict-item]
    except Exception as error:  # of OmegaConf or the YAML parser, or because it is not a mapping
        raise DataError(f"{path}: not the config of a fold ({first_line(error)})") from None


def learned_from_corpus(folder: Path) -> bool:
    """Whether a fold learned from its corpus, rather than from windows simulated on demand."""
    return not read_config(folder).get("live")


def corpus_of(folder: Path) -> str:
    """Return the fingerprint of the corpus a fold was trained on."""
    return str(provenance(folder)["corpus"])


def files_of(folder: Path) -> dict[str, str]:
    """Return the digests of what a fold learned from besides its corpus, as `settings.files_read` gave them."""
    return {**provenance(folder).get("files", {})}


def is_simulated(config: dict[str, Any]) -> bool:
    """Whether a fold of this config learned from simulated EEG, in a folder or made as it was needed."""
    return bool(config.get("live")) or str(config["data"]["_target_"]).endswith(".SimulatedFolder")


def learned_from_simulation(run: Path) -> bool | None:
    """Whether a run, a fold or a bundle learned from simulated EEG; None if it does not say."""
    try:
        if is_bundle(run):
            return read_bundle(run).get("simulated")
        return any(is_simulated(read_config(fold)) for fold in finished_folds(run))
    except (DataError, KeyError):  # model.ckpt alone is enough to predict
        return None


def corpora_of(run: Path) -> set[str]:
    """Return the fingerprints of the corpora that the folds of a run, or the members of a bundle, learned from."""
    if is_bundle(run):
        return {*read_bundle(run)["corpora"]}
    return {corpus_of(fold) for fold in finished_folds(run) if learned_from_corpus(fold)}


def scored_folds(run: Path) -> list[Path]:
    """Return the folders of the finished folds that have held-out patients."""
    return [fold for fold in finished_folds(run) if (fold / "oof.parquet").is_file()]


def named_runs(words: str | list[str], key: str) -> list[Path]:
    """Return the folders that names or patterns stand for, each once.

    A name that matches nothing is kept as it is, so that opening it reports what is wrong. Raises UserError, naming the
    `key` of the option, if there is no name at all.
    """
    each = [words] if isinstance(words, str) else words
    if not each:
        raise UserError(f"{key}: want at least one, got none")
    return [*dict.fromkeys(Path(name) for word in each for name in sorted(glob.glob(word)) or [word])]


def scored_runs(patterns: list[str]) -> list[Path]:
    """Return the runs, each once, that match the patterns and have a finished fold with held-out patients.

    Anything else that matches, as with a shell's *, is skipped, and skipped folders are named. Raises UserError for a
    pattern that matches nothing, and if no run is left.
    """
    matches = {pattern: [Path(name) for name in sorted(glob.glob(pattern))] for pattern in patterns}
    paths = [*dict.fromkeys(path for matched in matches.values() for path in matched)]
    runs = [path for path in paths if any((fold / "oof.parquet").is_file() for fold in _finished(path))]
    if empty := patterns if not runs else [pattern for pattern, matched in matches.items() if not matched]:
        raise UserError(f"runs: no finished run matches {', '.join(empty) or '[]'}")
    if skipped := [str(path) for path in paths if path.is_dir() and path not in runs]:
        say(f"skipped, as they have no finished fold with held-out patients: {', '.join(skipped)}")
    return runs


def _finished(run: Path) -> list[Path]:
    return [run] if is_finished(run) else sorted(path.parent for path in run.glob("fold*_seed*/scores.json"))


def provenance(folder: Path) -> dict[str, Any]:
    """Return the content of provenance.json: `corpus`, `files`, `command`, `commit`, `python`, `packages`."""
    return read_json(folder / "provenance.json", "corpus")
