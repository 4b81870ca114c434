"""Trained models as one ONNX file that needs neither hms nor torch: from µV to probabilities.

What ONNX has no operator for, or one that runtimes are slow and imprecise at, is put in another form first, which gives
the same numbers: the Fourier transform of the zero-phase filter as a convolution, the median by sorting.
"""

import itertools
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from hms.batch import Batch
from hms.electrodes import ELECTRODES, FRONT_BACK, LEFT_RIGHT, SFREQ_HZ
from hms.errors import UserError, first_line
from hms.inference import by_model
from hms.labels import CLASSES
from hms.model import Model
from hms.preprocess import ZeroPhase
from hms.spectrogram_recipe import FREQUENCIES_HZ, REGIONS
from hms.timing import EEG_SAMPLES, SPECTROGRAM_ROWS

_LIBRARIES = ("onnx", "onnxruntime", "onnxscript")
_TOLERANCE = 1e-4  # of a probability
_BLOCK = 100  # samples; a divisor of a padded window
_NEGLIGIBLE = 2e-6  # what the truncated ends of an impulse response may sum to


def want_libraries() -> None:
    """Raise UserError where something is missing that writing the file wants."""
    if missing := [name for name in _LIBRARIES if not find_spec(name)]:
        raise UserError(f"onnx: wants {', '.join(missing)}, which is not installed; pip install 'hms[onnx]'")


def write_onnx(path: Path, models: list[Model], flips: bool) -> float:
    """Write what the models, all of one config, predict by their mean, as `hms.inference` does it.

    Inputs `eeg_uv` (batch, 20, 10000) and, where the models read it, `spectrogram` (batch, 4, 300, 100), float32, NaN
    where missing; output `probabilities` (batch, 6). The metadata name electrodes, regions and classes.

    Gives the largest difference of a probability from torch's on windows drawn for it. Raises UserError for a model
    that torch cannot export, and for a difference above 1e-4.
    """
    windows = _windows(models[0].reads_spectrogram)
    whole = _Probabilities(deepcopy(models), flips).eval().requires_grad_(False)
    shapes = [{0: torch.export.Dim("batch")} for _ in windows]
    try:
        with _exporting():
            program = torch.export.export(whole, (*windows.values(),), dynamic_shapes=shapes)
            made = torch.onnx.export(
                program,
                input_names=[*windows],
                output_names=["probabilities"],
                dynamic_shapes=shapes,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:
        raise UserError(f"onnx: torch cannot export this model ({first_line(error)})") from None
    assert made is not None
    about = {"electrodes": ELECTRODES, "regions": REGIONS, "classes": CLASSES}
    made.model.metadata_props.update({key: json.dumps(value) for key, value in about.items()})
    made.save(path)
    difference = _difference(path, models, windows, flips)
    if not difference <= _TOLERANCE:
        raise UserError(f"onnx: want probabilities within {_TOLERANCE:g} of torch's, got {difference:.2g} apart")
    return difference


class _Probabilities(nn.Module):
    """Mean over models and flips; all flips go through as one batch, and through preprocessing once for all models."""

    def __init__(self, models: list[Model], flips: bool):
        super().__init__()
        self.preprocess = models[0].preprocess
        if self.preprocess.zero_phase is not None:
            self.preprocess.zero_phase = _Convolution(self.preprocess.zero_phase.gain)
        self.models = nn.ModuleList(models)
        self.views = [*itertools.product((False, True), repeat=2)] if flips else [(False, False)]

    def forward(self, eeg_uv: Tensor, spectrogram: Tensor | None = None) -> Tensor:
        eeg = torch.cat([eeg_uv[:, _electrodes(*view)] for view in self.views])
        if spectrogram is not None:
            spectrogram = torch.cat([spectrogram[:, [1, 0, 3, 2] if view[0] else [0, 1, 2, 3]] for view in self.views])
        nobody = eeg[:, 0, : len(CLASSES)]  # has voted
        signals = self.preprocess(Batch(eeg, spectrogram, nobody, nobody[:, 0], nobody[:, 0].long()))
        logits = torch.stack([model.classify(signals).joint for model in self.models])  # type: ignore[operator]
        found = logits.softmax(dim=2).mean(dim=0)
        return found.reshape(len(self.views), -1, len(CLASSES)).mean(dim=0)


def _electrodes(left_right: bool, front_back: bool) -> list[int]:
    """Whose samples each electrode gets in a flipped head, as in `hms.augmentation.brain_flip`."""
    same = range(len(ELECTRODES))
    mirrored, turned = LEFT_RIGHT if left_right else same, FRONT_BACK if front_back else same
    return [mirrored[electrode] for electrode in turned]


class _Convolution(ZeroPhase):
    """The same filter as a convolution of blocks of samples with its impulse response."""

    weight: Tensor

    def __init__(self, gain: Float[Tensor, " frequency"]):
        nn.Module.__init__(self)
        response = np.fft.irfft(gain.double().numpy())  # in a circle, alike on both sides of 0
        one_side = np.abs(response[: len(response) // 2])
        reach = np.count_nonzero(2 * one_side[::-1].cumsum()[::-1] > _NEGLIGIBLE)
        self.aside = int(-(-reach // _BLOCK))
        given, taken, block = np.ogrid[:_BLOCK, :_BLOCK, -self.aside : self.aside + 1]
        lag = np.abs(given - taken - _BLOCK * block)
        weight = np.where(lag < reach, response[np.minimum(lag, reach)], 0)
        self.register_buffer("weight", torch.from_numpy(weight.astype(np.float32)))

    def circular(self, padded: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair time"]:
        blocks = padded.reshape(-1, padded.shape[-1] // _BLOCK, _BLOCK).transpose(1, 2)  # batch x pair, sample, block
        around = torch.cat([blocks[..., -self.aside :], blocks, blocks[..., : self.aside]], dim=2)
        return F.conv1d(around, self.weight).transpose(1, 2).reshape(padded.shape)


@contextmanager
def _exporting() -> Iterator[None]:
    """What torch fuses in attention is no operator of ONNX; what its exporter warns of is in itself."""
    fuses = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fuses)


def _windows(with_spectrogram: bool) -> dict[str, Tensor]:
    """Three windows by the names of the inputs: noise at the size of EEG, with mains and an offset, with gaps."""
    draw = torch.Generator().manual_seed(0)
    eeg = 30 * torch.randn(3, len(ELECTRODES), EEG_SAMPLES, generator=draw)
    eeg[1] += 200 + 3000 * torch.sin(2 * torch.pi * 50 / SFREQ_HZ * torch.arange(EEG_SAMPLES))
    eeg[2, :4], eeg[2, :, :2000] = torch.nan, torch.nan
    power = torch.rand(3, len(REGIONS), SPECTROGRAM_ROWS, len(FREQUENCIES_HZ), generator=draw).exp()
    power[2, :, :100] = torch.nan
    return {"eeg_uv": eeg} | ({"spectrogram": power} if with_spectrogram else {})


def _difference(path: Path, models: list[Model], windows: dict[str, Tensor], flips: bool) -> float:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {name: window.numpy() for name, window in windows.items()})
    eeg = windows["eeg_uv"]
    nobody = torch.full((len(eeg), len(CLASSES)), torch.nan)
    batch = Batch(eeg, windows.get("spectrogram"), nobody, nobody[:, 0], torch.arange(len(eeg)))
    _, wanted = by_model(models, [batch], "cpu", flips)
    return float(np.abs(found - wanted.mean(axis=0)).max())
