"""Begin a training with the weights of another, as to go on from simulated EEG to real (`start_from`).

Of a run with several folds, each fold starts from that of the same number, which has not seen its held-out patients
either; of several seeds, from its own, or from the lowest if it has none.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from hms.config.build import build
from hms.config.described import word
from hms.errors import UserError
from hms.model import Model
from hms.run_folders import by_name, is_member
from hms.runs.bundle import is_bundle
from hms.runs.checkpoint import read_trained, rebuild, without_pretrained
from hms.runs.folder import want_all_folds
from hms.runs.leakage import rows_maybe_trained_on, without_table
from hms.runs.settings import start_folds
from hms.runs.trained import Trained
from hms.system.console import say, some

_SAME_NETWORK = ("pretrained", "weights", "grad_checkpointing")
"""Keys of a model's config that change neither what its weights are for nor what they read."""

_ON_COMMAND_LINE = {"extractors": "extractor", "preprocess.montage": "montage", "fusion.montage": "montage"}
"""Places in a model's config that have another name in that of a training."""

_BY_NAME = "; if these only have the same names, give them others, as by patients= of hms.collect"

_SHOWN, _LONGEST = 4, 60  # differences named in a line, and characters of a value


def start_of_fold(config: dict[str, Any]) -> Trained | None:
    """The fold of a run, or the weights in a bundle, that the fold of a config starts from; None if from neither.

    Raises UserError if a run with several folds lacks the one to start from.
    """
    if not (starts := start_folds(config)):
        return None
    chosen, path = starts[0], Path(config["start_from"])
    if starts != [path] and not is_bundle(path):
        want_all_folds([config["start_from"]], f"start_from: want a fold, such as {starts[0]}, or")
    if len(starts) > 1:
        named = by_name(starts)
        several = len({name.fold for name in named}) > 1
        same = [name for name in named if name.fold == config["fold"] or not several]
        if not same:
            wish = f"start_from: want one fold for fold={config['fold']}, such as {starts[0]}"
            raise UserError(f"{wish}, got {path}, which has {', '.join(start.stem for start in starts)}")
        chosen = named[min(same, key=lambda name: (name.seed != config["seed"], name.seed))]
    return Trained(chosen.parent if is_member(chosen) else chosen, [chosen])


def model_to_train(config: dict[str, Any]) -> Model:
    """The model of a config, with random or pretrained weights, or with those that it starts from.

    Raises UserError if these are of another network, or unusable.
    """
    if (start := start_of_fold(config)) is None:
        model: Model = build(config["model"])
        return model
    (path,) = start.folds
    model = build(without_pretrained(config["model"]))
    node, weights = read_trained(path)
    rebuild(path, node, weights)  # or raise the error of a file that cannot be used
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        wish = f"start_from: want settings of the same network as {path}"
        raise UserError(f"{wish}, got {_listed(_differences(config['model'], node))}") from None
    return model


def want_unseen(
    start: Trained, config: dict[str, Any], held_out: pl.DataFrame, everybody: pl.DataFrame, fingerprint: str
) -> None:
    """Raise UserError if the weights may have been learned from patients of the rows that the fold holds out.

    `everybody` has all rows of the corpus with this fingerprint.
    """
    if len(held_out) and (unknown := without_table(start)):
        raise UserError(f"start_from: want weights of which that is known, or fold=all, but {unknown[0]}")
    if seen := rows_maybe_trained_on([start], held_out, everybody, fingerprint, by_teacher=False):
        raise UserError(
            f"start_from: {start.folds[0]} may have learned from patients of {seen:,} of the {len(held_out):,} rows "
            f"that fold={config['fold']} holds out; want a run of this corpus with the same folds, "
            f"one on other patients, or fold=all{_BY_NAME if fingerprint not in start.corpora else ''}"
        )


def record(start: Trained, fingerprint: str) -> dict[str, Any]:
    """What provenance.json says of the weights that a fold started from, on the corpus with this fingerprint."""
    return {
        "run": start.name,
        "corpora": sorted(start.corpora),
        "simulated": start.learned_from_simulation or start.began_with_simulation,
        "student": start.is_student and fingerprint in start.corpora,
    }


def announce(start: Trained, config: dict[str, Any]) -> None:
    """Say what a fold starts from, and in which settings that fit its weights the two models differ."""
    (path,) = start.folds
    say(f"its weights begin as those of {path}")
    if differences := [*_differences(config["model"], read_trained(path)[0])]:
        say(f"start_from: these were trained with other settings: {_listed(differences)}")


def _differences(ours: Any, theirs: Any, place: str = "") -> Iterator[str]:
    """Yield the settings in which two models differ, as on a command line, each with the other's value."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.get("_target_") == theirs.get("_target_"):
        for key in dict.fromkeys([*ours, *theirs]):
            if key not in _SAME_NETWORK:
                here = f"{place}.{key}" if place else key
                yield from _differences(ours.get(key), theirs.get(key), _ON_COMMAND_LINE.get(here, here))
        if place.endswith(("extractor", "groups")) and {*ours} == {*theirs} and [*ours] != [*theirs]:
            yield f"{place} in the order {','.join(ours)} (there {','.join(theirs)})"
    elif ours != theirs:
        yield f"{place}={_short(ours)} (there {_short(theirs)})"


def _short(value: Any) -> str:
    """A value as on a command line, cut if it is long; of an object, its class."""
    text = str(value.get("_target_", "{...}")).rpartition(".")[2] if isinstance(value, dict) else word(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _listed(differences: Any) -> str:
    found = [*dict.fromkeys(differences)]
    return some(found, _SHOWN) or "weights of another version of hms"
