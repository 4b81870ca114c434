"""Export trained models as one ONNX file that computes probabilities from µV without hms or torch.

Operations that ONNX lacks, or that its runtimes compute slowly and imprecisely, are first replaced by equivalent ones:
the Fourier transform of the zero-phase filter by a convolution, the median by sorting.
"""

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

from hms.batch import Batch, joined, unlabelled
from hms.data.half_precision import FAR_UV, OFFSET_EVERY
from hms.electrodes import ELECTRODES, SCALP, SFREQ_HZ
from hms.errors import UserError, first_line
from hms.labels import CLASSES
from hms.model import Model
from hms.prediction.inference import Compute, by_model
from hms.prediction.views import views
from hms.preprocess.robust import median_but
from hms.preprocess.zero_phase import ZeroPhase
from hms.spectrogram_recipe import FREQUENCIES_HZ, REGIONS
from hms.window_lengths import EEG_SAMPLES, SPECTROGRAM_ROWS

_LIBRARIES = ("onnx", "onnxruntime", "onnxscript")
_TOLERANCE = 1e-4  # of a probability
_BLOCK = 100  # samples; a divisor of a padded window
_NEGLIGIBLE = 2e-6  # bound on the sum of an impulse response's truncated ends


def want_libraries() -> None:
    """Raise UserError if a library is missing that writing the file requires."""
    if missing := [name for name in _LIBRARIES if not find_spec(name)]:
        raise UserError(f"onnx: wants {', '.join(missing)}, which is not installed; pip install 'hms[onnx]'")


def write_onnx(path: Path, models: list[Model], flips: bool) -> float:
    """Write an ONNX file that predicts the mean of the models, all of one config, as `hms.prediction.inference` does.

    Inputs are `eeg_uv` (batch, 20, 10000) and, if the models read it, `spectrogram` (batch, 4, 300, 100), both float32
    with NaN for missing values; the output is `probabilities` (batch, 6). The metadata name electrodes, regions and
    classes.

    Returns the largest difference between a probability of the file and torch's, on random windows. Raises UserError
    if torch cannot export the model, or if that difference exceeds 1e-4.
    """
    windows = _windows(models[0].reads_spectrogram)
    pipeline = _Probabilities(deepcopy(models), flips).eval().requires_grad_(False)
    shapes = [{0: torch.export.Dim("batch")} for _ in windows]
    try:
        with _exporting():
            program = torch.export.export(pipeline, (*windows.values(),), dynamic_shapes=shapes)
            exported = torch.onnx.export(
                program,
                input_names=[*windows],
                output_names=["probabilities"],
                dynamic_shapes=shapes,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:
        raise UserError(f"onnx: torch cannot export this model ({first_line(error)})") from None
    assert exported is not None
    metadata = {"electrodes": ELECTRODES, "regions": REGIONS, "classes": CLASSES}
    exported.model.metadata_props.update({key: json.dumps(value) for key, value in metadata.items()})
    exported.save(path)
    difference = _difference(path, models, windows, flips)
    if not difference <= _TOLERANCE:
        raise UserError(f"onnx: want probabilities within {_TOLERANCE:g} of torch's, got {difference:.2g} apart")
    return difference


class _Probabilities(nn.Module):
    """The mean over models and views; all views form one batch, which is preprocessed once for all models."""

    def __init__(self, models: list[Model], flips: bool):
        super().__init__()
        self.preprocess = models[0].preprocess
        if self.preprocess.zero_phase is not None:
            self.preprocess.zero_phase = _Convolution(self.preprocess.zero_phase)
        self.models = nn.ModuleList(models)
        self.flips = flips

    def forward(self, eeg_uv: Tensor, spectrogram: Tensor | None = None) -> Tensor:
        eeg = _without_far_offsets(eeg_uv)
        unused = eeg[:, 0, : len(CLASSES)]  # of the right shape; prediction reads no target, weight or id
        seen = views(self.preprocess, Batch(eeg, spectrogram, unused, unused[:, 0], unused[:, 0].long()), self.flips)
        signals = joined(seen)
        logits = torch.stack([model.classify(signals).joint for model in self.models])  # type: ignore[operator]
        probabilities = logits.softmax(dim=2).mean(dim=0)
        return probabilities.reshape(len(seen), -1, len(CLASSES)).mean(dim=0)


def _without_far_offsets(eeg_uv: Float[Tensor, "batch electrode time"]) -> Float[Tensor, "batch electrode time"]:
    """The same as `hms.data.half_precision.without_far_offsets`."""
    sample = eeg_uv[..., ::OFFSET_EVERY]
    offset_uv = median_but(sample, sample.isnan())
    far = (offset_uv.abs() > FAR_UV) & (torch.arange(len(ELECTRODES)) < len(SCALP))
    return eeg_uv - torch.where(far, offset_uv, 0.0)[..., None]


class _Convolution(ZeroPhase):
    """The zero-phase filter as a convolution of its impulse response with blocks of samples."""

    weight: Tensor

    def __init__(self, of: ZeroPhase):
        nn.Module.__init__(self)
        self.padding = of.padding
        response = np.fft.irfft(of.gain.double().numpy())  # circular, and symmetric about 0
        one_side = np.abs(response[: len(response) // 2])
        reach = np.count_nonzero(2 * one_side[::-1].cumsum()[::-1] > _NEGLIGIBLE)
        self.margin = int(-(-reach // _BLOCK))  # blocks on either side
        given, taken, block = np.ogrid[:_BLOCK, :_BLOCK, -self.margin : self.margin + 1]
        lag = np.abs(given - taken - _BLOCK * block)
        weight = np.where(lag < reach, response[np.minimum(lag, reach)], 0)
        self.register_buffer("weight", torch.from_numpy(weight.astype(np.float32)))

    def circular(self, padded: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair time"]:
        blocks = padded.reshape(-1, padded.shape[-1] // _BLOCK, _BLOCK).transpose(1, 2)  # batch x pair, sample, block
        wrapped = torch.cat([blocks[..., -self.margin :], blocks, blocks[..., : self.margin]], dim=2)
        return F.conv1d(wrapped, self.weight).transpose(1, 2).reshape(padded.shape)


@contextmanager
def _exporting() -> Iterator[None]:
    """Disable torch's fused attention, which ONNX has no operator for, and the exporter's warnings about itself."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _windows(with_spectrogram: bool) -> dict[str, Tensor]:
    """Three windows of noise of EEG's amplitude, keyed by input: plain, with mains and an offset, and with gaps."""
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
    (onnx,) = session.run(None, {name: window.numpy() for name, window in windows.items()})
    eeg = windows["eeg_uv"]
    batch = unlabelled(eeg, windows.get("spectrogram"), torch.arange(len(eeg)))
    _, by_torch = by_model(models, [batch], Compute("cpu", flips))
    return float(np.abs(onnx - by_torch.mean(axis=0)).max())
