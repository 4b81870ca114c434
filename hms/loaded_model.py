"""The object that `hms.load` returns: models, as of a run or an ensemble, which predict together as one."""

import sys
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hms.batch import mapped, unlabelled
from hms.config.keys import want_in_range
from hms.data.files import want_microvolts
from hms.data.half_precision import without_far_offsets
from hms.data.silence import NO_SIGNAL_UV, centre_uv
from hms.electrodes import ELECTRODES, SFREQ_HZ
from hms.ensemble.mixture import ensemble_folder
from hms.errors import DataError, UserError, first_line
from hms.prediction.inference import Compute, by_model
from hms.prediction.predictors import find_predictors
from hms.recording.options import ReadingOptions
from hms.recording.recording import from_raw, open_recording, want_channels
from hms.spectrogram_recipe import FREQUENCIES_HZ, REGIONS
from hms.system.device import best_device
from hms.timeline.options import TimelineOptions
from hms.timeline.origin import origin
from hms.timeline.predicted import pairs_of, predict_recording
from hms.timeline.timeline import Timeline
from hms.window_lengths import CENTRE_S, EEG_SAMPLES, SPECTROGRAM_ROWS


class LoadedModel:
    """The models of `runs` (a run, a fold, a bundle or an ensemble, or a pattern), on the device of `accelerator`.

    That is auto, cpu or gpu. Raises DataError for a folder without a finished fold, and for a bundle that was changed
    or that a newer version wrote; ConfigError for one that describes anything but a model of hms; UserError for a
    device that this machine does not have.
    """

    def __init__(self, runs: str | Path, accelerator: str):
        self.device, runs = best_device(accelerator), Path(runs).expanduser()
        is_ensemble = (ensemble_folder(runs) / "ensemble.json").is_file()
        self.predictors = find_predictors(ensemble=str(runs)) if is_ensemble else find_predictors(str(runs))
        self.models = self.predictors.load()
        self.reads_spectrogram = any(model.reads_spectrogram for model in self.models)

    def __repr__(self) -> str:
        return f"<LoadedModel: {self.predictors.name}>"

    def predict(
        self, eeg_uv: Any, spectrogram: Any = None, flips: bool = True, batch_size: int = 32
    ) -> Float[np.ndarray, "batch class"]:
        """Probabilities of `hms.labels.CLASSES`: means over the folds, or an ensemble's; with `flips` over four views.

        `eeg_uv` is an array (batch, 20, 10000): 50 s at 200 Hz, unfiltered, of the `hms.electrodes.ELECTRODES` against
        any common reference, in µV; NaN where nothing was recorded. `spectrogram`, if the model reads it, is
        (batch, 4, 300, 100): ten minutes around the same centre as `hms.spectrogram_recipe` computes them, in µV²/Hz.
        Raises DataError for other shapes, infinite values, values that are not in µV, and windows without any signal,
        and UserError for a `batch_size` below 1 and a model that predicts NaN.
        """
        want_in_range({"batch_size": batch_size})
        eeg = _array("eeg_uv", eeg_uv, (len(ELECTRODES), EEG_SAMPLES), f"{EEG_SAMPLES // SFREQ_HZ} s at {SFREQ_HZ} Hz")
        near = np.stack([without_far_offsets(window.T).T for window in eeg.numpy()])
        want_microvolts("eeg_uv", near.swapaxes(1, 2).reshape(-1, len(ELECTRODES)))
        _want_signal(near)
        power = None
        if self.reads_spectrogram:
            shape = (len(REGIONS), SPECTROGRAM_ROWS, len(FREQUENCIES_HZ))
            power = _array("spectrogram", spectrogram, shape, "as hms.spectrogram_recipe computes it")
            if len(power) != len(eeg):
                raise DataError(f"spectrogram: want one for each of {len(eeg)} windows, got {len(power)}")
        whole = unlabelled(torch.from_numpy(near), power, torch.arange(len(eeg)))
        parts = [slice(first, first + batch_size) for first in range(0, len(eeg), batch_size)]
        batches = (mapped(whole, itemgetter(part)) for part in parts)
        _, by_fold = by_model(self.models, batches, Compute(self.device, flips))
        return self.predictors.mix(by_fold)

    def timeline(
        self,
        recording: Any,
        step_s: float = 10,
        threshold: float = 0.5,
        unit: str | None = None,
        channels: Mapping[Any, str] | None = None,
        flips: bool = True,
        batch_size: int = 32,
    ) -> Timeline:
        """Predict a recording as `hms.predict` does, by the same options: the file (EDF, BDF, BrainVision, FIF ...) at
        a path, or an `mne.io.Raw`, of which `unit` is that of the values which its `get_data()` returns.

        The `table` of a Timeline has a row for each window, its `notes` say what a user should know, and
        `hms.timeline.events.events` finds its events. Raises UserError for an option that is out of range and
        for what is no recording, and DataError, naming the file and the reason, for one that cannot be used.
        """
        options = TimelineOptions(step_s, threshold, ReadingOptions(unit, channels), batch_size).checked()
        pairs, reading = pairs_of(self.models), options.reading
        if isinstance(recording, str | Path):
            want_channels([path := Path(recording)], reading.leads)
            opened = open_recording(path, pairs, reading)
        elif _is_raw(recording):
            opened = from_raw(recording, pairs, reading)
        else:
            got = type(recording).__name__
            raise UserError(f"recording: want the path of a file or an mne.io.Raw, got {got}")
        compute = Compute(self.device, flips)
        made_by = origin(self.predictors, options, compute)
        return predict_recording(opened, self.models, self.predictors.mix, options, compute, made_by)


def _is_raw(recording: Any) -> bool:
    mne = sys.modules.get("mne")  # slow to import, and whoever has one has done so
    return mne is not None and isinstance(recording, mne.io.BaseRaw)


def _want_signal(eeg_uv: Float[np.ndarray, "batch electrode time"]) -> None:
    """Raise DataError for a window whose centre holds no EEG, as a timeline of a recording leaves it out."""
    for number, window in enumerate(eeg_uv):
        uv = centre_uv(window)
        if not uv >= NO_SIGNAL_UV:
            got = "missing samples" if np.isnan(uv) else f"{uv:.2g} µV"
            wish = f"want a signal of at least {NO_SIGNAL_UV} µV in its central {CENTRE_S} s"
            raise DataError(f"eeg_uv: window {number}: {wish}, got {got}")


def _array(place: str, given: Any, shape: tuple[int, ...], meaning: str) -> Tensor:
    wish = f"want (batch, {', '.join(map(str, shape))}), {meaning}"
    if given is None:
        raise DataError(f"{place}: {wish}, got none")
    try:
        given = given.detach().cpu().float().numpy() if isinstance(given, Tensor) else given  # NumPy knows no bfloat16
        array = torch.from_numpy(np.array(given, np.float32))  # a copy: it may be read-only, or run backwards
    except (TypeError, ValueError) as error:
        raise DataError(f"{place}: {wish}, got no array of numbers ({first_line(error)})") from None
    if array.shape[1:] != shape or not len(array):
        raise DataError(f"{place}: {wish}, got {tuple(array.shape)}")
    if array.isinf().any():
        raise DataError(f"{place}: want numbers, or NaN where nothing was recorded, got an infinite value")
    return array
