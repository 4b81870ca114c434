"""The folders of trained models: `runs/<name>-<hash>/fold{f}_seed{s}/`.

A *run* is the outer folder, a *fold* one of those in it; `hms.run_folders` names both. Where a command takes a run, it
takes a single fold as well.

The hash is that of the resolved config, so two runs share a folder only if they would train the same model on the same
data. Settings that do not change the result (paths, devices, loggers; fold and seed, which the folder's name has) are
left out; the corpus counts by its fingerprint, files of folds and of weights, those of `start_from` and a teacher's
labels by content (`hms.runs.settings`).

    config.yaml           the resolved config
    provenance.json       git commit, package versions, digests of the code it names and of its inputs, command, options
                          chosen from groups
    metrics.csv           a row per epoch
    not_finite.json       of a training that a NaN or infinite loss has ended: the step, and the label ids of its batch
    last.ckpt             state of an unfinished training, to resume from
    pretrain/             these three of the first of two stages; until the second has ended also its result.ckpt
    model.ckpt            config and weights of the trained model
    oof.parquet           votes and predicted probabilities of the validation rows (fold=all has none)
    teacher.parquet       the same for every window of the held-out patients that another fold would learn from
    learned_from.parquet  the patients that it learned from, with all their EEGs
    scores.json           written last: the fold is finished
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from hms.errors import DataError, UserError
from hms.run_folders import FoldName, RunName, finished_folds, folds_with, grid, is_finished, number_of, to_predict_by
from hms.runs.bundle import is_bundle, members
from hms.runs.provenance import read_config
from hms.runs.settings import files_read, settings
from hms.simulate.corpus import FORMAT
from hms.system.console import counted


def fold_folder(config: dict[str, Any], fingerprint: str) -> Path:
    """The folder of the fold that `config` describes. Raises UserError if it names weights that do not exist."""
    relevant = settings(config) | files_read(config) | {"corpus": fingerprint}
    if config["live"]:
        relevant["simulator"] = FORMAT
    # The order of most mappings means nothing; but augmentations are applied, extractors initialised and pairs stacked
    # in the order given.
    relevant |= {
        f"{group} order": [*config[group]] for group in ("augmentation", "extractor") if len(config[group]) > 1
    }
    pairs = [*config.get("montage", {}).get("groups", ())]
    if pairs != sorted(pairs):  # the text below sorts them
        relevant["montage order"] = pairs
    text = json.dumps(relevant, sort_keys=True)
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    run = RunName(config["name"] or "+".join(config["extractor"]), digest)
    return Path(config["runs"]) / str(run) / str(FoldName(config["fold"], config["seed"]))


def folds_to_predict_by(run: Path) -> list[Path]:
    """The finished folds that a run predicts by, or a fold's own folder; for a bundle, the files of its members.

    A run predicts by its cross-validation, to which an ensemble's calibration is fitted, or if none of its folds is
    finished by fold=all. Raises DataError if nothing is finished, and for a bundle that is incomplete or changed.
    """
    if is_bundle(run):
        return members(run)
    folds = finished_folds(run)
    if not folds:
        instead = f", only {begun}" if (begun := unfinished(run)) else "; a run is a folder such as runs/<name>-<hash>"
        if any((run / f"{part}.csv").is_file() for part in ("train", "test")):
            from hms.config.words import for_shell  # imports Hydra's grammar

            instead = f"; it is a corpus, which data=competition {for_shell('data.root', str(run))} names"
        raise DataError(f"{run}: {'no finished fold here' if run.exists() else 'no such folder'}{instead}")
    return to_predict_by(folds)


def unfinished(run: Path) -> str:
    """How far the unfinished folds of a run have got, in words; empty if there are none."""
    begun = [run] if (run / "config.yaml").is_file() else folds_with(run, "config.yaml")
    return ", ".join(f"{fold.name} after {_epochs(fold)}" for fold in begun if not is_finished(fold))


def _epochs(fold: Path) -> str:
    """How many epochs of all stages an unfinished fold has behind it, and of how many if that can be read."""
    stages = ("pretrain/metrics.csv", "metrics.csv")
    done = sum(max(0, (fold / file).read_bytes().count(b"\n") - 1) for file in stages if (fold / file).is_file())
    with suppress(DataError):
        config = read_config(fold)
        wanted: list[Any] = [stage.get("epochs") for stage in (config.get("pretrain"), config) if stage]
        if all(isinstance(epochs, int) for epochs in wanted):
            return f"{done} of {counted(sum(wanted), 'epoch')}"
    return counted(done, "epoch")


def folds_of_all_patients(run: Path) -> list[Path]:
    """The finished trainings of a run with fold=all, one for each seed. Raises UserError if there is none."""
    if of_all := [] if is_bundle(run) else [fold for fold in finished_folds(run) if number_of(fold) == "all"]:
        return of_all
    raise UserError(f"fold: want runs that were also trained with fold=all, got {run}, which was not")


def folds_with_held_out(run: Path) -> list[Path]:
    """The folders of the finished folds that have held-out patients."""
    return [fold for fold in folds_to_predict_by(run) if (fold / "oof.parquet").is_file()]


def want_all_folds(runs: list[str], wish: str) -> None:
    """Raise UserError unless each run has finished all folds of each seed it has started, apart from fold=all.

    Else what a training learns from them would depend on when it started. The error begins with `wish`.
    """
    for run in map(Path, runs):
        if not (started := folds_with(run, "config.yaml")):
            continue
        config = read_config(started[0])
        folds = 1 if config.get("live") else config["folds"]
        needed = map(str, grid(started, range(folds)))
        if missing := [name for name in needed if not is_finished(run / name)]:
            raise UserError(
                f"{wish} runs with all of their {folds} folds finished, got {run}, which lacks {', '.join(missing)}"
            )
