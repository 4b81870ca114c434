"""Predict recordings and write the timeline of each; one that cannot be used does not stop the others."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hms.errors import DataError, UserError, with_lines
from hms.prediction.inference import Compute
from hms.prediction.predictors import Predictors
from hms.recording.paths import recording_files
from hms.recording.recording import Recording, open_recording, want_channels
from hms.system.atomic import want_writable
from hms.system.console import counted, of_several, say
from hms.system.shards import Shard
from hms.timeline import overview
from hms.timeline.files import SUFFIXES, recording_of, write_failure, write_timeline
from hms.timeline.notes import of_models
from hms.timeline.options import TimelineOptions
from hms.timeline.origin import origin
from hms.timeline.page import page
from hms.timeline.predicted import pairs_of, predict_recording, windows_of
from hms.timeline.selection import drawn_windows
from hms.timeline.timeline import Timeline

_EVERY_S = 60  # to read the timelines of thousands after each would take as long as to predict them


def timelines(
    config: dict[str, Any], predictors: Predictors, options: TimelineOptions, compute: Compute, shard: Shard
) -> None:
    """Write the timeline of each recording that `config["recording"]` names to the folder `config["out"]`.

    Raises UserError, before anything is read, for a folder that cannot be written to, and DataError, at the end, naming
    the recordings that could not be used.
    """
    all_files = recording_files(config["recording"], overview.STEMS)
    files = dict(shard.part([*all_files.items()]))
    folder = Path(config["out"])
    _want_out(folder, files)
    want_channels(all_files.values(), options.reading.leads)
    if not files:
        return  # more shards than recordings
    trained = predictors.load()
    models = predictors.adapt_models(trained, windows_of(all_files.values(), trained, options), compute)
    made_by = origin(predictors, options, compute)
    for note in of_models(made_by):
        say(note)
    bad = []
    with _kept_overview(folder) as keep:
        for number, (name, path) in enumerate(files.items(), 1):
            title = f"predict {of_several(name, number, len(files))}"
            try:
                recording = open_recording(path, pairs_of(models), options.reading)
                timeline = predict_recording(recording, models, predictors.mix, options, compute, made_by, title)
                _write(folder, name, recording, timeline, config["windows"], config["edf"])
                print(f"{folder / name}.html: {timeline.extent}, by {predictors.name}", flush=True)
            except (DataError, UserError, OSError) as error:
                bad.append(str(error) if isinstance(error, DataError) else f"{path}: {error}")
                if len(all_files) > 1:  # of one alone, the name may have been a slip of the pen
                    with suppress(UserError, OSError):  # the folder cannot be written to, which is the error
                        write_failure(*_place(folder, name), path, str(error).removeprefix(f"{path}: "))
            keep()
    if len(files) > 1:
        print(f"{folder / overview.PAGE}: all recordings in one table, also as {overview.TABLE}")
    if bad:
        raise DataError(with_lines(f"{len(bad)} of {counted(len(files), 'recording')} got no timeline:", bad))


def _write(folder: Path, name: str, recording: Recording, timeline: Timeline, windows: int, edf: bool) -> None:
    """Write a timeline's files, on whose page `windows` are drawn; say the notes on the recording."""
    said = [*of_models(timeline.origin)]
    if notes := [note for note in timeline.notes if note not in said]:
        say(with_lines(f"{recording.path}:", notes))
    text = page(timeline, drawn_windows(recording, timeline, windows), name)
    write_timeline(*_place(folder, name), timeline, text, edf)


@contextmanager
def _kept_overview(folder: Path) -> Iterator[Callable[[], None]]:
    """Write the overview at the end of the block, and within it when called, but once a minute at most."""
    written_s = time.monotonic()

    def keep(every_s: float = _EVERY_S) -> None:
        nonlocal written_s
        if time.monotonic() - written_s >= every_s and folder.is_dir():
            with suppress(UserError, OSError):  # as when the disk is full, which stops no prediction
                overview.write_overview(folder)
            written_s = time.monotonic()

    try:
        yield keep
    finally:
        keep(0)


def _place(folder: Path, name: str) -> tuple[Path, str]:
    """The folder and the stem of a timeline's files."""
    return (folder / name).parent, Path(name).name


def _want_out(folder: Path, files: dict[str, Path]) -> None:
    """Raise UserError if the folder cannot be written to, or if a timeline would replace a recording or another's."""
    read = {path.resolve() for path in files.values()}
    for written in (folder / f"{name}{suffix}" for name in files for suffix in SUFFIXES):
        if written.resolve() in read:
            raise UserError(f"out: want a folder other than the recordings', got '{folder}', which holds '{written}'")
    for name, path in files.items():
        if (other := recording_of(*_place(folder, name))) and other.exists() and other.resolve() != path.resolve():
            wish = f"want a folder in which '{name}' is no other recording ('{other}')"
            raise UserError(f"out: {wish}, got '{folder}'; predict both by one command, or name another folder")
    overview.want_own(folder)
    want_writable("out", folder)
