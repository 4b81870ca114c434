"""The views of a window that models predict by: as it is, mirrored left to right, front to back, and both.

A flip only swaps pairs of electrodes or turns them round, and preprocessing treats all pairs alike. So it runs once for
all views, and once for all models that share it.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter

from hms.batch import Batch, Signals
from hms.electrodes import FLIPS
from hms.model import Model
from hms.montage import Montage
from hms.preprocess import Preprocess
from hms.spectrogram_images import mirrored


def views_by_model(models: Iterable[Model], batch: Batch, flips: bool) -> Iterator[tuple[Model, list[Signals]]]:
    """Each model with its `views` of a batch; neighbours that share their preprocessing share these."""
    for preprocess, sharing in itertools.groupby(models, key=attrgetter("preprocess")):
        seen = views(preprocess, batch, flips)
        for model in sharing:
            yield model, seen


def views(preprocess: Preprocess, batch: Batch, flips: bool) -> list[Signals]:
    """A batch as the extractors see it: once, or with `flips` in one view for each of `FLIPS`."""
    if not flips:
        return [preprocess(batch)]
    places = signs = None
    if type(preprocess) is Preprocess and type(preprocess.montage) is Montage:  # one's own may treat pairs differently
        places, signs = preprocess.montage.flipped_places, preprocess.montage.flipped_signs
    if places is None or signs is None:
        return [preprocess(_flipped(batch, left_right, channels)) for (left_right, _), channels in FLIPS.items()]
    signals = preprocess(batch)
    images = None if batch.spectrogram is None else preprocess.images(mirrored(batch.spectrogram))
    seen = []
    for (left_right, _), place, sign in zip(FLIPS, places, signs, strict=True):
        pairs = signals.pairs[:, place].mul_(sign)
        seen.append(signals._replace(pairs=pairs, images=images if left_right else signals.images))
    return seen


def _flipped(batch: Batch, left_right: bool, channels: Sequence[int]) -> Batch:
    power = batch.spectrogram
    if left_right and power is not None:
        power = mirrored(power)
    return batch._replace(eeg=batch.eeg[:, [*channels]], spectrogram=power)
