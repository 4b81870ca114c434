"""`python -m hms.predict`: make a submission for the test part of a folder, or a timeline of any recording.

A model predicts, or the mean of several, or an ensemble. No training data, network or account is needed: the model.ckpt
of each fold is enough.
"""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hms.config.build import build
from hms.config.command import entry_point
from hms.config.keys import Node
from hms.errors import DataError, UserError
from hms.prediction.keys import COMBINATION_KEYS, Predicting
from hms.system.shards import Shard, Sharded, merged, shard_of

if TYPE_CHECKING:
    from hms.model import Model
    from hms.prediction.predictors import Predictors


class Predict(Sharded, Predicting):
    """The keys of conf/predict.yaml; their values live there."""

    model: str | list[str] | None
    data: Node
    recording: str | list[str] | None
    out: str | None
    on_bad: Literal["raise", "skip"]
    step_s: float
    threshold: float
    unit: Literal["nV", "uV", "µV", "mV", "V"] | None
    channels: dict[str, str] | None
    windows: int
    edf: bool


def predict(config: dict[str, Any]) -> None:
    """Predict the recordings that `config["recording"]` names, or else every EEG of test.csv."""
    from hms.prediction.predictors import read_predictors  # slow to import; mistakes in the config should surface first
    from hms.recording.channels import by_name

    config = config | {"channels": by_name(config["channels"])}
    _want_ranges(config)
    shard = shard_of(config)
    predictors = read_predictors("model", config["model"], **{key: config[key] for key in COMBINATION_KEYS})
    job = _submission if config["recording"] is None else _timelines
    job(config, predictors, shard)


def _submission(config: dict[str, Any], predictors: "Predictors", shard: Shard) -> None:
    """Write the submission to `config["out"]`, or a shard of it."""
    import polars as pl

    from hms.data.stream import reading_order
    from hms.data.tables import read_test
    from hms.prediction.submission import predict_rows, required_eegs, without_gaps, write_submission
    from hms.system.console import counted

    how = _how(config)
    folder = build(config["data"])
    folder.make()
    rows = reading_order(read_test(folder.root / "test.csv"))
    required_eegs(folder.root)  # a mistake there should surface before the predictions are made
    out, size = Path(config["out"] or "submission.csv"), config["batch_size"]

    def make(into: Path) -> None:
        firsts = shard.part(range(0, len(rows), size))  # whole batches, for the same bits as without shards
        own = pl.concat([rows[:0], *(rows[first : first + size] for first in firsts)])
        checked = rows if predictors.adapt else own  # all shards adapt to the same windows
        table = predict_rows(predictors, folder.root, own, checked, size, skip_bad=config["on_bad"] == "skip", **how)
        table.write_parquet(into / "predicted.parquet")

    def merge(parts: list[Path]) -> None:
        table = pl.concat(pl.read_parquet(part / "predicted.parquet") for part in parts)
        write_submission(out, folder.root, without_gaps(table))

    parts = out.with_name(f"{out.name}.{_digest(config, predictors, folder.root)}")
    if merged(shard, parts, lambda: False, make, merge):  # an existing file may come from another model
        print(f"{out}: {counted(len(rows), 'row')}, by {predictors.name}")


def _timelines(config: dict[str, Any], predictors: "Predictors", shard: Shard) -> None:
    """Write the timeline of each recording to the folder `config["out"]`; bad recordings do not stop the others."""
    from hms.recording.found import recording_files
    from hms.recording.mapping import want_channels
    from hms.system.console import counted
    from hms.timeline.origin import origin
    from hms.timeline.predicted import windows_of

    all_files = recording_files(config["recording"])
    files = dict(shard.part([*all_files.items()]))
    folder = Path(config["out"] or "timelines")
    _want_out(folder, files)
    want_channels(all_files.values(), config["channels"])
    if not files:
        return  # more shards than recordings
    how = _how(config)
    trained = predictors.load()
    options = {key: config[key] for key in ("unit", "channels", "step_s", "batch_size")}
    models = predictors.adapted(trained, lambda: windows_of(all_files.values(), trained, **options), **how)
    kept = ("ensemble", "step_s", "threshold", "unit", "channels", "odds", "flips", "precision")
    how["origin"] = origin(predictors, **{key: config[key] for key in kept})
    bad = []
    for name, path in files.items():
        try:
            _timeline(config, folder / name, path, models, predictors, how)
        except (DataError, UserError, OSError) as error:
            bad.append(str(error) if isinstance(error, DataError) else f"{path}: {error}")
    if bad:
        raise DataError("\n  ".join([f"{len(bad)} of {counted(len(files), 'recording')} got no timeline:", *bad]))


def _timeline(
    config: dict[str, Any], out: Path, path: Path, models: "list[Model]", predictors: "Predictors", how: dict[str, Any]
) -> None:
    from hms.recording.recording import open_recording
    from hms.system.console import say
    from hms.timeline.drawn import drawn_windows
    from hms.timeline.files import write_timeline
    from hms.timeline.page import page
    from hms.timeline.predicted import pairs_of, predicted
    from hms.timeline.timeline import extent

    recording = open_recording(path, pairs_of(models), config["unit"], config["channels"])
    options = {key: config[key] for key in ("step_s", "batch_size", "threshold")}
    timeline = predicted(recording, models, predictors.mix, **options, **how)
    if timeline.notes:
        say("\n  ".join([f"{path}:", *timeline.notes]))
    text = page(timeline, drawn_windows(recording, timeline, config["windows"]))
    write_timeline(out.parent, out.name, timeline, text, config["edf"])
    print(f"{out}.html: {extent(timeline)}, by {predictors.name}")


def _how(config: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments that say how models compute."""
    from hms.prediction.inference import best_device

    return {"device": best_device(config["accelerator"]), "flips": config["flips"], "precision": config["precision"]}


def _want_out(folder: Path, files: dict[str, Path]) -> None:
    """Raise UserError if the folder cannot be written to, or if a timeline would replace a recording."""
    from tempfile import TemporaryFile

    from hms.timeline.files import SUFFIXES

    read = {path.resolve() for path in files.values()}
    for written in (folder / f"{name}{suffix}" for name in files for suffix in SUFFIXES):
        if written.resolve() in read:
            raise UserError(f"out: want a folder other than the recordings', got '{folder}', which holds '{written}'")
    try:
        with TemporaryFile(dir=next(path for path in (folder, *folder.parents) if path.exists())):
            pass
    except OSError as error:
        raise UserError(f"out: cannot write to '{folder}' ({error.strerror})") from None


def _digest(config: dict[str, Any], predictors: "Predictors", root: Path) -> str:
    """Hash all that determines a submission, so that shards of different ones never mix: settings, weights, files."""
    settings = {key: value for key, value in config.items() if key not in ("shard", "out", "accelerator")}
    read = [fold if fold.is_file() else fold / "model.ckpt" for folds in predictors.folds.values() for fold in folds]
    read.append(root / "test.csv")
    read += [path for part in ("test_eegs", "test_spectrograms") for path in sorted((root / part).glob("*.parquet"))]
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in read if path.is_file()]
    text = json.dumps([settings, predictors.mixture.as_json(), files], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _want_ranges(config: dict[str, Any]) -> None:
    from hms.timeline.options import want_options

    want_options(**{key: config[key] for key in ("step_s", "threshold", "unit", "channels", "batch_size")})
    if config["windows"] < 0:
        raise UserError(f"windows: want at least 0, got {config['windows']}")


@entry_point("predict", Predict, positional="model")
def main(config: dict[str, Any]) -> None:
    """Write the submission, or the timelines."""
    predict(config)


if __name__ == "__main__":
    main()
