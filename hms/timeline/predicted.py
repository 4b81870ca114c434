"""Predict a recording from its first window to its last, with models that all read the same windows."""

from collections.abc import Callable, Collection, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float

from hms.batch import Batch, mapped
from hms.errors import DataError, UserError
from hms.labels import CLASSES
from hms.model import Model
from hms.prediction.inference import Compute, by_model
from hms.recording.recording import Recording, open_recording
from hms.recording.windows import Piece, count_windows, pieces
from hms.spectrogram_recipe import REGIONS
from hms.system.console import of_several, track
from hms.timeline.notes import notes
from hms.timeline.options import TimelineOptions
from hms.timeline.timeline import Timeline
from hms.window_lengths import CENTRE_S

Mix = Callable[[Float[np.ndarray, "model row class"]], Float[np.ndarray, "row class"]]
"""Combine the predictions of all models into one."""


def pairs_of(models: Sequence[Model]) -> Collection[tuple[str, str]]:
    """The pairs of electrodes that any of the models subtracts, in its montage or in the spectrogram that it reads."""
    names = [pair for model in models for pair in model.preprocess.montage.pairs]
    if any(model.reads_spectrogram for model in models):
        names += [pair for chain in REGIONS.values() for pair in chain]
    pairs = (name.partition("-") for name in names)
    return dict.fromkeys((one, other) for one, _, other in pairs)


def windows_of(paths: Collection[Path], models: Sequence[Model], options: TimelineOptions) -> Iterator[Batch]:
    """Yield the sufficiently recorded windows of several recordings, skipping recordings that cannot be read.

    Raises UserError, at the end, if fewer than two recordings yielded any.
    """
    reads = any(model.reads_spectrogram for model in models)
    used = set()
    for number, path in enumerate(paths, 1):
        title = f"adapt to {of_several(path.name, number, len(paths))}"
        try:
            recording = open_recording(path, pairs_of(models), options.reading)
            for piece in _tracked(recording, options.step_s, reads, title):
                for batch in piece.batches(options.batch_size):
                    known = torch.from_numpy(piece.recorded)[batch.label_id - piece.first]
                    if known.any():
                        used.add(path)
                        yield mapped(batch, itemgetter(known))
        except (DataError, UserError, OSError):
            continue  # reported when its own timeline is made
    if len(used) < 2:
        raise UserError(
            f"adapt: want recordings of several patients, got {len(used) or 'none'} that can be read; adapting to one "
            "would remove that patient's own pattern (adapt=0 turns it off)"
        )


def predict_recording(
    recording: Recording,
    models: Sequence[Model],
    mix: Mix,
    options: TimelineOptions,
    compute: Compute,
    origin: dict[str, Any],
    title: str = "predict",
) -> Timeline:
    """Predict a recording; `origin` says by what (`hms.timeline.origin`), and `title` is the progress bar's.

    It is read once, in pieces; only the spectrogram is kept in memory for the whole length, 70 MB a day.
    """
    reads = any(model.reads_spectrogram for model in models)
    onsets_s, recorded_s, probabilities, spectrogram = [], [], [], []
    for piece in _tracked(recording, options.step_s, reads, title):
        mixed = np.full((len(piece.onsets_s), len(CLASSES)), np.nan)  # NaN where too little was recorded
        if piece.recorded.any():
            _, by_fold = by_model(models, piece.batches(options.batch_size), compute)
            mixed = np.where(piece.recorded[:, None], mix(by_fold), np.nan)
        onsets_s.append(piece.onsets_s)
        recorded_s.append(piece.recorded_s())
        probabilities.append(mixed)
        spectrogram.append(piece.spectrogram)
    onset_s = np.concatenate(onsets_s)
    columns = {
        "onset_s": onset_s.astype(float),
        "duration_s": np.minimum(CENTRE_S, recording.duration_s - onset_s),
        **dict(zip(CLASSES, np.concatenate(probabilities).T, strict=True)),
    }
    timeline = Timeline(
        path=recording.path,
        start=recording.source.start,
        duration_s=recording.duration_s,
        sfreq_hz=recording.source.sfreq_hz,
        table=pl.DataFrame(columns).with_columns(pl.col(CLASSES).fill_nan(None)),
        spectrogram=np.concatenate(spectrogram, axis=1),
        threshold=options.threshold,
        interpolated=recording.interpolated_so_far(),
        notes=recording.notes_so_far(),
        annotations=recording.source.annotations,
        origin=origin,
        stretches=recording.source.stretches,
    )
    return timeline._replace(notes=[*notes(timeline, np.concatenate(recorded_s)), *timeline.notes])


def _tracked(recording: Recording, step_s: float, with_spectrogram: bool, title: str) -> Iterator[Piece]:
    """The pieces of a recording, while it is shown how many of its windows are done."""
    found = pieces(recording, step_s, with_spectrogram)
    return track(found, count_windows(recording, step_s), title, "window", lambda piece: len(piece.onsets_s))
