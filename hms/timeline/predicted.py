"""A recording, from its first window to its last, by models that share its windows."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from hms.batch import Batch, mapped
from hms.console import track
from hms.ensemble.choices import Precision
from hms.errors import DataError, UserError
from hms.inference import by_model
from hms.labels import CLASSES
from hms.model import Model
from hms.recording.recording import Recording, open_recording
from hms.recording.windows import count_stretches, stretches
from hms.spectrogram_recipe import REGIONS
from hms.timeline.timeline import Timeline, timeline_of

Mix = Callable[[Float[np.ndarray, "model row label"]], Float[np.ndarray, "row label"]]
"""One prediction from those of all models."""


def pairs_of(models: Sequence[Model]) -> Collection[tuple[str, str]]:
    """The pairs of electrodes that any of the models subtracts, itself or in the spectrogram that it reads."""
    names = [pair for model in models for pair in model.preprocess.montage.pairs]
    if any(model.reads_spectrogram for model in models):
        names += [pair for chain in REGIONS.values() for pair in chain]
    pairs = (name.partition("-") for name in names)
    return dict.fromkeys((one, other) for one, _, other in pairs)


def windows_of(
    paths: Iterable[Path], models: Sequence[Model], unit: str | None, step_s: float, batch_size: int
) -> Iterator[Batch]:
    """The windows of several recordings of which enough was recorded; those that cannot be read are left out.

    Raises UserError, at the end, where fewer than two recordings gave any.
    """
    reads = any(model.reads_spectrogram for model in models)
    given = set()
    for path in paths:
        try:
            recording = open_recording(path, pairs_of(models), unit)
            pieces = stretches(recording, step_s, reads)
            for piece in track(pieces, count_stretches(recording, step_s), f"adapt to {path.name}"):
                for batch in piece.batches(batch_size):
                    known = torch.from_numpy(piece.recorded)[batch.label_id - piece.first]
                    if known.any():
                        given.add(path)
                        yield mapped(batch, itemgetter(known))
        except (DataError, UserError, OSError):
            continue  # it is told where its own timeline is to be made
    if len(given) < 2:
        raise UserError(
            f"adapt: want recordings of several patients, got {len(given) or 'none'} to read, whose pattern it would "
            "take out; or adapt=0"
        )


def predicted(
    recording: Recording,
    models: Sequence[Model],
    mix: Mix,
    step_s: float,
    batch_size: int,
    device: str,
    flips: bool,
    precision: Precision,
    threshold: float,
) -> Timeline:
    """What the models say, every `step_s`; read once, in pieces: of its length the spectrogram is kept, 70 MB a day."""
    reads = any(model.reads_spectrogram for model in models)
    onsets_s, found, spectrogram = [], [], []
    pieces = stretches(recording, step_s, reads)
    for piece in track(pieces, count_stretches(recording, step_s), recording.path.name):
        shares = np.full((len(piece.onsets_s), len(CLASSES)), np.nan)
        if piece.recorded.any():
            _, by_fold = by_model(models, piece.batches(batch_size), device, flips, precision)
            shares = np.where(piece.recorded[:, None], mix(by_fold), np.nan)
        onsets_s.append(piece.onsets_s)
        found.append(shares)
        spectrogram.append(piece.spectrogram)
    return timeline_of(
        recording, np.concatenate(onsets_s), np.concatenate(found), np.concatenate(spectrogram, axis=1), threshold
    )
